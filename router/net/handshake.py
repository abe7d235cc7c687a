"""A TLS handshake under way on a connected socket: ends as a `TlsConnection` or a reason."""

import socket
import ssl
import time
from collections.abc import Callable
from select import EPOLLIN, EPOLLOUT

from router.model.limits import TURN_S_MAX
from router.net.client_hello import NO_APPLICATION_PROTOCOL, ClientHello
from router.net.poller import Poller
from router.net.ports import Address, DialCode, Tls
from router.net.sockets import close_with_reset
from router.net.tls import TlsConnection, is_out_of_time, shown_by, tls_reason

Failed = Callable[[DialCode, str], None]


class TlsHandshake:
    """Owns the socket until exactly one of ``done`` and ``failed`` is called; `abort` calls
    neither.

    It judges the peer's credentials before any of its bytes is handed on: a protocol of
    ``tls.alpn`` was agreed on, if required; those of ``tls.alpn_with_certificate`` came with a
    certificate; and the certificate of a resumed session is still valid.
    """

    __slots__ = (
        "_done",
        "_failed",
        "_fd",
        "_hello",
        "_incoming",
        "_is_of_client",
        "_local",
        "_mask",
        "_object",
        "_on_close",
        "_out",
        "_outgoing",
        "_over",
        "_peer",
        "_poller",
        "_put_off_in",
        "_socket",
        "_timeout_s",
        "_timer",
        "_tls",
    )

    def __init__(
        self,
        poller: Poller,
        sock: socket.SocketType,
        tls: Tls,
        *,
        peer: Address,
        local: Address,
        server_side: bool,
        server_name: str | None,
        timeout_s: float,
        done: Callable[[TlsConnection], None],
        failed: Failed,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        assert isinstance(tls.context, ssl.SSLContext), "Tls.context of the real network"
        self._poller = poller
        self._socket = sock
        self._fd = sock.fileno()
        self._tls = tls
        self._peer = peer
        self._local = local
        self._timeout_s = timeout_s
        self._done = done
        self._failed = failed
        self._on_close = on_close
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = tls.context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=server_side,
            server_hostname=None if server_side else _asked_for(server_name, tls.context),
        )
        self._out = b"" if server_side else tls.preface
        self._over = False
        self._put_off_in = -1  # The turn in which it had work for us but no time was left.
        self._is_of_client = server_side
        needs_protocol = server_side and tls.alpn and tls.alpn_required
        self._hello = ClientHello() if needs_protocol else None  # Until it is complete.
        self._mask = EPOLLIN if server_side else EPOLLIN | EPOLLOUT
        self._timer = poller.call_at(poller.now() + timeout_s, self._timed_out)
        poller.register(self._fd, self, self._mask)

    def abort(self) -> None:
        if self._leave():
            self._poller.forget(self._fd)
            close_with_reset(self._socket)

    @property
    def host(self) -> str:
        """The peer's address."""
        return self._peer.host

    def expel(self) -> None:
        """End it to make room for others; ``failed`` is called."""
        self._fail("tls", f"{self._peer.host} has too many TLS handshakes under way")

    def lasts(self) -> None: ...

    def crashed(self, error: Exception) -> None:
        self._fail("error", f"handshake with {self._peer} failed: {error!r}")

    def ready(self, mask: int) -> None:
        if not self._is_of_client:
            self._go_on(mask)
            return
        poller = self._poller
        if not poller.may_shake_hands():
            self._put_off_in = poller.turns  # Epoll reports it again.
            return
        began = poller.now()
        self._go_on(mask)
        poller.shook_hands(poller.now() - began)

    def _go_on(self, mask: int) -> None:
        if mask & ~EPOLLOUT and not self._receive():
            return
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            self._send()
        except ssl.SSLError as error:
            self._send()  # The alert.
            self._refused(error)
        else:
            self._send()
            self._judge()

    def _refused(self, error: ssl.SSLError) -> None:
        code: DialCode = "tls"
        reason = tls_reason(error)
        if self._tls.tells_time is not None and is_out_of_time(error):
            code, reason = "clock", self._tls.tells_time(shown_by(self._object))
        self._fail(code, f"TLS handshake with {self._peer} failed: {reason}")

    def _receive(self) -> bool:
        poller = self._poller
        try:
            size = self._socket.recv_into(poller.read_view)
        except BlockingIOError:
            return True
        except OSError as error:
            self._broken_off(f": {error.strerror}")
            return False
        if not size:
            self._broken_off()
            return False
        poller.bytes_in += size
        data = poller.read_view[:size]
        self._incoming.write(data)
        return self._hello is None or self._offers_ours(self._hello, data)

    def _offers_ours(self, hello: ClientHello, data: memoryview) -> bool:
        """Check the offered protocols as far as they have come. False: refused, with the right
        alert."""
        try:
            offered = hello.receive(data)
        except ValueError:
            self._hello = None  # TLS has a better error for it.
            return True
        if offered is None:
            return True
        self._hello = None
        if not set(offered).isdisjoint(self._tls.alpn):
            return True
        self._out = NO_APPLICATION_PROTOCOL
        self._send()
        self._disagreed()
        return False

    def _disagreed(self) -> None:
        self._fail("tls", f"{self._peer} agreed to none of {', '.join(self._tls.alpn)} (ALPN)")

    def _send(self) -> None:
        """Send TLS's pending bytes; a write error shows up as a read error next."""
        if self._over:
            return
        self._out += self._outgoing.read()
        if self._out:
            try:
                sent = self._socket.send(self._out)
            except OSError:
                sent = 0
            self._poller.bytes_out += sent
            self._out = self._out[sent:]
        mask = EPOLLIN | EPOLLOUT if self._out else EPOLLIN
        if mask != self._mask:
            self._mask = mask
            self._poller.modify(self._fd, mask)

    def _judge(self) -> None:
        """Hand over the connection if the agreed values are admissible."""
        tls = self._tls
        alpn = self._object.selected_alpn_protocol() or ""
        certificate = self._object.getpeercert(binary_form=True) or b""
        if tls.alpn and alpn not in tls.alpn and (alpn or tls.alpn_required):
            self._disagreed()
        elif alpn in tls.alpn_with_certificate and not certificate:
            self._fail("tls", f"{self._peer} showed no certificate, which {alpn} needs")
        elif self._object.session_reused and self._is_out_of_time():
            reason = "resumed a session with a certificate that has expired since"
            self._fail("tls", f"{self._peer} {reason}")
        elif self._leave():
            self._poller.unregister(self._fd)
            self._done(
                TlsConnection(
                    self._poller,
                    self._socket,
                    self._peer,
                    self._local,
                    self._on_close,
                    tls=(self._object, self._incoming, self._outgoing),
                    unsent=self._out,
                    alpn=alpn,
                    peer_certificate=certificate,
                )
            )

    def _is_out_of_time(self) -> bool:
        """OpenSSL checks a certificate when a session begins, but not when TLS 1.2 resumes it, up
        to two hours later."""
        until = (self._object.getpeercert() or {}).get("notAfter")
        return isinstance(until, str) and ssl.cert_time_to_seconds(until) <= time.time()

    def _broken_off(self, why: str = "") -> None:
        """The peer closed without an alert, as a load balancer without a backend does after
        accepting."""
        self._fail("refused", f"{self._peer} broke off the TLS handshake{why}")

    def _timed_out(self) -> None:
        poller = self._poller
        if self._put_off_in == poller.turns:  # It waits for us: check again when that may be over.
            self._timer = poller.call_at(poller.now() + TURN_S_MAX, self._timed_out)
            return
        words = f"the TLS handshake with {self._peer} took over {self._timeout_s:g} s"
        self._fail("timeout", words)

    def _fail(self, code: DialCode, reason: str) -> None:
        if self._leave():
            self._poller.forget(self._fd)
            self._socket.close()  # Not a reset: it could overtake the alert.
            self._failed(code, reason)

    def _leave(self) -> bool:
        """End the handshake; False: it is over already."""
        if self._over:
            return False
        self._over = True
        self._timer.cancel()
        return True


def _asked_for(name: str | None, context: ssl.SSLContext) -> str | None:
    """The name in a dialer's hello (SNI), or the name its certificate check uses.

    The name is sent even if the context does not check it: a proxy in front of the other end, such
    as a passthrough Route, routes by it. RFC 6066, 3: no address and no trailing dot.
    """
    if context.check_hostname or not name:
        return name
    bare = name.removesuffix(".")
    return bare if bare.isascii() and ":" not in bare and bare else None
