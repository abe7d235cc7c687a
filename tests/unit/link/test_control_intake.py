"""A neighbor's control messages are decoded at once up to the burst that a large network needs,
and in the long run no faster than the neighbor's rate."""

import pytest

from router.link import control, frames
from router.link.control import CostMessage, Proof
from router.link.routing_messages import LoadMessage, LsaMessage
from router.model import limits
from router.model.ids import RouterId
from router.model.messages.acks import LsaAck
from router.model.messages.adverts import LoadReport
from router.model.messages.edges import ServiceRow, TableMessage
from router.model.messages.packed import pack
from tests.unit.link.routers import Router, let_in_by_one_token, linked
from tests.unit.link.test_handshake import Dialer
from tests.unit.link.test_lsa_intake import database
from tests.unit.link.wire import World

RATE, BURST = limits.CONTROL_INTAKE_BYTES_PER_S, limits.CONTROL_INTAKE_BURST_BYTES
LATER = pack(["of tomorrow", [bytes(1_000)] * 60])
"""A message that is not known here, of a neighbor of a later minor version."""


def read_of(router: Router) -> int:
    """Messages for routing that arrived."""
    return len(router.owner.named("message"))


LARGEST = LoadMessage(
    (LoadReport(RouterId("1" * 16), 1, "s" * 170, 80, 1, 1, 1),) * limits.LOADS_PER_MESSAGE_MAX
)
LARGEST_BYTES = len(control.encode(LARGEST))


def later(world: World, east: Router) -> Dialer:
    """A neighbor of a later minor version, linked."""
    dialer = Dialer(world, east)
    dialer.say(dialer.hello(minor=control.MINOR + 1))
    dialer.say(Proof(dialer.identity.sign(dialer.transcript())))
    assert east.owner.named("up")
    return dialer


def test_what_1000_sites_need_when_a_link_comes_up_is_read_at_once() -> None:
    world = World()
    west, east = linked(world)
    began, told = world.time, database()
    for number, signed in enumerate(told):
        west.links.send(east.id, LsaMessage(signed))
        west.links.send(east.id, LsaAck(west.id, 1, number, number))
    site = west.identity.site
    row = ServiceRow("service-of-a-site", bytes(160), site, True, (), (site,))
    rows = tuple([row] * (limits.EDGE_TABLE_BYTES_MAX // len(pack(row))))
    messages = limits.EDGE_ROWS_MAX // len(rows) + 1
    for number in range(messages):
        table = TableMessage(
            series=1,
            base=number,
            version=number + 1,
            wish=1,
            is_last=False,
            left_out=0,
            draining=False,
            services=rows,
        )
        west.links.send(east.id, table)
    world.settle()
    assert (read_of(east), world.time) == (2 * len(told) + messages, began)


def test_a_flood_of_control_messages_is_read_at_its_rate_and_delays_no_other_site() -> None:
    world = World()
    west, east = linked(world)
    other = Router(world, "other")
    other.link("east")
    world.settle()
    seconds = 10
    for _ in range(10 * seconds):
        for _ in range(2 * RATE // 10 // LARGEST_BYTES):
            west.links.send(east.id, LARGEST)
        world.advance(0.1)
    read = read_of(east) * LARGEST_BYTES
    assert BURST + 0.8 * seconds * RATE < read <= BURST + (seconds + 1) * RATE
    assert not east.owner.named("down")
    began, before = world.time, read_of(east)
    other.links.send(east.id, LsaAck(other.id, 1, 1, 1))
    world.settle()
    assert (read_of(east), world.time) == (before + 1, began)


def test_sites_that_one_token_let_in_are_read_at_the_rate_of_one() -> None:
    world = World()
    east = Router(world, "east")
    fleet = let_in_by_one_token(world, east, 3)
    world.settle()
    seconds = 10
    for _ in range(10 * seconds):
        for member in fleet:
            for _ in range(RATE // 10 // LARGEST_BYTES):
                member.links.send(east.id, LARGEST)
        world.advance(0.1)
    read = read_of(east) * LARGEST_BYTES
    assert BURST + 0.8 * seconds * RATE < read <= BURST + (seconds + 1) * RATE
    assert not east.owner.named("down")


def test_small_messages_count_for_more_than_their_bytes() -> None:
    world = World()
    west, east = linked(world)
    count = 2 * BURST // (limits.CONTROL_INTAKE_MESSAGE_BYTES + 31)
    for _ in range(100):
        for number in range(count // 100):
            west.links.send(east.id, LsaAck(west.id, 1, number, number))
        world.settle()
    assert read_of(east) < 0.6 * count
    assert not east.owner.named("down")


def test_acknowledgements_of_what_was_sent_are_read_at_once_however_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    with monkeypatch.context() as patched:  # As if of many more sites.
        patched.setattr(limits, "CONTROL_INTAKE_MESSAGE_BYTES", BURST // 400)
        east = Router(world, "east")
    fleet = let_in_by_one_token(world, east, 3)
    world.settle()
    began, count = world.time, 2 * limits.GLITCHES_MAX
    for number in range(count):
        for member in fleet:
            east.links.send(member.id, LsaMessage(b"signed"))
            member.links.send(east.id, LsaAck(east.id, 1, number, number))
        world.settle()
    assert not east.owner.named("down")
    assert (read_of(east), world.time) == (len(fleet) * count, began)


def test_what_is_not_known_here_counts_too() -> None:
    world = World()
    east = Router(world, "east")
    dialer = later(world, east)
    for _ in range(2 * BURST // len(LATER)):
        dialer.wire.left.send(frames.encode(frames.CONTROL, 0, LATER))
        world.settle()
    dialer.say(CostMessage(7))
    assert not east.owner.named("cost"), "it waits behind what is too much"
    world.advance(2 * BURST / RATE)
    assert [event[2] for event in east.owner.named("cost")] == [7]


def test_a_neighbour_that_is_far_above_its_budget_loses_its_link(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "CONTROL_INTAKE_MESSAGE_BYTES", BURST // 4)
    until_late = 4 + 4 * limits.INTAKE_LATE_S_MAX / (BURST / RATE)  # Messages, as if many links'.
    little = frames.encode(frames.CONTROL, 0, pack(["later"]))
    world = World()
    east = Router(world, "east")
    dialer = later(world, east)
    dialer.wire.left.send(little * (limits.GLITCHES_MAX + int(until_late)))
    world.settle()
    assert not east.owner.named("down")
    dialer.wire.left.send(little * 3)
    world.advance(limits.INTAKE_REST_S_MAX)
    goaway = dialer.goaway()
    assert (goaway.code, goaway.hint) == (
        "glitches",
        "Do both routers run versions that go together?",
    )
    assert goaway.hint in str(east.owner.named("down")[-1])


def test_a_router_of_our_own_site_may_say_as_much_as_it_likes() -> None:
    world = World()
    west = Router(world, "west", router="a" * 16, site="one")
    east = Router(world, "east", router="b" * 16, site="one")
    west.link("east", is_sibling=True)
    world.settle()
    count = 2 * BURST // LARGEST_BYTES
    for _ in range(count):
        west.links.send(east.id, LARGEST)
    world.settle()
    assert read_of(east) == count
