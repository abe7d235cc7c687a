"""Builds the operators' side of one process: the view, history, flows, other sites."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from router.admin.endpoints.access import AccessApi
from router.admin.endpoints.debug import DebugApi
from router.admin.endpoints.flows import FlowsApi
from router.admin.endpoints.graph import GraphApi
from router.admin.endpoints.history import HistoryApi
from router.admin.endpoints.knees import KneesApi
from router.admin.endpoints.live import LiveApi
from router.admin.endpoints.names import NamesApi
from router.admin.endpoints.ping import PingApi
from router.admin.endpoints.rebalance import RebalanceApi
from router.admin.endpoints.simulation import SimulationApi
from router.admin.endpoints.sites import SitesApi
from router.admin.endpoints.tokens import TokensApi
from router.admin.endpoints.traffic import TrafficApi
from router.admin.events import EventLog
from router.admin.ports import ApiPart
from router.admin.views.history import ServiceHistory
from router.admin.views.live import TokenView
from router.asking.disclosure import Disclosure
from router.callers.callers import Callers
from router.net.epoll import EpollNetwork
from router.node.parts import Part
from router.node.site_router import SiteRouter
from router.operate.access import access_of
from router.operate.bursts.burst_runs import BurstRunner
from router.operate.debug_dump import DebugDump
from router.operate.figures.history_recorder import HistoryRecorder
from router.operate.figures.recent_figures import RecentFigures
from router.operate.flows.all_flows import AllFlows
from router.operate.flows.flows import Flows
from router.operate.flows.observability_settings import ObservabilitySettings
from router.operate.graph import CallGraph
from router.operate.live_snapshot import LiveRows
from router.operate.process_facts import ProcessFacts
from router.operate.rebalances import Rebalancer
from router.operate.simulation_process import SimulationProcess
from router.operate.sites.facts import facts_of
from router.operate.sites.ping_view import Pings
from router.operate.sites.site_view import SitesView
from router.operate.views import OperatorView, Order
from router.operate.why.latency_knees import knees
from router.operate.why.traffic import TrafficTester
from router.operate.worker_answers import WorkerAnswers
from router.workers.combined_figures import RouterFigures


class Insight:
    """Owns everything that observes a router: the view, its records, questions to other sites, and
    answers to other workers."""

    def __init__(
        self,
        network: EpollNetwork,
        router: SiteRouter,
        part: Part,
        whole: RouterFigures,
        facts: ProcessFacts,
        order: Order,
        rebalancer: Rebalancer,
        callers: Callers,
        tokens: Callable[[], Sequence[TokenView]],
        burst_runner: BurstRunner,
        observability: ObservabilitySettings,
    ) -> None:
        """``order``: see `OperatorView`. ``rebalancer``: of this worker."""
        self._network, self._router, self._whole, self._facts = network, router, whole, facts
        self._rebalancer, self._tokens = rebalancer, tokens
        self._recorder = HistoryRecorder(network, router)
        self._recorder.start()
        self._flows = Flows(network, router, part)
        workers, is_on = whole.workers, router.forwarder.observing
        self._all_flows = AllFlows(self._flows, workers) if workers.all else None
        self._graph = CallGraph(router, callers, lambda: is_on.callers is not None, workers)
        self._recent = RecentFigures(router, self._recorder, whole)
        self.view = OperatorView(
            router,
            network,
            self._recent,
            whole,
            facts,
            order,
            self._graph.metrics,
            burst_runner,
            observability,
        )
        self._live_rows = LiveRows(self.view, router, self._recent, whole)
        view, histories = self.view, self._recorder.histories
        told = facts_of(router, view.own_status, view.links, histories)
        self.disclosure = Disclosure(router.identity.site, told, network)
        """Answers to other sites, and to other routers of this one."""
        router.questions.disclose_by(self.disclosure)
        self._sites = SitesView(router, self.disclosure)

    def api_parts(self) -> list[ApiPart]:
        """The parts of the API besides its own routes."""
        router, view, histories = self._router, self.view, self._histories
        flows = self._all_flows
        return [
            LiveApi(view, self._live_rows.services, self._tokens),
            HistoryApi(histories, self._sites, view),
            FlowsApi(self._flows if flows is None else flows, view, flows),
            KneesApi(partial(knees, router), view),
            SitesApi(self._sites),
            PingApi(Pings(router, view.links)),
            TrafficApi(TrafficTester(self._network, router), view),
            RebalanceApi(self._rebalancer, view),
            GraphApi(self._graph, view),
            NamesApi(router.name_adoption.names, view),
            AccessApi(partial(access_of, router), view),
            SimulationApi(
                SimulationProcess(), view, histories, router.name_adoption.declared_elsewhere
            ),
            TokensApi(self._tokens),
            DebugApi(DebugDump(router, self._facts.loop_lag_s, view.resident_bytes).look),
        ]

    def answering(self, events: EventLog) -> WorkerAnswers:
        """The sources of answers to the first worker. ``events``: of this worker."""
        histories = self._recorder.histories
        return WorkerAnswers(
            self.view,
            self._flows,
            self._live_rows,
            self._recent,
            histories,
            events,
            self._rebalancer,
            self._graph,
        )

    async def _histories(self, service: str | None, port: int | None) -> Iterator[ServiceHistory]:
        own = self._recorder.histories(service, port)
        return (await self._whole.histories(service, port)).join(own)

    def close(self) -> None:
        """Stop recording."""
        self._recorder.close()
        self._flows.close()
        if self._all_flows is not None:
            self._all_flows.close()
