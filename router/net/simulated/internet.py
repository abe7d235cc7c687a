"""A whole internet in one process, in virtual time: one seed, one history.

Hosts are `Network`s. Between two of them packets keep their order and are never lost permanently:
packets swallowed by a cut are sent again when it heals, as TCP would, except resets.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random

from router.model.limits import TURN_EVENTS_MAX
from router.net.simulated.host import HostState, SimulatedNetwork

LOOPBACK_DELAY_S = 0.000_02
BUFFER_BYTES = 256 * 1024
Pair = tuple[str, str]


class SimulatedEvent:
    """Something that will happen at a host. Also the `ports.Timer` of the simulation."""

    __slots__ = ("action", "background")

    def __init__(self, action: Callable[[], None], background: bool) -> None:
        self.action: Callable[[], None] | None = action
        self.background = background  # A timer: does not keep the simulation from being idle.

    def cancel(self) -> None:
        self.action = None


class SimulatedPath:
    """The path from one host to another."""

    __slots__ = ("delay_s", "last_arrival", "swallowed")

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s
        self.last_arrival = 0.0
        self.swallowed: list[_Due] | None = None
        """Packets that a cut took; None: the path is open."""


Packet = tuple[Callable[[], None], SimulatedPath, bool]
"""Its effect on arrival, its path, and whether it is sent again after a cut."""
_Due = tuple[float, int, SimulatedNetwork, SimulatedEvent | Packet]
"""When, a unique number, where, what. Compared by the first two."""


class SimulatedInternet:
    """Hosts, delays and faults. ``seed`` decides cuts of the byte streams and partial writes.

    ``delay_s`` is one way, between different hosts. ``buffer_bytes`` is the capacity of both ends'
    kernels for one direction. With ``raise_errors`` an exception of a handler, which costs the
    handler its connection as in the real network, is raised again at the end of the run. Without
    ``cuts`` a write arrives in one piece, which is faster and finds fewer bugs.
    """

    def __init__(
        self,
        seed: int,
        *,
        delay_s: float = 0.001,
        buffer_bytes: int = BUFFER_BYTES,
        raise_errors: bool = True,
        cuts: bool = True,
    ) -> None:
        self.random = Random(seed)
        self.cuts = cuts
        self.buffer_bytes = buffer_bytes
        self._delay_s = delay_s
        self._raise_errors = raise_errors
        self._errors: list[Exception] = []
        self.now = 0.0
        """Virtual seconds since the beginning; set here only."""
        self._number = 0
        self._events: list[_Due] = []
        self._foreground = 0
        self._owners: dict[str, SimulatedNetwork] = {}
        self._names: dict[str, tuple[str, ...]] = {}
        self._paths: dict[Pair, SimulatedPath] = {}
        self._frozen: dict[SimulatedNetwork, list[_Due]] = {}

    # Building.

    def host(self, *ips: str) -> SimulatedNetwork:
        """The host that owns ``ips``; created if there is none, and again after `kill`."""
        assert ips, "a host has an address"
        known = self._owners.get(ips[0])
        if known is not None and known.state is not HostState.DEAD:
            assert set(ips) <= set(known.ips), "an existing host has other addresses"
            return known
        if known is not None:
            ips = tuple(dict.fromkeys([*ips, *known.ips]))
        network = SimulatedNetwork(self, ips)
        for ip in ips:
            other = self._owners.get(ip)
            assert other is None or other.state is HostState.DEAD, f"{ip} is taken"
            self._owners[ip] = network
        return network

    def set_name(self, name: str, *ips: str) -> None:
        """Set the addresses of ``name``, everywhere. No addresses: it resolves no more."""
        self._names[name] = ips

    # Faults. Hosts are named by any of their addresses.

    def set_delay(self, a: str, b: str, delay_s: float) -> None:
        """One way, for packets sent from now on, in both directions. Order is kept."""
        for path in self._both(a, b):
            path.delay_s = delay_s

    def cut(self, a: str, b: str) -> None:
        """Drop all packets between two hosts, silently, until `heal`."""
        for path in self._both(a, b):
            _cut(path)

    def cut_one_way(self, sender: str, receiver: str) -> None:
        """As `cut`, but drops only packets from ``sender``."""
        _cut(self._both(sender, receiver)[0])

    def heal(self, a: str, b: str) -> None:
        """Undo `cut`. The swallowed packets, except resets, arrive now in their order."""
        for path in self._both(a, b):
            swallowed, path.swallowed = path.swallowed, None
            for due in swallowed or ():
                self._push(due)

    def reset_all(self, a: str, b: str) -> None:
        """Reset every connection between two hosts, at both ends at once."""
        first, second = self._owners[a], self._owners[b]
        for end in first.connections():
            if end.other.host is second:
                self.schedule(self.now, first, end.reset_arrived)
                self.schedule(self.now, second, end.other.reset_arrived)

    def timers_of(self, ip: str) -> int:
        """The number of calls that the host waits for: it shows timers that never end."""
        host = self._owners[ip]
        return sum(
            at is host and type(what) is SimulatedEvent and what.background
            for _, _, at, what in self._events
            if type(what) is not SimulatedEvent or what.action is not None
        )

    def kill(self, ip: str) -> None:
        """The process dies: its handlers get no more calls, its peers get resets."""
        network = self._owners[ip]
        self._frozen.pop(network, None)
        network.die()

    def freeze(self, ip: str) -> None:
        """The host falls silent: nothing runs, nothing arrives, until `thaw`."""
        self._frozen.setdefault(self._owners[ip], [])

    def thaw(self, ip: str) -> None:
        """Undo `freeze`. Everything that waited happens now, late timers included."""
        network = self._owners[ip]
        if network in self._frozen:
            network.woke_late_at = self.now
        for due in self._frozen.pop(network, ()):
            self._push(due)

    # Running.

    def run_until(self, when: float) -> None:
        """Let everything up to ``when`` happen; time is ``when`` afterwards."""
        while self._events and self._events[0][0] <= when:
            self._turn()
        self.now = max(self.now, when)
        self._raise_first()

    def run_until_idle(self, limit_s: float = 60.0) -> None:
        """Run until only timers are left, or ``limit_s`` have passed."""
        deadline = self.now + limit_s
        while self._foreground and self._events[0][0] <= deadline:
            self._turn()
        self._raise_first()

    def run_while(self, predicate: Callable[[], bool], limit_s: float = 60.0) -> None:
        """Run while ``predicate`` holds, checked after each turn. Raises `TimeoutError` at the
        limit."""
        deadline = self.now + limit_s
        while predicate():
            if not self._events or self._events[0][0] > deadline:
                self.now = deadline
                self._raise_first()
                raise TimeoutError(f"still true at {self.now} s")
            self._turn()
        self._raise_first()

    def _turn(self) -> None:
        """Run the next event, together with other events at the same time and host."""
        events = self._events
        host: SimulatedNetwork | None = None
        for _ in range(TURN_EVENTS_MAX):
            due = heappop(events)
            action = self._happening(due)
            if action is not None:
                host = due[2]
                if due[0] > self.now:
                    self.now = due[0]
                host.run(action)
            if host is None or not events or events[0][2] is not host or events[0][0] > self.now:
                break
        if host is not None:
            host.end_turn()

    def _happening(self, due: _Due) -> Callable[[], None] | None:
        """The action to run at the host; None: none, for now or permanently."""
        _, _, host, what = due
        if type(what) is tuple:
            self._foreground -= 1
            action, path, resent = what
            if path.swallowed is not None:
                if resent:
                    path.swallowed.append(due)
                return None
            if host in self._frozen:
                self._frozen[host].append(due)
                return None
            return action  # The kernel of a dead process answers packets.
        assert type(what) is SimulatedEvent
        if not what.background:
            self._foreground -= 1
        if what.action is None:
            return None
        if host in self._frozen:
            self._frozen[host].append(due)
            return None
        if host.state is HostState.DEAD:
            return None
        action, what.action = what.action, None
        return action

    def _raise_first(self) -> None:
        if self._errors:
            error = self._errors[0]
            self._errors.clear()
            raise error

    # Calls of hosts.

    def owner_of(self, ip: str) -> SimulatedNetwork | None:
        return self._owners.get(ip)

    def addresses_of(self, name: str) -> tuple[str, ...]:
        return self._names.get(name, ())

    def handler_failed(self, error: Exception) -> None:
        if self._raise_errors:
            self._errors.append(error)

    def schedule(
        self,
        when: float,
        host: SimulatedNetwork,
        action: Callable[[], None],
        *,
        background: bool = False,
    ) -> SimulatedEvent:
        self._number += 1
        event = SimulatedEvent(action, background)
        self._push((max(when, self.now), self._number, host, event))
        return event

    def path(self, sender: SimulatedNetwork, receiver: SimulatedNetwork) -> SimulatedPath:
        """The path of packets from one host to another. It survives their restarts."""
        return self._path((sender.ips[0], receiver.ips[0]))

    def transmit(
        self,
        path: SimulatedPath,
        receiver: SimulatedNetwork,
        action: Callable[[], None],
        resent: bool = True,
    ) -> None:
        """Send a packet: ``action`` happens at ``receiver`` after the delay, in order."""
        when = self.now + path.delay_s
        if when < path.last_arrival:
            when = path.last_arrival
        path.last_arrival = when
        self._number += 1
        self._foreground += 1
        heappush(self._events, (when, self._number, receiver, (action, path, resent)))

    def _push(self, due: _Due) -> None:
        what = due[3]
        self._foreground += not (type(what) is SimulatedEvent and what.background)
        heappush(self._events, due)

    def _path(self, pair: Pair) -> SimulatedPath:
        path = self._paths.get(pair)
        if path is None:
            delay_s = LOOPBACK_DELAY_S if pair[0] == pair[1] else self._delay_s
            path = self._paths[pair] = SimulatedPath(delay_s)
        return path

    def _both(self, a: str, b: str) -> tuple[SimulatedPath, SimulatedPath]:
        first, second = self._owners[a], self._owners[b]
        return self.path(first, second), self.path(second, first)


def _cut(path: SimulatedPath) -> None:
    if path.swallowed is None:
        path.swallowed = []
