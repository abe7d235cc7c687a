"""A router that reports what a test wants it to report: the views are real, the router is not."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count

import msgspec
from aiohttp import web

from router.admin import sse
from router.admin.answers import failure, item
from router.admin.endpoints.flows import FlowsApi
from router.admin.endpoints.graph import GraphApi, GraphView
from router.admin.endpoints.history import HistoryApi
from router.admin.endpoints.knees import KneesApi
from router.admin.endpoints.ping import PingApi
from router.admin.endpoints.sites import SitesApi
from router.admin.endpoints.tokens import TokensApi
from router.admin.ports import ApiPart, MetricValues, UnknownCommand
from router.admin.views.bursts import BurstView, ScaleView
from router.admin.views.flow import FlowDetail, FlowView
from router.admin.views.history import KneeView, ServiceHistory
from router.admin.views.links import LinkView, SiteView
from router.admin.views.live import Live, TokenView
from router.admin.views.ping import PingView
from router.admin.views.services import ServiceView, TargetView
from router.admin.views.site import SiteDetail
from router.admin.views.status import CaView, Status
from router.admin.views.why import PastDecision, WhyView
from router.model.events import Problem
from router.model.ids import ServiceKey
from router.model.requests import RequestSelection
from router.model.settings import AffinityBy
from tests.browser import pictures

EVERY_S = 0.1
"""How often a stream checks for a change: a test need not wait a second for its own change."""
EVERY = 10
"""The same picture is sent again after so many times, each second, as a router does."""


class ScriptedRouter:
    """A `RouterView` of one picture, which the test may change at any time."""

    def __init__(self) -> None:
        self.live: Live = pictures.burst()
        self.histories: tuple[ServiceHistory, ...] = (pictures.a_history(),)
        self.knees: tuple[KneeView, ...] = ()
        self.flows: tuple[FlowView, ...] = ()
        self.flows_skipped = 0  # Grows by so many with each answer.
        self.details: dict[int, FlowDetail] = {}
        self.graph: GraphView = pictures.a_graph()
        self.sites: dict[str, SiteDetail] = {}
        self.pings: dict[str, PingView] = {}
        self.whys: dict[str, WhyView] = {}
        self.is_silent = False  # The stream stays open and says nothing.
        self.is_crowded = False  # No stream is to be had, only single answers.
        self.is_signed_out = False
        self.commands: list[tuple[str, Mapping[str, str]]] = []

    def status(self) -> Status:
        return self.live.status

    def links(self) -> Sequence[LinkView]:
        return self.live.links

    def services(self) -> Sequence[ServiceView]:
        return self.live.services

    def network(self) -> Sequence[SiteView]:
        return self.live.network

    def bursts(self) -> Sequence[BurstView]:
        return self.live.bursts

    def ca(self) -> CaView:
        return self.live.ca

    def service_keys(self) -> Sequence[ServiceKey]:
        return [ServiceKey(one.name, one.port) for one in self.live.services]

    def routing_key_of(self, service: str) -> str:
        return ""

    def why_unknown(self, service: str) -> Problem | None:
        return None

    def ask_targets(
        self, service: str, done: Callable[[Mapping[int, list[TargetView]]], None]
    ) -> None:
        asyncio.get_running_loop().call_soon(done, {})

    async def why(
        self,
        service: str,
        port: int | None,
        session: tuple[AffinityBy, str] | None = None,
        *,
        sheddable: bool = False,
    ) -> WhyView | None:
        return self.whys.get(service)

    def scale(self, service: str, port: int | None) -> ScaleView | None:
        return None

    async def past(
        self, service: str, port: int | None, count: int, which: RequestSelection
    ) -> Sequence[PastDecision] | None:
        return ()

    async def view(self, *, with_history: bool) -> GraphView:
        """As `Graphs`."""
        if with_history:
            return self.graph
        edges, targets = (
            tuple(msgspec.structs.replace(one, history=None) for one in every)
            for every in (self.graph.edges, self.graph.targets)
        )
        return msgspec.structs.replace(self.graph, edges=edges, targets=targets)

    def ready(self) -> bool:
        return self.live.status.ready

    def metrics(self) -> Iterator[MetricValues]:
        yield MetricValues({}, {})

    async def look(self, figures: str) -> None:
        """There is no other process."""

    def command(self, name: str, arguments: Mapping[str, str]) -> str:
        if name != "reload":
            raise UnknownCommand("Commands are: reload.")
        self.commands.append((name, arguments))
        return "Reading the configuration again."

    async def kept_histories(
        self, service: str | None, port: int | None
    ) -> Iterator[ServiceHistory]:
        """As `Insight`."""
        return (
            one
            for one in self.histories
            if service in (None, one.service) and port in (None, one.port)
        )

    def latency_knees(self, service: str | None, port: int | None) -> Iterator[KneeView]:
        """As `operate.why.latency_knees`."""
        return (
            one for one in self.knees if service in (None, one.service) and port in (None, one.port)
        )

    def tokens(self) -> Sequence[TokenView]:
        return self.live.tokens


class ScriptedSites:
    """What questions to other sites find."""

    def __init__(self, router: ScriptedRouter) -> None:
        self._router = router

    def is_here(self, site: str) -> bool:
        status = self._router.live.status
        return site in (status.name, status.id)

    def history(
        self,
        site: str,
        service: str,
        port: int | None,
        done: Callable[[tuple[ServiceHistory, ...], str], None],
    ) -> bool | None:
        """Another site may tell of any port."""
        if self._found(site) is None:
            return None
        told = tuple(one for one in self._router.histories if service == one.service)
        asyncio.get_running_loop().call_soon(done, told, "")
        return True

    def detail(self, site: str, done: Callable[[SiteDetail], None]) -> bool | None:
        found = self._found(site)
        if found is None:
            return None
        untold = SiteDetail(
            name=found.name,
            id=found.id,
            local=False,
            reachable=found.reachable,
            path_cost=found.path_cost,
            told=False,
            error="it gave no answer in time",
        )
        told = self._router.sites.get(found.name, untold)
        asyncio.get_running_loop().call_soon(done, told)
        return True

    def ping(
        self, site: str, rounds: int, via: str, done: Callable[[PingView], None]
    ) -> bool | None:
        found = self._router.pings.get(site)
        if found is None:
            return None
        asyncio.get_running_loop().call_soon(done, found)
        return True

    def _found(self, site: str) -> SiteView | None:
        return next((one for one in self._router.live.network if site in (one.name, one.id)), None)


class ScriptedFlows:
    """Flows for the list, which the console asks for each second."""

    turn = 0

    def __init__(self, router: ScriptedRouter) -> None:
        self._router = router
        self._skipped = 0

    @property
    def skipped(self) -> int:
        self._skipped += self._router.flows_skipped
        return self._skipped

    def look(self) -> None:
        """They are recorded all the time."""

    def follow(self) -> bool:
        """The console follows no flows."""
        return False

    def unfollow(self) -> None:
        raise NotImplementedError

    def newest(self) -> Iterator[FlowView | None]:
        return iter(self._router.flows)

    def since(self, turn: int) -> list[FlowView]:
        raise NotImplementedError

    def lasting(self) -> list[FlowView]:
        raise NotImplementedError

    def detail(self, number: int) -> FlowDetail | None:
        return self._router.details.get(number)


def parts_of(router: ScriptedRouter) -> Sequence[ApiPart]:
    """The parts of a router's API, as `operate.insight` joins them, over the script."""
    sites = ScriptedSites(router)
    return (
        ScriptedLive(router),
        HistoryApi(router.kept_histories, sites, router),
        FlowsApi(ScriptedFlows(router), router),
        KneesApi(router.latency_knees, router),
        SitesApi(sites),
        PingApi(sites),
        TokensApi(router.tokens),
        GraphApi(router, router),
    )


class ScriptedLive:
    """`LiveApi`, with faults of the script; its pictures are all of one moment."""

    def __init__(self, router: ScriptedRouter) -> None:
        self._router = router

    def add_to(self, routes: web.UrlDispatcher) -> None:
        routes.add_get("/api/v1/live", self._live)

    async def _live(self, request: web.Request) -> web.StreamResponse:
        if self._router.is_signed_out:
            return failure(401, "unauthorized", "You are signed out.")
        if not sse.wanted(request):
            return item("Live", self._router.live)
        if self._router.is_crowded:
            return sse.no_place("the live view")
        return await sse.follow(request, self._feed)

    async def _feed(self, response: web.StreamResponse) -> None:
        sent: Live | None = None
        for number in count(1):
            live = self._router.live
            if self._router.is_silent:
                await sse.write(response, b": silence\n\n")
            elif live is not sent or not number % EVERY:
                sent = live
                await sse.write(response, sse.message(number, live))
            await asyncio.sleep(EVERY_S)
