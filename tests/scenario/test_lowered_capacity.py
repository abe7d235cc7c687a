"""Real processes show what runs: above a capacity that was lowered meanwhile, waiting apart."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pytest

from tests.scenario.clients import sending
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until
from tests.scenario.worker_sites import are_ready

RUNNING, LOWERED, WAITING = 12, 3, 2
PATIENCE_S = 55.0  # Commands are slow on a busy machine; targets have 60 s to answer.
Figures = Mapping[str, tuple[float, ...]]


class Pair:
    """``far`` has the target, ``near`` has none; clients come to both."""

    def __init__(self, net: Network, workers: int) -> None:
        self.net = net
        self.near, self.far = net.site("near"), net.site("far")
        self.far.environment["SPILLWAY_WORKERS"] = str(workers)
        self.target = net.http("far")
        self.far.declare("shop", queue=20, queueWait="60s")
        net.link(self.near, self.far)
        net.start()
        net.see_each_other()
        if workers > 1:
            until(lambda: are_ready(self.far, workers), "all workers of far serve")
        self.bind(RUNNING)
        net.ready("shop", {"far": 1})
        for site in net.sites:  # With workers the slots of all of them come one after the other.
            until(partial(has_slots, site), f"{site.name} knows of all slots")

    def bind(self, capacity: int) -> None:
        """As an operator does: the same words again lower it."""
        self.far.ctl(
            *("service", "bind", "shop", "host", self.target.address),
            *("--target-port", str(self.target.port), "--capacity", str(capacity)),
        )

    def cap(self, capacity: int) -> None:
        """The whole site, as a drain to a share does, too."""
        self.far.ctl("service", "set", "shop", "--site-capacity", str(capacity))


@pytest.fixture
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    with Network(tmp_path_factory.mktemp("lowered")) as net:
        made = Pair(net, request.param)  # So many workers.
        yield made
        made.target.release()
        net.at_rest("shop")


def of_far(rows: Any) -> Any:
    return next(row for row in rows if row["site"] == "far")


def has_slots(site: Site) -> bool:
    """Whether ``site`` sees all slots of ``far``."""
    return bool(of_far(site.service("shop")["sites"])["capacity"] == RUNNING)


def figures(site: Site) -> Figures:
    """In flight, waiting and capacity of ``far``, by the surface of ``site`` that shows them."""
    metrics = site.metrics()

    def gauge(name: str) -> float:
        found = re.search(
            rf'^{name}{{port="{SHOP_PORT}",service="shop",site="far"}} (\S+)$', metrics, re.M
        )
        return float(found[1]) if found else -1.0

    shown = {
        "why": of_far(site.json("why", "shop")["candidates"]),
        "status": of_far(site.service("shop")["sites"]),
        "top": of_far(site.get("live")["services"][0]["sites"]),
    }
    found = {
        name: (row["in_flight"], row["waiting"], row["capacity"]) for name, row in shown.items()
    }
    found["metrics"] = (
        gauge("spillway_in_flight"),
        gauge("spillway_waiting"),
        gauge("spillway_capacity"),
    )
    return found


def shows(site: Site, wanted: Figures) -> bool:
    return figures(site) == wanted


@pytest.mark.parametrize(
    ("pair", "lower"),
    [(1, Pair.cap), (2, Pair.bind)],
    ids=["the site, of one process", "a target, of two workers"],
    indirect=["pair"],
)
def test_every_view_at_every_site_says_what_runs_above_a_lowered_capacity(
    pair: Pair, lower: Callable[[Pair, int], None]
) -> None:
    near, far = pair.near, pair.far
    pair.target.hold()
    running = sending(near.address, SHOP_PORT, RUNNING, timeout_s=PATIENCE_S)
    until(lambda: pair.target.in_hand == RUNNING, "they run")
    lower(pair, LOWERED)
    waiting = sending(far.address, SHOP_PORT, WAITING, timeout_s=PATIENCE_S)
    for site in (far, near):
        wanted = {name: (RUNNING, WAITING, LOWERED) for name in ("why", "status", "top", "metrics")}
        until(partial(shows, site, wanted), f"{site.name} shows all that runs")
    # One that moves from a worker's line to another's is in neither for a moment.
    until(lambda: f"{RUNNING}, {WAITING} wait" in near.ctl("why", "shop").out, "so does its table")
    until(lambda: f"{RUNNING} of {LOWERED}" in far.ctl("top", "--once").out, "so does top's")
    pair.target.release()
    assert {answer.status for answer in running.result() + waiting.result()} == {200}
