"""Streams that only pass through: an OPEN whose path goes on is opened on the next link.

The two halves relay frame by frame. Credit is hop by hop: a half whose other end is full is paused,
so each hop holds at most its window. What a half loses, the other is reset with; a lost link reads
``cancelled`` towards the egress and ``link-lost`` towards the ingress.
"""

from collections.abc import Callable

import msgspec

from router.link.lane import NOBODY
from router.link.ports import (
    BroughtRequest,
    OpenRequest,
    Refusal,
    ResetCode,
    Stream,
    StreamHandler,
    StreamOpener,
)
from router.model import limits
from router.model.ids import RouterId, SiteId

EDGE_PATH_ROUTERS = 2
"""What an edge names: its neighbour, and where it wants to go."""


def judge_path(path: tuple[RouterId, ...], here: RouterId, came_from: RouterId) -> bool:
    """Whether ``path`` begins here, is short enough and visits no router twice."""
    if len(path) == 1:
        return path[0] == here and came_from != here
    return (
        0 < len(path) <= limits.PATH_ROUTERS_MAX
        and path[0] == here
        and came_from not in path
        and len(set(path)) == len(path)
    )


def fill_path(
    request: OpenRequest,
    edge: RouterId,
    path_to: Callable[[OpenRequest], tuple[RouterId, ...] | None],
) -> OpenRequest | Refusal:
    """The OPEN of an ``edge``, with the path that leads to where it wants to go."""
    if len(request.path) != EDGE_PATH_ROUTERS:
        return "not-allowed"
    path = path_to(request)
    if path is None or edge in path:
        return "no-route"
    return msgspec.structs.replace(request, path=(request.path[0], *path))


def brought(request: OpenRequest, neighbour: SiteId) -> BroughtRequest:
    """``request`` of site ``neighbour``, as it goes on to another router of this site."""
    return BroughtRequest(**msgspec.structs.asdict(request) | {"brought_by": neighbour})


def relay(inbound: Stream, request: OpenRequest, opener: StreamOpener) -> StreamHandler:
    """Open ``request`` on the next link of its path; the handler of ``inbound``."""
    relayed = _Relay(inbound)
    onward = msgspec.structs.replace(request, path=request.path[1:])
    outbound = opener.open_stream(onward, _Outbound(relayed))
    if outbound is None:
        inbound.refuse("no-route", -1)
        return NOBODY
    relayed.outbound = outbound
    return _Inbound(relayed)


class _Relay:
    """Both streams, as each half sees them. Calls to one that is over are dropped by it."""

    __slots__ = ("inbound", "outbound")

    outbound: Stream

    def __init__(self, inbound: Stream) -> None:
        self.inbound = inbound


class _Inbound:
    """Hears the ingress's side and passes it on outbound."""

    __slots__ = ("_relay",)

    def __init__(self, relay: _Relay) -> None:
        self._relay = relay

    def accepted(self, in_flight: int) -> None:
        """Never: the neighbour opened it."""

    def refused(self, reason: Refusal, in_flight: int) -> None:
        """Never: the neighbour opened it."""

    def head(self, head: bytes, body_bytes: int, ended: bool) -> None:
        """Never: an ingress sends its head with the OPEN."""

    def received(self, data: memoryview) -> None:
        """Credit goes back as far as the next hop takes it."""
        if not self._relay.outbound.send(data):
            self._relay.inbound.pause()

    def trailers(self, block: bytes) -> None:
        """Of the request."""
        self._relay.outbound.send_trailers(block)

    def ended(self, in_flight: int) -> None:
        """The request is complete."""
        self._relay.outbound.finish(in_flight)

    def answered(self, head: bytes, body_bytes: int, body: memoryview, in_flight: int) -> None:
        """Never: the neighbour opened it."""

    def writable(self) -> None:
        """There is room towards the ingress."""
        self._relay.outbound.resume()

    def lost(self, cause: ResetCode | None) -> None:
        """The ingress, or the way to it, is gone."""
        if cause is not None:
            self._relay.outbound.reset("cancelled" if cause == "link-lost" else cause)


class _Outbound:
    """Hears the egress's side and passes it back inbound."""

    __slots__ = ("_relay",)

    def __init__(self, relay: _Relay) -> None:
        self._relay = relay

    def accepted(self, in_flight: int) -> None:
        """The egress holds a target."""
        self._relay.inbound.accept(in_flight, self._relay.outbound.held_s)

    def refused(self, reason: Refusal, in_flight: int) -> None:
        """The egress, or a router before it, turned it down."""
        self._relay.inbound.refuse(reason, in_flight)

    def head(self, head: bytes, body_bytes: int, ended: bool) -> None:
        """`ended` follows with the count when the response is only a head."""
        self._relay.inbound.send_head(head, body_bytes)

    def received(self, data: memoryview) -> None:
        """Credit goes back as far as the previous hop takes it."""
        if not self._relay.inbound.send(data):
            self._relay.outbound.pause()

    def trailers(self, block: bytes) -> None:
        """Of the response."""
        self._relay.inbound.send_trailers(block)

    def ended(self, in_flight: int) -> None:
        """The response is complete."""
        self._relay.inbound.finish(in_flight)

    def answered(self, head: bytes, body_bytes: int, body: memoryview, in_flight: int) -> None:
        """The whole response, which an older neighbour gets in parts."""
        held_s = self._relay.outbound.held_s
        self._relay.inbound.answer(head, body_bytes, body, in_flight, held_s)

    def writable(self) -> None:
        """There is room towards the egress."""
        self._relay.inbound.resume()

    def lost(self, cause: ResetCode | None) -> None:
        """The egress, or the way to it, is gone."""
        if cause is not None:
            self._relay.inbound.break_off(cause)
