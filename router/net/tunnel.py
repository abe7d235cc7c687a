"""Through an HTTP proxy: from a connected socket to one that leads to the destination."""

import socket
from collections.abc import Callable
from select import EPOLLIN, EPOLLOUT

from router.model.limits import PROXY_ANSWER_TIMEOUT_S, READ_BYTES
from router.net.connection import TcpConnection
from router.net.handshake import TlsHandshake
from router.net.pipe import Pipe
from router.net.poller import Poller
from router.net.ports import Address, DialCode, Proxy
from router.net.proxy_connect import AnswerReader, ProxyRefusal, request
from router.net.sockets import close_with_reset
from router.net.tls import TlsConnection

Failed = Callable[[DialCode, str], None]


class Tunnel:
    """Owns the socket until exactly one of ``done`` and ``failed`` is called; `abort` calls
    neither.

    A proxy with TLS is reached by a pair of sockets, with `Pipe`s between its TLS and them: the
    next step has a plain socket in either case.
    """

    __slots__ = (
        "_done",
        "_failed",
        "_handshake",
        "_mask",
        "_out",
        "_over",
        "_poller",
        "_proxy",
        "_reader",
        "_socket",
        "_timer",
    )

    def __init__(
        self,
        poller: Poller,
        sock: socket.SocketType,
        proxy: Proxy,
        target: tuple[str, int],
        *,
        peer: Address,
        local: Address,
        done: Callable[[socket.SocketType], None],
        failed: Failed,
    ) -> None:
        """Raises ValueError if the target's host is not valid in a request; the socket stays."""
        self._out = request(*target, proxy)
        self._poller = poller
        self._proxy = proxy
        self._done = done
        self._failed = failed
        self._reader = AnswerReader()
        self._mask = 0
        self._over = False
        self._socket: socket.SocketType | None = None
        self._handshake: TlsHandshake | None = None
        self._timer = poller.call_at(poller.now() + PROXY_ANSWER_TIMEOUT_S, self._timed_out)
        if proxy.tls is None:
            self._ask(sock)
        else:
            self._handshake = TlsHandshake(
                poller,
                sock,
                proxy.tls,
                peer=peer,
                local=local,
                server_side=False,
                server_name=proxy.tls.server_name or proxy.host,
                timeout_s=PROXY_ANSWER_TIMEOUT_S,
                done=self._bridge,
                failed=self._tls_failed,
            )

    def abort(self) -> None:
        if self._over:
            return
        self._leave()
        if self._handshake is not None:
            self._handshake.abort()
        if self._socket is not None:
            self._poller.forget(self._socket.fileno())
            close_with_reset(self._socket)

    def lasts(self) -> None: ...

    def crashed(self, error: Exception) -> None:
        self._fail("error", f"failed: {error!r}")

    def ready(self, mask: int) -> None:
        if mask & ~EPOLLOUT and not self._receive():
            return
        self._send()

    def _bridge(self, outer: TlsConnection) -> None:
        """The proxy's TLS is up."""
        self._handshake = None
        ours, its = socket.socketpair()
        ours.setblocking(False)
        its.setblocking(False)
        inner = TcpConnection(self._poller, its, outer.peer, outer.local)
        inner.attach(Pipe(self._poller, inner, outer))
        outer.attach(Pipe(self._poller, outer, inner))
        self._ask(ours)

    def _ask(self, sock: socket.SocketType) -> None:
        self._socket = sock
        self._mask = EPOLLIN | EPOLLOUT
        self._poller.register(sock.fileno(), self, self._mask)

    def _send(self) -> None:
        sock = self._socket
        if self._over or sock is None or not self._out:
            return
        try:
            sent = sock.send(self._out)
        except OSError:  # It shows up as a read error next.
            sent = 0
        self._poller.bytes_out += sent
        self._out = self._out[sent:]
        if not self._out:
            self._mask = EPOLLIN
            self._poller.modify(sock.fileno(), EPOLLIN)

    def _receive(self) -> bool:
        """Take the bytes of the answer and leave the rest to TLS. False: it is over."""
        sock = self._socket
        assert sock is not None
        try:
            data = sock.recv(READ_BYTES, socket.MSG_PEEK)
            if not data:
                self._refused(self._reader.receive_eof())
                return False
            taken, answer = self._reader.receive_data(data)
            if taken:
                sock.recv(taken)
        except BlockingIOError:
            return True
        except OSError as error:
            self._fail("refused", f"broke off before it had answered CONNECT: {error.strerror}")
            return False
        self._poller.bytes_in += taken
        if answer is None:
            return True
        if isinstance(answer, ProxyRefusal):
            self._refused(answer)
        else:
            self._leave()
            self._poller.unregister(sock.fileno())
            self._socket = None
            self._done(sock)
        return False

    def _refused(self, refusal: ProxyRefusal) -> None:
        self._fail(refusal.code, refusal.reason)

    def _tls_failed(self, code: DialCode, reason: str) -> None:
        self._handshake = None
        shown: DialCode = "proxy" if code in ("tls", "clock") else code
        hint = ". Is its CA the one of --proxy-ca?" if code == "tls" else ""
        self._fail(shown, f"cannot be spoken to by TLS: {reason}{hint}")

    def _timed_out(self) -> None:
        self._fail("timeout", f"did not answer CONNECT within {PROXY_ANSWER_TIMEOUT_S:g} s")

    def _fail(self, code: DialCode, words: str) -> None:
        if not self._over:
            self.abort()
            self._failed(code, f"the proxy {self._proxy} {words}")

    def _leave(self) -> None:
        self._over = True
        self._timer.cancel()
