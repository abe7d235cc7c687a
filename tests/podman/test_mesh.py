"""One file for 20 sites of four kinds: processes, containers, namespaces and another host's units.

This machine runs the first three kinds. The fourth is a host with a separate systemd, which reaches
this machine by a network of podman; its one bootstrap secret is an invitation.
"""

import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from sitectl.base.failure import Exit
from tests import needs
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.commands import ROUTER_IMAGE
from tests.kubernetes.places import IMAGES, Place
from tests.podman.engine import missing, podman, why_not
from tests.podman.harness import Containers, ContainerSite
from tests.podman.images import product_image
from tests.podman.systemd_host import SystemdHost, systemd_image
from tests.scenario.clients import fetch
from tests.scenario.harness import LINK_PORT, PYTHON, ROOT, SHOP_PORT, Site
from tests.scenario.meshes import MeshNetwork
from tests.scenario.waiting import until

pytestmark = pytest.mark.timeout(900)  # The first one may have to make the host's image.

EACH: Final = 5
NAME: Final = f"test{os.getpid()}"
MADE_WITHIN_S: Final = 60.0
DRIFT_WITHIN_S: Final = 5.0
COMMANDS_S: Final = 280.0
THERE: Final = "/var/lib/spillway/sites"
FILE_THERE: Final = "/root/mesh.yaml"
CALL: Final = (
    "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=10).read().decode())"
)
Change = tuple[str, str, str, str]


class FourKinds(MeshNetwork):
    """``sites`` of each kind. Every command on this machine finds the cluster and the image."""

    def __init__(self, net: Containers, cluster: Cluster, host: SystemdHost, address: str) -> None:
        super().__init__(net)
        self.containers, self.cluster, self.host, self.address = net, cluster, host, address
        self.target = net.http("hub")
        self.processes = [self._process(number) for number in range(EACH)]
        self.in_podman = [self._container(number) for number in range(EACH)]
        self.namespaces = [self._namespace(number) for number in range(EACH)]
        self.units = [self._unit(number) for number in range(EACH)]
        self.spec["services"]["shop"] = {"owner": "hub", "protocol": "http", "ports": [SHOP_PORT]}

    def environment(self, state: Path | None = None) -> dict[str, str]:
        return {
            **super().environment(state),
            "KUBECONFIG": str(self.cluster.kubeconfig()),
            "SITECTL_IMAGE": self.containers.image,
            "SITECTL_IMAGE_PULL_POLICY": "never",
        }

    def _process(self, number: int) -> Site:
        """The first one is the hub: all others dial it, and it has the shop."""
        if number:
            made = self.site(f"process-{number}", at={"host": socket.gethostname()})
            self.link(made.name, "hub", cost=2)
            return made
        place = {"host": self.target.address, "port": self.target.port}
        hub = self.site(
            "hub",
            at={"host": socket.gethostname()},
            settings={
                "ingressBindIp": self.address,
                "ingressHosts": [f"{self.address}:{LINK_PORT}"],
            },
            connectors={"shop": {"targets": [place]}},
        )
        return hub

    def _container(self, number: int) -> ContainerSite:
        made = self.containers.container_site(f"podman-{number}")
        settings = {"bindIp": made.address, "ingress": "none"}
        at = {"runtime": "podman", "host": socket.gethostname()}
        self.spec["sites"][made.name] = {"at": at, "settings": settings}
        self.link(made.name, "hub")
        return made

    def _namespace(self, number: int) -> Place:
        name = f"namespace-{number}"
        config = {"ingress": "none", "sharing": "open"}
        at = {"runtime": "kubernetes", "namespace": name, "config": config}
        self.spec["sites"][name] = {"at": {**at, "host": socket.gethostname()}}
        self.link(name, "hub", cost=2)
        return Place(self.cluster, name)

    def _unit(self, number: int) -> str:
        """The first dials the hub, the others dial the first."""
        name, ip = f"unit-{number}", f"127.0.1.{number + 1}"
        settings: dict[str, Any] = {"bindIp": ip, "ingressBindIp": ip, "bindPort": LINK_PORT}
        settings["ingressHosts"] = [f"{ip}:{LINK_PORT}"]
        self.spec["sites"][name] = {
            "at": {"runtime": "systemd", "host": "rhel"},
            "settings": settings,
        }
        self.link(name, "unit-0" if number else "hub")
        return name

    def applied(self, *words: str) -> str:
        """The output of `mesh apply` on this machine; on a busy machine it takes minutes.

        The cluster's API server is a thread of this process, and may not answer in time beside
        others: the next apply finishes an interrupted one.
        """
        deadline = time.monotonic() + COMMANDS_S
        while True:
            applying = self.started("mesh", "apply", "-f", str(self.file), *words)
            said = applying.communicate(timeout_s=COMMANDS_S)
            if applying.returncode != Exit.UNREACHABLE or time.monotonic() > deadline:
                break
        assert applying.returncode == 0, said
        return said

    def drift_here(self) -> list[Change] | None:
        """What `drift` finds on this machine; None: a router or the API server gave no answer."""
        done = subprocess.run(
            [PYTHON, "-m", "sitectl", "mesh", "drift", "-f", str(self.file), "-o", "json"],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=self.environment(),
            timeout=COMMANDS_S,
            check=False,
        )
        if done.returncode == Exit.UNREACHABLE:
            return None
        assert done.returncode in (Exit.OK, Exit.DEGRADED), done.stderr
        return [_change(one) for one in json.loads(done.stdout)["items"]]

    def repaired(self) -> None:
        """Apply the file, and wait until nothing differs."""
        self.applied("--wait", "240")
        until(lambda: self.drift_here() == [], "nothing differs on this machine", 60.0)

    def carry(self, file: Path, to: str) -> None:
        """Copy a file to the other host."""
        podman("cp", str(file), f"{self.host.name}:{to}")

    def there(self, verb: str, *words: str) -> str:
        """``sitectl mesh VERB`` on the other host."""
        return self.host.ctl("--state", THERE, "mesh", verb, "-f", FILE_THERE, *words)

    def drift_there(self) -> list[Change]:
        """What `drift` finds on the other host; it exits 3 then."""
        words = ("--state", THERE, "mesh", "drift", "-f", FILE_THERE, "-o", "json")
        done = self.host.tell_ctl(*words)
        return [_change(one) for one in json.loads(done)["items"]]

    def callers(self) -> dict[str, Callable[[], str]]:
        """By site, a client of it that asks for the shop."""
        found: dict[str, Callable[[], str]] = {}
        for site in (*self.processes, *self.in_podman):
            found[site.name] = partial(_fetched, site.address)
        for place in self.namespaces:
            found[place.namespace] = partial(place.pod_that_answers, "shop", SHOP_PORT)
        for number, name in enumerate(self.units):
            url = f"http://127.0.1.{number + 1}:{SHOP_PORT}/"
            found[name] = partial(self.host.tell, self.host.python, "-c", CALL, url)
        return found


