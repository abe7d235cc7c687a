"""Serves the API on a unix socket (mode 0600) and, where asked, on TCP; probes on TCP, apart."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from aiohttp import web

from router.admin.api import AdminApi
from router.admin.events import EventLog
from router.admin.ports import ApiPart, Order, RouterView, unheard
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
    probes: tuple[str, int] | None = None,
    parts: Sequence[ApiPart] = (),
    commanded: Callable[[Order], None] = unheard,
) -> AsyncIterator[None]:
    """Serve while the context is open. A stale socket file of a dead router is replaced.

    Raises `OSError` when an address cannot be bound. ``credential`` guards TCP, which is not
    served without one; the unix socket is its owner's by file mode. ``probes`` is where a kubelet
    and Prometheus ask without any: health, readiness and metrics only, all addresses if its host is
    empty.
    """
    assert tcp is None or credential, "TCP needs a credential"
    async with contextlib.AsyncExitStack() as stack:
        api = AdminApi(view, events, parts=parts, commanded=commanded)
        admit = await stack.enter_async_context(
            _admitting(api.application(), limits.ADMIN_CONNECTIONS_MAX)
        )
        socket_path.unlink(missing_ok=True)  # noqa: ASYNC240 - one local file, once.
        listener = await _bind(admit, socket_path)
        stack.callback(listener.close)
        stack.callback(socket_path.unlink, missing_ok=True)
        if tcp is not None:
            guarded = AdminApi(view, events, credential, parts, commanded).application()
            door = await stack.enter_async_context(
                _admitting(guarded, limits.ADMIN_CONNECTIONS_MAX)
            )
            stack.callback((await _bind_tcp(door, tcp)).close)
        if probes is not None:
            door = await stack.enter_async_context(
                _admitting(api.probes(), limits.PROBES_CONNECTIONS_MAX, displacing=True)
            )
            stack.callback((await _bind_tcp(door, probes)).close)
        yield


@contextlib.asynccontextmanager
async def serving_health(ready: Callable[[], bool], place: tuple[str, int]) -> AsyncIterator[None]:
    """``/healthz`` and ``/readyz`` of a process that is no router, while the context is open."""

    async def healthz(request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(request: web.Request) -> web.Response:
        is_ready = ready()
        return web.Response(
            text="ready\n" if is_ready else "not ready\n", status=200 if is_ready else 503
        )

    app = web.Application(client_max_size=0)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    async with _admitting(app, limits.PROBES_CONNECTIONS_MAX, displacing=True) as door:
        listener = await _bind_tcp(door, place)
        try:
            yield
        finally:
            listener.close()


class _Crowded(asyncio.Protocol):
    """For a connection beyond the bound."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it before anything is read."""
        transport.close()


@contextlib.asynccontextmanager
async def _admitting(
    app: web.Application, most: int, *, displacing: bool = False
) -> AsyncIterator[Callable[[], asyncio.BaseProtocol]]:
    """What makes the protocol of each of ``most`` connections to ``app``.

    ``displacing``: one too many closes the oldest, not itself. Where anyone may connect, idle
    strangers could else keep a kubelet out, which would then end us.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=SHUTDOWN_S,
        keepalive_timeout=limits.ADMIN_IDLE_S,
    )
    await runner.setup()
    server = runner.server
    assert server is not None

    def admit() -> asyncio.BaseProtocol:
        connected = server.connections
        if len(connected) >= most:
            if not displacing:
                return _Crowded()
            connected[0].force_close()
        return server()

    try:
        yield admit
    finally:
        await runner.cleanup()


async def _bind_tcp(
    admit: Callable[[], asyncio.BaseProtocol], place: tuple[str, int]
) -> asyncio.Server:
    host, port = place
    return await asyncio.get_running_loop().create_server(admit, host or None, port)


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
