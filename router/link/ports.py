"""The interfaces of links: streams for `exchange`, and the owner that `node` supplies."""

from collections.abc import Callable, Mapping
from typing import Annotated, Final, Literal, Protocol

import msgspec

from router.link.fault import Fault
from router.link.neighbour import LinkPermission, Neighbour
from router.link.routing_messages import RoutingMessage
from router.model.errors import HandshakeRejected
from router.model.ids import RouterId, SiteId
from router.model.rights.sharing import Terms
from router.model.specs import ServiceProtocol
from router.net.ports import Buffer

Direction = Literal["outgoing", "incoming"]
"""Of a link: dialed here, or by the neighbor."""

Refusal = Literal[
    "busy",
    "no-target",
    "connect-failed",
    "draining",
    "not-allowed",
    "no-route",
    "bad-head",  # Not canonical, or contradicts the rest of its OPEN.
]
"""Why an OPEN was refused. Each promises that no byte of it reached a target."""

ResetCode = Literal[
    "cancelled",  # The other party of the stream went away.
    "target-reset",  # The target broke off; the data before that may be torn.
    "target-timeout",
    "bad-message",  # Malformed: not canonical, or of another length than its head declares.
    "stalled",  # Held too much memory for too long.
    "link-lost",  # The lane that carried the stream is gone, here or beyond a transit router.
    "internal",
    "bad-response",  # The target's answer was malformed; the data before that may be torn.
]


ASKS_TARGETS = 1 << 8
"""A flag of OPEN: report the service's targets there; the stream reaches none of them."""

ECHOES = 1 << 9
"""A flag of OPEN without a service: answer at once, to measure the way here."""

ASKS_SITE = 1 << 10
"""A flag of OPEN without a service: ask the site about itself, as ``head`` specifies."""


class OpenRequest(msgspec.Struct, frozen=True, array_like=True):
    """The fields of OPEN. ``path`` are the routers still to pass, the receiver first, egress last.

    ``wait_ms`` > 0: the egress may keep the request waiting for a slot that long. ``ingress`` is
    the ingress site's id: information for fair queueing, never authorization. ``head`` is a
    canonical HTTP/1.1 request head without framing fields (not for tcp). ``body_bytes`` is the
    body's length: 0 no body, -1 not known (it is complete only with FIN). ``client`` is the
    client's address as the ingress saw it (``1.2.3.4:5``), for targets that want it; empty: not
    known. ``session`` distinguishes sessions, 0: none; it is a hash, so that the key stays secret.
    ``local`` is the address of the ingress that the client connected to, sent with ``client``.
    ``upgrade`` is the protocol that the request asks to switch to, in lower case; empty: none, or
    one that ``flags`` name.
    """

    path: tuple[RouterId, ...]
    service: Annotated[str, msgspec.Meta(min_length=1, max_length=253)]
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)]
    protocol: ServiceProtocol
    ingress: Annotated[SiteId, msgspec.Meta(max_length=64)]
    wait_ms: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] = 0
    flags: Annotated[int, msgspec.Meta(ge=0, lt=2**32)] = 0
    body_bytes: Annotated[int, msgspec.Meta(ge=-1, le=2**63 - 1)] = 0
    head: bytes = b""
    client: str = ""
    session: int = 0
    local: str = ""
    upgrade: str = ""


class BroughtRequest(OpenRequest, frozen=True, array_like=True):
    """An OPEN between two routers of one site. ``brought_by``: the neighbor site that it came from.

    Empty: none, or an older router did not say. Only a router of our own site is believed.
    """

    brought_by: Annotated[SiteId, msgspec.Meta(max_length=64)] = SiteId("")


class StreamHandler(Protocol):
    """Callbacks to the opener of a stream, under the same rules as `ConnectionHandler`.

    First comes `accepted` or `refused`, unless `answered` or `lost` comes before. `refused` is
    followed by `lost(None)` at once.
    """

    __slots__ = ()

    def accepted(self, in_flight: int) -> None:
        """The egress holds a slot and a target connection; ``in_flight`` is the service's count
        there."""

    def refused(self, reason: Refusal, in_flight: int) -> None:
        """No byte reached a target."""

    def head(self, head: bytes, body_bytes: int, ended: bool) -> None:
        """An HTTP response head, not yet checked for canonical form; -1: length not known."""

    def received(self, data: memoryview) -> bool:
        """Body data, valid until this returns. Credit goes back automatically unless the stream is
        paused.

        False: pause it.
        """

    def trailers(self, block: bytes) -> None:
        """Trailer fields, as lines ending in CRLF, not yet checked; `ended` follows."""

    def ended(self, in_flight: int) -> None:
        """FIN: the message or byte stream is complete. ``in_flight`` -1: not known."""

    def answered(self, head: bytes, body_bytes: int, body: memoryview, in_flight: int) -> None:
        """A whole small answer: `accepted` (unless it came before), `head`, `received` and `ended`
        in one. Valid until this returns.

        This is the last call if our direction had finished: `lost` does not follow.
        """

    def writable(self) -> None:
        """There is room again after a `send` that returned False."""

    def lost(self, cause: ResetCode | None) -> None:
        """The stream is over; None: both directions finished, or refused. The last call, exactly
        once."""


