"""One active check of an HTTP/2 target: that it answers a GET."""

from collections.abc import Callable

from router.http.http1.canonical import STATUS_AT
from router.model import limits
from router.model.ids import ServiceKey
from router.model.requests import Request
from router.model.settings import Timeouts
from router.net.ports import Buffer, Network, Timer
from router.service.ports import Leg, LegFailure, ServerLeg, TargetConfig, tell_in_parts
from router.service.targets.http2.pool import Http2Pool
from router.service.targets.http2.target import Http2TargetLeg
from router.service.targets.probe import check_head


class Http2Probe:
    """A check under way, as `Probe` with a path, over a separate connection.

    A `LegTaker`: the exchange is like any other, so the same rules judge the target.
    """

    __slots__ = (
        "_awaited",
        "_body_bytes",
        "_done",
        "_is_over",
        "_leg",
        "_path",
        "_pool",
        "_timeout_s",
        "_timer",
    )

    def __init__(
        self,
        network: Network,
        host: str,
        port: int,
        config: TargetConfig,
        *,
        connect_s: float,
        done: Callable[[str | None], None],
    ) -> None:
        self._done = done
        self._path = config.health.path
        self._timeout_s = timeout_s = config.health.timeout_s
        self._body_bytes = 0
        self._is_over = False
        timeouts = Timeouts(connect_s=connect_s)
        self._pool = Http2Pool(network, host, port, timeouts=timeouts, tls=config.tls)
        head = check_head(host, port, self._path)
        request = Request(key=ServiceKey(host, port), protocol="http2", head=head, idempotent=True)
        self._leg: Leg | None = None
        pool = self._pool
        self._awaited = pool.wait(
            lambda session: Http2TargetLeg(request, self, pool, session, b""), self
        )
        self._timer: Timer = network.call_at(network.now() + timeout_s, self._timed_out)

    def cancel(self) -> None:
        """The result is no longer wanted."""
        self._is_over = True
        self._end()

    # LegTaker

    def connected(self, leg: ServerLeg) -> None:
        self._leg = leg

    def connect_failed(self, failure: LegFailure) -> None:
        self.done(failure)

    def opened(self) -> None:
        """Only the answer counts."""

    def head(self, head: bytes, body_bytes: int) -> None:
        status = int(head[STATUS_AT])
        if status >= 400:
            self._tell(f"answered {status} to GET {self._path}")

    def received(self, data: memoryview) -> None:
        self._body_bytes += len(data)
        if self._body_bytes > limits.HEALTH_BODY_BYTES_MAX:
            self._tell("")

    def trailers(self, block: bytes) -> None:
        """Trailers change no verdict."""

    def ended(self) -> None:
        self._tell("")

    def whole(self, head: bytes, body_bytes: int, body: Buffer) -> None:
        tell_in_parts(self, head, body_bytes, body)

    def writable(self) -> None:
        """A GET has no body to wait for."""

    def done(self, failure: LegFailure | None) -> None:
        if failure is not None and failure.code == "exhausted":
            self._tell(None)
        elif failure is not None:
            self._tell(f"{failure.reason} (GET {self._path})")

    # Ends

    def _timed_out(self) -> None:
        self._tell(f"did not answer GET {self._path} within {self._timeout_s:g} s")

    def _tell(self, error: str | None) -> None:
        if not self._is_over:
            self._is_over = True
            self._end()
            self._done(error)

    def _end(self) -> None:
        self._timer.cancel()
        self._awaited.cancel()
        if self._leg is not None:
            self._leg.abort()
        self._pool.close()
