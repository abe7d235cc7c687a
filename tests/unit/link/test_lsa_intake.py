"""A site's LSAs are read at once up to a whole database, then no faster than its rate."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.link.intake import lsa_intake
from router.link.routing_messages import LsaMessage
from router.model import limits
from router.model.ids import RouterId, SiteId
from router.model.messages.adverts import Declaration, TargetsAdvert
from router.model.specs import ServiceSpec
from router.routing.adverts.lsa import Adjacency, Lsa, PartRef, Services, Topology, encode_lsa
from tests.examples import histories
from tests.unit.link.routers import FakeIdentity, Router, let_in_by_one_token, linked
from tests.unit.link.wire import World

SITES, SERVICES = 1_000, 20  # Of a large network, and of each site.
LARGEST = bytes(limits.LSA_PART_BYTES_MAX)
RATE, BURST = limits.LSA_INTAKE_BYTES_PER_S, limits.LSA_INTAKE_BURST_BYTES
GOOD, BAD = SiteId("1" * 32), SiteId("2" * 32)

arrivals = histories(st.tuples(st.floats(0.0, 2.0), st.integers(0, limits.LSA_PART_BYTES_MAX)), 400)


@given(arrivals)
def test_what_is_decoded_of_a_site_is_bounded_whatever_comes(
    coming: list[tuple[float, int]],
) -> None:
    intake, now, taken = lsa_intake(), 0.0, 0
    for pause_s, size in coming:
        now += pause_s
        for _ in range(100):
            if intake.late_s(BAD, size, now) != inf:
                taken += size
        late = limits.INTAKE_LATE_S_MAX * RATE + size + limits.LSA_INTAKE_MESSAGE_BYTES
        assert taken <= BURST + RATE * now + late
        assert intake.late_s(GOOD, 0, now) == 0.0


@given(histories(st.integers(0, limits.LSA_PART_BYTES_MAX), 400))
def test_a_site_within_its_rate_is_never_late(sizes: list[int]) -> None:
    intake, now = lsa_intake(), 0.0
    for size in sizes:
        assert intake.late_s(GOOD, size, now) == 0.0
        now += (size + limits.LSA_INTAKE_MESSAGE_BYTES) / RATE


def heard(router: Router) -> list[bytes]:
    messages = (event[2] for event in router.owner.named("message"))
    return [one.signed for one in messages if isinstance(one, LsaMessage)]


def database() -> list[bytes]:
    """What 1,000 sites tell, each with 20 services here and there."""
    found = []
    for number in range(SITES):
        who = FakeIdentity(f"site-{number}")
        near = [FakeIdentity(f"site-{(number + step) % SITES}") for step in (1, 7, -1, -7)]
        names = [f"service-{number}-{at}" for at in range(SERVICES)]
        spec = ServiceSpec(protocol="http", ports=(8080,))
        told = tuple(Declaration(name=name, spec=spec, declared_at_s=0.0) for name in names)
        offers = tuple(
            TargetsAdvert(name=name, port=8080, targets_ready=2, capacity=100) for name in names
        )
        head = Topology(
            adjacencies=tuple(Adjacency(one.router, one.site, 10) for one in near),
            draining=False,
            stub=False,
            name=f"site-{number}",
            version="0.1.0",
            parts=(PartRef(1, 1),),
        )
        bodies: tuple[Topology | Services, ...] = (head, Services(told, offers))
        for part, body in enumerate(bodies):
            lsa = Lsa(
                router=who.router,
                site=who.site,
                part=part,
                epoch=1,
                sequence=1,
                boot_epoch=1,
                boot_nonce=bytes(16),
                public_key=who.public_key,
                body=body,
            )
            found.append(encode_lsa(lsa, who))
    return found


def test_the_database_of_a_large_network_is_read_at_once() -> None:
    world = World()
    west, east = linked(world)
    told, began = database(), world.time
    for signed in told:
        west.links.send(east.id, LsaMessage(signed))
    world.settle()
    assert (heard(east), world.time) == (told, began)


def test_of_one_link_nothing_is_lost_and_its_link_stays() -> None:
    world = World()
    west, east = linked(world)
    count = 30 * limits.MIB // len(LARGEST)  # What may wait for a neighbor, nearly.
    began = world.time
    for _ in range(count):
        west.links.send(east.id, LsaMessage(LARGEST))
    west.link("east", cost=7)
    world.settle()
    assert len(heard(east)) < count
    assert east.owner.named("cost") == []
    world.advance(count * (len(LARGEST) + limits.LSA_INTAKE_MESSAGE_BYTES) / RATE)
    assert len(heard(east)) == count
    assert [event[2] for event in east.owner.named("cost")] == [7], "what came behind it"
    assert world.time - began < 30.0
    assert not east.owner.named("down")


def flood(world: World, west: Router, east: RouterId, seconds: int) -> None:
    """Twice the rate, for so long."""
    for _ in range(10 * seconds):
        for _ in range(2 * RATE // 10 // len(LARGEST)):
            west.links.send(east, LsaMessage(LARGEST))
        world.advance(0.1)


def test_a_flood_is_read_at_its_rate_and_delays_no_other_site() -> None:
    world = World()
    west, east = linked(world)
    other = Router(world, "other")
    other.link("east")
    world.settle()
    seconds = 10
    flood(world, west, east.id, seconds)
    read = sum(map(len, heard(east)))
    assert BURST + 0.8 * seconds * RATE < read <= BURST + (seconds + 1) * RATE
    assert not east.owner.named("down")
    began = world.time
    other.links.send(east.id, LsaMessage(b"x"))
    world.settle()
    assert (heard(east)[-1], world.time) == (b"x", began)


def test_sites_that_one_token_let_in_are_read_at_the_rate_of_one() -> None:
    world = World()
    east = Router(world, "east")
    fleet = let_in_by_one_token(world, east, 3)
    other = Router(world, "other")
    other.link("east")
    world.settle()
    seconds = 10
    for _ in range(10 * seconds):
        for member in fleet:
            for _ in range(RATE // 10 // len(LARGEST)):
                member.links.send(east.id, LsaMessage(LARGEST))
        world.advance(0.1)
    read = sum(map(len, heard(east)))
    assert BURST + 0.8 * seconds * RATE < read <= BURST + (seconds + 1) * RATE
    assert not east.owner.named("down")
    began = world.time
    other.links.send(east.id, LsaMessage(b"x"))
    world.settle()
    assert (heard(east)[-1], world.time) == (b"x", began)


def test_a_router_of_our_own_site_may_send_what_it_likes() -> None:
    world = World()
    west = Router(world, "west", router="a" * 16, site="one")
    east = Router(world, "east", router="b" * 16, site="one")
    west.link("east", is_sibling=True)
    world.settle()
    for _ in range(30 * limits.MIB // len(LARGEST)):
        west.links.send(east.id, LsaMessage(LARGEST))
    world.settle()
    assert len(heard(east)) == 30 * limits.MIB // len(LARGEST)


@pytest.mark.parametrize("end", ["close", "drop"])
def test_a_link_that_rests_ends_as_any_other(end: str) -> None:
    world = World()
    west, east = linked(world)
    for _ in range(25 * limits.MIB // len(LARGEST)):
        west.links.send(east.id, LsaMessage(LARGEST))
    world.settle()
    if end == "close":
        east.links.close()
    else:
        east.links.drop(west.identity.site, "revoked")
    world.advance(limits.LANE_LINGER_S + 0.1)
    assert east.owner.named("down") and west.owner.named("down")
    assert all(wire.right.is_gone for wire in world.wires if wire.left.is_gone)