class StreamLeg(Protocol):
    """Where a stream that the peer opened leads: takes its events as calls of a leg."""

    def send(self, data: memoryview) -> bool:
        """Valid until this returns. False: the stream is paused, until the serving end resumes
        it."""

    def send_trailers(self, block: bytes) -> None:
        """Trailer fields, as lines ending in CRLF, not yet checked; `finish` follows."""

    def finish(self) -> None:
        """The message, or the peer's direction, is complete. Not called for a stream that was
        complete when offered (`OfferedStream.is_complete`)."""

    def resume(self) -> None:
        """There is room again after a `Stream.send` that returned False."""

    def lost(self, cause: ResetCode | None) -> None:
        """The stream is over; None: both directions finished, or refused. The last call, exactly
        once."""


class DeadEnd:
    """The leg of a refused stream: it drops everything that still arrives."""

    __slots__ = ()

    def send(self, data: memoryview) -> bool:
        return True

    def send_trailers(self, block: bytes) -> None: ...

    def finish(self) -> None: ...

    def resume(self) -> None: ...

    def lost(self, cause: ResetCode | None) -> None: ...


class Counting(Protocol):
    """Knows how many requests of a service are in flight at its egress."""

    @property
    def load(self) -> int: ...


class ToldCount(msgspec.Struct, frozen=True):
    """A count that another router reported."""

    load: int


NOT_TOLD: Final = ToldCount(-1)
"""No count was reported."""


class Stream(Protocol):
    """One forwarded request or connection in a lane, either end of it.

    No method calls back synchronously. After `reset`, `refuse` or loss further calls are dropped.
    """

    @property
    def neighbour(self) -> RouterId: ...

    @property
    def neighbour_site(self) -> SiteId:
        """The site of ``neighbour``, proved by its identity key."""

    @property
    def neighbour_holder(self) -> str:
        """The holder that answers for ``neighbour`` here, see `Neighbour.holder`."""

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait for the peer's credit or for a turn."""

    def send(self, data: Buffer) -> bool:
        """Queue bytes (copied). False: the queue is above its mark, wait for `writable`."""

    def send_trailers(self, block: bytes) -> None:
        """Trailer fields before `finish`."""

    def finish(self, in_flight: Counting = NOT_TOLD) -> None:
        """Send FIN once the queue has left: complete. The egress reports its count after release.

        `Counting` is read as the FIN leaves. A fixed number (of a transit site) is left out when
        the FIN has to wait: newer counts have overtaken it.
        """

    def reset(self, code: ResetCode) -> None:
        """Drop everything both ways; the peer never takes the stream for complete."""

    def pause(self) -> None:
        """Return no credit: data under way still arrives, bounded by the window."""

    def resume(self) -> None: ...


class OpenedStream(Stream, Protocol):
    """A stream that we opened."""

    def hand_to(self, reader: Callable[[memoryview], None]) -> None:
        """Give data directly to ``reader`` from now on, which pauses the stream itself; all else
        still goes to the handler."""

    @property
    def held_s(self) -> float:
        """How long the egress withheld `accepted`. Read it in `accepted` or `answered`."""


class OfferedStream(Stream, Protocol):
    """A stream that the peer opened, and that we accept or refuse."""

    @property
    def is_complete(self) -> bool:
        """The peer's direction is complete. If so when the stream is offered, its OPEN was all."""

    def lead_to(self, leg: StreamLeg) -> None:
        """Send arriving data to ``leg``. The taker of the stream calls this before anything else;
        data that arrives earlier is dropped."""

    def accept(self, in_flight: int, held_s: float = 0.0) -> None:
        """The egress holds a slot and a target connection, for ``held_s`` already."""

    def accept_soon(self, in_flight: Callable[[], int]) -> None:
        """As `accept`, sent with the `answer` if that comes within `limits.ACCEPT_HELD_S`.

        An older neighbor gets it at once.
        """

    def refuse(self, reason: Refusal, in_flight: int) -> None:
        """No byte reached a target. The stream is over."""

    def send_head(self, head: bytes, body_bytes: int, end: bool = False) -> None:
        """Send a response head (1xx any number of times, then one final)."""

    def answer(
        self, head: bytes, body_bytes: int, body: Buffer, in_flight: Counting, held_s: float = 0.0
    ) -> bool:
        """`send_head`, `send` and `finish` of a whole answer, in one frame if it is small. For a
        transit site also `accept`: ``held_s`` as there.

        True: it leaves at the turn's end, and nothing more comes from the stream. Its leg gets no
        further call, not even `lost`.
        """

    def break_off(self, code: ResetCode) -> None:
        """`reset` once everything before it was sent, so that nothing of it is lost."""


