"""Attacks by hundreds, and ten times the load: others are served, and all is as before afterwards.

The same by thousands, with figures: ``python -m tests.bench.overload``.
"""

import contextlib
import os
import resource
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.model import limits
from tests.scenario.attackers import attacking
from tests.scenario.backends import HttpTarget
from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.offering import fresh_client, offer, percentile_ms
from tests.scenario.waiting import until

COUNT = 300
SLOTS, SERVICE_S = 2, 0.02
PEAK_RPS = SLOTS / SERVICE_S
SLOW_PORT, FEW_PORT = SHOP_PORT + 1, SHOP_PORT + 2
FEW = 10
CROWD = 1_000
QUEUE_WAIT_S = 0.2
BUSY_MACHINE_MS = 150.0  # What a wait may be by the machine's other work alone.
KINDS = ("idle", "slow-head", "slow-body", "slow-put", "no-reader", "half-open")
ATTACKS = [*((kind, COUNT) for kind in KINDS), ("pipeline", 10), ("churn", 10)]


class Scene:
    """One site with a fast service, a slow one and one that admits few connections."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.site = site = net.site("attacked")
        site.declare("shop")
        site.declare("slow", SLOW_PORT, queueWait=f"{QUEUE_WAIT_S}s")
        site.declare("few", FEW_PORT, limits={"connectionsPerSource": FEW})
        target = net.http("attacked")
        site.connect("shop", target)
        site.connect("few", target)
        site.connect("slow", net.http("slow", SERVICE_S), capacity=SLOTS)
        net.start()
        for service in ("shop", "slow", "few"):
            net.ready(service, {"attacked": 1})

    def door(self, port: int = SHOP_PORT) -> tuple[str, int]:
        return self.site.address, port

    def metric(self, line_start: str) -> float:
        """The value of the first series that starts so."""
        lines = self.site.metrics().splitlines()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(line_start))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One site for all attacks."""
    with Network(tmp_path_factory.mktemp("overload")) as net:
        yield Scene(net)


def descriptors(site: Site) -> int:
    """How many a router holds."""
    return len(os.listdir(f"/proc/{site.note_pid()}/fd"))


def resident_mib(site: Site) -> float:
    """Of a router."""
    return int(Path(f"/proc/{site.note_pid()}/statm").read_text().split()[1]) / 256


