"""A connection of the operator's door frees all its objects when it ends, however it ends.

Probes, scrapes and most commands each open a connection. Those connections waited for Python's
collector and took up to 4 MiB of a router.
"""

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from router.admin.connections import AdminConnection
from tests.unit.admin.test_connections import LAST, Handlers, served

HELD = (b"GET /slow", b"GET /stream")  # Their handlers wait until they may go on.
SLOW = b"GET /slow HTTP/1.1\r\nHost: s\r\n\r\n"


@pytest.fixture
def _without_collector() -> Iterator[None]:
    gc.collect()
    gc.freeze()  # Older objects do not belong to these connections: leave them out of the search.
    gc.disable()
    yield
    gc.enable()


async def until_all_is_freed() -> None:
    """Return when no object of any connection is alive."""
    kinds = (AdminConnection, web.Request)
    while any(isinstance(one, kinds) for one in gc.get_objects()):  # noqa: ASYNC110
        await asyncio.sleep(0.001)  # No event reports it.


@pytest.mark.usefixtures("_without_collector")
@pytest.mark.parametrize(
    "sent",
    [
        b"",
        LAST,
        LAST.replace(b"Connection: close\r\n", b""),
        LAST[:-4],
        b"nonsense\r\n\r\n",
        b"GET /stream HTTP/1.1\r\nHost: s\r\n\r\n",
        b"POST /length HTTP/1.1\r\nHost: s\r\nContent-Length: 9\r\n\r\n" + b"half",
        SLOW,
        SLOW + LAST,
        SLOW + LAST[:-4],
    ],
    ids=lambda sent: sent.replace(b"\r\n", b" ").decode()[:40],
)
def test_a_connection_whose_client_leaves_frees_its_objects_at_once(
    tmp_path: Path, sent: bytes
) -> None:
    async def story() -> None:
        handlers = Handlers()
        async with served(tmp_path, handlers) as connect:
            for _ in range(3):
                reader, writer = await connect()
                writer.write(sent)
                if sent.startswith(HELD):
                    await handlers.began.wait()
                writer.write_eof()
                await reader.read()  # The router has closed its side.
                handlers.go_on.set()
                await until_all_is_freed()
                handlers.began.clear()
                handlers.go_on.clear()

    asyncio.run(story())
