"""Observers of single requests, and the data they get. Without observers this costs nothing.

`operate` supplies an access log, a tracer, a follower, or none of them. They are called on the data
thread and must neither block nor raise. Their data holds no header value, cookie or body except in
``request``, of which they read only the fields they need.
"""

from typing import Literal, Protocol

import msgspec

from router.model.ids import ServiceKey, SiteId
from router.model.requests import Request
from router.net.ports import Address
from router.service.counters import CallerCounts
from router.service.ports import LegCode
from router.service.recent_requests import RequestRecord

Outcome = Literal["ok", "refused"] | LegCode
"""``ok``: complete both ways; ``refused`` before it was a request; else why it failed."""


class RequestTiming(msgspec.Struct, frozen=True, kw_only=True):
    """How one request went through `ClientExchange`. The phases add up to ``total_s``.

    ``site`` is the name of the site that served it, empty: none; ``target`` (``host:port``) only if
    that is this site. ``reason`` is that of the last decision. ``attempts`` counts legs. Queue:
    until the attempt that served it began; network: from then until a target was held; target: from
    then on.
    """

    site: str = ""
    target: str = ""
    overflow_reason: str = ""
    reason: str = ""
    attempts: int = 0
    outcome: Outcome = "refused"
    queue_s: float = 0.0
    network_s: float = 0.0
    target_s: float = 0.0
    total_s: float = 0.0


NO_PASSAGE = RequestTiming()


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """One request or connection that is over.

    ``request`` None: the input was no request. ``status`` as the client got it; for gRPC the
    equivalent http status (`grpc_status`); 499: the client was gone; 0 for tcp. ``code`` is our
    ``Spillway-Error``, empty: the answer was a target's. Bytes are those of bodies, for tcp and
    tunnels all. ``request_id`` empty: it has none. ``trace_id`` empty: no span was made.
    """

    key: ServiceKey
    protocol: str
    client: str
    request: Request | None = None
    status: int = 0
    code: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    passage: RequestTiming = NO_PASSAGE
    request_id: str = ""
    trace_id: str = ""


class Watch(Protocol):
    """Follows one request."""

    def counted(self, passage: RequestTiming) -> None:
        """The request is over; `LegHandler.done` follows at once."""


class Span(Protocol):
    """The trace of one request."""

    @property
    def trace_id(self) -> str:
        """32 hex digits."""

    def ended(self, finished: Finished) -> None:
        """Called once."""


class Tracer(Protocol):
    """Creates spans."""

    def begun(self, request: Request, client: str) -> tuple[Request, Span] | None:
        """The request to forward, which names the span; None: this one is not sampled."""


class AccessSink(Protocol):
    """Writes some of the finished requests."""

    def finished(self, finished: Finished) -> None: ...


class Flow(Protocol):
    """One request or connection that is under way."""

    @property
    def key(self) -> ServiceKey: ...
    @property
    def client(self) -> str: ...
    @property
    def request(self) -> Request: ...
    @property
    def record(self) -> RequestRecord: ...
    @property
    def target(self) -> str: ...
    @property
    def bytes_in(self) -> int: ...
    @property
    def bytes_out(self) -> int: ...


class Follower(Protocol):
    """Gets requests as they come and go."""

    def begun(self, flow: Flow) -> None:
        """The request is on its way."""

    def ended(self, flow: Flow, finished: Finished) -> None:
        """Once for each that began while any follower was set."""


class TargetCounts(Protocol):
    """Counts requests by the target that had them."""

    def count(
        self,
        key: ServiceKey,
        target: str,
        name: str,
        client_site: SiteId,
        failed: bool,
        seconds: float,
    ) -> None:
        """A request is over that ``target`` had for ``seconds``. Hot.

        ``client_site``: where its client is connected.
        """


class CallerNaming(Protocol):
    """Counts requests by caller, and by target."""

    @property
    def targets(self) -> TargetCounts:
        """Counts the requests at targets of this site."""

    def arrived(self, peer: Address, local: Address) -> CallerCounts:
        """A client has connected from ``peer`` to ``local``."""


class Observing:
    """The observers of single requests at this router; may change at any time."""

    __slots__ = ("_access_log", "_follower", "_tracer", "callers", "is_on")

    def __init__(self) -> None:
        self._access_log: AccessSink | None = None
        self._tracer: Tracer | None = None
        self._follower: Follower | None = None
        self.callers: CallerNaming | None = None
        """Asked once per connection and once per target; None: requests are counted by neither."""
        self.is_on = False
        """There is at least one observer. Read once per request."""

    @property
    def access_log(self) -> AccessSink | None:
        return self._access_log

    @property
    def tracer(self) -> Tracer | None:
        return self._tracer

    @property
    def follower(self) -> Follower | None:
        return self._follower

    def follow(self, follower: Follower | None) -> None:
        """Replace the follower. Requests under way go on as they began."""
        self._follower = follower
        self._decide()

    def set(self, access_log: AccessSink | None, tracer: Tracer | None) -> None:
        """Replace both. Requests under way go on as they began."""
        self._access_log = access_log
        self._tracer = tracer
        self._decide()

    def _decide(self) -> None:
        watchers = (self._access_log, self._tracer, self._follower)
        self.is_on = any(one is not None for one in watchers)
