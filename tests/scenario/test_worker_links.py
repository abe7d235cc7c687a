"""Links of a site whose router is two processes: what they carry is that of all workers."""

import os
import signal
from typing import Any

from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until
from tests.scenario.worker_sites import are_ready, pid_of, pinned, workers

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
