"""Figures of a whole router: those of the first worker combined with those of the others."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from heapq import merge
from itertools import chain, islice
from operator import attrgetter
from typing import TypeVar

import msgspec

from router.admin.ports import Figures, MetricValues
from router.admin.views.bursts import ScaleView
from router.admin.views.links import LinkView
from router.admin.views.services import ServiceView
from router.admin.views.why import PastDecision, WhyQueue, WhyTarget, WhyView
from router.balance.learning.saturation import Totals
from router.balance.site.fair_queue import queue_limit
from router.balance.site_gate import RateState, of_routers
from router.model.ids import ServiceKey, SiteId
from router.model.requests import RequestSelection
from router.model.settings import AffinityBy
from router.service.figures import Load, QueueNow
from router.workers.interval_sums import counts
from router.workers.lasting_counters import (
    LastingCounters,
    Port,
    Series,
    gauges_beside,
    ports_of,
    removed_ports,
    without_lasting,
)
from router.workers.link_uses import with_states, with_uses
from router.workers.one_worker import WorkerState, of
from router.workers.other_histories import Kept, OtherHistories, by_port
from router.workers.other_reports import OtherReports
from router.workers.recent_port_figures import (
    Phases,
    RecentPortFigures,
    TargetPart,
    phases_of_all,
    together,
    totals_together,
)
from router.workers.site_load import SiteLoad
from router.workers.sums import Sum, added, totals_of, with_parts, with_totals
from router.workers.worker_messages import (
    FiguresQuestion,
    Histories,
    HistoryQuestion,
    Past,
    PastQuestion,
    Why,
    WhyQuestion,
)
from router.workers.workers import Workers

log = logging.getLogger("router.workers")

_NONE = MetricValues({}, {})
_QueueT = TypeVar("_QueueT", QueueNow, WhyQueue)
_Rates = Callable[[], Mapping[ServiceKey, RateState]]
_TotalsOf = Callable[[str], Mapping[ServiceKey, Totals]]
_OwnT = TypeVar("_OwnT")
_KeyT = TypeVar("_KeyT")


class RouterFigures:
    """Queries the other ``workers``, and adds their answers to the first one's figures; a router of
    one process returns its own."""

    def __init__(self, workers: Workers) -> None:
        self.workers = workers
        self.others = OtherReports(workers)
        self._refused: frozenset[str] = frozenset()
        self._own_counters = LastingCounters()

    async def look(self, figures: Figures) -> None:
        """Ask all for their ``figures``; a worker that does not answer in time counts as it last
        did.
        """
        await self.workers.ask(FiguresQuestion(figures))

    def with_metrics(self, own: Iterator[MetricValues]) -> Iterator[MetricValues]:
        """Metrics of the whole router, including workers that died, so that no counter falls.

        Only for service ports that this worker knows. A deleted one is forgotten, unless it still
        has requests in flight. The counters of a service port are one part, as in ``own``: their
        sites get names together.
        """
        if not self.workers.all:
            yield from own
            return
        total = Sum()
        total.add(self.workers.gone)
        told: set[Series] = set()
        known: set[Port] = set()
        for values in own:
            total.add(without_lasting(values))
            series = self._own_counters.tell(values)
            told |= series
            known |= ports_of(series)
            yield _NONE  # Other work on the loop may run in between.
        for one in self.workers.all:
            for values in one.metrics:
                rest = without_lasting(values)
                total.add(gauges_beside(rest, known, silent=one.silence.is_begun))
                yield _NONE
        each = [self._own_counters, *(one.counters for one in self.workers.all)]
        told.update(*(one.counted for one in self.workers.all))
        for counted in each:
            counted.forget(known | removed_ports(total.whole))
        yield from total.families
        refused = total.refused
        for port in known:
            for counted in each:
                counted.forget_targets(port, told)
            lasting = Sum()
            for values in chain.from_iterable(counted.of(port) for counted in each):
                lasting.add(values)
            yield lasting.whole
            refused |= lasting.refused
        if fresh := refused - self._refused:
            names = ", ".join(sorted(fresh))
            log.error("metrics of workers of another release are left out of /metrics: %s", names)
        self._refused |= refused

    def with_services(self, own: Sequence[ServiceView]) -> Sequence[ServiceView]:
        """Views of services, for the whole router."""
        return [self._with_service(one) for one in own]

    def _with_service(self, own: ServiceView) -> ServiceView:
        """``own`` with the figures of all workers, over all their lives."""
        if not self.workers.all:
            return own
        key = ServiceKey(own.name, own.port)
        parts = [one.part(key) for one in self.workers.all]
        whole = with_parts(own, parts, self.others.parts(key))
        each = [totals_of(own), *(one.totals(key) for one in self.workers.all)]
        return with_totals(whole, totals_together(each))

    def with_scale(self, own: ScaleView) -> ScaleView:
        """The demand at the whole router."""
        asked = own.service, own.port
        others = [scale for one in self.workers.all for scale in one.scales]
        return added(own, [one for one in others if (one.service, one.port) == asked])

    def with_each(
        self, own: Iterator[tuple[ServiceView, _OwnT]]
    ) -> Iterator[tuple[ServiceView, _OwnT]]:
        """As `with_services`, one service port at a time, each with its second value unchanged."""
        for view, beside in own:
            yield self._with_service(view), beside

    def lately(self, own: RecentPortFigures) -> RecentPortFigures:
        """Recent figures of one service port, for the whole router.

        Rates and latencies include the requests of a worker that died or is silent, while they are
        among those of the last seconds.
        """
        return together([own, *self.others.lately(own.key)], self.others.ended_counts(own.key))

    def rate(self, key: ServiceKey, own: RateState | None) -> RateState | None:
        """The state of the whole router against the rate of one service port."""
        others = [one.rate for one in self.others.lately(key)]
        return of_routers([one for one in (own, *others) if one is not None])

    def rates(self, own: _Rates) -> _Rates:
        """As `rate`, for all service ports that have one."""

        def of_all() -> Mapping[ServiceKey, RateState]:
            each = ((key, self.rate(key, state)) for key, state in own().items())
            return {key: state for key, state in each if state is not None}

        return of_all

    def with_queued(self, own: Mapping[ServiceKey, int]) -> Mapping[ServiceKey, int]:
        """Waiting requests by service port, for the whole router."""
        return counts([own, *(one.queued for one in self.workers.all)])

    def with_links(self, own: Sequence[LinkView]) -> Sequence[LinkView]:
        """Links of all workers, with the traffic of all."""
        if not self.workers.all:
            return own
        whole = with_states(own, {one.index: one.link_states for one in self.workers.all})
        return with_uses(whole, chain.from_iterable(one.link_uses for one in self.workers.all))

    def load(
        self, key: ServiceKey, own: Load, *, has_connector: bool, down: Collection[str] = ()
    ) -> SiteLoad | None:
        """Requests in flight at targets of this site, and its slots, if decisions know only some.

        Decisions know nothing about a silent worker. No other worker may use its share, because the
        targets still hold its requests. While all stop, no worker offers its share to another.
        Without a connector here no worker reports its load to the others. ``down``: addresses of
        targets that are not ready, which a silent worker does not know. None: decisions know
        everything.
        """
        silent = [one for one in self.workers.all if one.silence.is_begun]
        is_known = has_connector and not silent and not self.workers.are_stopping
        if not self.workers.all or is_known:
            return None
        alive = [one for one in self.workers.all if one.pid]
        shares_of = {one.index: _share(one, key, down if one in silent else ()) for one in alive}
        shares = [own.capacity, *shares_of.values()]
        if own.capacity is None and has_connector:
            shares = []  # No target is ready: a silent worker does not know.
        stated = [slots for slots in shares if slots is not None]
        capacity = sum(stated) if stated else None
        note = "; ".join(
            _silent_share(one, key, shares_of.get(one.index) if stated else None, down)
            for one in silent
        )
        if note and capacity is not None:
            usable = capacity - sum(shares_of.get(one.index) or 0 for one in silent)
            note = f"{usable} of {capacity} slots work: {note}"
        return SiteLoad(
            in_flight=own.in_flight + sum(one.part(key).in_flight for one in alive),
            capacity=capacity,
            note=note,
        )

    def with_totals_of(self, own: _TotalsOf) -> _TotalsOf:
        """The totals that determine saturation, for the whole router. ``own`` is full, or absent,
        if this worker is and no other one has room."""

        def of_all(service: str) -> Mapping[ServiceKey, Totals]:
            return {key: self._totals(key, totals) for key, totals in own(service).items()}

        return of_all

    def _totals(self, key: ServiceKey, own: Totals) -> Totals:
        latelies = self.others.lately(key)
        counted = totals_together([one.totals(key) for one in self.workers.all])
        return msgspec.structs.replace(
            own,
            capacity=own.capacity + sum(one.share(key) or 0 for one in self.workers.all),
            demand=own.demand + sum(one.demand for one in latelies),
            requests=own.requests + counted.requests,
            overflowed=own.overflowed + counted.overflowed,
            refused=own.refused + counted.refused,
            waited_s=own.waited_s + counted.waited_s,
        )

    def with_removed(
        self, own: Mapping[ServiceKey, Mapping[SiteId, int]], is_known: Callable[[ServiceKey], bool]
    ) -> Mapping[ServiceKey, Mapping[SiteId, int]]:
        """Requests in flight of service ports that are no longer known, for the whole router.

        A service port that was created again is known, even while a silent worker does not know
        that.
        """
        found = _counts_by_key([own, *(one.removed for one in self.workers.all)])
        return {key: open_now for key, open_now in found.items() if not is_known(key)}

    def with_former(
        self, own: Mapping[ServiceKey, Mapping[str, int]]
    ) -> Mapping[ServiceKey, Mapping[str, int]]:
        """Clients that connected before their service port changed its protocol, by former
        protocol.
        """
        return _counts_by_key([own, *(one.former for one in self.workers.all)])

    def with_targets(self, own: WhyView) -> WhyView:
        """``own`` with all workers' figures of each target; the choice is the first worker's."""
        key = ServiceKey(own.service, own.port)
        parts = [one.part(key).targets for one in self.workers.all]
        return msgspec.structs.replace(
            own, targets=tuple(_whole_target(one, parts) for one in own.targets)
        )

    def waiting(self, key: ServiceKey, known: int, own: int) -> int:
        """How many requests wait for a slot of this site; ``known``: to decisions, from other
        routers of the site.

        Other workers report sooner here; ``own``: at this worker.
        """
        if not self.workers.all:
            return known
        return own + sum(one.waiting for one in self.others.lately(key))

    def with_queue(self, own: WhyView, configured: int | None, waiting_here: int) -> WhyView:
        """``own`` with the queue of the whole router; ``configured``: places at each worker.

        The row of this site counts only requests that wait for a slot here, ``waiting_here`` of
        them at this worker: others in the queue wait at other sites, and are in their rows.
        """
        if own.queue is None:
            return own
        key = ServiceKey(own.service, own.port)
        whole = self.queue_of_all(key, own.queue, configured)
        candidates = tuple(
            msgspec.structs.replace(one, waiting=self.waiting(key, one.waiting, waiting_here))
            if one.path_cost == 0 and one.waiting is not None  # It is this site.
            else one
            for one in own.candidates
        )
        return msgspec.structs.replace(own, queue=whole, candidates=candidates)

    def queue_of_all(self, key: ServiceKey, own: _QueueT, configured: int | None) -> _QueueT:
        """The queue of the whole router, given this worker's ``own``; ``configured``: places at
        each.
        """
        waiting, limit, is_full = own.waiting, own.limit, own.outlook == "full"
        for one in self.workers.all:
            lately = one.lately(key)
            if lately is None or not lately.queue_limit:  # No request came there recently.
                places = queue_limit(configured, 0) if one.serves else 0
                limit, is_full = limit + places, is_full and not places
            else:
                waiting, limit = waiting + lately.queued, limit + lately.queue_limit
                is_full = is_full and lately.queue_is_full
        outlook = "waits" if own.outlook == "full" and not is_full else own.outlook
        return msgspec.structs.replace(own, waiting=waiting, limit=limit, outlook=outlook)

    def phases(self, key: ServiceKey, own: Phases) -> Phases:
        """Phases of one service port for the whole router, by the others' last reports."""
        return phases_of_all(
            [own, *(one.phases[key] for one in self.workers.all if key in one.phases)]
        )

    async def past(
        self,
        own: Sequence[PastDecision],
        service: str,
        port: int | None,
        count: int,
        which: RequestSelection,
    ) -> Sequence[PastDecision]:
        """The last ``count`` decisions of those selected, of all workers, newest first."""
        told = await self.workers.ask(PastQuestion(service, port, count, which))
        each = [one.items for _, parts in told for one in of(parts, Past)]
        newest = merge(own, *each, key=attrgetter("at"), reverse=True)
        return tuple(islice(newest, count))

    async def why(
        self, own: WhyView, service: str, port: int | None, session: tuple[AffinityBy, str]
    ) -> WhyView:
        """The view of the worker that knows the session; ``own`` if none does.

        Figures that are sums over workers come from ``own``.
        """
        told = await self.workers.ask(WhyQuestion(service, port, *session))
        for _, parts in told:
            for one in of(parts, Why):
                if one.item.session is not None and one.item.session.site is not None:
                    return _with_figures(one.item, own)
        return own

    async def histories(self, service: str | None, port: int | None) -> OtherHistories:
        """Histories of the others, to be joined to those of the first one."""
        told = await self.workers.ask(HistoryQuestion(service, port))
        return OtherHistories(
            [Kept(by_port(of(parts, Histories)), restarted=one.starts > 1) for one, parts in told],
            all_told=len(told) == len(self.workers.all),
        )


