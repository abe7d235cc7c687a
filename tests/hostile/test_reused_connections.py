"""Targets and clients that break every rule, over few connections: no answer goes astray.

By default 1000 requests a test: ``UNRULY_REQUESTS=100000 UNRULY_SEED=7`` for more, and others.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from tests.hostile.unruly_clients import Crowd
from tests.hostile.unruly_target import HANG, HONEST, WRONG, UnrulyTarget
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until

REQUESTS = int(os.environ.get("UNRULY_REQUESTS", "1000"))
SEED = int(os.environ.get("UNRULY_SEED", "1"))
CLIENTS, SLOTS = 24, 3
HERE_PORT = SHOP_PORT + 1
CHANGE_S, RESPONSE = 0.1, "1s"
NEVER_OUT = {"ejectAfter": 0}  # Targets break off on demand, which is no reason to put them out.


class Place:
    """One service served here, one across a link, each by targets with few slots."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.near, self.far = net.site("near"), net.site("far")
        names = ("here", "here too", "there", "there too")
        self.here, self.here_too, self.there, self.there_too = self.targets = [
            UnrulyTarget(net.background, name, net.target_address, SEED + at)
            for at, name in enumerate(names)
        ]
        self.declare()
        self.attach(self.near, "here", self.here)
        self.attach(self.far, "shop", self.there)
        net.link(self.near, self.far, token="cert")
        net.start()
        net.ready("here", {"near": 1}, self.near)
        net.ready("shop", {"far": 1}, self.near)

    def declare(self, protocol: str = "http", response: str = RESPONSE) -> None:
        """Both services; who finds all slots taken waits for one."""
        timeouts = {"response": response}
        for service, port in (("here", HERE_PORT), ("shop", SHOP_PORT)):
            self.near.declare(service, port, protocol=protocol, queueWait="5s", timeouts=timeouts)

    @staticmethod
    def attach(site: Site, service: str, *targets: UnrulyTarget) -> None:
        """These are the service's targets from now on."""
        places = [{"host": target.address, "port": target.port} for target in targets]
        spec = {"service": service, "targets": places, "capacity": SLOTS, "health": NEVER_OUT}
        site.document("Connector", service, spec)

    @property
    def doors(self) -> list[tuple[str, int]]:
        return [(self.near.address, HERE_PORT), (self.near.address, SHOP_PORT)]

    def judge(self, crowd: Crowd) -> None:
        """Nothing went astray, and nothing is left."""
        print(dict(crowd.tally), [target.connections for target in self.targets])
        assert crowd.wrong == []
        for target in self.targets:
            assert target.violations == []
        runs = sum((target.runs for target in self.targets), start=Counter[str]())
        assert [ident for ident in crowd.posts if runs[ident] > 1] == [], "a POST ran twice"
        assert crowd.tally["right"] > crowd.tally["asked"] / 10, "many are served"
        for service, sites in (("here", (self.near,)), ("shop", (self.near, self.far))):
            self.net.at_rest(service, *sites)
        for site in (self.near, self.far):
            until(lambda: streams(site) == 0, f"no stream is left at {site.name}")  # noqa: B023
            assert site.problems("internal-error") == []
        for target in self.targets:
            until(lambda: target.open_count <= SLOTS, f"connections of {target.name}")  # noqa: B023


def streams(site: Site) -> int:
    """Exchanges with other sites that a router has under way."""
    lines = site.metrics().splitlines()
    return next(
        int(float(line.split()[1])) for line in lines if line.startswith("spillway_streams ")
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Once for all tests of this file."""
    with Network(tmp_path_factory.mktemp("unruly")) as net:
        place = Place(net)
        yield place
        for target in place.targets:
            target.stop()


def test_no_answer_reaches_another_request(place: Place) -> None:
    crowd = Crowd("first", SEED, (*HONEST, *WRONG))
    asyncio.run(crowd.visit(place.doors, REQUESTS, CLIENTS))
    place.judge(crowd)


def test_nor_while_settings_and_targets_change(place: Place) -> None:
    """Some answers come only after their time is up."""
    crowd = Crowd("second", SEED + 1, (*HONEST, *WRONG, HANG))
    asyncio.run(unsettled(place, crowd, ("http",)))
    place.judge(crowd)


def test_nor_while_the_protocol_changes(place: Place) -> None:
    """Of honest targets: raw, a client gets what the target sends."""
    crowd = Crowd("third", SEED + 2, HONEST)
    for target in place.targets:
        target.hears_clients = True
    asyncio.run(unsettled(place, crowd, ("http", "tcp")))
    place.judge(crowd)


async def unsettled(place: Place, crowd: Crowd, protocols: Sequence[str]) -> None:
    """Requests, and every now and then another timeout, target or protocol."""
    near, far, rng = place.near, place.far, random.Random(SEED)

    async def change() -> None:
        while True:
            place.declare(rng.choice(protocols), rng.choice((RESPONSE, "1100ms")))
            here = rng.sample((place.here, place.here_too), rng.randint(1, 2))
            place.attach(near, "here", *here)
            place.attach(far, "shop", rng.choice((place.there, place.there_too)))
            await asyncio.sleep(CHANGE_S)

    async with asyncio.TaskGroup() as tasks:
        changes = tasks.create_task(change())
        await crowd.visit(place.doors, REQUESTS, CLIENTS)
        changes.cancel()
    place.declare()
    place.attach(near, "here", place.here)
    place.attach(far, "shop", place.there)
    place.net.ready("here", {"near": 1}, near)
    place.net.ready("shop", {"far": 1}, near)
