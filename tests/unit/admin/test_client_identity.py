import asyncio
import os

import aiohttp
from aiohttp import web

from router.admin.client_identity import asker, user
from router.admin.connection_slots import ConnectionSlots
from router.admin.connections import answering, application
from router.admin.server import bind_tcp
from tests.unit.admin.asked import asked


def who() -> web.Application:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=await asker(request))

    made = application()
    made.router.add_get("/", answer)
    return made


def test_over_a_unix_socket_it_is_the_user_at_the_other_end() -> None:
    async def ask() -> str:
        async with asked(who()) as client:
            return await (await client.get("/")).text()

    assert asyncio.run(ask()) == user(os.getuid())
    assert f"uid {os.getuid()}" in user(os.getuid())


def test_over_tcp_it_is_the_credential_and_from_where() -> None:
    async def ask() -> str:
        async with answering(who(), ConnectionSlots(1)) as admit:
            (listener,) = await bind_tcp(admit, ("127.0.0.1", 0))
            host, port = listener.sockets[0].getsockname()
            async with aiohttp.ClientSession() as client:
                said = await (await client.get(f"http://{host}:{port}/")).text()
            listener.close()
            return said

    assert asyncio.run(ask()) == "the admin credential, from 127.0.0.1"


def test_a_user_without_a_name_is_a_number() -> None:
    assert user(3_999_999_999) == "uid 3999999999"
