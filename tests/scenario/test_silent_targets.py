"""A tcp target that accepts connections and answers nothing, in real processes."""

import re

import pytest

from tests.scenario.backends import TcpTarget
from tests.scenario.clients import Load, ask, connected, reset
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until

PORT = 5432
GIVES_UP_S = 0.3
CLIENTS = 8


def notes(site: Site) -> list[str]:
    return [one["message"] for one in site.get("status")["notes"] if one["code"] == "SW0348"]


def answered(site: Site) -> int:
    (target,) = site.service("db")["targets"]
    return int(target["requests_total"])


def wait_in_vain(site: Site, target: TcpTarget) -> None:
    """A client that asks, gets nothing in time after the target was asked, and resets."""
    before = target.connections
    with connected(site.address, PORT, GIVES_UP_S) as door:
        with pytest.raises(TimeoutError):
            ask(door, "name")
        until(lambda: target.connections > before, "the target was asked")
        with pytest.raises(TimeoutError):
            door.recv(1)
        reset(door)


@pytest.mark.parametrize("workers", [1, 2])
def test_connections_of_all_workers_make_one_row(net: Network, workers: int) -> None:
    near, target = net.site("near"), net.tcp("near")
    near.environment["SPILLWAY_WORKERS"] = str(workers)
    near.declare("db", PORT, protocol="tcp")
    near.connect("db", target, capacity=50)
    net.start()
    net.ready("db", {"near": 1})
    for _ in range(CLIENTS):
        with connected(near.address, PORT) as door:
            assert ask(door, "name") == "near"
    until(lambda: answered(near) == CLIENTS, "each worker told what it had answered")
    target.hold()
    for _ in range(CLIENTS):
        wait_in_vain(near, target)
    place = f"{target.address}:{target.port}"
    row = f"{CLIENTS} connections in a row got no byte of an answer"
    expected = [f"Service db:{PORT}: {row} from {place}."]
    until(lambda: notes(near) == expected, "status counts all of them")
    (shown,) = near.service("db")["targets"]
    assert shown["ready"] and shown["error"] == row
    assert re.search(rf"no answer .* {re.escape(row)}", near.ctl("service", "status", "db").out)
    (candidate,) = near.json("why", "db")["candidates"]
    assert candidate["note"] == f"{row} from {place}"
    target.release()
    with connected(near.address, PORT) as door:
        assert ask(door, "name") == "near"
    until(lambda: not notes(near), "the note goes with the first answer")
    codes = [one["code"] for one in near.json("events")]
    assert [code for code in codes if code in ("target-silent", "target-answers")] == [
        "target-silent",
        "target-answers",
    ]


def test_other_sites_see_it_beside_the_target(net: Network) -> None:
    near, far, target = net.site("near"), net.site("far"), net.tcp("far")
    far.declare("db", PORT, protocol="tcp")
    far.connect("db", target, capacity=50)
    net.link(near, far)
    net.start()
    net.see_each_other()
    net.ready("db", {"far": 1})
    with connected(near.address, PORT) as door:
        assert ask(door, "name") == "far"
    target.hold()
    for _ in range(3):
        wait_in_vain(near, target)
    until(lambda: notes(far), "the site of the target says so")
    assert not notes(near)
    row = "3 connections in a row got no byte of an answer"
    until(
        lambda: (
            [one["error"] for one in near.json("service", "status", "db")[0]["targets"]] == [row]
        ),
        "so does the row of the target elsewhere",
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_an_http_target_that_hangs_is_named_at_a_site_without_clients(
    net: Network, workers: int
) -> None:
    near, far, target = net.site("near"), net.site("far"), net.http("far")
    far.environment["SPILLWAY_WORKERS"] = str(workers)
    near.declare("shop", SHOP_PORT, timeouts={"response": "300s"})
    far.connect("shop", target, capacity=4)
    net.link(near, far)
    net.start()
    net.see_each_other()
    net.ready("shop", {"far": 1}, near)

    def stuck() -> bool:
        return "SW0349" in {one["code"] for one in far.get("status")["notes"]}

    with Load([(near.address, SHOP_PORT)], 20) as load:
        until(lambda: len(load.answers) >= 40, "the target has served")
        assert not stuck()
        target.hold()
        until(stuck, "status has the note", 45.0)
        (shown,) = far.service("shop")["targets"]
        assert shown["ready"] and "no request" in shown["error"]
        target.release()
        until(lambda: not stuck(), "it completes requests again")
