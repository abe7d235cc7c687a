"""Spillway as users run it: sites made with sitectl, joined with a claim token."""

import contextlib
import os
import signal
from pathlib import Path

from sitectl.demo.sites import DemoNetwork, DemoSite
from sitectl.runtimes import presence
from sitectl.site import directory
from tests.bench.machine import free_ports
from tests.bench.systems import Backends, Kind, Path_, StartError, System

HOST = "127.0.9.1"
ENTRY, EXIT, SPARE = "entry", "exit", "spare"
LINK_COST = 1
SPARE_COST = 10_000  # A silent exit must not fill softly before it is given up.
FAILOVER = "failover"


class Sites:
    """Two sites and their services; a third one when `add_spare` is called."""

    def __init__(self, state: Path) -> None:
        self.network = DemoNetwork(state)
        self._numbers: dict[str, int] = {}

    def start(self, backends: Backends) -> System:
        """Start both; a system once every service is reachable at the entry."""
        for name in (ENTRY, EXIT):
            self._add(name)
        self._link(EXIT, LINK_COST)
        paths: tuple[tuple[Path_, str], ...] = (("L", ENTRY), ("R", EXIT))
        ports: dict[tuple[Kind, Path_], int] = {}
        for kind, target in backends.ports.items():
            for path, site in paths:
                protocol = kind if kind in ("http", "http2") else "tcp"
                service = f"{kind}-{path.lower()}"
                ports[kind, path] = self.service(service, protocol, {site: target})
        return System("spillway", (self.pid(ENTRY), self.pid(EXIT)), HOST, ports)

    def add_spare(self) -> None:
        """A third site, farther from the entry than the exit is."""
        self._add(SPARE)
        self._link(SPARE, SPARE_COST)

    def service(self, name: str, protocol: str, targets: dict[str, int]) -> int:
        """A service with one target at each site of ``targets``; its port, once it is ready."""
        (port,) = free_ports(1)
        create = ("service", "create", name, str(port), "--protocol", protocol)
        self.network.sitectl(ENTRY, *create)
        for site, target in targets.items():
            bind = ("service", "bind", name, "host", "127.0.0.1", "--target-port", str(target))
            self.network.sitectl(site, *bind)
        self.network.wait_ready(ENTRY, name, len(targets), len(targets))
        return port

    def pid(self, site: str) -> int:
        """The process of a site's router. StartError: it does not run."""
        found = presence.running_pid(directory.DirectorySite(self.network.state / site))
        if found is None:
            raise StartError(f"the router of {site} does not run")
        return found

    def end(self) -> None:
        """Stop every router that runs."""
        for site in self._numbers:
            with contextlib.suppress(StartError):
                os.kill(self.pid(site), signal.SIGCONT)  # One that was stopped cannot drain.
        self.network.end()

    def _add(self, name: str) -> None:
        number = len(self._numbers) + 1
        (link_port,) = free_ports(1)
        self._numbers[name] = number
        self.network.start(DemoSite(name, f"127.0.9.{number}", link_port, (), 0, 0, 0))

    def _link(self, to: str, cost: int) -> None:
        token = str(self.network.state / f"{to}.token")
        self.network.sitectl(to, "token", "create", token)
        self.network.sitectl(ENTRY, "link", "create", token, "--cost", str(cost), "--wait", "30")
