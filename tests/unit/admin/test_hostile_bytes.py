"""Mutated requests at the operator's door: each is answered or left, the next is served."""

import asyncio
import contextlib
import random
from pathlib import Path
from typing import Any

import pytest

from router.admin.admin_socket import bind
from router.admin.connection_slots import ConnectionSlots
from router.admin.connections import answering
from tests.unit.admin.test_connections import LAST, Handlers, statuses

CLIENTS = 150
WAIT_S = 0.05  # A client that is not answered goes.
REQUESTS = (
    b"GET /hello?a=1 HTTP/1.1\r\nHost: s\r\n\r\n",
    b"POST /length HTTP/1.1\r\nHost: s\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /length HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"POST /length HTTP/1.1\r\nHost: s\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /unread HTTP/1.1\r\nHost: s\r\nContent-Length: 5\r\n\r\nhello",
    b"GET /torn HTTP/1.1\r\nHost: s\r\n\r\n",
    b"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: s\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\nHost: s\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: s\r\n\r\n",
    b"HEAD http://s/hello HTTP/1.1\r\nHost: s\r\n\r\n",
)


@pytest.mark.parametrize("seed", range(2))
def test_whatever_comes_nothing_fails_and_the_next_is_served(tmp_path: Path, seed: int) -> None:
    rng, failed = random.Random(seed), list[dict[str, Any]]()

    async def client(path: Path) -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        with contextlib.suppress(ConnectionError):
            data = mutated(rng)
            while data and not writer.is_closing():
                size = rng.randint(1, 60)
                writer.write(data[:size])
                data = data[size:]
                if rng.random() < 0.3:
                    await asyncio.sleep(0)
            if rng.random() < 0.3:
                writer.transport.abort()
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WAIT_S):
                    await reader.read()
        writer.close()

    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, what: failed.append(what))
        async with (
            asyncio.timeout(60),
            answering(Handlers().application(), ConnectionSlots(64, trusts_all=True)) as admit,
        ):
            listener = await bind(admit, tmp_path / "s")
            for _ in range(CLIENTS // 10):
                async with asyncio.TaskGroup() as tasks:
                    for _ in range(10):
                        tasks.create_task(client(tmp_path / "s"))
            reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
            writer.write(LAST)
            assert statuses(await reader.read()) == [200]
            writer.close()
            listener.close()

    asyncio.run(story())
    assert not failed


def mutated(rng: random.Random) -> bytes:
    """Some requests, of which some bytes may be others."""
    data = bytearray(b"".join(rng.choice(REQUESTS) for _ in range(rng.randint(1, 5))))
    for _ in range(rng.choice((0, 1, 1, 4))):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)
