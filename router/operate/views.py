"""The router as its operator sees it: snapshots for the admin API. Implements `RouterView`."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec

from router.admin.ports import Figures, Labels, MetricValues, UnknownCommand
from router.admin.views.bursts import BurstView, ScaleView
from router.admin.views.links import LinkView, NeighbourCost, SiteView
from router.admin.views.services import (
    AbsentSite,
    PhaseView,
    ServiceSite,
    ServiceView,
    TargetCount,
    TargetView,
)
from router.admin.views.status import CaView, Console, ListenerView, Status
from router.admin.views.why import PastDecision, WhyView
from router.asking.targets import RouterTargets
from router.asking.way import TOO_FAR
from router.balance.deciding.decisions import CandidateReport
from router.balance.site_gate import RateState
from router.exchange.services.figures import QueueNow, ServiceSnapshot
from router.model import limits
from router.model.addresses import join
from router.model.events import Note, Problem
from router.model.ids import ServiceKey, SiteId
from router.model.latency import quantile
from router.model.routing_key_names import with_keys
from router.model.settings import AffinityBy
from router.model.sharing import names_of_patterns
from router.net.epoll import EpollNetwork
from router.node.memory_guard import MemoryGuard
from router.node.news.bar_news import bar_views
from router.node.problems import problems
from router.node.problems.left_out import NOTHING, LeftOut, why_not
from router.node.rate_text import kind_of, learnt_view, rate_of, rate_of_report
from router.node.site_router import SiteRouter
from router.node.time_text import iso
from router.operate.bursts.burst_runs import Bursting
from router.operate.figures.link_views import link_views, notes_of_links, of_expiries, of_links
from router.operate.figures.metrics_source import lent_there, measure, takes_part
from router.operate.figures.process_figures import process_values, started_at
from router.operate.flows.observability_settings import Seeing
from router.operate.problems import (
    failing_requests,
    local_targets,
    removed_services,
)
from router.operate.problems.failing_requests import NoRoom, PortFailures
from router.operate.sites.site_view import targets_by_port
from router.operate.why.next_request import absent, affinity_view, explained, finite
from router.operate.why.recent_decisions import recalled
from router.operate.why.scale_figures import scaled
from router.routing.table import SiteRoute
from router.workers.combined_figures import Whole
from router.workers.link_uses import LinkUse, use_of
from router.workers.recent_port_figures import Phases, PortPhases
from router.workers.site_load import SiteLoad, reports_with

COMMANDS = (
    "Commands are: reload, stop, revoke (site=ID), renew (link=NAME), "
    "rebalance (service=NAME[:PORT]), burst-test (burst=NAME, event=saturated|calm)."
)


_FoundT = TypeVar("_FoundT", Problem, Note)


class OperatorView:
    """Reads the rooms at the moment of asking; keeps nothing but what the process measures."""

    def __init__(
        self,
        router: SiteRouter,
        network: EpollNetwork,
        memory: MemoryGuard,
        expiries: Callable[[], Mapping[str, float]],
        order: Callable[[str, Mapping[str, str]], str | None],
        seeing: Seeing | None = None,
        host_problems: Callable[[], Sequence[Problem]] = tuple,
        bursting: Bursting | None = None,
        *,
        ca: Callable[[], CaView] | None = None,
        shown_until: Callable[[str], float | None] = lambda site: None,
        console: Callable[[], Console] = Console,
        whole: Whole | None = None,
        workers_next: Callable[[], int | None] = lambda: None,
    ) -> None:
        """``host_problems`` are of this host: its clock, its disk. ``shown_until``: Unix seconds
        at which the certificate of a site that links here ends. ``workers_next``: see `Status`.

        ``expiries`` gives Unix seconds by certificate. ``order`` carries out a command: it answers
        with what was done, or None for a command it does not know.
        """
        self._router = router
        self._network = network
        self._memory = memory
        self._expiries = expiries
        self._order = order
        self._seeing = seeing
        self._host_problems = host_problems
        self._bursting = bursting
        self._ca = ca
        self._shown_until = shown_until
        self._console = console
        self._whole = whole
        self._workers = whole.workers if whole is not None else None
        self._workers_next = workers_next
        self.serving = False
        self.loop_lag_s = 0.0
        self._started = started_at()
        self.caller_metrics: Callable[[], dict[str, dict[Labels, float]]] = dict
        """Requests by who called."""
        self.spilled_to: Callable[[ServiceKey], Mapping[str, float]] = _not_known
        """Requests a second of a service port that each other site served in the last seconds."""
        self.queued: Callable[[], Mapping[ServiceKey, int]] = router.readings.queued
        """How many requests wait for a slot, of service ports of which some do."""
        self.removed: Callable[[], Mapping[ServiceKey, Mapping[SiteId, int]]]
        self.removed = router.forwarder.removed
        """What is under way of service ports that are not known any more, by site."""
        self.removed_at_silent: Callable[[], Mapping[ServiceKey, Mapping[int, int]]] = dict
        """What workers that do not answer had of them, by the worker's index."""
        self.former: Callable[[], Mapping[ServiceKey, Mapping[str, int]]]
        self.former = router.forwarder.of_former_protocol
        """Clients that came before their service port changed its protocol, by that of then."""
        self.failing: Callable[[], Iterable[PortFailures]] = tuple
        """Service ports of which requests fail."""
        self.gave_up: Callable[[], Iterable[Note]] = tuple
        """Service ports whose clients leave before they are answered."""
        self.shed: Callable[[], Iterable[Note]] = tuple
        """Service ports of which sheddable requests make way for others."""

    # RouterView -----------------------------------------------------------------------------

    def status(self, *, steady: bool = False) -> Status:
        """The site in a few figures, and what is wrong. ``steady``: without rates, which change
        all the time."""
        router = self._router
        links = [link for link in self.links() if not link.succeeded]
        targets = list(
            local_targets.not_ready(router, _not_known, None)
            if steady
            else local_targets.not_ready(
                router, self.spilled_to, self._network.now(), self._queue_of_all
            )
        )
        failing = [] if steady else list(self.failing())
        return Status(
            name=router.identity.name,
            id=router.identity.site,
            mode=router.mode,
            version=router.version,
            ready=self.ready(),
            uptime_s=round(self._network.now() - router.started_at, 3),
            links=len(links),
            links_up=sum(link.state == "up" for link in links),
            links_silent=sum(link.silent_since is not None for link in links),
            replicas=1 if self._workers is not None else 1 + len(router.links.siblings),
            workers=self._workers.views(self.ready()) if self._workers is not None else (),
            workers_next=self._workers_next(),
            services=len({key.name for key in router.services}),
            sites=sum(1 for route in router.routing.table.sites.values() if route.reachable),
            sites_known=len(router.routing.table.sites),
            problems=self._with_keys(
                *router.problems(self.utc),
                *local_targets.problems_of(targets, self.utc),
                *of_links(links, router.links.refused_as_copy),
                *failing_requests.problems_of(failing, self._no_room),
                *self._memory.problems(),
                *self._host_problems(),
                *(self._bursting.problems() if self._bursting is not None else ()),
                *of_expiries(self._expiries(), datetime.now(UTC).timestamp()),
                *(self._seeing.problems if self._seeing is not None else ()),
                *(self._workers.problems() if self._workers is not None else ()),
            ),
            notes=self._with_keys(
                *local_targets.notes_of(targets),
                *notes_of_links(links),
                *(() if steady else self._waiting(failing)),
                *(() if steady else (*self.gave_up(), *self.shed())),
                *(
                    ()
                    if steady
                    else removed_services.notes(
                        self.removed(),
                        self.former(),
                        router.readings,
                        router.identity.site,
                        router.site_name,
                        self.removed_at_silent(),
                    )
                ),
                *(() if steady else removed_services.notes_of_declared(self._still_declared())),
                *router.notes,
            )[: limits.STATUS_NOTES_MAX],
            sharing="strict" if router.rules.strict else "open",
            console=self._console(),
            draining=router.draining,
        )

    def _queue_of_all(self, key: ServiceKey, own: QueueNow) -> QueueNow:
        """``own`` queue of this worker as that of the whole router."""
        if self._whole is None:
            return own
        config = self._router.readings.config_of(key)
        return self._whole.queue_of_all(key, own, config.queue if config is not None else None)

    def _with_keys(self, *found: _FoundT) -> tuple[_FoundT, ...]:
        """``found`` with routing keys in their sentences, in place of the services of these."""
        key_of = self._router.readings.routing_key_of
        return tuple(
            one
            if (message := with_keys(one.message, key_of)) is one.message
            else msgspec.structs.replace(one, message=message)
            for one in found
        )

    def _still_declared(self) -> list[str]:
        names = sorted(self._router.routing.table.declarations)
        return list(filter(None, map(self._removed, names)))

    def _removed(self, name: str) -> str:
        """What a service waits for that was removed here and is still declared; empty: nothing."""
        silent = self._whole.silent if self._whole is not None else ()
        wanted, one = self._router.wanted, self._router.routing.table.declarations.get(name)
        if not silent or wanted is None or one is None or name in wanted.services:
            return ""
        is_own = one.site == self._router.identity.site
        return removed_services.still_declared(name, silent) if is_own else ""

    def _waiting(self, failing: Iterable[PortFailures]) -> Iterator[Note]:
        told = {one.key for one in failing}
        return failing_requests.waiting(
            self._router, self._network.now(), self.queued(), told, self._no_room
        )

    def _no_room(self, key: ServiceKey) -> NoRoom:
        return failing_requests.no_room(self._router, key, self._network.now())

    def left_out(self, key: ServiceKey) -> LeftOut:
        """Sites with room that may not serve a service port."""
        explanation = self._router.readings.explain(key, self._network.now())
        return NOTHING if explanation is None else self._router.left_out(key, explanation)

    def ready(self) -> bool:
        """Serving and not draining; just started, not before it listens where clients are led."""
        router = self._router
        return self.serving and not router.draining and router.listens_where_promised

    def links(self) -> Sequence[LinkView]:
        """All links, the dialled ones that wait for their certificate too, with what the same
        links of other workers carry."""
        own = link_views(self._router, self._expiries(), self._shown_until, self.utc)
        return own if self._whole is None else self._whole.with_link_uses(own)

    def link_uses(self) -> Iterator[LinkUse]:
        """Streams and bytes that this worker's links carry."""
        return map(use_of, self._router.links.status())

    def services(self) -> Sequence[ServiceView]:
        """All service ports, with the last answers of the other workers."""
        own = [
            self.service(snapshot)
            for snapshot in self._router.readings.services_snapshot()
            if snapshot.declared
        ]
        return own if self._whole is None else self._whole.with_services(own)

    async def look(self, figures: Figures) -> None:
        """Ask the other workers."""
        if self._whole is not None:
            await self._whole.look(figures)

    def ask_targets(
        self, service: str, done: Callable[[Mapping[int, list[TargetView]]], None]
    ) -> None:
        """Targets that other sites have for ``service``, by its port; ``done`` comes once."""

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
                reason=TOO_FAR if route.is_too_far else "",
                barred_by=bar_views(table, site),
                put_out=site in table.put_out,
            )
            for site, route in table.sites.items()
        ]
        return sorted(views, key=lambda view: (_cost_key(view.path_cost), view.name))

    def bursts(self) -> Sequence[BurstView]:
        """All Burst documents, by name."""
        return self._bursting.views() if self._bursting is not None else ()

    def ca(self) -> CaView:
        """The site's CA, and how far its replacement is."""
        assert self._ca is not None, "a process has one"
        return self._ca()

    def service_keys(self) -> Sequence[ServiceKey]:
        """Every service port that is known here, in order."""
        return self._router.readings.keys

    def routing_key_of(self, service: str) -> str:
        """As of the readings."""
        return self._router.readings.routing_key_of(service)

    def why_unknown(self, service: str) -> Problem | None:
        """The import rule that refuses each declaration of ``service``."""
        return self._router.why_unknown(service)

    async def why(
        self,
        service: str,
        port: int | None,
        session: tuple[AffinityBy, str] | None = None,
        *,
        sheddable: bool = False,
    ) -> WhyView | None:
        """As `own_why`; a session that this worker does not know another one may."""
        await self.look("lately")
        own = self.own_why(service, port, session, sheddable=sheddable)
        if self._whole is None or own is None:
            return own
        config = self._router.readings.config_of(ServiceKey(own.service, own.port))
        own = self._whole.with_targets(own)
        own = self._whole.with_queue(own, config.queue if config is not None else None)
        if session is None:
            return own
        if own.session is not None and own.session.site is not None:
            return own
        return await self._whole.why(own, service, port, session)

    def _load(self, key: ServiceKey) -> SiteLoad | None:
        if self._whole is None:
            return None
        planned, own = self._router.services.get(key), self._router.readings.load_of(key)
        has_connector = planned is not None and planned.has_connector
        targets = self._router.readings.targets_of(key)
        down = [join(one.host, one.port) for one in targets if not one.ready]
        return self._whole.load(key, own, has_connector=has_connector, down=down)

    def _reports(self, snapshot: ServiceSnapshot) -> Sequence[CandidateReport]:
        """All candidates, this site with what all workers have."""
        return reports_with(self._load(snapshot.key), snapshot.explanation.candidates)

    def own_why(
        self,
        service: str,
        port: int | None,
        session: tuple[AffinityBy, str] | None = None,
        *,
        sheddable: bool = False,
    ) -> WhyView | None:
        """What the next request would meet, by the production code; moves nothing."""
        now = self._network.now()
        found = explained(
            self._router,
            now,
            service,
            port,
            session,
            self.utc,
            self._rate_now,
            self._load,
            sheddable=sheddable,
        )
        return found and self._as_shown(found)

    def _as_shown(self, found: WhyView) -> WhyView:
        """With what else is known of the service here."""
        key = ServiceKey(found.service, found.port)
        closed = problems.of_listener(key, self._router.forwarder.listener_states())
        (closed,) = self._with_keys(closed) if closed is not None else (None,)
        return msgspec.structs.replace(
            found,
            removed=self._removed(found.service),
            routing_key=self._router.readings.routing_key_of(found.service),
            closed=closed.message if closed is not None else "",
            hint=closed.hint if closed is not None else "",
        )

    def scale(self, service: str, port: int | None) -> ScaleView | None:
        """Demand of a service for autoscalers, with the last answers of the other workers."""
        own = scaled(self._router, service, port)
        if own is None or self._whole is None:
            return own
        return self._whole.with_scale(own)

    def scales(self) -> Iterator[ScaleView]:
        """Of all service ports."""
        for key in self._router.services:
            if (one := self.scale(key.name, key.port)) is not None:
                yield one

    async def past(
        self, service: str, port: int | None, count: int, *, denied: bool
    ) -> Sequence[PastDecision] | None:
        """As `own_past`, of all workers."""
        own = self.own_past(service, port, count, denied=denied)
        if own is None or self._whole is None:
            return own
        return await self._whole.past(own, service, port, count, denied=denied)

    def own_past(
        self, service: str, port: int | None, count: int, *, denied: bool
    ) -> Sequence[PastDecision] | None:
        """How its last requests were decided, with the figures of then."""
        now = self._network.now()
        wall = datetime.now(UTC)

        def utc(moment: float) -> str:
            return iso(wall - timedelta(seconds=now - moment), "milliseconds")

        return recalled(self._router, now, utc, service, port, count, denied=denied)

    def command(self, name: str, arguments: Mapping[str, str]) -> str:
        """Carry out an order of the operator."""
        done = self._order(name, arguments)
        if done is None:
            raise UnknownCommand(COMMANDS)
        return done

    # Parts ----------------------------------------------------------------------------------

    def _neighbours(self, route: SiteRoute) -> tuple[NeighbourCost, ...]:
        """By cost and name, as sites are listed everywhere; the table has them by id."""
        known = [
            NeighbourCost(self._router.site_name(other), cost) for other, cost in route.neighbours
        ]
        return tuple(sorted(known, key=lambda one: (one.cost, one.site)))

    def _next_hops(self, route: SiteRoute) -> tuple[str, ...]:
        """The other sites that its paths begin with."""
        names = [self._router.site_names(path)[:1] for path in route.paths]
        return tuple(sorted({name for first in names for name in first}))

    def service(self, snapshot: ServiceSnapshot) -> ServiceView:
        """One service port."""
        key = snapshot.key
        planned = self._router.services.get(key)
        listener = snapshot.listener
        if listener is not None:
            state = "bound" if listener.listening else "error"
            shown = ListenerView(
                host=listener.host, port=listener.port, state=state, error=listener.error
            )
        else:
            why_not = planned.why_not if planned is not None else ""
            shown = ListenerView(host="", port=key.port, state="none", error=why_not)
        rate = self._rate(snapshot)
        name, sharing = self._router.identity.name, self._router.sharing_of(key.name)
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
            removed=self._removed(key.name),
            affinity=affinity_view(self._router.readings.sessions_of(key)),
            queued=snapshot.queued,
            demand=snapshot.demand,
            requests_total=snapshot.counters.requests_total,
            overflow_total=snapshot.counters.overflow_total,
            spilled_total=snapshot.counters.spilled_total,
            gave_up_total=snapshot.counters.gave_up_total,
            listener=shown,
            tls_cert=snapshot.config.tls_cert,
            routing_key=snapshot.config.routing_key,
            export_to=names_of_patterns(sharing.export_to),
            import_from=names_of_patterns(sharing.import_from),
            rule_sites=self._router.rule_sites(sharing.export_to)
            | self._router.rule_sites(sharing.import_from),
            sites=tuple(
                self._site(report, snapshot, rate)
                for report in self._reports(snapshot)
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
                for one in absent(self._router, key, self.utc)
            ),
            targets=tuple(
                TargetView(
                    site=name,
                    name=target.name,
                    host=target.host,
                    port=target.port,
                    ready=target.ready,
                    in_flight=target.in_flight,
                    capacity=target.capacity,
                    requests_total=target.requests_total,
                    error=target.error,
                    since=None if target.leaving else self.utc(target.since),
                    capacity_kind=kind_of(
                        target.capacity, target.rate, auto=target.learnt is not None
                    ),
                    rate=rate_of(target.rate),
                    learnt=learnt_view(target.learnt),
                )
                for target in snapshot.targets
            ),
            local_targets=TargetCount(snapshot.local_targets.total, snapshot.local_targets.ready),
            phases={name: _phase(one) for name, one in self._phases(snapshot).items()},
        )

    def own_phases(self) -> Iterator[PortPhases]:
        """What this worker counted of phases, of service ports that had a request."""
        for snapshot in self._router.readings.snapshots():
            if snapshot.declared and snapshot.counters.requests_total:
                yield PortPhases(snapshot.key, _counts(snapshot))

    def _rate(self, snapshot: ServiceSnapshot) -> RateState | None:
        return self._whole_rate(snapshot.key, snapshot.rate)

    def _rate_now(self, key: ServiceKey) -> RateState | None:
        return self._whole_rate(key, self._router.readings.rate_state(key))

    def _whole_rate(self, key: ServiceKey, own: RateState | None) -> RateState | None:
        return own if self._whole is None else self._whole.rate(key, own)

    def _phases(self, snapshot: ServiceSnapshot) -> Phases:
        own = _counts(snapshot)
        return own if self._whole is None else self._whole.phases(snapshot.key, own)

    def _site(
        self,
        report: CandidateReport,
        snapshot: ServiceSnapshot,
        own: RateState | None,
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
            waiting=report.waiting or 0,
            ejected_s=None if report.ejected_s is None else round(report.ejected_s, 3),
            left_out=why_not(report, snapshot.explanation),
            reserved=reserved,
            most_for_one=most_for_one,
            note=self._note(snapshot.key) if local else "",
        )

    def _note(self, key: ServiceKey) -> str:
        load = self._load(key)
        return load.note if load is not None else ""

    def _takes_none(self, key: ServiceKey, report: CandidateReport) -> bool:
        """A site takes nothing new of the service: it stops, or an operator wants it so. A rule
        or a policy may leave it out besides."""
        if report.verdict == "draining":
            return True
        if report.site == self._router.identity.site:
            planned = self._router.services.get(key)
            return planned is not None and not planned.takes
        known = self._router.routing.table.candidates.get(key, ())
        routers = [one for one in known if one.site == report.site]
        return bool(routers) and all(one.draining for one in routers)

    def resident_bytes(self) -> int:
        """Memory of this process now."""
        return self._memory.use_now().resident_bytes

    def utc(self, monotonic_s: float) -> str:
        ago = timedelta(seconds=self._network.now() - monotonic_s)
        return iso(datetime.now(UTC) - ago)

    def metrics(self) -> Iterator[MetricValues]:
        """Everything `/metrics` shows, one service port at a time; of all workers at the end."""
        return (
            self._own_metrics()
            if self._whole is None
            else self._whole.with_metrics(self._own_metrics())
        )

    def _own_metrics(self) -> Iterator[MetricValues]:
        lag_s = max(self.loop_lag_s, self._network.turn_lag_s)
        figures = self._seeing.figures if self._seeing is not None else {}
        yield from measure(
            self._router,
            self._memory,
            self._expiries(),
            lag_s,
            figures,
            self.status().problems,
            self._rate,
            self._reports,
        )
        yield from process_values(self._started, self.resident_bytes())
        if self._bursting is not None:
            yield MetricValues(self._bursting.metrics(), {})
        yield MetricValues(self.caller_metrics(), {})


def _not_known(key: ServiceKey) -> Mapping[str, float]:
    return {}


def _cost_key(path_cost: int | None) -> float:
    return math.inf if path_cost is None else path_cost


def _counts(snapshot: ServiceSnapshot) -> Phases:
    return {name: one.counts for name, one in snapshot.counters.served_phases.items()}


def _phase(counts: Sequence[int]) -> PhaseView:
    return PhaseView(quantile(counts, 0.5), quantile(counts, 0.99))
