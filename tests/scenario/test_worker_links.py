"""Links of a site whose router is two processes: their figures cover all workers."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.scenario.harness import SHOP_PORT, Network, Site, own_address
from tests.scenario.link_faults import FaultyRelay
from tests.scenario.waiting import until
from tests.scenario.worker_sites import are_ready, held_by, pid_of, pinned, workers

AT_FIRST, AT_SECOND = 1, 3


def link(site: Site) -> Any:
    (found,) = site.get("links")
    return found


def test_a_link_shows_the_lanes_streams_and_bytes_of_all_workers(net: Network) -> None:
    near, far = net.site("near"), net.site("far")
    near.quick("update", "--workers", "2")
    near.declare("shop", SHOP_PORT)
    target = net.http("far")
    far.connect("shop", target, capacity=100)
    net.link(near, far, 5)
    net.start()
    net.see_each_other()
    until(lambda: are_ready(near, 2), "both workers serve")
    net.ready("shop", {"far": 1})
    until(lambda: link(near)["lanes"] == 2, "the links of both workers are up")
    lines = [*pinned(near, 0, AT_FIRST), *pinned(near, 1, AT_SECOND)]
    target.hold()
    for line in lines:
        line.request("POST", "/", b"x" * 10_000)
    until(lambda: link(near)["streams"] == AT_FIRST + AT_SECOND, "the streams of both are shown")
    (live,) = near.get("live")["links"]
    assert live["streams"] == AT_FIRST + AT_SECOND
    until(lambda: link(near)["bytes_out_total"] > 10_000 * len(lines), "and their bytes")
    carried = link(near)["bytes_out_total"]
    os.kill(pid_of(near, 1), signal.SIGKILL)
    until(lambda: workers(near)[1]["restarts"] == 1, "it is started again")
    until(lambda: link(near)["streams"] == AT_FIRST, "its streams are gone")
    assert link(near)["bytes_out_total"] >= carried
    target.release()
    for line in lines[:AT_FIRST]:
        assert line.getresponse().read()
    for line in lines:
        line.close()


@pytest.mark.parametrize("far_workers", ["1", "2"])
def test_a_neighbor_dials_one_link_wherever_its_workers_come_to(
    net: Network, far_workers: str
) -> None:
    near, far = net.site("near"), net.site("far")
    near.quick("update", "--workers", "3")
    far.quick("update", "--workers", far_workers)
    net.link(near, far, 5)
    net.start()
    net.see_each_other()
    until(lambda: are_ready(near, 3), "all workers serve")
    until(lambda: sum(one["lanes"] for one in far.get("links")) == 3, "all workers are linked")
    row = link(far)
    assert (row["name"], row["direction"], row["state"]) == ("near", "incoming", "up")
    status = far.get("status")
    assert (status["links"], status["links_up"]) == (1, 1)
    (live,) = far.get("live")["links"]
    assert live["lanes"] == 3
    up = [line for line in far.metrics().splitlines() if line.startswith("spillway_link_up{")]
    assert up == ['spillway_link_up{direction="incoming",link="near",neighbour="near"} 1.0']
    os.kill(pid_of(near, 2), signal.SIGKILL)
    until(lambda: workers(near)[2]["restarts"] == 1 and are_ready(near, 3), "it is back")
    until(lambda: link(far)["lanes"] == 3, "it has its connection again")
    assert far.get("status")["links"] == 1
    told = [one["message"] for one in far.get("events") if one["code"].startswith("link-")]
    assert told == ["Linked to near, cost 5."], "it is one link to readers of events, too"


def test_each_of_several_workers_gets_a_data_lane_at_a_neighbor_of_several(net: Network) -> None:
    near, far = net.site("near"), net.site("far")
    for site in (near, far):
        site.quick("update", "--workers", "3")
    net.link(near, far, 5)
    net.start()
    net.see_each_other()
    until(lambda: are_ready(near, 3) and are_ready(far, 3), "all workers serve")
    until(lambda: link(near)["lanes"] == 3, "each has its data lane")


@contextmanager
def cut_at(net: Network, site: Site, door: FaultyRelay, index: int) -> Iterator[None]:
    """Worker ``index`` of ``site`` cannot dial through ``door``; its connection is reset."""
    pid = pid_of(site, index)

    def is_of_it(writer: asyncio.StreamWriter) -> bool:
        ends = writer.get_extra_info("peername"), writer.get_extra_info("sockname")
        return held_by([ends], [pid]) == [pid]

    door.refused = is_of_it
    door.cut()
    try:
        yield
    finally:
        door.refused = lambda writer: False


def is_partly_up(shown: Any) -> bool:
    return bool(shown["workers_down"]) and shown["lanes"] == 1


@pytest.mark.parametrize("index", [0, 1])
def test_a_link_that_one_worker_lost_is_a_problem_on_every_surface(
    net: Network, index: int
) -> None:
    near, far = net.site("near"), net.site("far")
    near.quick("update", "--workers", "2")
    relay = FaultyRelay(net.background, own_address(), far.address, far.link_port)
    document = far.directory / "config" / "site-far.yaml"
    text = document.read_text()
    document.write_text(text.replace(far.link_door, f"{relay.address}:{relay.port}"))
    near.declare("shop", SHOP_PORT)
    far.connect("shop", net.http("far"))
    net.link(near, far, 5)
    net.start()
    until(lambda: are_ready(near, 2), "both workers serve")
    net.ready("shop", {"far": 1})
    until(lambda: link(near)["lanes"] == 2, "the links of both workers are up")
    try:
        with cut_at(net, near, relay, index):
            until(lambda: near.problems("SW0675"), "it is a problem")
            until(lambda: is_partly_up(link(near)), "the other worker has its connection")
            shown = link(near)
            (down,) = shown["workers_down"]
            assert down["worker"] == index and down["error"] in shown["error"]
            assert "up (1 of 2 workers)" in near.ctl("link", "status").out
            (problem,) = near.problems("SW0675")
            sentence = "Link far to far is up at 1 of 2 workers, and down at "
            assert problem["message"].startswith(f"{sentence}worker {index}: ")
            status = near.ctl("status", code=3).out
            assert "1 link up (1 not at every worker)" in status and sentence in status
            check = near.ctl("check", code=3).out
            assert sentence in check and "SW0515" not in check
            until(lambda: near.reaches({"far"}), "its site is reached all the same")
            for name, number in (("up", 1.0), ("workers_down", 1.0)):
                labels = '{direction="outgoing",link="far",neighbour="far"}'
                assert f"spillway_link_{name}{labels} {number}" in near.metrics()
            for line in [*pinned(near, 0, 1), *pinned(near, 1, 1)]:
                line.request("GET", "/")
                assert line.getresponse().status == 200
                line.close()
        near.until_well()
        until(lambda: not link(near)["workers_down"], "both are up again")
        assert "spillway_link_workers_down{" in near.metrics()
        assert ", 1 link, " in near.ctl("status").out
    finally:
        relay.close()
