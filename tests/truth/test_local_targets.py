"""Targets of one site die under load while another site serves: no surface may call that good."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenario.backends import HttpTarget
from tests.scenario.clients import Load, by_site
from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.waiting import until
from tests.truth.surfaces import shows
from tests.truth.table import ALL_DEAD, FULL, ONE_DEAD

PER_S = 20


class Shop:
    """``near`` has two targets and the clients, ``far`` one target; a steady load at ``near``."""

    def __init__(self, net: Network, capacity: int = 50, workers: int = 1) -> None:
        self.net = net
        self.near, self.far = net.site("near"), net.site("far")
        if workers > 1:
            self.near.environment["SPILLWAY_WORKERS"] = str(workers)
        self.targets = [net.http("near"), net.http("near")]
        self.near.declare("shop", SHOP_PORT)
        self.near.connect("shop", *self.targets, capacity=capacity)
        self.far.connect("shop", net.http("far"), capacity=50)
        net.link(self.near, self.far, 5)
        net.start()
        net.see_each_other()
        net.ready("shop", {"near": 2, "far": 1})

    def load(self) -> Load:
        """Clients of ``near``."""
        return Load([(self.near.address, SHOP_PORT)], PER_S)

    def now(self) -> Any:
        """What the console's picture says of the last seconds."""
        (now,) = self.near.get("live")["now"]
        return now

    def codes(self) -> set[str]:
        """Codes of problems and notes in `status`."""
        status = self.near.get("status")
        return {one["code"] for one in (*status["problems"], *status["notes"])}

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the series of ``name`` that have ``labels``."""
        total = 0.0
        for line in self.near.metrics().splitlines():
            told, _, number = line.rpartition(" ")
            if told.startswith(f"{name}{{") and all(
                f'{k}="{v}"' in told for k, v in labels.items()
            ):
                total += float(number)
        return total


@pytest.fixture
def shop(net: Network) -> Iterator[Shop]:
    yield Shop(net)


def stop(targets: list[HttpTarget]) -> None:
    for target in targets:
        target.stop()


def test_all_is_well_and_every_surface_says_so(shop: Shop) -> None:
    near = shop.near
    with shop.load() as load:
        until(lambda: len(load.answers) >= PER_S, "clients are served")
        until(lambda: shop.now()["requests_per_s"], "the last seconds are known")
        assert shop.now()["spilled_per_s"] == 0
        assert not shop.codes() & {"SW0335", "SW0336"}
        near.until_well()
        near.ctl("status", code=0)
    assert set(by_site(load.answers)) == {"near"}
    assert shop.metric("spillway_spilled_total") == 0
    assert shop.metric("spillway_local_targets", state="not-ready") == 0


def test_all_local_targets_dead(shop: Shop) -> None:
    near = shop.near
    with shop.load() as load:
        until(lambda: len(load.answers) >= PER_S, "clients are served")
        stop(shop.targets)
        until(lambda: "SW0335" in shop.codes(), "status has the problem")
        dead_from = len(load.answers)
        until(lambda: len(load.answers) >= dead_from + PER_S, "clients are served elsewhere")
        told = until(
            lambda: (now := shop.now())["spilled_per_s"] and now.get("spilled_for") and now,
            "the last seconds show it",
        )
        assert set(told["spilled_to"]) == {"far"}
        shows(near, ALL_DEAD)
        verdicts = {one["site"]: one["verdict"] for one in near.json("why", "shop")["candidates"]}
        assert verdicts == {"near": "no-target", "far": "chosen"}
    served = by_site(load.answers)
    assert served["far"] >= PER_S
    until(
        lambda: near.service("shop")["spilled_total"] == served["far"],
        "as many requests are counted as clients had answers of the other site",
    )
    until(  # The answer of /metrics is kept for a moment.
        lambda: shop.metric("spillway_spilled_total", to="far") == served["far"],
        "the metric says the same",
    )
    assert shop.metric("spillway_spilled_total", reason="no-target") >= PER_S
    assert shop.metric("spillway_overflow_total") == 0
    for target in shop.targets:
        target.start()
    shop.net.ready("shop", {"near": 2, "far": 1})
    assert not shop.codes() & {"SW0335", "SW0336"}


def test_the_figures_of_dead_targets_are_those_of_all_workers(net: Network) -> None:
    shop = Shop(net, workers=2)
    with shop.load() as load:
        until(lambda: len(load.answers) >= PER_S, "clients are served")
        stop(shop.targets)

        def told_per_s() -> float:
            texts = [one["message"] for one in shop.near.problems("SW0335")]
            found = re.search(r"([0-9.]+)/s go to far", "".join(texts))
            return float(found[1]) if found else 0.0

        until(lambda: told_per_s() > 0.8 * PER_S, "the problem has the load of both workers")


def test_one_of_two_local_targets_dead(shop: Shop) -> None:
    near = shop.near
    with shop.load() as load:
        until(lambda: len(load.answers) >= PER_S, "clients are served")
        stop(shop.targets[:1])
        until(lambda: "SW0336" in shop.codes(), "status has the note")
        shows(near, ONE_DEAD)


def test_a_full_site_spills_and_is_well(net: Network) -> None:
    shop = Shop(net, capacity=1)
    for target in shop.targets:
        target.service_s = 1.0
    with shop.load() as load:
        until(lambda: by_site(load.answers)["far"] >= PER_S, "the other site serves")
        shows(shop.near, FULL)
        assert not shop.codes() & {"SW0335", "SW0336"}
    assert set(by_site(load.answers)) == {"near", "far"}
