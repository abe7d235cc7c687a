"""Routers of the last release beside ours: links, tokens, transit, draining, edges, state."""

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests import releases
from tests.scenario.clients import KeptLoad, ask, burst, by_site, connected, sending
from tests.scenario.harness import ROOT, SHOP_PORT, Network, Site
from tests.scenario.waiting import stays, until

DB_PORT, BACK_PORT = SHOP_PORT + 1, SHOP_PORT + 2
SLOTS = 3
BODY = b"b" * 4_000
DRAIN_WITHIN_S = 35.0


def ours() -> Path:
    """Where the code of this release lies."""
    return ROOT


OLD, NEW = releases.previous, ours
Release = Callable[[], Path]
PAIRS: dict[str, tuple[Release, Release]] = {
    "old dials new": (OLD, NEW),
    "new dials old": (NEW, OLD),
}
LINES: dict[str, tuple[Release, ...]] = {
    "an old one in the middle": (NEW, OLD, NEW),
    "a new one in the middle": (OLD, NEW, OLD),
}


def as_other(site: Site) -> Site:
    """The same site, looked at by the `sitectl` of the other release."""
    code = ROOT if site.code != ROOT else OLD()
    return Site(site.name, site.state, site.address, code)


def restart(site: Site) -> None:
    """SIGTERM, and again once it has drained."""
    site.signal(signal.SIGTERM)
    until(site.gone, f"{site.name} ends", DRAIN_WITHIN_S)
    site.start()


class Pair:
    """``near`` dials ``far``. Each has targets of shop and db."""

    def __init__(self, net: Network, pair: str) -> None:
        self.net = net
        dialer, acceptor = PAIRS[pair]
        self.near, self.far = net.site("near", code=dialer()), net.site("far", code=acceptor())
        self.both = (self.near, self.far)
        self.near.declare("shop", queueWait="9s")
        self.far.declare("db", DB_PORT, protocol="tcp")
        self.targets = {site: net.http(site.name, 0.03) for site in self.both}
        for site, target in self.targets.items():
            site.connect("shop", target, capacity=SLOTS)
            site.connect("db", net.tcp(site.name), capacity=SLOTS)
        net.link(self.near, self.far, 4)
        net.start()
        self.settle()

    def settle(self) -> None:
        """Wait until everybody sees everything."""
        self.net.see_each_other()
        for service in ("shop", "db"):
            self.net.ready(service, {"near": 1, "far": 1})

    def places(self) -> list[list[tuple[str, int]]]:
        """For each of eight clients its places: its own site, then the other."""
        doors = [(site.address, SHOP_PORT) for site in self.both]
        return [doors[at % 2 :] + doors[: at % 2] for at in range(8)]


@pytest.fixture(scope="module", params=PAIRS)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """Once for all tests of a pair."""
    with Network(tmp_path_factory.mktemp("pair")) as net:
        yield Pair(net, request.param)


def test_each_runs_the_release_that_it_should(pair: Pair) -> None:
    for site in pair.both:
        environment = Path(f"/proc/{site.note_pid()}/environ").read_text().split("\0")
        (path,) = [word for word in environment if word.startswith("PYTHONPATH=")]
        assert path.removeprefix("PYTHONPATH=").split(":")[0] == str(site.code)
    assert {site.code for site in pair.both} == {ROOT, OLD()}


def test_a_burst_fills_one_and_spills_to_the_other(pair: Pair) -> None:
    for here, there in (pair.both, pair.both[::-1]):
        busy = by_site(burst(here.address, SHOP_PORT, 90, at_once=2 * SLOTS))
        assert busy[here.name] >= 30
        assert busy[there.name] >= 30
        assert sum(busy.values()) == 90
    pair.net.at_rest("shop")


def test_connections_spill_and_loads_are_told(pair: Pair) -> None:
    full = {"near": SLOTS, "far": SLOTS}
    with ExitStack() as stack:
        place = (pair.near.address, DB_PORT)
        doors = [stack.enter_context(connected(*place)) for _ in range(2 * SLOTS)]
        assert Counter(ask(door, "name") for door in doors) == Counter(full)
        for site in pair.both:
            until(lambda site=site: site.in_flight("db") == full, "both know of it")  # type: ignore[misc]
    pair.net.at_rest("db")


def test_large_bodies_pass_both_ways(pair: Pair) -> None:
    for here in pair.both:
        answers = burst(here.address, SHOP_PORT, 2 * SLOTS, "/bytes/3000000", at_once=2 * SLOTS)
        assert {(answer.status, len(answer.body)) for answer in answers} == {(200, 3_000_000)}
        assert {answer.site for answer in answers} == {"near", "far"}


def test_a_426_that_names_what_its_target_requires_crosses_both_ways(pair: Pair) -> None:
    for here in pair.both:
        answers = burst(here.address, SHOP_PORT, 90, "/status/426", at_once=2 * SLOTS)
        assert {(answer.status, answer.site) for answer in answers} == {(426, "near"), (426, "far")}
        named = {answer.site for answer in answers if "upgrade" in answer.headers}
        assert named == ({here.name} if here.code == ROOT else set()), "the last release drops it"


