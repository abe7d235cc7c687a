"""One router by several processes: one site, all its slots and no more, no death of all."""

import contextlib
import http.client
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from sitectl.admin import Admin
from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network, Site, is_alive
from tests.scenario.waiting import stays, until

CAPACITY = 8
SERVICE_S = 0.2
BACK_S = 5.0


def workers(site: Site) -> list[Any]:
    return list(site.get("status")["workers"])


def are_ready(site: Site, count: int) -> bool:
    found = workers(site)
    return len(found) == count and all(one["ready"] for one in found)


def pid_of(site: Site, index: int) -> int:
    pid = workers(site)[index]["process"]
    assert isinstance(pid, int)
    return pid


def place_of(name: tuple[str, int]) -> str:
    """As `/proc/net/tcp` writes it."""
    return f"{int.from_bytes(socket.inet_aton(name[0]), sys.byteorder):08X}:{name[1]:04X}"


def owner(line: socket.socket, pids: list[int]) -> int | None:
    """Which of the processes accepted the other end of ``line``."""
    there, here = (place_of(name) for name in (line.getpeername(), line.getsockname()))
    inode = ""
    for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = row.split()
        if (fields[1], fields[2]) == (there, here):
            inode = f"socket:[{fields[9]}]"
    for pid in pids:
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # Closed since it was listed.
                if inode and os.readlink(fd) == inode:
                    return pid
    return None


def pinned(site: Site, index: int, count: int) -> list[http.client.HTTPConnection]:
    """Connections that worker ``index`` accepted."""
    pids = [one["process"] for one in workers(site)]
    found: list[http.client.HTTPConnection] = []
    for _ in range(400):
        line = http.client.HTTPConnection(site.address, SHOP_PORT, timeout=30)
        line.connect()
        until(lambda line=line: owner(line.sock, pids) is not None, "it is accepted")  # type: ignore[misc]
        if owner(line.sock, pids) == pids[index]:
            found.append(line)
        else:
            line.close()
        if len(found) == count:
            return found
    raise AssertionError("the kernel gives that worker nothing")


class Pinned:
    """Each of the connections sends request after request."""

    def __init__(self, lines: list[http.client.HTTPConnection]) -> None:
        self.statuses: list[int] = []
        self.failed: list[str] = []
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(line,)) for line in lines]

    def _run(self, line: http.client.HTTPConnection) -> None:
        try:
            while not self._ends.is_set():
                line.request("GET", "/")
                answer = line.getresponse()
                answer.read()
                self.statuses.append(answer.status)
        except (OSError, http.client.HTTPException) as error:
            self.failed.append(f"{type(error).__name__}: {error}")
        finally:
            line.close()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def west(net: Network) -> Iterator[Site]:
    site = net.site("west")
    site.environment["SPILLWAY_WORKERS"] = "2"
    site.declare("shop", queue=200, queueWait="20s")
    yield site


def serve(net: Network, site: Site, *others: Site) -> Any:
    target = net.http("target", SERVICE_S)
    site.connect("shop", target, capacity=CAPACITY)
    net.start()
    until(lambda: are_ready(site, 2), "both workers serve")
    until(lambda: site.offers("shop", {"west": 1}), "the service is there")
    until(lambda: owners(site) == 2, "both accept clients")
    return target


def owners(site: Site) -> int:
    """How many of the workers accept clients, by ten connections."""
    pids = [one["process"] for one in workers(site)]
    lines = [socket.create_connection((site.address, SHOP_PORT)) for _ in range(10)]
    time.sleep(0.05)
    found = {owner(line, pids) for line in lines}
    for line in lines:
        line.close()
    return len(found - {None})


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
        before, began = len(target.seen), time.monotonic()
        stays(lambda: target.in_hand_max <= CAPACITY, "never more than is stated", 4.0)
        share = (len(target.seen) - before) / (time.monotonic() - began)
        share /= CAPACITY / SERVICE_S
        print(f"all clients at worker {index}: {share:.1%} of the slots busy")
    assert set(load.statuses) == {200}
    assert not load.failed
    assert share >= 0.9, share  # 95 to 99 % on a machine that has nothing else to do.
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
        began = time.monotonic()
        until(lambda: workers(west)[1]["restarts"] == 1, "it is started again")
        until(lambda: are_ready(west, 2), "it serves again")
        print(f"back after {time.monotonic() - began:.2f} s")
        assert time.monotonic() - began < BACK_S
        assert not is_alive(dead)
        assert not [one for one in west.get("status")["problems"] if one["code"] == "SW0690"]
        before, began = len(target.seen), time.monotonic()
        stays(lambda: target.in_hand_max <= CAPACITY, "never more than is stated", 3.0)
        share = (len(target.seen) - before) / (time.monotonic() - began)
        share /= CAPACITY / SERVICE_S
        print(f"then {share:.1%} of the slots busy")
    assert set(load.statuses) == {200}
    assert not load.failed
    assert len(lost.failed) == 2
    assert share >= 0.85, share
    until(lambda: owners(west) == 2, "both accept clients")
    codes = [event["code"] for event in west.get("events")]
    assert codes.count("worker-ended") == 1
    assert codes.count("worker-ready") == 2


def test_when_the_first_worker_is_killed_the_others_end_and_it_starts_anew(
    net: Network, west: Site
) -> None:
    serve(net, west)
    other = pid_of(west, 1)
    west.kill()
    until(lambda: not is_alive(other), "the other one ends")
    west.start()
    until(lambda: are_ready(west, 2), "both workers serve")
    until(lambda: fetch(west.address, SHOP_PORT).status == 200, "they serve")


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
    until(lambda: len([x for x in east.get("links") if x["state"] == "up"]) == 2, "both link")
    lines = [http.client.HTTPConnection(east.address, SHOP_PORT) for _ in range(3 * CAPACITY)]
    with Pinned(lines) as load:
        until(lambda: len(load.statuses) > 2 * CAPACITY, "it is under way")
        before, began = len(target.seen), time.monotonic()
        stays(lambda: target.in_hand_max <= CAPACITY, "never more than is stated", 3.0)
        share = (len(target.seen) - before) / (time.monotonic() - began)
        share /= CAPACITY / SERVICE_S
        print(f"all clients at east: {share:.1%} of the slots busy")
    assert share >= 0.85, share
    assert set(load.statuses) == {200}
    for site in (west, east):
        assert not [one["message"] for one in site.get("status")["problems"]]
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
        assert not [one["message"] for one in site.get("status")["problems"]]
