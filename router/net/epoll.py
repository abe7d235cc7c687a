"""The real network: sockets in one epoll set, run by turns in a host's event loop."""

import errno
import socket
import time
from collections.abc import Callable

from router.model.limits import ACCEPT_REST_S, NO_DIAL_SHOWN_S
from router.net.connection_attempt import Connected, Failed, NewSocket, TcpDial, new_socket
from router.net.far_targets import FarTargets
from router.net.host import EventLoopHost
from router.net.listener import Accept, HandOver, Sharing, TcpListener, bind
from router.net.poller import Poller
from router.net.ports import Address, Dial, DialCode, Listener, Proxy, Tls
from router.net.resolver import Lookup, Resolver, system_lookup
from router.net.sockets import bound_unsent


class EpollNetwork:
    """`ports.Network` over the kernel.

    ``host`` runs the turns, ``lookup`` (in a thread) turns names into addresses. Call everything
    from the host's thread; `close` not from within a turn.
    """

    def __init__(
        self,
        host: EventLoopHost,
        *,
        lookup: Lookup = system_lookup,
        new_socket: NewSocket = new_socket,
        sharing: Sharing = "alone",
    ) -> None:
        """``sharing``: how non-essential listeners share ports with our other processes."""
        self._sharing: Sharing = sharing
        self._hand_over: HandOver | None = None
        """Hands some connections of essential listeners with a fixed port to another process."""
        self._doors: list[TcpListener] = []
        self._poller = Poller(host, self._woken)
        self._resolver = Resolver(self._poller, lookup)
        self._new_socket = new_socket
        self._link_local_hosts: frozenset[str] = frozenset()
        self._far = FarTargets()
        self._tls_rejected = 0
        # Called a dozen times per request: no call in between.
        self.now = host.now
        self.at_turn_end = self._poller.at_turn_end
        self.call_at = self._poller.call_at
        self.after_intake = self._poller.after_intake
        self._hear_rejected: Callable[[Address, DialCode, str], None] = lambda *_: None

    def follow_rejections(self, hear: Callable[[Address, DialCode, str], None]) -> None:
        """Call ``hear`` with the listener and the reason (code, sentence) of each that
        `tls_rejected` counts."""
        self._hear_rejected = hear

    def share_links(self, hand_over: HandOver) -> None:
        """Call ``hand_over`` first for each connection of link listeners opened from now on; True:
        another process has it."""
        self._hand_over = hand_over

    # Counters, for metrics.

    @property
    def bytes_in(self) -> int:
        """Bytes read from sockets; with TLS, ciphertext."""
        return self._poller.bytes_in

    @property
    def bytes_out(self) -> int:
        return self._poller.bytes_out

    @property
    def unsent_bytes(self) -> int:
        """Bytes held for peers that do not read fast enough, over all connections."""
        return self._poller.unsent_bytes

    @property
    def sockets_open(self) -> int:
        """Connections, listeners and attempts."""
        return len(self._poller.entries)

    @property
    def is_held_back(self) -> bool:
        """Connections wait in a backlog because this process has no descriptor left for them."""
        return self.now() - self._poller.held_back_at < 2.0 * ACCEPT_REST_S

    @property
    def why_no_dial(self) -> str:
        """The first recent dial that lacked a descriptor or local port; empty: none recently."""
        is_recent = self.now() - self._poller.no_dial_at < NO_DIAL_SHOWN_S
        return self._poller.why_no_dial if is_recent else ""

    @property
    def handler_errors(self) -> int:
        return self._poller.handler_errors

    def hear_handler_errors(self, hear: Callable[[Exception], None]) -> None:
        """Call ``hear`` with each exception that a handler or a callback raised, after it is
        logged."""
        self._poller.on_handler_error = hear

    @property
    def tls_rejected(self) -> int:
        """Connections that a TLS listener closed: failed handshakes, not admissible, too slow."""
        return self._tls_rejected

    @property
    def turn_lag_s(self) -> float:
        """How late the last turn was for its earliest timer; 0.0: no timer was due."""
        return self._poller.turn_lag_s

    @property
    def woke_late_at(self) -> float:
        return self._poller.woke_late_at

    @property
    def turns(self) -> int:
        return self._poller.turns

    # Connections.

    def listen(
        self,
        host: str,
        port: int,
        accept: Accept,
        *,
        tls: Tls | None = None,
        essential: bool = False,
    ) -> Listener:
        if not essential and len(self._poller.entries) >= self._poller.descriptors_max:
            raise OSError(errno.EMFILE, "the last descriptors are reserved for the operator")
        sock = bind(host, port, "alone" if essential else self._sharing)
        if not essential:
            bound_unsent(sock)
        hand_over = self._hand_over if essential and port else None
        # It is accepted with its first bytes, which decide where it goes.
        if hand_over is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)
        listener = TcpListener(
            self._poller,
            sock,
            accept,
            tls,
            self._rejected,
            essential=essential,
            hand_over=hand_over,
        )
        if essential:
            self._doors = [door for door in self._doors if not door.is_closed]
            self._doors.append(listener)
        return listener

    def adopt(self, sock: socket.SocketType) -> None:
        """Take a connection for the essential listener, handed over by another process."""
        doors = [door for door in self._doors if not door.is_closed]
        if doors:
            doors[-1].adopt(sock)
        else:
            sock.close()

    def dial(
        self,
        host: str,
        port: int,
        connected: Connected,
        failed: Failed,
        *,
        timeout_s: float,
        tls: Tls | None = None,
        essential: bool = False,
        via: Proxy | None = None,
    ) -> Dial:
        return TcpDial(
            self._poller,
            self._resolver,
            self._new_socket,
            host,
            port,
            connected,
            failed,
            timeout_s,
            tls,
            essential=essential,
            via=via,
            link_local=essential or host in self._link_local_hosts,
            far=self._far,
        )

    def spent_s(self) -> float:
        return time.thread_time()

    def allow_link_local(self, hosts: frozenset[str]) -> None:
        self._link_local_hosts = hosts

    def resolve(self, host: str, done: Callable[[tuple[str, ...]], None]) -> Dial:
        return self._resolver.resolve(host, done)

    def is_current(self, host: str, address: str) -> bool:
        return self._resolver.is_current(host, address)

    def unresolved_s(self, host: str) -> float | None:
        return self._resolver.unresolved_s(host)

    def close(self) -> None:
        """Abort everything, call the owners, leave the host. Idempotent."""
        self._resolver.close()
        self._poller.close()

    def _woken(self) -> None:
        self._resolver.answer_all()

    def _rejected(self, listener: Address, code: DialCode, reason: str) -> None:
        self._tls_rejected += 1
        self._poller.log_rejection(listener, reason)
        self._hear_rejected(listener, code, reason)
