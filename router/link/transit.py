"""Streams that only pass through: an OPEN whose path goes on is opened on the next link.

The two halves relay frame by frame. Credit is hop by hop: a half whose other end is full is paused,
so each hop holds at most its window. A half that is lost resets the other with its cause; a lost
link reads ``cancelled`` towards the egress and ``link-lost`` towards the ingress.
"""

from collections.abc import Callable

import msgspec

from router.link.ports import (
    BroughtRequest,
    OfferedStream,
    OpenedStream,
    OpenRequest,
    Refusal,
    ResetCode,
    StreamOpener,
    ToldCount,
)
from router.model import limits
from router.model.ids import RouterId, SiteId

EDGE_PATH_ROUTERS = 2
"""The routers in an edge's path: its neighbor, and its destination."""


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
    """The OPEN of an ``edge``, with the whole path to its destination."""
    if len(request.path) != EDGE_PATH_ROUTERS:
        return "not-allowed"
    path = path_to(request)
    if path is None or edge in path:
        return "no-route"
    return msgspec.structs.replace(request, path=(request.path[0], *path))


def brought(request: OpenRequest, neighbour: SiteId) -> BroughtRequest:
    """``request`` from site ``neighbour``, as it goes on to another router of this site."""
    return BroughtRequest(**msgspec.structs.asdict(request) | {"brought_by": neighbour})


def relay(inbound: OfferedStream, request: OpenRequest, opener: StreamOpener) -> None:
    """Open ``request`` on the next link of its path, and lead ``inbound`` there."""
    onward = msgspec.structs.replace(request, path=request.path[1:])
    back = _Back(inbound)
    outbound = opener.open_stream(onward, back, ends=inbound.is_complete)
    if outbound is None:
        inbound.refuse("no-route", -1)
        return
    back.outbound = outbound
    inbound.lead_to(_Onward(outbound))


class _Onward:
    """Passes on what the ingress sends. A stream that is over drops these calls."""

    __slots__ = ("_outbound",)

    def __init__(self, outbound: OpenedStream) -> None:
        self._outbound = outbound

    def send(self, data: memoryview) -> bool:
        return self._outbound.send(data)

    def send_trailers(self, block: bytes) -> None:
        self._outbound.send_trailers(block)

    def finish(self) -> None:
        self._outbound.finish()

    def resume(self) -> None:
        self._outbound.resume()

    def lost(self, cause: ResetCode | None) -> None:
        """The ingress, or the way to it, is gone."""
        if cause is not None:
            self._outbound.reset("cancelled" if cause == "link-lost" else cause)


class _Back:
    """Passes back what the egress sends. An older neighbor gets a whole answer in parts."""

    __slots__ = ("_inbound", "outbound")

    outbound: OpenedStream

    def __init__(self, inbound: OfferedStream) -> None:
        self._inbound = inbound

    def accepted(self, in_flight: int) -> None:
        self._inbound.accept(in_flight, self.outbound.held_s)

    def refused(self, reason: Refusal, in_flight: int) -> None:
        """Refused by the egress, or by a router before it."""
        self._inbound.refuse(reason, in_flight)

    def head(self, head: bytes, body_bytes: int, ended: bool) -> None:
        """`ended` follows with the count when the response is only a head."""
        self._inbound.send_head(head, body_bytes)

    def received(self, data: memoryview) -> bool:
        return self._inbound.send(data)

    def trailers(self, block: bytes) -> None:
        self._inbound.send_trailers(block)

    def ended(self, in_flight: int) -> None:
        self._inbound.finish(ToldCount(in_flight))

    def answered(self, head: bytes, body_bytes: int, body: memoryview, in_flight: int) -> None:
        self._inbound.answer(head, body_bytes, body, ToldCount(in_flight), self.outbound.held_s)

    def writable(self) -> None:
        self._inbound.resume()

    def lost(self, cause: ResetCode | None) -> None:
        """The egress, or the way to it, is gone."""
        if cause is not None:
            self._inbound.break_off(cause)
