"""Serves the API on a unix socket (mode 0600) and, where asked, on TCP."""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from router.admin.api import AdminApi
from router.admin.events import EventLog
from router.admin.ports import RouterView

SHUTDOWN_S = 1.0


@contextlib.asynccontextmanager
async def serving(
    view: RouterView,
    events: EventLog,
    socket_path: Path,
    *,
    tcp: tuple[str, int] | None = None,
    credential: str = "",
) -> AsyncIterator[None]:
    """Serve while the context is open. A stale socket file of a dead router is replaced.

    Raises `OSError` when an address cannot be bound. ``credential`` guards TCP, which is not
    served without one; the unix socket is its owner's by file mode.
    """
    assert tcp is None or credential, "TCP needs a credential"
    async with contextlib.AsyncExitStack() as stack:
        runner = web.AppRunner(
            AdminApi(view, events).application(), access_log=None, shutdown_timeout=SHUTDOWN_S
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        socket_path.unlink(missing_ok=True)  # noqa: ASYNC240 - one local file, once.
        await _bind(runner, socket_path)
        stack.callback(socket_path.unlink, missing_ok=True)
        if tcp is not None:
            door = web.AppRunner(
                AdminApi(view, events, credential).application(),
                access_log=None,
                shutdown_timeout=SHUTDOWN_S,
            )
            await door.setup()
            stack.push_async_callback(door.cleanup)
            await web.TCPSite(door, *tcp).start()
        yield


async def _bind(runner: web.AppRunner, path: Path) -> None:
    """Bind by way of the directory's descriptor: a socket's own path may have 107 bytes only."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    before = os.umask(0o177)  # 0600 from the moment the file exists.
    try:
        await web.UnixSite(runner, f"/proc/self/fd/{directory}/{path.name}").start()
    finally:
        os.umask(before)
        os.close(directory)
