"""Connection slots of the operator's doors: how many each has, and which connection gives way."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, cast

from aiohttp import web

from router.model.addresses import source_of

_T = TypeVar("_T")


def connection_to_drop(held: Sequence[tuple[_T, str]]) -> _T | None:
    """Of connections with their sources, oldest first: the oldest one of the largest source.

    So a crowd from one address gives way to a client from another.
    """
    counts = Counter(source for _, source in held)
    one = max(held, key=lambda one: counts[one[1]], default=None)
    return None if one is None else one[0]


def source_of_peer(peer: object) -> str:
    """The source (`source_of`) of a socket's peer; empty for a unix socket."""
    return source_of(str(peer[0])) if isinstance(peer, tuple) and peer else ""


class ConnectionSlots:
    """The connections of one door, at most ``most``, the oldest first.

    When all slots are taken, an unknown client gives way (`connection_to_drop`): otherwise idle
    connections, or a crowd from one address, could keep a kubelet or the operator out.
    ``trusts_all``: all clients are known, and the newest is refused.
    """

    def __init__(self, most: int, *, trusts_all: bool = False) -> None:
        self._most, self._trusts_all = most, trusts_all
        self._held: dict[SlotConnection, bool] = {}
        """Each with whether its client is known."""
        self.is_closing = False
        self.running: set[asyncio.Task[Any]] = set()
        """The tasks that answer."""

    def __iter__(self) -> "Iterator[SlotConnection]":
        return iter(list(self._held))

    def take(self, connection: "SlotConnection") -> bool:
        """Take a slot for ``connection``. False: there is none."""
        if self.is_closing:
            return False
        if len(self._held) >= self._most:
            strangers = [(one, one.source) for one, known in self._held.items() if not known]
            stranger = connection_to_drop(strangers)
            if stranger is None:
                return False
            self.free(stranger)
            stranger.abort()
        self._held[connection] = self._trusts_all
        return True

    def free(self, connection: "SlotConnection") -> None:
        """Free the slot of an ended connection."""
        self._held.pop(connection, None)

    def run(self, task: asyncio.Task[Any] | None) -> None:
        """Track a task that answers on a connection. A connection that held its task would outlive
        it.
        """
        assert task is not None
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    def know(self, connection: "SlotConnection") -> None:
        """Mark a client that sent the credential: its connection gives way to no other."""
        if connection in self._held:
            self._held[connection] = True


class SlotConnection(web.RequestHandler):
    """One connection, which ends at once if there is no slot for it."""

    __slots__ = ("_places", "_real", "source")

    def __init__(self, places: ConnectionSlots, server: web.Server, **named: Any) -> None:
        super().__init__(server, **named)
        self._places = places
        self._real: asyncio.Transport | None = None
        """None: it has no slot, or has ended."""
        self.source = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.source = source_of_peer(transport.get_extra_info("peername"))
        real = cast(asyncio.Transport, transport)  # uvloop's class does not inherit from it.
        if not self._places.take(self):
            real.abort()
            return
        self._real = real
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._places.free(self)
        if self._real is not None:
            self._real = None
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._real is not None:
            super().data_received(data)

    def began(self, request: web.BaseRequest) -> None:
        """Called when a whole head has arrived."""

    def known(self) -> None:
        """See `ConnectionSlots.know`."""
        self._places.know(self)

    def abort(self) -> None:
        """End at once, even during a request."""
        if self._real is not None:
            self._real.abort()


def know(request: web.BaseRequest) -> None:
    """Mark the client of ``request`` as authenticated."""
    if isinstance(request.protocol, SlotConnection):
        request.protocol.known()
