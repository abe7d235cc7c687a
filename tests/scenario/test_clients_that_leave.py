"""Clients that give up, as curl and grpcio do: slot and target hear of it at once."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests import needs
from tests.scenario.clients import connected, read_all
from tests.scenario.grpc_peers import METHODS, GrpcTarget
from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.noticing import NoticingTarget
from tests.scenario.tls import credential, keep
from tests.scenario.waiting import own_time, until

PORTS: Final = {
    name: SHOP_PORT + number
    for number, name in enumerate(("here", "there", "safe", "patient", "calls", "far-calls"))
}
HTTP: Final = ("here", "there", "safe")
SLOTS: Final = 2
AT_ONCE_S: Final = 1.0
"""A tenth of it is the promise, which `tests/simulation/test_leaving_clients.py` holds: here
processes must be scheduled first."""
BODY_BYTES: Final = 100_000
TIMED_OUT: Final = 28  # What curl exits with.
CALLER: Final = """
import sys, grpc
channel = grpc.insecure_channel(sys.argv[1])
channel.unary_unary(sys.argv[2], None, None)(b"")
"""


class Pair:
    """Clients come in at ``near``; the targets of ``there`` and ``far-calls`` are at ``far``."""

    def __init__(self, net: Network, place: Path) -> None:
        self.net = net
        self.near, self.far = near, far = net.site("near"), net.site("far")
        credential(place / "shop")
        keep(near, "shop", place / "shop")
        self.targets = {name: NoticingTarget() for name in ("here", "there", "safe", "patient")}
        self.calls = {name: GrpcTarget(name, net.target_address) for name in ("calls", "far-calls")}
        further: dict[str, dict[str, Any]] = {
            "safe": {"tlsCert": "shop"},
            "patient": {"halfClose": "serve"},
            "calls": {"protocol": "http2"},
            "far-calls": {"protocol": "http2"},
        }
        for name, port in PORTS.items():
            near.declare(name, port, queue=5, queueWait="20s", **further.get(name, {}))
            site = far if name in ("there", "far-calls") else near
            target = self.targets.get(name) or self.calls[name]
            site.connect(name, target, capacity=SLOTS)
        net.link(near, far)
        net.start()
        net.see_each_other()
        for name in PORTS:
            net.ready(name, {"far" if name in ("there", "far-calls") else "near": 1}, near)

    @property
    def all_targets(self) -> list[NoticingTarget | GrpcTarget]:
        return [*self.targets.values(), *self.calls.values()]

    def in_flight(self, service: str) -> int:
        return sum(self.near.in_flight(service).values())

    def waiting(self, service: str) -> int:
        found = re.search(
            rf'spillway_queue_length{{[^}}]*service="{service}"[^}}]*}} (\d+)', self.near.metrics()
        )
        return int(found[1]) if found else 0

    def outcomes(self, service: str, count: int) -> list[str]:
        """Of the last requests."""
        return [one["outcome"] for one in self.near.json("why", service, "--last", str(count))]

    def curl(self, service: str, *words: str) -> "subprocess.Popen[bytes]":
        scheme = "https" if service == "safe" else "http"
        url = f"{scheme}://{self.near.address}:{PORTS[service]}/"
        needs.programs("curl")
        return subprocess.Popen(["curl", "-sk", "-o", "/dev/null", *words, url])


@pytest.fixture(scope="module")
def fresh_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The two sites, once for all tests of this file."""
    with Network(tmp_path_factory.mktemp("leaving")) as net:
        pair = Pair(net, tmp_path_factory.mktemp("credential"))
        yield pair
        for target in pair.all_targets:
            target.stop()


@pytest.fixture
def pair(fresh_pair: Pair) -> Iterator[Pair]:
    """The two sites idle, every target holding back its answers, and idle again."""
    for target in fresh_pair.all_targets:
        target.hold()
    yield fresh_pair
    for target in fresh_pair.all_targets:
        target.release()
    for service in PORTS:
        fresh_pair.net.at_rest(service)


@pytest.mark.parametrize("service", HTTP)
def test_two_that_time_out_leave_their_slots_to_the_next(pair: Pair, service: str) -> None:
    target, words = pair.targets[service], ("--max-time", "1")
    left = len(target.left_at)
    clients = [pair.curl(service, *words) for _ in range(SLOTS)]
    until(lambda: target.in_hand == SLOTS, "both slots are taken")
    assert [client.wait(20) for client in clients] == [TIMED_OUT] * SLOTS
    began = own_time()
    until(lambda: len(target.left_at) == left + SLOTS, "the target is told", AT_ONCE_S)
    until(lambda: not pair.in_flight(service), "both slots are free")
    assert own_time() - began < 2 * AT_ONCE_S
    target.release()
    assert pair.curl(service, "--fail", "--max-time", "20").wait(30) == 0
    assert pair.outcomes(service, SLOTS + 1) == ["ok"] + ["client-gone"] * SLOTS
    counted = rf'spillway_requests_total{{[^}}]*code_class="client-gone"[^}}]*"{service}"[^}}]*}} '
    assert re.search(counted, pair.near.metrics())
    ready = pair.near.ready_targets(service)
    assert sum(ready.values()) == 1, "none of it counts against a target"


