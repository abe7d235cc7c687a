"""Serves the API on a unix socket (mode 0600) and, where asked, on TCP."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from aiohttp import web

from router.admin.api import AdminApi
from router.admin.events import EventLog
from router.admin.ports import RouterView
from router.model import limits

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
        admit = await stack.enter_async_context(_admitting(AdminApi(view, events)))
        socket_path.unlink(missing_ok=True)  # noqa: ASYNC240 - one local file, once.
        listener = await _bind(admit, socket_path)
        stack.callback(listener.close)
        stack.callback(socket_path.unlink, missing_ok=True)
        if tcp is not None:
            door = await stack.enter_async_context(_admitting(AdminApi(view, events, credential)))
            host, port = tcp
            listener = await asyncio.get_running_loop().create_server(door, host, port)
            stack.callback(listener.close)
        yield


class _Crowded(asyncio.Protocol):
    """For a connection beyond the bound."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it before anything is read."""
        transport.close()


@contextlib.asynccontextmanager
async def _admitting(api: AdminApi) -> AsyncIterator[Callable[[], asyncio.BaseProtocol]]:
    """What makes the protocol of each connection to ``api``; idle ones may not use up the rest."""
    runner = web.AppRunner(api.application(), access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    server = runner.server
    assert server is not None

    def admit() -> asyncio.BaseProtocol:
        crowded = len(server.connections) >= limits.ADMIN_CONNECTIONS_MAX
        return _Crowded() if crowded else server()

    try:
        yield admit
    finally:
        await runner.cleanup()


async def _bind(admit: Callable[[], asyncio.BaseProtocol], path: Path) -> asyncio.Server:
    """Bind by way of the directory's descriptor: a socket's own path may have 107 bytes only."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    before = os.umask(0o177)  # 0600 from the moment the file exists.
    try:
        return await asyncio.get_running_loop().create_unix_server(
            admit, f"/proc/self/fd/{directory}/{path.name}"
        )
    finally:
        os.umask(before)
        os.close(directory)
