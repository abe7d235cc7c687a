"""An edge router beside two interior ones, as processes: it uses, it serves, and it is seen."""

import contextlib
import signal
from collections import Counter
from collections.abc import Iterator

import pytest

from router.link.routing_messages import LoadMessage
from router.model.ids import RouterId
from router.model.messages.adverts import LoadReport
from router.model.messages.edges import HaveMessage, TableMessage, WishMessage
from tests.scenario.clients import ask, burst, by_site, connected, fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.insider import Insider
from tests.scenario.waiting import until

CACHE_PORT, OWN_PORT, OTHER_PORT = SHOP_PORT + 1, SHOP_PORT + 2, SHOP_PORT + 3
SLOTS = 3


class Three:
    """edge - near - far. The edge uses shop and cache, and offers own."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.edge = net.site("edge", "--router-mode", "edge", "--no-enable-service-sync")
        self.near, self.far = net.site("near"), net.site("far")
        self.far.declare("shop", queue=0)
        self.far.declare("cache", CACHE_PORT, protocol="tcp", queue=0)
        self.far.declare("other", OTHER_PORT)
        self.edge.declare("own", OWN_PORT)
        for service in ("shop", "cache"):
            self.edge.quick("service", "set", service, "--listen", "auto")
        for site in (self.near, self.far):
            site.connect("shop", net.http(site.name, 0.05), capacity=SLOTS)
            site.connect("cache", net.tcp(site.name), capacity=SLOTS)
        self.edge.connect("own", net.http("edge"), capacity=SLOTS)
        net.link(self.edge, self.near, 1)
        net.link(self.near, self.far, 4)
        net.start()
        for service in ("shop", "cache"):
            net.ready(service, {"near": 1, "far": 1})
        net.ready("own", {"edge": 1})


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    """Once for all tests of this file."""
    with Network(tmp_path_factory.mktemp("edges")) as net:
        yield Three(net)


def test_a_burst_at_an_edge_fills_its_neighbour_and_spills_beyond_it(three: Three) -> None:
    calm = by_site(fetch(three.edge.address, SHOP_PORT) for _ in range(10))
    assert calm == Counter(near=10)
    busy = by_site(burst(three.edge.address, SHOP_PORT, 120, at_once=2 * SLOTS))
    assert busy["near"] >= 40
    assert busy["far"] >= 40
    assert sum(busy.values()) == 120
    three.net.at_rest("shop")


def test_tcp_connections_of_an_edge_spill_as_well(three: Three) -> None:
    with contextlib.ExitStack() as stack:
        greeted = []
        for _ in range(2 * SLOTS):
            door = stack.enter_context(connected(three.edge.address, CACHE_PORT))
            greeted.append(ask(door, "name"))
        assert Counter(greeted) == {"near": SLOTS, "far": SLOTS}
        until(
            lambda: three.edge.in_flight("cache") == {"near": SLOTS, "far": SLOTS},
            "both sites are full",
        )
    three.net.at_rest("cache")


def test_other_sites_reach_what_an_edge_offers(three: Three) -> None:
    assert by_site([fetch(three.far.address, OWN_PORT)]) == Counter(edge=1)
    routes = {route["name"]: route for route in three.far.json("network", "status")}
    assert (routes["edge"]["path_cost"], routes["edge"]["next_hops"]) == (5, ["near"])


def test_an_edge_is_explained_and_holds_what_it_uses(three: Three) -> None:
    assert three.edge.json("status")["mode"] == "edge"
    why = three.edge.json("why", "shop")
    assert [(one["site"], one["path_cost"]) for one in why["candidates"]] == [
        ("near", 1),
        ("far", 5),
    ]
    assert why["candidates"][1]["path"] == ["near", "far"]
    costs = {route["name"]: route["path_cost"] for route in three.edge.json("network", "status")}
    assert costs == {"edge": 0, "near": 1, "far": 5}
    names = {service["name"] for service in three.edge.json("service", "status")}
    assert names == {"shop", "cache", "own"}
    (shop,) = three.edge.json("service", "status", "shop")
    assert {target["site"] for target in shop["targets"]} == {"near", "far"}
    assert "spillway_attached_routers 1.0" in three.near.metrics()


def test_an_edge_outlives_its_neighbour_and_comes_back_to_it(three: Three) -> None:
    until(lambda: '"shop"' in (three.near.directory / "state.json").read_text(), "it is kept")
    three.near.kill()
    until(lambda: not three.edge.reaches({"far"}), "the way is gone")
    assert three.edge.service("shop")["listener"]["state"] == "bound"
    assert fetch(three.edge.address, SHOP_PORT).status == 503
    assert fetch(three.edge.address, OWN_PORT).status == 200
    three.far.signal(signal.SIGSTOP)
    three.near.start()
    until(  # Until the first table comes, an edge goes by its last one, and by that it reaches far.
        lambda: three.edge.ready_targets("shop").get("near") and not three.edge.reaches({"far"}),
        "the neighbor knows its own targets, and not yet who declares shop",
    )
    assert by_site([fetch(three.edge.address, SHOP_PORT)]) == Counter(near=1)
    three.far.signal(signal.SIGCONT)
    three.net.ready("shop", {"near": 1, "far": 1})
    assert fetch(three.edge.address, SHOP_PORT).status == 200
    three.edge.signal(signal.SIGTERM)
    until(three.edge.gone, "it has drained")
    until(lambda: not three.far.ready_targets("own").get("edge"), "its targets are withdrawn")
    three.edge.start()
    three.net.ready("own", {"edge": 1})


def test_an_edge_hears_that_a_site_it_used_was_deleted(net: Network) -> None:
    edge = net.site("edge", "--router-mode", "edge", "--no-enable-service-sync")
    near, far = net.site("near"), net.site("far")
    far.declare("shop")
    near.declare("shop")
    edge.quick("service", "set", "shop", "--listen", "auto")
    for site in (near, far):
        site.connect("shop", net.http(site.name))
    net.link(edge, near, 1)
    net.link(near, far, 4)
    net.start()
    net.ready("shop", {"near": 1, "far": 1})
    (header, *lines) = edge.ctl("network", "status").out.splitlines()
    shown = {line.split()[0]: line for line in lines}
    assert "NEIGHBOURS" not in header or "not known" in shown["far"]
    known = {one["name"]: one["neighbours_known"] for one in edge.json("network", "status")}
    assert known == {"edge": True, "near": False, "far": False}
    far.ctl("delete", "--yes")
    until(
        lambda: [one["site"] for one in edge.json("why", "shop")["candidates"]] == ["near"],
        "no request can go there again",
    )
    assert "far" not in {one["name"] for one in edge.json("network", "status")}
    events = [one["code"] for one in edge.json("events")]
    assert events.count("site-deleted") == 1
    assert edge.get("status")["problems"] == []


def site_id(site: Site) -> str:
    return str(site.get("status")["id"])


def test_a_hostile_edge_learns_what_it_asks_for_and_changes_nothing_else(three: Three) -> None:
    near = three.near
    with Insider(three.net.token(near, "--token-type", "cert"), "mallory") as mallory:
        theirs = mallory.join_network(features=("edge",), required=("edge-table",))
        assert theirs.features == (
            "answer",
            "digest",
            "edge-table",
            "renew",
            "shares",
            "sharing",
            "sibling",
        )
        assert told_of(mallory, WishMessage(1, 1, ("shop",))) == {"shop"}
        mallory.tell(mallory.lsa(theirs, site_id(near)))  # Not as an edge: no stub.
        mallory.say(
            LoadMessage((LoadReport(RouterId(theirs.router), 1, "shop", SHOP_PORT, 999, 9, 9),))
        )
        mallory.say(
            TableMessage(
                series=1, base=0, version=1, wish=1, is_last=True, left_out=0, draining=False
            )
        )
        assert told_of(mallory, WishMessage(2, 2, ("cache",))) == {"cache"}
        names = {route["name"] for route in near.get("network") if route["reachable"]}
        assert names == {"near", "far", "edge"}
        assert fetch(three.edge.address, SHOP_PORT).status == 200
        assert mallory.heard_lsas() == []
        assert not mallory.closed.is_set()


def told_of(edge: Insider, wish: WishMessage) -> set[str]:
    """Services of the table that fulfils ``wish``: all that was said before is dealt with."""
    edge.say(wish)

    def answers() -> list[TableMessage]:
        messages = (m for m in edge.messages() if isinstance(m, TableMessage))
        return [m for m in messages if m.wish == wish.number]

    until(lambda: bool(answers()), "the wish is fulfilled")
    edge.say(HaveMessage(answers()[0].series, answers()[0].version))
    return {row.name for row in answers()[0].services}
