"""Clients that do not read: what the kernel holds for them, and what others of the link wait."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.model.limits import CLIENT_UNSENT_BYTES, KIB, TARGET_UNREAD_BYTES
from tests.bench.machine import free_ports
from tests.bench.overload import Address
from tests.bench.systems import Processes
from tests.scenario.attackers import attacking
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.offering import fresh_client, percentile_ms
from tests.scenario.waiting import until

READERS = 200
LARGE_PORT = SHOP_PORT + 1
PIECE_BYTES = 64 * KIB  # What the kernel takes beyond a bound, at most: one packet.
OTHERS_S = 2.0
BUSY_MACHINE_MS = 1_000.0  # What a wait may be by the machine's other work alone.


class Scene:
    """Two sites; both services have their targets behind the link."""

    def __init__(self, net: Network, processes: Processes) -> None:
        small, self.large = free_ports(2)
        for name, port in (("small", small), ("large", self.large)):
            processes.server("http", name, str(port), wait_for=[port])
        self.entry, far = net.site("entry"), net.site("far")
        net.link(self.entry, far)
        for service, door, port in (("shop", SHOP_PORT, small), ("large", LARGE_PORT, self.large)):
            self.entry.declare(service, door)
            far.connect(service, Address("127.0.0.1", port))
        net.start()
        for service in ("shop", "large"):
            net.ready(service, {"far": 1})


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    processes = Processes(tmp_path)
    with contextlib.ExitStack() as stack:
        stack.callback(processes.end)
        state = tmp_path / "sites"
        state.mkdir()
        yield Scene(stack.enter_context(Network(state)), processes)


def test_readers_that_do_not_read_hold_little_in_the_kernel_and_delay_nobody(scene: Scene) -> None:
    door = (scene.entry.address, SHOP_PORT)
    before_ms = percentile_ms(fresh_client(door, OTHERS_S), 0.99)
    with attacking("no-reader-large", (scene.entry.address, LARGE_PORT), READERS):
        unsent = until(lambda: full(unsent_to_clients(scene.entry)), "no client reads", 60.0)
        during_ms = percentile_ms(fresh_client(door, OTHERS_S), 0.99)
        unread = unread_of_targets(scene.large)
    assert max(unsent) <= CLIENT_UNSENT_BYTES + PIECE_BYTES
    assert max(unread) <= 2 * TARGET_UNREAD_BYTES
    assert during_ms <= before_ms + BUSY_MACHINE_MS


def full(queues: list[int]) -> list[int]:
    """``queues`` once each has some bytes; else nothing."""
    return queues if len(queues) >= READERS and all(queues) else []


def unsent_to_clients(entry: Site) -> list[int]:
    """Bytes that the kernel has of the router's answers and the clients' kernel not."""
    here = shown(entry.address, LARGE_PORT)
    return [sent for local, _, sent, _ in connections() if local == here]


def unread_of_targets(port: int) -> list[int]:
    """Bytes that the kernel has of the target's answers and the router not."""
    there = shown("127.0.0.1", port)
    return [unread for _, peer, _, unread in connections() if peer == there]


def connections() -> Iterator[tuple[str, str, int, int]]:
    """Own address, peer, bytes not acknowledged and bytes not read (proc_pid_net(5), tcp)."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, peer, state, queues, *_ = line.split()
        if state == "01":  # Established.
            sent, _, unread = queues.partition(":")
            yield local, peer, int(sent, 16), int(unread, 16)


def shown(address: str, port: int) -> str:
    """As /proc has it."""
    return (
        bytes(reversed([int(part) for part in address.split(".")])).hex().upper() + f":{port:04X}"
    )
