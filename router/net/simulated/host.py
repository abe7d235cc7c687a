"""One host of the simulated internet: its turn, timers, listeners and dialing."""

from __future__ import annotations

import errno
from collections import Counter, deque
from collections.abc import Callable
from enum import Enum, auto
from math import inf
from typing import TYPE_CHECKING

from router.model.limits import (
    ACCEPT_ERRORS_PER_TURN_MAX,
    ACCEPT_REST_S,
    CONNECTION_COST_BYTES,
    SETTLE_ROUNDS_MAX,
)
from router.net.ports import (
    Address,
    Connection,
    ConnectionHandler,
    Dial,
    DialFailure,
    Listener,
    Proxy,
    Timer,
    Tls,
)
from router.net.simulated.dial import SimulatedDial
from router.net.simulated.wire import SimulatedConnection
from router.net.sockets import in_turn, is_numeric

if TYPE_CHECKING:
    from router.net.simulated.internet import SimulatedInternet

Accept = Callable[[Connection], ConnectionHandler | None]
EPHEMERAL_FROM = 40_000
NEXT_TURN_S = 0.000_01  # An entry that makes work for itself must not stop virtual time.
ANY = ("0.0.0.0", "::")


class HostState(Enum):
    """Whether the process of a host runs."""

    ALIVE = auto()
    DEAD = auto()


def is_loopback(ip: str) -> bool:
    return ip.startswith("127.") or ip == "::1"


class SimulatedNetwork:
    """`ports.Network` of one host. It owns ``ips`` and every loopback address."""

    def __init__(self, internet: SimulatedInternet, ips: tuple[str, ...]) -> None:
        self.internet = internet
        self.ips = ips
        self.state = HostState.ALIVE
        self.handler_errors = 0
        self.turn_lag_s = 0.0  # A turn takes no virtual time.
        self.woke_late_at = -inf
        self.turns = 0
        self._in_turn = False
        self._woken = False
        self._port = EPHEMERAL_FROM
        self._queue: deque[Callable[[], None]] = deque()
        self._turn_end: list[Callable[[], None]] = []
        self._listeners: dict[Address, SimulatedListener] = {}
        self._connections: dict[int, SimulatedConnection] = {}
        self._connection_number = 0
        self._turns: Counter[str] = Counter()
        self._intake_left: float = inf
        self._on_intake: Callable[[], None] | None = None

    # Timers.

    def now(self) -> float:
        return self.internet.now

    def spent_s(self) -> float:
        return 0.0

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        return self.internet.schedule(when, self, callback, background=True)

    def at_turn_end(self, callback: Callable[[], None]) -> None:
        self._turn_end.append(callback)
        self._wake()

    def after_intake(self, size_bytes: int, callback: Callable[[], None]) -> None:
        self._intake_left, self._on_intake = size_bytes, callback

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
        host = "127.0.0.1" if host == "localhost" else host
        if host not in ANY and not self.owns(host):
            raise OSError(errno.EADDRNOTAVAIL, f"cannot listen on {host!r}: not an address here")
        address = Address(host=host, port=port or self.take_port())
        for taken in self._listeners:
            if taken.port == address.port and (taken.host in (host, *ANY) or host in ANY):
                raise OSError(errno.EADDRINUSE, f"cannot listen on {address}: in use")
        listener = self._listeners[address] = SimulatedListener(self, address, accept, tls)
        return listener

    def dial(
        self,
        host: str,
        port: int,
        connected: Callable[[Connection], ConnectionHandler],
        failed: Callable[[DialFailure], None],
        *,
        timeout_s: float,
        tls: Tls | None = None,
        essential: bool = False,
        via: Proxy | None = None,
    ) -> Dial:
        assert via is None, "the simulated network has no proxies"
        return SimulatedDial(self, host, port, connected, failed, timeout_s, tls)

    def allow_link_local(self, hosts: frozenset[str]) -> None:
        """No effect: addresses have no kinds here."""

    def resolve(self, host: str, done: Callable[[tuple[str, ...]], None]) -> Dial:
        return self.internet.schedule(
            self.now(), self, lambda: done(self.next_addresses(host)), background=True
        )

    def close(self) -> None:
        """Abort everything and close the listeners."""
        for listener in list(self._listeners.values()):
            listener.close()
        for end in self.connections():
            end.abort()

    # Calls of the simulation.

    @property
    def is_dead(self) -> bool:
        """Its process was killed: none of its code runs any more."""
        return self.state is HostState.DEAD

    def owns(self, ip: str) -> bool:
        return ip in self.ips or is_loopback(ip)

    def take_port(self) -> int:
        """The next ephemeral port; they are given out in order."""
        self._port += 1
        return self._port - 1

    def route(self, ip: str) -> SimulatedNetwork | None:
        """The host that answers to ``ip`` as seen from here."""
        return self if self.owns(ip) else self.internet.owner_of(ip)

    def next_addresses(self, name: str) -> tuple[str, ...]:
        """The addresses of a dial, in order."""
        self._turns[name] += 1
        addresses = self.addresses(name)
        return in_turn(addresses, self._turns[name] - 1) if len(addresses) > 1 else addresses

    def addresses(self, name: str) -> tuple[str, ...]:
        if name == "localhost":
            return ("127.0.0.1",)
        return (name,) if is_numeric(name) else self.internet.addresses_of(name)

    def is_current(self, host: str, address: str) -> bool:
        addresses = self.addresses(host)
        return not addresses or address in addresses

    def unresolved_s(self, host: str) -> float | None:
        return None

    def listener_at(self, address: Address) -> SimulatedListener | None:
        if self.state is HostState.DEAD:
            return None
        for host in (address.host, *ANY):
            listener = self._listeners.get(Address(host=host, port=address.port))
            if listener is not None:
                return listener
        return None

    def connections(self) -> list[SimulatedConnection]:
        return list(self._connections.values())

    def add_connection(self, end: SimulatedConnection) -> int:
        self._connection_number += 1
        self._connections[self._connection_number] = end
        self.took_in(CONNECTION_COST_BYTES)
        return self._connection_number

    def took_in(self, size_bytes: int) -> None:
        """Handlers here received ``size_bytes``; see `after_intake`."""
        self._intake_left -= size_bytes

    def remove_connection(self, number: int) -> None:
        self._connections.pop(number, None)

    def remove_listener(self, address: Address) -> None:
        self._listeners.pop(address, None)

    def die(self) -> None:
        """The process ends; the kernel resets its connections."""
        self.state = HostState.DEAD
        self._queue.clear()
        self._turn_end.clear()
        self._listeners.clear()
        for end in self.connections():
            end.vanish()

    # The turn.

    def transmit(self, receiver: SimulatedNetwork, action: Callable[[], None]) -> None:
        """Send a packet to ``receiver``."""
        self.internet.transmit(self.internet.path(self, receiver), receiver, action)

    def soon(self, call: Callable[[], None]) -> None:
        """Call from the turn's queue, as `Poller.soon` does."""
        self._queue.append(call)
        self._wake()

    def run(self, action: Callable[[], None]) -> None:
        """Run one event of a turn; `end_turn` follows."""
        self._in_turn = True
        try:
            action()
        except Exception as error:
            self.handler_failed(error)
        if self._intake_left <= 0 and self._on_intake is not None:
            callback, self._on_intake = self._on_intake, None
            self.guarded(callback)
            self._run_queue()

    def _run_queue(self) -> None:
        for _ in range(len(self._queue)):
            if self._queue:  # A handler may kill this host.
                self.guarded(self._queue.popleft())

    def end_turn(self) -> None:
        self._in_turn = True
        self.turns += 1
        if self._queue or self._turn_end:
            self._settle()
        self._in_turn = False
        if self._queue or self._turn_end:
            self._wake(NEXT_TURN_S)

    def _settle(self) -> None:
        for _ in range(SETTLE_ROUNDS_MAX):
            self._run_queue()
            if not self._turn_end:
                break
            callbacks, self._turn_end = self._turn_end, []
            for callback in callbacks:
                self.guarded(callback)

    def guarded(self, action: Callable[[], None]) -> bool:
        """Run foreign code; False: it raised, which was counted."""
        try:
            action()
        except Exception as error:
            self.handler_failed(error)
            return False
        return True

    def handler_failed(self, error: Exception) -> None:
        """Foreign code raised ``error``."""
        self.handler_errors += 1
        self.internet.handler_failed(error)

    def _wake(self, delay_s: float = 0.0) -> None:
        if not self._in_turn and not self._woken and self.state is HostState.ALIVE:
            self._woken = True
            self.internet.schedule(self.now() + delay_s, self, self._awake)

    def _awake(self) -> None:
        self._woken = False


