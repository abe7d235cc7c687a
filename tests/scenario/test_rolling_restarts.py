"""Every site restarted in turn, round after round, under clients that keep their connections."""

import itertools
import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenario.backends import HttpTarget
from tests.scenario.clients import KeptLoad
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until

BODY = os.urandom(4_000)
ROUNDS = int(os.environ.get("SPILLWAY_RESTART_ROUNDS", "1"))
CLIENTS_PER_SITE = 4
IDEMPOTENT = ("GET", "PUT")


class Three:
    """Three sites with targets at some of them, and clients at each that know the others too."""

    def __init__(self, net: Network, links: tuple[tuple[int, int], ...], served: set[int]) -> None:
        self.net = net
        self.sites = [net.site(name) for name in ("one", "two", "three")]
        self.targets: list[HttpTarget] = []
        self.sites[0].declare("shop", queueWait="9s")
        for number in sorted(served):
            target = net.http(self.sites[number].name, 0.03)
            self.targets.append(target)
            self.sites[number].connect("shop", target, capacity=2)
        self.ready = {self.sites[number].name: 1 for number in served}
        for dialer, acceptor in links:
            net.link(self.sites[dialer], self.sites[acceptor], 1, token="cert")
        net.start()
        net.ready("shop", self.ready)
        net.see_each_other()

    def places(self) -> list[list[tuple[str, int]]]:
        """For each client its places: its own site, then the others."""
        doors = [(site.address, SHOP_PORT) for site in self.sites]
        turned = [doors[at:] + doors[:at] for at in range(len(doors))]
        return [turned[number % 3] for number in range(CLIENTS_PER_SITE * 3)]

    def restart(self, site: Site, end: Callable[[Site], None]) -> None:
        """End ``site``, start it again, wait until everybody sees everything again."""
        end(site)
        site.start()
        self.net.ready("shop", self.ready)
        self.net.see_each_other()

    def executions(self) -> Counter[tuple[str, str]]:
        """How often each request reached any target."""
        return Counter((seen.method, seen.path) for each in self.targets for seen in each.seen)


def stop(site: Site) -> None:
    site.ctl("stop")
    assert site.gone()


def terminate(site: Site) -> None:
    site.signal(signal.SIGTERM)
    until(site.gone, f"{site.name} ends", 35.0)


LINE = ((0, 1), (1, 2))
TRIANGLE = ((1, 0), (2, 0), (2, 1))


@pytest.mark.parametrize(
    ("links", "served", "end"),
    [
        pytest.param(LINE, {0, 2}, stop, id="a line, by command"),
        pytest.param(TRIANGLE, {0, 1, 2}, terminate, id="a triangle, by SIGTERM"),
    ],
)
def test_a_rolling_restart_fails_nothing_and_runs_nothing_twice(
    tmp_path: Path,
    links: tuple[tuple[int, int], ...],
    served: set[int],
    end: Callable[[Site], None],
) -> None:
    with Network(tmp_path) as net:
        three = Three(net, links, served)
        with KeptLoad(three.places(), body=BODY) as load:
            until(lambda: len(load.asked) > 50, "the load runs")
            for _, site in itertools.product(range(ROUNDS), three.sites):
                three.restart(site, end)
        report(load, three)
        assert load.failed(*IDEMPOTENT) == []
        assert load.failed("POST") == []
        assert sum(one.retries for one in load.asked) == 0
        assert set(three.executions().values()) == {1}
        net.at_rest("shop")


def test_crashes_in_turn_lose_only_what_was_under_way(tmp_path: Path) -> None:
    with Network(tmp_path) as net:
        three = Three(net, TRIANGLE, {0, 1, 2})
        others: list[list[tuple[str, int]]] = []
        for site in three.sites:
            others += [[(site.address, SHOP_PORT)]] * CLIENTS_PER_SITE
        for site in three.sites:
            crashing = [places for places in others if places[0][0] != site.address]
            with KeptLoad(crashing, body=BODY) as load:
                until(lambda load=load: len(load.asked) > 50, "the load runs")  # type: ignore[misc]
                three.restart(site, Site.kill)
            report(load, three)
            assert load.failed(*IDEMPOTENT) == []
        posts = [times for (method, _), times in three.executions().items() if method == "POST"]
        assert set(posts) == {1}
        net.at_rest("shop")


def report(load: KeptLoad, three: Three) -> None:
    """Print figures, for a person who reads along (pytest -s)."""
    twice = sum(count > 1 for count in three.executions().values())
    retries = sum(one.retries for one in load.asked)
    lost = Counter((one.method, one.status, one.error) for one in load.failed("GET", "PUT", "POST"))
    print(f"{len(load.asked)} asked, {retries} retried, {twice} ran twice, lost: {dict(lost)}")
