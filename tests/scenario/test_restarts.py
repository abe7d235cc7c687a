"""Routers that stop, crash and come back under load; targets that die and return."""

import contextlib
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest

from router.model.wording.fullness import NO_SITE_IS_READY
from tests.scenario.backends import HttpTarget
from tests.scenario.clients import (
    Load,
    ask,
    by_site,
    connected,
    fetch,
    read_all,
    sending,
)
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import own_time, stays, until

DB_PORT = SHOP_PORT + 1


class Triangle:
    """Three linked sites, a target of the same service at each."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.sites = [net.site(name) for name in ("one", "two", "three")]
        self.targets = {site.name: net.http(site.name, 0.02) for site in self.sites}
        self.sites[0].declare("shop")
        for site in self.sites:
            site.connect("shop", self.targets[site.name], capacity=10)
        one, two, three = self.sites
        # Who dials starts with a short pause when it is restarted: the last one is stopped most.
        net.link(two, one, 1, token="cert")
        net.link(three, one, 1, token="cert")
        net.link(three, two, 1, token="cert")
        net.start()
        net.ready("shop", {"one": 1, "two": 1, "three": 1})
        net.see_each_other()

    def has_all(self, site: Site) -> bool:
        """Whether ``site`` sees all three targets."""
        return site.offers("shop", {"one": 1, "two": 1, "three": 1})


@pytest.fixture(scope="module")
def whole_triangle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Triangle]:
    """The three sites, once for the tests that leave all of them running."""
    with Network(tmp_path_factory.mktemp("triangle")) as net:
        yield Triangle(net)


@pytest.fixture
def triangle(whole_triangle: Triangle) -> Iterator[Triangle]:
    """The three sites, whole again after each test whatever it did."""
    yield whole_triangle
    for target in whole_triangle.targets.values():
        target.release()
        target.service_s = 0.02
    for site in whole_triangle.sites:
        if not site.admin.is_ready():
            until(site.gone, f"{site.name} has stopped")
            site.start()
    whole_triangle.net.see_each_other()
    for site in whole_triangle.sites:
        until(partial(whole_triangle.has_all, site), f"{site.name} sees all targets")
    whole_triangle.net.at_rest("shop")


def test_every_site_restarted_in_turn_under_load_fails_no_request(triangle: Triangle) -> None:
    for site in triangle.sites:
        others = [(other.address, SHOP_PORT) for other in triangle.sites if other is not site]
        with Load(others, 80) as load:
            until(lambda: len(load.answers) > 20, "the load runs")
            site.ctl("stop")
            assert site.gone()
            site.start()
            for each in triangle.sites:
                until(partial(triangle.has_all, each), f"{each.name} sees all targets again")
        assert by_site(load.failed) == Counter(), site.name
        triangle.net.at_rest("shop")


def test_a_crashed_site_comes_back_and_fails_no_idempotent_request_elsewhere(
    triangle: Triangle,
) -> None:
    one, _, last = triangle.sites
    # 14 requests in flight: the local slots are full, the others share the rest.
    for target in triangle.targets.values():
        target.service_s = 0.35
    with Load([(one.address, SHOP_PORT)], 40) as load:
        until(lambda: triangle.targets["three"].in_hand > 0, "the load spills to the last site")
        last.kill()
        until(lambda: not takes_more(one, "three"), "it is known to be gone")
        last.start()
        until(partial(triangle.has_all, one), "it is back")
    assert by_site(load.failed) == Counter()


def test_sigterm_lets_what_is_under_way_finish_and_takes_nothing_new(triangle: Triangle) -> None:
    one, _, last = triangle.sites
    with connected(last.address, SHOP_PORT) as kept:
        kept.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
        assert kept.recv(12) == b"HTTP/1.1 200"
    target = triangle.targets["three"]
    target.hold()
    local = sending(last.address, SHOP_PORT, 3, method="POST")
    until(lambda: target.in_hand == 3, "three requests are under way")
    began = own_time()
    last.signal(signal.SIGTERM)
    until(lambda: not takes_more(one, "three"), "its target is withdrawn", 2.0)
    until(lambda: _refuses(last), "it accepts nothing new", 2.0)
    stays(lambda: not last.gone(), "it waits for what is under way", 0.5)
    others = [triangle.targets[name] for name in ("one", "two")]
    for other in others:
        other.hold()  # No slot comes free while they come.
    elsewhere = sending(one.address, SHOP_PORT, 20)
    until(lambda: [other.in_hand for other in others] == [10, 10], "the others take them")
    for other in others:
        other.release()
    assert by_site(elsewhere.result()) == Counter(one=10, two=10)
    target.release()
    assert by_site(local.result()) == Counter(three=3)
    until(last.gone, "it ends")
    assert own_time() - began < 10


def test_who_is_connected_and_not_yet_accepted_when_a_router_is_told_to_stop_is_served(
    triangle: Triangle,
) -> None:
    last = triangle.sites[-1]
    with contextlib.ExitStack() as doors:
        last.signal(signal.SIGSTOP)
        clients = [doors.enter_context(connected(last.address, SHOP_PORT)) for _ in range(5)]
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
        last.signal(signal.SIGTERM)
        last.signal(signal.SIGCONT)
        answers = [read_all(client).partition(b"\r\n")[0] for client in clients]
    assert answers == [b"HTTP/1.1 200 OK"] * 5
    until(last.gone, "it ends")


def takes_more(at: Site, name: str) -> bool:
    """Whether ``at`` would send requests to the site of that name."""
    sites = at.service("shop")["sites"]
    return any(s["site"] == name and s["targets_ready"] and not s["draining"] for s in sites)


def _runs(load: Load) -> bool:
    return len(load.answers) > 20


def _refuses(site: Site) -> bool:
    try:
        socket.create_connection((site.address, SHOP_PORT), 1).close()
    except ConnectionRefusedError:
        return True
    return False


def test_requests_from_elsewhere_finish_at_a_site_that_drains(triangle: Triangle) -> None:
    one, _, last = triangle.sites
    for target in triangle.targets.values():
        target.hold()
    pending = sending(one.address, SHOP_PORT, 30, method="POST")
    until(lambda: all(t.in_hand == 10 for t in triangle.targets.values()), "all three are full")
    last.signal(signal.SIGTERM)
    until(lambda: not takes_more(one, "three"), "its target is withdrawn", 2.0)
    for target in triangle.targets.values():
        target.release()
    assert by_site(pending.result()) == Counter(one=10, two=10, three=10)
    until(last.gone, "it ends")


def test_a_second_sigterm_ends_it_at_once_and_no_answer_looks_whole(triangle: Triangle) -> None:
    last, target = triangle.sites[2], triangle.targets["three"]
    target.hold()
    pending = sending(last.address, SHOP_PORT, 2, method="POST")
    until(lambda: target.in_hand == 2, "two requests are under way")
    last.signal(signal.SIGTERM)
    until(lambda: _refuses(last), "it drains")
    last.signal(signal.SIGTERM)
    until(last.gone, "it ends", 3.0)
    target.release()
    assert all(answer.status in (0, 502, 503) for answer in pending.result())


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Targets"]:
    """A site with two HTTP targets and a TCP one, and a neighbor."""
    with Network(tmp_path_factory.mktemp("targets")) as net:
        yield Targets(net)


class Targets:
    """``here`` has two targets, ``there`` one."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.here, self.there = net.site("here"), net.site("there")
        self.first, self.second = net.http("here"), net.http("here")
        self.away = net.http("there")
        self.db, self.db_away = net.tcp("here"), net.tcp("there")
        self.here.declare("shop")
        self.here.declare("db", DB_PORT, protocol="tcp")
        self.here.connect("shop", self.first, self.second, capacity=5)
        self.there.connect("shop", self.away, capacity=5)
        self.here.connect("db", self.db, capacity=5)
        self.there.connect("db", self.db_away, capacity=5)
        net.link(self.here, self.there, 3, token="cert")
        net.start()
        net.ready("shop", {"here": 2, "there": 1})
        net.ready("db", {"here": 1, "there": 1})


