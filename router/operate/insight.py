"""Parts of the admin API with state: history, flows, other sites, what-if, tokens, stacks."""

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
from router.asking.disclosure import Telling
from router.callers.callers import Callers
from router.net.ports import Network
from router.node.parts import WHOLE, Part
from router.node.site_router import SiteRouter
from router.operate.access import access_of
from router.operate.debug_dump import Debugging
from router.operate.figures.history_recorder import HistoryRecorder
from router.operate.flows.all_flows import AllFlows
from router.operate.flows.flows import Flows
from router.operate.graph import CallGraph
from router.operate.live_snapshot import Living
from router.operate.rebalances import Rebalancer
from router.operate.simulation_process import Simulating
from router.operate.sites.facts import OwnFacts
from router.operate.sites.ping_view import Pings
from router.operate.sites.site_view import SitesView
from router.operate.views import OperatorView
from router.operate.why.latency_knees import knees
from router.operate.why.traffic import TrafficTester
from router.operate.worker_answers import Answering
from router.workers.combined_figures import Whole


class Insight:
    """Recorder, flows and what is asked of other sites, put together; answers theirs."""

    def __init__(
        self,
        network: Network,
        router: SiteRouter,
        view: OperatorView,
        tokens: Callable[[], Sequence[TokenView]],
        news: Callable[[int], bytes],
        callers: Callers,
        part: Part = WHOLE,
        whole: Whole | None = None,
    ) -> None:
        """``news``: see `Telling`. ``whole``: where this is the first of several workers."""
        self._network = network
        self._router, self._view, self._tokens = router, view, tokens
        self._recorder = HistoryRecorder(network, router)
        self._recorder.start()
        self._whole = whole
        self._flows = Flows(network, router, part)
        self._all_flows = AllFlows(self._flows, whole.workers) if whole is not None else None
        workers = whole.workers if whole is not None else None
        self.rebalancer = Rebalancer(router.forwarder, router.site_name, workers)
        """Carries out the order ``rebalance``."""
        is_on = router.forwarder.observing
        self._graph = CallGraph(router, callers, lambda: is_on.callers is not None, workers)
        view.caller_metrics = self._graph.metrics
        self._living = Living(view, router, self._recorder, whole)
        view.spilled_to, view.failing = self._living.spilled_to, self._living.failing
        view.gave_up, view.shed = self._living.gave_up, self._living.shed
        view.queued, view.removed = self._living.queued, self._living.removed
        view.removed_at_silent = self._living.removed_at_silent
        view.former = self._living.former
        facts = OwnFacts(router, view, self._recorder.histories)
        telling = Telling(router.identity.site, facts, network)
        telling.news = news
        router.questions.telling = telling
        self._sites = SitesView(router, telling)

    def api_parts(self) -> list[ApiPart]:
        """What the API has beside its own routes."""
        router, view, histories = self._router, self._view, self._histories
        flows = self._all_flows
        return [
            LiveApi(self._living, self._tokens),
            HistoryApi(histories, self._sites, view),
            FlowsApi(self._flows if flows is None else flows, view, flows),
            KneesApi(partial(knees, router), view),
            SitesApi(self._sites),
            PingApi(Pings(router, view.links)),
            TrafficApi(TrafficTester(self._network, router), view),
            RebalanceApi(self.rebalancer, view),
            GraphApi(self._graph, view),
            NamesApi(router.owning.names, view),
            AccessApi(partial(access_of, router), view),
            SimulationApi(Simulating(), view, histories),
            TokensApi(self._tokens),
            DebugApi(Debugging(router, lambda: view.loop_lag_s, view.resident_bytes).look),
        ]

    def answering(self, events: EventLog) -> Answering:
        """The sources of answers to the first worker. ``events``: of this one."""
        histories = self._recorder.histories
        return Answering(
            self._view,
            self._flows,
            self._living,
            histories,
            events,
            self.rebalancer,
            self._graph,
        )

    async def _histories(self, service: str | None, port: int | None) -> Iterator[ServiceHistory]:
        own = self._recorder.histories(service, port)
        if self._whole is None:
            return own
        return (await self._whole.histories(service, port)).join(own)

    def close(self) -> None:
        """Record nothing more."""
        self._recorder.close()
        self._flows.close()
        if self._all_flows is not None:
            self._all_flows.close()
