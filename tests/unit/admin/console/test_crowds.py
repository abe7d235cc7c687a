"""Many connections from one address do not keep out clients from other addresses."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator

from aiohttp import web

from certs.ca.authority import Authority
from certs.tls.contexts import service_server_context
from router.admin.console.listener import serving
from router.model import limits
from tests.unit.admin.console.test_door import ADMIN, Console, Reading, run


@contextlib.asynccontextmanager
async def crowd(console: Console, size: int) -> AsyncIterator[None]:
    """So many connections from another address, one after the other, that say nothing."""
    held = []
    try:
        for _ in range(size):
            _, writer = await asyncio.open_connection(
                "127.0.0.1", console.port, local_addr=("127.0.0.2", 0)
            )
            held.append(writer)
        yield
    finally:
        for writer in held:
            writer.transport.abort()


async def look(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"GET /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    try:
        return await reader.readline()
    finally:
        writer.transport.abort()


def test_a_crowd_from_one_address_gives_way_to_who_comes_from_another() -> None:
    async def test(console: Console) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", console.port)
        async with crowd(console, 2 * limits.CONSOLE_CONNECTIONS_MAX):
            assert b" 200 OK" in await look(reader, writer)

    run(test)


def test_a_crowd_without_handshakes_ends_nobody_elses() -> None:
    authority, _ = Authority.generate("ab" * 16, time.time())
    leaf = authority.issue_page_leaf(["127.0.0.1"], time.time())
    tls = service_server_context(leaf, ("http/1.1",))
    trust = ssl.create_default_context(cadata=authority.ca_pem)

    async def test() -> None:
        console = Console()
        async with asyncio.timeout(30), serving(console.door, ("127.0.0.1", 0), tls) as place:
            console.port = place[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", console.port)
            async with crowd(console, 2 * limits.CONSOLE_HANDSHAKES_MAX):
                await writer.start_tls(trust, server_hostname="127.0.0.1")
                assert b" 200 OK" in await look(reader, writer)

    asyncio.run(test())


def test_a_computation_ends_when_who_asked_for_it_has_gone() -> None:
    class Slow(Reading):
        """Computes until its task is cancelled."""

        def __init__(self) -> None:
            self.began, self.ended = asyncio.Event(), asyncio.Event()

        def add_reading_to(self, routes: web.UrlDispatcher) -> None:
            routes.add_post("/api/v1/simulate", self.answer)

        async def answer(self, request: web.Request) -> web.Response:
            self.began.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.ended.set()
            return web.Response()

    async def test() -> None:
        slow = Slow()
        console = Console(reading=slow)
        async with asyncio.timeout(10), serving(console.door, ("127.0.0.1", 0), None) as place:
            _, writer = await asyncio.open_connection(*place)
            head = f"Host: localhost\r\nAuthorization: {ADMIN['Authorization']}\r\n"
            head += "Content-Type: application/json\r\n"
            writer.write(f"POST /api/v1/simulate HTTP/1.1\r\n{head}\r\n".encode())
            await slow.began.wait()
            writer.transport.abort()
            await slow.ended.wait()

    asyncio.run(test())
