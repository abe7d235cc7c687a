"""The caller of a request that another site sent here: what its stream brings."""

from collections.abc import Callable

import msgspec

from router.exchange.http1.canonical import check_trailers
from router.exchange.sites.egress import EgressExchange
from router.link.ports import Refusal, ResetCode, Stream

LENGTH_NOT_KNOWN = -1


class EgressStream(msgspec.Struct, eq=False):
    """A `StreamHandler` that feeds its exchange. A struct: one for each stream, made in C.

    The request body must be as long as the OPEN says; otherwise nothing more reaches the target and
    the stream is reset ``bad-message``.
    """

    _exchange: EgressExchange
    _stream: Stream
    _body_left: int
    lost: Callable[[ResetCode | None], None]
    """As of `StreamHandler`. Hot: it goes straight to the exchange."""

    def accepted(self, in_flight: int) -> None:
        self._exchange.misused()

    def refused(self, reason: Refusal, in_flight: int) -> None:
        self._exchange.misused()

    def head(self, head: bytes, body_bytes: int, ended: bool) -> None:
        self._exchange.misused()

    def received(self, data: memoryview) -> None:
        exchange, left = self._exchange, self._body_left
        if left != LENGTH_NOT_KNOWN and not exchange.is_raw:
            left -= len(data)
            if left < 0:
                exchange.misused()
                return
            self._body_left = left
        if not exchange.send(data):
            self._stream.pause()

    def trailers(self, block: bytes) -> None:
        if self._exchange.request.protocol == "tcp" or not check_trailers(block):
            self._exchange.misused()
        else:
            self._exchange.send_trailers(block)

    def ended(self, in_flight: int) -> None:
        if self._exchange.is_whole:
            return
        if self._body_left > 0 and not self._exchange.is_raw:
            self._exchange.misused()
        else:
            self._exchange.finish()

    def answered(self, head: bytes, body_bytes: int, body: memoryview, in_flight: int) -> None:
        self._exchange.misused()

    def writable(self) -> None:
        self._exchange.resume()
