"""Interfaces between sessions, exchange and legs. One interface serves them all: `Leg`."""

from collections.abc import Callable, Set
from typing import Literal, Protocol

import msgspec

from router.model.capacity import Rate
from router.model.ids import SiteId
from router.model.settings import Health
from router.model.wording.other_protocol import of_target
from router.net.ports import Buffer, Connection, DialFailure, Tls

LegCode = Literal[
    # Nothing reached a target: another attempt is always allowed.
    "busy",
    "no-target",
    "connect-failed",
    "draining",
    "not-allowed",
    "no-route",
    "all-full",
    "shed",  # As ``all-full``, of a sheddable request.
    "overloaded",  # This router is short of memory.
    "exhausted",  # It can open no connection: no descriptor or local port is left.
    "bad-head",  # Another site refused the head as this site sent it.
    # Likewise, by a target that had taken the stream: its `Exchange` sends it again.
    "not-processed",
    # The request may have run.
    "target-reset",
    "target-timeout",
    "bad-response",
    "bad-message",  # Another site refused the request as this site sent it.
    "bad-answer",  # This site refused the response as another site sent it.
    "link-lost",
    "unanswered",  # The other site neither took nor refused it in time.
    "stalled",
    "client-gone",
    "cancelled",
    "internal",
]

UNTOUCHED: frozenset[LegCode] = frozenset(
    (
        "busy",
        "no-target",
        "connect-failed",
        "draining",
        "not-allowed",
        "no-route",
        "all-full",
        "shed",
        "overloaded",
        "exhausted",
        "bad-head",
    )
)


class LegFailure(msgspec.Struct, frozen=True):
    """Why a leg is done without its exchange being complete. ``reason`` is human-readable.

    ``retry_s``: seconds until a retry makes sense; 0.0: not known. ``is_of_site``: this site has
    tried enough; only another one may serve the request.
    """

    code: LegCode
    reason: str = ""
    retry_s: float = 0.0
    is_of_site: bool = False

    @property
    def untouched(self) -> bool:
        """No byte of the request reached a target."""
        return self.code in UNTOUCHED


CLIENT_GONE = LegFailure("client-gone", "the client left")
"""Says nothing about any target."""

CANCELLED = LegFailure("cancelled")
OVERLOADED = LegFailure("overloaded", "this router is short of memory")


def dial_failure(failure: DialFailure) -> LegFailure:
    """The failure of a leg whose dial to a target failed: the target, or this router,
    has no room.
    """
    code: LegCode = "exhausted" if failure.code == "exhausted" else "connect-failed"
    return LegFailure(code, of_target(failure.reason))


class NoTls(msgspec.Struct, frozen=True):
    """Why TLS cannot be used where it must be, human-readable; ``hint`` is the next step.

    ``is_of_clients``: the CA that certifies clients of a listener is missing.
    """

    reason: str
    hint: str = ""
    is_of_clients: bool = False


class TargetConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One target of this site. ``tls`` None: plain. ``capacity``, ``rate``, ``auto``, ``before`` as
    in `TargetTerms`.

    ``name``: its human-readable name (a pod's name); empty: that of its connector. ``unusable``:
    why it must not be dialed at all (TLS is required and cannot be used); empty: it may.
    ``last_resort``: why it is used only while no other target serves. ``proxy_protocol`` counts for
    tcp only.
    """

    connector: str
    name: str = ""
    capacity: int | None = None
    rate: Rate | None = None
    auto: bool = False
    before: int = 0
    health: Health = Health()
    tls: Tls | None = None
    proxy_protocol: bool = False
    unusable: str = ""
    last_resort: str = ""


class LegHandler(Protocol):
    """The opener of a leg. Never called from inside one of its own calls to the leg."""

    def opened(self) -> None:
        """A target is held: bytes flow. At most once (`ClientExchange` passes on that of the last
        attempt).

        A leg to a target of this site is held from the start. For a client's request there is no
        call when that was at once: then the first call is `head`.
        """

    def head(self, head: bytes, body_bytes: int) -> None:
        """A response head, canonical and checked: 1xx any number of times, one final.

        ``body_bytes`` is the declared length, -1 not declared. After the answer to HEAD, 204 and
        304 no body follows, whatever ``body_bytes`` is. After 101 bytes are raw both ways.
        """

    def received(self, data: memoryview) -> None:
        """Body (transfer coding removed) or raw bytes; valid until this returns."""

    def trailers(self, block: bytes) -> None:
        """Checked trailer lines, each ending in CRLF; `ended` follows."""

    def ended(self) -> None:
        """The response, or the target's direction, is complete."""

    def whole(self, head: bytes, body_bytes: int, body: Buffer) -> None:
        """A final response of http (200 to 599) all at once, and the last call.

        Replaces `head`, `received` if there is a ``body``, `ended` and `done` (None), in this
        order; before it come at most `opened`, `writable` and heads of 1xx. ``body`` is everything
        that follows the head, its length the declared one unless none follows (HEAD, 204, 304) or
        none was declared; it is valid until this returns. No trailers.
        """

    def writable(self) -> None:
        """After a `send` that returned False: there is room."""

    def done(self, failure: LegFailure | None) -> None:
        """Over; its slot is given back. None: complete both ways. The last call, exactly once.

        For http it comes once the response is complete, even if the request body is not.
        """


def tell_in_parts(handler: LegHandler, head: bytes, body_bytes: int, body: Buffer) -> None:
    """Make the calls that `LegHandler.whole` replaces: for handlers that cannot use it."""
    handler.head(head, body_bytes)
    if body:
        handler.received(memoryview(body))
    handler.ended()
    handler.done(None)


class Leg(Protocol):
    """One exchange, seen from the client side. Calls after `done` or `abort` are dropped.

    Bytes may be sent from the start: they are held (bounded, `send` returns False) until opened.
    """

    def send(self, data: Buffer, /) -> bool:
        """Body or raw bytes. The data is taken in any case; False: wait for `writable`."""

    def send_trailers(self, block: bytes) -> None:
        """Checked trailer lines before `finish`."""

    def finish(self) -> None:
        """The request, or the client's direction, is complete.

        An http request without a body that asks for no upgrade is complete when its leg is opened:
        this call is then not needed.
        """

    def abort(self) -> None:
        """Stop and reset the exchange. `done` (cancelled) still comes."""

    def pause(self) -> None:
        """Deliver no more `received` for now (bounded by the bytes already under way)."""

    def resume(self) -> None: ...

    @property
    def wire(self) -> Connection | None:
        """The connection whose raw bytes pass here unchanged and unread; None: there is
        none now.
        """

    @property
    def undelivered_bytes(self) -> int:
        """Raw bytes that were sent and are not yet with the target, as far as is known here. It may
        cost a system call.
        """


class ClientLeg(Leg, Protocol):
    """The leg of a client's request, as its session sees it."""

    def client_gone(self) -> None:
        """As `abort`, since the client is gone: `done` comes with `CLIENT_GONE`."""

    def overdue(self) -> LegFailure:
        """As `abort`, since its answer has not begun in time: the client gets the answer to the
        returned failure, and `done` comes with it.
        """

    def break_off(self, sites: Set[SiteId]) -> None:
        """End an attempt at one of these ``sites`` as if the link to it were lost."""

    @property
    def awaited_at(self) -> SiteId | None:
        """The other site that has a target for the request and all of it, and has not answered."""


class Lingering(Protocol):
    """A request that was abandoned while a target had it."""

    def then(self, after: Callable[[], None]) -> None:
        """Call ``after`` once the target is done with it, as far as is known."""


class ServerLeg(Leg, Protocol):
    """A leg to a target or another site. Its end shows whether a target here is at fault.

    Its attributes are read in `done`.
    """

    @property
    def status(self) -> int:
        """Of the final response; 0: none came, or it is not http."""

    @property
    def blames_target(self) -> bool:
        """A failure after connecting was the fault of the target, not of its client or chance."""

    @property
    def lingers(self) -> "Lingering | None":
        """The target may still work on the request; its slot goes back after that."""


class PendingLeg(Protocol):
    """A leg to a target that is being connected."""

    def cancel(self) -> None:
        """Cancel it; its `LegTaker` gets no call."""


class LegTaker(LegHandler, Protocol):
    """Asked for a leg to a target. One of these two calls comes, never from within the asking."""

    def connected(self, leg: ServerLeg) -> None:
        """The leg is there, and has the head."""

    def connect_failed(self, failure: LegFailure) -> None:
        """No byte reached the target."""