def test_a_dead_target_gets_nothing_more_and_is_back_within_five_seconds(
    targets: Targets,
) -> None:
    here = targets.here
    targets.second.forget()
    with Load([(here.address, SHOP_PORT)], 50) as load:
        until(lambda: len(targets.second.seen) > 3, "both targets serve")
        targets.first.stop()
        until(lambda: here.ready_targets("shop")["here"] == 1, "it is known to be dead", 2.0)
        error = [t["error"] for t in here.service("shop")["targets"] if not t["ready"]]
        targets.first.start()
        targets.first.forget()
        until(lambda: here.ready_targets("shop")["here"] == 2, "it is back", 5.0)
        until(lambda: targets.first.seen, "it serves again", 2.0)
    assert by_site(load.failed) == Counter()
    assert error and error[0]


def test_a_refused_connect_moves_the_request_on_even_a_post(targets: Targets) -> None:
    targets.first.stop()
    try:
        answers = [fetch(targets.here.address, SHOP_PORT, method="POST") for _ in range(6)]
    finally:
        targets.first.start()
    assert by_site(answers) == Counter(here=6)
    until(lambda: targets.here.ready_targets("shop")["here"] == 2, "it is back", 5.0)


def test_with_all_local_targets_dead_requests_go_to_the_neighbour_and_return(
    targets: Targets,
) -> None:
    here = targets.here
    for target in (targets.first, targets.second):
        target.stop()
    targets.db.stop()
    assert by_site(fetch(here.address, SHOP_PORT) for _ in range(4)) == Counter(there=4)
    with connected(here.address, DB_PORT) as door:
        assert ask(door, "name") == "there"
    until(lambda: targets.there.ready_targets("shop") == {"here": 0, "there": 1}, "told there")
    for back in (targets.first, targets.second):
        back.start()
    targets.db.start()
    until(lambda: here.ready_targets("shop")["here"] == 2, "they are back", 5.0)
    until(lambda: here.ready_targets("db")["here"] == 1, "the database is back", 5.0)
    assert fetch(here.address, SHOP_PORT).site == "here"


