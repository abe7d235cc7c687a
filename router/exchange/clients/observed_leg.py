"""Sits between a client's session and its `ClientExchange` while there are observers."""

from collections.abc import Set

from router.exchange.client_exchange import ClientExchange
from router.exchange.failure_answers import failure_error
from router.http.http1 import render
from router.http.http1.canonical import STATUS_AT
from router.http.http2 import grpc_status
from router.model.ids import ServiceKey, SiteId
from router.model.requests import Request
from router.net.ports import Address, Buffer
from router.service.counters import CallerCounts
from router.service.observers import NO_PASSAGE, Finished, Observing, RequestTiming, Span
from router.service.ports import ClientLeg, LegFailure, LegHandler
from router.service.recent_requests import RequestRecord
from router.service.service import Service

CLIENT_GONE = 499
_GRPC = b"\r\ncontent-type: application/grpc"
SWITCHING_PROTOCOLS = 101
_UNANSWERED = ("client-gone", "cancelled")

OWN_CODES = {
    400: "bad-request",
    408: "request-timeout",
    414: "target-too-long",
    417: "expectation-failed",
    431: "header-too-large",
    501: "not-implemented",
    505: "version-not-supported",
    508: "loop-detected",
}
"""``Spillway-Error`` of answers that a session gives by itself, by status."""


def refused(service: Service, observing: Observing, client: Address, status: int) -> None:
    """A session answered input that was no request with ``status``."""
    if observing.access_log is not None:
        observing.access_log.finished(
            Finished(
                key=service.key,
                protocol=service.protocol,
                client=str(client),
                status=status,
                code=OWN_CODES.get(status, ""),
            )
        )


