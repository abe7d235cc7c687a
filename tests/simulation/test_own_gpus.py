"""Own GPUs first (docs/own-gpus.md), in virtual time: streams of minutes, users and batch jobs."""

import random
from functools import partial

import pytest

from router.model.specs import ConnectorSpec, SitePolicySpec, TargetSpec
from tests.examples import seeds
from tests.simulation.streams import Streamed, StreamTarget
from tests.simulation.world import SERVICE, SimSite, World

BATCH = "X-Priority: batch"
SLOTS = 20  # Of each server.
SHARE = 0.95


class Fleet:
    """Site own with two servers, and site cloud, whose two servers come and go.

    A second apart it is noted how many slots are busy, and how many requests left since.
    """

    def __init__(self, seed: int) -> None:
        self.world = world = World(seed, "own", "cloud", delay_s=0.01)
        self.own, self.cloud = world.sites.values()
        self.own.link(self.cloud, 10)
        self.own.declare(
            sheddable="x-priority: batch", sheddable_share=SHARE, queue=100, queue_wait_s=30.0
        )
        self.targets = {site.name: self._start(site) for site in (self.own, self.cloud)}
        self._attach(self.own)
        world.run(5)
        self.rng = random.Random(seed)
        self.users: list[Streamed] = []
        self.batch: list[Streamed] = []
        self.left = 0
        self.busy_when_one_left: list[float] = []
        self.seconds: list[tuple[float, int]] = []
        self._watch(0)

    def _start(self, site: SimSite) -> list[StreamTarget]:
        return [StreamTarget(site.network, port, site.name) for port in (9001, 9002)]

    def _attach(self, site: SimSite) -> None:
        site.connectors["here"] = ConnectorSpec(
            service="shop",
            targets=tuple(TargetSpec("127.0.0.1", port) for port in (9001, 9002)),
            capacity=SLOTS,
        )
        site.apply()

    def cloud_up(self) -> None:
        """What the burst hook does."""
        self._attach(self.cloud)

    def cloud_drains(self) -> None:
        """``sitectl site drain``: nothing new."""
        self.cloud.policies["*"] = SitePolicySpec(service="*", takes=0.0)
        self.cloud.apply()

    @property
    def busy(self) -> float:
        return self.own.router.readings.load_of(SERVICE).in_flight / (2 * SLOTS)

    def _watch(self, left: int) -> None:
        self.seconds.append((self.busy, self.left - left))
        network = self.own.network
        network.call_at(network.now() + 1, partial(self._watch, self.left))

    def _began(self, one: Streamed) -> None:
        if one.site == "cloud":
            self.left += 1
            self.busy_when_one_left.append(self.busy)

    def offer(self, rate: float, seconds: float, into: list[Streamed], *fields: str) -> None:
        """Streams of 20 to 120 s, at random."""
        at = begin = self.own.network.now()
        while (at := at + self.rng.expovariate(rate)) < begin + seconds:
            lasts = self.rng.uniform(20, 120)
            ask = partial(self._ask, lasts, into, fields)
            self.own.network.call_at(at, ask)

    def _ask(self, lasts: float, into: list[Streamed], fields: tuple[str, ...]) -> None:
        into.append(Streamed(self.own, lasts, *fields, began=self._began))


@pytest.mark.parametrize("seed", seeds(2, first=1))
def test_own_cards_are_used_first_batch_is_shed_first_and_no_stream_is_cut(seed: int) -> None:
    fleet = Fleet(seed)
    world = fleet.world
    # Both sites have 80 slots: streams of 70 s on average, 25 of users and 35 of batch jobs; then
    # users want 56 for five minutes, and batch jobs go on.
    fleet.offer(0.5, 1000, fleet.batch, BATCH)
    fleet.offer(0.36, 300, fleet.users)
    world.run(60)
    fleet.cloud_up()
    world.run(240)
    fleet.offer(0.8, 300, fleet.users)
    world.run(300)
    fleet.cloud_drains()
    cloud_streams = [one for one in fleet.users + fleet.batch if one.site == "cloud"]
    left_by_then = fleet.left
    assert any(one.ended_at is None for one in cloud_streams), "it drains while streams run"
    while fleet.cloud.router.readings.load_of(SERVICE).in_flight:
        world.run(1)
    gone: list[None] = []
    fleet.cloud.stop(partial(gone.append, None))
    world.run(900)

    assert gone and fleet.left == left_by_then, "nothing new came while it drained"
    served = [one for one in fleet.users + fleet.batch if one.status == 200]
    assert all(one.is_whole for one in served), "a stream was cut"
    users_refused = [one for one in fleet.users if one.status != 200]
    shed = [one for one in fleet.batch if one.status != 200]
    assert not users_refused
    assert shed and {one.fields["Spillway-Error"] for one in shed} == {"shed"}

    leaving = [busy for busy, left in fleet.seconds if left]
    assert len(leaving) > 100
    mean = sum(leaving) / len(leaving)
    at_leaving = sum(fleet.busy_when_one_left) / len(fleet.busy_when_one_left)
    assert mean >= 0.95 and at_leaving >= 0.95
    for targets in fleet.targets.values():
        assert all(one.most_in_hand <= SLOTS for one in targets)
    print(
        f"seed {seed}: users {len(fleet.users)}, batch {len(fleet.batch)}, left {fleet.left}, "
        f"shed {len(shed)}, busy at leaving {at_leaving:.3f}, by seconds {mean:.3f}, "
        f"least {min(fleet.busy_when_one_left):.3f}"
    )
