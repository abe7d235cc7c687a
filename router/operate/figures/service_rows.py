"""Rows of service ports: figures, capacity and settings at this site."""

from collections.abc import Callable, Iterator, Sequence

from router.admin.views.services import (
    AbsentSite,
    PhaseView,
    ServiceSite,
    ServiceView,
    TargetCount,
    TargetView,
)
from router.admin.views.status import ListenerView
from router.balance.deciding.decisions import CandidateReport
from router.balance.deciding.explain import SHORT_OF_MEMORY_THERE
from router.balance.site_gate import RateState
from router.model.addresses import join
from router.model.ids import ServiceKey
from router.model.latency import quantile
from router.model.rights.sharing import names_of_patterns
from router.node.problems.left_out import why_not
from router.node.rate_text import kind_of, learnt_view, rate_of, rate_of_report
from router.node.services.drain_share import DRAINED
from router.node.services.planned import PlannedService
from router.node.site_router import SiteRouter
from router.operate.figures.metrics_source import lent_there, takes_part
from router.operate.problems.removed_services import still_removed
from router.operate.why.next_request import absent, affinity_view, finite
from router.service.figures import ServiceSnapshot, TargetInfo
from router.workers.combined_figures import RouterFigures
from router.workers.recent_port_figures import Phases, PortPhases
from router.workers.site_load import SiteLoad, reports_with