def _change(item: dict[str, Any]) -> Change:
    return item["site"], item["change"], item["kind"], item["name"]


def crowd() -> float:
    """How many processes want each processor: so much longer everything takes."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def _is_served(ask: Callable[[], str]) -> bool:
    return ask().strip() == "hub"


def _fetched(address: str) -> str:
    """The site of the target that answered; empty: none did."""
    try:
        return fetch(address, SHOP_PORT).body.decode().strip()
    except (OSError, http.client.HTTPException):
        return ""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FourKinds]:
    """All 20, not made yet: the first test makes them."""
    needs.root("run containers, and to boot systemd in one")
    reason = missing() or why_not(systemd_image())
    if reason:
        pytest.fail(f"podman cannot run containers here: {reason}")
    state = tmp_path_factory.mktemp("mesh")
    image = product_image()
    images = {**IMAGES, image: ROUTER_IMAGE}  # SITECTL_IMAGE is that of namespaces, too.
    podman("network", "create", NAME)
    try:
        gateway = json.loads(podman("network", "inspect", NAME))[0]["subnets"][0]["gateway"]
        host = SystemdHost(f"spillway-{NAME}-systemd", NAME)
        try:
            with (
                Cluster(state / "cluster", images=images, proxy=True) as cluster,
                Containers(state / "sites", image, NAME) as net,
            ):
                net.state.mkdir()
                made = FourKinds(net, cluster, host, gateway)
                made.write()
                made.carry(made.file, FILE_THERE)
                yield made
        finally:
            host.close()
    finally:
        podman("network", "rm", "--force", NAME)


def test_twenty_sites_of_four_kinds_are_made_by_one_command_on_each_machine(
    network: FourKinds,
) -> None:
    invitations = network.net.state / "invitations"
    network.host.run("mkdir", "--parents", THERE)
    began = time.monotonic()
    network.applied("--invite", str(invitations), "--wait", "240")
    here_s = time.monotonic() - began
    assert [path.name for path in invitations.iterdir()] == ["unit-0.yaml"], "one secret"
    network.carry(invitations / "unit-0.yaml", "/root/unit-0.yaml")
    network.there("apply", "--invitation", "/root/unit-0.yaml", "--wait", "240")
    whole_s = time.monotonic() - began
    print(f"{4 * EACH} sites of four kinds: {whole_s:.1f} s, {here_s:.1f} s of it on this machine")
    assert whole_s < MADE_WITHIN_S * crowd()

    for name, ask in network.callers().items():
        until(partial(_is_served, ask), f"a client of {name} is served by the hub", 60.0)


def test_a_second_apply_changes_nothing(network: FourKinds) -> None:
    said = network.applied("--wait", "240")
    assert "as the file" in said or "unchanged" in said, said
    there = network.there("apply", "--wait", "240")
    assert "as the file" in there or "unchanged" in there, there
    until(lambda: network.drift_here() == [], "nothing differs on this machine", 60.0)
    until(lambda: network.drift_there() == [], "nothing differs on the other", 60.0)


def stop_container(network: FourKinds) -> Change:
    site = network.in_podman[0]
    podman("stop", "--time=30", site.container)
    return site.name, "start", "Router", site.name


def change_namespace(network: FourKinds) -> Change:
    site = network.namespaces[0].commands
    site.ok("link", "set", "hub", "--cost", "9")
    return site.namespace, "update", "Link", "hub"


def change_process(network: FourKinds) -> Change:
    site = network.processes[1]
    site.quick("link", "set", "hub", "--cost", "9")
    return site.name, "update", "Link", "hub"


@pytest.mark.parametrize("fault", [stop_container, change_namespace, change_process])
def test_drift_of_this_machines_kinds_is_shown_in_time_and_repaired(
    network: FourKinds, fault: Callable[[FourKinds], Change]
) -> None:
    expected = fault(network)
    began = time.monotonic()
    until(lambda: expected in (network.drift_here() or ()), f"{expected} is found", 60.0)
    took_s = time.monotonic() - began
    print(f"{fault.__name__}: drift of 15 sites after {took_s:.1f} s")
    assert took_s < DRIFT_WITHIN_S * crowd()
    network.repaired()


def test_drift_of_a_unit_is_shown_in_time_and_repaired(network: FourKinds) -> None:
    network.host.systemctl("stop", "spillway-unit-1.service")
    began = time.monotonic()
    found = network.drift_there()
    took_s = time.monotonic() - began
    print(f"drift of five units after {took_s:.1f} s")
    assert took_s < DRIFT_WITHIN_S * crowd()
    assert ("unit-1", "start", "Router", "unit-1") in found
    network.there("apply", "--wait", "240")
    until(lambda: network.drift_there() == [], "nothing differs on the other", 60.0)
    assert network.host.pid("spillway-unit-1.service")


def test_what_is_exported_has_an_empty_plan(network: FourKinds) -> None:
    words = [word for place in network.namespaces for word in ("--in", place.namespace)]
    exported = network.net.state / "export.yaml"
    exported.write_text(network.ctl("mesh", "export", *words).out)
    assert "Nothing to do." in network.ctl("mesh", "plan", "-f", str(exported)).out
    runtimes = {line.strip() for line in exported.read_text().splitlines() if "runtime:" in line}
    assert len(runtimes) >= 2, exported.read_text()
    there = network.host.ctl("--state", THERE, "mesh", "export")
    (network.net.state / "there.yaml").write_text(there)
    network.carry(network.net.state / "there.yaml", "/root/export.yaml")
    plan = network.host.ctl("--state", THERE, "mesh", "plan", "-f", "/root/export.yaml")
    assert "Nothing to do." in plan
