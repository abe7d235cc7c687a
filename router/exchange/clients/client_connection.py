"""A client's connection from accept to its end: the session behind it, and its counters."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from router.exchange.client_exchange import ClientExchange
from router.exchange.clients.http1.session import HttpSession
from router.exchange.clients.ingress_tcp import TcpSession
from router.exchange.clients.observed_leg import OWN_CODES, WatchedLeg, refused
from router.exchange.clients.unobserved_flow import UnwatchedFlow
from router.model.ids import ServiceKey
from router.model.requests import Request
from router.model.specs import ServiceProtocol
from router.net.ports import Connection, Loss
from router.service.counters import HTTP_CLASSES
from router.service.observers import Flow, Observing
from router.service.ports import ClientLeg, LegHandler
from router.service.recent_requests import Departing, RequestRecord, TimeOut
from router.service.service import Service
from router.service.targets.target_tcp import Received

if TYPE_CHECKING:
    from router.exchange.clients.http2.session import Http2Session


class ClientConnection:
    """The `ConnectionHandler` of a client: a session, by the service's protocol.

    ``gone`` is called once, after the session was notified that the connection is lost and the
    client's data has arrived. Requests that the session answers by itself (malformed, too slow)
    have no `ClientExchange` and are counted here.
    """

    __slots__ = (
        "_client",
        "_gone",
        "_last",
        "_observing",
        "_origin",
        "_watched",
        "connection",
        "listener",
        "received",
        "service",
        "session",
    )

    def __init__(
        self,
        connection: Connection,
        service: Service,
        *,
        listener: ServiceKey,
        observing: Observing,
        gone: Callable[["ClientConnection"], None],
    ) -> None:
        """``listener``: the service port whose listener accepted it; others may share that
        listener.
        """
        self.connection = connection
        self.service = service
        self.listener = listener
        self._gone = gone
        self._client = connection.peer
        self._observing = observing
        naming = observing.callers
        self._origin = None if naming is None else naming.arrived(connection.peer, connection.local)
        self._watched: WatchedLeg | None = None
        self._last: RequestRecord | None = None  # With http: of the last request.
        self.session: TcpSession | HttpSession | Http2Session
        if service.protocol == "tcp":
            self.session = TcpSession(
                connection,
                key=service.key,
                open_leg=self._open_leg,
                timers=service.timers,
                timeouts=service.config.timeouts,
                over=self._over,
                timed_out=self._timed_out,
            )
        elif service.protocol == "http2":
            self.session = _http2_session()(
                connection,
                service.frontend,
                open_leg=self._open_leg,
                refused=self._count_refused,
                answered=_note_answer,
            )
        else:
            self.session = HttpSession(
                connection,
                service.frontend,
                open_leg=self._open_leg,
                refused=self._count_refused,
                over=self._over,
            )
        # Hot: no call of ours in between.
        self.received: Received = self.session.received

    def ended(self) -> None:
        self.session.ended()

    def writable(self) -> None:
        self.session.writable()

    @property
    def protocol(self) -> ServiceProtocol:
        """The protocol at its accept: its service may have another one by now."""
        if isinstance(self.session, TcpSession):
            return "tcp"
        return "http" if isinstance(self.session, HttpSession) else "http2"

    def leave(self, *, quiet: bool, cause: Departing) -> None:
        """Ask its client to connect again, or to stop: by the mildest means of its protocol.

        Call it repeatedly while the client is there. ``quiet``: nothing has moved for a while.
        """
        session = self.session
        for flow in self.flows():
            flow.record.departs_for = cause
        session.leave(quiet=quiet)
        if quiet and isinstance(session, TcpSession):
            self.received = _drop  # Later data counts as never received.

    def _timed_out(self, cause: TimeOut) -> None:
        """The connection is ended, as nothing moved."""
        for flow in self.flows():
            flow.record.departs_for = cause

    def flows(self) -> list[Flow]:
        """The flows under way."""
        return [self._flow_of(leg) for leg in self.session.legs]

    def _flow_of(self, leg: ClientLeg) -> Flow:
        if isinstance(leg, WatchedLeg):
            return leg
        assert isinstance(leg, ClientExchange), "there is no other leg of a client"
        return UnwatchedFlow(leg, str(self._client), self.session)

    @property
    def held_bytes(self) -> int:
        """Bytes of responses, besides those in the connection."""
        session = self.session
        return 0 if isinstance(session, TcpSession | HttpSession) else session.held_bytes

    def lost(self, cause: Loss | None) -> None:
        session = self.session
        session.lost(cause)
        if not session.outlives_client:
            self._over()

    def _over(self) -> None:
        """The connection is completely over: with some clients, after their last bytes have
        arrived.
        """
        last = self._last
        if last is not None and last.unserved is not None:
            self.service.demand.left(last.unserved, self.service.now())
        self._gone(self)
        # They refer to this object: break the cycle, or thousands of connections wait for the
        # collector.
        del self.session, self.received

    def _open_leg(self, request: Request, handler: LegHandler) -> ClientLeg:
        service = self.service
        if service.sessions is not None:
            request = service.sessions.enter(request, self._client.host, service.timers.now())
        last = self._last
        if last is not None and last.unserved is not None:
            service.demand.asks_again(last.unserved, service.now())
            last.unserved = None
        elif service.demand.away and request.protocol == "tcp":
            service.demand.comes(self._client.host, service.now())
        is_http = request.protocol == "http"
        observing = self._observing
        origin = None if observing.callers is None else self._origin
        if observing.is_on:
            watched = WatchedLeg(request, handler, service, observing, self._client)
            if is_http:
                session = self.session
                assert isinstance(session, HttpSession), "it is of its service's protocol"
                self._watched = watched  # It answers one at a time.
                session.tell_answers(self._answered)
            watched.start(origin)
            if is_http:
                self._last = watched.record
            return watched
        exchange = ClientExchange(request, handler, service, None, origin)
        if is_http:
            self._last = exchange.record
        return exchange

    def _answered(self, status: int) -> None:
        if self._watched is not None:
            self._watched.answered(status)
            self._watched = None

    def _count_refused(self, status: int) -> None:
        code_class = HTTP_CLASSES[(status // 100 - 1) % len(HTTP_CLASSES)]
        self.service.counters.refused(code_class, OWN_CODES.get(status, ""))
        refused(self.service, self._observing, self._client, status)


def _http2_session() -> type["Http2Session"]:
    """Load HTTP/2 on first use: other routers need not pay for it."""
    from router.exchange.clients.http2.session import Http2Session

    return Http2Session


def _drop(data: memoryview) -> None:
    pass


def _note_answer(leg: ClientLeg, status: int) -> None:
    if isinstance(leg, WatchedLeg):
        leg.answered(status)
