"""Figures of one service port, read by other sites, by autoscalers, by users."""

from collections.abc import Mapping

import msgspec

from router.balance.balancer import ServiceBalancer
from router.balance.deciding.decisions import Asked, Explanation
from router.balance.learning.demand import (
    Demand,
    DemandFigures,
    ScaleFigures,
    SpillCause,
    targets_wanted,
)
from router.balance.learning.knees import LatencyLevel
from router.balance.learning.saturation import Totals
from router.balance.retries import RetryBudget
from router.balance.site.ledger import LocalLedger
from router.balance.targets.answer_streaks import NoAnswer
from router.balance.targets.error_answers import ErrorShare
from router.balance.targets.recent_times import RecentTimes
from router.balance.targets.target import TargetState
from router.model.addresses import split
from router.model.errors import LEAVING
from router.model.ids import SiteId
from router.model.specs import ServiceProtocol
from router.net.ports import Network
from router.service.admission import SlotAdmission
from router.service.counters import ServiceCounters
from router.service.figures import (
    LendingFigures,
    Load,
    SpillCount,
    SpillTotals,
    TargetErrorKind,
    TargetInfo,
)
from router.service.pressure import Pressure
from router.service.request_queue import RequestQueue
from router.service.sessions import Session
from router.service.sites.remotes import Remotes
from router.service.spilled import by_reason, by_site
from router.service.targets.outcomes import Outcomes
from router.service.targets.own_targets import OwnTargets
from router.service.targets.target_timing import Timings

NOTHING: dict[SiteId, int] = {}


class AdvertisedTargets(msgspec.Struct, frozen=True):
    """Targets as other sites get them in a signed advert.

    How many are ready, their configured slots and the most requests a second (None: none). Of the
    slots ``reserved`` are for this site's own clients; a neighbor may hold at most ``most_for_one``
    at once (None: any number).
    """

    targets_ready: int = 0
    capacity: int | None = None
    rate_per_s: float | None = None
    reserved: int = 0
    most_for_one: int | None = None