class WatchedLeg:
    """Counts the data between a session and its `ClientExchange`, and reports it at the end.

    A `ClientLeg` for the session, a `LegHandler` and `Watch` for the exchange; a `Flow` for
    observers.
    """

    wire = None  # Bytes are counted here.

    __slots__ = (
        "_answered",
        "_bytes_in",
        "_bytes_out",
        "_client",
        "_exchange",
        "_handler",
        "_leg",
        "_observing",
        "_passage",
        "_record",
        "_request",
        "_service",
        "_span",
        "_status",
        "_target",
    )

    def __init__(
        self,
        request: Request,
        handler: LegHandler,
        service: Service,
        observing: Observing,
        client: Address,
    ) -> None:
        self._handler = handler
        self._service = service
        self._observing = observing
        self._client = client
        self._bytes_in = self._bytes_out = 0
        self._status = 0  # Of the last head that a target sent; for gRPC the equivalent.
        self._answered = 0
        self._passage = NO_PASSAGE
        self._span: Span | None = None
        if observing.tracer is not None and request.protocol != "tcp":
            traced = observing.tracer.begun(request, str(client))
            if traced is not None:
                request, self._span = traced
        self._request = request
        self._leg: ClientLeg | None = None

    def start(self, origin: CallerCounts | None) -> None:
        """Call once, before any other call. ``origin``: of its connection."""
        self._leg = self._exchange = ClientExchange(
            self._request, self, self._service, self, origin
        )
        self._record = self._exchange.record
        if self._observing.follower is not None:
            self._observing.follower.begun(self)

    @property
    def undelivered_bytes(self) -> int:
        return self._exchange.undelivered_bytes

    # Flow

    @property
    def key(self) -> ServiceKey:
        return self._service.key

    @property
    def client(self) -> str:
        return str(self._client)

    @property
    def request(self) -> Request:
        return self._request

    @property
    def record(self) -> RequestRecord:
        return self._record

    @property
    def target(self) -> str:
        return self._exchange.target if self._leg is not None else self._target

    @property
    def bytes_in(self) -> int:
        return self._bytes_in

    @property
    def bytes_out(self) -> int:
        return self._bytes_out

    def answered(self, status: int) -> None:
        """The session itself answered before `done`; later calls have no effect."""
        self._answered = status

    # Leg

    def send(self, data: Buffer) -> bool:
        self._bytes_in += len(data)
        return self._leg is None or self._leg.send(data)

    def send_trailers(self, block: bytes) -> None:
        if self._leg is not None:
            self._leg.send_trailers(block)

    def finish(self) -> None:
        if self._leg is not None:
            self._leg.finish()

    def abort(self) -> None:
        if self._leg is not None:
            self._leg.abort()

    def client_gone(self) -> None:
        if self._leg is not None:
            self._leg.client_gone()

    def overdue(self) -> LegFailure:
        assert self._leg is not None, "its answer has not begun"
        return self._leg.overdue()

    def break_off(self, sites: Set[SiteId]) -> None:
        if self._leg is not None:
            self._leg.break_off(sites)

    @property
    def awaited_at(self) -> SiteId | None:
        return self._leg.awaited_at if self._leg is not None else None

    def pause(self) -> None:
        if self._leg is not None:
            self._leg.pause()

    def resume(self) -> None:
        if self._leg is not None:
            self._leg.resume()

    # LegHandler

    def opened(self) -> None:
        self._handler.opened()

    def head(self, head: bytes, body_bytes: int) -> None:
        self._status = self._status_of(head)
        self._handler.head(head, body_bytes)

    def received(self, data: memoryview) -> None:
        self._bytes_out += len(data)
        self._handler.received(data)

    def trailers(self, block: bytes) -> None:
        if self._request.protocol == "http2":
            self._status = grpc_status.http_status(block) or self._status
        self._handler.trailers(block)

    def ended(self) -> None:
        self._handler.ended()

    def whole(self, head: bytes, body_bytes: int, body: Buffer) -> None:
        self._status = self._status_of(head)
        self._bytes_out += len(body)
        self._end(None)
        self._handler.whole(head, body_bytes, body)

    def writable(self) -> None:
        self._handler.writable()

    def done(self, failure: LegFailure | None) -> None:
        self._end(failure)
        self._handler.done(failure)

    # Watch

    def counted(self, passage: RequestTiming) -> None:
        self._passage = passage

    # Internal

    def _status_of(self, head: bytes) -> int:
        status = grpc_status.http_status(head) if self._request.protocol == "http2" else 0
        return status or int(head[STATUS_AT])

    def _end(self, failure: LegFailure | None) -> None:
        """Before the handler is notified: the session may go on to the next request."""
        self._leg = None
        self._tell(failure)
        self._target = self._exchange.target  # The session may have this leg for a while yet.
        del self._exchange  # It refers to this object: break the cycle.

    def _tell(self, failure: LegFailure | None) -> None:
        request, service, span = self._request, self._service, self._span
        status, code = (0, "") if request.protocol == "tcp" else self._answer(failure)
        finished = Finished(
            key=request.key,
            protocol=request.protocol,
            client=str(self._client),
            request=request,
            status=status,
            code=code,
            bytes_in=self._bytes_in,
            bytes_out=self._bytes_out,
            passage=self._passage,
            request_id=service.request_ids.of(request.head).decode("ascii"),
            trace_id=span.trace_id if span is not None else "",
        )
        if span is not None:
            span.ended(finished)
        if self._observing.access_log is not None:
            self._observing.access_log.finished(finished)
        if self._observing.follower is not None:
            self._observing.follower.ended(self, finished)

    def _answer(self, failure: LegFailure | None) -> tuple[int, str]:
        """The status that the client got, and our code if the answer was ours."""
        passed = self._status if self._status == SWITCHING_PROTOCOLS or self._status >= 200 else 0
        status = self._answered or passed
        if status and status == passed:
            return status, ""
        if failure is not None and failure.code in _UNANSWERED:
            status = status or CLIENT_GONE
            return status, OWN_CODES.get(status, "")
        error = failure_error(failure if failure is not None else LegFailure("internal"))
        if not status and not self._request.head_only and not _is_grpc(self._request):
            self._bytes_out = len(render.own_text(error))
        return status or error.status, error.code


def _is_grpc(request: Request) -> bool:
    """The client gets answers of fields only."""
    return request.protocol == "http2" and _GRPC in request.head.lower()
