"""Load reports on their way to neighbors: the newest of each kind, within a budget per link.

Waiting reports are joined: only the newest report of a service port at a router is ever under way.
So a link costs at most its budget, and as the network grows, only the age of reports grows.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from enum import IntEnum
from heapq import heappop, heappush
from itertools import zip_longest
from math import ceil

import msgspec

from router.model.ids import RouterId, ServiceKey
from router.model.limits import (
    LOAD_BATCH_S,
    LOAD_LINK_BURST_BYTES,
    LOAD_LINK_BYTES_PER_S,
    LOAD_MESSAGE_BYTES,
    LOAD_NEAR_HOPS,
    LOAD_REFRESH_BYTES_PER_S,
    LOAD_REFRESH_S,
    LOAD_REFRESH_S_MAX,
    LOAD_REPORT_BYTES,
    LOADS_PER_MESSAGE_MAX,
)
from router.model.messages import packed
from router.model.messages.adverts import LoadReport

Pair = tuple[RouterId, ServiceKey]


class Weighed(msgspec.Struct, frozen=True):
    """A report, its key, and its bytes on the wire without its share of the message: computed once
    for all neighbors."""

    report: LoadReport
    pair: Pair
    size_bytes: int


def weighed(report: LoadReport) -> Weighed:
    """``report``, ready for queues."""
    return Weighed(report, (report.router, report.key), len(packed.pack(report)))


class Urgency(IntEnum):
    """Order of load reports. Near: at most `LOAD_NEAR_HOPS` away, this site included."""

    FLIP = 0
    FAR_FLIP = 1
    CHANGE = 2
    FAR_CHANGE = 3
    REFRESH = 4


# Each turn takes one report of that urgency, or else of the first that has any: each urgency has a
# share, so that none waits forever behind the more urgent ones.
_TURNS = (
    Urgency.FLIP,
    Urgency.FAR_FLIP,
    Urgency.FLIP,
    Urgency.CHANGE,
    Urgency.FLIP,
    Urgency.FAR_FLIP,
    Urgency.FAR_CHANGE,
    Urgency.FLIP,
    Urgency.CHANGE,
    Urgency.REFRESH,
)


def urgency(before: LoadReport | None, report: LoadReport, hops: int) -> Urgency:
    """How urgent ``report`` is for a router that has ``before``, ``hops`` away from its origin."""
    is_near = hops <= LOAD_NEAR_HOPS
    if before is None or _states(before) != _states(report):
        return Urgency.FLIP if is_near else Urgency.FAR_FLIP
    if _figures(before) == _figures(report):
        return Urgency.REFRESH
    return Urgency.CHANGE if is_near else Urgency.FAR_CHANGE


def _states(report: LoadReport) -> tuple[bool, bool, bool, int, bool]:
    """Full or free, for others and for its own site, none ready or some, the state of its rate, and
    whether its router refuses all new requests."""
    capacity, in_flight = report.capacity, report.in_flight
    is_full = capacity is not None and in_flight >= capacity
    is_full_for_own = capacity is not None and in_flight >= capacity + report.reserved
    state = report.rate.state if report.rate else 0
    return is_full, is_full_for_own, report.targets_ready > 0, state, report.refuses


def _figures(report: LoadReport) -> tuple[object, ...]:
    held = (report.in_flight, report.beyond, report.waiting)
    lent = (report.capacity, report.reserved, report.most_for_one)
    return *held, report.targets_ready, *lent, report.rate


def refresh_s(pairs: int) -> float:
    """Seconds between two refreshes of all reports, by the number of known service ports."""
    share_s = pairs * LOAD_REPORT_BYTES / LOAD_REFRESH_BYTES_PER_S
    return min(max(LOAD_REFRESH_S, share_s), LOAD_REFRESH_S_MAX)


class _Turns:
    """Reports of one urgency: routers take turns, so that one with many cannot crowd others out."""

    __slots__ = ("by_router",)

    def __init__(self) -> None:
        self.by_router: OrderedDict[RouterId, OrderedDict[ServiceKey, Weighed]] = OrderedDict()

    def put(self, said: Weighed) -> None:
        """Add ``said``, in the place of an older report if there is one."""
        router, key = said.pair
        reports = self.by_router.get(router)
        if reports is None:
            reports = self.by_router[router] = OrderedDict()
        reports[key] = said

    def first(self) -> Weighed:
        return next(iter(next(iter(self.by_router.values())).values()))

    def pop(self) -> None:
        """Remove the first; its router comes last now."""
        router, reports = self.by_router.popitem(last=False)
        reports.popitem(last=False)
        if reports:
            self.by_router[router] = reports

    def in_turn(self) -> list[Weighed]:
        """All reports in the order of `first` and `pop`."""
        rows = zip_longest(*[reports.values() for reports in self.by_router.values()])
        return [said for row in rows for said in row if said is not None]

    def remove(self, pair: Pair) -> None:
        router, key = pair
        reports = self.by_router[router]
        del reports[key]
        if not reports:
            del self.by_router[router]


class LoadQueue:
    """Load reports that wait for one neighbor."""

    __slots__ = ("_at", "_sent_at", "_tokens", "_turn", "_turns", "_urgency")

    def __init__(self, now: float) -> None:
        self._turns = tuple(_Turns() for _ in Urgency)
        self._urgency: dict[Pair, Urgency] = {}
        self._tokens, self._at = float(LOAD_LINK_BURST_BYTES), now
        self._sent_at = float("-inf")
        self._turn = 0

    def __len__(self) -> int:
        return len(self._urgency)

    def put(self, said: Weighed, how: Urgency) -> None:
        """Queue a report. It replaces the waiting one of its service port, and never waits longer
        than that one would have."""
        pair = said.pair
        waiting = self._urgency.get(pair)
        if waiting is not None and how < waiting:
            self._turns[waiting].remove(pair)
            waiting = None
        if waiting is None:
            self._urgency[pair] = waiting = how
        self._turns[waiting].put(said)

    def keep(self, is_known: Callable[[RouterId, ServiceKey], bool]) -> None:
        """Drop all reports but those of known service ports."""
        for pair in [pair for pair in self._urgency if not is_known(*pair)]:
            self._turns[self._urgency.pop(pair)].remove(pair)

    def ready_at(self, now: float) -> float | None:
        """When `take` returns reports, with the budget known ``now``; None: nothing waits."""
        if not self._urgency:
            return None
        # One batch later the largest report is affordable, whatever is left now.
        return now if self._is_calm(now) else self._sent_at + LOAD_BATCH_S

    def take(self, now: float) -> list[LoadReport]:
        """Take the reports to send now, most urgent first; they count as sent."""
        if not self._urgency or not (
            self._is_calm(now) or now >= self._sent_at + LOAD_BATCH_S - 1e-9
        ):
            return []
        self._refill(now)
        taken = self._all_of_one_kind() or self._some()
        if taken:
            self._sent_at = now
        return taken

    def _all_of_one_kind(self) -> list[LoadReport]:
        """The result of `_some` if all reports have one urgency and fit, as when idle."""
        kinds = [turns for turns in self._turns if turns.by_router]
        if len(kinds) > 1:
            return []
        taken = kinds[0].in_turn()
        cost = sum([said.size_bytes for said in taken])
        cost += LOAD_MESSAGE_BYTES * ceil(len(taken) / LOADS_PER_MESSAGE_MAX)
        if cost > self._tokens:
            return []
        self._tokens -= cost
        kinds[0].by_router.clear()
        self._urgency.clear()
        self._turn = (self._turn + len(taken)) % len(_TURNS)
        return [said.report for said in taken]

    def _some(self) -> list[LoadReport]:
        """As many reports as are affordable, most urgent first."""
        taken: list[LoadReport] = []
        while self._urgency:
            turns = self._turns[_TURNS[self._turn]]
            if not turns.by_router:
                turns = next(turns for turns in self._turns if turns.by_router)
            said = turns.first()
            cost = said.size_bytes
            if len(taken) % LOADS_PER_MESSAGE_MAX == 0:
                cost += LOAD_MESSAGE_BYTES
            if cost > self._tokens:
                break
            self._tokens -= cost
            turns.pop()
            del self._urgency[said.pair]
            self._turn = (self._turn + 1) % len(_TURNS)
            taken.append(said.report)
        return taken

    def _is_calm(self, now: float) -> bool:
        """Half of the burst is left: reports need not gather."""
        gained = max(0.0, now - self._at) * LOAD_LINK_BYTES_PER_S
        return self._tokens + gained >= LOAD_LINK_BURST_BYTES / 2

    def _refill(self, now: float) -> None:
        if now > self._at:
            gained = (now - self._at) * LOAD_LINK_BYTES_PER_S
            self._tokens = min(LOAD_LINK_BURST_BYTES, self._tokens + gained)
            self._at = now


class LoadPace:
    """Load reports for all neighbors, within a budget for each link. `LoadExchange` sends them.

    A hub has hundreds of neighbors: the work that is done once per report does not grow with them.
    """

    __slots__ = ("_deadlines", "_gathering", "_queues", "_waiting")

    def __init__(self) -> None:
        self._queues: dict[RouterId, LoadQueue] = {}
        # Neighbors with waiting reports, and when to send.
        self._waiting: dict[RouterId, float] = {}
        self._gathering: set[RouterId] = set()  # Those whose reports are not urgent.
        # The same, earliest first; stale entries are no longer in `_waiting`.
        self._deadlines: list[tuple[float, RouterId]] = []

    @property
    def pending(self) -> int:
        """Waiting reports, for all neighbors together."""
        return sum(len(self._queues[router]) for router in self._waiting)

    def put(
        self,
        neighbours: Iterable[RouterId],
        report: LoadReport,
        how: Urgency,
        now: float,
        gathers_s: float = 0.0,
    ) -> None:
        """Queue ``report`` for ``neighbours``, to be sent when the budget of each link allows.

        With ``gathers_s``, at the latest after that time: any earlier message takes it along.
        """
        said = weighed(report)
        for neighbour in neighbours:
            queue = self._queues.get(neighbour)
            if queue is None:
                queue = self._queues[neighbour] = LoadQueue(now)
            queue.put(said, how)
            if neighbour not in self._waiting:
                self._wait(neighbour, queue, now, now + gathers_s)
                if gathers_s:
                    self._gathering.add(neighbour)
            elif not gathers_s and neighbour in self._gathering:
                self._gathering.discard(neighbour)
                self._wait(neighbour, queue, now)

    def forget(self, neighbour: RouterId) -> None:
        """Drop the queue of a neighbor whose link is down."""
        self._queues.pop(neighbour, None)
        self._stop_waiting(neighbour)

    def keep(self, is_known: Callable[[RouterId, ServiceKey], bool]) -> None:
        """Drop the reports of service ports that are no longer known."""
        for router in list(self._waiting):
            self._queues[router].keep(is_known)
            if not self._queues[router]:
                self._stop_waiting(router)

    def next_deadline(self) -> float | None:
        """When to call `due` (monotonic seconds). None: no report waits."""
        deadlines = self._deadlines
        while deadlines and self._waiting.get(deadlines[0][1]) != deadlines[0][0]:
            heappop(deadlines)
        return deadlines[0][0] if deadlines else None

    def due(self, now: float) -> list[tuple[RouterId, list[LoadReport]]]:
        """The reports to send now, by neighbor. Early, late and double calls are harmless."""
        ready: list[RouterId] = []
        while (at := self.next_deadline()) is not None and at <= now:
            _, router = heappop(self._deadlines)
            self._stop_waiting(router)
            ready.append(router)
        found: list[tuple[RouterId, list[LoadReport]]] = []
        for router in ready:
            queue = self._queues[router]
            reports = queue.take(now)
            if reports:
                found.append((router, reports))
            self._wait(router, queue, now)
        return found

    def _stop_waiting(self, router: RouterId) -> None:
        self._waiting.pop(router, None)
        self._gathering.discard(router)

    def _wait(self, router: RouterId, queue: LoadQueue, now: float, at_least: float = 0.0) -> None:
        at = queue.ready_at(now)
        if at is not None:
            self._waiting[router] = at = max(at, at_least)
            heappush(self._deadlines, (at, router))
