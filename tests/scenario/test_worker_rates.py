"""Rates and queues of a site whose router is two processes: every surface shows the whole."""

import re

import pytest

from tests.scenario.clients import Load
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until
from tests.scenario.worker_sites import Pinned, are_ready, pinned

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


QUEUE = 20  # At each worker.
SLOTS = 2
AT_EACH = 8


def test_a_queue_is_shown_with_the_places_and_the_requests_of_all_workers(net: Network) -> None:
    west = net.site("west")
    west.quick("update", "--workers", "2")
    west.declare("shop", SHOP_PORT, queue=QUEUE, queueWait="30s")
    west.connect("shop", net.http("target", 0.2), capacity=SLOTS)
    net.start()
    until(lambda: are_ready(west, 2), "both workers serve")
    until(lambda: west.offers("shop", {"west": 1}), "the service is there")
    clients = 2 * AT_EACH
    most = range(clients - SLOTS - 2, clients - SLOTS + 1)  # Some are between two requests.
    with Pinned([*pinned(west, 0, AT_EACH), *pinned(west, 1, AT_EACH)]) as load:

        def shown(text: str, pattern: str) -> bool:
            found = re.search(pattern, text)
            assert found is None or int(found[1]) <= clients - SLOTS + 1, text
            return found is not None and int(found[1]) in most

        until(lambda: west.service("shop")["queued"] in most, "service status has all that wait")
        places = f"at most {2 * QUEUE} may"
        until(
            lambda: shown(west.ctl("why", "shop").out, rf"At present (\d+) waits? and {places}"),
            "why has the queue of both workers",
        )
        until(
            lambda: shown(west.ctl("status").out, r"SW0339 .*: (\d+) requests wait"),
            "status has all that wait",
        )
        until(lambda: len(load.statuses) > 2 * clients, "many are served")
        past = west.get("why/shop?last=20")
    rows = [row for one in past for row in one["candidates"]]
    assert rows and {row["capacity"] for row in rows} == {SLOTS}
    assert {one["capacity"] for one in past} == {None}  # A worker knows its own share alone.
