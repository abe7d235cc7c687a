"""Routes of the API behind a real connection, for a test that asks them."""

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from aiohttp import web

from router.admin.admin_socket import bind
from router.admin.connection_slots import ConnectionSlots
from router.admin.connections import answering


@contextlib.asynccontextmanager
async def asked(app: web.Application) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of theirs, whose URLs begin with a slash."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "s"
        async with answering(app, ConnectionSlots(8, trusts_all=True)) as admit:
            listener = await bind(admit, path)
            connector = aiohttp.UnixConnector(str(path))
            async with aiohttp.ClientSession("http://site", connector=connector) as session:
                yield session
            listener.close()
