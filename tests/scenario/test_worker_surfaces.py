"""Figures of a site whose router is two processes: every surface shows what all of them have."""

import os
import re
import signal
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from tests.scenario.backends import HttpTarget
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import stays, until
from tests.scenario.worker_sites import (
    CAPACITY,
    are_ready,
    hung,
    owners,
    pid_of,
    pinned,
    serve,
    site_of_workers,
)

AT_FIRST, AT_SECOND = 1, 2
ALL = AT_FIRST + AT_SECOND


@pytest.fixture
def west(net: Network) -> Site:
    return site_of_workers(net)


@contextmanager
def held(site: Site, target: HttpTarget) -> Iterator[None]:
    """Each worker has requests in hand, and the target does not answer."""
    lines = [*pinned(site, 0, AT_FIRST), *pinned(site, 1, AT_SECOND)]
    target.hold()
    for line in lines:
        line.request("GET", "/")
    try:
        yield
    finally:
        target.release()
        for line in lines:
            line.close()


def notes(site: Site) -> list[str]:
    return [one["message"] for one in site.get("status")["notes"] if one["code"] == "SW0332"]


def unbind(site: Site) -> None:
    (document,) = (site.directory / "config").glob("own-connector-shop-*.yaml")
    document.unlink()


def gauge(site: Site, name: str) -> dict[str, float]:
    """By site."""
    found = re.findall(rf'^{name}\{{.*site="(\w+)".*\}} (\S+)$', site.metrics(), re.MULTILINE)
    return {site: float(number) for site, number in found}


SURFACES: dict[str, Callable[[Site], list[object]]] = {
    "service status, sites": lambda site: [
        one["in_flight"] for one in site.service("shop")["sites"]
    ],
    "service status, targets": lambda site: [
        one["in_flight"] for one in site.service("shop")["targets"]
    ],
    "why": lambda site: [one["in_flight"] for one in site.json("why", "shop")["candidates"]],
    "top": lambda site: [
        one["in_flight"] for item in site.get("live")["services"] for one in item["sites"]
    ],
    "metrics": lambda site: list(gauge(site, "spillway_in_flight").values()),
}


def name_of_target(line: socket.socket) -> str:
    line.sendall(b"name\n")
    return line.recv(100).decode().strip()


def show_all(site: Site) -> None:
    for name, shown in SURFACES.items():
        until(lambda shown=shown: shown(site) == [ALL], f"{name}: all are in flight")  # type: ignore[misc]


def test_what_a_target_that_was_unbound_has_in_hand_is_that_of_all_workers(
    net: Network, west: Site
) -> None:
    target = serve(net, west, service_s=0.0)
    with held(west, target):
        show_all(west)
        unbind(west)
        until(
            lambda: west.service("shop")["sites"][0]["targets_ready"] == 0, "it is a target no more"
        )
        show_all(west)
    until(lambda: not west.service("shop")["sites"], "the site has nothing to do with it any more")


def test_what_a_silent_worker_has_in_hand_is_the_same_on_every_surface(
    net: Network, west: Site
) -> None:
    target = serve(net, west, service_s=0.0)
    with held(west, target):
        until(lambda: SURFACES["why"](west) == [ALL], "the worker has reported")
        with hung(pid_of(west, 1)):
            until(
                lambda: west.get("status")["workers"][1]["silent_since"] is not None,
                "it is silent",
            )
            show_all(west)
            (row,) = west.service("shop")["targets"]
            assert row["capacity"] == CAPACITY
    until(lambda: west.rests("shop"), "all are over")


def test_clients_of_a_former_protocol_are_those_of_all_workers(net: Network) -> None:
    west, target = net.site("west"), net.tcp("target")
    west.environment["SPILLWAY_WORKERS"] = "2"
    west.declare("db", protocol="tcp")
    west.connect("db", target)
    net.start()
    until(lambda: are_ready(west, 2), "both workers serve")
    until(lambda: west.offers("db", {"west": 1}), "the service is there")
    until(lambda: owners(west) == 2, "both accept clients")
    lines = [*pinned(west, 0, AT_FIRST), *pinned(west, 1, AT_SECOND)]
    until(lambda: west.in_flight("db") == {"west": ALL}, "all are at the target")
    west.declare("db", protocol="http")
    told = f"Service db:{SHOP_PORT} is http now, and {ALL} connections that began as tcp go on."
    until(lambda: told in notes(west), "status counts those of both workers")
    for line in lines:
        line.close()
    until(lambda: not notes(west), "they are over")


