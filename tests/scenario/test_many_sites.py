"""More than two sites: lines, rings, ties, and what happens when a transit site dies."""

import signal
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.scenario.backends import HttpTarget
from tests.scenario.clients import Load, burst, by_site, connected, fetch, sending
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import own_time, until

ECHO_PORT = SHOP_PORT + 1


class Line:
    """Four sites in a row, a target at both ends."""

    def __init__(self, net: Network) -> None:
        self.net = net
        names = ("west", "midwest", "mideast", "east")
        self.sites = [net.site(name) for name in names]
        self.west, self.midwest, self.mideast, self.east = self.sites
        self.west_target, self.east_target = net.http("west"), net.http("east")
        self.west.declare("shop")
        self.east.declare("echo", ECHO_PORT)
        self.east.connect("shop", self.east_target, capacity=9)
        self.west.connect("echo", self.west_target, capacity=9)
        # Dialed in different directions: streams go both ways all the same.
        net.link(self.west, self.midwest, 2, token="cert")
        net.link(self.mideast, self.midwest, 3, token="cert")
        net.link(self.mideast, self.east, 4, token="cert")
        net.start()
        net.ready("shop", {"east": 1})
        net.ready("echo", {"west": 1})


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """The four sites, once for the tests of the line."""
    with Network(tmp_path_factory.mktemp("line")) as net:
        yield Line(net)


def test_services_are_reached_over_three_hops_both_ways(line: Line) -> None:
    assert fetch(line.west.address, SHOP_PORT).site == "east"
    assert fetch(line.east.address, ECHO_PORT).site == "west"
    assert line.east_target.seen[-1].all("via") in (
        ["1.1 west, 1.1 east"],
        ["1.1 west", "1.1 east"],
    )
    body = bytes(1_000_000)
    assert fetch(line.west.address, SHOP_PORT, "/echo", "POST", body=body).body == body
    assert fetch(line.east.address, ECHO_PORT, "/echo", "POST", body=body).body == body


def test_every_site_of_the_line_serves_both_services(line: Line) -> None:
    for site in line.sites:
        assert dict(by_site(burst(site.address, SHOP_PORT, 20, at_once=5))) == {"east": 20}
        assert dict(by_site(burst(site.address, ECHO_PORT, 20, at_once=5))) == {"west": 20}


def test_network_status_knows_costs_and_next_hops(line: Line) -> None:
    routes = {route["name"]: route for route in line.west.json("network", "status")}
    costs = {name: route["path_cost"] for name, route in routes.items()}
    assert costs == {"west": 0, "midwest": 2, "mideast": 5, "east": 9}
    assert routes["east"]["next_hops"] == ["midwest"]
    assert "shop" in routes["east"]["services"]
    assert {n["site"]: n["cost"] for n in routes["mideast"]["neighbours"]} == {
        "midwest": 3,
        "east": 4,
    }
    why = line.west.json("why", "shop")
    assert why["decision"]["path"] == ["midwest", "mideast", "east"]
    assert why["candidates"][0]["path_cost"] == 9


def test_a_link_made_dearer_counts_everywhere_without_reconnecting(line: Line) -> None:
    before = line.mideast.link("east")["since"]
    line.mideast.ctl("link", "set", "east", "--cost", "40")
    until(
        lambda: line.west.json("why", "shop")["candidates"][0]["path_cost"] == 45,
        "the new cost is known three hops away",
    )
    line.mideast.ctl("link", "set", "east", "--cost", "4")
    until(
        lambda: line.west.json("why", "shop")["candidates"][0]["path_cost"] == 9,
        "the old cost is back",
    )
    link = line.mideast.link("east")
    assert (link["state"], link["since"], link["cost"]) == ("up", before, 4)
    incoming = line.east.ctl("link", "set", "mideast", "--cost", "7", code=7)
    assert "mideast" in incoming.err


def build_diamond(
    net: Network, left_targets: list[HttpTarget], right_targets: list[HttpTarget], capacity: int
) -> Site:
    """``entry`` without targets, ``left`` and ``right`` at equal cost from it."""
    entry, left, right = net.site("entry"), net.site("left"), net.site("right")
    entry.declare("shop")
    left.connect("shop", *left_targets, capacity=capacity)
    right.connect("shop", *right_targets, capacity=capacity)
    net.link(entry, left, 5, token="cert")
    net.link(right, entry, 5, token="cert")
    net.start()
    net.ready("shop", {"left": len(left_targets), "right": len(right_targets)})
    return entry


