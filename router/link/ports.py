"""The interfaces of links: what `exchange` uses (streams) and what `node` supplies (owner)."""

from collections.abc import Callable, Mapping
from typing import Annotated, Final, Literal, Protocol

import msgspec

from router.link.fault import Fault
from router.link.neighbour import LinkLeave, Neighbour
from router.link.routing_messages import RoutingMessage
from router.model.errors import HandshakeRejected
from router.model.ids import RouterId, SiteId
from router.model.rights.sharing import Terms
from router.model.specs import ServiceProtocol
from router.net.ports import Buffer

Refusal = Literal[
    "busy",
    "no-target",
    "connect-failed",
    "draining",
    "not-allowed",
    "no-route",
    "bad-head",  # Not canonical, or at odds with the rest of its OPEN.
]
"""Why an OPEN was turned down. Each promises that no byte of it reached a target."""

ResetCode = Literal[
    "cancelled",  # The other party of the stream went away.
    "target-reset",  # The target broke off; what came before may be torn.
    "target-timeout",
    "bad-message",  # Malformed: not canonical, or of another length than its head says.
    "stalled",  # Held too much memory for too long.
    "link-lost",  # The lane that carried the stream is gone, here or beyond a transit router.
    "internal",
    "bad-response",  # The target's answer was malformed; what came before may be torn.
]


ASKS_TARGETS = 1 << 8
"""A flag of OPEN: tell of the service's targets there; the stream reaches none of them."""

ECHOES = 1 << 9
"""A flag of OPEN, of no service: answer at once, so that the way here is measured."""

ASKS_SITE = 1 << 10
"""A flag of OPEN, of no service: what the site tells of itself, as ``head`` asks."""


class OpenRequest(msgspec.Struct, frozen=True, array_like=True):
    """What OPEN carries. ``path`` are the routers still to pass, the receiver first, egress last.

    ``wait_ms`` > 0: the egress may keep the request waiting for a slot that long. ``ingress`` is
    the ingress site's id: information for fair queueing, never authorisation. ``head`` is a
    canonical HTTP/1.1 request head without framing fields (not for tcp); ``body_bytes`` its length,
    0 none, -1 not known (it is complete only with FIN). ``client`` is the client's address as the
    ingress saw it (``1.2.3.4:5``), for targets that want to be told; empty: not known. ``session``
    tells requests of one session from others, 0: none; a hash, so that nobody learns its key.
    ``local`` is the address of the ingress that the client connected to, told with ``client``.
    ``upgrade`` is the protocol that the request asks to switch to, in lower case; empty: none, or
    one that ``flags`` tell.
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

    Empty: none, or an older router says nothing. Only a router of our own site is believed.
    """

    brought_by: Annotated[SiteId, msgspec.Meta(max_length=64)] = SiteId("")


class StreamHandler(Protocol):
    """What the opener of a stream hears, under the same rules as `ConnectionHandler`.

    First comes `accepted` or `refused`, unless `answered` or `lost` comes before. `refused` is
    followed by `lost(None)` at once.
    """

    __slots__ = ()

    def accepted(self, in_flight: int) -> None:
        """Slot and target connection are held; ``in_flight`` is the service's count there."""

    def refused(self, reason: Refusal, in_flight: int) -> None:
        """No byte reached a target."""

    def head(self, head: bytes, body_bytes: int, ended: bool) -> None:
        """An HTTP response head, canonical form not yet checked; -1: length not known."""

    def received(self, data: memoryview) -> bool:
        """Valid until this returns. Credit goes back by itself unless the stream is paused.

        False: pause it.
        """

    def trailers(self, block: bytes) -> None:
        """Trailer fields, as lines ending in CRLF, not yet checked; `ended` follows."""

    def ended(self, in_flight: int) -> None:
        """FIN: the message or byte stream is complete. ``in_flight`` -1 when not told."""

    def answered(self, head: bytes, body_bytes: int, body: memoryview, in_flight: int) -> None:
        """The whole answer, of a small one: `accepted` unless that was told, `head`, `received` and
        `ended` in one. Valid until this returns.

        The last call if our direction had finished: `lost` does not follow.
        """

    def writable(self) -> None:
        """After a `send` that returned False: there is room again."""

    def lost(self, cause: ResetCode | None) -> None:
        """It is over; None: both directions finished, or refused. The last call, exactly once."""


