"""Recent figures of a service port at each worker of a router, and their sums. Pure."""

from collections.abc import Sequence
from itertools import chain

import msgspec

from router.admin.views.services import RateView
from router.balance.site_gate import RateState, of_routers
from router.balance.targets.answer_streaks import UsualTimes
from router.history.readings import IntervalCounts
from router.model.ids import ServiceKey, SiteId
from router.workers.interval_sums import EndedCounts, changes_together, counts

Spilled = dict[str, int]
"""Requests that spilled since the start, by the id of the serving site."""


Phases = dict[str, tuple[int, ...]]
"""Requests that a site served since the start: counts by latency in fine buckets, by phase."""


class PortPhases(msgspec.Struct, frozen=True):
    """The phases of one service port at one worker."""

    key: ServiceKey
    phases: Phases


class PortTotals(msgspec.Struct, frozen=True, kw_only=True):
    """Counters of one service port at a worker since it started.

    ``gave_up``: requests whose client left before an answer began. ``refused`` and ``waited_s`` as
    in `Totals`. ``by_target``: requests by address. ``ended``, ``answered``, ``silent``,
    ``errors``, ``breaks``, ``answers_elsewhere``: see `node.services.other_workers`; only above 0.
    """

    requests: int = 0
    overflowed: int = 0
    spilled: int = 0
    refused: int = 0
    waited_s: float = 0.0
    by_target: dict[str, int] = {}
    ended: dict[str, int] = {}
    answered: dict[str, int] = {}
    silent: dict[str, int] = {}
    errors: dict[str, int] = {}
    breaks: dict[str, int] = {}
    answers_elsewhere: dict[SiteId, int] = {}
    gave_up: int = 0


NONE_COUNTED = PortTotals()


class TargetPart(msgspec.Struct, frozen=True):
    """A worker's part of one target. ``why_not``: why it is not ready there; empty: it is."""

    in_flight: int
    capacity: int | None
    rate: RateView | None
    why_not: str = ""


