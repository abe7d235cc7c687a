"""Serves the API on a unix socket (mode 0600) and optionally on TCP; probes on a separate TCP
port."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from errno import EAFNOSUPPORT
from pathlib import Path

from aiohttp import web

from router.admin.admin_socket import AdminSocket
from router.admin.api import AdminApi
from router.admin.connection_slots import ConnectionSlots
from router.admin.connections import answering, application
from router.admin.events import EventLog
from router.admin.ports import ApiPart, GivenCommand, RouterView, ignored, unheard
from router.model import limits
from router.model.addresses import join
from router.model.errors import RouterError
from router.model.wording.system_errors import text_of


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
    commanded: Callable[[GivenCommand], None] = unheard,
    failed: Callable[[Exception], None] = ignored,
) -> AsyncIterator[AdminSocket]:
    """Serve while the context is open. A stale socket file of a dead router is replaced.

    Its user runs the `AdminSocket`.

    Raises `RouterError` when a TCP address cannot be bound. ``credential`` guards TCP, which is not
    served without one; the unix socket's file mode restricts it to its owner. ``probes``: the
    address where a kubelet and Prometheus need no credential: health, readiness, metrics and demand
    only; all addresses if its host is empty. ``parts``, ``commanded``, ``failed``: as for
    `AdminApi`.
    """
    assert tcp is None or credential, "TCP needs a credential"
    async with contextlib.AsyncExitStack() as stack:
        api = AdminApi(view, events, parts=parts, commanded=commanded, failed=failed)
        owners = ConnectionSlots(limits.ADMIN_CONNECTIONS_MAX, trusts_all=True)
        admit = await stack.enter_async_context(answering(api.application(), owners))
        admin_socket = AdminSocket(admit, socket_path)
        await admin_socket.open()
        stack.callback(admin_socket.close)
        if tcp is not None:
            guarded = AdminApi(view, events, credential, parts, commanded, failed).application()
            callers = ConnectionSlots(limits.ADMIN_CONNECTIONS_MAX)
            door = await stack.enter_async_context(answering(guarded, callers))
            for server in await _listening(door, tcp, "the admin API"):
                stack.callback(server.close)
        if probes is not None:
            anyone = ConnectionSlots(limits.PROBES_CONNECTIONS_MAX)
            door = await stack.enter_async_context(answering(api.probes(), anyone))
            for server in await _listening(door, probes, "probes"):
                stack.callback(server.close)
        yield admin_socket


@contextlib.asynccontextmanager
async def serving_health(ready: Callable[[], bool], place: tuple[str, int]) -> AsyncIterator[None]:
    """``/healthz`` and ``/readyz`` of a process that is not a router, while the context is open."""

    async def healthz(request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(request: web.Request) -> web.Response:
        is_ready = ready()
        return web.Response(
            text="ready\n" if is_ready else "not ready\n", status=200 if is_ready else 503
        )

    app = application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    async with answering(app, ConnectionSlots(limits.PROBES_CONNECTIONS_MAX)) as door:
        servers = await _listening(door, place, "probes")
        try:
            yield
        finally:
            for server in servers:
                server.close()


async def _listening(
    admit: Callable[[], asyncio.BaseProtocol], place: tuple[str, int], what: str
) -> list[asyncio.Server]:
    """As `bind_tcp`. Raises `RouterError`, which names ``what`` is served there."""
    try:
        return await bind_tcp(admit, place)
    except OSError as error:
        # asyncio's own text repeats the address; a name that does not resolve has no errno.
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else text_of(error)
        raise RouterError(f"cannot serve {what} on {join(*place)}: {reason}") from error


async def bind_tcp(
    admit: Callable[[], asyncio.BaseProtocol], place: tuple[str, int]
) -> list[asyncio.Server]:
    """A server at each address of ``place``. Raises OSError.

    uvloop would start threads to look up even an address, and abort the process if it could not.
    """
    host, port = place
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    with contextlib.ExitStack() as bound:
        servers = []
        for family, address in dict.fromkeys((one[0], one[4]) for one in found):
            try:
                listener = bound.enter_context(socket.create_server(address, family=family))
            except OSError as error:
                if error.errno == EAFNOSUPPORT:  # A kernel without IPv6.
                    continue
                raise
            servers.append(await loop.create_server(admit, sock=listener))
        bound.pop_all()
    return servers
