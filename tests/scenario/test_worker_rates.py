"""Rates and queues of a site whose router is two processes: every surface shows the whole."""

import re

import pytest

from tests.scenario.clients import Load
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until
from tests.scenario.worker_sites import are_ready

RATE = 5
PER_S = 20.0


@pytest.fixture
def near(net: Network) -> Site:
    """Takes `RATE` requests a second by two workers; `far` has room for the rest."""
    near, far = net.site("near"), net.site("far")
    near.quick("update", "--workers", "2")
    near.declare("shop", SHOP_PORT)
    rate = {"capacity": f"{RATE}/s", "window": "2s", "resume": "4/s"}
    near.connect("shop", net.http("near", 0.01), **rate)
    far.connect("shop", net.http("far", 0.01), capacity=100)
    net.link(near, far, 5)
    net.start()
    net.see_each_other()
    until(lambda: are_ready(near, 2), "both workers serve")
    net.ready("shop", {"near": 1, "far": 1})
    return near


def rate_metric(site: Site, kind: str) -> float:
    pattern = rf'spillway_rate_per_second{{kind="{kind}",.*site="near"}} (\S+)'
    found = re.search(pattern, site.metrics())
    return float(found[1]) if found else 0.0


def texts(site: Site, code: str) -> list[str]:
    return [one["message"] for one in site.get("events") if one["code"] == code]


def test_a_rate_is_shown_whole_and_what_all_workers_let_in(near: Site) -> None:
    with Load([(near.address, SHOP_PORT)], PER_S):
        (exceeded,) = until(lambda: texts(near, "rate-exceeded"), "the rate is exceeded")
        assert f"is over its {RATE}/s here" in exceeded

        def whole(rate: dict[str, float] | None) -> bool:
            assert rate is not None and rate["per_s"] == RATE
            asked = PER_S * 0.75 <= rate["asked_per_s"] <= PER_S * 1.25
            return asked and RATE * 0.7 <= rate["admitted_per_s"] <= RATE * 1.1

        def of_service() -> bool:
            shop = near.service("shop")
            (here,) = [one for one in shop["sites"] if one["local"]]
            (target,) = [one for one in shop["targets"] if one["site"] == "near"]
            return whole(here["rate"]) and whole(target["rate"])

        until(of_service, "the service's site and target show the sums")

        def of_why() -> bool:
            found = near.json("why", "shop")
            (here,) = [one for one in found["candidates"] if one["site"] == "near"]
            return whole(here["rate"])

        until(of_why, "why shows the sums")

        def of_metrics() -> bool:
            stated, asked = rate_metric(near, "stated"), rate_metric(near, "asked")
            admitted = {"per_s": stated, "asked_per_s": asked}
            return whole(admitted | {"admitted_per_s": rate_metric(near, "admitted")})

        until(of_metrics, "a scrape has the sums")
    (kept,) = until(lambda: texts(near, "rate-kept"), "the rate is kept again", timeout_s=30)
    assert "is below 4/s again here" in kept
    assert len(texts(near, "rate-exceeded")) == 1
