"""A site of two workers in a container: both serve, one dies and is back, both drain."""

import http.client
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

from sitectl.runtimes.containers.words import (
    MEMORY_A_WORKER_MIB,
    MEMORY_MIB,
    PIDS_A_WORKER,
    PIDS_MAX,
)
from tests.podman.harness import Containers
from tests.scenario.harness import SHOP_PORT, is_alive
from tests.scenario.waiting import until
from tests.scenario.worker_sites import (
    CAPACITY,
    Pinned,
    are_ready,
    owners,
    pids,
    pinned,
    workers,
)

DRAIN_GRACE_S = 30.0  # The default of a site.
MIB = 2**20


def answer(line: http.client.HTTPConnection) -> int:
    line.request("GET", "/")
    return line.getresponse().status


def test_two_workers_in_a_container_serve_heal_and_drain(net: Containers) -> None:
    there, near = net.container_site("there"), net.site("near")
    there.init("--workers", "2")
    limits = there.inspected()["HostConfig"]
    assert limits["Memory"] == (MEMORY_MIB + MEMORY_A_WORKER_MIB) * MIB
    assert limits["PidsLimit"] == PIDS_MAX + PIDS_A_WORKER
    net.link(near, there)
    net.start(near)
    net.see_each_other()
    until(lambda: are_ready(there, 2), "both workers serve")
    target = net.http("there")
    there.declare("shop")
    there.connect("shop", target, capacity=CAPACITY)
    net.ready("shop", {there.name: 1})
    until(lambda: owners(there) == 2, "both accept clients")

    dead = pids(there)[1]
    remote = [http.client.HTTPConnection(near.address, SHOP_PORT) for _ in range(2)]
    with (
        Pinned(pinned(there, 0, 2)) as load,
        Pinned(pinned(there, 1, 2)) as lost,
        Pinned(remote) as linked,
    ):
        until(lambda: bool(load.statuses and lost.statuses and linked.statuses), "all are served")
        os.kill(dead, signal.SIGKILL)
        until(lambda: workers(there)[1]["restarts"] == 1, "it is started again")
        until(lambda: are_ready(there, 2), "it serves again")
        until(lambda: owners(there) == 2, "both accept clients again")
    assert not is_alive(dead)
    assert set(load.statuses) == set(lost.statuses) == set(linked.statuses) == {200}
    assert (load.failed, linked.failed) == ([], [])
    assert len(lost.failed) == 2

    before = pids(there)
    lines = [*pinned(there, 0, 1), *pinned(there, 1, 1)]
    target.hold()
    with ThreadPoolExecutor(3) as hands:
        answers = [hands.submit(answer, line) for line in lines]
        until(lambda: target.in_hand == 2, "a request of each worker is at the target")
        began = time.monotonic()
        stopping = hands.submit(there.json, "stop")
        until(lambda: not there.admin.is_ready(), "it drains")
        target.release()
        assert [done.result() for done in answers] == [200, 200]
        assert stopping.result()["change"] == "stopped"
    assert time.monotonic() - began < DRAIN_GRACE_S
    assert not there.has_container()
    assert not [pid for pid in before if is_alive(pid)]