@pytest.mark.parametrize("service", HTTP)
def test_one_that_is_killed_leaves_its_slot(pair: Pair, service: str) -> None:
    target = pair.targets[service]
    left = len(target.left_at)
    client = pair.curl(service)
    until(lambda: target.in_hand == 1, "it is under way")
    killed_at = time.monotonic()
    client.kill()
    client.wait()
    until(lambda: len(target.left_at) > left, "the target is told", AT_ONCE_S)
    print(f"{service}: the target was told {target.left_at[-1] - killed_at:.4f} s after the kill")
    until(lambda: not pair.in_flight(service), "its slot is free")
    assert pair.outcomes(service, 1) == ["client-gone"]


@pytest.mark.parametrize("service", ["here", "there"])
@pytest.mark.parametrize("sends", [(), ("--data-binary",)], ids=["GET", "POST"])
def test_one_that_waits_leaves_the_queue(
    pair: Pair, service: str, sends: tuple[str, ...], tmp_path: Path
) -> None:
    """Also one that has much to send, of which nothing is read meanwhile."""
    target = pair.targets[service]
    asked = target.asked
    first = [pair.curl(service, "--fail") for _ in range(SLOTS)]
    until(lambda: target.in_hand == SLOTS, "both slots are taken")
    words = ["--max-time", "1"]
    if sends:
        (tmp_path / "body").write_bytes(bytes(BODY_BYTES))
        words += [*sends, f"@{tmp_path / 'body'}"]
    late = pair.curl(service, *words)
    until(lambda: pair.outcomes(service, 1) == ["under-way"], "it is there")
    assert late.wait(20) == TIMED_OUT
    until(lambda: "client-gone" in pair.outcomes(service, SLOTS + 1), "it left", 2 * AT_ONCE_S)
    until(lambda: pair.waiting(service) == 0, "nobody waits")
    target.release()
    assert [client.wait(20) for client in first] == [0] * SLOTS
    pair.net.at_rest(service)
    assert target.asked == asked + SLOTS, "its target never heard of who waited"


def test_one_that_finishes_on_purpose_is_served_where_that_is_wanted(pair: Pair) -> None:
    target = pair.targets["patient"]
    with connected(pair.near.address, PORTS["patient"]) as door:
        door.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
        door.shutdown(1)
        until(lambda: target.in_hand == 1, "it is under way")
        target.release()
        assert read_all(door).endswith(b"ok\n")
    pair.near.declare("patient", PORTS["patient"])
    target.hold()

    def is_cancelled() -> bool:
        """As soon as the setting has come through: a connection keeps the setting of its start."""
        left = len(target.left_at)
        with connected(pair.near.address, PORTS["patient"]) as door:
            door.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
            until(lambda: target.in_hand == 1, "it is under way")
            door.shutdown(1)
            door.settimeout(0.5)
            try:
                assert read_all(door) == b""
            except TimeoutError:  # Still served: let it have its answer, and ask again.
                target.release()
                door.settimeout(10.0)
                read_all(door)
                until(lambda: target.in_hand == 0, "it is over")
                target.hold()
                return False
            until(lambda: len(target.left_at) > left, "the target is told")
            return True

    until(is_cancelled, "it is the default again")


@pytest.mark.parametrize("service", ["calls", "far-calls"])
def test_a_grpc_client_that_is_killed_leaves_its_slots(pair: Pair, service: str) -> None:
    target, place = pair.calls[service], f"{pair.near.address}:{PORTS[service]}"
    words = [sys.executable, "-c", CALLER, place, METHODS + "Wait"]
    callers = [subprocess.Popen(words) for _ in range(SLOTS)]
    try:
        until(lambda: target.in_hand == SLOTS, "both slots are taken", 60.0)
    finally:
        for caller in callers:
            caller.kill()
            caller.wait()
    until(lambda: target.in_hand == 0, "the target is told", AT_ONCE_S)
    until(lambda: not pair.in_flight(service), "both slots are free", AT_ONCE_S)
    assert pair.outcomes(service, SLOTS) == ["client-gone"] * SLOTS
