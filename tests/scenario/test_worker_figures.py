"""Figures of a site whose router is several processes: each surface shows those of the site."""

import contextlib
import re
from typing import Any

import pytest

from tests.scenario.clients import Load, ask, connected
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import stays, until
from tests.scenario.worker_sites import are_ready, pinned, serve, site_of_workers

CAPACITY = 4
SERVICE_S = 0.2
PER_S = 40.0  # Twice what the slots at `near` can take.


Pair = tuple[Site, Site]


@pytest.fixture
def pair(net: Network) -> Pair:
    """With two workers, `CAPACITY` slots and its own clients; `far` has room for the rest."""
    near, far = net.site("near"), net.site("far")
    near.quick("update", "--workers", "2")
    near.declare("shop", SHOP_PORT)
    near.connect("shop", net.http("near", SERVICE_S), capacity=CAPACITY)
    far.connect("shop", net.http("far", 0.01), capacity=100)
    net.link(near, far, 5)
    net.start()
    net.see_each_other()
    until(lambda: are_ready(near, 2), "both workers serve")
    net.ready("shop", {"near": 1, "far": 1})
    until(lambda: capacity(near) == CAPACITY, "the slots of both workers are known")
    return near, far


@pytest.fixture
def near(pair: Pair) -> Site:
    """The one with workers."""
    return pair[0]


def capacity(site: Site) -> int:
    (here,) = [one for one in site.service("shop")["sites"] if one["local"]]
    return int(here["capacity"])


def events(site: Site, code: str) -> list[str]:
    return [one["message"] for one in site.get("events") if one["code"] == code]


def test_why_requests_leave_is_said_with_the_figures_of_all_workers(near: Site) -> None:
    with Load([(near.address, SHOP_PORT)], PER_S):

        def sums_up() -> bool:
            (now,) = near.get("live")["now"]
            found = re.match(r"([\d.]+) of 4 slots .*: ([\d.]+)/s go to far \(cost 5\)", now["why"])
            if found is None or now["in_flight_mean"] < CAPACITY * 0.8:
                return False
            busy, away = map(float, found.groups())
            assert abs(busy - min(CAPACITY, now["in_flight_mean"])) <= 0.06, now
            assert abs(away - now["spilled_per_s"]) <= 0.51, now
            return True

        until(sums_up, "nearly all slots of the site are busy, and the sentence says so")


def test_events_of_overflow_are_of_all_workers(near: Site) -> None:
    with Load([(near.address, SHOP_PORT)], PER_S):
        until(lambda: events(near, "overflow-begun"), "it overflows")
        until(lambda: near.service("shop")["spilled_total"] > 40, "many spill")
    (begun,) = events(near, "overflow-begun")
    assert f", capacity {CAPACITY}; " in begun
    (ended,) = until(lambda: events(near, "overflow-ended"), "it is over", timeout_s=60)
    found = re.search(r"(\d+) requests, (\d+) to far; .*, capacity 4 then\.", ended)
    assert found is not None, ended
    # One that another worker refused, though it looked free from here, spilled and is no overflow.
    shop = near.service("shop")
    assert set(map(int, found.groups())) == {shop["overflow_total"]}
    assert shop["spilled_total"] >= shop["overflow_total"]
    assert [text for text in events(near, "link-up") if "cost 0" in text] == []


def test_where_the_time_goes_is_told_of_all_workers(net: Network) -> None:
    west = site_of_workers(net)
    serve(net, west, service_s=0.0)
    (line,) = pinned(west, 1, 1)
    for _ in range(5):
        line.request("GET", "/")
        assert line.getresponse().read()
    line.close()
    assert west.service("shop")["phases"]["queue"] == {"p50_s": 0.0, "p99_s": 0.0}


def test_other_sites_see_a_target_once_with_the_slots_of_all_workers(pair: Pair) -> None:
    far = pair[1]
    far.declare("shop", SHOP_PORT)

    def rows() -> list[int]:
        (shop,) = far.get("services/shop")
        targets = shop["targets"]
        return [one["capacity"] for one in targets if one["site"] == "near"]

    until(lambda: rows() == [CAPACITY], "near has one target")


