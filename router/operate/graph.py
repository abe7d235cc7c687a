"""Who calls whom, for operators: edges of all workers, with site names and rates."""

from collections.abc import Callable, Iterator, Set
from typing import Any, Final

from router.admin.endpoints.graph import (
    CallerView,
    ClientSiteView,
    GraphEdgeView,
    GraphTargetView,
    GraphView,
)
from router.admin.ports import Labels
from router.admin.views.links import SiteName
from router.callers.callers import Callers
from router.callers.reports import (
    CallersReport,
    ClientSiteReport,
    EdgeFigures,
    EdgeReport,
    TargetCallsReport,
    TargetNow,
    added,
    report,
)
from router.callers.target_calls import OTHER_SITES, TargetKey
from router.model.addresses import join
from router.model.ids import ServiceKey, SiteId
from router.model.latency import quantile, shown
from router.model.limits import CALLER_STEP_S
from router.node.site_router import SiteRouter
from router.workers.one_worker import of
from router.workers.worker_messages import GraphQuestion, GraphReports
from router.workers.workers import Workers

_OTHER: Final = "other"
"""The label of targets, or client sites, that are not counted separately."""


class CallGraph:
    """The graph of this worker; at the first of several workers, of all."""

    def __init__(
        self, router: SiteRouter, callers: Callers, is_on: Callable[[], bool], workers: Workers
    ) -> None:
        self._router, self._callers, self._is_on = router, callers, is_on
        self._workers = workers

    def own(self, *, with_past: bool) -> CallersReport:
        """Calls by the clients of this worker."""
        return report(
            self._callers,
            self._open(),
            self._targets(),
            is_on=self._is_on(),
            with_past=with_past,
        )

    async def view(self, *, with_history: bool) -> GraphView:
        """See `Graphs`."""
        told = await self._workers.ask(GraphQuestion(with_history))
        others = [part.item for _, parts in told for part in of(parts, GraphReports)]
        reports = [self.own(with_past=with_history), *others]
        return self._view(added(reports), with_history)

    def metrics(self) -> dict[str, dict[Labels, float]]:
        """Requests by caller and by target, of this worker, with ids of sites as labels. A deleted
        service has none."""
        known = frozenset(self._router.readings.keys)
        families = {
            "spillway_caller_requests_total": self._by_caller(known),
            "spillway_target_client_requests_total": self._by_target(known),
        }
        return {name: numbers for name, numbers in families.items() if numbers}

    def _by_caller(self, known: Set[ServiceKey]) -> dict[Labels, float]:
        numbers: dict[Labels, float] = {}
        for name, (key, site), edge in self._callers.edges():
            if key not in known:
                continue
            labels = (key.name, str(key.port), name.kind, name.name, str(site))
            for outcome, count in (("ok", edge.requests - edge.failed), ("failed", edge.failed)):
                place = (*labels, outcome)
                numbers[place] = numbers.get(place, 0.0) + count
        return numbers

    def _by_target(self, known: Set[ServiceKey]) -> dict[Labels, float]:
        numbers: dict[Labels, float] = {}
        for (key, target), edge in self._callers.targets.edges():
            if key not in known:
                continue
            for site, tally in edge.by_client_site.items():
                client_site = _OTHER if site == OTHER_SITES else str(site)
                labels = (key.name, str(key.port), target or _OTHER, client_site)
                for outcome, count in (
                    ("ok", tally.requests - tally.failed),
                    ("failed", tally.failed),
                ):
                    place = (*labels, outcome)
                    numbers[place] = numbers.get(place, 0.0) + count
        return numbers

    def _open(self) -> Iterator[tuple[ServiceKey, SiteId, object]]:
        for flow in self._router.forwarder.flows():
            record = flow.record
            if record.origin is not None and record.site is not None:
                yield flow.key, record.site, record.origin

    def _targets(self) -> dict[TargetKey, TargetNow]:
        return {
            (key, join(one.host, one.port)): TargetNow(
                one.name, None if one.leaving else one.ready, one.in_flight
            )
            for key, targets in self._router.forwarder.readings.targets.all().items()
            for one in targets
        }

    def _view(self, whole: CallersReport, with_history: bool) -> GraphView:
        named = whole.named + whole.unnamed
        edges = sorted(whole.edges, key=_order)
        return GraphView(
            site=SiteName(self._router.identity.name, self._router.identity.site),
            enabled=whole.is_on,
            named_share=round(whole.named / named, 4) if named else None,
            unnamed_total=whole.unnamed,
            waiting=whole.waiting,
            step_s=CALLER_STEP_S,
            current_step_s=round(self._callers.current_step_s, 3),
            edges=tuple(self._edge(edge, whole.lately_s, with_history) for edge in edges),
            targets=tuple(
                self._target(one, whole.lately_s, with_history)
                for one in sorted(whole.targets, key=_place)
            ),
        )

    def _edge(self, edge: EdgeReport, lately_s: float, with_history: bool) -> GraphEdgeView:
        site = SiteName(self._router.site_name(edge.site), edge.site) if edge.site else None
        return GraphEdgeView(
            caller=CallerView(kind=edge.caller.kind, name=edge.caller.name),
            service=edge.key.name,
            port=edge.key.port,
            site=site,
            crosses=site is not None and edge.site != self._router.identity.site,
            routing_key=self._router.readings.routing_key_of(edge.key.name),
            **_figures(edge, lately_s, with_history),
        )

    def _target(
        self, one: TargetCallsReport, lately_s: float, with_history: bool
    ) -> GraphTargetView:
        by_requests = sorted(one.by_client_site, key=lambda told: (-told.requests, told.site))
        planned = self._router.services.get(one.key)
        return GraphTargetView(
            service=one.key.name,
            port=one.key.port,
            name=one.name or "others",
            address=one.target or None,
            ready=one.ready,
            client_sites=tuple(self._client_site(told, lately_s) for told in by_requests),
            routing_key=self._router.readings.routing_key_of(one.key.name),
            drained=one.ready is False and planned is not None and not planned.takes,
            **_figures(one, lately_s, with_history),
        )

    def _client_site(self, told: ClientSiteReport, lately_s: float) -> ClientSiteView:
        site = told.site
        return ClientSiteView(
            site=SiteName(self._router.site_name(site), site) if site != OTHER_SITES else None,
            crosses=site != self._router.identity.site,
            requests_total=told.requests,
            failed_total=told.failed,
            rate_per_s=shown(told.lately / lately_s),
            failed_per_s=shown(told.lately_failed / lately_s),
        )


def _figures(edge: EdgeFigures, lately_s: float, with_history: bool) -> dict[str, Any]:
    """The fields of `GraphFigures`."""
    p50_s, p99_s = (quantile(edge.lately_counts, share) for share in (0.5, 0.99))
    return {
        "requests_total": edge.requests,
        "failed_total": edge.failed,
        "open": edge.open,
        "rate_per_s": shown(edge.lately / lately_s),
        "failed_per_s": shown(edge.lately_failed / lately_s),
        "p50_s": p50_s,
        "p99_s": p99_s,
        "history": tuple(zip(edge.past, edge.past_failed, strict=True)) if with_history else None,
    }


def _order(edge: EdgeReport) -> tuple[str, str, str, int, str]:
    return edge.caller.kind, edge.caller.name, edge.key.name, edge.key.port, edge.site


def _place(one: TargetCallsReport) -> tuple[str, int, str, str]:
    return one.key.name, one.key.port, one.name, one.target
