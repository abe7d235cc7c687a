"""Answers of a scripted router: whole pictures of a network, from nothing at all to 100 sites."""

import heapq
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

import msgspec

from router.admin.endpoints.graph import (
    CallerView,
    ClientSiteView,
    GraphEdgeView,
    GraphTargetView,
    GraphView,
)
from router.admin.views.history import HistorySample, HistorySite, ServiceHistory
from router.admin.views.links import LinkView, NeighbourCost, SiteName, SiteView
from router.admin.views.live import ClaimedView, Live, ServiceNow, TokenView
from router.admin.views.services import ServiceSite, ServiceView, TargetCount, TargetView
from router.admin.views.status import CaCertificateView, CaView, ListenerView, Status
from router.model.events import Problem

HERE = "east"
EPOCH = datetime(2026, 11, 20, 9, 41, tzinfo=UTC)
"""When all pictures are taken, by the router's clock, which is not that of the browser."""


def moment(seconds: float = 0.0) -> str:
    """UTC ISO 8601 of ``seconds`` after the picture."""
    return (EPOCH + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


REFUSED: Final = (
    "attic.example:55671 refused the connection. Is the neighbor running, and may this host "
    "reach it?"
)


def id_of(name: str) -> str:
    """A site's id, the same one for the same name."""
    return name.encode().hex().ljust(32, "0")[:32]


def a_link(name: str, neighbour: str, **changes: Any) -> LinkView:
    link = LinkView(
        name=name,
        neighbour=SiteName(neighbour, id_of(neighbour)),
        direction="outgoing",
        cost=5,
        state="up",
        since=moment(-7200),
        rtt_ms=12.4,
        lanes=2,
        streams=3,
        error="",
        certificate_expires=moment(6 * 86_400),
        endpoint=f"{neighbour}.example:55671",
        certificate="ab" * 32,
    )
    return msgspec.structs.replace(link, **changes)


def a_site(name: str, path_cost: int | None, **changes: Any) -> SiteView:
    """A site; ``neighbours`` as pairs of name and cost."""
    neighbours = changes.pop("neighbours", ())
    site = SiteView(
        name=name,
        id=id_of(name),
        path_cost=path_cost,
        next_hops=(),
        neighbours=tuple(NeighbourCost(site=other, cost=cost) for other, cost in neighbours),
        services=("shop",),
        reachable=path_cost is not None,
        version="0.1.0",
    )
    return msgspec.structs.replace(site, **changes)


def a_part(site: str, path_cost: int, **changes: Any) -> ServiceSite:
    """A site's part in a service."""
    part = ServiceSite(
        site=site,
        id=id_of(site),
        local=site == HERE,
        path_cost=path_cost,
        targets_ready=2,
        capacity=20,
        capacity_kind="concurrency",
        in_flight=4,
        draining=False,
        age_s=0.0 if site == HERE else 0.8,
    )
    return msgspec.structs.replace(part, **changes)


def a_target(name: str, **changes: Any) -> TargetView:
    """A target of the connector ``name``: `shop-2` is at port 9002."""
    target = TargetView(
        site=HERE,
        name=name,
        host="10.0.0.1",
        port=9000 + int(name[-1] if name[-1].isdigit() else 1),
        ready=True,
        in_flight=2,
        capacity=10,
        requests_total=1_204,
        error="",
        since=moment(-3600),
        capacity_kind="concurrency",
    )
    return msgspec.structs.replace(target, **changes)


def a_service(name: str, parts: Sequence[ServiceSite], **changes: Any) -> ServiceView:
    service = ServiceView(
        name=name,
        port=8080,
        protocol="http",
        policy="fill",
        queued=0,
        demand=4,
        requests_total=120_411,
        overflow_total=3_102,
        spilled_total=3_102,
        listener=ListenerView(host="127.0.0.1", port=8080, state="bound", error=""),
        tls_cert="",
        sites=tuple(parts),
        targets=(a_target("shop-1"), a_target("shop-2")),
    )
    service = msgspec.structs.replace(service, **changes)
    local = next((one.site for one in parts if one.local), None)
    mine = [one for one in service.targets if one.site == local]
    return msgspec.structs.replace(
        service, local_targets=TargetCount(len(mine), sum(one.ready for one in mine))
    )


def now_of(service: str, **changes: Any) -> ServiceNow:
    """A service port that serves all at home, until ``changes``. As many requests begin as end."""
    now = ServiceNow(
        service=service,
        port=8080,
        requests_per_s=42.0,
        overflow_per_s=0.0,
        failed_per_s=0.0,
        p50_s=0.012,
        p99_s=0.081,
        overflow_to={},
        why="",
    )
    ended = changes.get("requests_per_s", now.requests_per_s)
    return msgspec.structs.replace(
        now, **{"begun_per_s": ended, "failed_of_per_s": ended, **changes}
    )


CALM_CA = CaView(
    phase="one",
    since=None,
    until=None,
    next="it is replaced by itself 120 days before it ends",
    hurried=False,
    certificates=(CaCertificateView("issuing", "c0ffee" * 10 + "c0ff", moment(900 * 86_400)),),
    waiting=(),
)


def a_picture(**changes: Any) -> Live:
    """A site without anything; ``changes`` to the picture, ``problems``, ``name`` and ``ready``."""
    links: Sequence[LinkView] = changes.get("links", ())
    services: Sequence[ServiceView] = changes.get("services", ())
    network: Sequence[SiteView] = changes.get("network", ())
    status = Status(
        name=changes.pop("name", HERE),
        id=id_of(HERE),
        mode="interior",
        version="0.1.0",
        ready=changes.pop("ready", True),
        uptime_s=93_784.0,
        links=len(links),
        links_up=sum(link.state == "up" for link in links),
        links_silent=sum(link.silent_since is not None for link in links),
        services=len(services),
        sites=sum(site.reachable for site in network) or 1,
        sites_known=len(network) or 1,
        problems=changes.pop("problems", ()),
    )
    live = Live(
        at=moment(),
        status=status,
        links=(),
        services=(),
        network=(),
        bursts=(),
        ca=CALM_CA,
        tokens=(),
        now=(),
    )
    return msgspec.structs.replace(live, **changes)


def nothing() -> Live:
    """A site that was just made: no link, no service, no other site."""
    return a_picture(network=(a_site(HERE, 0, services=()),))


def a_network(
    links: Sequence[tuple[str, str, int]], **changes: dict[str, Any]
) -> tuple[SiteView, ...]:
    """Sites joined by ``links`` (both ends and the cost), as the router would tell of them.

    ``changes`` of single sites by name, which adds those that have no link.
    """
    near: dict[str, dict[str, int]] = {HERE: {}}
    for one, other, cost in links:
        near.setdefault(one, {})[other] = cost
        near.setdefault(other, {})[one] = cost
    costs = {HERE: 0}
    first: dict[str, tuple[str, ...]] = {HERE: ()}
    open_sites = [(0, HERE)]
    while open_sites:
        so_far, here = heapq.heappop(open_sites)
        for there, cost in near[here].items():
            if so_far + cost < costs.get(there, 1 << 30):
                costs[there] = so_far + cost
                first[there] = first[here] or (there,)
                heapq.heappush(open_sites, (costs[there], there))
    return tuple(
        msgspec.structs.replace(
            a_site(
                name,
                costs.get(name),
                next_hops=first.get(name, ()),
                neighbours=tuple(near.get(name, {}).items()),
            ),
            **changes.get(name, {}),
        )
        for name in dict.fromkeys([*near, *changes])
    )


def dead_here() -> Live:
    """No target of `shop` at this site is ready, and west serves it."""
    picture = burst()
    parts = [
        a_part(HERE, 0, targets_ready=0, capacity=None, capacity_kind=None, in_flight=0),
        a_part("west", 5, in_flight=17),
    ]
    dead = [
        a_target(
            name,
            ready=False,
            in_flight=0,
            error="10.0.0.1:9001 refused the connection",
            error_kind="not-ready",
        )
        for name in ("shop-1", "shop-2")
    ]
    shop = a_service("shop", parts, targets=tuple(dead), overflow_total=0)
    now = now_of(
        "shop",
        requests_per_s=139.0,
        spilled_per_s=139.0,
        spilled_to={"west": 139.0},
        spilled_for={"no-target": 139.0},
        why="no target of east is ready: 139/s go to west (cost 5)",
    )
    return msgspec.structs.replace(
        picture, services=(shop, *picture.services[1:]), now=(now, *picture.now[1:])
    )


def burst() -> Live:
    """Six sites, one of them two hops away and one not reachable; `shop` overflows."""
    network = a_network(
        [
            (HERE, "west", 5),
            (HERE, "north", 20),
            (HERE, "lab", 7),
            ("west", "south", 10),
            ("south", "north", 10),
        ],
        attic={"services": ()},
    )
    links = (
        a_link("to-west", "west"),
        a_link("to-north", "north", cost=20, rtt_ms=48.2, certificate_expires=moment(1.5 * 86_400)),
        a_link(
            "to-attic",
            "attic",
            state="down",
            rtt_ms=None,
            lanes=0,
            streams=0,
            error=REFUSED,
            certificate_expires=moment(20 * 3600),
            certificate="",
        ),
        a_link(
            "in-lab", "lab", direction="incoming", endpoint="", certificate="", cost=7, rtt_ms=0.4
        ),
    )
    services = (
        a_service(
            "shop",
            [
                a_part(HERE, 0, in_flight=20),
                a_part("west", 5, in_flight=17),
                a_part("south", 15, in_flight=2, capacity=None, capacity_kind=None),
            ],
            queued=3,
            demand=42,
            targets=(a_target("shop-1", in_flight=10), a_target("shop-2", in_flight=10)),
        ),
        a_service("billing", [a_part(HERE, 0, in_flight=4)], overflow_total=0, spilled_total=0),
    )
    now = (
        now_of(
            "shop",
            requests_per_s=210.0,
            overflow_per_s=64.5,
            failed_per_s=0.2,
            p99_s=0.41,
            overflow_to={"west": 60.5, "south": 4.0},
            spilled_per_s=64.5,
            spilled_to={"west": 60.5, "south": 4.0},
            spilled_for={"full": 64.5},
            why="20 of 20 slots of east are busy: 61/s go to west (cost 5), 4/s to south (cost 15)",
            in_flight_mean=19.8,
        ),
        now_of("billing", requests_per_s=3.4, in_flight_mean=0.9),
    )
    problem = Problem(
        code="SW0675",
        message=f"Link to-attic to attic is down: {REFUSED}",
        hint="sitectl link status to-attic, and at the other end: sitectl status",
        since=moment(-840),
    )
    return a_picture(
        network=network, links=links, services=services, now=now, problems=(problem,), tokens=TOKENS
    )


TOKENS = (
    TokenView(
        name="for-lab",
        state="open",
        made=moment(-120),
        expires=moment(780),
        uses_left=1,
        uses=1,
        claimed=(),
    ),
    TokenView(
        name="for-west",
        state="used",
        made=moment(-7300),
        expires=moment(-6400),
        uses_left=0,
        uses=1,
        claimed=(ClaimedView(site="west", id=id_of("west"), at=moment(-7200)),),
    ),
    TokenView(
        name="for-nobody",
        state="expired",
        made=moment(-90_000),
        expires=moment(-89_100),
        uses_left=2,
        uses=2,
        claimed=(),
    ),
)


def many_sites(number: int = 100) -> Live:
    """A ring of ``number`` sites with a chord at every seventh."""
    names = [HERE, *(f"site-{index:03d}" for index in range(1, number))]
    around = [(name, names[(index + 1) % number], 5) for index, name in enumerate(names)]
    across = [
        (names[index], names[(index + number // 2) % number], 12) for index in range(0, number, 7)
    ]
    network = a_network([*around, *across])
    links = (a_link("to-001", names[1]), a_link("to-last", names[-1]))
    parts = [a_part(site.name, site.path_cost or 0) for site in network]
    return a_picture(
        network=network,
        links=links,
        services=(a_service("shop", parts),),
        now=(now_of("shop"),),
    )


LONG_SERVICE: Final = f"orders-of-{'all-' * 13}x"
LONG_SITE: Final = f"hall-of-{'all-' * 13}xyz"
UNBROKEN: Final = "b" * 63


def long_names() -> Live:
    """Names of 63 characters, one of them without a hyphen, and figures up to a million."""
    network = a_network([(HERE, LONG_SITE, 5), (LONG_SITE, UNBROKEN, 123_456)])
    parts = [
        a_part(HERE, 0, in_flight=20),
        a_part(LONG_SITE, 5, in_flight=17),
        a_part(UNBROKEN, 123_461, in_flight=1_000_000, capacity=1_000_000),
    ]
    spilled = {LONG_SITE: 600_000.0, UNBROKEN: 54_321.5}
    now = now_of(
        LONG_SERVICE,
        requests_per_s=1_000_000.0,
        overflow_per_s=654_321.5,
        overflow_to=spilled,
        spilled_per_s=654_321.5,
        spilled_to=spilled,
        spilled_for={"full": 654_321.5},
        why=f"20 of 20 slots of east are busy: 600000/s go to {LONG_SITE} (cost 5), 54322/s to"
        f" {UNBROKEN} (cost 123461)",
    )
    endpoint = f"{UNBROKEN}.{UNBROKEN}.example:55671"
    down = {"rtt_ms": None, "lanes": 0, "streams": 0, "certificate": ""}
    links = (
        a_link(UNBROKEN, LONG_SITE, cost=1_000_000, rtt_ms=12_345.6, streams=1_000_000),
        a_link(
            f"to-{LONG_SITE}"[:63],
            UNBROKEN,
            state="down",
            error=f"{endpoint} refused the connection",
            **down,
        ),
    )
    return a_picture(
        network=network,
        links=links,
        services=(a_service(LONG_SERVICE, parts, queued=1_000_000),),
        now=(now,),
    )


def all_full() -> Live:
    """Every site of the service is at its capacity, requests wait and some are refused."""
    picture = burst()
    shop = msgspec.structs.replace(
        picture.services[0],
        queued=128,
        demand=188,
        sites=(
            a_part(HERE, 0, in_flight=20),
            a_part("west", 5, in_flight=20),
            a_part("south", 15, in_flight=20),
        ),
    )
    now = now_of(
        "shop",
        requests_per_s=900.0,
        overflow_per_s=400.0,
        failed_per_s=120.0,
        p50_s=2.0,
        p99_s=9.9,
        overflow_to={"west": 200.0, "south": 200.0},
        spilled_per_s=400.0,
        spilled_to={"west": 200.0, "south": 200.0},
        spilled_for={"full": 400.0},
        why="20 of 20 slots of east are busy: 200/s go to west (cost 5), 200/s to south (cost 15)"
        ", 120/s served nowhere",
        in_flight_mean=20.0,
    )
    return msgspec.structs.replace(picture, services=(shop,), now=(now,))


HISTORY_STEP_S = 5.0


def a_history(service: str = "shop", steps: int = 180, **changes: Any) -> ServiceHistory:
    """A quarter of an hour in which a burst came after six minutes, and has passed its height.

    This site takes 20 at once, west the next 20, south the rest.
    """

    def sample(index: int) -> HistorySample:
        seconds = (index - steps) * HISTORY_STEP_S
        wave = math.sin(math.pi * (index - steps * 0.4) / (steps * 0.9))
        load = 8 + 45 * max(0.0, wave) + 2 * math.sin(index / 3)
        here, west = min(20.0, load), min(20.0, max(0.0, load - 20))
        south = max(0.0, load - 40)
        served = tuple(round(part * HISTORY_STEP_S * 5) for part in (here, west, south))
        return HistorySample(
            at=moment(seconds),
            in_flight=(here, west, south),
            served=served,
            nowhere=0,
            overflow=served[1] + served[2],
            capacity=20,
            capacity_per_s=None,
            targets_ready=2,
            queued=round(max(0.0, load - 48)),
            p50_s=0.02 + load / 2000,
            p99_s=0.05 + load / 200,
        )

    history = ServiceHistory(
        service=service,
        port=8080,
        protocol="http",
        policy="fill",
        site=HERE,
        step_s=HISTORY_STEP_S,
        sites=(
            HistorySite(name=HERE, id=id_of(HERE), local=True, path_cost=0),
            HistorySite(name="west", id=id_of("west"), local=False, path_cost=5),
            HistorySite(name="south", id=id_of("south"), local=False, path_cost=15),
        ),
        samples=tuple(sample(index) for index in range(steps)),
    )
    return msgspec.structs.replace(history, **changes)


CALLS_STEPS = 288
"""Of five minutes each: a day."""


def a_call(
    caller: str, service: str = "shop", site: str | None = HERE, rate: float = 4.0, **changes: Any
) -> GraphEdgeView:
    """An edge of the service graph; ``caller``: kind and name. It has a day with a busy noon."""
    kind, _, name = caller.partition(" ")
    failing = changes.get("failed_per_s", 0.0) / rate if rate else 0.0
    day = [round(rate * 300 * _noon(index)) for index in range(CALLS_STEPS)]
    edge = GraphEdgeView(
        caller=CallerView(kind=kind, name=name or kind),
        service=service,
        port=8080,
        site=None if site is None else SiteName(site, id_of(site)),
        crosses=site not in (None, HERE),
        requests_total=sum(day),
        failed_total=sum(round(count * failing) for count in day),
        open=round(rate / 8),
        rate_per_s=rate,
        failed_per_s=0.0,
        p50_s=0.012 if rate else None,
        p99_s=0.081 if rate else None,
        history=tuple((count, round(count * failing)) for count in day),
    )
    return msgspec.structs.replace(edge, **changes)


def _noon(index: int) -> float:
    wave = 0.03 * math.sin(index * 0.35) + 0.02 * math.sin(index * 1.1)
    return 0.2 + 0.78 * math.sin(math.pi * index / CALLS_STEPS) ** 2 + wave


def a_graph(*edges: GraphEdgeView, **changes: Any) -> GraphView:
    """Who calls whom in `burst`, unless ``edges`` say it."""
    graph = GraphView(
        site=SiteName(HERE, id_of(HERE)),
        enabled=True,
        named_share=0.94,
        unnamed_total=31,
        waiting=0,
        step_s=300.0,
        edges=edges or CALLS,
        targets=() if edges else CALLED_TARGETS,
        current_step_s=100.0,
    )
    return msgspec.structs.replace(graph, **changes)


def a_called_target(
    address: str | None, service: str = "shop", rate: float = 12.0, **changes: Any
) -> GraphTargetView:
    """A target of the service graph, of this site."""
    target = GraphTargetView(
        service=service,
        port=8080,
        name=f"{service}-pods",
        address=address,
        ready=True,
        requests_total=round(rate * 3_600),
        failed_total=0,
        open=round(rate / 8),
        rate_per_s=rate,
        failed_per_s=0.0,
        p50_s=0.011 if rate else None,
        p99_s=0.08 if rate else None,
        history=tuple((round(rate * 300 * _noon(at)), 0) for at in range(CALLS_STEPS)),
    )
    return msgspec.structs.replace(target, **changes)


def client_site(site: str | None, rate: float) -> ClientSiteView:
    """A target's requests of clients at one site."""
    return ClientSiteView(
        site=None if site is None else SiteName(site, id_of(site)),
        crosses=site != HERE,
        requests_total=round(rate * 3_600),
        failed_total=0,
        rate_per_s=rate,
        failed_per_s=0.0,
    )


def many_targets(number: int, **changes: Any) -> GraphView:
    """A third of their requests come from clients at ``west``, and some from two other sites."""
    targets = []
    for at in range(number):
        rate = 90.0 / (at + 2)
        shares = ((HERE, 0.6), ("west", 0.3), ("south", 0.1))
        sites = tuple(client_site(site, rate * share) for site, share in shares)
        address = f"10.8.{at // 6}.{4 + at}:8080"
        targets.append(a_called_target(address, rate=rate, client_sites=sites))
    return msgspec.structs.replace(a_graph(targets=tuple(targets)), **changes)


CALLED_TARGETS = (
    a_called_target("10.9.1.4:8080", rate=74.0),
    a_called_target("10.9.1.5:8080", rate=71.5, failed_per_s=2.5),
    a_called_target("10.9.1.6:8080", rate=0.0, open=0, ready=None),
    a_called_target("10.9.2.9:8080", "billing", rate=3.4, ready=False),
    a_called_target(None, "billing", name="others", rate=0.1, ready=None),
)
"""One fails at times, one is gone, one is not ready; the last one represents several."""


CALLS = (
    a_call("address 10.9.0.17", rate=0.4, open=0),
    a_call("node worker-2", "billing", rate=1.2),
    a_call("unit nightly-report.service", "billing", rate=0.0, open=0, p50_s=None, p99_s=None),
    a_call("workload deployment/checkout", "billing", rate=2.2),
    a_call("workload deployment/checkout", rate=38.5, p99_s=0.12),
    a_call("workload deployment/checkout", site="west", rate=12.5, p50_s=0.031, p99_s=0.2),
    a_call("workload deployment/mobile-gateway", rate=31.0, failed_per_s=0.0),
    a_call("workload deployment/mobile-gateway", site="south", rate=4.0, p99_s=0.39),
    a_call("workload deployment/mobile-gateway", site=None, rate=1.4, failed_per_s=1.4, open=0),
    a_call("workload deployment/web", rate=76.0),
    a_call("workload deployment/web", site="west", rate=48.0, failed_per_s=6.0, p99_s=0.41),
    a_call("workload statefulset/search", rate=0.0, open=6, p50_s=None, p99_s=None),
)


@cache
def many_callers(number: int = 300) -> GraphView:
    """As many callers as are kept apart, and others, of eight services that three sites serve."""
    names = [f"workload deployment/team-{index:03d}" for index in range(number)]
    return a_graph(
        *(
            a_call(
                name, f"service-{(index + turn) % 8}", site, rate=400.0 / (index + 1) / (turn + 1)
            )
            for index, name in enumerate(names)
            for turn, site in enumerate((HERE, "west", "south"))
        ),
        a_call("others", "service-1", rate=3.0),
    )


HOSTILE = '<script>document.title="owned"</script><img src=x onerror=alert(1)>"\'&\u202e{{x}}'


def hostile() -> Live:
    """Names and texts that would do harm if they were read as markup."""
    bad = HOSTILE
    network = (
        a_site(bad, 0, id=id_of(HERE), neighbours=(("west", 5),), version=bad),
        a_site("west", 5, next_hops=("west",), neighbours=((bad, 5),), services=(bad,)),
    )
    return a_picture(
        name=bad,
        network=network,
        links=(a_link(bad, bad, error=bad, state="refused", endpoint=bad, via=bad),),
        services=(
            a_service(bad, [a_part(bad, 0, local=True)], policy=bad, targets=(a_target(bad),)),
        ),
        now=(
            now_of(bad, spilled_per_s=1.0, spilled_to={bad: 1.0}, spilled_for={bad: 1.0}, why=bad),
        ),
        problems=(Problem(code=bad, message=bad, hint=bad),),
        tokens=(msgspec.structs.replace(TOKENS[0], name=bad, state=bad),),
    )
