"""Routes of the API behind a real connection, for a test that asks them."""

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from router.admin.http import Routes
from router.admin.server import admitting, bind


@contextlib.asynccontextmanager
async def asked(routes: Routes) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of theirs, whose URLs begin with a slash."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "s"
        async with admitting(routes, 8) as admit:
            listener = await bind(admit, path)
            connector = aiohttp.UnixConnector(str(path))
            async with aiohttp.ClientSession("http://site", connector=connector) as session:
                yield session
            listener.close()
