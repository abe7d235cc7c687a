"""The time of a turn in which all lanes of one token, or of one site, are read."""

from collections import Counter

import pytest

from router.link import control, frames
from router.link.neighbour import Neighbour
from router.model import limits
from router.model.errors import HandshakeRejected
from tests.unit.link.lanes import Recorder
from tests.unit.link.routers import Router, let_in_by_one_token
from tests.unit.link.wire import World

SITES, EACH = 20, 32
MANY_LINKS = 250
WORK_S = 0.001
"""Of one stream."""
READ = 4
"""Streams that one read of a lane brings."""
AT_ONCE_S = limits.TURN_READ_S_MAX + READ * WORK_S
HANDSHAKE_TURNS = 10


class Hub:
    """East, where each stream takes time, and ``members`` of one token."""

    def __init__(self, members: int = SITES) -> None:
        self.world = world = World()
        self.east = Router(world, "east")
        self.fleet = let_in_by_one_token(world, self.east, members)
        world.settle()
        self.east.owner.accept = False
        self.east.owner.works = self._work
        self.work_s = WORK_S

    def _work(self) -> None:
        self.world.time += self.work_s

    def flood(self, *routers: Router) -> None:
        """Each opens ``EACH`` streams, which have arrived and are not read."""
        for router in routers:
            for _ in range(EACH):
                router.open(self.east)
            self.cut(router)
        self.world.turn()

    def cut(self, router: Router) -> None:
        """A read brings ``READ`` streams of ``router``, or of one with such a name."""
        payload = control.encode_open(router.request(self.east))
        size = READ * len(frames.encode(frames.OPEN, 1, payload))
        for wire in self.world.wires:
            wire.right.piece = lambda: size

    def taken(self) -> Counter[str]:
        """Streams that were read, by the site that opened them."""
        return Counter(request.ingress for _, request in self.east.owner.offered)

    def turns_until(self, count: int) -> int:
        """Turns until so many streams were read."""
        turns = 0
        while self.taken().total() < count:
            self.world.turn()
            turns += 1
        return turns


def test_of_a_turn_the_lanes_of_one_token_have_the_time_of_one_neighbor() -> None:
    hub = Hub()
    hub.flood(*hub.fleet)
    other = Router(hub.world, "other")
    other.link("east")
    began = hub.world.time
    while len(hub.east.owner.named("up")) == SITES:
        hub.world.turn()
    assert hub.world.time - began < HANDSHAKE_TURNS * AT_ONCE_S


def flooded_over_many_links(hub: Hub, count: int) -> None:
    """West opens streams over each of ``count`` links; they have arrived and are not read."""
    west = Router(hub.world, "west")
    for number in range(count):
        west.link("east", name=f"link-{number}")
        hub.world.settle()
    sessions = west.links.adjacencies.known[hub.east.id].sessions
    assert len(sessions) == count
    for session in sessions:
        lane = session.lanes.opening
        assert lane is not None
        for _ in range(EACH):
            lane.open_stream(west.request(hub.east), Recorder())
    hub.cut(west)
    hub.world.turn()


def test_a_neighbor_with_many_links_has_the_time_of_one() -> None:
    hub = Hub(members=0)
    flooded_over_many_links(hub, SITES)
    began = hub.world.time
    hub.world.turn()
    assert hub.world.time - began <= AT_ONCE_S


def test_reads_that_are_each_too_short_to_be_counted_take_no_more_time_together() -> None:
    hub = Hub(members=0)
    hub.work_s = 0.99 * limits.READ_SHORT_S / READ
    flooded_over_many_links(hub, MANY_LINKS)
    began = hub.world.time
    hub.world.turn()
    assert hub.world.time - began <= 2 * limits.TURN_READ_S_MAX


def test_each_lane_of_one_token_has_its_turn_and_no_time_is_lost() -> None:
    hub = Hub()
    began = hub.world.time
    hub.flood(*hub.fleet)
    hub.turns_until(SITES * EACH // 2)
    counts = hub.taken()
    assert len(counts) == SITES
    assert max(counts.values()) - min(counts.values()) <= 2 * READ
    hub.world.settle()
    assert set(hub.taken().values()) == {EACH}
    assert hub.world.time - began == pytest.approx(SITES * EACH * WORK_S)


def test_the_lanes_of_one_link_do_not_wait_for_each_other() -> None:
    hub = Hub(members=1)
    hub.flood(*hub.fleet)
    assert hub.turns_until(EACH) <= EACH // READ + 1


def test_lanes_of_unknown_neighbors_have_a_part_of_a_turn() -> None:
    hub = Hub(members=0)
    world, east = hub.world, hub.east
    admit = east.owner.admit

    def admit_slowly(peer_certificate: bytes, neighbour: Neighbour) -> HandshakeRejected | None:
        world.time += READ * WORK_S
        return admit(peer_certificate, neighbour)

    east.owner.admit = admit_slowly  # type: ignore[method-assign]
    for number in range(SITES):
        Router(world, f"new-{number}").link("east")
    took = []
    while len(east.owner.named("up")) < SITES:
        began = world.time
        world.turn()
        took.append(world.time - began)
    assert max(took) <= 2 * AT_ONCE_S
    assert sum(took) == pytest.approx(2 * SITES * READ * WORK_S, rel=0.5)