def test_two_sites_at_equal_cost_share_evenly_in_calm_and_under_load(net: Network) -> None:
    entry = build_diamond(net, [net.http("left", 0.02)], [net.http("right", 0.02)], 10)
    calm = by_site(fetch(entry.address, SHOP_PORT) for _ in range(40))
    assert calm == Counter(left=20, right=20)
    busy = by_site(burst(entry.address, SHOP_PORT, 400, at_once=12))
    assert set(busy) == {"left", "right"}
    assert abs(busy["left"] - busy["right"]) <= 40, busy


def test_two_targets_against_one_at_equal_cost_get_a_third_each(net: Network) -> None:
    targets = [net.http("left"), net.http("left"), net.http("right")]
    for target in targets:
        target.service_s = 0.01
    entry = build_diamond(net, targets[:2], targets[2:], 8)
    answers = burst(entry.address, SHOP_PORT, 300, at_once=6)
    assert sum(by_site(answers).values()) == 300
    shares = [len(target.seen) for target in targets]
    assert sum(shares) == 300
    assert all(abs(share - 100) <= 20 for share in shares), shares


def test_a_killed_transit_costs_only_what_was_on_it_and_requests_go_round(net: Network) -> None:
    a, b, c, d = ring = [net.site(name) for name in "abcd"]
    target = net.http("c")
    a.declare("shop")
    c.connect("shop", target, capacity=100)
    net.link(a, b, 1, token="cert")
    net.link(b, c, 1, token="cert")
    net.link(c, d, 2, token="cert")
    net.link(d, a, 2, token="cert")
    net.start()
    net.ready("shop", {"c": 1})
    net.see_each_other()
    until(lambda: a.json("why", "shop")["decision"]["path"] == ["b", "c"], "b is the way")
    target.hold()
    pending = sending(a.address, SHOP_PORT, 3, method="POST")
    unhurt = sending(d.address, SHOP_PORT, 3)
    until(lambda: target.in_hand == 6, "requests are under way on both arms")
    killed = own_time()
    b.kill()
    lost = by_site(pending.result())
    target.release()
    assert lost == Counter({"link-lost": 3})
    served = until(
        lambda: (answer := fetch(a.address, SHOP_PORT)).status == 200 and answer,
        "requests go round",
        3.0,
    )
    assert isinstance(served, object)
    assert own_time() - killed < 3.0
    assert by_site(unhurt.result()) == Counter(c=3)
    assert a.json("why", "shop")["decision"]["path"] == ["d", "c"]
    net.at_rest("shop", *(site for site in ring if site is not b))
    b.start()
    until(lambda: a.json("why", "shop")["decision"]["path"] == ["b", "c"], "the cheap way is back")


def test_get_requests_survive_a_killed_transit_without_an_error(net: Network) -> None:
    a, b, c, d = [net.site(name) for name in "abcd"]
    a.declare("shop")
    c.connect("shop", net.http("c", 0.03), capacity=100)
    for dialer, acceptor, cost in ((a, b, 1), (b, c, 1), (c, d, 2), (d, a, 2)):
        net.link(dialer, acceptor, cost, token="cert")
    net.start()
    net.ready("shop", {"c": 1})
    net.see_each_other()
    with Load([(a.address, SHOP_PORT)], 60) as load:
        until(lambda: len(load.answers) > 60, "the load runs")
        b.kill()
        at_kill = len(load.answers)
        until(lambda: len(load.answers) > at_kill + 100, "the load went on")
    assert by_site(load.answers) == Counter(c=len(load.answers))


def test_requests_survive_a_frozen_transit_within_four_seconds(net: Network) -> None:
    a, b, c, d = [net.site(name) for name in "abcd"]
    a.declare("shop")
    c.connect("shop", net.http("c"), capacity=100)
    for dialer, acceptor, cost in ((a, b, 1), (b, c, 1), (c, d, 2), (d, a, 2)):
        net.link(dialer, acceptor, cost, token="cert")
    net.start()
    net.ready("shop", {"c": 1})
    net.see_each_other()
    until(lambda: a.json("why", "shop")["decision"]["path"] == ["b", "c"], "b is the way")
    b.signal(signal.SIGSTOP)
    began = own_time()
    answer = fetch(a.address, SHOP_PORT)
    assert answer.status == 200
    assert own_time() - began < 4.5
    assert a.json("why", "shop")["decision"]["path"] == ["d", "c"]
    b.signal(signal.SIGCONT)
    until(lambda: a.json("why", "shop")["decision"]["path"] == ["b", "c"], "the cheap way is back")
    with connected(a.address, SHOP_PORT) as door:
        door.sendall(b"GET / HTTP/1.0\r\nHost: shop\r\n\r\n")
        assert door.recv(12) == b"HTTP/1.1 200"