class StreamLeg(Protocol):
    """Where a stream leads that the peer opened: what comes of it, in the words of a leg."""

    def send(self, data: memoryview) -> bool:
        """Valid until this returns. False: the stream is paused, until who serves resumes it."""

    def send_trailers(self, block: bytes) -> None:
        """Trailer fields, as lines ending in CRLF, not yet checked; `finish` follows."""

    def finish(self) -> None:
        """The message, or the peer's direction, is complete. Not told of a stream that was so when
        it was offered (`OfferedStream.is_complete`)."""

    def resume(self) -> None:
        """After a `Stream.send` that returned False: there is room again."""

    def lost(self, cause: ResetCode | None) -> None:
        """It is over; None: both directions finished, or refused. The last call, exactly once."""


class DeadEnd:
    """Where a stream leads that was turned down: what still comes of it is dropped."""

    __slots__ = ()

    def send(self, data: memoryview) -> bool:
        return True

    def send_trailers(self, block: bytes) -> None: ...

    def finish(self) -> None: ...

    def resume(self) -> None: ...

    def lost(self, cause: ResetCode | None) -> None: ...


class Counting(Protocol):
    """Who knows how many requests of a service are in flight at its egress."""

    @property
    def load(self) -> int: ...


class ToldCount(msgspec.Struct, frozen=True):
    """So many, as another router told."""

    load: int


NOT_TOLD: Final = ToldCount(-1)
"""Nobody has told how many."""


class Stream(Protocol):
    """One forwarded request or connection in a lane, either end of it.

    Nothing calls back synchronously. After `reset`, `refuse` or loss further calls are dropped.
    """

    @property
    def neighbour(self) -> RouterId: ...

    @property
    def neighbour_site(self) -> SiteId:
        """The site of ``neighbour``, as its identity key proved it."""

    @property
    def neighbour_holder(self) -> str:
        """Who answers for it here, see `Neighbour.holder`."""

    @property
    def queued_bytes(self) -> int:
        """What waits for the peer's credit, or for its turn."""

    def send(self, data: Buffer) -> bool:
        """Queue bytes (copied). False: the queue is above its mark, wait for `writable`."""

    def send_trailers(self, block: bytes) -> None:
        """Trailer fields before `finish`."""

    def finish(self, in_flight: Counting = NOT_TOLD) -> None:
        """FIN once the queue has left: complete. The egress tells its count after release.

        `Counting` is asked as the FIN leaves. A number (of a transit site) is left out when the
        FIN has to wait: newer ones have overtaken it.
        """

    def reset(self, code: ResetCode) -> None:
        """Drop everything both ways; the peer never takes it for complete."""

    def pause(self) -> None:
        """Give no credit back: what is under way still arrives, bounded by the window."""

    def resume(self) -> None: ...


class OpenedStream(Stream, Protocol):
    """One that we opened."""

    def hand_to(self, reader: Callable[[memoryview], None]) -> None:
        """Give data straight to ``reader`` from now on, which pauses the stream itself; all else
        goes on to the handler."""

    @property
    def held_s(self) -> float:
        """How long the egress kept `accepted` to itself. Read it in `accepted` or `answered`."""


class OfferedStream(Stream, Protocol):
    """One that the peer opened, and that we accept or refuse."""

    @property
    def is_complete(self) -> bool:
        """All that comes of it has come: when it is offered, its OPEN was all."""

    def lead_to(self, leg: StreamLeg) -> None:
        """Send what arrives on the stream to ``leg``. Whoever takes the stream calls this before
        anything else; what arrives earlier is dropped."""

    def accept(self, in_flight: int, held_s: float = 0.0) -> None:
        """Slot and target connection are held, for ``held_s`` already."""

    def accept_soon(self, in_flight: Callable[[], int]) -> None:
        """As `accept`, told with the `answer` if that comes within `limits.ACCEPT_HELD_S`.

        To an older neighbour it is told at once.
        """

    def refuse(self, reason: Refusal, in_flight: int) -> None:
        """Nothing reached a target. The stream is over."""

    def send_head(self, head: bytes, body_bytes: int, end: bool = False) -> None:
        """A response head (1xx any number of times, then one final)."""

    def answer(
        self, head: bytes, body_bytes: int, body: Buffer, in_flight: Counting, held_s: float = 0.0
    ) -> bool:
        """`send_head`, `send` and `finish` of a whole answer, in one frame if it is small. Of a
        transit site also `accept`: ``held_s`` as there.

        True: it leaves at the turn's end, and nothing more comes of the stream. Its leg hears no
        more, `lost` neither.
        """

    def break_off(self, code: ResetCode) -> None:
        """`reset` once what was sent has left, so that nothing of it is lost."""


