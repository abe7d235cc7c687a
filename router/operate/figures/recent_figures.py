"""Figures of each service port over the last seconds: of this worker, and of the whole router."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from router.history.readings import IntervalCounts
from router.model.addresses import join
from router.model.ids import ServiceKey, SiteId, by_name
from router.node.rate_text import rate_of
from router.node.site_router import SiteRouter
from router.operate.figures.history_recorder import HistoryRecorder
from router.workers.combined_figures import RouterFigures
from router.workers.recent_port_figures import PortTotals, RecentPortFigures, TargetPart


class _AtTargets(NamedTuple):
    """Of this worker, of one service port. ``ready``: by the address of each of its targets.
    ``ended``: requests of clients of any site, of which no sample need have seen one.
    """

    capacity: int | None
    ready: Mapping[str, bool]
    ended: Mapping[str, int]


_NO_TARGETS: Final = _AtTargets(None, {}, {})


class RecentFigures:
    """Reads the recorder and the rooms; uses the last reports of other workers."""

    def __init__(self, router: SiteRouter, recorder: HistoryRecorder, whole: RouterFigures) -> None:
        self._router, self._recorder, self._whole = router, recorder, whole
        self._told_targets: dict[ServiceKey, _AtTargets] = {}

    # Of this worker, for the first one to add up ----------------------------------------------

    def part(self, key: ServiceKey, former: Mapping[str, int]) -> RecentPortFigures:
        """One service port. ``former``: clients of its former protocol, by protocol."""
        return self._with_totals(self._own(key, former), {})

    def latelies(self) -> Iterator[RecentPortFigures]:
        """Recent figures of each service port, except those without activity and with unchanged
        slots at the same targets, which ended no request; also requests in flight of removed
        service ports."""
        former = self._router.forwarder.entry.of_former_protocol()
        awaited: defaultdict[ServiceKey, dict[SiteId, int]] = defaultdict(dict)
        if any(self._router.readings.busy_elsewhere(1)):
            for (key, site), count in self._router.forwarder.awaited_elsewhere().items():
                awaited[key][site] = count
        targets = self._router.readings.targets
        standing = targets.standing()
        keys = self._router.readings.keys
        told = self._told_targets  # Of ports that are gone, the first worker may forget it, too.
        self._told_targets = {key: told[key] for key in keys if key in told}
        for key in keys:
            own = self._own(key, former.get(key, {}))
            ready = standing.get(key, {})
            now = _AtTargets(own.capacity, ready, targets.ended(key) if ready else {})
            if not own.is_idle or self._told_targets.get(key, _NO_TARGETS) != now:
                self._told_targets[key] = now
                yield self._with_totals(own, awaited[key])
        yield from self.removed_latelies()

    def removed_latelies(self) -> Iterator[RecentPortFigures]:
        """Requests in flight at this worker, of service ports that were removed."""
        for key, open_now in self._router.forwarder.ports.removed().items():
            yield RecentPortFigures(key=key, change=None, removed=open_now)

    def _own(self, key: ServiceKey, former: Mapping[str, int]) -> RecentPortFigures:
        readings = self._router.readings
        reading = readings.reading_of(key)
        spills, load = readings.spills_of(key), readings.load_of(key)
        return RecentPortFigures(
            key=key,
            change=self._recorder.lately(key),
            in_flight_mean=self._recorder.busy(key),
            queued=reading.queued if reading is not None else 0,
            waiting=load.waiting,
            queue_limit=reading.queue_limit if reading is not None else 0,
            queue_is_full=reading is not None and reading.queue_is_full,
            spilled=spills.full.by_key,
            without_target=spills.without_target.by_key,
            refused=spills.refused,
            still_spilled=spills.full.still_open,
            still_without_target=spills.without_target.still_open,
            open_to=spills.open_to,
            open_for=spills.open_for,
            rate=readings.rate_state(key),
            open_now=readings.open_of_clients(key),
            capacity=reading.capacity if reading is not None else None,
            in_flight=load.in_flight,
            former=dict(former),
        )

    def _with_totals(
        self, own: RecentPortFigures, awaited_elsewhere: dict[SiteId, int]
    ) -> RecentPortFigures:
        """Add the figures that are too costly to read for idle service ports."""
        readings = self._router.readings
        reading, totals = (
            readings.reading_of(own.key),
            readings.totals_at(own.key),
        )
        if reading is None or totals is None:
            return own
        targets, answers = (
            readings.targets.of(own.key),
            readings.targets.answers_of(own.key),
        )
        counted = PortTotals(
            requests=totals.requests,
            overflowed=totals.overflowed,
            spilled=sum(reading.spilled_to.values()),
            gave_up=reading.gave_up,
            refused=totals.refused,
            waited_s=totals.waited_s,
            by_target={join(one.host, one.port): one.requests_total for one in targets},
            ended=readings.targets.ended(own.key),
            answered=readings.targets.answered(own.key),
            silent={at: one.silent for at, one in answers.items() if one.silent},
            errors=dict(readings.targets.errors_of(own.key)),
            breaks=dict(readings.targets.breaks_of(own.key)),
            answers_elsewhere=readings.answers_elsewhere(own.key),
        )
        parts = {
            join(one.host, one.port): TargetPart(
                one.in_flight,
                one.capacity,
                rate_of(one.rate),
                "" if one.ready else one.error,
            )
            for one in targets
        }
        return msgspec.structs.replace(
            own,
            totals=counted,
            demand=totals.demand,
            targets=parts,
            awaited=readings.targets.awaited(own.key),
            awaited_elsewhere=awaited_elsewhere,
            usual=readings.targets.usual(own.key),
        )

    # Of the whole router ----------------------------------------------------------------------

    def lately(self, key: ServiceKey) -> RecentPortFigures:
        """Figures of a service port over the last seconds, from the last answers of all workers.

        ``in_flight_mean``: at the targets of all routers of this site.
        """
        whole = self._whole.lately(self._own(key, {}))
        if self._whole.workers.all:
            return whole  # The other routers are these workers.
        in_flight_mean = whole.in_flight_mean + self._recorder.busy_beside(key)
        return msgspec.structs.replace(whole, in_flight_mean=in_flight_mean)

    def not_answered(self) -> list[ServiceKey]:
        """Service ports whose requests failed, or lost their clients, recently."""
        beside = self._whole.others.unanswered & set(self._router.readings.keys)
        return sorted(beside.union(self._recorder.unanswered))

    def queued(self) -> Mapping[ServiceKey, int]:
        """How many requests wait for a slot, by service port, if any do."""
        return self._whole.with_queued(self._router.readings.queued())

    def removed(self) -> Mapping[ServiceKey, Mapping[SiteId, int]]:
        """Requests in flight of service ports that were removed, by serving site."""
        return self._whole.with_removed(self._router.forwarder.ports.removed(), self._is_known)

    def removed_at_silent(self) -> Mapping[ServiceKey, Mapping[int, int]]:
        """Requests in flight of removed service ports at workers that do not answer, by worker."""
        return self._whole.others.removed_at_silent(self._is_known)

    def _is_known(self, key: ServiceKey) -> bool:
        return self._router.readings.config_of(key) is not None

    def former(self) -> Mapping[ServiceKey, Mapping[str, int]]:
        """Clients that connected before their service port changed its protocol, by former
        protocol.
        """
        return self._whole.with_former(self._router.forwarder.entry.of_former_protocol())

    def spilled_to(self, key: ServiceKey) -> Mapping[str, float]:
        """Requests a second that each other site served recently, by its name."""
        change = self.lately(key).change
        return {} if change is None else self.a_second(change, change.spilled_to)

    def by_name(self, counts: Mapping[SiteId, int]) -> dict[str, int]:
        """``counts`` of sites, by their names."""
        return by_name(counts, self._router.site_name)

    def a_second(self, change: IntervalCounts, counts: Mapping[SiteId, int]) -> dict[str, float]:
        """As `by_name`, per second."""
        return {name: round(change.per_s(count), 3) for name, count in self.by_name(counts).items()}
