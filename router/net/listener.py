"""A bound address: accepting, resting when it cannot, TLS handshakes of incoming connections."""

import errno
import socket
from collections import Counter
from collections.abc import Callable
from enum import IntFlag
from select import EPOLLIN
from typing import Literal

from router.model.addresses import source_of
from router.model.limits import (
    ACCEPT_ERRORS_PER_TURN_MAX,
    ACCEPT_REST_S,
    ACCEPTS_PER_TURN_MAX,
    LISTEN_BACKLOG,
    LISTENER_CONNECTIONS_MAX,
    TLS_HANDSHAKE_TIMEOUT_S,
    TLS_HANDSHAKES_MAX,
    TLS_HANDSHAKES_PER_SOURCE,
)
from router.net.connection import TcpConnection
from router.net.handshake import TlsHandshake
from router.net.plain import PlainConnection
from router.net.poller import Poller
from router.net.ports import Address, Connection, ConnectionHandler, DialCode, Timer, Tls
from router.net.sockets import (
    accept,
    address_of,
    admit_no_more,
    descriptors_max,
    family_of,
    is_numeric,
    prepare_stream,
    stream_socket,
)
from router.net.tls import TlsConnection

Accept = Callable[[Connection], ConnectionHandler | None]

# Errors of accept that Linux reports about the connection, not about the listener (accept(2)).
CONNECTION_GONE = frozenset(
    {
        errno.ECONNABORTED,
        errno.EPROTO,
        errno.ENOPROTOOPT,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENONET,
        errno.EOPNOTSUPP,
        errno.ETIMEDOUT,
    }
)


WILDCARDS = frozenset({"0.0.0.0", "::"})


class Hold(IntFlag):
    """Why a listener does not accept at the moment."""

    OWNER = 1
    FULL = 2  # As many connections or handshakes as are allowed.
    RESTING = 4


HandOver = Callable[[socket.SocketType], bool]
"""Returns whether another process of ours got this connection, which has sent data already."""

Sharing = Literal["alone", "first", "further"]
"""How a process shares a port with others of its router: not at all, as its first owner, or as a
further one."""


def bind(host: str, port: int, sharing: Sharing = "alone") -> socket.SocketType:
    """A listening socket. Raises `OSError` when the address cannot be bound.

    Both wildcards mean every address of the host, IPv4 and IPv6. The ``first`` to share a port gets
    it only if no other socket listens there: a stranger's port is never shared by mistake.
    """
    if host == "localhost":
        host = "127.0.0.1"
    if host == "0.0.0.0":
        try:
            return bind("::", port, sharing)
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                raise  # Otherwise the host has no IPv6.
    if not is_numeric(host):
        raise OSError(errno.EADDRNOTAVAIL, f"cannot listen on {host!r}: not an IP address")
    sock = stream_socket(family_of(host))
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        prepare_stream(sock)
        if host == "::":
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if sharing == "further":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
        if sharing == "first":  # Only now: the bind was exclusive.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.listen(LISTEN_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _uncounted() -> None:
    """The close callback of a connection that outlives its listener."""


