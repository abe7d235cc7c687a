"""`GET /api/v1/graph`: who calls which service here, and which site serves it."""

from typing import Protocol

import msgspec
from aiohttp import web

from router.admin.answers import item
from router.admin.named import ServiceNames, named_port
from router.admin.views.links import SiteName


class CallerView(msgspec.Struct, frozen=True, kw_only=True):
    """``kind``: ``workload`` (``deployment/web``), ``unit``, ``container``, ``user``, ``node``
    (which hides its callers), ``address``, or ``others``."""

    kind: str
    name: str


class GraphFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of an edge. Totals count since the router started, without those of a worker that was
    killed; rates, per second, and quantiles cover the last one to two minutes, null without a
    request. ``open``: in flight now. ``history``, if requested: requests and failures by step of
    the last day, the current one last.
    """

    requests_total: int
    failed_total: int
    open: int
    rate_per_s: float
    failed_per_s: float
    p50_s: float | None
    p99_s: float | None
    history: tuple[tuple[int, int], ...] | None = None


class GraphEdgeView(GraphFigures, frozen=True, kw_only=True):
    """Requests (tcp: connections) of one caller to one service port that one site served.

    ``site`` null: no site served them. ``crosses``: a site other than this one did.
    ``routing_key``: of Skupper v2, carried by the service; empty: none.
    """

    caller: CallerView
    service: str
    port: int
    site: SiteName | None
    crosses: bool
    routing_key: str = ""


class ClientSiteView(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of one target whose clients are connected at one site; ``site`` null: at several
    that are not counted separately. ``crosses``: at a site other than this one.
    """

    site: SiteName | None
    crosses: bool
    requests_total: int
    failed_total: int
    rate_per_s: float
    failed_per_s: float


class GraphTargetView(GraphFigures, frozen=True, kw_only=True):
    """Requests (tcp: connections) of one service port at one target of this site, from callers here
    and at other sites. Times are from the choice of the target to the end of its answer.

    ``address``: ``host:port``; null: several targets together, ``name`` is ``others``. ``ready``
    null: for these, and for a former target. ``client_sites``: the same requests by the site of
    their clients, as the sending site reports it; those with the most first. ``routing_key``: as
    for an edge. ``drained``: an operator drained it; it is then not ``ready``, which is no fault.
    """

    service: str
    port: int
    name: str
    address: str | None
    ready: bool | None
    client_sites: tuple[ClientSiteView, ...] = ()
    routing_key: str = ""
    drained: bool = False


class GraphView(msgspec.Struct, frozen=True, kw_only=True):
    """The callers of this site's listeners, and the requests of its targets. ``enabled``: callers
    are being named, and both are counted.

    ``named_share``: share of connections whose caller was found since the start; null: there was
    none. ``waiting``: addresses whose caller is not settled yet. ``step_s``: of the history.
    ``current_step_s``: the age of its newest step; steps begin at any second, not at full minutes.
    """

    site: SiteName
    enabled: bool
    named_share: float | None
    unnamed_total: int
    waiting: int
    step_s: float
    edges: tuple[GraphEdgeView, ...]
    targets: tuple[GraphTargetView, ...] = ()
    current_step_s: float = 0.0


class Graphs(Protocol):
    """The source of the graph, implemented by `operate.graph`."""

    async def view(self, *, with_history: bool) -> GraphView:
        """The graph of all workers."""


class GraphApi:
    """An `ApiPart`."""

    def __init__(self, graphs: Graphs, names: ServiceNames) -> None:
        self._graphs, self._names = graphs, names

    def add_to(self, routes: web.UrlDispatcher) -> None:
        """Add its only route: ``service=NAME[:PORT]`` narrows it, ``history=true`` adds the last
        day.
        """
        routes.add_get("/api/v1/graph", self._graph)

    async def _graph(self, request: web.Request) -> web.Response:
        asked = request.query.get("service")
        named = named_port(asked, self._names) if asked is not None else None
        if isinstance(named, web.Response):
            return named
        with_history = request.query.get("history") == "true"
        graph = await self._graphs.view(with_history=with_history)
        return item("Graph", graph if named is None else _of(graph, *named))


def _of(graph: GraphView, service: str, port: int | None) -> GraphView:
    """Only the edges and targets of one service."""
    return msgspec.structs.replace(
        graph,
        edges=tuple(
            edge for edge in graph.edges if edge.service == service and port in (None, edge.port)
        ),
        targets=tuple(
            one for one in graph.targets if one.service == service and port in (None, one.port)
        ),
    )
