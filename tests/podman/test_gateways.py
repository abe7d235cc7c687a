"""A gateway that podman keeps running: the published flow, and no trace after.

Only its name is added to the published words: other runs of these tests may be on this machine.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.podman.engine import EngineRefused, podman
from tests.podman.harness import Containers
from tests.scenario.clients import ask, connected
from tests.scenario.harness import COMMAND_TIMEOUT_S, ROOT, SHOP_PORT, Site, own_address
from tests.scenario.waiting import until

DB_PORT, CACHE_PORT, LOCAL_PORT = SHOP_PORT + 1, SHOP_PORT + 2, SHOP_PORT + 3


class Host:
    """A host with a site, ``west``, and podman."""

    def __init__(self, net: Containers, monkeypatch: pytest.MonkeyPatch) -> None:
        self.net = net
        self.west: Site = net.site("west")
        monkeypatch.setenv("SITECTL_IMAGE", net.image)
        monkeypatch.setenv("SITECTL_STATE", str(net.state))
        monkeypatch.delenv("SITECTL_PLATFORM", raising=False)
        self.names: list[str] = []

    def type(self, line: str) -> str:
        """What a command line prints; it must end with exit 0."""
        done = subprocess.run(
            [sys.executable, "-m", *line.split()],
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            cwd=ROOT,
            check=False,
        )
        assert done.returncode == 0, f"{line}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def status(self) -> Any:
        """The item of the only gateway."""
        (item,) = json.loads(self.type("sitectl gateway status -o json"))["items"]
        self.names.append(item["name"])
        return item

    def has_container(self, name: str) -> bool:
        """Whether podman knows one for the gateway, running or not."""
        try:
            podman("container", "inspect", f"spillway-gateway-{name}")
        except EngineRefused:
            return False
        return True

    def force_away(self) -> None:
        """Remove the containers, whatever became of the test."""
        for name in self.names:
            if self.has_container(name):
                podman("rm", "--force", "--time=0", f"spillway-gateway-{name}")


@pytest.fixture
def host(net: Containers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    made = Host(net, monkeypatch)
    try:
        net.start()
        yield made
    finally:
        made.force_away()


def test_the_published_flow_works_as_it_is_published(host: Host) -> None:
    net, west = host.net, host.west
    postgres, redis = net.tcp("postgres"), net.tcp("redis")
    init = f"sitectl gateway init --type podman --name test{os.getpid()}"
    host.type(init)
    name = host.status()["name"]
    host.type(f"sitectl gateway bind postgres {postgres.address} {DB_PORT}:{postgres.port}")
    host.type("sitectl gateway status --wait 30")
    item = host.status()
    assert (item["type"], item["state"], item["link"]["state"]) == ("podman", "ready", "up")
    with connected(west.address, DB_PORT) as door:
        assert ask(door, "name") == "postgres"

    west.declare("redis", CACHE_PORT, protocol="tcp")
    west.connect("redis", redis)
    address = own_address()
    host.type(f"sitectl gateway forward redis {LOCAL_PORT} --bind-ip {address} --wait 30")
    with connected(address, LOCAL_PORT) as door:
        assert ask(door, "name") == "redis"
    assert "unchanged" in host.type(init)

    assert host.has_container(name)
    host.type("sitectl gateway delete")
    assert not host.has_container(name)
    assert list((net.state / "gateways.d").iterdir()) == []
    until(lambda: not west.get("links"), "the site has no neighbor left")
