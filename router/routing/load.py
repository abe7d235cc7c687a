"""Load reports of other routers: unsigned advice, bounded by signed values.

Their numbers distinguish a router's processes before and after a restart: an old report may come
late, over a neighbor that had not learned of the restart, and must not count as a new one.
"""

import msgspec

from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.limits import COUNTER_MAX, RATE_SUM_MAX
from router.model.messages.adverts import LoadReport, RemoteCandidate
from router.routing.load_pace import Urgency, urgency
from router.routing.table import RouteTable

_NUMBERS = 2**20
"""Per epoch. Epochs are at least the wall clock's seconds, and no router reports that often."""

_LIVES_MAX = COUNTER_MAX // _NUMBERS

_LIVES_MIN = 2**30
"""The year 2004. Routers of an older version count from 1, and never get that far."""


def first_number(epoch: int) -> int:
    """The first number for reports of a router with ``epoch``."""
    return min(epoch, _LIVES_MAX) * _NUMBERS


class AcceptedLoad(msgspec.Struct, frozen=True):
    """``report`` with its capacity and rate bounded; the original goes on to ``forward_to``."""

    report: LoadReport
    site: SiteId
    forward_to: tuple[RouterId, ...]
    urgency: Urgency


class _Held(msgspec.Struct, frozen=True):
    epoch: int  # In the table at that time.
    life: int  # The same epoch, or a later one.
    report: LoadReport  # Bounded.
    received_at: float
    original: LoadReport


class LoadTable:
    """The last report of each (router, service port). Bounded by the candidates of the table."""

    __slots__ = ("_candidates", "_forward_to", "_held", "_table")

    def __init__(self) -> None:
        self._held: dict[tuple[RouterId, ServiceKey], _Held] = {}
        self._table: RouteTable | None = None
        self._candidates: dict[tuple[RouterId, ServiceKey], RemoteCandidate] = {}
        self._forward_to: dict[RouterId, tuple[RouterId, ...]] = {}

    def accept(
        self, report: LoadReport, from_router: RouterId, table: RouteTable, now: float
    ) -> AcceptedLoad | None:
        """None: not from a cheapest next hop to its router, not newer, or not about a known
        candidate.

        It goes on to all neighbors except the cheapest next hops to its router, which cannot reach
        that router over us; other neighbors that cannot reach it so drop the report. It may be from
        a restart that the table does not know yet, never from before the one it knows.
        """
        self._follow(table)
        pair = (report.router, report.key)
        candidate = self._candidates.get(pair)
        epoch = table.epochs.get(report.router)
        held = self._held.get(pair)
        if candidate is None or epoch is None:
            return None
        life = report.seq // _NUMBERS
        if not _LIVES_MIN <= life < _LIVES_MAX:
            life = epoch  # The number says nothing.
        if (
            life < epoch
            or min(report.in_flight, report.beyond, report.waiting) < 0
            or report.targets_ready < 0
            or min(report.reserved, report.most_for_one or 0) < 0
            or (report.capacity is not None and report.capacity < 0)
            or (report.rate is not None and report.rate.is_bad)
            or not (report.asked_per_s is None or 0 <= report.asked_per_s <= RATE_SUM_MAX)
            or not table.next_hop_is_cheapest(report.router, from_router)
            or (held is not None and (held.life, held.report.seq) >= (life, report.seq))
        ):
            return None
        bounded = report
        if candidate.capacity is not None:
            told = candidate.capacity if report.capacity is None else report.capacity
            bounded = msgspec.structs.replace(report, capacity=min(told, candidate.capacity))
        if report.rate is not None and candidate.rate_per_s is not None:
            per_s = min(report.rate.per_s, candidate.rate_per_s)
            rate = msgspec.structs.replace(report.rate, per_s=per_s)
            bounded = msgspec.structs.replace(bounded, rate=rate)
        before = held.original if held is not None else None
        self._held[pair] = _Held(epoch, life, bounded, now, report)
        return AcceptedLoad(
            bounded,
            candidate.site,
            self._onward(report.router),
            urgency(before, report, len(candidate.paths[0])),
        )

    def last(self, router: RouterId, key: ServiceKey) -> tuple[LoadReport, float] | None:
        """The last report, bounded, and when it was received."""
        held = self._held.get((router, key))
        return (held.report, held.received_at) if held else None

    def originals(self, neighbour: RouterId) -> list[LoadReport]:
        """The last reports in their original form, for all routers that ``neighbour`` may reach
        over us."""
        return [
            held.original
            for (router, _), held in self._held.items()
            if neighbour in self._onward(router)
        ]

    def is_candidate(self, router: RouterId, key: ServiceKey) -> bool:
        """Whether ``router`` has a connector for ``key``, by the newest table."""
        return (router, key) in self._candidates

    @property
    def candidates(self) -> int:
        """Service ports of other routers, by the newest table."""
        return len(self._candidates)

    def table_changed(self, table: RouteTable) -> None:
        """Forget reports of routers that are no longer candidates, or have restarted since."""
        self._follow(table)
        self._held = {
            pair: held
            for pair, held in self._held.items()
            if pair in self._candidates and table.epochs.get(pair[0]) in (held.epoch, held.life)
        }

    def _follow(self, table: RouteTable) -> None:
        """Use ``table`` from now on. O(candidates) when it is another one."""
        if table is self._table:
            return
        self._table = table
        self._candidates = {
            (candidate.router, key): candidate
            for key in {**table.candidates, **table.withheld}
            # Reports of candidates for others are passed on.
            for candidate in table.everywhere(key)
        }
        self._forward_to = {}

    def _onward(self, router: RouterId) -> tuple[RouterId, ...]:
        """The neighbors that get reports of ``router``."""
        onward = self._forward_to.get(router)
        if onward is None:
            assert self._table is not None, "only a table makes candidates"
            towards = self._table.next_hops.get(router, frozenset())
            onward = self._forward_to[router] = tuple(
                neighbour
                for neighbour in self._table.adjacencies
                if neighbour not in towards and neighbour != router
            )
        return onward