class SimulatedListener:
    """`ports.Listener`. Its backlog holds connections that their dialers see as established."""

    def __init__(
        self, host: SimulatedNetwork, address: Address, accept: Accept, tls: Tls | None
    ) -> None:
        self.tls = tls
        self._host = host
        self._address = address
        self._accept = accept
        self._paused = False
        self._resting = False
        self._closed = False
        self._backlog: deque[SimulatedConnection] = deque()
        self._errors = 0
        self._errors_turn = -1

    @property
    def address(self) -> Address:
        return self._address

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._host.soon(self._serve)

    def set_tls(
        self, tls: Tls, accept: Callable[[Connection], ConnectionHandler | None] | None = None
    ) -> None:
        assert self.tls is not None, "a listener in clear stays one"
        self.tls = tls
        self._accept = accept or self._accept

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._host.remove_listener(self._address)
            while self._backlog:
                self._backlog.popleft().abort()

    # Calls of the simulation.

    def arrived(self, end: SimulatedConnection) -> None:
        """``end`` is established (with TLS: after its handshake) and needs an owner."""
        if self._closed:
            end.abort()
            return
        self._backlog.append(end)
        self._serve()

    def _serve(self) -> None:
        while self._backlog and not (self._paused or self._resting or self._closed):
            self._hand_over(self._backlog.popleft())

    def _hand_over(self, end: SimulatedConnection) -> None:
        if end.is_closed:
            return  # Reset while it waited.
        handlers: list[ConnectionHandler | None] = []
        if not self._host.guarded(lambda: handlers.append(self._accept(end))):
            end.abort()
            self._count_error()
        elif handlers[0] is None:
            end.abort()
        else:
            end.attach(handlers[0])

    def _count_error(self) -> None:
        if self._errors_turn != self._host.turns:
            self._errors_turn, self._errors = self._host.turns, 0
        self._errors += 1
        if self._errors >= ACCEPT_ERRORS_PER_TURN_MAX:
            self._resting = True
            self._host.call_at(self._host.now() + ACCEPT_REST_S, self._rested)

    def _rested(self) -> None:
        self._resting = False
        self._serve()