def test_without_any_target_the_answer_is_503_no_route(targets: Targets) -> None:
    everything: list[HttpTarget] = [targets.first, targets.second, targets.away]
    for target in everything:
        target.stop()
    ready = {"here": 0, "there": 0}
    until(lambda: targets.here.ready_targets("shop") == ready, "nothing is ready", 3.0)
    answer = fetch(targets.here.address, SHOP_PORT)
    assert (answer.status, answer.code) == (503, "no-route")
    why = targets.here.json("why", "shop")
    assert why["decision"] == {
        "site": None,
        "path": [],
        "reason": "no-route",
        "text": NO_SITE_IS_READY,
    }
    assert {c["verdict"] for c in why["candidates"]} == {"no-target"}
    for target in everything:
        target.start()
    targets.net.ready("shop", {"here": 2, "there": 1})


def test_a_target_that_is_the_sites_own_listener_is_refused_and_named(targets: Targets) -> None:
    here = targets.here
    port = SHOP_PORT + 7
    here.ctl("service", "create", "loop", str(port), "--protocol", "http")
    bind = ("service", "bind", "loop", "host", here.address, "--target-port", str(port))
    refused = here.ctl(*bind, code=1)
    assert f"{here.address}:{port}" in refused.err
    assert "Next: " in refused.err
    spec = {"service": "loop", "targets": [{"host": here.address, "port": port}]}
    by_hand = here.document("Connector", "loop", spec)
    problem = until(
        lambda: [p for p in here.get("status")["problems"] if "loop" in p["message"]],
        "the problem is reported",
    )
    assert problem[0]["hint"] or "own-connector-loop.yaml:1:" in problem[0]["message"]
    here.json("status", code=3)
    assert fetch(here.address, SHOP_PORT).status == 200
    by_hand.unlink()
    here.ctl("service", "delete", "loop")
    until(lambda: here.service("loop") is None, "the service is gone")
    here.until_well()


def test_a_half_read_answer_ends_in_a_reset_when_its_target_dies(targets: Targets) -> None:
    with connected(targets.here.address, DB_PORT) as door:
        door.sendall(b"source 500000000\n")
        assert door.recv(1000)
        targets.db.stop()
        with pytest.raises(ConnectionResetError):
            read_all(door)
    targets.db.start()
    until(lambda: targets.here.ready_targets("db")["here"] == 1, "it is back", 5.0)