class TcpListener:
    """`ports.Listener`: hands over connections (with TLS: after the handshake, if admissible)."""

    __slots__ = (
        "_accept",
        "_address",
        "_closed",
        "_connections",
        "_descriptors_max",
        "_errors",
        "_errors_turn",
        "_give_away",
        "_handshakes",
        "_holds",
        "_is_wildcard",
        "_on_left",
        "_on_rejected",
        "_poller",
        "_rest",
        "_socket",
        "_starved",
        "_tls",
    )

    def __init__(
        self,
        poller: Poller,
        sock: socket.SocketType,
        accept: Accept,
        tls: Tls | None,
        on_rejected: Callable[[Address, DialCode, str], None],
        *,
        essential: bool = False,
        hand_over: HandOver | None = None,
    ) -> None:
        """``hand_over``: called first for each connection; True: another process has it."""
        self._poller = poller
        self._socket = sock
        self._give_away = hand_over
        self._address = address_of(sock.getsockname())
        self._is_wildcard = self._address.host in WILDCARDS
        self._accept = accept
        self._tls = tls
        self._on_rejected = on_rejected
        self._holds = Hold(0)
        self._rest: Timer | None = None
        # It rests because there is no descriptor; one that closes ends the rest.
        self._starved = False
        self._connections = 0
        # One bound method for thousands of connections.
        self._on_left: Callable[[], None] = self._left
        self._handshakes: dict[int, TlsHandshake] = {}
        self._errors = 0
        self._errors_turn = -1
        self._closed = False
        self._descriptors_max = descriptors_max(essential=essential)
        poller.register(sock.fileno(), self, EPOLLIN)

    @property
    def address(self) -> Address:
        return self._address

    @property
    def is_closed(self) -> bool:
        """Nothing more is accepted."""
        return self._closed

    def pause(self) -> None:
        self._hold(Hold.OWNER)

    def resume(self) -> None:
        self._release(Hold.OWNER)

    def set_tls(self, tls: Tls, accept: Accept | None = None) -> None:
        assert self._tls is not None, "a listener in clear stays one"
        self._tls = tls
        self._accept = accept or self._accept

    def close(self) -> None:
        if self._closed:
            return
        if self._tls is None:  # The kernel resets connections that are not accepted.
            admit_no_more(self._socket)
            try:
                self.ready(EPOLLIN, LISTEN_BACKLOG + 1)  # As many as the backlog holds.
            except Exception as error:  # As in a turn; it closes all the same.
                self._poller.handler_failed(error)
        self.abort()

    # Calls within `net`.

    def abort(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._poller.forget(self._socket.fileno())
        self._socket.close()
        # The method refers to us: avoid a cycle that waits for the garbage collector.
        self._on_left = _uncounted
        if self._rest is not None:
            self._rest.cancel()
        for handshake in list(self._handshakes.values()):
            handshake.abort()

    def lasts(self) -> None: ...

    def crashed(self, error: Exception) -> None:
        self._rest_a_while()

    def ready(self, mask: int, accepts_max: int = ACCEPTS_PER_TURN_MAX) -> None:
        for _ in range(accepts_max):
            if self._holds or self._closed:
                return
            if len(self._poller.entries) >= self._descriptors_max:
                self._poller.held_back_at = self._poller.now()
                self._rest_a_while()
                self._starved = True
                return
            try:
                sock, name = accept(self._socket)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in CONNECTION_GONE:
                    continue
                # No descriptor or no memory left: connections wait in the backlog meanwhile.
                self._poller.log("a listener rests: accept failed", error)
                self._poller.held_back_at = self._poller.now()
                self._rest_a_while()
                return
            if self._give_away is not None and self._give_away(sock):
                sock.close()  # Closes only our descriptor of it.
                continue
            self._take(sock, address_of(name))

    def adopt(self, sock: socket.SocketType) -> None:
        """Take a connection that another process accepted, as if it had come here."""
        try:
            peer = address_of(sock.getpeername())
        except OSError:  # It ended on the way.
            sock.close()
            return
        sock.setblocking(False)
        self._take(sock, peer)

    def _take(self, sock: socket.SocketType, peer: Address) -> None:
        self._connections += 1
        if self._connections >= LISTENER_CONNECTIONS_MAX:
            self._hold(Hold.FULL)
        local = self._address
        if self._is_wildcard:
            try:
                local = address_of(sock.getsockname())
            except OSError:
                sock.close()
                self._left()
                return
        if self._tls is None:
            self._hand_over(
                PlainConnection(self._poller, sock, peer, local, self._on_left), self._accept
            )
            return
        number, accept = sock.fileno(), self._accept
        self._handshakes[number] = TlsHandshake(
            self._poller,
            sock,
            self._tls,
            peer=peer,
            local=local,
            server_side=True,
            server_name=None,
            timeout_s=TLS_HANDSHAKE_TIMEOUT_S,
            done=lambda connection: self._handshake_done(number, connection, accept),
            failed=lambda code, reason: self._handshake_failed(number, code, reason),
            on_close=self._on_left,
        )
        if len(self._handshakes) >= TLS_HANDSHAKES_MAX and not self._expel_one():
            self._hold(Hold.FULL)

    def _expel_one(self) -> bool:
        """End the oldest handshake of the source with most, if it has more than its share.

        Otherwise a source that opens connections and sends nothing could keep all others out.
        """
        sources = [(source_of(one.host), one) for one in self._handshakes.values()]
        most, count = Counter(source for source, _ in sources).most_common(1)[0]
        if count <= TLS_HANDSHAKES_PER_SOURCE:
            return False
        next(one for source, one in sources if source == most).expel()
        return True

    def _handshake_done(self, number: int, connection: TlsConnection, accept: Accept) -> None:
        del self._handshakes[number]
        if self._holds:
            self._release_if_room()
        if self._closed:
            connection.abort()
            return
        self._hand_over(connection, accept)

    def _handshake_failed(self, number: int, code: DialCode, reason: str) -> None:
        del self._handshakes[number]
        self._left()
        self._on_rejected(self._address, code, reason)

    def _hand_over(self, connection: TcpConnection, accept: Accept) -> None:
        try:
            handler = accept(connection)
        except Exception as error:
            self._poller.handler_failed(error)
            connection.abort()
            self._count_error()
            return
        if handler is None:
            connection.abort()
        else:
            connection.attach(handler)
            if self._tls is None:
                # Usually the client's first bytes are there: handling them now shares this turn,
                # and so does the data sent to a target or over a link.
                self._poller.soon(connection, connection.look)

    def _count_error(self) -> None:
        if self._errors_turn != self._poller.turns:
            self._errors_turn, self._errors = self._poller.turns, 0
        self._errors += 1
        if self._errors >= ACCEPT_ERRORS_PER_TURN_MAX:
            self._rest_a_while()

    def _left(self) -> None:
        """An accepted connection is closed."""
        self._connections -= 1
        assert self._connections >= 0, "a connection left twice"
        if self._starved and self._rest is not None:
            self._rest.cancel()
            self._rested()
        if self._holds:
            self._release_if_room()

    def _release_if_room(self) -> None:
        if (
            self._holds & Hold.FULL
            and self._connections < LISTENER_CONNECTIONS_MAX
            and len(self._handshakes) < TLS_HANDSHAKES_MAX
        ):
            self._release(Hold.FULL)

    def _rest_a_while(self) -> None:
        if not self._closed and not self._holds & Hold.RESTING:
            self._hold(Hold.RESTING)
            self._rest = self._poller.call_at(self._poller.now() + ACCEPT_REST_S, self._rested)

    def _rested(self) -> None:
        self._rest = None
        self._starved = False
        self._release(Hold.RESTING)

    def _hold(self, why: Hold) -> None:
        if not self._holds and not self._closed:
            self._poller.modify(self._socket.fileno(), 0)
        self._holds |= why

    def _release(self, why: Hold) -> None:
        if not self._holds:
            return
        self._holds &= ~why
        if not self._holds and not self._closed:
            self._poller.modify(self._socket.fileno(), EPOLLIN)