def peak_mib(site: Site) -> float:
    """The most of a router that was ever resident."""
    status = Path(f"/proc/{site.note_pid()}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def limit_bytes(site: Site) -> float:
    """What a router believes it may use."""
    lines = site.metrics().splitlines()
    (line,) = (one for one in lines if one.startswith('spillway_memory_bytes{kind="limit"}'))
    return float(line.split()[1])


@pytest.mark.parametrize(("kind", "attackers"), ATTACKS)
def test_under_attack_a_fresh_client_and_the_operator_are_served(
    scene: Scene, kind: str, attackers: int
) -> None:
    site = scene.site
    scene.net.at_rest("shop")
    count = descriptors(site)
    allowed_ms = max(2 * p99_ms(scene), BUSY_MACHINE_MS)
    door = (site.address, site.link_port) if kind == "half-open" else scene.door()
    with attacking(kind, door, attackers):
        until(lambda: fetch(*scene.door(), timeout_s=1.0).status == 200, "it serves")
        until(lambda: p99_ms(scene) < allowed_ms, f"fresh clients wait less than {allowed_ms} ms")
        assert site.get("status")["ready"]
    scene.net.at_rest("shop")
    until(lambda: descriptors(site) <= count + 2, "descriptors are given back")
    until(lambda: scene.metric("spillway_buffered_bytes ") == 0, "nothing is buffered")


def p99_ms(scene: Scene) -> float:
    """Of clients that come now."""
    return percentile_ms(fresh_client(scene.door(), 0.5), 0.99)


def test_ten_times_the_load_is_refused_at_once_and_costs_no_goodput(scene: Scene) -> None:
    """Whatever else this machine does: there is a round in which all figures hold."""

    def holds() -> bool:
        peak = offer(scene.door(SLOW_PORT), PEAK_RPS, 1.5)
        over = offer(scene.door(SLOW_PORT), 10 * PEAK_RPS, 1.5)
        print(peak, over)
        assert over.errors == 0
        assert over.refused_without_retry_after == 0
        assert over.refused > over.served
        return (
            over.served >= 0.8 * min(peak.served, PEAK_RPS * peak.seconds)
            and over.served_max_ms < 1000 * (QUEUE_WAIT_S + SERVICE_S) + 2 * BUSY_MACHINE_MS
            and over.refused_p50_ms < 1000 * QUEUE_WAIT_S + BUSY_MACHINE_MS
        )

    until(holds, "goodput and waits are as without the excess")
    scene.net.at_rest("slow")
    assert fetch(*scene.door(SLOW_PORT)).status == 200


def test_one_source_cannot_take_all_connections(scene: Scene) -> None:
    with contextlib.ExitStack() as held:
        for _ in range(FEW):
            held.enter_context(socket.create_connection(scene.door(FEW_PORT), 5.0))
        until(lambda: fetch(*scene.door(FEW_PORT)).status == 0, "it is reset")
        with socket.socket() as other:
            other.bind(("127.77.1.1", 0))
            other.settimeout(5.0)
            other.connect(scene.door(FEW_PORT))
            other.sendall(b"GET / HTTP/1.1\r\nHost: few\r\n\r\n")
            assert other.recv(100).startswith(b"HTTP/1.1 200")
        refused = 'spillway_connections_refused_total{port="20082",service="few"}'
        until(lambda: scene.metric(refused) >= 1, "it is counted")
    until(lambda: fetch(*scene.door(FEW_PORT)).status == 200, "there is room again")


def test_a_router_serves_within_the_least_memory_that_may_be_configured(tmp_path: Path) -> None:
    """It starts as a user's does: a forked one takes more."""
    with Network(tmp_path, forks=False) as net:
        site = net.site("small", "--memory-limit", f"{limits.MEMORY_LIMIT_BYTES_MIN // 2**20}MiB")
        site.declare("shop")
        site.connect("shop", net.http("small"))
        net.start()
        net.ready("shop", {"small": 1})
        assert limit_bytes(site) == limits.MEMORY_LIMIT_BYTES_MIN
        for _ in range(20):
            assert fetch(site.address, SHOP_PORT).status == 200
        assert "memory-short" not in [event["code"] for event in site.get("events")]


def small(net: Network, room_mib: int) -> tuple[Site, HttpTarget, int]:
    """A router that may use ``room_mib`` more than it does, its target, and the limit in MiB."""
    site = net.site("small")
    site.declare("shop", limits={"connectionsPerSource": 4000})
    target = net.http("small")
    site.connect("shop", target)
    net.start()
    net.ready("shop", {"small": 1})
    allowed_mib = int(resident_mib(site)) + room_mib
    path = site.directory / "config" / "site-small.yaml"
    path.write_text(path.read_text().rstrip() + f"\n  memoryLimit: {allowed_mib}MiB\n")
    until(lambda: limit_bytes(site) == allowed_mib * 2**20, "the limit is known")
    return site, target, allowed_mib


def is_short_of_memory(site: Site) -> bool:
    """It said so, and its operator and a client get answers meanwhile."""
    assert site.get("status")["name"] == "small"
    fetch(site.address, SHOP_PORT)
    return any(event["code"] == "memory-short" for event in site.get("events"))


def test_a_router_with_little_memory_refuses_instead_of_growing(net: Network) -> None:
    """Without the limit it would grow by 70 MiB."""
    site, _, allowed_mib = small(net, 24)
    with attacking("slow-put", (site.address, SHOP_PORT), 1_200):
        until(lambda: is_short_of_memory(site), "it is short of memory")
        for _ in range(20):
            is_short_of_memory(site)
    assert peak_mib(site) <= allowed_mib
    until(lambda: fetch(site.address, SHOP_PORT, timeout_s=1.0).status == 200, "it serves again")


def test_a_router_that_may_map_little_more_refuses_and_serves_again(net: Network) -> None:
    """`ulimit -v`. Most of the mapped memory is not resident, as stacks of threads are.

    A crowd that is heard at once, on a busy machine, may meet the limit itself first.
    """
    site = net.site("small")
    site.declare("shop", limits={"connectionsPerSource": 4000})
    site.connect("shop", net.http("small"))
    net.start()
    net.ready("shop", {"small": 1})
    pid = site.note_pid()
    mapped_pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    _, hard = resource.prlimit(pid, resource.RLIMIT_AS)
    most_bytes = mapped_pages * resource.getpagesize() + 24 * 2**20
    machine_bytes = limit_bytes(site)
    resource.prlimit(pid, resource.RLIMIT_AS, (most_bytes, hard))
    until(lambda: limit_bytes(site) < machine_bytes, "the limit is known")
    with attacking("slow-put", (site.address, SHOP_PORT), 1_200):
        until(lambda: is_short_of_memory(site), "it is short of memory")
    until(lambda: fetch(site.address, SHOP_PORT, timeout_s=1.0).status == 200, "it serves again")


def test_a_router_that_wakes_late_to_a_crowd_stays_within_its_memory(net: Network) -> None:
    """All send at once, and no timer runs before the router has heard everybody."""
    site, target, allowed_mib = small(net, 32)
    head = b"PUT / HTTP/1.1\r\nHost: shop\r\nContent-Length: 1000000\r\n\r\n"
    with contextlib.ExitStack() as held:
        clients = []
        for _ in range(CROWD):
            client = socket.create_connection((site.address, SHOP_PORT), 5.0)
            clients.append(held.enter_context(client))
            client.sendall(head)
        until(lambda: target.in_hand == CROWD, "the target has each one's request")
        site.signal(signal.SIGSTOP)
        try:
            for client in clients:
                client.setblocking(False)
                client.send(b"y" * 60_000)
        finally:
            site.signal(signal.SIGCONT)
        until(lambda: is_short_of_memory(site), "it is short of memory")
        assert peak_mib(site) <= allowed_mib
    until(lambda: fetch(site.address, SHOP_PORT, timeout_s=1.0).status == 200, "it serves again")
