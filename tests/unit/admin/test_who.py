import asyncio
import os
from pathlib import Path

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from router.admin.who import asker, user


def application() -> web.Application:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=await asker(request))

    app = web.Application()
    app.router.add_get("/", answer)
    return app


def test_over_a_unix_socket_it_is_the_user_at_the_other_end(tmp_path: Path) -> None:
    async def ask() -> str:
        runner = web.AppRunner(application())
        await runner.setup()
        await web.UnixSite(runner, str(tmp_path / "s")).start()
        try:
            connector = aiohttp.UnixConnector(str(tmp_path / "s"))
            async with aiohttp.ClientSession(connector=connector) as client:
                return await (await client.get("http://x/")).text()
        finally:
            await runner.cleanup()

    assert asyncio.run(ask()) == user(os.getuid())
    assert f"uid {os.getuid()}" in user(os.getuid())


def test_over_tcp_it_is_the_credential_and_from_where() -> None:
    async def ask() -> str:
        async with TestClient(TestServer(application())) as client:
            return await (await client.get("/")).text()

    assert asyncio.run(ask()) == "the admin credential, from 127.0.0.1"


def test_a_user_without_a_name_is_a_number() -> None:
    assert user(3_999_999_999) == "uid 3999999999"
