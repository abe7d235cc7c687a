"""Serves the API on a unix socket (mode 0600) and, where asked, on TCP; probes on TCP, apart."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path

from router.admin.api import AdminApi
from router.admin.events import EventLog
from router.admin.http import Request, Response, Routes
from router.admin.http.connection import Connection
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
            admitting(api.routes(), limits.ADMIN_CONNECTIONS_MAX)
        )
        socket_path.unlink(missing_ok=True)  # noqa: ASYNC240 - one local file, once.
        listener = await bind(admit, socket_path)
        stack.callback(listener.close)
        stack.callback(socket_path.unlink, missing_ok=True)
        if tcp is not None:
            guarded = AdminApi(view, events, credential, parts, commanded).routes()
            door = await stack.enter_async_context(admitting(guarded, limits.ADMIN_CONNECTIONS_MAX))
            stack.callback((await bind_tcp(door, tcp)).close)
        if probes is not None:
            door = await stack.enter_async_context(
                admitting(api.probes(), limits.PROBES_CONNECTIONS_MAX, displacing=True)
            )
            stack.callback((await bind_tcp(door, probes)).close)
        yield


@contextlib.asynccontextmanager
async def serving_health(ready: Callable[[], bool], place: tuple[str, int]) -> AsyncIterator[None]:
    """``/healthz`` and ``/readyz`` of a process that is no router, while the context is open."""

    async def healthz(request: Request) -> Response:
        return Response(text="ok\n")

    async def readyz(request: Request) -> Response:
        is_ready = ready()
        return Response(
            text="ready\n" if is_ready else "not ready\n", status=200 if is_ready else 503
        )

    routes = Routes()
    routes.get("/healthz", healthz)
    routes.get("/readyz", readyz)
    async with admitting(routes, limits.PROBES_CONNECTIONS_MAX, displacing=True) as door:
        listener = await bind_tcp(door, place)
        try:
            yield
        finally:
            listener.close()


class _Crowded(asyncio.Protocol):
    """For a connection beyond the bound."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it before anything is read."""
        transport.close()


class _Door:
    """The connections to one set of routes, ``most`` of them. Implements `connection.Owner`.

    ``displacing``: one too many closes the oldest, not itself. Where anyone may connect, idle
    strangers could else keep a kubelet out, which would then end us.
    """

    def __init__(
        self, routes: Routes, most: int, tasks: asyncio.TaskGroup, *, displacing: bool
    ) -> None:
        self.routes = routes
        self.is_closing = False
        self._most, self._displacing = most, displacing
        self._tasks = tasks
        self._running: set[asyncio.Task[None]] = set()
        self._open: dict[Connection, None] = {}  # The oldest first.

    def admit(self) -> asyncio.BaseProtocol:
        """What a connection that was accepted is served by."""
        if self.is_closing:
            return _Crowded()
        if len(self._open) >= self._most:
            if not self._displacing:
                return _Crowded()
            oldest = next(iter(self._open))
            self.ended(oldest)
            oldest.abort()
        return Connection(self)

    def began(self, connection: Connection) -> None:
        self._open[connection] = None

    def ended(self, connection: Connection) -> None:
        self._open.pop(connection, None)

    def run(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = self._tasks.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def close(self) -> None:
        """Idle connections at once; who is being answered has `SHUTDOWN_S` for it."""
        self.is_closing = True
        for connection in list(self._open):
            connection.leave_when_idle()
        if self._running:
            await asyncio.wait(self._running, timeout=SHUTDOWN_S)
        for task in self._running:
            task.cancel()
        for connection in list(self._open):
            connection.abort()


@contextlib.asynccontextmanager
async def admitting(
    routes: Routes, most: int, *, displacing: bool = False
) -> AsyncIterator[Callable[[], asyncio.BaseProtocol]]:
    """What makes the protocol of each of ``most`` connections, see `_Door`."""
    async with asyncio.TaskGroup() as tasks:
        door = _Door(routes, most, tasks, displacing=displacing)
        try:
            yield door.admit
        finally:
            await door.close()


async def bind_tcp(
    admit: Callable[[], asyncio.BaseProtocol], place: tuple[str, int]
) -> asyncio.Server:
    host, port = place
    return await asyncio.get_running_loop().create_server(admit, host or None, port)


async def bind(admit: Callable[[], asyncio.BaseProtocol], path: Path) -> asyncio.Server:
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
