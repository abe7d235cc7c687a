"""The router as its operator sees it: snapshots for the admin API. Implements `RouterView`."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

import msgspec

from router.admin.ports import Figures, Labels, MetricValues, UnknownCommand
from router.admin.views.bursts import BurstView, ScaleView
from router.admin.views.links import LinkView, NeighbourCost, SiteView
from router.admin.views.services import ServiceView, TargetView
from router.admin.views.status import CaView, Status
from router.admin.views.why import PastDecision, WhyView
from router.asking.site_path import TOO_FAR
from router.asking.targets import RouterTargets
from router.model.events import Problem
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.requests import RequestSelection
from router.model.settings import AffinityBy
from router.model.wording.routing_key_names import with_keys
from router.net.epoll import EpollNetwork
from router.node.news.bar_news import bar_views
from router.node.problems import listener_problems
from router.node.problems.left_out import NOTHING, Lack, LeftOut
from router.node.site_router import SiteRouter
from router.operate.bursts.burst_runs import BurstRunner
from router.operate.figures.figure_scope import FigureScope
from router.operate.figures.link_views import HELD_BACK, NO_ROOM_THERE, link_views
from router.operate.figures.metrics_source import measure, of_links_at_workers
from router.operate.figures.process_figures import process_values, started_at
from router.operate.figures.recent_figures import RecentFigures
from router.operate.figures.service_rows import ServiceRows
from router.operate.figures.site_labels import with_site_names
from router.operate.flows.observability_settings import ObservabilitySettings
from router.operate.problems.removed_services import still_removed
from router.operate.process_facts import ProcessFacts
from router.operate.record.replica_news import ReplicaReport, with_others
from router.operate.site_status import SiteStatus
from router.operate.sites.site_view import targets_by_port
from router.operate.why.next_request import explained
from router.operate.why.recent_decisions import recalled
from router.operate.why.scale_figures import scaled
from router.routing.table import SiteRoute
from router.workers.combined_figures import RouterFigures
from router.workers.link_uses import LinkUse, WorkerLink, state_of, use_of
from router.workers.recent_port_figures import PortPhases

COMMANDS = (
    "Commands are: reload, stop, revoke (site=ID), renew (link=NAME), "
    "rebalance (service=NAME[:PORT]), burst-test (burst=NAME, event=saturated|calm)."
)


Order = Callable[[str, Mapping[str, str]], str | None]
"""Carries out a command: returns a confirmation, or None for an unknown command."""


class OperatorView:
    """Reads the rooms when asked; stores only the process's own measurements."""

    def __init__(
        self,
        router: SiteRouter,
        network: EpollNetwork,
        recent: RecentFigures,
        whole: RouterFigures,
        facts: ProcessFacts,
        order: Order,
        caller_metrics: Callable[[], Mapping[str, dict[Labels, float]]],
        burst_runner: BurstRunner | None = None,
        observability: ObservabilitySettings | None = None,
    ) -> None:
        """``caller_metrics``: requests by caller."""
        self._router, self._network, self._whole, self._facts = router, network, whole, facts
        self._order, self._caller_metrics = order, caller_metrics
        self._burst_runner, self._observability = burst_runner, observability
        self._clock = router.wall_clock
        self.utc = self._clock.utc
        """ISO 8601 of the network's seconds."""
        self.rows = ServiceRows(router, whole, self.utc)
        self._status = SiteStatus(
            router,
            recent,
            whole,
            FigureScope(router, whole),
            facts,
            network.now,
            self.utc,
            burst_runner,
            observability,
        )
        self._started = started_at()
        self._replicas: Callable[[], Sequence[ReplicaReport]] = tuple

    def follow_replicas(self, reports: Callable[[], Sequence[ReplicaReport]]) -> None:
        """``reports``: the last ones of the other routers of this site."""
        self._replicas = reports

    # RouterView -----------------------------------------------------------------------------

    def status(self) -> Status:
        """The site in a few figures, and its problems, with those of its other routers."""
        return with_others(self.own_status(), self._replicas())

    def own_status(self, *, steady: bool = False) -> Status:
        """The site as this router sees it. ``steady``: without rates, which change all the
        time."""
        return self._status.view(self.links(), ready=self.ready(), steady=steady)

    def left_out(self, key: ServiceKey, lacks: Lack) -> LeftOut:
        """Sites with room that may not serve a service port."""
        explanation = self._router.readings.explain(key, self._network.now())
        return (
            NOTHING if explanation is None else self._router.left_out(key, explanation, lacks=lacks)
        )

    def ready(self) -> bool:
        """Whether it serves and does not drain; after the start, only once it listens where clients
        are led.
        """
        router = self._router
        return self._facts.is_serving() and not router.draining and router.listens_where_promised

    def links(self) -> Sequence[LinkView]:
        """All links of all workers, including dialed ones that wait for their certificate."""
        return self._whole.with_links(self._own_links())

    def _own_links(self) -> Sequence[LinkView]:
        facts = self._facts
        return link_views(self._router, facts.expiries(), facts.shown_until, self.utc)

    def link_states(self) -> Iterator[WorkerLink]:
        """The states of this worker's links."""
        return map(state_of, self._own_links())

    def link_uses(self) -> Iterator[LinkUse]:
        """Streams and bytes of this worker's links."""
        return map(use_of, self._router.links.status())

    def services(self) -> Sequence[ServiceView]:
        """All service ports, with the last answers of the other workers."""
        return self.rows.all()

    async def look(self, figures: Figures) -> None:
        """Ask the other workers."""
        await self._whole.look(figures)

    def ask_targets(
        self, service: str, done: Callable[[Mapping[int, list[TargetView]]], None]
    ) -> None:
        """Targets of other sites for ``service``, by its port; ``done`` is called once."""

        def answered(told: list[RouterTargets]) -> None:
            done(targets_by_port(told, self._router.site_name))

        self._router.ask_targets(service, answered)

    def network(self) -> Sequence[SiteView]:
        """All known sites, this one first, then by cost and name."""
        table = self._router.routing.table
        offered: dict[str, set[str]] = {}
        for key, candidates in table.candidates.items():
            for candidate in candidates:
                offered.setdefault(candidate.site, set()).add(key.name)
        for key, service in self._router.services.items():
            if service.has_connector:
                offered.setdefault(self._router.identity.site, set()).add(key.name)
        heard = self._router.news.absent.last_offered()
        held_by = self._sites_of(self._router.site_problems.held_by_neighbours())
        full = self._sites_of(self._router.site_problems.full_neighbours())
        unused = dict.fromkeys(held_by, HELD_BACK) | dict.fromkeys(full, NO_ROOM_THERE)
        times = {site: self.utc(since) for site, (_, since) in heard.items()}
        offered.update({site: {*names} for site, (names, _) in heard.items()})
        views = [
            SiteView(
                name=route.name,
                id=site,
                path_cost=route.path_cost,
                next_hops=self._next_hops(route),
                neighbours=self._neighbours(route),
                services=tuple(sorted(offered.get(site, ()))),
                reachable=route.reachable,
                version=route.version,
                reason=_why_not_reached(route, unused.get(site, "")),
                barred_by=bar_views(table, site),
                put_out=site in table.put_out,
                services_at=times.get(site, ""),
                neighbours_known=site == table.site or not self._router.is_edge,
                draining=route.reachable and route.draining,
            )
            for site, route in table.sites.items()
        ]
        return sorted(views, key=lambda view: (_cost_key(view.path_cost), view.name))

    def bursts(self) -> Sequence[BurstView]:
        """All Burst documents, by name."""
        return self._burst_runner.views() if self._burst_runner is not None else ()

    def ca(self) -> CaView:
        """The site's CA, and the progress of its replacement."""
        return self._facts.ca()

    def service_keys(self) -> Sequence[ServiceKey]:
        """Every service port known here, in order."""
        return self._router.readings.keys

    def routing_key_of(self, service: str) -> str:
        """As in the readings."""
        return self._router.readings.routing_key_of(service)

    def why_unknown(self, service: str) -> Problem | None:
        """Why ``service`` is not known here; None: it is, or no reason is known."""
        return self._router.why_unknown(service)

    async def why(
        self,
        service: str,
        port: int | None,
        session: tuple[AffinityBy, str] | None = None,
        *,
        sheddable: bool = False,
    ) -> WhyView | None:
        """As `own_why`; also asks other workers about a session that this one does not know."""
        await self.look("lately")
        own = self.own_why(service, port, session, sheddable=sheddable)
        if own is None:
            return None
        key, readings = ServiceKey(own.service, own.port), self._router.readings
        config, waiting = readings.config_of(key), readings.load_of(key).waiting
        own = self._whole.with_targets(own)
        own = self._whole.with_queue(own, config.queue if config is not None else None, waiting)
        if session is None or (own.session is not None and own.session.site is not None):
            return own
        return await self._whole.why(own, service, port, session)

    def own_why(
        self,
        service: str,
        port: int | None,
        session: tuple[AffinityBy, str] | None = None,
        *,
        sheddable: bool = False,
    ) -> WhyView | None:
        """The fate of the next request, by the production code; changes nothing."""
        now = self._network.now()
        found = explained(
            self._router,
            now,
            service,
            port,
            session,
            self.utc,
            self.rows.rate_now,
            self.rows.load,
            sheddable=sheddable,
        )
        return found and self._as_shown(found)

    def _as_shown(self, found: WhyView) -> WhyView:
        """``found`` with further facts about the service here."""
        router, key = self._router, ServiceKey(found.service, found.port)
        states, planned = router.forwarder.listeners.states(), router.services.get(key)
        closed, hint = listener_problems.closed(key, states, planned)
        key_of = router.readings.routing_key_of
        return msgspec.structs.replace(
            found,
            removed=still_removed(router, found.service, self._whole.others.silent),
            routing_key=key_of(found.service),
            closed=with_keys(closed, key_of),
            hint=hint,
        )

    def scale(self, service: str, port: int | None) -> ScaleView | None:
        """Demand of a service for autoscalers, with the last answers of the other workers."""
        own = scaled(self._router, service, port)
        return None if own is None else self._whole.with_scale(own)

    def scales(self) -> Iterator[ScaleView]:
        """Demand of all service ports."""
        for key in self._router.services:
            if (one := self.scale(key.name, key.port)) is not None:
                yield one

    async def past(
        self, service: str, port: int | None, count: int, which: RequestSelection
    ) -> Sequence[PastDecision] | None:
        """As `own_past`, of all workers."""
        own = self.own_past(service, port, count, which)
        if own is None:
            return None
        return await self._whole.past(own, service, port, count, which)

    def own_past(
        self, service: str, port: int | None, count: int, which: RequestSelection
    ) -> Sequence[PastDecision] | None:
        """The decisions for its last requests, with the figures at that time."""
        utc = partial(self._clock.utc, timespec="milliseconds")
        return recalled(self._router, self._network.now(), utc, service, port, count, which)

    def command(self, name: str, arguments: Mapping[str, str]) -> str:
        """Carry out a command of the operator."""
        done = self._order(name, arguments)
        if done is None:
            raise UnknownCommand(COMMANDS)
        return done

    def own_phases(self) -> Iterator[PortPhases]:
        """Phase counts of this worker, for service ports that had a request."""
        return self.rows.own_phases()

    def resident_bytes(self) -> int:
        """Memory of this process now."""
        return self._facts.memory.use_now().resident_bytes

    def metrics(self) -> Iterator[MetricValues]:
        """All values of `/metrics`, by service port; summed over workers."""
        whole = self._whole.with_metrics(self.own_metrics())
        return with_site_names(whole, self._router.site_name)

    def own_metrics(self) -> Iterator[MetricValues]:
        """The values of this worker, to be summed."""
        lag_s = max(self._facts.loop_lag_s(), self._network.turn_lag_s)
        figures = self._observability.figures if self._observability is not None else {}
        yield from measure(
            self._router,
            self._facts.memory,
            self._facts.expiries(),
            lag_s,
            figures,
            self.own_status().problems,
            self.rows.rate,
            self.rows.reports,
            self._whole.others.used,
        )
        yield from process_values(self._started, self.resident_bytes())
        if self._whole.workers.all:
            yield of_links_at_workers(self.links())
        if self._burst_runner is not None:
            yield MetricValues(self._burst_runner.metrics(), {})
        yield MetricValues(self._caller_metrics(), {})

    def _neighbours(self, route: SiteRoute) -> tuple[NeighbourCost, ...]:
        """By cost and name, as sites are listed everywhere; the table has them by id."""
        known = [
            NeighbourCost(self._router.site_name(other), cost) for other, cost in route.neighbours
        ]
        return tuple(sorted(known, key=lambda one: (one.cost, one.site)))

    def _sites_of(self, routers: Iterable[RouterId]) -> set[SiteId]:
        """The sites of the linked ones among ``routers``."""
        found = map(self._router.links.adjacencies.neighbour, routers)
        return {one.site for one in found if one is not None}

    def _next_hops(self, route: SiteRoute) -> tuple[str, ...]:
        """The first other sites on its paths."""
        names = [self._router.names.sites(path)[:1] for path in route.paths]
        return tuple(sorted({name for first in names for name in first}))


def _why_not_reached(route: SiteRoute, unused_link: str) -> str:
    """``unused_link``: why the neighbor does not use its link to this site; empty: it does."""
    if route.is_too_far:
        return TOO_FAR
    return "" if route.reachable else unused_link


def _cost_key(path_cost: int | None) -> float:
    return math.inf if path_cost is None else path_cost
