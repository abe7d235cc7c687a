"""One request of a service through each site that has targets, for an operator."""

from collections.abc import Callable

from router.admin.views.traffic import SiteTrafficView, TrafficView
from router.balance.deciding.decisions import CandidateReport
from router.exchange.trials import Trial
from router.model.ids import ServiceKey, SiteId, ports_of
from router.net.ports import Network
from router.node.site_router import SiteRouter
from router.operate.figures.metrics_source import takes_part


class TrafficTester:
    """Implements `router.admin.endpoints.traffic.Trying`."""

    def __init__(self, network: Network, router: SiteRouter) -> None:
        self._network, self._router = network, router

    def try_service(
        self, service: str, port: int | None, done: Callable[[TrafficView], None]
    ) -> bool | None:
        """As `Trying.try_service`. Without ``port`` the lowest one of the service."""
        router = self._router
        key = next(iter(ports_of(router.services, service, port)), None)
        explanation = router.readings.explain(key, self._network.now()) if key else None
        if key is None or explanation is None:
            return None
        sites = {
            report.site: report
            for report in explanation.candidates
            if takes_part(router, key, report)
        }
        ready = [site for site, report in sites.items() if report.targets_ready]
        return router.forwarder.try_sites(
            key, ready, lambda trials: done(self._view(key, sites, trials))
        )

    def _view(
        self, key: ServiceKey, sites: dict[SiteId, CandidateReport], trials: list[Trial]
    ) -> TrafficView:
        """In the order of the candidates: this site first, then by cost."""
        found = {trial.site: trial for trial in trials}
        planned = self._router.services.get(key)
        return TrafficView(
            service=key.name,
            port=key.port,
            protocol=str(planned.declaration.spec.protocol) if planned is not None else "",
            sites=tuple(
                _site(report, found.get(site), local=site == self._router.identity.site)
                for site, report in sites.items()
            ),
            routing_key=self._router.readings.routing_key_of(key.name),
        )


def _site(report: CandidateReport, trial: Trial | None, *, local: bool) -> SiteTrafficView:
    """Without ``trial`` nothing was sent: no target there takes anything new."""
    unasked = "draining" if report.verdict == "draining" else "no-target"
    return SiteTrafficView(
        site=report.site_name,
        id=report.site,
        local=local,
        outcome=trial.outcome if trial else unasked,
        status=trial.status if trial else 0,
        latency_ms=round(trial.seconds * 1000, 3) if trial else None,
        reason=trial.reason if trial else "",
    )
