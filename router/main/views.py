"""The router as its operator sees it: snapshots for the admin API. Implements `RouterView`."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from router.admin.ports import MetricValues, UnknownCommand
from router.admin.views import (
    BurstView,
    LinkView,
    ListenerView,
    NeighbourCost,
    PastDecision,
    PhaseView,
    ScaleView,
    ServiceSite,
    ServiceView,
    SiteName,
    SiteView,
    Status,
    TargetView,
    WhyView,
)
from router.balance.decisions import CandidateReport
from router.balance.site_gate import RateState
from router.forward.counters import HistogramSnapshot
from router.forward.figures import ServiceSnapshot
from router.main.bursting import Bursting
from router.main.explaining import affinity_view, explained, finite
from router.main.inquiry import Told
from router.main.measuring import measure, takes_part
from router.main.memory import MemoryGuard
from router.main.rating import kind_of, learnt_view, rate_of, rate_of_report, rate_told
from router.main.recalling import recalled
from router.main.scaling import scaled
from router.main.seeing import Seeing
from router.main.site_router import SiteRouter
from router.model.events import Problem
from router.model.ids import RouterId
from router.model.settings import AffinityBy
from router.net.epoll import EpollNetwork
from router.routing.edge import EdgeRouting
from router.routing.table import SiteRoute

_RENEWALS = {
    "leaf": "It is renewed by itself; why it was not: sitectl events",
    "ca": "Make another: sitectl revoke-access, then new tokens for all who link here",
}
"""What to do when one of the site's own certificates is about to end."""
COMMANDS = (
    "Commands are: reload, stop, revoke (site=ID), burst-test (burst=NAME, event=saturated|calm)."
)


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
    ) -> None:
        """``host_problems`` are of this host: its clock, its disk.

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
        self.serving = False
        self.loop_lag_s = 0.0

    # RouterView -----------------------------------------------------------------------------

    def status(self) -> Status:
        """The site in a few figures, and what is wrong."""
        router = self._router
        return Status(
            name=router.identity.name,
            id=router.identity.site,
            mode=router.mode,
            version=router.version,
            ready=self.ready(),
            uptime_s=round(self._network.now() - router.started_at, 3),
            links=len(self.links()),
            replicas=1 + len(router.links.siblings),
            services=len({key.name for key in router.services}),
            sites=sum(1 for route in router.routing.table.sites.values() if route.reachable),
            problems=(
                *router.problems(self._utc),
                *self._memory.problems(),
                *self._host_problems(),
                *(self._bursting.problems() if self._bursting is not None else ()),
                *self._clocks_differ(),
                *self._refused(),
                *self._expiring(),
                *(self._seeing.problems if self._seeing is not None else ()),
            ),
            notes=router.notes,
        )

    def ready(self) -> bool:
        """Serving and not draining; just started, not before it listens where clients are led."""
        router = self._router
        return self.serving and not router.draining and router.listens_where_promised

    def links(self) -> Sequence[LinkView]:
        """All links, the dialled ones that wait for their certificate too."""
        expiries, routing = self._expiries(), self._router.routing
        views = [
            LinkView(
                name=link.name,
                neighbour=SiteName(link.neighbour_name, link.neighbour_site),
                direction=link.direction,
                cost=link.cost,
                state=link.state,
                since=self._utc(link.since),
                rtt_ms=None if link.rtt_s is None else round(link.rtt_s * 1000, 3),
                lanes=link.lanes,
                streams=link.streams,
                error=link.error,
                error_code=link.error_code,
                certificate_expires=_utc_of(expiries.get(f"link/{link.name}")),
                standby=isinstance(routing, EdgeRouting)
                and routing.stands_by(RouterId(link.neighbour_router)),
            )
            for link in self._router.links.status()
        ]
        for name, pending in self._router.pending_links.items():
            views.append(
                LinkView(
                    name=name,
                    neighbour=SiteName(pending.site_name, pending.site_id),
                    direction="outgoing",
                    cost=pending.cost,
                    state=pending.state,
                    since=self._utc(pending.since),
                    rtt_ms=None,
                    lanes=0,
                    streams=0,
                    error=pending.error,
                    error_code=pending.error_code,
                    certificate_expires=None,
                )
            )
        return sorted(views, key=lambda view: (view.direction != "outgoing", view.name))

    def services(self) -> Sequence[ServiceView]:
        """All service ports."""
        return [
            self._service(snapshot)
            for snapshot in self._router.forwarder.services_snapshot()
            if snapshot.declared
        ]

    def ask_targets(
        self, service: str, done: Callable[[Mapping[int, list[TargetView]]], None]
    ) -> None:
        """Targets that other sites have for ``service``, by its port; ``done`` comes once."""

        def answered(told: list[Told]) -> None:
            targets: dict[int, list[TargetView]] = {}
            for entry in sorted(told, key=lambda one: (one.key, one.site)):
                site = self._router.site_name(entry.site)
                targets.setdefault(entry.key.port, []).extend(
                    TargetView(
                        site=site,
                        name=target.name,
                        host="",
                        port=target.port,
                        ready=target.ready,
                        in_flight=target.in_flight,
                        capacity=target.capacity,
                        requests_total=target.requests_total,
                        error="" if target.ready else target.error or "not ready",
                        since=None
                        if target.state_s is None
                        else self._utc(self._network.now() - target.state_s),
                        capacity_kind=kind_of(target.capacity, target.rate),
                        rate=rate_told(target.rate),
                    )
                    for target in entry.targets
                )
            done(targets)

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
                neighbours=tuple(
                    NeighbourCost(self._router.site_name(other), cost)
                    for other, cost in route.neighbours
                ),
                services=tuple(sorted(offered.get(site, ()))),
                reachable=route.reachable,
                version=route.version,
            )
            for site, route in table.sites.items()
        ]
        return sorted(views, key=lambda view: (_cost_key(view.path_cost), view.name))

    def bursts(self) -> Sequence[BurstView]:
        """All Burst documents, by name."""
        return self._bursting.views() if self._bursting is not None else ()

    def why(
        self, service: str, port: int | None, session: tuple[AffinityBy, str] | None = None
    ) -> WhyView | None:
        """What the next request would meet, by the production code; moves nothing."""
        return explained(self._router, self._network.now(), service, port, session)

    def scale(self, service: str, port: int | None) -> ScaleView | None:
        """What an autoscaler goes by."""
        return scaled(self._router, service, port)

    def past(
        self, service: str, port: int | None, count: int, *, denied: bool
    ) -> Sequence[PastDecision] | None:
        """How its last requests were decided, with the figures of then."""
        now = self._network.now()
        wall = datetime.now(UTC)

        def utc(moment: float) -> str:
            return _iso(wall - timedelta(seconds=now - moment), "milliseconds")

        return recalled(self._router, now, utc, service, port, count, denied=denied)

    def command(self, name: str, arguments: Mapping[str, str]) -> str:
        """Carry out an order of the operator."""
        done = self._order(name, arguments)
        if done is None:
            raise UnknownCommand(COMMANDS)
        return done

    # Parts ----------------------------------------------------------------------------------

    def _next_hops(self, route: SiteRoute) -> tuple[str, ...]:
        """The other sites that its paths begin with."""
        names = [self._router.site_names(path)[:1] for path in route.paths]
        return tuple(sorted({name for first in names for name in first}))

    def _service(self, snapshot: ServiceSnapshot) -> ServiceView:
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
        name = self._router.identity.name
        return ServiceView(
            name=key.name,
            port=key.port,
            protocol=snapshot.config.protocol,
            policy=snapshot.config.policy.name,
            affinity=affinity_view(self._router.forwarder.sessions_of(key)),
            queued=snapshot.queued,
            demand=snapshot.demand,
            requests_total=snapshot.counters.requests_total,
            overflow_total=snapshot.counters.overflow_total,
            listener=shown,
            tls_cert=snapshot.config.tls_cert,
            sites=tuple(
                self._site(report, snapshot.rate)
                for report in snapshot.explanation.candidates
                if takes_part(self._router, key, report)
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
                    since=self._utc(target.since),
                    capacity_kind=kind_of(
                        target.capacity, target.rate, auto=target.learnt is not None
                    ),
                    rate=rate_of(target.rate),
                    learnt=learnt_view(target.learnt),
                )
                for target in snapshot.targets
            ),
            phases={name: _phase(one) for name, one in snapshot.counters.phases.items()},
        )

    def _site(self, report: CandidateReport, own: RateState | None) -> ServiceSite:
        local = report.site == self._router.identity.site
        return ServiceSite(
            site=report.site_name,
            id=report.site,
            local=local,
            path_cost=report.path_cost,
            targets_ready=report.targets_ready,
            capacity=report.capacity,
            capacity_kind=kind_of(report.capacity, report.rate, auto=report.is_learnt),
            in_flight=report.in_flight,
            draining=report.verdict == "draining",
            age_s=finite(report.age_s),
            rate=rate_of_report(report, own if local else None),
        )

    def _refused(self) -> list[Problem]:
        """Links that do not come up by themselves."""
        return [
            Problem(
                code="SW0404",
                message=f"Link {link.name} was refused: {link.error or 'no reason given'}",
                hint=f"sitectl link delete {link.name}, then link with a new token",
            )
            for link in self.links()
            if link.state == "refused" and link.error_code != "clock"
        ]

    def _clocks_differ(self) -> list[Problem]:
        """Links that cannot come up, or get their certificate, while a clock is wrong."""
        return [
            Problem(
                code="SW0660",
                message=f"Link {link.name} waits for a clock to be set right: {link.error}.",
                hint="Then the link comes up by itself within half a minute",
            )
            for link in self.links()
            if link.error_code == "clock"
        ]

    def _expiring(self) -> list[Problem]:
        soon = datetime.now(UTC).timestamp() + timedelta(days=7).total_seconds()
        return [
            Problem(
                code="SW0402",
                message=f"The certificate {name} ends at {_utc_of(expires)}.",
                hint=f"Put a new one into secrets/{name}"
                if name.startswith("tls/")
                else _RENEWALS.get(name, "Link again with a new token: sitectl token create FILE"),
            )
            for name, expires in self._expiries().items()
            if expires < soon
        ]

    def _utc(self, monotonic_s: float) -> str:
        ago = timedelta(seconds=self._network.now() - monotonic_s)
        return _iso(datetime.now(UTC) - ago)

    def metrics(self) -> MetricValues:
        """Everything `/metrics` shows, read once."""
        lag_s = max(self.loop_lag_s, self._network.turn_lag_s)
        figures = self._seeing.figures if self._seeing is not None else {}
        values = measure(self._router, self._memory, self._expiries(), lag_s, figures)
        if self._bursting is None:
            return values
        return MetricValues({**values.numbers, **self._bursting.metrics()}, values.histograms)


def _cost_key(path_cost: int | None) -> float:
    return math.inf if path_cost is None else path_cost


def _phase(histogram: HistogramSnapshot) -> PhaseView:
    p50_s, p99_s = histogram.quantile(0.5), histogram.quantile(0.99)
    if p50_s is None or p99_s is None:
        return PhaseView(None, None)
    return PhaseView(round(p50_s, 6), round(p99_s, 6))


def _iso(moment: datetime, timespec: str = "seconds") -> str:
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")


def _utc_of(seconds: float | None) -> str | None:
    return None if seconds is None else _iso(datetime.fromtimestamp(seconds, UTC))
