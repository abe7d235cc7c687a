"""Load reports of other routers: unsigned advice, bounded by what is signed."""

import msgspec

from router.model.adverts import LoadReport
from router.model.ids import RouterId, ServiceKey
from router.routing.table import RouteTable


class AcceptedLoad(msgspec.Struct, frozen=True):
    """``report`` with its capacity and rate bounded; the original goes on to ``forward_to``."""

    report: LoadReport
    forward_to: tuple[RouterId, ...]


class _Held(msgspec.Struct, frozen=True):
    epoch: int
    report: LoadReport
    received_at: float


class LoadTable:
    """The last report of each (router, service port). Bounded by the candidates of the table."""

    __slots__ = ("_held", "refused")

    def __init__(self) -> None:
        self._held: dict[tuple[RouterId, ServiceKey], _Held] = {}
        self.refused = 0

    def accept(
        self, report: LoadReport, from_router: RouterId, table: RouteTable, now: float
    ) -> AcceptedLoad | None:
        """None: not from a cheapest next hop to its router, not newer, or about nothing known.

        All other neighbours get it; those that are not reached cheapest over us drop it. A new
        epoch of its router starts ``seq`` anew.
        """
        candidate = table.candidate(report.router, report.key)
        epoch = table.epochs.get(report.router)
        held = self._held.get((report.router, report.key))
        if (
            candidate is None
            or epoch is None
            or report.in_flight < 0
            or report.targets_ready < 0
            or (report.capacity is not None and report.capacity < 0)
            or (report.rate is not None and report.rate.is_bad)
            or not table.next_hop_is_cheapest(report.router, from_router)
            or (held is not None and held.epoch == epoch and held.report.seq >= report.seq)
        ):
            self.refused += 1
            return None
        bounded = report
        if candidate.capacity is not None:
            told = candidate.capacity if report.capacity is None else report.capacity
            bounded = msgspec.structs.replace(report, capacity=min(told, candidate.capacity))
        if report.rate is not None and candidate.rate_per_s is not None:
            per_s = min(report.rate.per_s, candidate.rate_per_s)
            rate = msgspec.structs.replace(report.rate, per_s=per_s)
            bounded = msgspec.structs.replace(bounded, rate=rate)
        self._held[report.router, report.key] = _Held(epoch, bounded, now)
        forward_to = tuple(
            router for router in table.adjacencies if router not in (from_router, report.router)
        )
        return AcceptedLoad(bounded, forward_to)

    def last(self, router: RouterId, key: ServiceKey) -> tuple[LoadReport, float] | None:
        """The last report, bounded, and when it was heard."""
        held = self._held.get((router, key))
        return (held.report, held.received_at) if held else None

    def table_changed(self, table: RouteTable) -> None:
        """Forget those whose router is not a candidate any more."""
        self._held = {
            (router, key): held
            for (router, key), held in self._held.items()
            if table.candidate(router, key)
        }