def test_the_other_releases_sitectl_reads_status_and_links(pair: Pair) -> None:
    for site in pair.both:
        own, other = site.json("status"), as_other(site).json("status")
        assert (own["name"], own["id"]) == (other["name"], other["id"])
        (link,) = as_other(site).json("link", "status")
        assert (link["state"], link["cost"]) == ("up", 4)
        names = {route["name"] for route in as_other(site).json("network", "status")}
        assert names == {"near", "far"}


def test_a_new_cost_counts_at_both_ends(pair: Pair) -> None:
    for cost in ("9", "4"):
        pair.near.ctl("link", "update", "far", "--cost", cost)
        until(lambda cost=cost: pair.near.link("far")["cost"] == int(cost), "at the dialer")  # type: ignore[misc]
        until(lambda cost=cost: pair.far.link("near")["cost"] == int(cost), "at the acceptor")  # type: ignore[misc]


def test_each_is_drained_and_restarted_under_load_and_nothing_is_lost(pair: Pair) -> None:
    with KeptLoad(pair.places(), body=BODY) as load:
        until(lambda: len(load.asked) > 50, "the load runs")
        for site in pair.both:
            restart(site)
            pair.settle()
    assert load.failed("GET", "PUT", "POST") == []
    assert sum(one.retries for one in load.asked) == 0
    pair.net.at_rest("shop")


def test_a_certificate_token_of_one_admits_the_other(pair: Pair) -> None:
    for site, maker in (pair.both, pair.both[::-1]):
        token = pair.net.token(maker, "--token-type", "cert")
        site.ctl("link", "create", str(token), "--name", "second", "--wait", "50")
        assert site.link("second")["state"] == "up"
        site.ctl("link", "delete", "second")
        until(lambda site=site: site.link("second") is None, "it is gone")  # type: ignore[misc]
    pair.settle()


def test_a_claim_of_one_is_used_up_for_the_other(pair: Pair) -> None:
    for site, maker in (pair.both, pair.both[::-1]):
        token = pair.net.token(maker)
        site.ctl("link", "create", str(token), "--name", "claimed", "--wait", "50")
        assert maker.json("token", "status", str(token))["state"] == "used"
        site.ctl("link", "delete", "claimed")
        until(lambda site=site: site.link("claimed") is None, "it is gone")  # type: ignore[misc]
    pair.settle()


def test_a_deleted_link_drains_what_is_under_way(pair: Pair) -> None:
    for target in pair.targets.values():
        target.hold()
    pending = sending(pair.near.address, SHOP_PORT, 2 * SLOTS, method="POST")
    until(lambda: pair.targets[pair.far].in_hand == SLOTS, "three are under way over the link")
    pair.near.ctl("link", "delete", "far")
    until(lambda: is_draining(pair.far, "near"), "it drains there")
    stays(lambda: pair.near.link("far"), "it waits for what is under way", 0.3)
    for target in pair.targets.values():
        target.release()
    assert {answer.status for answer in pending.result()} == {200}
    until(lambda: pair.far.link("near") is None, "it is gone there")
    until(lambda: pair.near.link("far") is None, "it is gone here")
    token = pair.net.token(pair.far)
    pair.near.ctl("link", "create", str(token), "--name", "far", "--cost", "4", "--wait", "50")
    pair.settle()


def test_a_revoked_neighbour_of_the_other_release_is_cut_off_and_told(pair: Pair) -> None:
    said = pair.far.ctl("link", "delete", "near")
    assert "cut" in said.out
    until(lambda: "revoked" in pair.near.link_error("far"), "the neighbor is told")
    pair.near.ctl("link", "delete", "far")
    token = pair.net.token(pair.far)
    pair.near.ctl("link", "create", str(token), "--name", "far", "--cost", "4", "--wait", "50")
    pair.settle()


class Line:
    """``near`` reaches the target at ``far`` through ``middle`` only."""

    def __init__(self, net: Network, line: str) -> None:
        self.net = net
        names = ("near", "middle", "far")
        sites = [net.site(name, code=code()) for name, code in zip(names, LINES[line], strict=True)]
        self.near, self.middle, self.far = self.sites = sites
        self.target = net.http("far", 0.02)
        self.near.declare("shop", queueWait="9s")
        self.far.connect("shop", self.target, capacity=10)
        net.link(self.near, self.middle, token="cert")
        net.link(self.middle, self.far)
        net.start()
        self.settle()

    def settle(self) -> None:
        """Wait until everybody sees everything."""
        self.net.ready("shop", {"far": 1})
        self.net.see_each_other()


def is_draining(site: Site, link: str) -> bool:
    """Whether that link of ``site`` is."""
    found = site.link(link)
    return found is not None and found["state"] == "draining"


@pytest.fixture(scope="module", params=LINES)
def line(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Line]:
    """Once for all tests of a line."""
    with Network(tmp_path_factory.mktemp("line")) as net:
        yield Line(net, request.param)


