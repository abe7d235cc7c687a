"""Figures of a request or connection that began without observers."""

from router.exchange.client_exchange import ClientExchange
from router.exchange.clients.ingress_tcp import TcpSession
from router.model.ids import ServiceKey
from router.model.requests import Request
from router.service.recent_requests import RequestRecord


class UnwatchedFlow:
    """A `Flow`. Bytes are known only for tcp, as those of the connection."""

    __slots__ = ("_exchange", "_session", "client", "record", "request")

    def __init__(self, exchange: ClientExchange, client: str, session: object) -> None:
        self._exchange = exchange
        self._session = session if isinstance(session, TcpSession) else None
        self.client = client
        self.request: Request = exchange.request
        self.record: RequestRecord = exchange.record

    @property
    def key(self) -> ServiceKey:
        return self.request.key

    @property
    def target(self) -> str:
        return self._exchange.target

    @property
    def bytes_in(self) -> int:
        return self._session.bytes_in if self._session is not None else 0

    @property
    def bytes_out(self) -> int:
        return self._session.bytes_out if self._session is not None else 0
