"""One active check of a target: that it takes a connection, or that it answers a GET."""

from collections.abc import Callable

from router.http.http1.response_heads import ResponseHead
from router.http.http1.responses import ResponseParser, tell_in_parts
from router.model import limits
from router.model.addresses import join
from router.model.wording.other_protocol import of_target
from router.net.ports import Connection, Dial, DialFailure, Loss, Network, Timer
from router.service.ports import TargetConfig
from router.service.targets.proxy_header import LOCAL_HEADER
from router.service.targets.target_tcp import with_preface


def check_head(host: str, port: int, path: str) -> bytes:
    """The lines of the GET for ``path``; further lines for one kind of connection may follow."""
    authority = join(host.partition("%")[0], port)  # A scope is not part of an authority.
    return b"GET %b HTTP/1.1\r\nHost: %b\r\nUser-Agent: spillway-health\r\n" % (
        path.encode("ascii"),
        authority.encode("ascii"),
    )


class Probe:
    """A check under way. ``done`` is called once, with "" or why the target is not good.

    None: the check was not possible because descriptors ran out.

    A TLS connect is good once the target has sent something, or nothing bad for
    `HEALTH_TLS_LOOK_S`: in TLS 1.3 a target that misses our certificate reports it only after our
    side of the handshake is complete.

    With ``health.path`` an HTTP/1.1 GET, whose answer must be a whole one (up to
    `HEALTH_BODY_BYTES_MAX`) of 2xx or 3xx; redirects are not followed. A `ConnectionHandler` and
    the `ResponseSink` of its parser.
    """

    __slots__ = (
        "_body_bytes",
        "_config",
        "_connection",
        "_dial",
        "_done",
        "_ends_at",
        "_host",
        "_is_over",
        "_leaving_bytes",
        "_network",
        "_parser",
        "_port",
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
        self._network = network
        self._host = host
        self._port = port
        self._config = config
        self._done = done
        self._parser: ResponseParser | None = None  # For the answer to a GET.
        self._body_bytes = 0
        self._leaving_bytes = 0  # Sent by the target after our side had finished.
        self._is_over = False
        self._connection: Connection | None = None
        timeout_s = config.health.timeout_s
        self._ends_at = network.now() + timeout_s
        self._timer: Timer = network.call_at(self._ends_at, self._timed_out)
        self._dial: Dial | None = network.dial(
            host,
            port,
            self._connected,
            self._dial_failed,
            timeout_s=min(timeout_s, connect_s),
            tls=with_preface(config.tls, LOCAL_HEADER if config.proxy_protocol else b""),
        )

    def cancel(self) -> None:
        """The result is no longer wanted."""
        self._is_over = True
        self._parser = None
        self._timer.cancel()
        if self._dial is not None:
            self._dial.cancel()
        if self._connection is not None:
            self._connection.abort()

    # Called by the dial.

    def _connected(self, connection: Connection) -> "Probe":
        self._dial = None
        self._connection = connection
        config = self._config
        path = config.health.path
        preamble = LOCAL_HEADER if config.proxy_protocol and config.tls is None else b""
        if not path:
            if config.tls is not None:
                self._look_on()
            else:
                if preamble:
                    connection.send(preamble)
                self._take_leave()
            return self
        self._parser = ResponseParser(self, head_only=False, upgrade="")
        head = check_head(self._host, self._port, path)
        connection.send(b"%b%bConnection: close\r\n\r\n" % (preamble, head))
        return self

    def _look_on(self) -> None:
        """The handshake is complete on our side."""
        look_until = self._network.now() + limits.HEALTH_TLS_LOOK_S
        if look_until < self._ends_at:
            self._timer.cancel()
            self._timer = self._network.call_at(look_until, self._looked_on)

    def _looked_on(self) -> None:
        self._timer = self._network.call_at(self._ends_at, self._timed_out)
        self._take_leave()

    def _take_leave(self) -> None:
        """The target is good. Close without a reset: servers log those, PostgreSQL each of them."""
        if self._connection is not None:
            self._connection.finish()
        self._tell("")

    def _dial_failed(self, failure: DialFailure) -> None:
        self._dial = None
        self._tell(None if failure.code == "exhausted" else of_target(failure.reason))

    def _timed_out(self) -> None:
        path, timeout_s = self._config.health.path, self._config.health.timeout_s
        if self._is_over:  # It did not close its side.
            self._drop()
        elif self._connection is None:
            self._fail(f"{join(self._host, self._port)} did not answer within {timeout_s:g} s")
        elif path:
            self._fail(f"did not answer GET {path} within {timeout_s:g} s")
        else:
            self._tell("")
            self._drop()

    # Called by the connection.

    def received(self, data: memoryview) -> None:
        if self._parser is not None:
            self._parser.feed(data)
        elif not self._is_over:
            self._heard()
        else:
            self._leaving_bytes += len(data)
            if self._leaving_bytes > limits.HEALTH_BODY_BYTES_MAX:
                self._drop()  # It sends on and on: reading all of it would cost a core.

    def ended(self) -> None:
        if self._parser is not None:
            self._parser.end()
        elif not self._is_over:
            self._heard()

    def _heard(self) -> None:
        """So the target has accepted the handshake."""
        self._timer.cancel()
        self._looked_on()

    def writable(self) -> None:
        """The request is small: it never waits for this."""

    def lost(self, cause: Loss | None) -> None:
        self._connection = None
        if self._is_over:
            self._timer.cancel()
        else:
            path = self._config.health.path
            reason = f": {cause.reason}" if cause is not None and cause.reason else ""
            what = f"GET {path}" if path else "right after the TLS handshake"
            self._fail(f"broke off {what}{reason}")

    # Called by the parser.

    def response(self, head: ResponseHead) -> None:
        if head.status >= 400 and not self._is_over:
            self._fail(f"answered {head.status} to GET {self._config.health.path}")

    def body(self, data: memoryview) -> None:
        self._body_bytes += len(data)
        if self._body_bytes > limits.HEALTH_BODY_BYTES_MAX and not self._is_over:
            self._drop()
            self._tell("")

    def body_trailers(self, block: bytes) -> None:
        """Trailers change no verdict."""

    def whole(self, head: ResponseHead, body: memoryview) -> None:
        tell_in_parts(self, head, body)

    def complete(self) -> None:
        if not self._is_over and self._connection is not None:
            self._connection.finish()
            self._tell("")

    def failed(self, reason: str) -> None:
        if not self._is_over:
            self._fail(f"{reason} (GET {self._config.health.path})")

    # Ends.

    def _fail(self, reason: str) -> None:
        self._drop()
        self._tell(reason)

    def _drop(self) -> None:
        if self._dial is not None:
            self._dial.cancel()
            self._dial = None
        if self._connection is not None:
            self._connection.abort()

    def _tell(self, error: str | None) -> None:
        """Pass on the verdict. The timer runs on only while a connection is still to be closed."""
        self._is_over = True
        self._parser = None  # It refers to this object: break the cycle.
        if self._connection is None:
            self._timer.cancel()
        self._done(error)
