"""A router that reports what a test wants it to report: the views are real, the router is not."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
from aiohttp import web

from router.admin import sse
from router.admin.answers import failure, item, items
from router.admin.endpoints.graph import GraphApi, GraphView
from router.admin.ports import MetricValues, UnknownCommand
from router.admin.views.bursts import BurstView, ScaleView
from router.admin.views.flow import FlowDetail, FlowsWanted, FlowView
from router.admin.views.history import KneeView, ServiceHistory
from router.admin.views.links import LinkView, SiteView
from router.admin.views.live import Live
from router.admin.views.ping import PingView
from router.admin.views.services import ServiceView, TargetView
from router.admin.views.site import SiteDetail
from router.admin.views.status import CaView, Status
from router.admin.views.why import PastDecision, WhyView
from router.model.events import Problem
from router.model.ids import ServiceKey
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
        self, service: str, port: int | None, count: int, *, denied: bool
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


class ScriptedPart:
    """The routes that the real parts of the API have, in their shapes, answered by the script."""

    def __init__(self, router: ScriptedRouter) -> None:
        self._router = router
        self._skipped = 0

    def add_to(self, routes: web.UrlDispatcher) -> None:
        routes.add_get("/api/v1/live", self._live)
        routes.add_get("/api/v1/tokens", self._tokens)
        routes.add_get("/api/v1/history", self._history)
        routes.add_get("/api/v1/knees", self._knees)
        routes.add_get("/api/v1/flows", self._flows)
        routes.add_get("/api/v1/flows/{id}", self._flow)
        routes.add_get("/api/v1/ping/{site}", self._ping)
        routes.add_get("/api/v1/sites/{site}", self._site)
        GraphApi(self._router, self._router).add_to(routes)

    async def _live(self, request: web.Request) -> web.StreamResponse:
        if self._router.is_signed_out:
            return failure(401, "unauthorized", "You are signed out.")
        if "text/event-stream" not in request.headers.get("Accept", ""):
            return item("Live", self._router.live)
        if self._router.is_crowded:
            return failure(503, "too-many-followers", "Too many clients follow.")
        sent: Live | None = None

        def next_picture(number: int) -> bytes:
            nonlocal sent
            if self._router.live is sent and number % EVERY:
                return b""
            sent = self._router.live
            return sse.message(number, sent)

        return await self._stream(request, next_picture)

    async def _stream(
        self, request: web.Request, message: Callable[[int], bytes]
    ) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await response.prepare(request)
        number = 0
        with contextlib.suppress(ConnectionError):  # The page was left.
            while True:
                number += 1
                silent = self._router.is_silent
                if data := b": silence\n\n" if silent else message(number):
                    await sse.write(response, data)
                await asyncio.sleep(EVERY_S)
        return response

    async def _tokens(self, request: web.Request) -> web.Response:
        return items("Token", self._router.live.tokens)

    async def _history(self, request: web.Request) -> web.Response:
        name, _, port = request.query.get("service", "").partition(":")
        found = [
            history
            for history in self._router.histories
            if not name or (history.service == name and port in ("", str(history.port)))
        ]
        return items("ServiceHistory", found)

    async def _knees(self, request: web.Request) -> web.Response:
        name = request.query.get("service", "").partition(":")[0]
        return items("Knee", [knee for knee in self._router.knees if name in ("", knee.service)])

    async def _flows(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        name, _, port = query.get("service", "").partition(":")
        wanted = FlowsWanted(
            name or None, int(port) if port else None, query.get("outcome"), query.get("site")
        )
        if "text/event-stream" not in request.headers.get("Accept", ""):
            count = int(query.get("count", "100"))
            self._skipped += self._router.flows_skipped
            found = wanted.of(list(self._router.flows))[:count]
            return items("Flow", found, skipped=self._skipped)
        sent: set[int] = set()

        def unsent(number: int) -> bytes:
            for flow in self._router.flows:
                if wanted.has(flow) and flow.id not in sent:
                    sent.add(flow.id)
                    return sse.message(flow.id, flow)
            return b": none\n\n"

        return await self._stream(request, unsent)

    async def _flow(self, request: web.Request) -> web.Response:
        detail = self._router.details.get(int(request.match_info["id"]))
        if detail is None:
            return failure(404, "not-found", "This flow is not kept any more.")
        return item("FlowDetail", detail)

    async def _ping(self, request: web.Request) -> web.Response:
        ping = self._router.pings.get(request.match_info["site"])
        if ping is None:
            return failure(
                404, "not-found", "No such site is known here.", "sitectl network status"
            )
        return item("Ping", ping)

    async def _site(self, request: web.Request) -> web.Response:
        name = request.match_info["site"]
        site = next((one for one in self._router.live.network if one.name == name), None)
        if site is None:
            return failure(
                404, "not-found", "No such site is known here.", "sitectl network status"
            )
        untold = SiteDetail(
            name=site.name,
            id=site.id,
            local=False,
            reachable=site.reachable,
            path_cost=site.path_cost,
            told=False,
            error="it gave no answer in time",
        )
        return item("SiteDetail", self._router.sites.get(name, untold))