class ServiceFigures:
    """The part of a `Service` that only reads. It has no constructor: the subclass sets all
    attributes.
    """

    __slots__ = (
        "admission",
        "balancer",
        "counters",
        "demand",
        "failing",
        "ledger",
        "outcomes",
        "own_targets",
        "pressure",
        "protocol",
        "queue",
        "recent_times",
        "remotes",
        "retries",
        "site",
        "timers",
        "timings",
        "unanswering",
        "unanswering_sites",
    )

    admission: SlotAdmission
    balancer: ServiceBalancer
    counters: ServiceCounters
    demand: Demand
    """Demand that the ledger and the queue do not see."""
    ledger: LocalLedger
    pressure: Pressure
    protocol: ServiceProtocol
    recent_times: RecentTimes
    """Times at targets, of requests of clients of this site."""
    remotes: Remotes
    retries: RetryBudget
    queue: RequestQueue
    site: SiteId
    timers: Network
    timings: Timings
    outcomes: Outcomes
    own_targets: OwnTargets
    unanswering: Mapping[str, NoAnswer]
    """Targets that do not answer, by address."""
    unanswering_sites: Mapping[SiteId, NoAnswer]
    """Other sites that owe answers to clients of this one."""
    failing: Mapping[str, ErrorShare]
    """Ready targets that answer 5xx."""

    def under_way(self) -> dict[SiteId, int]:
        """Requests in flight of clients of this site, by the site that serves them. Only sites with
        requests.
        """
        ledger = self.ledger
        here = ledger.in_flight - ledger.lent - ledger.abandoned
        under_way = self.balancer.under_way
        if not under_way and not here:
            return NOTHING
        held = {self.site: here} if here else {}
        for site, count in under_way.items():
            held[site] = held.get(site, 0) + count  # Another router of this site counts, too.
        return held

    def left(self) -> SpillCount:
        """Requests that other sites serve or served since a cheaper site was full."""
        demand = self.demand
        still = demand.elsewhere[SpillCause.NO_ROOM]
        return _left(self.counters.left(), max(still, self.counters.overflowing))

    def spilled_without_target(self) -> SpillCount:
        """Requests that other sites serve or served while no target here was ready."""
        still = max(self.demand.elsewhere[SpillCause.NO_TARGET], self.counters.open_without_target)
        return _left(self.counters.spilled_without_target(), still)

    def spills(self) -> SpillTotals:
        """Requests that spilled since the start, and those still open elsewhere."""
        counters = self.counters
        return SpillTotals(
            full=self.left(),
            without_target=self.spilled_without_target(),
            refused=counters.refused_for(),
            open_to=by_site(counters.open_elsewhere),
            open_for=by_reason(counters.open_elsewhere),
        )

    def open_now(self) -> dict[SiteId, int]:
        """Requests in flight by the site that serves them: at this router's targets for clients of
        any site, at other sites for clients of this one. Another router of this site counts those
        it serves.
        """
        here = self.ledger.in_flight - self.ledger.abandoned
        there = {
            site: count for site, count in self.balancer.under_way.items() if site != self.site
        }
        return {self.site: here} | there if here else there

    @property
    def is_over(self) -> bool:
        """Nothing is in flight here, or anywhere for clients of this router."""
        ledger = self.ledger
        return ledger.in_flight == ledger.abandoned and not self.balancer.under_way

    def load(self) -> Load:
        """The load as reported to other sites."""
        ledger, now = self.ledger, self.timers.now()
        rate = ledger.rate_load(now) if ledger.rated else None
        return Load(
            ledger.load,
            ledger.targets_ready,
            ledger.capacity,
            rate,
            ledger.sums.learns,
            ledger.beyond,
            self.admission.waiting,
            ledger.reserved,
            ledger.most_for_one,
            self.pressure.is_refusing,
            ledger.asked_per_s(now) if ledger.rated else None,
        )

    def advertised_targets(self) -> AdvertisedTargets:
        """The targets as advertised to other sites; read often, for all services."""
        ledger = self.ledger
        if ledger.sums.learns:
            return AdvertisedTargets(ledger.targets_ready, None, ledger.rate_per_s)
        return AdvertisedTargets(
            ledger.targets_ready,
            ledger.configured_capacity,
            ledger.rate_per_s,
            ledger.reserved,
            ledger.most_for_one,
        )

    def lending_figures(self) -> LendingFigures | None:
        """The lending of this router; None: clients of other sites may have every slot."""
        lending = self.ledger.lending
        return None if lending is None else LendingFigures(lending.borrowers(), {**lending.denied})

    def sample_demand(self) -> None:
        """Call once a second, even with thousands of services: it visits no target."""
        self.demand.sample(
            self.timers.now(),
            self.ledger.in_flight,
            self.queue.unserved,
            self._asked_total,
            self.remotes.service_time_s,
        )

    def sample_latency(self) -> None:
        """Time the next few requests that targets of this site serve."""
        if self.own_targets.are_there and self.protocol != "tcp":
            self.timings.sample()

    def latencies(self) -> list[tuple[TargetState, list[list[LatencyLevel]]]]:
        """How long requests took at each target, by how many were in flight there: slices of time,
        oldest first.
        """
        return [
            (state, self.timings.latencies(state.target))
            for state in self.ledger.targets(self.timers.now())
        ]

    def demanded(self) -> DemandFigures:
        """The current demand for the service here."""
        return self.demand.figures(
            self.timers.now(),
            self.ledger.in_flight,
            self.queue.unserved,
            self._asked_total,
            has_target=self.ledger.targets_ready > 0,
        )

    def scale(self) -> ScaleFigures:
        """Figures for autoscalers."""
        figures, each = self.demanded(), self.demand.each
        return ScaleFigures(
            demand=figures,
            targets_ready=self.ledger.targets_ready,
            capacity=self.ledger.capacity,
            each=each,
            targets_wanted=targets_wanted(figures, each),
        )

    def totals(self) -> Totals:
        """Figures that show whether this site is saturated."""
        ledger, counters = self.ledger, self.counters
        requests, overflowed = counters.totals()
        now = self.timers.now()
        is_paced = ledger.rated and not ledger.has_room_at(now)
        full = ledger.targets_ready > 0 and (is_paced or ledger.is_full)
        absent = self.own_targets.are_there and not ledger.targets_ready
        if (full or absent) and self.balancer.has_room_at_siblings(now):
            full = absent = False  # The site is not, while one of its routers is not.
        return Totals(
            full=full,
            absent=absent,
            demand=self.demanded().demand,
            capacity=ledger.capacity or 0,
            requests=requests,
            overflowed=overflowed,
            refused=self.demand.refused_total,
            waited_s=counters.waited_s,
            held=self.queue.held(now) if self.queue.line else 0,
        )

    def targets(self) -> list[TargetInfo]:
        infos: list[TargetInfo] = []
        for state in self.ledger.targets(self.timers.now()):
            host, port = split(state.target)
            error, kind = self._error_of(state)
            infos.append(
                TargetInfo(
                    name=state.name,
                    host=host,
                    port=port,
                    ready=state.ready,
                    in_flight=state.in_flight,
                    capacity=state.capacity,
                    learnt=self.own_targets.learning.learnt(state.target),
                    requests_total=state.requests_total,
                    error=error,
                    error_kind=kind,
                    ejected=self.own_targets.health.is_ejected(state.target),
                    leaving=state.leaving,
                    since=self.own_targets.health.since(state.target),
                    rate=state.rate,
                )
            )
        return infos

    def explain(
        self, now: float, session: Session | None = None, *, sheddable: bool = False
    ) -> Explanation:
        """The decision for a request now, of ``session`` if given, and the reasons."""
        preferred = session.site if session is not None else None
        key = session.key if session is not None else 0
        waiting = self.admission.waiting
        return self.balancer.outlook(now, Asked(preferred, key, sheddable), waiting)

    def _error_of(self, state: TargetState) -> tuple[str, TargetErrorKind]:
        if state.leaving:
            return LEAVING, "leaving"
        if not state.ready:
            health = self.own_targets.health
            is_ejected = health.is_ejected(state.target)
            return health.error_of(state.target), "ejected" if is_ejected else "not-ready"
        if silent := self.unanswering.get(state.target):
            return silent.shown, "no-answer"
        if failing := self.failing.get(state.target):
            return failing.shown, "answers-5xx" if failing.errors else "no-whole-answer"
        return "", ""

    @property
    def _asked_total(self) -> int:
        demand = self.demand
        return self.retries.requests - demand.again_total + demand.brought


def _left(counts: Mapping[SiteId, int], still_open: int) -> SpillCount:
    return SpillCount(dict(counts.items()), still_open)
