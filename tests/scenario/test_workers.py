"""One router by several processes: one site, all its slots and no more, no death of all."""

import http.client
import os
import signal

import pytest

from sitectl.site.admin import Admin
from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network, Site, is_alive
from tests.scenario.waiting import own_time, stays, until
from tests.scenario.worker_sites import (
    BUSY_MIN,
    CAPACITY,
    Pinned,
    are_ready,
    busy_share,
    owners,
    pid_of,
    pinned,
    serve,
    site_of_workers,
    workers,
)

BACK_S = 5.0


@pytest.fixture
def west(net: Network) -> Site:
    return site_of_workers(net)


@pytest.mark.parametrize("index", (0, 1))
def test_all_slots_are_used_and_no_more_though_one_worker_has_all_clients(
    net: Network, west: Site, index: int
) -> None:
    target = serve(net, west)
    (shop,) = west.service("shop")["sites"]
    assert shop["capacity"] == CAPACITY
    (shown,) = west.service("shop")["targets"]
    assert shown["capacity"] == CAPACITY
    with Pinned(pinned(west, index, 3 * CAPACITY)) as load:
        until(lambda: len(load.statuses) > 2 * CAPACITY, "it is under way")
        share = busy_share(target, 4.0)
        print(f"all clients at worker {index}: {share:.1%} of the slots busy")
    assert set(load.statuses) == {200}
    assert not load.failed
    assert share >= BUSY_MIN, share
    total = west.service("shop")["requests_total"]
    assert total == len(load.statuses)
    line = next(one for one in west.metrics().splitlines() if "requests_total{code" in one)
    assert float(line.split()[-1]) == total


def test_a_worker_that_is_killed_costs_its_own_streams_and_is_back(
    net: Network, west: Site
) -> None:
    target = serve(net, west)
    dead = pid_of(west, 1)
    with Pinned(pinned(west, 0, 2 * CAPACITY)) as load, Pinned(pinned(west, 1, 2)) as lost:
        until(lambda: len(load.statuses) > 2 * CAPACITY, "it is under way")
        os.kill(dead, signal.SIGKILL)
        began = own_time()
        until(lambda: workers(west)[1]["restarts"] == 1, "it is started again")
        assert target.in_hand_max <= CAPACITY, "its share rests"
        until(lambda: are_ready(west, 2), "it serves again")
        back_s = own_time() - began
        print(f"back after {back_s:.2f} s")
        assert back_s < BACK_S
        assert not is_alive(dead)
        west.until_well("SW0690")
        # What the dead one left in hand there ends late where the target itself is late.
        until(lambda: target.in_hand <= CAPACITY, "it has ended that")
        target.forget()
        share = busy_share(target, 3.0)
        print(f"then {share:.1%} of the slots busy")
    assert set(load.statuses) == {200}
    assert not load.failed
    assert len(lost.failed) == 2
    assert share >= BUSY_MIN, share
    until(lambda: owners(west) == 2, "both accept clients")
    codes = [event["code"] for event in west.get("events")]
    assert codes.count("worker-ended") == 1
    assert codes.count("worker-ready") == 2


def test_the_socket_file_of_each_worker_is_made_again_when_it_is_removed(
    net: Network, west: Site
) -> None:
    serve(net, west)
    run = west.directory / "run"
    for path in (run / "admin.sock", run / "workers" / "1" / "admin.sock"):
        before = path.stat().st_ino
        path.unlink()
        until(path.exists, "it is there again")
        assert (path.stat().st_mode & 0o777, path.stat().st_ino == before) == (0o600, False)
    assert west.ctl("health").out == "alive\n"
    assert are_ready(west, 2)


def test_a_worker_starts_while_the_site_document_is_wrong(net: Network, west: Site) -> None:
    serve(net, west)
    path = west.directory / "config" / "site-west.yaml"
    before = path.read_text()
    path.write_text(before + "  : [\n")
    until(lambda: west.problems("SW0102"), "the mistake is reported")
    until((west.directory / "in-force.json").exists, "the first worker stores what counts")
    os.kill(pid_of(west, 1), signal.SIGKILL)
    until(lambda: workers(west)[1]["restarts"] == 1, "it is started again")
    until(lambda: are_ready(west, 2), "it serves again")
    path.write_text(before)
    west.until_well("SW0102", "SW0690")


def linked_to_both(net: Network, west: Site) -> Site:
    """Another site, to which both workers of ``west`` are linked."""
    east = net.site("east")
    net.link(west, east)
    serve(net, west)
    net.see_each_other()
    until(lambda: [one["lanes"] for one in east.get("links")] == [2], "both link")
    return east


def test_a_worker_that_cannot_start_says_why(net: Network, west: Site) -> None:
    serve(net, west)
    lock = west.directory / "run" / "workers" / "1" / "lock"
    lock.unlink()
    lock.mkdir()
    os.kill(pid_of(west, 1), signal.SIGKILL)
    why = f"it failed: {lock}: Is a directory"
    said = f"Worker 1 of 2 does not serve: {why}. Its share of each capacity is not used."
    until(lambda: [one["message"] for one in west.problems("SW0690")] == [said], "it is a problem")

    def told() -> list[str]:
        return [one["message"] for one in west.get("events") if one["code"] == "worker-ended"]

    until(lambda: f"Worker 1 of 2 is gone: {why}; it is started again." in told(), "and an event")
    lock.rmdir()
    until(lambda: are_ready(west, 2), "it serves again", 15.0)
    west.until_well("SW0690")


