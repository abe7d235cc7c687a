"""Containers of a podman network that call a service of the host, by name."""

import os
import socket
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.podman.engine import podman
from tests.podman.harness import Containers
from tests.podman.images import base_image
from tests.scenario.harness import SHOP_PORT, Site
from tests.scenario.waiting import until

NAMED_S = 60.0
"""At most: podman is asked each 10 s."""
_CLIENT = """
import http.client, sys, time
while True:
    line = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=10)
    line.request("GET", "/")
    line.getresponse().read()
    line.close()
    time.sleep(0.2)
"""


def host_address() -> str:
    """One of this host that containers reach."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect(("198.51.100.1", 9))  # Nothing is sent.
        return str(asking.getsockname()[0])


@pytest.fixture
def site(net: Containers) -> Iterator[Site]:
    """A process site that containers reach."""
    made = Site("west", net.state, host_address())
    net.sites.append(made)
    made.quick("init", "west", *made.places())
    made.declare("shop")
    made.connect("shop", net.http("west"))
    net.start()
    net.ready("shop", {"west": 1})
    yield made


def requests_of(site: Site, container: str) -> int:
    """As they are counted."""
    caller = {"kind": "container", "name": container}
    edges: list[Any] = site.json("graph")["edges"]
    return sum(edge["requests_total"] for edge in edges if edge["caller"] == caller)


def test_two_containers_of_a_network_are_told_apart(site: Site) -> None:
    names = [f"caller{os.getpid()}-{letter}" for letter in "ab"]
    try:
        for name in names:
            podman(
                *("run", "--detach", "--name", name, "--entrypoint", "python3", base_image()),
                *("-c", _CLIENT, site.address, str(SHOP_PORT)),
            )
        for name in names:
            until(partial(requests_of, site, name), f"{name} is named", NAMED_S)
    finally:
        for name in names:
            podman("rm", "--force", "--time=0", "--ignore", name)
