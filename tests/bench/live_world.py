"""A scenario as real processes: three sites, a relay before their link ports, targets, clients.

Routers get the same documents as in virtual time (`simulator.runs.wanted`), targets the same
requests at the same instants with the same work.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from router.documents.schema import SHAPES
from router.model import limits
from simulator.runs import wanted
from simulator.runs.measure import RunRecord
from simulator.scenarios import draws
from simulator.scenarios.scenario import Scenario, ScenarioEvent
from tests.bench.burst_figures import Order, Outcome
from tests.bench.burst_parts import Plan
from tests.bench.machine import free_ports
from tests.bench.systems import Processes
from tests.scenario.harness import LINK_PORT, SHOP_PORT, Network, Site
from tests.scenario.waiting import until

SITES: Final = ("here", "near", "far")
RTT_S: Final = 0.020
TARGETS_MAX: Final = 10
LEAD_S: Final = 1.0  # For the clients' processes to start.
REJOIN_S: Final = 90.0
_ORDER_SLACK_S: Final = 30.0


class LiveWorld:
    """Sites, relay and targets, arranged again for each scenario."""

    def __init__(self, directory: Path, net: Network, processes: Processes) -> None:
        self._directory, self._net, self._processes = directory, net, processes
        self._plans = 0
        self._targets: dict[str, int] = {}
        ports = free_ports(len(SITES) * (TARGETS_MAX + 1))
        self._control = {name: ports.pop() for name in SITES}
        self._ports = {name: [ports.pop() for _ in range(TARGETS_MAX)] for name in SITES}
        doors = dict(zip(SITES, free_ports(len(SITES)), strict=True))
        self.sites = {name: self._planned(name, doors[name]) for name in SITES}
        pairs = [
            word
            for name in SITES
            for word in (f"127.0.0.1:{doors[name]}", f"{self.sites[name].address}:{LINK_PORT}")
        ]
        for name in SITES:
            self._start_targets(name)
        self._part("relay", str(RTT_S / 2), *pairs, wait_for=[doors["here"]])
        net.link(self.sites["here"], self.sites["near"], 5)
        net.link(self.sites["here"], self.sites["far"], 10)
        net.start()
        net.see_each_other()

    def _planned(self, name: str, door: int) -> Site:
        site = self._net.planned(name)
        places = ("--bind-ip", site.address, "--ingress-bind-ip", site.address)
        where = ("--bind-port", str(LINK_PORT), "--ingress-host", f"127.0.0.1:{door}")
        site.quick("init", name, *places, *where)
        return site

    def _part(self, *words: str, wait_for: list[int]) -> int:
        command = [sys.executable, "-m", "tests.bench.burst_parts", *words]
        return self._processes.start(command, wait_for=wait_for)

    def _start_targets(self, name: str) -> None:
        ports = self._ports[name]
        words = (name, str(self._control[name]), *map(str, ports))
        self._targets[name] = self._part("targets", *words, wait_for=ports)

    # One scenario.

    def run(self, scenario: Scenario, record: RunRecord) -> dict[str, list[Outcome]]:
        """What clients at each site got, of the requests that ``record`` has."""
        self._arrange(scenario)
        began = time.monotonic() + LEAD_S
        clients = {
            site: self._client(site, orders, began, keeps)
            for site, (orders, keeps) in _orders(scenario, record).items()
        }
        for event in scenario.events:
            time.sleep(max(0.0, began + event.at_s - time.monotonic()))
            self._happen(scenario, event)
        outcomes = {site: _heard(client, scenario) for site, client in clients.items()}
        for event in scenario.events:
            self._mend(event)
        return outcomes

    def _arrange(self, scenario: Scenario) -> None:
        """Documents of the scenario; returns when every site knows."""
        for link in scenario.links:
            dialer, acceptor = link.between
            self.sites[dialer].quick("link", "set", acceptor, "--cost", str(link.cost))
        for name, site in self.sites.items():
            self._clear(site)
            for index, group in enumerate(scenario.targets):
                if group.site == name:
                    places = [("127.0.0.1", port) for port in self._ports[name][: group.count]]
                    spec = wanted.connector_spec(group, places)
                    site.document("Connector", f"c{index}", SHAPES["Connector"].plain(spec))
            for index, policy in enumerate(scenario.policies):
                if policy.site == name:
                    plain = SHAPES["Policy"].plain(wanted.site_policy_spec(policy))
                    site.document("Policy", f"p{index}", plain)
        (service,) = scenario.services
        plain = SHAPES["Service"].plain(wanted.service_spec(service, SHOP_PORT))
        self.sites["here"].document("Service", service.name, plain)
        counts = {group.site: group.count for group in scenario.targets}
        self._net.ready(service.name, counts)
        for site in self.sites.values():
            until(
                lambda site=site: site.service(service.name)["policy"] == service.policy,  # type: ignore[misc]
                f"{service.policy} is in force",
            )
        self._net.at_rest(service.name)
        if any("/s" in str(cap) for cap in _caps(scenario)):
            time.sleep(limits.RATE_WINDOW_S)  # A rate remembers who asked in the scenario before.

    def _clear(self, site: Site) -> None:
        for kind in ("connector", "policy"):
            for path in (site.directory / "config").glob(f"own-{kind}-*.yaml"):
                path.unlink()

    def _client(
        self, site: str, orders: list[Order], began: float, keeps: bool
    ) -> "subprocess.Popen[bytes]":
        self._plans += 1
        path = self._directory / f"plan-{self._plans}.json"
        plan = Plan(self.sites[site].address, SHOP_PORT, began, keeps, orders)
        path.write_bytes(msgspec.json.encode(plan))
        command = [sys.executable, "-m", "tests.bench.burst_parts", "client", str(path)]
        return subprocess.Popen(command, stdout=subprocess.PIPE)

    def _happen(self, scenario: Scenario, event: ScenarioEvent) -> None:
        match event.do:
            case "stop-targets":
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._targets[event.site], signal.SIGKILL)
            case "kill-router":
                self.sites[event.site].kill()
            case "set-cost":
                dialer, acceptor = event.between
                self.sites[dialer].quick("link", "set", acceptor, "--cost", str(event.cost))
            case "set-policy":
                (service,) = scenario.services
                changed = msgspec.structs.replace(
                    service, policy=event.policy, weights=event.weights
                )
                plain = SHAPES["Service"].plain(wanted.service_spec(changed, SHOP_PORT))
                self.sites["here"].document("Service", service.name, plain)
            case _:
                raise AssertionError(f"{event.do} is not done with real processes")

    def _mend(self, event: ScenarioEvent) -> None:
        """The next scenario finds everything running."""
        if event.do == "stop-targets":
            self._start_targets(event.site)
        elif event.do == "kill-router":
            self.sites[event.site].start()
            for name in SITES[1:]:
                until(partial(self.sites["here"].is_up, name), f"{name} is linked", REJOIN_S)
            self._net.see_each_other()


def _caps(scenario: Scenario) -> list[int | str | None]:
    """Everything that limits a target or a site."""
    return [
        *(one.capacity for one in scenario.targets),
        *(one.site_capacity for one in scenario.policies),
    ]


def _orders(scenario: Scenario, record: RunRecord) -> dict[str, tuple[list[Order], bool]]:
    """By site: the requests of its clients, and whether the clients keep connections."""
    times = {group.service_time for group in scenario.targets}
    assert len(times) == 1, "a request is told how long it takes, whoever serves it"
    (time_spec,) = times
    found: dict[str, tuple[list[Order], bool]] = {}
    for arrivals in scenario.arrivals:
        orders = [
            Order(one.began - record.began_s, draws.service_s(time_spec, one.draw))
            for one in record.requests
            if one.site == arrivals.site
        ]
        found[arrivals.site] = orders, arrivals.connections == "keep-alive"
    return found


def _heard(client: "subprocess.Popen[bytes]", scenario: Scenario) -> list[Outcome]:
    out, _ = client.communicate(timeout=LEAD_S + scenario.duration_s + _ORDER_SLACK_S)
    assert client.returncode == 0, "the client failed"
    return msgspec.json.decode(out, type=list[Outcome])