class StreamOpener(Protocol):
    """How `exchange` reaches other sites."""

    def open_stream(
        self, request: OpenRequest, handler: StreamHandler, *, ends: bool = False
    ) -> OpenedStream | None:
        """Open on the least loaded lane to ``request.path[0]``; None: no such adjacency now.

        ``ends``: it is finished as it stands.
        """


class KnownOffer(Protocol):
    """An OPEN that ends here and came before, byte for byte: it is not judged again."""

    def take(self, stream: OfferedStream) -> bool:
        """As `LinkOwner.stream_offered`; False: judge it, something is not as it was."""


class LinkOwner(Protocol):
    """Who hears of adjacencies; `node` connects it to routing, forwarding and events."""

    def admit(self, peer_certificate: bytes, neighbour: Neighbour) -> HandshakeRejected | None:
        """Judge a peer whose HELLO signature is right. None: welcome."""

    def leave_of(self, peer_certificate: bytes) -> LinkLeave:
        """How its holder, who was admitted, is let in."""

    def original_of(self, neighbour: Neighbour, restored: int) -> str:
        """Where another router of that site lives whose state was restored before; empty: none.

        What follows "is": linked to whom. ``restored``: Unix seconds, of ``neighbour``.
        """

    def adjacency_up(self, neighbour: Neighbour, cost: int) -> None:
        """The first link to that router came up."""

    def adjacency_cost(self, router: RouterId, cost: int) -> None:
        """The least cost of its links changed."""

    def adjacency_terms(self, router: RouterId, terms: Terms) -> None:
        """The terms of its links, all together, are others now."""

    def adjacency_drain_begun(self, router: RouterId) -> None:
        """An end of its last link asked for no more streams, and may go on to open its own.

        Once for each drain; `adjacency_draining` follows when the link is no way any more.
        """

    def adjacency_draining(self, router: RouterId) -> None:
        """Its last link drains: for routes it is down, its streams go on.

        `adjacency_up` follows if another link to it comes up, else `adjacency_down`.
        """

    def adjacency_down(self, router: RouterId, cause: str) -> None:
        """Its last link went. Its streams are lost right after this, in the same turn."""

    def routing_message(self, router: RouterId, message: RoutingMessage) -> None: ...

    def path_for_edge(self, request: OpenRequest) -> tuple[RouterId, ...] | None:
        """The routers after this one on the way to where an edge's ``request`` wants to go.

        That is the last of its path. None: there is no way, or nothing of that service.
        """

    def may_pass(self, came_from: Neighbour, to: Neighbour | None, request: OpenRequest) -> bool:
        """Whether an OPEN may come in from one of these, or go out to the other.

        Asked where one is an edge or in on terms; ``to`` None: it ends here.
        """

    def may_bring_ours(self, came_from: Neighbour, request: OpenRequest) -> bool:
        """Whether ``request``, of a router of our own site, may come over that other site."""

    def linked_elsewhere(self) -> frozenset[SiteId]:
        """Sites that another router of our own site is linked to."""

    @property
    def known_offers(self) -> Mapping[bytes, KnownOffer]:
        """What is remembered of OPENs, by their bytes."""

    def stream_offered(
        self, stream: OfferedStream, request: OpenRequest, body: bytes = b""
    ) -> None:
        """An OPEN that ends at this router: refuse ``stream``, or say where it leads.

        ``body``: what it was decoded from, if the link would take all such OPENs alike; then it may
        be remembered.
        """

    def link_changed(self, name: str) -> None:
        """Something that `link status` shows is different."""

    def incoming_refused(self, peer: str, fault: Fault) -> None:
        """An accepted lane made no link: who it was, if it said so, and why."""

    def heard_again(self, router: RouterId, silent_s: float) -> None:
        """A neighbour was silent for so many seconds, and its link stays."""
