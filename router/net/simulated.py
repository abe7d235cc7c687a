"""A whole internet in one process, in virtual time: one seed, one history.

Hosts are `Network`s. Between two of them packets keep their order and are never lost for good:
what a cut swallows is sent again when it heals, as TCP would, except resets.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random

from router.model.limits import TURN_EVENTS_MAX
from router.net.simulated_host import HostState, SimulatedNetwork

LOOPBACK_DELAY_S = 0.000_02
BUFFER_BYTES = 256 * 1024
Pair = tuple[str, str]


class SimulatedEvent:
    """Something that will happen at a host. Also the `ports.Timer` of the simulation."""

    __slots__ = ("action", "background", "host", "number", "pair", "resent", "when")

    def __init__(
        self,
        when: float,
        number: int,
        host: SimulatedNetwork,
        action: Callable[[], None],
        *,
        background: bool = False,
        pair: Pair | None = None,
        resent: bool = True,
    ) -> None:
        self.when = when
        self.number = number
        self.host = host
        self.action: Callable[[], None] | None = action
        self.background = background  # A timer: does not keep the simulation from being idle.
        self.pair = pair  # A packet: from which host to which.
        self.resent = resent

    def cancel(self) -> None:
        self.action = None


class SimulatedInternet:
    """Hosts, delays and faults. ``seed`` decides cuts of the byte streams and partial writes.

    ``delay_s`` is one way, between different hosts. ``buffer_bytes`` is what the kernels of both
    ends hold of one direction. With ``raise_errors`` an exception of a handler, which costs the
    handler its connection as in the real network, is raised again at the end of the run. Without
    ``cuts`` what is sent arrives in one piece, which is faster and finds fewer bugs.
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
        self._now = 0.0
        self._number = 0
        self._events: list[
            tuple[float, int, SimulatedEvent]
        ] = []  # Compared by moment, then by number.
        self._foreground = 0
        self._owners: dict[str, SimulatedNetwork] = {}
        self._names: dict[str, tuple[str, ...]] = {}
        self._delays: dict[Pair, float] = {}
        self._last_arrival: dict[Pair, float] = {}
        self._cuts: dict[Pair, list[SimulatedEvent]] = {}
        self._frozen: dict[SimulatedNetwork, list[SimulatedEvent]] = {}

    # Building.

    @property
    def now(self) -> float:
        """Virtual seconds since the beginning."""
        return self._now

    def host(self, *ips: str) -> SimulatedNetwork:
        """The host that owns ``ips``; made, or made anew after `kill`, when there is none."""
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
        """What ``name`` resolves to, everywhere. No addresses: nothing any more."""
        self._names[name] = ips

    # Faults. Hosts are named by any of their addresses.

    def set_delay(self, a: str, b: str, delay_s: float) -> None:
        """One way, for packets sent from now on, in both directions. Order is kept."""
        for pair in self._both(a, b):
            self._delays[pair] = delay_s

    def cut(self, a: str, b: str) -> None:
        """Drop all packets between two hosts, silently, until `heal`."""
        for pair in self._both(a, b):
            self._cuts.setdefault(pair, [])

    def cut_one_way(self, sender: str, receiver: str) -> None:
        """As `cut`, but only what ``sender`` sends is dropped."""
        pair, _ = self._both(sender, receiver)
        self._cuts.setdefault(pair, [])

    def heal(self, a: str, b: str) -> None:
        """Undo `cut`. What was swallowed, but for resets, arrives now in its order."""
        for pair in self._both(a, b):
            for event in self._cuts.pop(pair, ()):
                self._push(event)

    def reset_all(self, a: str, b: str) -> None:
        """Reset every connection between two hosts, at both ends at once."""
        first, second = self._owners[a], self._owners[b]
        for end in first.connections():
            if end.other.host is second:
                self.schedule(self._now, first, end.reset_arrived)
                self.schedule(self._now, second, end.other.reset_arrived)

    def timers_of(self, ip: str) -> int:
        """How many calls the host waits for: what never ends shows here."""
        host = self._owners[ip]
        return sum(
            event.background and event.host is host and event.action is not None
            for _, _, event in self._events
        )

    def kill(self, ip: str) -> None:
        """The process dies: its handlers hear nothing more, its peers get resets."""
        network = self._owners[ip]
        self._frozen.pop(network, None)
        network.die()

    def freeze(self, ip: str) -> None:
        """The host falls silent: nothing runs, nothing arrives, until `thaw`."""
        self._frozen.setdefault(self._owners[ip], [])

    def thaw(self, ip: str) -> None:
        """Undo `freeze`. All that waited happens now, late timers included."""
        for event in self._frozen.pop(self._owners[ip], ()):
            self._push(event)

    # Running.

    def run_until(self, when: float) -> None:
        """Let everything up to ``when`` happen; time is ``when`` afterwards."""
        while self._events and self._events[0][0] <= when:
            self._turn()
        self._now = max(self._now, when)
        self._raise_first()

    def run_until_idle(self, limit_s: float = 60.0) -> None:
        """Until only timers are left, or ``limit_s`` have passed."""
        deadline = self._now + limit_s
        while self._foreground and self._events[0][0] <= deadline:
            self._turn()
        self._raise_first()

    def run_while(self, predicate: Callable[[], bool], limit_s: float = 60.0) -> None:
        """While ``predicate`` holds, asked after each turn. Raises `TimeoutError` at the limit."""
        deadline = self._now + limit_s
        while predicate():
            if not self._events or self._events[0][0] > deadline:
                self._now = deadline
                self._raise_first()
                raise TimeoutError(f"still true at {self._now} s")
            self._turn()
        self._raise_first()

    def _turn(self) -> None:
        """What happens next, together with what else happens then and there."""
        host: SimulatedNetwork | None = None
        for _ in range(TURN_EVENTS_MAX):
            event = heappop(self._events)[2]
            self._foreground -= not event.background
            if self._happens(event):
                self._now = max(self._now, event.when)
                host = event.host
                action, event.action = event.action, None
                if action is not None:
                    host.run(action)
            following = self._events[0][2] if self._events else None
            if (
                host is None
                or following is None
                or following.host is not host
                or following.when > self._now
            ):
                break
        if host is not None:
            host.end_turn()

    def _happens(self, event: SimulatedEvent) -> bool:
        if event.action is None:
            return False
        if event.pair is not None and event.pair in self._cuts:
            if event.resent:
                self._cuts[event.pair].append(event)
            return False
        if event.host in self._frozen:
            self._frozen[event.host].append(event)
            return False
        # Packets to a dead process are answered by its kernel.
        return event.pair is not None or event.host.state is not HostState.DEAD

    def _raise_first(self) -> None:
        if self._errors:
            error = self._errors[0]
            self._errors.clear()
            raise error

    # What hosts use.

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
        event = SimulatedEvent(
            max(when, self._now), self._number, host, action, background=background
        )
        self._push(event)
        return event

    def transmit(
        self,
        sender: SimulatedNetwork,
        receiver: SimulatedNetwork,
        action: Callable[[], None],
        *,
        resent: bool = True,
    ) -> None:
        """Send a packet: ``action`` happens at ``receiver`` after the delay, in order."""
        pair = (sender.ips[0], receiver.ips[0])
        usual_s = LOOPBACK_DELAY_S if sender is receiver else self._delay_s
        when = self._now + self._delays.get(pair, usual_s)
        when = self._last_arrival[pair] = max(when, self._last_arrival.get(pair, 0.0))
        self._number += 1
        self._push(SimulatedEvent(when, self._number, receiver, action, pair=pair, resent=resent))

    def _push(self, event: SimulatedEvent) -> None:
        self._foreground += not event.background
        heappush(self._events, (event.when, event.number, event))

    def _both(self, a: str, b: str) -> tuple[Pair, Pair]:
        first, second = self._owners[a].ips[0], self._owners[b].ips[0]
        return (first, second), (second, first)