def test_what_a_silent_worker_had_at_another_site_is_over_on_both_sides(net: Network) -> None:
    west, far = net.site("west"), net.site("far")
    west.environment["SPILLWAY_WORKERS"] = "2"
    west.declare("db", protocol="tcp")
    far.connect("db", net.tcp("far"))
    net.link(west, far, 5)
    net.start()
    until(lambda: are_ready(west, 2), "both workers serve")
    net.ready("db", {"far": 1})
    until(lambda: owners(west) == 2, "both accept clients")

    def open_there() -> int:
        (now,) = west.get("live")["now"]
        return int(now["open_to"].get("far", 0))

    lines = [*pinned(west, 0, AT_FIRST), *pinned(west, 1, AT_SECOND)]
    until(lambda: open_there() == ALL, "all are open at the other site")
    silent = pid_of(west, 1)
    with hung(silent):
        until(lambda: far.in_flight("db") == {"far": AT_FIRST}, "its link is dropped there")
        until(
            lambda: open_there() == AT_FIRST and pid_of(west, 1) == silent,
            "nothing is shown of it before it is ended",
        )
    for line in lines:
        line.close()


def test_a_site_that_stops_shows_what_its_other_worker_has_until_that_has_ended(
    net: Network,
) -> None:
    west, far = net.site("west"), net.site("far")
    west.environment["SPILLWAY_WORKERS"] = "2"
    west.declare("db", protocol="tcp")
    west.connect("db", net.tcp("west"), capacity=2)
    far.connect("db", net.tcp("far"))
    net.link(west, far, 5)
    net.start()
    until(lambda: are_ready(west, 2), "both workers serve")
    net.ready("db", {"west": 1, "far": 1})
    until(lambda: owners(west) == 2, "both accept clients")
    lines = pinned(west, 1, 3)
    open_at = Counter({"west": 0, "far": 0})
    served_by = [name_of_target(line.sock) for line in lines]
    open_at.update(served_by)
    until(lambda: west.in_flight("db") == open_at, "only these are open")
    os.kill(pid_of(west, 0), signal.SIGTERM)
    until(lambda: not west.get("status")["ready"], "it stops")

    def shown() -> tuple[object, ...]:
        (line,) = west.get("links")
        service = west.service("db")
        slots = [one["capacity"] for one in service["sites"] if one["local"]]
        return west.in_flight("db"), slots, service["demand"], line["state"], line["streams"]

    def goes_on() -> bool:
        return shown() == (open_at, [2], 3, "draining", open_at["far"])

    until(goes_on, "it drains")
    stays(goes_on, "all goes on", 2.0)
    assert west.reaches({"far"}) and far.reaches({"west"})
    lines.pop(served_by.index("far")).close()
    open_at["far"] -= 1
    until(lambda: shown() == (open_at, [2], 2, "draining", open_at["far"]), "one has ended")
    for line in lines:
        line.close()


@pytest.mark.parametrize("index", [0, 1])
def test_a_target_whose_only_slot_hangs_is_named_whichever_worker_its_clients_came_to(
    net: Network, west: Site, index: int
) -> None:
    target = net.http("target")
    west.connect("shop", target, capacity=1)
    net.start()
    until(lambda: are_ready(west, 2), "both workers serve")
    net.ready("shop", {"west": 1}, west)
    (line,) = pinned(west, index, 1)

    def hangs() -> list[str]:
        noted = west.get("status")["notes"]
        return [one["message"] for one in noted if one["code"] == "SW0349"]

    with closing(line):
        line.request("GET", "/")
        assert line.getresponse().read()
        target.hold()
        line.request("GET", "/")
        (said,) = until(hangs, "the note is there")
        assert "all of its slots are taken" in said
        target.release()
        assert line.getresponse().read()
        until(lambda: not hangs(), "the note is gone")