class StreamOpener(Protocol):
    """How `exchange` reaches other sites."""

    def open_stream(
        self, request: OpenRequest, handler: StreamHandler, *, ends: bool = False
    ) -> OpenedStream | None:
        """Open on the least loaded lane to ``request.path[0]``; None: no such adjacency now.

        ``ends``: the OPEN is all of the request.
        """


class KnownOffer(Protocol):
    """An OPEN that ends here and came before, byte for byte: it is not judged again."""

    def take(self, stream: OfferedStream) -> bool:
        """As `LinkOwner.stream_offered`; False: judge it, since conditions have changed."""


class LinkOwner(Protocol):
    """Receives the events of adjacencies; `node` connects it to routing, forwarding and events."""

    def admit(self, peer_certificate: bytes, neighbour: Neighbour) -> HandshakeRejected | None:
        """Judge a peer whose HELLO signature is right. None: admit it."""

    def permission_of(self, peer_certificate: bytes) -> LinkPermission:
        """How the holder of this certificate, which was admitted, is let in."""

    def original_of(self, neighbour: Neighbour, restored: int) -> str:
        """Where another router of that site lives whose state was restored before; empty: none.

        A phrase that completes "is": linked to which site. ``restored``: Unix seconds, of
        ``neighbour``.
        """

    def adjacency_up(
        self, neighbour: Neighbour, cost: int, name: str, direction: Direction
    ) -> None:
        """Link ``name``, the first one to that router, came up."""

    def adjacency_cost(self, router: RouterId, cost: int) -> None:
        """The least cost of its links changed."""

    def adjacency_terms(self, router: RouterId, terms: Terms) -> None:
        """The joined terms of its links changed."""

    def adjacency_drain_begun(self, router: RouterId) -> None:
        """An end of its last link asked for no more streams, and may still open its own.

        Once for each drain; `adjacency_draining` follows when no new stream can use the link.
        """

    def adjacency_draining(self, router: RouterId) -> None:
        """Its last link drains: for routes it is down, its streams go on.

        `adjacency_up` follows if another link to it comes up, else `adjacency_down`.
        """

    def adjacency_down(self, router: RouterId, cause: str, *, is_planned: bool) -> None:
        """Its last link is gone. Its streams are lost right after this, in the same turn.

        ``is_planned``: it drained, and no new stream could use it any more or an end said goodbye:
        its streams ended, or their time did. But not if the neighbor's router died.
        """

    def further_link_up(self, router: RouterId, name: str, direction: Direction) -> None:
        """Link ``name`` came up beside another one to that router."""

    def further_link_down(
        self, router: RouterId, name: str, direction: Direction, cause: str, *, is_planned: bool
    ) -> None:
        """Link ``name`` is over, and another one to that router stays. ``is_planned``: it drained,
        and the neighbor's router did not die."""

    def routing_message(self, router: RouterId, message: RoutingMessage) -> None: ...

    def path_for_edge(self, request: OpenRequest) -> tuple[RouterId, ...] | None:
        """The routers after this one on the way to the destination of an edge's ``request``.

        The destination is the last router of its path. None: no way, or that service is not there.
        """

    def may_pass(self, came_from: Neighbour, to: Neighbour | None, request: OpenRequest) -> bool:
        """Whether an OPEN may come in from one of these neighbors, or go out to the other.

        Asked when one of them is an edge or has terms; ``to`` None: the OPEN ends here.
        """

    def may_bring_ours(self, came_from: Neighbour, request: OpenRequest) -> bool:
        """Whether ``request``, of a router of our own site, may come over that other site."""

    def linked_elsewhere(self) -> frozenset[SiteId]:
        """Sites that another router of our own site is linked to."""

    @property
    def known_offers(self) -> Mapping[bytes, KnownOffer]:
        """OPENs that are remembered, by their bytes."""

    def stream_offered(
        self, stream: OfferedStream, request: OpenRequest, body: bytes = b""
    ) -> None:
        """An OPEN that ends at this router: refuse ``stream``, or set where it leads.

        ``body``: the bytes it was decoded from, if the link would take all such OPENs alike; then
        the owner may remember it.
        """

    def link_changed(self, name: str) -> None:
        """Something that `link status` shows has changed."""

    def incoming_refused(self, peer: str, fault: Fault) -> None:
        """An accepted lane made no link: the peer's name, if it gave one, and why."""

    def heard_again(self, router: RouterId, silent_s: float) -> None:
        """A neighbor was silent for that many seconds, and its link stays."""
