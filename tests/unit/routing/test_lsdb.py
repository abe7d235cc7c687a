"""Caps and eviction of the database."""

from router.model.limits import (
    LSA_MAX_AGE_S,
    ORIGINS_MAX,
    ROUTERS_PER_SITE_MAX,
    SERVICES_PER_SITE_MAX,
)
from router.routing.lsa import Lsa, Node, PartRef, Services
from router.routing.lsdb import Change, Lsdb, Standing
from tests.unit.routing.fakes import FakeIdentity, SameSiteIdentity, advert, declare, make_lsa

WEST, EAST = FakeIdentity("west"), FakeIdentity("east")


def store(lsdb: Lsdb, lsa: Lsa, now: float = 0.0) -> Change:
    return lsdb.store(lsa, b"", now)


def test_one_site_cannot_fill_the_database_with_routers_of_its_own() -> None:
    lsdb = Lsdb(WEST.node)
    store(lsdb, make_lsa(FakeIdentity("innocent")))
    for number in range(ROUTERS_PER_SITE_MAX + 10):
        phantom = SameSiteIdentity(EAST, f"{number}")
        assert lsdb.make_room(phantom.node, ())
        store(lsdb, make_lsa(phantom))
    assert len(lsdb) == ROUTERS_PER_SITE_MAX + 1
    assert lsdb.origin(FakeIdentity("innocent").node) is not None


def test_room_is_never_made_at_the_cost_of_a_reachable_router() -> None:
    lsdb = Lsdb(WEST.node)
    everybody: list[Node] = []
    for number in range(ORIGINS_MAX):
        who = FakeIdentity(f"{number}")
        everybody.append(who.node)
        store(lsdb, make_lsa(who))
    assert not lsdb.make_room(EAST.node, set(everybody))
    assert lsdb.make_room(everybody[3], set(everybody))
    assert lsdb.make_room(EAST.node, set(everybody[:7] + everybody[8:]))
    assert lsdb.origin(everybody[7]) is None
    assert lsdb.origin(everybody[6]) is not None


def test_a_refresh_changes_nothing_and_a_new_adjacency_the_graph() -> None:
    lsdb = Lsdb(WEST.node)
    assert store(lsdb, make_lsa(EAST, sequence=1)) is Change.TOPOLOGY
    assert store(lsdb, make_lsa(EAST, sequence=2)) is Change.NOTHING
    assert store(lsdb, make_lsa(EAST, sequence=3, neighbours=((WEST, 1),))) is Change.TOPOLOGY
    assert store(lsdb, make_lsa(EAST, sequence=4, neighbours=((WEST, 1),), stub=True)) is (
        Change.TOPOLOGY
    )


def test_services_count_once_exactly_the_listed_parts_are_there() -> None:
    lsdb = Lsdb(WEST.node)
    body = Services((), (advert("x"),))
    store(lsdb, make_lsa(EAST, sequence=3, parts=(PartRef(1, 1), PartRef(2, 2))))
    assert store(lsdb, make_lsa(EAST, part=1, sequence=1, services=body)) is Change.NOTHING
    other = Services((), (advert("y"),))
    assert store(lsdb, make_lsa(EAST, part=2, sequence=2, services=other)) is Change.SERVICES
    origin = lsdb.origin(EAST.node)
    assert origin is not None and [told.name for told in origin.adverts] == ["x", "y"]
    # A part that is ahead of part 0 waits for it; meanwhile the last complete set stays.
    assert store(lsdb, make_lsa(EAST, part=2, sequence=4, services=body)) is Change.NOTHING
    assert [told.name for told in origin.adverts] == ["x", "y"]
    head = make_lsa(EAST, sequence=5, parts=(PartRef(1, 1), PartRef(2, 4)))
    assert store(lsdb, head) is Change.SERVICES


def test_the_new_life_of_a_router_takes_its_old_services_along_only_when_it_says_so() -> None:
    lsdb = Lsdb(WEST.node)
    body = Services((), (advert("x"),))
    store(lsdb, make_lsa(EAST, part=1, sequence=1, services=body))
    store(lsdb, make_lsa(EAST, sequence=2, parts=(PartRef(1, 1),)))
    assert store(lsdb, make_lsa(EAST, epoch=2, sequence=2, parts=(PartRef(1, 1),))) is (
        Change.NOTHING
    )
    origin = lsdb.origin(EAST.node)
    assert origin is not None and origin.adverts == body.adverts
    assert list(origin.parts) == [0]
    assert store(lsdb, make_lsa(EAST, epoch=2, sequence=3)) is Change.SERVICES
    assert origin.adverts == ()


def test_services_beyond_the_limit_are_cut_off_alike_everywhere() -> None:
    lsdb = Lsdb(WEST.node)
    names = [f"s{number:05}" for number in range(SERVICES_PER_SITE_MAX + 9)]
    body = Services(tuple(map(declare, names)), tuple(map(advert, names)))
    store(lsdb, make_lsa(EAST, part=1, sequence=1, services=body))
    store(lsdb, make_lsa(EAST, sequence=2, parts=(PartRef(1, 1),)))
    origin = lsdb.origin(EAST.node)
    assert origin is not None
    assert [told.name for told in origin.adverts] == names[:SERVICES_PER_SITE_MAX]
    assert [told.name for told in origin.declarations] == names[:SERVICES_PER_SITE_MAX]


def test_only_what_was_not_refreshed_ages_out() -> None:
    lsdb = Lsdb(WEST.node)
    store(lsdb, make_lsa(EAST), 0.0)
    store(lsdb, make_lsa(FakeIdentity("other")), 0.0)
    store(lsdb, make_lsa(WEST), 0.0)
    store(lsdb, make_lsa(EAST, sequence=2), 10.0)
    assert lsdb.next_expiry() == LSA_MAX_AGE_S
    assert lsdb.expire(LSA_MAX_AGE_S)
    assert lsdb.origin(FakeIdentity("other").node) is None
    assert lsdb.origin(EAST.node) is not None
    assert lsdb.expire(LSA_MAX_AGE_S + 10.0)
    assert lsdb.origin(WEST.node) is not None  # Ours: we refresh it ourselves.
    assert lsdb.next_expiry() is None


def test_two_sites_with_one_router_id_stay_apart() -> None:
    lsdb = Lsdb(WEST.node)
    thief = FakeIdentity("mallory", router=EAST.router)
    store(lsdb, make_lsa(EAST))
    assert lsdb.standing(make_lsa(thief, epoch=9), b"") is Standing.NEWER
    store(lsdb, make_lsa(thief, epoch=9))
    assert lsdb.standing(make_lsa(EAST), b"") is Standing.SAME
    assert set(lsdb.nodes_of(EAST.router)) == {EAST.node, thief.node}