class PortPart(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's present part of one service port. ``under_way``: its clients' unfinished
    requests, ``under_way_elsewhere``: those at another site. ``targets``: by address."""

    queued: int = 0
    under_way: int = 0
    under_way_elsewhere: int = 0
    demand: int = 0
    targets: dict[str, TargetPart] = {}

    @property
    def in_flight(self) -> int:
        """Requests at the targets of this site."""
        return sum(one.in_flight for one in self.targets.values())

    @property
    def full(self) -> set[str]:
        """Targets without a free slot there, by address."""
        return {
            address
            for address, one in self.targets.items()
            if one.capacity is not None and one.in_flight >= one.capacity
        }

    @property
    def idle(self) -> "PortPart":
        """The same slots, all unused."""
        targets = {
            address: msgspec.structs.replace(one, in_flight=0)
            for address, one in self.targets.items()
        }
        return PortPart(targets=targets)


class RecentPortFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One service port. ``change``: the last seconds; None: not known for long enough.

    ``in_flight_mean``: of the last seconds, at the targets of this site, for clients of any site.
    ``spilled``: requests that spilled because a cheaper site was full; ``without_target``: because
    no target here was ready; ``refused``: those that no site took, by `LegFailure` code.
    ``still_spilled`` and ``still_without_target``: those of the first two in flight. ``open_to``,
    ``open_for``: see `ServiceNow`. ``queued``: its waiting requests, here or at other sites;
    ``waiting``: all that wait for a slot here. ``queue_limit``: how many may wait at once.
    ``rate``: of this site; None: it has none. ``open_now``: its clients' unfinished
    requests. ``capacity``: its share of the slots here. ``in_flight``: at ``targets``, by address.
    ``totals`` None: the service is not known any more, and has ``removed`` requests in flight, by
    site. ``former``: clients that connected before it changed its protocol, by former protocol.
    ``awaited``, ``awaited_elsewhere``, ``usual``: see `node.services.other_workers`.
    """

    key: ServiceKey
    change: IntervalCounts | None
    in_flight_mean: float = 0.0
    queued: int = 0
    waiting: int = 0
    queue_limit: int = 0
    queue_is_full: bool = False
    spilled: Spilled = {}
    without_target: Spilled = {}
    refused: dict[str, int] = {}
    still_spilled: int = 0
    still_without_target: int = 0
    open_to: dict[SiteId, int] = {}
    open_for: dict[str, int] = {}
    rate: RateState | None = None
    open_now: int = 0
    totals: PortTotals | None = None
    demand: int = 0
    capacity: int | None = None
    in_flight: int = 0
    targets: dict[str, TargetPart] = {}
    removed: dict[SiteId, int] = {}
    former: dict[str, int] = {}
    awaited: dict[str, int] = {}
    awaited_elsewhere: dict[SiteId, int] = {}
    usual: UsualTimes | None = None

    @property
    def part(self) -> PortPart:
        """Its present part."""
        return PortPart(
            queued=self.queued,
            under_way=self.open_now,
            demand=self.demand,
            targets=self.targets,
        )

    @property
    def at_silent_worker(self) -> "RecentPortFigures":
        """The figures that still hold while the worker is silent and other sites drop their links
        to it: its counters, and its requests at targets of this site."""
        return msgspec.structs.replace(
            self,
            change=None,
            still_spilled=0,
            still_without_target=0,
            open_to={},
            open_for={},
            awaited={},
            awaited_elsewhere={},
        )

    @property
    def is_idle(self) -> bool:
        """Whether it adds nothing to the figures of others."""
        ended = self.change is not None and self.change.requests
        return not (
            ended
            or self.in_flight_mean
            or self.queued
            or self.spilled
            or self.without_target
            or self.refused
            or self.open_to
            or self.rate
            or self.open_now
            or self.in_flight
            or self.former
        )


def together(
    each: Sequence[RecentPortFigures], ended: Sequence[EndedCounts] = ()
) -> RecentPortFigures:
    """One service port at all workers; the first one is ours. ``ended``: of workers that are gone
    or silent."""
    own = each[0]
    if len(each) == 1 and not ended:
        return own
    return RecentPortFigures(
        key=own.key,
        change=changes_together([one.change for one in each if one.change is not None], ended),
        in_flight_mean=sum(one.in_flight_mean for one in each),
        queued=sum(one.queued for one in each),
        waiting=sum(one.waiting for one in each),
        queue_limit=sum(one.queue_limit for one in each),
        queue_is_full=all(one.queue_is_full for one in each),
        spilled=counts(one.spilled for one in each),
        without_target=counts(one.without_target for one in each),
        refused=counts(one.refused for one in each),
        still_spilled=sum(one.still_spilled for one in each),
        still_without_target=sum(one.still_without_target for one in each),
        open_to=counts(one.open_to for one in each),
        open_for=counts(one.open_for for one in each),
        rate=of_routers([one.rate for one in each if one.rate is not None]),
    )


def totals_together(each: Sequence[PortTotals]) -> PortTotals:
    """One service port at all workers, or in all lives of one."""
    return PortTotals(
        requests=sum(one.requests for one in each),
        overflowed=sum(one.overflowed for one in each),
        spilled=sum(one.spilled for one in each),
        refused=sum(one.refused for one in each),
        waited_s=sum(one.waited_s for one in each),
        by_target=counts(one.by_target for one in each),
        ended=counts(one.ended for one in each),
        answered=counts(one.answered for one in each),
        silent=counts(one.silent for one in each),
        errors=counts(one.errors for one in each),
        breaks=counts(one.breaks for one in each),
        answers_elsewhere=counts(one.answers_elsewhere for one in each),
        gave_up=sum(one.gave_up for one in each),
    )


def phases_of_all(each: Sequence[Phases]) -> Phases:
    """The sums over all workers."""
    if len(each) == 1:
        return each[0]
    names = dict.fromkeys(chain.from_iterable(each))
    return {
        name: tuple(map(sum, zip(*(one[name] for one in each if name in one), strict=True)))
        for name in names
    }
