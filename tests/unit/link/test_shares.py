"""What routers of one site tell each other of their shares: who may, and how much."""

import msgspec
import pytest

from router.link import control
from router.link.control import decode, encode
from router.link.sessions.handshake import AGREES_ON_SHARES, INTERIOR, SIBLING
from router.model import limits
from router.model.errors import RemoteProtocolError
from router.model.messages.shares import SharesMessage
from tests.unit.link.routers import Router
from tests.unit.link.wire import World

LONGEST = "d" * limits.SHARE_NAME_CHARS_MAX
MOST = tuple((f"{n:016x}/s", 2**53) for n in range(limits.SHARE_DEBTS_MAX))


def said(division: str = "ab", debts: tuple[tuple[str, int], ...] = ()) -> SharesMessage:
    return SharesMessage("a", 1, 1, 1, division, 0, 0, debts)


def test_the_most_that_may_be_said_fits_into_a_message_and_one_more_is_refused() -> None:
    most = said(LONGEST, MOST)
    payload = encode(most)
    assert len(payload) <= limits.CONTROL_MESSAGE_BYTES_MAX
    assert decode(memoryview(payload)) == most
    for too_much in (
        said(LONGEST + "d"),
        said(debts=(*MOST, ("one", 1))),
        said(debts=((LONGEST + "d", 1),)),
        said(debts=(("one", -1),)),
        said(debts=(("", 1),)),
    ):
        with pytest.raises(RemoteProtocolError):
            decode(memoryview(control.encode(too_much)))


def test_an_older_router_says_nothing_of_its_end_and_skips_that_of_others() -> None:
    over = msgspec.structs.replace(said(), is_over=True)
    fields = msgspec.msgpack.decode(encode(over))
    assert fields[-1] is True
    older = msgspec.msgpack.encode(fields[:-1])
    assert decode(memoryview(older)) == said()
    newer = msgspec.msgpack.encode([*fields, {"of": "a later release"}])
    assert decode(memoryview(newer)) == over


def test_siblings_tell_their_shares_and_a_neighbour_that_is_none_may_not() -> None:
    world = World()
    old, new = Router(world, "old", site="shop"), Router(world, "new", site="shop")
    west = Router(world, "west")
    new.link("old", name="router old:1", expected_site=new.identity.site, is_sibling=True)
    west.link("old")
    world.settle()
    assert new.links.adjacencies.sharing == {old.id: True}
    assert old.links.adjacencies.sharing == {new.id: True}
    new.links.send(old.id, said())
    world.settle()
    assert old.id in new.links.adjacent
    west.links.send(old.id, said())
    world.settle()
    assert old.id not in west.links.adjacent


def test_every_router_but_an_edge_says_that_it_agrees_on_shares() -> None:
    assert AGREES_ON_SHARES in INTERIOR.features & SIBLING.features
    assert AGREES_ON_SHARES not in INTERIOR.required | SIBLING.required
