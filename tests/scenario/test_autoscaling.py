"""What an autoscaler computes from real routers, asked as KEDA asks, by the words of `deploy/`."""

import json
import math
import urllib.request
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.scenario.clients import fetch, sending
from tests.scenario.harness import ROOT, SHOP_PORT, Network, own_address
from tests.scenario.waiting import until

SLOTS = 8
MANY = 120
KEDA = ROOT / "deploy" / "kubernetes" / "overlays" / "autoscaling" / "keda.yaml"


class Pair:
    """``near`` with a few slots, where clients come in, and ``far`` with many."""

    def __init__(self, net: Network) -> None:
        self.near, self.far = net.site("near"), net.site("far")
        self.here, self.there = net.http("near"), net.http("far")
        limits = {"connectionsPerSource": 2_000}
        self.near.declare("shop", queue=0, limits=limits)
        self.near.connect("shop", self.here, capacity=SLOTS)
        self.far.connect("shop", self.there, capacity=2 * MANY)
        net.link(self.near, self.far)
        (trigger,) = yaml.safe_load(KEDA.read_text())["spec"]["triggers"]
        self.asked = trigger["metadata"]
        url = urlsplit(self.asked["url"])
        place = f"{own_address()}:{url.port}"
        self.url = f"http://{place}{url.path}"
        self.near.environment["SPILLWAY_PROBES"] = place
        net.start()
        net.see_each_other()
        net.ready("shop", {"near": 1, "far": 1})

    def value(self) -> float:
        """What KEDA reads. It takes a number at ``valueLocation`` and nothing else."""
        with urllib.request.urlopen(self.url, timeout=5) as answer:
            found: Any = json.load(answer)
        for step in self.asked["valueLocation"].split("."):
            found = found[step]
        assert type(found) in (int, float), found
        return float(found)

    def pods(self) -> int:
        """What the HorizontalPodAutoscaler that KEDA makes of it wants."""
        return math.ceil(self.value() / float(self.asked["targetValue"]))

    def scale(self) -> Any:
        return self.near.get("services/shop/scale")

    def utilisation(self) -> float:
        """Of the local targets: what other autoscalers go by."""
        return float(self.near.in_flight("shop")["near"] / SLOTS)

    def wants(self, requests: int) -> bool:
        return bool(self.scale()["demand"] == requests)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with Network(tmp_path_factory.mktemp("autoscaling")) as net:
        made = Pair(net)
        yield made
        for target in (made.here, made.there):
            target.release()
        net.at_rest("shop")


def test_scaled_to_zero_nothing_is_wanted_until_the_first_request(pair: Pair) -> None:
    (document,) = (pair.near.directory / "config").glob("own-connector-*.yaml")
    kept = document.read_text()
    document.unlink()
    until(lambda: pair.near.offers("shop", {"far": 1}), "no target is left here")
    until(partial(pair.wants, 0), "nothing is wanted")
    assert (pair.value(), pair.pods()) == (0.0, 0)
    pair.there.hold()
    waiting = sending(pair.near.address, SHOP_PORT, 1)
    until(partial(pair.wants, 1), "the first request is wanted here")
    scale = pair.scale()
    assert (scale["targets_ready"], scale["in_flight"], scale["overflowed"]) == (0, 0, 1)
    assert (scale["capacity_per_target"], scale["targets_wanted"]) == (SLOTS, 1)
    until(lambda: pair.pods() == 1, "KEDA wakes the first pod")
    pair.there.release()
    assert waiting.result()[0].status == 200
    until(partial(pair.wants, 0), "nothing is wanted again")
    document.write_text(kept)
    until(lambda: pair.near.offers("shop", {"near": 1, "far": 1}), "it is scaled up")
    assert fetch(pair.near.address, SHOP_PORT).site == "near"


def test_demand_grows_with_the_load_while_the_local_targets_are_just_full(pair: Pair) -> None:
    pair.here.hold()
    pair.there.hold()
    under_way, steps = [], []
    for clients in (SLOTS, 4 * SLOTS, MANY):
        before = pair.scale()["demand"]
        under_way.append(sending(pair.near.address, SHOP_PORT, clients - before))
        until(partial(pair.wants, clients), f"{clients} are wanted")
        steps.append((pair.utilisation(), pair.scale()["targets_wanted"]))
    assert steps == [(1.0, 1), (1.0, 4), (1.0, MANY // SLOTS)]
    scale = pair.scale()
    assert (scale["in_flight"], scale["overflowed"]) == (SLOTS, MANY - SLOTS)
    assert (scale["capacity"], scale["capacity_per_target"]) == (SLOTS, SLOTS)
    assert f'spillway_demand{{port="{SHOP_PORT}",service="shop"}} {MANY}.0' in pair.near.metrics()
    assert pair.near.service("shop")["demand"] == MANY
    assert pair.far.get("services/shop/scale")["overflowed"] == 0  # There it is load.
    until(lambda: pair.pods() >= 2, "KEDA wants a second pod")
    pair.here.release()
    pair.there.release()
    assert {answer.status for one in under_way for answer in one.result()} == {200}
    until(partial(pair.wants, 0), "nothing is wanted after the burst")
    assert (pair.scale()["overflowed"], pair.scale()["targets_wanted"]) == (0, 0)


def test_wrong_names_and_ports_are_told_and_other_paths_stay_shut(pair: Pair) -> None:
    base = pair.url.rpartition("/shop/")[0]
    host, port = urlsplit(pair.url).hostname, urlsplit(pair.url).port
    assert host is not None and port is not None
    for path, status in (
        (f"shop:{SHOP_PORT}/scale", 200),
        ("nothing/scale", 404),
        ("shop:1/scale", 404),
        ("shop:x/scale", 400),
        ("shop", 404),
    ):
        place = f"{urlsplit(base).path}/{path}"
        assert fetch(host, port, place).status == status, place
