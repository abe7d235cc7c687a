"""The owner of who calls whom at this router: takes connections, names callers, keeps edges.

A connection's address says whose it is only for a while: pods come and go, and addresses are used
again. So connections of one address are counted together in slices of time, and a slice gets its
caller when it is settled who had the address all that time. A caller that is known at once needs
no slice.
"""

from collections import deque
from collections.abc import Callable, Iterator

from router.callers.edges import Edge, EdgeKey, Edges
from router.callers.names import OTHERS, CallerName, CallerNames
from router.model import limits
from router.model.ids import ServiceKey, SiteId
from router.net.ports import Address


class Origin:
    """Where requests of some connections are counted: of a caller, or of a slice without one."""

    __slots__ = ("edges",)

    def __init__(self, edges: Edges) -> None:
        self.edges = edges

    def count(self, key: ServiceKey, site: SiteId, failed: bool, seconds: float) -> None:
        """A request is over. Hot."""
        self.edges.count(key, site, failed, seconds)


class _Slice:
    """Connections of ``host`` that came from ``since`` on, until the slice ends."""

    __slots__ = ("connections", "host", "origin", "since")

    def __init__(self, host: str, since: float, origin: Origin) -> None:
        self.host, self.since, self.origin = host, since, origin
        self.connections = 0


class Callers:
    """``unix``: the time of the wall clock. `look` is called each second."""

    def __init__(self, names: CallerNames, unix: Callable[[], float]) -> None:
        self._names, self._unix = names, unix
        self._step = self._step_at(unix())
        self._turned = self._turned_before = unix()
        self._others = Edges(self._step, lambda: True)
        self._callers: dict[CallerName, Origin] = {OTHERS: Origin(self._others)}
        self._addresses = 0
        self._open: dict[str, _Slice] = {}  # Of the slice that has not ended.
        self._opened = unix()
        self._waiting: deque[tuple[float, _Slice]] = deque()  # Those that ended, and when.
        self.named = self.unnamed = 0
        """Connections whose caller was found, and those of which only an address is known."""

    def arrived(self, peer: Address, local: Address) -> Origin:
        """A client has connected from ``peer``."""
        name, host = self._names.at_once(peer, local), peer.host
        if name is not None:
            self._note(name, 1)
            return self._caller(name)
        known = self._open.get(host)
        if known is None:
            if len(self._open) + len(self._waiting) >= limits.CALLER_SLICES_MAX:
                self.unnamed += 1
                return self._callers[OTHERS]
            edges = Edges(self._step, self._has_room, self._others)
            known = self._open[host] = _Slice(host, self._unix(), Origin(edges))
        known.connections += 1
        return known.origin

    def look(self) -> None:
        """Name what is settled; begin what is due."""
        now = self._unix()
        if now - self._opened >= limits.CALLER_SLICE_S or now < self._opened:
            self._waiting.extend((now, one) for one in self._open.values())
            self._open, self._opened = {}, now
        settled = self._names.settled_until()
        while self._waiting:
            ended, one = self._waiting[0]
            if ended > settled and now - ended < limits.CALLER_UNSETTLED_S:
                break
            self._waiting.popleft()
            self._settle(one, ended)
        if now - self._turned >= limits.CALLER_MINUTE_S or now < self._turned:
            self._turned_before, self._turned = self._turned, now
            for origin in self._callers.values():
                origin.edges.turn()
        if (step := self._step_at(now)) != self._step:
            self._begin(step)

    def _settle(self, one: _Slice, ended: float) -> None:
        """Its requests, and those that its connections still bring, are its caller's."""
        name = self._names.owner(one.host, one.since, ended)
        self._note(name, one.connections)
        apart, caller = one.origin.edges, self._caller(name)
        caller.edges.add(apart)
        one.origin.edges = caller.edges

    def _note(self, name: CallerName, connections: int) -> None:
        if name.kind == "address":
            self.unnamed += connections
        else:
            self.named += connections

    def _caller(self, name: CallerName) -> Origin:
        known = self._callers.get(name)
        if known is not None:
            return known
        is_address = name.kind == "address"
        if len(self._callers) >= limits.CALLERS_MAX or (
            is_address and self._addresses >= limits.CALLER_ADDRESSES_MAX
        ):
            return self._callers[OTHERS]
        self._addresses += is_address
        made = self._callers[name] = Origin(Edges(self._step, self._has_room, self._others))
        return made

    def _has_room(self) -> bool:
        return sum(len(one.edges) for one in self._callers.values()) < limits.CALLER_EDGES_MAX

    def _step_at(self, unix: float) -> int:
        return int(unix // limits.CALLER_STEP_S)

    def _begin(self, step: int) -> None:
        self._step = step
        for name, origin in list(self._callers.items()):
            origin.edges.begin(step)
            origin.edges.forget_idle()
            if not len(origin.edges) and name != OTHERS:
                del self._callers[name]
                self._addresses -= name.kind == "address"
        for _, one in self._waiting:
            one.origin.edges.begin(step)
        for one in self._open.values():
            one.origin.edges.begin(step)

    def edges(self) -> Iterator[tuple[CallerName, EdgeKey, Edge]]:
        """What is known of all callers that have a name, in no order."""
        for name, origin in self._callers.items():
            for key, edge in origin.edges.items():
                yield name, key, edge

    def name_of(self, origin: object) -> CallerName | None:
        """The caller that ``origin`` counts for; None: it is not settled yet."""
        for name, known in self._callers.items():
            if isinstance(origin, Origin) and known.edges is origin.edges:
                return name
        return None

    @property
    def lately_s(self) -> float:
        """How long ago the minute before this one began: what `Edge.lately` is of."""
        return max(1.0, self._unix() - self._turned_before)

    @property
    def waiting(self) -> int:
        """Slices whose caller is not known yet."""
        return len(self._open) + len(self._waiting)
