"""A service with as many clients as its limit of connections: every surface says so."""

import contextlib
import re
import socket

import pytest

from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until
from tests.scenario.worker_sites import are_ready

MOST = 3


def full(site: Site) -> str:
    (value,) = re.findall(
        r'spillway_listener_full\{port="\d+",service="shop"\} (\S+)', site.metrics()
    )
    return str(value)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_service_with_all_its_connections_is_a_problem_until_a_client_leaves(
    net: Network, workers: int
) -> None:
    site = net.site("solo")
    site.environment["SPILLWAY_WORKERS"] = str(workers)
    site.declare("shop", limits={"connections": MOST})
    site.connect("shop", net.http("target"))
    net.start()
    until(lambda: workers == 1 or are_ready(site, workers), "it serves")
    net.ready("shop", {"solo": 1})
    assert full(site) == "0.0"
    sentence = f"Further clients of service shop:{SHOP_PORT} wait for a connection"
    with contextlib.ExitStack() as held:
        for _ in range(8 * MOST * workers):
            held.enter_context(socket.create_connection((site.address, SHOP_PORT), 5.0))
        at = "" if workers == 1 else " at workers 0, 1 of 2"

        def named() -> bool:
            told = [one["message"] for one in site.problems("SW0359")]
            limit = f"{MOST} are connected, as many as its limits.connections allows."
            return told == [f"{sentence}{at}: {limit}"]

        until(named, "status says that clients wait")
        assert sentence in site.ctl("status", code=3).out
        assert sentence in site.ctl("check", code=3).out
        until(lambda: full(site) == "1.0", "and so do the metrics")
    until(lambda: fetch(site.address, SHOP_PORT, timeout_s=1.0).status == 200, "it serves again")
    site.until_well("SW0359")
    until(lambda: full(site) == "0.0", "no client waits")
