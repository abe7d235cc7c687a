"""What people complained of at Skupper's tracker, with real routers; see tests/unit/sitectl too."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sitectl.site.admin import CALL_TIMEOUT_S
from tests.scenario.harness import SHOP_PORT, Done, Network
from tests.scenario.waiting import until

START_S = 30.0
"""What starting Pythons and verbs may take on a machine that is very busy."""
SERVICES = 20


class Place:
    """Two linked sites; `shop` at both, and more services at the first."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.here, self.there = net.site("here"), net.site("there")
        self.here.declare("shop")
        self.here.connect("shop", net.http("near"), capacity=1)
        self.there.connect("shop", net.http("far"), capacity=1)
        for number in range(1, SERVICES):
            self.here.declare(f"service-{number}", SHOP_PORT + number)
        net.link(self.here, self.there, 7)
        net.start()
        net.see_each_other()
        net.ready("shop", {"here": 1, "there": 1})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The two sites, once for all tests of this file."""
    with Network(tmp_path_factory.mktemp("complaints")) as net:
        yield Place(net)


def test_946_service_status_is_fast_at_twenty_services(place: Place) -> None:
    begun = time.monotonic()
    assert len(place.here.json("service", "status")) == SERVICES
    assert time.monotonic() - begun < START_S


def costs(place: Place) -> dict[str, Any]:
    """The cost of the one link, as each command of both sites shows it."""
    here, there = place.here, place.there
    (outgoing,), (incoming,) = here.json("link", "status"), there.json("link", "status")
    found: dict[str, Any] = {"outgoing": outgoing["cost"], "incoming": incoming["cost"]}
    for site, other in ((here, "there"), (there, "here")):
        network = {item["name"]: item for item in site.json("network", "status")}
        found[f"network of {site.name}"] = network[other]["path_cost"]
        for name in ("here", "there"):
            (neighbour,) = network[name]["neighbours"]
            found[f"neighbors of {name} at {site.name}"] = neighbour["cost"]
        why = {item["site"]: item for item in site.json("why", "shop")["candidates"]}
        found[f"why at {site.name}"] = why[other]["path_cost"]
        (shop,) = site.json("service", "status", "shop")
        sites = {item["site"]: item for item in shop["sites"]}
        found[f"service at {site.name}"] = sites[other]["path_cost"]
    return found


def test_1654_a_links_cost_is_the_same_in_every_command(place: Place) -> None:
    """Two commands disagreed."""
    until(lambda: set(costs(place).values()) == {7}, "all say 7")
    place.here.ctl("link", "set", "there", "--cost", "3")
    until(lambda: set(costs(place).values()) == {3}, f"all say 3, last {costs(place)}")
    assert "  3  " in place.here.ctl("link", "status").out
    place.here.ctl("link", "set", "there", "--cost", "7")
    until(lambda: set(costs(place).values()) == {7}, "all say 7 again")


MUTE: dict[str, str] = {
    "status": "unreachable: the router runs and does not answer",
    "link status": "unreachable: the router does not answer",
    "service status": "unreachable",
    "service status shop": "unreachable",
    "network status": "",
    "why shop": "",
    "events -f": "",
    "top --once": "",
    "burst status": "",
    "health": "",
    "status -o json": "did not answer",
    "service status -o json": '"unreachable"',
    "link status -o json": "unreachable",
}
"""Commands typed while a router does not answer, and the text that each shows all the same."""


@pytest.fixture(scope="module")
def told(place: Place) -> dict[str, tuple[float, Done]]:
    """How each of these commands ended, and after which time; typed at once."""

    def typed(line: str) -> tuple[float, Done]:
        begun = time.monotonic()
        done = place.here.ctl(*line.split(), code=8)
        return time.monotonic() - begun, done

    place.here.signal(signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(len(MUTE)) as pool:
            return dict(zip(MUTE, pool.map(typed, MUTE), strict=True))
    finally:
        place.here.signal(signal.SIGCONT)


@pytest.mark.parametrize("line", MUTE)
def test_945_no_command_hangs_on_a_router_that_is_mute(
    told: dict[str, tuple[float, Done]], line: str
) -> None:
    """They hung for ever when pods were unhealthy."""
    lasted, done = told[line]
    assert lasted < CALL_TIMEOUT_S + START_S
    assert MUTE[line] in done.out
    assert "did not answer within 5 s" in done.err
    assert line == "health" or "tail " in done.err


def test_945_what_is_shown_of_a_mute_router_is_all_that_is_configured(
    told: dict[str, tuple[float, Done]],
) -> None:
    services = told["service status -o json"][1].json()["items"]
    assert {item["name"] for item in services} >= {"shop", "service-1"}
    assert {item["listener"]["state"] for item in services} == {"unreachable"}
    status = told["status -o json"][1].json()["item"]
    assert (status["name"], status["services"], status["ready"]) == ("here", SERVICES, False)
    (link,) = told["link status -o json"][1].json()["items"]
    assert (link["name"], link["cost"], link["state"]) == ("there", 7, "unreachable")
    # It may serve: no figure is known, and none is zero.
    figures = ("queued", "demand", "requests_total", "spilled_total")
    assert {item[figure] for item in services for figure in figures} == {None}
    assert {one["in_flight"] for item in services for one in item["targets"]} <= {None}
    assert link["streams"] is None


def test_what_is_changed_at_a_mute_router_is_written_and_said_not_to_be_in_force(
    place: Place,
) -> None:
    port = SHOP_PORT + SERVICES
    place.here.signal(signal.SIGSTOP)
    try:
        done = place.here.ctl("service", "create", "later", str(port), "--protocol", "http")
    finally:
        place.here.signal(signal.SIGCONT)
    assert "created" in done.out
    assert "Written, and not in force yet: the router of site 'here' did not answer" in done.err
    until(lambda: place.here.service("later"), "the router has read its files")
    done = place.here.ctl("service", "delete", "later")
    assert "not in force" not in done.err


def test_a_local_site_issues_a_token_that_another_links_with(place: Place, tmp_path: Path) -> None:
    """Skupper 2's local systems cannot issue tokens; here any site can, with or without router."""
    place.there.ctl("token", "create", str(tmp_path / "t.yaml"))
    assert "State:     valid" in place.here.ctl("token", "status", str(tmp_path / "t.yaml")).out
