"""Which parts of our own LSA go out, and when."""

import pytest

from router.model.limits import LSA_MIN_INTERVAL_S, LSA_REFRESH_S
from router.routing.adverts.lsa import Adjacency, Lsa, PartRef, Services, Topology
from router.routing.adverts.lsdb import Origin
from router.routing.core import RoutingCore
from router.routing.origin import OwnOrigin
from tests.unit.routing.fakes import FakeIdentity, declare, make_lsa, signed

HERE, THERE = FakeIdentity("here"), FakeIdentity("there")
NEXT = Adjacency(THERE.router, THERE.site, 1)
BODIES = [Services((declare(name),), ()) for name in ("a", "b", "c", "d")]


class World:
    """The maker of our parts."""

    def __init__(self) -> None:
        self.origin = OwnOrigin(HERE, epoch=7, boot_nonce=b"n", software="1", stub=False, now=0.0)

    def compose(
        self,
        bodies: list[Services],
        now: float = 0.0,
        *,
        whole: bool = False,
        draining: bool = False,
    ) -> list[Lsa]:
        parts = self.origin.compose((NEXT,), {}, bodies, now, draining=draining, whole=whole)
        return [lsa for lsa, _ in parts]


def numbers(parts: list[Lsa]) -> list[tuple[int, int]]:
    """Part and sequence of each."""
    return [(lsa.part, lsa.sequence) for lsa in parts]


def test_only_parts_that_changed_go_out_and_then_the_one_that_lists_them() -> None:
    world = World()
    a, b, c, d = BODIES
    assert numbers(world.compose([a, b, c])) == [(1, 1), (2, 2), (3, 3), (0, 4)]
    assert world.compose([a, b, c]) == []
    changed = world.compose([a, d, c])
    assert numbers(changed) == [(2, 5), (0, 6)]
    head = changed[-1].body
    assert isinstance(head, Topology)
    assert [(ref.part, ref.sequence) for ref in head.parts] == [(1, 1), (2, 5), (3, 3)]
    assert numbers(world.compose([a, d])) == [(0, 7)], "one less is listed"
    assert numbers(world.compose([a, d], draining=True)) == [(0, 8)]
    whole = world.compose([a, d], draining=True, whole=True)
    assert numbers(whole) == [(1, 9), (2, 10), (0, 11)]
    assert world.origin.originated == 11
    assert {(lsa.epoch, lsa.boot_epoch) for lsa in whole} == {(7, 7)}


def test_all_is_told_again_in_time_counted_from_when_all_was_told() -> None:
    world = World()
    refresh_at = [world.origin.refresh_at]
    for bodies, now, whole in ((1, 5.0, False), (2, 9.0, False), (2, 20.0, True)):
        world.compose(BODIES[:bodies], now, whole=whole)
        refresh_at.append(world.origin.refresh_at)
        assert world.origin.may_at >= now + LSA_MIN_INTERVAL_S
    assert refresh_at == [None, *[5.0 + LSA_REFRESH_S] * 2, 20.0 + LSA_REFRESH_S]


def test_alone_nothing_is_made_and_nothing_is_due() -> None:
    core = RoutingCore(HERE, epoch=1, boot_nonce=b"n", version="1", now=0.0)
    core.set_services([declare("a")], [], 0.0)
    core.set_draining(True, 1.0)
    assert (core.lsas_originated, core.database(), core.next_deadline()) == (0, (), None)
    core.adjacency_up(THERE.router, THERE.site, 1, 2.0)
    assert core.lsas_originated == len(core.database()) == 2
    assert core.next_deadline() is not None


@pytest.mark.parametrize("missing", ["head", "part", "nothing"])
def test_what_an_origin_tells_is_whole_once_its_head_and_each_listed_part_is_there(
    missing: str,
) -> None:
    origin = Origin(THERE.node)
    part = make_lsa(THERE, part=1, services=BODIES[0], sequence=1)
    head = make_lsa(THERE, parts=(PartRef(1, 1),), sequence=2)
    for lsa in (part, head):
        if (lsa is head and missing != "head") or (lsa is part and missing != "part"):
            origin.parts[lsa.part] = (lsa, signed(lsa, THERE))
    assert origin.adopt_services() == (missing == "nothing")
    assert origin.is_whole == (missing == "nothing")
    assert origin.declarations == (BODIES[0].declarations if missing == "nothing" else ())
    assert not origin.adopt_services(), "nothing is new"
