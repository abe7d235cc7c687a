"""A client's connection from accept to its end: the session behind it, and who counts it."""

import random
from collections.abc import Callable

from router.forward.counters import HTTP_CLASSES, SERVED_NOWHERE
from router.forward.dispatch import Dispatch
from router.forward.ingress_http import HttpSession
from router.forward.ingress_tcp import TcpSession
from router.forward.ports import Leg, LegHandler, Request
from router.forward.service import Service
from router.forward.target_tcp import Received
from router.net.ports import Connection, Loss, Network


class ClientConnection:
    """The `ConnectionHandler` of a client: a session, by the service's protocol.

    ``gone`` is called once, after the session heard that the connection is lost. Requests that the
    session answers by itself (malformed, too slow) never reach `Dispatch` and are counted here.
    """

    __slots__ = (
        "_connection",
        "_dispatched",
        "_gone",
        "_service",
        "ended",
        "received",
        "session",
        "writable",
    )

    def __init__(
        self,
        connection: Connection,
        service: Service,
        *,
        site_name: str,
        network: Network,
        rng: random.Random,
        gone: Callable[["ClientConnection"], None],
    ) -> None:
        self._connection = connection
        self._service = service
        self._gone = gone
        self._dispatched = False
        self.session: TcpSession | HttpSession
        if service.protocol == "tcp":
            self.session = TcpSession(
                connection, key=service.key, open_leg=self._open_leg, timers=network
            )
        else:
            self.session = HttpSession(
                connection,
                key=service.key,
                site_name=site_name,
                open_leg=self._open_leg,
                timers=network,
                rng=rng,
                finished=self._answered,
            )
        # Hot: no frame of ours in between.
        self.received: Received = self.session.received
        self.ended = self.session.ended
        self.writable = self.session.writable

    @property
    def service(self) -> Service:
        return self._service

    @property
    def connection(self) -> Connection:
        return self._connection

    def lost(self, cause: Loss | None) -> None:
        self.session.lost(cause)
        self._gone(self)
        # It holds us: let no cycle wait for the collector, or thousands that come and go do.
        del self.session, self.received, self.ended, self.writable

    def _open_leg(self, request: Request, handler: LegHandler) -> Leg:
        self._dispatched = True
        dispatch = Dispatch(request, handler, self._service)
        dispatch.start()
        return dispatch

    def _answered(self, status: int) -> None:
        if not self._dispatched:
            code_class = HTTP_CLASSES[(status // 100 - 1) % len(HTTP_CLASSES)]
            self._service.counters.request(SERVED_NOWHERE, code_class, 0.0)
        self._dispatched = False
