"""A connection attempt: resolve, try each address in turn, shake hands."""

import errno
import socket
from collections.abc import Callable
from functools import partial
from select import EPOLLOUT

from router.model.addresses import ALLOW_LINK_LOCAL, metadata_kind
from router.model.limits import TLS_HANDSHAKE_TIMEOUT_S
from router.net.connection import TcpConnection
from router.net.far_targets import FarTargets
from router.net.handshake import TlsHandshake
from router.net.plain import PlainConnection
from router.net.poller import Poller
from router.net.ports import (
    Address,
    Connection,
    ConnectionHandler,
    DialCode,
    DialFailure,
    Proxy,
    Timer,
    Tls,
)
from router.net.resolver import Question, Resolver
from router.net.sockets import (
    address_of,
    close_with_reset,
    failure_of,
    family_of,
    is_numeric,
    pending_error,
    prepare_stream,
    stream_socket,
    target_address,
)
from router.net.tunnel import Tunnel

Connected = Callable[[Connection], ConnectionHandler]
Failed = Callable[[DialFailure], None]
Names = tuple[tuple[str, int], tuple[str, int]]  # The peer's, and our own.
NewSocket = Callable[[socket.AddressFamily], socket.SocketType]


def new_socket(family: socket.AddressFamily) -> socket.SocketType:
    """A TCP socket, not bound."""
    return stream_socket(family)


