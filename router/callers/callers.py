"""Owner of the call graph at this router: takes connections, names callers, keeps edges.

An address identifies a caller only for a while: pods come and go, and addresses are reused. So
connections from one address are counted together in time slices. A slice gets its caller once it is
certain who had the address during the whole slice. A caller that is known at once needs no slice.
All times are of one clock that is never set.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final
from weakref import WeakValueDictionary

from router.callers.edges import CallerTally, Edge, EdgeKey
from router.callers.names import OTHERS, CallerName, CallerNames
from router.callers.target_calls import TargetCalls
from router.model import limits
from router.model.ids import ServiceKey, SiteId
from router.net.ports import Address

_PENDING: Final = CallerName("others", "")  # Name of a slice's origin; never shown.


class CallerOrigin:
    """Counts the requests of some connections: those of a caller, or of a slice without one yet.

    Connections refer to an origin. A slice's origin forwards to its caller's once that is known.
    """

    __slots__ = ("__weakref__", "_home", "by_key", "caller", "name")

    def __init__(self, home: "Callers", name: CallerName) -> None:
        self._home = home
        self.name = name
        self.by_key: dict[EdgeKey, CallerTally] = {}
        """For a caller, each value is an `Edge`."""
        self.caller: CallerOrigin | None = None
        """The origin that shares its ``by_key`` with this one; None: this one has a separate
        one."""

    def count(self, key: ServiceKey, site: SiteId, failed: bool, bucket: int) -> None:
        """Count a finished request. ``bucket``: its latency bucket, one of the fine ones of
        `latency`. Hot.
        """
        try:
            tally = self.by_key[key, site]
        except KeyError:
            tally = self._home.tally(self.caller or self, (key, site))
        tally.requests += 1
        tally.failed += failed
        tally.counts[bucket] += 1


class _Slice:
    """Connections from ``host`` that came after ``since``, until the slice ends."""

    __slots__ = ("connections", "host", "origin", "since")

    def __init__(self, host: str, since: float, origin: CallerOrigin) -> None:
        self.host, self.since, self.origin = host, since, origin
        self.connections = 0


class Callers:
    """``now``: seconds of a clock that is never set. `look` is called each second."""

    def __init__(self, names: CallerNames, now: Callable[[], float]) -> None:
        self._names, self._now = names, now
        self._step = self._step_at(now())
        self._turned = self._turned_before = now()
        self._others = CallerOrigin(self, OTHERS)
        self._callers: dict[CallerName, CallerOrigin] = {OTHERS: self._others}
        self._quiet: WeakValueDictionary[CallerName, CallerOrigin] = WeakValueDictionary()
        """Callers without an edge that still have open connections."""
        self._addresses = self._edges = self._tallies = 0
        self._open: dict[str, _Slice] = {}  # The current slices.
        self._opened = now()
        self._waiting: deque[tuple[float, _Slice]] = deque()  # Ended slices, and when they ended.
        self.targets = TargetCalls(self._step)
        self.named = self.unnamed = 0
        """Connections whose caller was found, and those of which only an address is known."""

    def arrived(self, peer: Address, local: Address) -> CallerOrigin:
        """A client has connected from ``peer``."""
        name, host = self._names.at_once(peer, local), peer.host
        if name is not None:
            self._note(name, 1)
            return self._caller(name)
        known = self._open.get(host)
        if known is None:
            if self.waiting >= limits.CALLER_SLICES_MAX:
                self.unnamed += 1
                return self._others
            known = self._open[host] = _Slice(host, self._now(), CallerOrigin(self, _PENDING))
        known.connections += 1
        return known.origin

    def tally(self, origin: CallerOrigin, key: EdgeKey) -> CallerTally:
        """The tally for requests of ``origin``, a caller's or a slice's; created on first use."""
        known = origin.by_key.get(key)
        if known is not None:
            return known
        if origin.name is _PENDING:
            if self._tallies >= limits.CALLER_SLICES_MAX:
                return self.tally(self._others, key)
            self._tallies += 1
            made = origin.by_key[key] = CallerTally()
            return made
        return self._edge(origin, key)

    def _edge(self, caller: CallerOrigin, key: EdgeKey) -> Edge:
        known = caller.by_key.get(key)
        if known is not None:
            assert isinstance(known, Edge), "a caller has nothing else"
            return known
        if caller is not self._others:  # The others have at most services × sites.
            if self._edges >= limits.CALLER_EDGES_MAX:
                return self._edge(self._others, key)
            self._edges += 1
        self._callers[caller.name] = caller  # It may have been quiet.
        self._quiet.pop(caller.name, None)
        edge = caller.by_key[key] = Edge(self._step)
        return edge

    def look(self) -> None:
        """Name the callers of settled slices; start a new slice, minute or step when it is due."""
        now = self._now()
        if now - self._opened >= self._slice_s():
            self._waiting.extend((now, one) for one in self._open.values())
            self._open, self._opened = {}, now
        settled = self._names.settled_until()
        while self._waiting:
            ended, one = self._waiting[0]
            if ended > settled and now - ended < limits.CALLER_UNSETTLED_S:
                break
            self._waiting.popleft()
            self._settle(one, ended)
        if now - self._turned >= limits.CALLER_MINUTE_S:
            self._turned_before, self._turned = self._turned, now
            for edge in self._all_edges():
                edge.turn()
            self.targets.turn()
        if (step := self._step_at(now)) != self._step:
            self._begin(step)
            self.targets.begin(step)

    def _slice_s(self) -> float:
        """Length of a slice; longer while many wait: fewer callers are found, but more addresses
        fit.
        """
        is_much = 4 * self.waiting > limits.CALLER_SLICES_MAX
        return limits.CALLER_LONG_SLICE_S if is_much else limits.CALLER_SLICE_S

    def _settle(self, one: _Slice, ended: float) -> None:
        """Assign the slice's requests, also those still to come on its connections, to its
        caller."""
        name = self._names.owner(one.host, one.since, ended)
        self._note(name, one.connections)
        origin, caller = one.origin, self._caller(name)
        self._tallies -= len(origin.by_key)
        for key, tally in origin.by_key.items():
            self._edge(caller, key).add(tally)
        origin.by_key, origin.caller = caller.by_key, caller

    def _note(self, name: CallerName, connections: int) -> None:
        if name.kind in ("address", "node"):
            self.unnamed += connections
        else:
            self.named += connections

    def _caller(self, name: CallerName) -> CallerOrigin:
        known = self._callers.get(name) or self._quiet.get(name)
        if known is not None:
            return known
        is_address = name.kind == "address"
        if len(self._callers) + len(self._quiet) >= limits.CALLERS_MAX or (
            is_address and self._addresses >= limits.CALLER_ADDRESSES_MAX
        ):
            return self._others
        self._addresses += is_address
        made = self._callers[name] = CallerOrigin(self, name)
        return made

    @property
    def current_step_s(self) -> float:
        """How long the current step of the histories has lasted."""
        return self._now() - self._step * limits.CALLER_STEP_S

    def _step_at(self, now: float) -> int:
        return int(now // limits.CALLER_STEP_S)

    def _begin(self, step: int) -> None:
        self._step = step
        is_crowded = 4 * (len(self._callers) + len(self._quiet)) > 3 * limits.CALLERS_MAX
        for name, origin in list(self._callers.items()):
            edges = list(self._edges_of(origin))
            for _, edge in edges:
                edge.begin(step)
            goes_early = is_crowded and all(
                edge.was_idle(limits.CALLER_CROWDED_STEPS) for _, edge in edges
            )
            for key, edge in edges:
                if edge.is_idle or goes_early:
                    del origin.by_key[key]
                    self._edges -= name != OTHERS
            if not origin.by_key and name != OTHERS:  # Still connected, perhaps.
                del self._callers[name]
                self._quiet[name] = origin
        # Otherwise this variable would keep the last origin among the quiet ones.
        del origin
        known = (*self._callers, *self._quiet)
        self._addresses = sum(name.kind == "address" for name in known)

    def _edges_of(self, caller: CallerOrigin) -> Iterator[tuple[EdgeKey, Edge]]:
        for key, edge in caller.by_key.items():
            assert isinstance(edge, Edge), "a caller has nothing else"
            yield key, edge

    def _all_edges(self) -> Iterator[Edge]:
        return (edge for one in self._callers.values() for _, edge in self._edges_of(one))

    def edges(self) -> Iterator[tuple[CallerName, EdgeKey, Edge]]:
        """All edges of named callers, unordered."""
        for name, origin in self._callers.items():
            for key, edge in self._edges_of(origin):
                yield name, key, edge

    def name_of(self, origin: object) -> CallerName | None:
        """The caller that ``origin`` counts for; None: not settled yet."""
        if not isinstance(origin, CallerOrigin):
            return None
        name = (origin.caller or origin).name
        return None if name is _PENDING else name

    @property
    def lately_s(self) -> float:
        """Seconds since the start of the previous minute: the period that `Edge.lately` covers."""
        return max(1.0, self._now() - self._turned_before)

    @property
    def waiting(self) -> int:
        """Slices whose caller is not known yet."""
        return len(self._open) + len(self._waiting)