def _counts_by_key(
    each: Sequence[Mapping[ServiceKey, Mapping[_KeyT, int]]],
) -> Mapping[ServiceKey, Mapping[_KeyT, int]]:
    return {
        key: counts(one[key] for one in each if key in one)
        for key in dict.fromkeys(chain.from_iterable(each))
    }


def _whole_target(own: WhyTarget, each: Sequence[Mapping[str, TargetPart]]) -> WhyTarget:
    beside = [parts[own.target] for parts in each if own.target in parts]
    if not beside:
        return own
    shares = [own.capacity, *(one.capacity for one in beside)]
    stated = [slots for slots in shares if slots is not None]
    return msgspec.structs.replace(
        own,
        in_flight=own.in_flight + sum(one.in_flight for one in beside),
        capacity=sum(stated) if stated else None,
        reason=f"{own.reason} at worker 0" if own.verdict == "full" else own.reason,
    )


def _share(one: WorkerState, key: ServiceKey, down: Collection[str]) -> int | None:
    """Its share of the slots here, at targets that are not ``down``."""
    share = one.share(key)
    if share is None or not down:
        return share
    slots = [part.capacity for at, part in one.part(key).targets.items() if at not in down]
    return min(share, sum(stated for stated in slots if stated is not None))


def _silent_share(
    one: WorkerState, key: ServiceKey, share: int | None, down: Collection[str]
) -> str:
    if share is None:
        use = f"{one.part(key).in_flight} in flight"
    else:
        targets = one.part(key).targets
        used = sum(part.in_flight for at, part in targets.items() if at not in down)
        use = f"{used} of its {share} slots in use"
    return f"worker {one.index} does not answer, with {use}: it takes no request"


def _with_figures(view: WhyView, whole: WhyView) -> WhyView:
    rates = {one.site: one.rate for one in whole.candidates}
    candidates = tuple(
        msgspec.structs.replace(one, rate=rates[one.site]) if one.site in rates else one
        for one in view.candidates
    )
    queue = whole.queue if view.queue is not None else None
    return msgspec.structs.replace(view, candidates=candidates, queue=queue)
