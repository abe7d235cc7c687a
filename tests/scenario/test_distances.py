"""Real routers, some far away: a near site that asks for too much takes nothing from a far one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network, Site, own_address
from tests.scenario.offering import Offered, offer
from tests.scenario.slow_way import SlowWay

SLOTS, SERVICE_S = 4, 0.1
WAYS_S = {"far": 0.1, "moon": 0.5}
NEAR_RPS, FAR_RPS = 60.0, 8.0  # Of 40 a second that the slots serve, some 13 for each site.
SECONDS = 10.0


class Distances:
    """``here`` has the targets and clients, the others only clients, each behind a slow way."""

    def __init__(self, stack: ExitStack, state: Path) -> None:
        self.net = stack.enter_context(Network(state))
        self.here = self.net.site("here")
        self.away = [self.net.site(name) for name in WAYS_S]
        (document,) = (self.here.directory / "config").glob("site-*.yaml")
        text = document.read_text()
        for site, one_way_s in zip(self.away, WAYS_S.values(), strict=True):
            way = SlowWay(own_address(), self.here.address, self.here.link_port, one_way_s)
            stack.enter_context(way)
            document.write_text(text.replace(self.here.link_door, f"{way.address}:{way.port}"))
            self.net.link(site, self.here, 1)
        self.here.declare("shop")
        self.here.connect("shop", self.net.http("here", SERVICE_S), capacity=SLOTS)
        self.net.start()
        self.net.ready("shop", {"here": 1})

    def door(self, site: Site) -> tuple[str, int]:
        return site.address, SHOP_PORT


@pytest.fixture(scope="module")
def distances(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Distances]:
    with ExitStack() as stack:
        yield Distances(stack, tmp_path_factory.mktemp("distances"))


def test_far_sites_get_their_share_of_slots_that_a_near_one_would_take_all(
    distances: Distances,
) -> None:
    for site in distances.away:  # From then on the way is known.
        assert fetch(*distances.door(site)).status == 200
    sites = [(distances.here, NEAR_RPS), *((site, FAR_RPS) for site in distances.away)]

    def offered(one: tuple[Site, float]) -> Offered:
        site, rate = one
        return offer(distances.door(site), rate, SECONDS)

    with ThreadPoolExecutor(len(sites)) as pool:
        near, *far = pool.map(offered, sites)
    assert near.refused > 0.2 * near.offered, "it asked for more than there is"
    for name, one in zip(WAYS_S, far, strict=True):
        assert one.errors == 0, name
        assert one.refused <= 0.01 * one.offered, (name, one)
    distances.net.at_rest("shop")
