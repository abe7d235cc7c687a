"""Servers that end while clients connect."""

import asyncio
import socket
from asyncio.trsock import TransportSocket
from collections.abc import Iterable


async def take_no_more(doors: Iterable[socket.socket | TransportSocket]) -> None:
    """Accept nothing more at ``doors``, sockets that the running loop serves; then close them.

    A connection accepted just now is attached to its server a turn later. CPython 3.11 leaves it
    open when that server has been closed meanwhile, and whichever test runs when it is collected
    fails.
    """
    loop = asyncio.get_running_loop()
    for door in doors:
        loop.remove_reader(door.fileno())
    for _ in range(3):
        await asyncio.sleep(0)


async def close_server(server: asyncio.Server) -> None:
    """`Server.close`, with nothing left behind. Idempotent."""
    await take_no_more(server.sockets)
    server.close()
