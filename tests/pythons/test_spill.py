"""Two sites on two Pythons: what one sends over a link the other accepts."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pythons import PARTNER
from tests.scenario.clients import burst, by_site
from tests.scenario.harness import SHOP_PORT, Network, Site

SLOTS, REQUESTS = 3, 90


class Pair:
    """``own`` runs on the Python of these tests, ``other`` on that of `make test`."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.own, self.other = net.site("own"), net.site("other", python=Path(os.environ[PARTNER]))
        self.own.declare("shop", queueWait="9s")
        self.other.declare("shop", queueWait="9s")
        for site in (self.own, self.other):
            site.connect("shop", net.http(site.name, 0.03), capacity=SLOTS)
        net.link(self.own, self.other, 4)
        net.start()
        net.see_each_other()
        net.ready("shop", {"own": 1, "other": 1})


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Once for all tests."""
    with Network(tmp_path_factory.mktemp("pair")) as net:
        yield Pair(net)


def interpreter(site: Site) -> Path:
    """The program that the router of ``site`` runs in."""
    return Path(f"/proc/{site.note_pid()}/exe").resolve()


def test_each_site_runs_on_its_python(pair: Pair) -> None:
    assert interpreter(pair.other) == Path(os.environ[PARTNER]).resolve()
    assert interpreter(pair.own) != interpreter(pair.other)


@pytest.mark.parametrize("full", ["own", "other"])
def test_a_burst_fills_one_site_and_spills_to_the_other(pair: Pair, full: str) -> None:
    door = pair.own if full == "own" else pair.other
    served = by_site(burst(door.address, SHOP_PORT, REQUESTS, at_once=2 * SLOTS))
    assert sum(served.values()) == REQUESTS
    assert min(served["own"], served["other"]) >= REQUESTS // 3
    pair.net.at_rest("shop")


def test_large_bodies_cross_the_link_whole(pair: Pair) -> None:
    answers = burst(pair.own.address, SHOP_PORT, 2 * SLOTS, "/bytes/3000000", at_once=2 * SLOTS)
    assert {(answer.status, len(answer.body)) for answer in answers} == {(200, 3_000_000)}
    assert {answer.site for answer in answers} == {"own", "other"}