class ServiceRows:
    """Rows of this worker, completed with figures of the whole router. ``utc`` converts monotonic
    seconds."""

    def __init__(
        self, router: SiteRouter, whole: RouterFigures, utc: Callable[[float], str]
    ) -> None:
        self._router, self._whole, self._utc = router, whole, utc

    def all(self) -> Sequence[ServiceView]:
        """All service ports, with the last answers of the other workers."""
        snapshots = self._router.readings.services_snapshot()
        return self._whole.with_services([self.row(one) for one in snapshots if one.declared])

    def row(self, snapshot: ServiceSnapshot) -> ServiceView:
        """One service port."""
        key = snapshot.key
        planned = self._router.services.get(key)
        rate, phases = self.rate(snapshot), self._whole.phases(key, _counts(snapshot))
        sharing, pins = self._router.given_rules.of(key.name), self._router.site_services.pins
        return ServiceView(
            name=key.name,
            port=key.port,
            protocol=snapshot.config.protocol,
            policy=snapshot.config.policy.name,
            spill_at=snapshot.config.policy.spill_at,
            isolation=snapshot.config.policy.isolation,
            max_age_s=snapshot.config.max_age_s,
            sheddable=snapshot.config.sheddable,
            sheddable_share=snapshot.config.sheddable_share,
            rebalance=snapshot.config.rebalance,
            takes=planned.takes if planned is not None else 1.0,
            reserve_for_own=planned.lending.reserve_for_own if planned is not None else 0.0,
            max_share=planned.lending.max_share if planned is not None else 1.0,
            removed=still_removed(self._router, key.name, self._whole.others.silent),
            affinity=affinity_view(self._router.readings.sessions_of(key)),
            queued=snapshot.queued,
            demand=snapshot.demand,
            requests_total=snapshot.counters.requests_total,
            under_way=snapshot.counters.unfinished,
            under_way_elsewhere=sum(
                count
                for site, count in snapshot.under_way.items()
                if site != self._router.identity.site
            ),
            overflow_total=snapshot.counters.overflow_total,
            spilled_total=snapshot.counters.spilled_total,
            gave_up_total=snapshot.counters.gave_up_total,
            listener=_listener(snapshot, planned),
            tls_cert=snapshot.config.tls_cert,
            routing_key=snapshot.config.routing_key,
            export_to=names_of_patterns(sharing.export_to),
            import_from=names_of_patterns(sharing.import_from),
            rule_sites=pins.sites_of(sharing.export_to) | pins.sites_of(sharing.import_from),
            sites=tuple(
                self._site(report, snapshot, rate)
                for report in self.reports(snapshot)
                if takes_part(self._router, key, report)
            ),
            absent=tuple(
                AbsentSite(
                    site=one.site,
                    path_cost=one.path_cost,
                    in_flight=one.in_flight,
                    verdict=one.verdict,
                    reason=one.reason,
                )
                for one in absent(self._router, key, self._utc)
            ),
            targets=tuple(self._target(one) for one in snapshot.targets),
            local_targets=TargetCount(snapshot.local_targets.total, snapshot.local_targets.ready),
            phases={name: _phase(one) for name, one in phases.items()},
        )

    def own_phases(self) -> Iterator[PortPhases]:
        """Phase counts of this worker, for service ports that had a request."""
        for snapshot in self._router.readings.snapshots():
            if snapshot.declared and snapshot.counters.requests_total:
                yield PortPhases(snapshot.key, _counts(snapshot))

    def rate(self, snapshot: ServiceSnapshot) -> RateState | None:
        """This site's state against the rate of a service port."""
        return self._whole.rate(snapshot.key, snapshot.rate)

    def rate_now(self, key: ServiceKey) -> RateState | None:
        """As `rate`, read now."""
        return self._whole.rate(key, self._router.readings.rate_state(key))

    def load(self, key: ServiceKey) -> SiteLoad | None:
        """The load of this site's targets, if decisions know only a part of it."""
        planned, own = self._router.services.get(key), self._router.readings.load_of(key)
        has_connector = planned is not None and planned.has_connector
        targets = self._router.readings.targets.of(key)
        down = [join(one.host, one.port) for one in targets if not one.ready]
        return self._whole.load(key, own, has_connector=has_connector, down=down)

    def reports(self, snapshot: ServiceSnapshot) -> Sequence[CandidateReport]:
        """All candidates, where this site has the figures of all workers."""
        return reports_with(self.load(snapshot.key), snapshot.explanation.candidates)

    def _site(
        self, report: CandidateReport, snapshot: ServiceSnapshot, own: RateState | None
    ) -> ServiceSite:
        local = report.site == self._router.identity.site
        reserved, most_for_one = lent_there(self._router, snapshot, report)
        return ServiceSite(
            site=report.site_name,
            id=report.site,
            local=local,
            path_cost=report.path_cost,
            targets_ready=report.targets_ready,
            capacity=report.capacity,
            capacity_kind=kind_of(report.capacity, report.rate, auto=report.is_learnt),
            in_flight=report.in_flight,
            draining=self._takes_none(snapshot.key, report),
            age_s=finite(report.age_s),
            rate=rate_of_report(report, own if local else None),
            waiting=self._waiting(report, snapshot.key, local=local),
            ejected_s=None if report.ejected_s is None else round(report.ejected_s, 3),
            left_out=why_not(report, snapshot.explanation),
            reserved=reserved,
            most_for_one=most_for_one,
            note=self._note(snapshot.key) if local else self._note_there(snapshot.key, report),
        )

    def _waiting(self, report: CandidateReport, key: ServiceKey, *, local: bool) -> int:
        known = report.waiting or 0
        if not local:
            return known
        return self._whole.waiting(key, known, self._router.readings.load_of(key).waiting)

    def _note(self, key: ServiceKey) -> str:
        load = self.load(key)
        return load.note if load is not None else ""

    def _note_there(self, key: ServiceKey, report: CandidateReport) -> str:
        if report.refuses:
            return SHORT_OF_MEMORY_THERE
        owes = self._router.readings.unanswering_sites_of(key).get(report.site)
        return owes.shown if owes is not None else ""

    def _takes_none(self, key: ServiceKey, report: CandidateReport) -> bool:
        """Whether a site takes nothing new of the service: it stops, or all its routers are
        drained. A rule or a policy may leave it out besides."""
        if report.verdict == "draining":
            return True
        if report.site == self._router.identity.site:
            planned = self._router.services.get(key)
            is_drained = planned is not None and not planned.takes
            return self._router.draining or (is_drained and not report.targets_ready)
        known = self._router.routing.table.candidates.get(key, ())
        routers = [one for one in known if one.site == report.site]
        return bool(routers) and all(one.draining for one in routers)

    def _target(self, target: TargetInfo) -> TargetView:
        return TargetView(
            site=self._router.identity.name,
            name=target.name,
            host=target.host,
            port=target.port,
            ready=target.ready,
            in_flight=target.in_flight,
            capacity=target.capacity,
            requests_total=target.requests_total,
            error=target.error,
            error_kind="drained" if target.error == DRAINED else target.error_kind,
            since=None if target.leaving else self._utc(target.since),
            capacity_kind=kind_of(target.capacity, target.rate, auto=target.learnt is not None),
            rate=rate_of(target.rate),
            learnt=learnt_view(target.learnt),
        )


def _listener(snapshot: ServiceSnapshot, planned: PlannedService | None) -> ListenerView:
    listener = snapshot.listener
    if listener is None:
        why_not = planned.why_not if planned is not None else ""
        return ListenerView(host="", port=snapshot.key.port, state="none", error=why_not)
    state = "bound" if listener.listening else "error"
    return ListenerView(host=listener.host, port=listener.port, state=state, error=listener.error)


def _counts(snapshot: ServiceSnapshot) -> Phases:
    return {name: one.counts for name, one in snapshot.counters.served_phases.items()}


def _phase(counts: Sequence[int]) -> PhaseView:
    return PhaseView(quantile(counts, 0.5), quantile(counts, 0.99))