def test_when_the_first_worker_is_killed_the_others_end_and_it_starts_anew(
    net: Network, west: Site
) -> None:
    east = linked_to_both(net, west)
    other = pid_of(west, 1)
    west.kill()
    until(lambda: not is_alive(other), "the other one ends")
    until(lambda: all(line["state"] == "down" for line in east.get("links")), "no link is left")
    # Whichever carries it, its end is no orderly stop.
    errors = [line["error"] for line in east.get("links")]
    assert any("the router of west was killed or crashed" in error for error in errors), errors
    assert not any("was asked to stop" in error for error in errors), errors

    def told() -> list[str]:
        return [one["message"] for one in east.get("events") if one["code"] == "link-down"]

    until(told, "the event that the link is down")
    (only,) = told()
    assert only.startswith("The last link to west went down")
    west.start()
    until(lambda: are_ready(west, 2), "both workers serve")
    until(lambda: fetch(west.address, SHOP_PORT).status == 200, "they serve")


def test_a_site_of_workers_that_stops_is_said_to_stop_and_not_a_router_of_it(
    net: Network, west: Site
) -> None:
    east = linked_to_both(net, west)
    west.ctl("stop")
    until(lambda: all(line["state"] == "down" for line in east.get("links")), "no link is left")

    def told() -> list[str]:
        return [one["message"] for one in east.get("events") if one["code"] == "link-down"]

    until(told, "the event that the link is down")
    assert told() == ["The last link to west went down: west closed: west was asked to stop."]
    assert {line["error"] for line in east.get("links")} == {"west closed: west was asked to stop"}


def test_sites_elsewhere_see_one_site_with_all_slots(net: Network, west: Site) -> None:
    east = net.site("east")
    net.link(west, east)
    target = serve(net, west)
    net.see_each_other()
    until(lambda: east.offers("shop", {"west": 1}), "east knows of the target")

    def sees_all() -> bool:
        (site,) = east.service("shop")["sites"]
        return bool(site["capacity"] == CAPACITY)

    until(sees_all, "of all its slots")
    assert sorted(site["name"] for site in east.get("network")) == ["east", "west"]
    until(lambda: [one["lanes"] for one in east.get("links")] == [2], "both link")
    lines = [http.client.HTTPConnection(east.address, SHOP_PORT) for _ in range(3 * CAPACITY)]
    with Pinned(lines) as load:
        until(lambda: len(load.statuses) > 2 * CAPACITY, "it is under way")
        share = busy_share(target, 3.0)
        print(f"all clients at east: {share:.1%} of the slots busy")
    assert share >= BUSY_MIN, share
    assert set(load.statuses) == {200}
    for site in (west, east):
        site.until_well()
    pids = [one["process"] for one in workers(west)]
    west.ctl("stop")
    until(lambda: not any(is_alive(pid) for pid in pids), "all have ended")


def test_workers_of_two_sites_link_pair_by_pair(net: Network, west: Site) -> None:
    east = net.site("east")
    east.environment["SPILLWAY_WORKERS"] = "2"
    net.link(east, west)
    target = serve(net, west)
    net.see_each_other()
    until(lambda: are_ready(east, 2), "both workers of east serve")
    (incoming,) = west.get("links")
    assert incoming["direction"] == "incoming"
    own = Admin(west.directory / "run" / "workers" / "1" / "admin.sock", "west")
    until(lambda: len(own.get("/api/v1/links")) == 1, "the second one has the second link")
    until(lambda: east.offers("shop", {"west": 1}), "east knows of the target")
    until(lambda: owners(east) == 2, "both workers of east accept clients")
    os.kill(pid_of(west, 1), signal.SIGKILL)
    until(lambda: workers(west)[1]["restarts"] == 1 and are_ready(west, 2), "it is back")
    until(lambda: own.is_ready() and len(own.get("/api/v1/links")) == 1, "and has its link again")
    with Pinned(pinned(east, 1, 3 * CAPACITY)) as load:
        until(lambda: len(load.statuses) > 2 * CAPACITY, "it is under way")
        stays(lambda: target.in_hand_max <= CAPACITY, "never more than is stated", 2.0)
    assert set(load.statuses) == {200}
    east.ctl("link", "renew", "west")
    until(
        lambda: "certificate-renewed" in [event["code"] for event in east.get("events")],
        "the first one gets another certificate",
    )
    until(lambda: len(own.get("/api/v1/links")) == 1, "the other one follows")
    for site in (west, east):
        site.until_well()


def test_another_number_in_the_document_waits_for_the_next_start_and_is_told(net: Network) -> None:
    site = net.site("west")
    site.declare("shop")
    net.start()
    assert "Workers:" not in site.ctl("status").out
    site.ctl("update", "--workers", "2")
    until(lambda: site.get("status")["workers_next"] == 2, "it knows")
    assert "Workers:  2 workers from the next start on" in site.ctl("status").out
    assert "is to have 2 workers from its next start on" in site.ctl("check", code=3).out
    site.ctl("stop")
    site.start()
    until(lambda: are_ready(site, 2), "both workers serve")
    assert site.get("status")["workers_next"] is None
    site.ctl("update", "--workers", "1")
    until(lambda: site.get("status")["workers_next"] == 1, "it is to be one alone")


def test_a_site_of_workers_that_is_deleted_is_missed_by_nobody(net: Network, west: Site) -> None:
    east = net.site("east")
    net.link(west, east)
    target = serve(net, west, service_s=1.5)
    net.see_each_other()
    until(lambda: [one["lanes"] for one in east.get("links")] == [2], "both link")
    with Pinned(pinned(west, 1, 1)):
        until(lambda: target.in_hand == 1, "the second worker has a request: it ends last")
        west.ctl("delete", "--yes")
    until(lambda: east.get("links") == [], "its links are forgotten")
    assert not east.get("status")["notes"]