def test_requests_pass_through_the_other_release_whole(line: Line) -> None:
    answers = burst(line.near.address, SHOP_PORT, 40, "/bytes/300000", at_once=8)
    assert {(a.status, a.site, len(a.body)) for a in answers} == {(200, "far", 300_000)}
    line.net.at_rest("shop")


def test_each_of_a_line_ends_and_finishes_what_passes_through_it(line: Line) -> None:
    for before, site in ((line.near, line.middle), (line.middle, line.far)):
        line.target.hold()
        pending = sending(line.near.address, SHOP_PORT, 4, method="POST")
        until(lambda: line.target.in_hand == 4, "four requests are under way")
        site.signal(signal.SIGTERM)
        look = partial(is_draining, before, site.name)
        until(look, f"{before.name} knows that {site.name} drains")
        stays(lambda site=site: not site.gone(), "it waits for what is under way", 0.3)  # type: ignore[misc]
        line.target.release()
        assert [answer.status for answer in pending.result()] == [200] * 4
        until(site.gone, "it ends")
        site.start()
        line.settle()


def test_a_site_that_is_killed_in_the_middle_comes_back_and_is_believed(line: Line) -> None:
    line.middle.kill()
    until(lambda: not line.near.reaches({"far"}), "the way is gone")
    line.middle.start()
    line.settle()
    assert by_site(burst(line.near.address, SHOP_PORT, 8)) == Counter(far=8)


EDGES: dict[str, tuple[Release, ...]] = {
    "an old edge": (OLD, NEW, NEW),
    "a new edge": (NEW, OLD, OLD),
    "mixed": (OLD, NEW, OLD),
}


@pytest.mark.parametrize("kinds", EDGES)
def test_an_edge_uses_and_serves_through_the_other_release(net: Network, kinds: str) -> None:
    codes = [code() for code in EDGES[kinds]]
    edge = net.site("edge", "--router-mode", "edge", "--no-enable-service-sync", code=codes[0])
    near, far = net.site("near", code=codes[1]), net.site("far", code=codes[2])
    far.declare("shop", queue=0)
    edge.declare("own", BACK_PORT)
    edge.quick("service", "set", "shop", "--listen", "auto")
    for site in (near, far):
        site.connect("shop", net.http(site.name, 0.05), capacity=SLOTS)
    edge.connect("own", net.http("edge"), capacity=SLOTS)
    net.link(edge, near)
    net.link(near, far, 4)
    net.start()
    net.ready("shop", {"near": 1, "far": 1})
    net.ready("own", {"edge": 1})
    busy = by_site(burst(edge.address, SHOP_PORT, 60, at_once=2 * SLOTS))
    assert min(busy["near"], busy["far"]) >= 15
    assert sum(busy.values()) == 60
    assert by_site(burst(far.address, BACK_PORT, 4)) == Counter(edge=4)
    with KeptLoad([[(edge.address, SHOP_PORT)]] * 2, body=BODY) as load:
        until(lambda: len(load.asked) > 20, "the load runs")
        restart(far)
        net.ready("shop", {"near": 1, "far": 1})
    assert load.failed("GET", "PUT", "POST") == []
    net.at_rest("shop")


def test_a_site_is_upgraded_in_place_and_back_with_all_that_it_knew(net: Network) -> None:
    site, hub = net.site("site", code=OLD()), net.site("hub", code=OLD())
    gone = net.site("gone", code=OLD())
    site.quick("service", "create", "shop", str(SHOP_PORT), "--protocol", "http")
    target = net.http("site")
    site.quick(
        *("service", "bind", "shop", "host", target.address),
        *("--target-port", str(target.port), "--capacity", "3"),
    )
    net.link(site, hub, 4)
    net.link(hub, site, 2, token="cert")
    net.link(gone, hub)
    net.start()
    net.see_each_other()
    kept = net.token(hub)  # Made by the one release, redeemed from the other.
    hub.ctl("link", "delete", "gone")
    until(lambda: "revoked" in gone.link_error("hub"), "its neighbor is revoked")
    identity = {each.name: each.get("status")["id"] for each in (site, hub)}
    for code in (ROOT, OLD()):
        for each in (site, hub):
            each.signal(signal.SIGTERM)
            until(each.gone, f"{each.name} ends", DRAIN_WITHIN_S)
            each.code = code
        net.start(site, hub)
        for dialer, acceptor in ((site, hub), (hub, site)):
            until(partial(dialer.is_up, acceptor.name), "the links are up")
        net.ready("shop", {"site": 1}, site, hub)
        assert by_site(burst(hub.address, SHOP_PORT, 4)) == Counter(site=4)
        assert {each.name: each.get("status")["id"] for each in (site, hub)} == identity
        assert hub.json("token", "status", str(kept))["state"] == "valid"
        until(lambda: "revoked" in gone.link_error("hub"), "it stays revoked")
        assert hub.link("gone") is None
    third = net.site("third")
    third.start()
    third.ctl("link", "create", str(kept), "--name", "hub", "--wait", "50")