class TcpDial:
    """`ports.Dial`. Calls exactly one of ``connected`` and ``failed``, from the network's turn.

    Each address gets an even share of the remaining time. The reported failure is the last one's.
    """

    __slots__ = (
        "_address_timer",
        "_addresses",
        "_connected",
        "_deadline",
        "_essential",
        "_failed",
        "_far",
        "_handshake",
        "_host",
        "_link_local",
        "_new_socket",
        "_over",
        "_poller",
        "_port",
        "_question",
        "_resolver",
        "_socket",
        "_timeout_s",
        "_timer",
        "_tls",
        "_trying",
        "_via",
        "_wanted",
    )

    def __init__(
        self,
        poller: Poller,
        resolver: Resolver,
        new_socket: NewSocket,
        host: str,
        port: int,
        connected: Connected,
        failed: Failed,
        timeout_s: float,
        tls: Tls | None,
        *,
        essential: bool = False,
        via: Proxy | None = None,
        link_local: bool = True,
        far: FarTargets,
    ) -> None:
        """With ``via``, dial a proxy, which dials ``host`` in turn.

        ``link_local``: a name may lead to an address of that kind. ``far``: addresses for which the
        receive buffer is not bounded.
        """
        self._link_local = link_local
        self._wanted = (host, port)
        self._via = via
        if via is not None:
            host, port = via.host, via.port
        self._poller = poller
        self._new_socket = new_socket
        self._resolver = resolver
        self._host = host
        self._port = port
        self._connected = connected
        self._failed = failed
        self._tls = tls
        self._essential = essential
        self._far = far
        self._timeout_s = timeout_s
        self._deadline = poller.now() + timeout_s
        self._timer: Timer | None = None
        self._address_timer: Timer | None = None
        self._addresses: list[str] = []
        self._socket: socket.SocketType | None = None
        self._handshake: TlsHandshake | Tunnel | None = None
        self._question: Question | None = None
        self._over = False
        self._trying = ""
        if is_numeric(host):
            self._addresses.append(host)
            self._try_next()
        else:
            self._watch_time()
            self._question = resolver.resolve(host, self._resolved)

    def cancel(self) -> None:
        if not self._over:
            self._stop()

    # Calls within `net`.

    def abort(self) -> None:
        """The network closes: like `cancel`."""
        self.cancel()

    def lasts(self) -> None: ...

    def crashed(self, error: Exception) -> None:
        self._fail(DialFailure(code="error", reason=f"{self._where()}: {error!r}"))

    def ready(self, mask: int) -> None:
        """The connect has an outcome."""
        sock = self._socket
        assert sock is not None
        number = pending_error(sock)
        if number:
            self._address_failed(failure_of(number, self._where()))
            return
        try:
            names = sock.getpeername(), sock.getsockname()
        except OSError as error:  # It was connected, and is gone again.
            self._address_failed(failure_of(error.errno or errno.EIO, self._where()))
            return
        self._poller.unregister(sock.fileno())
        if not self._essential:
            took_s = self._poller.now() - (self._deadline - self._timeout_s)
            self._far.learn(sock, self._trying, took_s)
        self._arrived(sock, names)

    def _arrived_at_once(self, names: Names) -> None:
        sock = self._socket
        if sock is not None:  # Not cancelled meanwhile.
            self._poller.forget(sock.fileno())
            self._arrived(sock, names)

    def _arrived(self, sock: socket.SocketType, names: Names) -> None:
        peer, local = target_address(names[0]), address_of(names[1])
        if peer == local:
            words = f"{self._where()} is not listened on: we were connected to ourselves"
            self._address_failed(DialFailure(code="self", reason=words))
            return
        self._socket = None
        if self._address_timer is not None:
            self._forget_address_timer()
        if self._via is None:
            self._reached(sock, peer, local)
        else:
            self._watch_time()
            self._ask_proxy(sock, peer, local, self._via)

    # Addresses.

    def _resolved(self, addresses: tuple[str, ...]) -> None:
        if self._link_local:
            self._addresses.extend(addresses)
        else:
            self._addresses.extend(one for one in addresses if not metadata_kind(one))
        if self._addresses:
            self._try_next()
        elif addresses:
            kind = metadata_kind(addresses[0])
            words = f"{self._where()} is {kind}, as {addresses[0]}; {ALLOW_LINK_LOCAL}"
            self._fail(DialFailure(code="unreachable", reason=words))
        else:
            words = f"{self._where()} has no address: the name cannot be resolved"
            self._fail(DialFailure(code="name", reason=words))

    def _try_next(self) -> None:
        """Start on the next address; the queue reports errors that are known at once."""
        host = self._trying = self._addresses.pop(0)
        bound = (
            self._poller.descriptors_max_essential
            if self._essential
            else self._poller.descriptors_max
        )
        if len(self._poller.entries) >= bound:
            self._address_failed_soon(failure_of(errno.EMFILE, self._where()))
            return
        try:
            sock = self._new_socket(family_of(host))
        except OSError as error:
            self._address_failed_soon(failure_of(error.errno or errno.EIO, self._where()))
            return
        try:
            if self._tls is None and self._via is None:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            else:  # A lasting connection, usually a link.
                prepare_stream(sock)
            if not self._essential:
                self._far.prepare(sock, host)
            number = sock.connect_ex((host, self._port))
        except OSError as error:  # For example a scope that does not exist.
            number = error.errno or errno.EINVAL
        if number not in (0, errno.EINPROGRESS):
            sock.close()
            self._address_failed_soon(failure_of(number, self._where()))
            return
        self._socket = sock
        try:
            # On this host a connection is established as soon as it is requested: no event needed.
            names = sock.getpeername(), sock.getsockname()
        except OSError:
            pass
        else:
            self._poller.hold(sock.fileno(), self)
            self._poller.soon(self, partial(self._arrived_at_once, names))
            return
        self._poller.register(sock.fileno(), self, EPOLLOUT)
        self._watch_time()
        if self._addresses:
            share_s = (self._deadline - self._poller.now()) / (len(self._addresses) + 1)
            self._address_timer = self._poller.call_at(
                self._poller.now() + share_s, self._address_timed_out
            )

    def _watch_time(self) -> None:
        if self._timer is None:
            self._timer = self._poller.call_at(self._deadline, self._timed_out)

    def _address_failed_soon(self, failure: DialFailure) -> None:
        self._poller.soon(self, lambda: self._address_failed(failure))

    def _address_timed_out(self) -> None:
        words = f"{self._where()} did not answer"
        self._address_failed(DialFailure(code="timeout", reason=words))

    def _address_failed(self, failure: DialFailure) -> None:
        if self._over:
            return
        self._close_attempt()
        self._resolver.shun(self._host, self._trying)
        if self._addresses:
            self._try_next()
        else:
            self._fail(failure)

    # Outcomes.

    def _ask_proxy(
        self, sock: socket.SocketType, peer: Address, local: Address, via: Proxy
    ) -> None:
        """Have the proxy connect. The connection's peer is the requested host, not the proxy."""
        host, port = self._wanted
        try:
            self._handshake = Tunnel(
                self._poller,
                sock,
                via,
                self._wanted,
                peer=peer,
                local=local,
                done=lambda led: self._reached(led, Address(host=host, port=port), local),
                failed=self._handshake_failed,
            )
        except ValueError as error:
            close_with_reset(sock)
            self._fail(DialFailure(code="name", reason=f"{self._where()}: {error}"))

    def _reached(self, sock: socket.SocketType, peer: Address, local: Address) -> None:
        """The socket leads to the dialed host."""
        if self._tls is None:
            self._hand_over(
                PlainConnection(
                    self._poller, sock, peer, local, is_kept_alive=self._via is not None
                )
            )
        else:
            self._shake_hands(sock, peer, local, self._tls)

    def _shake_hands(
        self, sock: socket.SocketType, peer: Address, local: Address, tls: Tls
    ) -> None:
        self._handshake = TlsHandshake(
            self._poller,
            sock,
            tls,
            peer=peer,
            local=local,
            server_side=False,
            server_name=tls.server_name or self._wanted[0],
            timeout_s=min(TLS_HANDSHAKE_TIMEOUT_S, max(0.0, self._deadline - self._poller.now())),
            done=self._hand_over,
            failed=self._handshake_failed,
        )

    def _handshake_failed(self, code: DialCode, reason: str) -> None:
        host, port = self._wanted
        where = self._where() if self._via is None else str(Address(host=host, port=port))
        if where not in reason:  # The reason has the address of a name.
            reason = f"{where}: {reason}"
        self._fail(DialFailure(code=code, reason=reason))

    def _hand_over(self, connection: TcpConnection) -> None:
        self._handshake = None
        self._stop()
        try:
            handler = self._connected(connection)
        except Exception as error:
            self._poller.handler_failed(error)
            connection.abort()
        else:
            connection.attach(handler)

    def _timed_out(self) -> None:
        verb = "did not answer" if self._trying else "could not be resolved"
        self._resolver.shun(self._host, self._trying)
        words = f"{self._where()} {verb} within {self._timeout_s:g} s"
        self._fail(DialFailure(code="timeout", reason=words))

    def _fail(self, failure: DialFailure) -> None:
        if self._over:
            return
        self._stop()
        if failure.code == "exhausted":
            self._poller.note_no_dial(failure.reason)
        trouble = self._resolver.trouble(self._host) if self._trying else ""
        if trouble:
            failure = DialFailure(code=failure.code, reason=failure.reason + trouble)
        self._failed(failure)

    def _stop(self) -> None:
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        if self._question is not None:
            self._question.cancel()
        if self._handshake is not None:
            self._handshake.abort()
            self._handshake = None
        if self._socket is not None:
            self._close_attempt()

    def _close_attempt(self) -> None:
        self._forget_address_timer()
        if self._socket is not None:
            self._poller.forget(self._socket.fileno())
            close_with_reset(self._socket)
            self._socket = None

    def _forget_address_timer(self) -> None:
        if self._address_timer is not None:
            self._address_timer.cancel()
            self._address_timer = None

    def _where(self) -> str:
        """The requested host, and the one of its addresses that is being tried."""
        wanted = str(Address(host=self._host, port=self._port))
        if self._trying not in ("", self._host):
            wanted = f"{wanted} ({self._trying})"
        if self._via is None:
            return wanted
        host, port = self._wanted
        return f"{Address(host=host, port=port)} by the proxy {self._via}: {wanted}"
