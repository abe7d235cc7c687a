"""Figures of one system that need separate sites: a long way, and idling."""

import sys
import time
from collections.abc import Callable

from tests.bench import load, machine
from tests.bench.machine import free_ports
from tests.bench.samples import Sample
from tests.bench.systems import Backends, Processes
from tests.scenario.harness import LINK_PORT, Network, Site

HOST = "127.0.0.1"
RTT_S = 0.1
IDLE_LINKS, IDLE_SERVICES = 10, 50
IDLE_SETTLE_S, IDLE_S = 5.0, 20.0
FLOW_S_MIN = 6.0  # A window grows by round trips.
SERVICE_PORT = 20_081
MB = 1e6

Keep = Callable[[str, str, Sample], None]
"""Label, system, sample."""


def distance(processes: Processes, backends: Backends, keep: Keep, seconds: float) -> None:
    """One flow over a link of 100 ms there and back, beside what the relay itself carries."""
    relayed, door = free_ports(2)
    with Network(processes.directory / "distance", forks=False) as net:
        here, there = net.planned("here"), net.planned("there")
        here.quick("init", "here", *here.places())
        places = ("--bind-ip", there.address, "--ingress-bind-ip", there.address)
        where = ("--bind-port", str(LINK_PORT), "--ingress-host", f"{HOST}:{door}")
        there.quick("init", "there", *places, *where)
        pairs = (f"{HOST}:{door}", f"{there.address}:{LINK_PORT}")
        alone = (f"{HOST}:{relayed}", f"{HOST}:{backends.ports['bulk']}")
        words = ("-m", "tests.bench.burst_parts", "relay", str(RTT_S / 2), *pairs, *alone)
        processes.start([sys.executable, *words], wait_for=[relayed])
        net.link(here, there)
        here.declare("bulk", SERVICE_PORT, protocol="tcp")
        _connect(there, "bulk", backends.ports["bulk"])
        net.start()
        net.see_each_other()
        net.ready("bulk", {"there": 1}, here)
        flow_s = max(seconds, FLOW_S_MIN)
        for name, host, port in (
            ("relay", HOST, relayed),
            ("spillway", here.address, SERVICE_PORT),
        ):
            size, elapsed = load.bulk(host, port, "down", flow_s)
            keep("distance down", name, Sample({"MB/s": size / elapsed / MB}, 0.0))


def idle(processes: Processes, backends: Backends, keep: Keep) -> None:
    """CPU of an idle site with many links and services, whose targets are at its neighbors.

    And with those targets here, each of them checked once a second.
    """
    with Network(processes.directory / "idle", forks=False) as net:
        hub = net.site("hub")
        spokes = [net.site(f"spoke{number}") for number in range(IDLE_LINKS)]
        for number in range(IDLE_SERVICES):
            name = f"service{number}"
            hub.declare(name, SERVICE_PORT + number, protocol="tcp")
            _connect(spokes[number % len(spokes)], name, backends.ports["http"])
        for spoke in spokes:
            net.link(hub, spoke)
        net.start()
        net.see_each_other()
        last = f"service{IDLE_SERVICES - 1}"
        net.ready(last, {spokes[(IDLE_SERVICES - 1) % len(spokes)].name: 1}, hub)
        keep("idle links", "spillway", _resting(hub))
        for number in range(IDLE_SERVICES):
            _connect(hub, f"service{number}", backends.ports["http"])
        keep("idle targets", "spillway", _resting(hub))


def _resting(site: Site) -> Sample:
    """The share of a core that its router takes by itself."""
    time.sleep(IDLE_SETTLE_S)
    pid = site.note_pid()
    before_s, began = machine.worked_s(pid), time.monotonic()
    time.sleep(IDLE_S)
    used_s = machine.worked_s(pid) - before_s
    return Sample({"% of a core": 100 * used_s / (time.monotonic() - began)}, 0.0)


def _connect(site: Site, service: str, port: int) -> None:
    target = {"host": HOST, "port": port}
    site.document("Connector", f"{service}-{port}", {"service": service, "targets": [target]})
