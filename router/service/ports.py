"""The shapes between sessions, exchange and legs. One interface serves them all: `Leg`."""

from collections.abc import Callable, Set
from typing import Literal, Protocol

import msgspec

from router.model.capacity import Rate
from router.model.ids import SiteId
from router.model.settings import Health
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
    # Likewise, of a target that had taken the stream: its `Exchange` sends it again.
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
    """Why a leg is done without its exchange being complete. ``reason`` is for people.

    ``retry_s``: when it is worth to ask again; 0.0: nobody knows.
    """

    code: LegCode
    reason: str = ""
    retry_s: float = 0.0

    @property
    def untouched(self) -> bool:
        """No byte of the request reached a target."""
        return self.code in UNTOUCHED


CLIENT_GONE = LegFailure("client-gone", "the client left")
"""Says nothing of any target."""

CANCELLED = LegFailure("cancelled")
OVERLOADED = LegFailure("overloaded", "this router is short of memory")


def dial_failure(failure: DialFailure) -> LegFailure:
    """What a failed dial to a target means for its leg: it, or we, have no room."""
    code: LegCode = "exhausted" if failure.code == "exhausted" else "connect-failed"
    return LegFailure(code, failure.reason)


class NoTls(msgspec.Struct, frozen=True):
    """Why TLS cannot be spoken where it must be, for people; ``hint`` is the next step.

    ``is_of_clients``: for want of the CA that certifies clients of a listener.
    """

    reason: str
    hint: str = ""
    is_of_clients: bool = False


class TargetConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One target of this site. ``tls`` None: plain. ``capacity``, ``rate``, ``auto``, ``before`` as
    in `TargetTerms`.

    ``name``: what people know it by (a pod's name); empty: by its connector.
    ``unusable``: why it must not be dialled at all (TLS is wanted and cannot be spoken); empty: it
    may. ``last_resort``: why it is used only while nobody else serves. ``proxy_protocol`` counts
    for tcp only.
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
    """Who opened a leg. Never called from inside one of its own calls to the leg."""

    def opened(self) -> None:
        """A target is held: bytes flow. At most once (`ClientExchange` tells of the last attempt).

        A leg to a target of this site is held from the start. Of a client's request it is not told
        when that was at once: then the first sign of it is `head`.
        """

    def head(self, head: bytes, body_bytes: int) -> None:
        """A response head, canonical and checked: 1xx any number of times, one final.

        ``body_bytes`` is the declared length, -1 not declared. After the answer to HEAD, 204 and
        304 no body follows whatever it says. After 101 bytes are raw both ways.
        """

    def received(self, data: memoryview) -> None:
        """Body (transfer coding removed) or raw bytes; valid until this returns."""

    def trailers(self, block: bytes) -> None:
        """Checked trailer lines, each ending in CRLF; `ended` follows."""

    def ended(self) -> None:
        """The response, or the target's direction, is complete."""

    def whole(self, head: bytes, body_bytes: int, body: Buffer) -> None:
        """A final response of http (200 to 599) all at once, and the last call.

        Stands for `head`, `received` if there is a ``body``, `ended` and `done` (None), in this
        order; before it come at most `opened`, `writable` and heads of 1xx. ``body`` is all that
        follows the head, its length the declared one unless there is none to follow (HEAD, 204,
        304) or none was declared; it is valid until this returns. No trailers.
        """

    def writable(self) -> None:
        """After a `send` that returned False: there is room."""

    def done(self, failure: LegFailure | None) -> None:
        """Over; its slot is given back. None: complete both ways. The last call, exactly once.

        For http it comes once the response is complete, even if the request body is not.
        """


def tell_in_parts(handler: LegHandler, head: bytes, body_bytes: int, body: Buffer) -> None:
    """What `LegHandler.whole` stands for, call by call: for who has no use for it at once."""
    handler.head(head, body_bytes)
    if body:
        handler.received(memoryview(body))
    handler.ended()
    handler.done(None)


class Leg(Protocol):
    """One exchange towards where it is served. Calls after `done` or `abort` are dropped.

    Bytes may be sent from the start: they are held (bounded, `send` returns False) until opened.
    """

    def send(self, data: Buffer, /) -> bool:
        """Body or raw bytes. The data is taken in any case; False: wait for `writable`."""

    def send_trailers(self, block: bytes) -> None:
        """Checked trailer lines before `finish`."""

    def finish(self) -> None:
        """The request, or the client's direction, is complete.

        An http request without a body that asks for no upgrade is complete when its leg is opened:
        nobody need call this for it.
        """

    def abort(self) -> None:
        """Stop, reset what is under way. `done` (cancelled) still comes."""

    def pause(self) -> None:
        """Deliver no more `received` for now (bounded by what is already under way)."""

    def resume(self) -> None: ...

    @property
    def wire(self) -> Connection | None:
        """The connection whose raw bytes pass here as they are, unseen; None: it is not so, now."""

    @property
    def undelivered_bytes(self) -> int:
        """Raw bytes that were sent and are not yet with the target, as far as that is known here.
        It may cost a system call."""


class ClientLeg(Leg, Protocol):
    """The leg of a client's request, as its session sees it."""

    def client_gone(self) -> None:
        """As `abort`, since the client is gone: `done` comes with `CLIENT_GONE`."""

    def overdue(self) -> LegFailure:
        """As `abort`, since its answer has not begun in time: the client gets the answer to the
        failure that is returned, and `done` comes with it."""

    def break_off(self, sites: Set[SiteId]) -> None:
        """End an attempt at one of these ``sites`` as if the link to it were lost."""

    @property
    def awaited_at(self) -> SiteId | None:
        """The other site that has a target for it and all of it, and has answered nothing."""


class Lingering(Protocol):
    """A request that was given up while a target had it."""

    def then(self, after: Callable[[], None]) -> None:
        """Call ``after`` once the target has it no longer, as far as is known."""


class ServerLeg(Leg, Protocol):
    """A leg to who serves, and what its end says of a target of this site. Read in `done`."""

    @property
    def status(self) -> int:
        """Of the final response; 0: none came, or it is not http."""

    @property
    def blames_target(self) -> bool:
        """A failure other than to connect was the target's, not its client's or chance."""

    @property
    def lingers(self) -> "Lingering | None":
        """The target may still work on the request; its slot goes back after that."""


class PendingLeg(Protocol):
    """A leg to a target that is being connected."""

    def cancel(self) -> None:
        """Its `LegTaker` hears no more."""


class LegTaker(LegHandler, Protocol):
    """Who wants a leg to a target. One of these two calls comes, never from within the asking."""

    def connected(self, leg: ServerLeg) -> None:
        """It is there, and has the head."""

    def connect_failed(self, failure: LegFailure) -> None:
        """No byte reached the target."""