def test_other_sites_see_a_target_once_while_another_one_leaves(net: Network, pair: Pair) -> None:
    near, far = pair
    far.declare("shop", SHOP_PORT)
    (bound,) = (near.directory / "config").glob("own-connector-shop-*.yaml")
    held, after = net.http("near"), net.http("near")
    near.connect("shop", held, capacity=CAPACITY)
    bound.unlink()

    def rows() -> dict[int, list[tuple[int, int]]]:
        """Slots and requests of each row, by the target's port."""
        found: dict[int, list[tuple[int, int]]] = {}
        for one in far.get("services/shop")[0]["targets"]:
            if one["site"] == "near":
                slots = one["capacity"] or 0
                found.setdefault(one["port"], []).append((slots, one["in_flight"]))
        return found

    until(lambda: rows() == {held.port: [(CAPACITY, 0)]}, "the first one alone")
    (line,) = pinned(near, 1, 1)
    held.hold()
    line.request("GET", "/")
    until(lambda: rows() == {held.port: [(CAPACITY, 1)]}, "it has a request in hand")
    (bound,) = (near.directory / "config").glob("own-connector-shop-*.yaml")
    near.connect("shop", after, capacity=CAPACITY)
    bound.unlink()
    until(lambda: rows().get(after.port) == [(CAPACITY, 0)], "the other one is one target")
    assert rows()[held.port][0][1] == 1
    held.release()
    assert line.getresponse().read()
    line.close()
    until(lambda: rows() == {after.port: [(CAPACITY, 0)]}, "the other one alone")


def test_requests_that_fail_are_counted_of_all_workers(net: Network) -> None:
    west = net.site("west")
    west.quick("update", "--workers", "2")
    west.declare("shop", SHOP_PORT)
    target = net.http("target")
    target.forced = "/status/500"
    west.connect("shop", target)
    net.start()
    until(lambda: are_ready(west, 2), "both workers serve")
    until(lambda: west.offers("shop", {"west": 1}), "the service is there")
    with Load([(west.address, SHOP_PORT)], PER_S):

        def told() -> float:
            text = next(
                (p["message"] for p in west.get("status")["problems"] if p["code"] == "SW0338"), ""
            )
            found = re.search(r"([\d.]+)/s of ([\d.]+)/s requests fail", text)
            return float(found[1]) if found else 0.0

        until(lambda: told() >= PER_S * 0.8, "nearly all requests are in the problem")


def test_connections_of_a_removed_service_are_counted_of_all_workers(net: Network) -> None:
    west = net.site("west")
    west.quick("update", "--workers", "2")
    west.declare("db", SHOP_PORT, protocol="tcp")
    west.connect("db", net.tcp("target"), capacity=6)
    net.start()
    until(lambda: are_ready(west, 2), "both workers serve")
    until(lambda: west.offers("db", {"west": 1}), "the service is there")
    with contextlib.ExitStack() as clients:
        for _ in range(6):  # All slots, of whichever worker the clients are.
            door = clients.enter_context(connected(west.address, SHOP_PORT))
            assert ask(door, "name") == "target"
        until(lambda: west.in_flight("db") == {"west": 6}, "all are shown")
        for path in (west.directory / "config").glob("own-*-db*"):
            path.unlink()

        def told(status: Any) -> bool:
            notes = [one for one in status["notes"] if one["code"] == "SW0332"]
            whole = "and 6 connections or requests of it go on: 6 here."
            return bool(notes) and whole in notes[0]["message"]

        until(lambda: told(west.get("status")), "status counts those of both workers, each once")
        # Each picture asks the workers again.
        stays(lambda: told(west.get("live")["status"]), "so does the live picture", 3.0)
        metric = f'spillway_removed_in_flight{{port="{SHOP_PORT}",service="db",site="west"}} 6.0'
        until(lambda: metric in west.metrics(), "a scrape counts them too")
    until(lambda: "SW0332" not in west.ctl("status").out, "they are over")


def test_a_burst_has_the_demand_and_slots_of_all_workers(net: Network) -> None:
    west = site_of_workers(net)
    west.document(
        "Burst",
        "wake",
        {"service": "shop", "window": "2s", "saturated": {"full": "60%"}, "command": ["true"]},
    )
    target = serve(net, west)
    lines = [*pinned(west, 0, 1), *pinned(west, 1, 4)]
    target.hold()
    for line in lines:
        line.request("GET", "/")

    def burst() -> float:
        (found,) = west.get("bursts")
        return float(found["demand"])

    until(lambda: burst() == len(lines), "what all workers have under way is its demand")
    target.release()
    for line in lines:
        assert line.getresponse().read()
        line.close()
    until(lambda: west.get("bursts")[0]["requests"] == len(lines), "and their requests")
