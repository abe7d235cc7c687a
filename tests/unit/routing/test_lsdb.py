"""Caps and eviction of the database."""

from collections.abc import Collection

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.model.ids import SiteId
from router.model.limits import (
    LSA_MAX_AGE_S,
    LSA_NEIGHBOUR_NAMES_MAX,
    LSA_SITE_NAMES_MAX,
    ORIGINS_MAX,
    ROUTERS_PER_SITE_MAX,
)
from router.routing.adverts.budgets import LsaSource
from router.routing.adverts.lsa import Lsa, Node, PartRef, Services
from router.routing.adverts.lsdb import FULL, Lsdb, PartStanding, StoreChange
from tests.unit.routing.fakes import FakeIdentity, SameSiteIdentity, advert, declare, make_lsa

pytestmark = pytest.mark.usefixtures("both_orders")

WEST, EAST = FakeIdentity("west"), FakeIdentity("east")


def store(lsdb: Lsdb, lsa: Lsa, now: float = 0.0) -> StoreChange:
    return lsdb.store(lsa, b"", now)


def test_one_site_cannot_fill_the_database_with_routers_of_its_own() -> None:
    lsdb = Lsdb(WEST.node)
    store(lsdb, make_lsa(FakeIdentity("innocent")))
    for number in range(ROUTERS_PER_SITE_MAX + 10):
        phantom = SameSiteIdentity(EAST, f"{number}")
        assert not lsdb.make_room(make_lsa(phantom), b"", (), 0.0)
        store(lsdb, make_lsa(phantom))
    assert len(lsdb) == ROUTERS_PER_SITE_MAX + 1
    assert lsdb.origin(FakeIdentity("innocent").node) is not None


def test_room_is_never_made_at_the_cost_of_a_reachable_router() -> None:
    lsdb = Lsdb(WEST.node)
    everybody: list[FakeIdentity] = []
    for number in range(ORIGINS_MAX):
        who = FakeIdentity(f"{number}")
        everybody.append(who)
        store(lsdb, make_lsa(who))
    nodes = [who.node for who in everybody]
    assert lsdb.make_room(make_lsa(EAST), b"", set(nodes), 0.0) == FULL
    assert not lsdb.make_room(make_lsa(everybody[3]), b"", set(nodes), 0.0)
    assert not lsdb.make_room(make_lsa(EAST), b"", set(nodes[:7] + nodes[8:]), 0.0)
    assert lsdb.origin(nodes[7]) is None
    assert lsdb.origin(nodes[6]) is not None


def test_a_refresh_changes_nothing_and_a_new_adjacency_the_graph() -> None:
    lsdb = Lsdb(WEST.node)
    assert store(lsdb, make_lsa(EAST, sequence=1)) is StoreChange.TOPOLOGY
    assert store(lsdb, make_lsa(EAST, sequence=2)) is StoreChange.NOTHING
    assert store(lsdb, make_lsa(EAST, sequence=3, neighbours=((WEST, 1),))) is StoreChange.TOPOLOGY
    assert store(lsdb, make_lsa(EAST, sequence=4, neighbours=((WEST, 1),), stub=True)) is (
        StoreChange.TOPOLOGY
    )


@pytest.mark.parametrize(
    ("field", "values"),
    [("name", ("b", "c", "a")), ("version", ("2", "3", "1")), ("deleted", (False, True, False))],
)
def test_another_name_or_version_of_a_site_changes_no_path(
    field: str, values: tuple[str | bool, ...]
) -> None:
    lsdb = Lsdb(WEST.node)
    for sequence, value in enumerate(values):
        lsa = make_lsa(EAST, sequence=2 * sequence + 1)
        body = msgspec.structs.replace(lsa.body, **{field: value})
        change = store(lsdb, msgspec.structs.replace(lsa, body=body))
        assert change is (StoreChange.SERVICES if sequence else StoreChange.TOPOLOGY)
        again = msgspec.structs.replace(lsa, body=body, sequence=2 * sequence + 2)
        assert store(lsdb, again) is StoreChange.NOTHING


def test_services_count_once_exactly_the_listed_parts_are_there() -> None:
    lsdb = Lsdb(WEST.node)
    body = Services((), (advert("x"),))
    early = make_lsa(EAST, part=2, sequence=1, services=body)
    assert store(lsdb, early) is StoreChange.NOTHING, "its part 0 has not come"
    store(lsdb, make_lsa(EAST, sequence=3, parts=(PartRef(1, 1), PartRef(2, 2))))
    assert store(lsdb, make_lsa(EAST, part=1, sequence=1, services=body)) is StoreChange.NOTHING
    other = Services((), (advert("y"),))
    assert store(lsdb, make_lsa(EAST, part=2, sequence=2, services=other)) is StoreChange.SERVICES
    origin = lsdb.origin(EAST.node)
    assert origin is not None and [told.name for told in origin.adverts] == ["x", "y"]
    # A part that is ahead of part 0 waits for it; meanwhile the last complete set stays.
    assert store(lsdb, make_lsa(EAST, part=2, sequence=4, services=body)) is StoreChange.NOTHING
    assert [told.name for told in origin.adverts] == ["x", "y"]
    head = make_lsa(EAST, sequence=5, parts=(PartRef(1, 1), PartRef(2, 4)))
    assert store(lsdb, head) is StoreChange.SERVICES


def test_the_new_life_of_a_router_takes_its_old_services_along_only_when_it_says_so() -> None:
    lsdb = Lsdb(WEST.node)
    body = Services((), (advert("x"),))
    store(lsdb, make_lsa(EAST, part=1, sequence=1, services=body))
    store(lsdb, make_lsa(EAST, sequence=2, parts=(PartRef(1, 1),)))
    assert store(lsdb, make_lsa(EAST, epoch=2, sequence=2, parts=(PartRef(1, 1),))) is (
        StoreChange.NOTHING
    )
    origin = lsdb.origin(EAST.node)
    assert origin is not None and origin.adverts == body.adverts
    assert list(origin.parts) == [0]
    assert store(lsdb, make_lsa(EAST, epoch=2, sequence=3)) is StoreChange.SERVICES
    assert origin.adverts == ()


@pytest.mark.parametrize("listed", [(), (1,), (2,), (3,), (1, 3), (1, 2, 3)])
def test_exactly_the_parts_that_a_later_head_lists_are_kept(listed: tuple[int, ...]) -> None:
    lsdb = Lsdb(WEST.node)
    for part in (1, 2, 3):
        store(lsdb, make_lsa(EAST, part=part, services=Services((), (advert(f"x{part}"),))))
    store(lsdb, make_lsa(EAST, sequence=2, parts=tuple(PartRef(part, 1) for part in listed)))
    origin = lsdb.origin(EAST.node)
    assert origin is not None and sorted(origin.parts) == [0, *listed]
    assert [told.name for told in origin.adverts] == [f"x{part}" for part in listed]


def crowd(count: int, names: int) -> list[tuple[FakeIdentity, Lsa, Lsa]]:
    """Routers of one site, each with ``names`` different names: part 1 and part 0 of each."""
    found: list[tuple[FakeIdentity, Lsa, Lsa]] = []
    for number in range(count):
        who = SameSiteIdentity(EAST, f"{number}")
        body = Services(tuple(declare(f"s{number}-{name}") for name in range(names)), ())
        part = make_lsa(who, part=1, services=body)
        found.append((who, part, make_lsa(who, sequence=2, parts=(PartRef(1, 1),))))
    return found


def take(
    lsdb: Lsdb,
    lsa: Lsa,
    reachable: Collection[Node],
    now: float = 0.0,
    by: SiteId | LsaSource | None = None,
) -> str:
    """Why it was refused; empty: it was not. ``by``: a site that no token let in, or who it is."""
    by = LsaSource(by) if isinstance(by, str) else by
    excess = lsdb.make_room(lsa, b"12", reachable, now, by)
    if excess is not None:
        lsdb.refuse(lsa)
        return excess.limit
    lsdb.store(lsa, b"12", now, by)
    return ""


def test_routers_of_one_site_share_the_services_that_are_kept_of_it() -> None:
    lsdb, told = Lsdb(WEST.node), crowd(4, LSA_SITE_NAMES_MAX // 3)
    everybody = {who.node for who, *_ in told}
    reasons = [take(lsdb, lsa, everybody) for _, part, head in told for lsa in (part, head)]
    assert [reason for reason in reasons if reason] == [
        f"more than {LSA_SITE_NAMES_MAX:,} services"
    ]
    kept = sum(len(origin.declarations) for origin in lsdb.origins())
    assert kept == 3 * (LSA_SITE_NAMES_MAX // 3)
    other = make_lsa(FakeIdentity("other"), part=1, services=Services((declare("mine"),), ()))
    assert take(lsdb, other, everybody) == ""


def test_routers_to_which_no_path_leads_make_room_for_those_of_the_same_site() -> None:
    """A site whose pods were all replaced is as large as before."""
    lsdb, told = Lsdb(WEST.node), crowd(4, LSA_SITE_NAMES_MAX // 2)
    for now, (_, part, head) in enumerate(told):
        alive = {who.node for who, *_ in told[max(0, now - 1) : now + 1]}
        assert take(lsdb, part, alive, now) == take(lsdb, head, alive, now) == ""
    assert {origin.node for origin in lsdb.origins()} == {who.node for who, *_ in told[2:]}


def test_a_part_that_found_no_room_stays_as_it_was_and_the_others_go_on() -> None:
    lsdb, node = Lsdb(WEST.node), {EAST.node}
    small, other = Services((declare("a"),), ()), Services((declare("b"),), ())
    many = Services(tuple(declare(f"s{n}") for n in range(LSA_SITE_NAMES_MAX + 1)), ())
    for part, body in enumerate((small, other), 1):
        take(lsdb, make_lsa(EAST, part=part, services=body), node)
    take(lsdb, make_lsa(EAST, sequence=2, parts=(PartRef(1, 1), PartRef(2, 1))), node)
    newer = Services((declare("c"),), ())
    assert take(lsdb, make_lsa(EAST, part=1, sequence=3, services=many), node)
    assert not take(lsdb, make_lsa(EAST, part=2, sequence=3, services=newer), node)
    take(lsdb, make_lsa(EAST, sequence=4, parts=(PartRef(1, 3), PartRef(2, 3))), node)
    origin = lsdb.origin(EAST.node)
    assert origin is not None and [told.name for told in origin.declarations] == ["a", "c"]
    assert not origin.is_whole  # A name that is missing from it is not withdrawn.
    assert not take(lsdb, make_lsa(EAST, part=1, sequence=5, services=small), node)
    take(lsdb, make_lsa(EAST, sequence=6, parts=(PartRef(1, 5), PartRef(2, 3))), node)
    assert origin.is_whole


def invented(number: int, names: int) -> tuple[Lsa, Lsa]:
    """Part 1 and part 0 of a site with a new key."""
    who = FakeIdentity(f"invented {number}")
    body = Services(tuple(declare(f"s{number}-{name}") for name in range(names)), ())
    return make_lsa(who, part=1, services=body), make_lsa(who, sequence=2, parts=(PartRef(1, 1),))


def items(lsdb: Lsdb) -> int:
    return sum(len(origin.declarations) for origin in lsdb.origins())


def everybody(lsdb: Lsdb) -> set[Node]:
    return {origin.node for origin in lsdb.origins()}


def test_what_one_neighbor_brings_of_invented_sites_is_bounded_and_harms_no_other() -> None:
    lsdb, each = Lsdb(WEST.node), LSA_SITE_NAMES_MAX // 2
    mallory, honest = FakeIdentity("mallory").site, FakeIdentity("honest").site
    told = [part for n in range(60) for part in invented(n, each)]
    reasons = {take(lsdb, lsa, everybody(lsdb), by=mallory) for lsa in told}
    assert reasons == {
        "",
        f"more than {LSA_NEIGHBOUR_NAMES_MAX:,} services",
    }
    assert LSA_NEIGHBOUR_NAMES_MAX - each < items(lsdb) <= LSA_NEIGHBOUR_NAMES_MAX
    before = items(lsdb)
    for lsa in invented(60, each):  # Of a real site, brought by the neighbor that leads to it.
        assert take(lsdb, lsa, everybody(lsdb), by=honest) == ""
    own = Services((declare("mine"),), ())
    part = make_lsa(FakeIdentity("mallory"), part=1, services=own)
    head = make_lsa(FakeIdentity("mallory"), sequence=2, parts=(PartRef(1, 1),))
    assert [take(lsdb, lsa, everybody(lsdb), by=mallory) for lsa in (part, head)] == ["", ""]
    assert items(lsdb) == before + each + 1


def test_what_one_neighbor_has_no_room_for_another_one_may_bring() -> None:
    lsdb, each = Lsdb(WEST.node), LSA_SITE_NAMES_MAX
    mallory, honest = FakeIdentity("mallory").site, FakeIdentity("honest").site
    for number in range(30):
        for lsa in invented(number, each):
            take(lsdb, lsa, everybody(lsdb), by=mallory)
    part, head = invented(30, each)
    assert take(lsdb, part, everybody(lsdb), by=mallory)
    assert take(lsdb, part, everybody(lsdb), by=honest) == ""
    assert take(lsdb, head, everybody(lsdb), by=mallory) == ""
    origin = lsdb.origin(head.node)
    assert origin is not None and len(origin.declarations) == each and origin.is_whole


def test_invented_sites_to_which_no_path_leads_make_room_for_others() -> None:
    lsdb, each = Lsdb(WEST.node), LSA_SITE_NAMES_MAX
    mallory = FakeIdentity("mallory").site
    for number in range(60):
        last = invented(number, each)
        for lsa in last:
            assert take(lsdb, lsa, {last[0].node}, number, by=mallory) == ""
    assert items(lsdb) <= LSA_NEIGHBOUR_NAMES_MAX


def test_one_neighbor_brings_as_many_routers_as_the_limit_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("router.routing.adverts.lsdb.LSA_NEIGHBOUR_ROUTERS_MAX", 3)
    lsdb, mallory = Lsdb(WEST.node), FakeIdentity("mallory").site
    heads = [make_lsa(FakeIdentity(f"invented {number}")) for number in range(4)]
    reasons = [take(lsdb, head, everybody(lsdb), by=mallory) for head in heads]
    assert reasons == ["", "", "", "more than 3 routers"]
    assert take(lsdb, make_lsa(FakeIdentity("mallory")), everybody(lsdb), by=mallory) == ""
    assert take(lsdb, heads[3], everybody(lsdb), by=FakeIdentity("honest").site) == ""


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


def test_the_age_of_a_head_counts_from_its_router_and_no_other_part_has_one() -> None:
    lsdb = Lsdb(WEST.node)
    head, part = make_lsa(EAST), make_lsa(EAST, part=1, services=Services((), ()))
    lsdb.store(head, b"", 100.0, age_s=30)
    lsdb.store(part, b"", 100.0, age_s=30)
    store(lsdb, make_lsa(WEST), 0.0)
    assert lsdb.age_s(head.key, 107.9) == 37
    assert lsdb.age_s(head.key, 99.0) == 29
    assert lsdb.age_s(head.key, 0.0) == 0
    assert lsdb.age_s(part.key, 107.9) == 0
    assert lsdb.age_s(make_lsa(WEST).key, 107.9) == 0
    assert lsdb.age_s(make_lsa(FakeIdentity("far")).key, 107.9) == 0
    assert lsdb.next_expiry() == 100.0 + LSA_MAX_AGE_S, "each copy ages from its receipt"
    store(lsdb, make_lsa(EAST, sequence=2), 200.0)
    assert lsdb.age_s(head.key, 201.0) == 1


@given(st.lists(st.floats(0.0, LSA_MAX_AGE_S), min_size=1, max_size=8))
def test_on_its_way_over_restarted_routers_an_age_loses_less_than_a_second_at_each(
    stays: list[float],
) -> None:
    now, age_s, head = 0.0, 0, make_lsa(EAST)
    for stay in stays:
        lsdb = Lsdb(WEST.node)
        lsdb.store(head, b"", now, age_s=age_s)
        now += stay
        age_s = lsdb.age_s(head.key, now)
    assert now - len(stays) < age_s + 1e-6
    assert age_s <= now + 1e-6


def test_a_router_is_gone_with_its_last_part_also_if_its_head_never_came() -> None:
    lsdb = Lsdb(WEST.node)
    for part, at in ((1, 0.0), (2, 5.0)):
        store(lsdb, make_lsa(EAST, part=part, services=Services((), (advert("x"),))), at)
    assert not lsdb.expire(LSA_MAX_AGE_S), "one part is left"
    assert lsdb.origin(EAST.node) is not None
    assert lsdb.expire(LSA_MAX_AGE_S + 5.0)
    assert lsdb.origin(EAST.node) is None


def test_two_sites_with_one_router_id_stay_apart() -> None:
    lsdb = Lsdb(WEST.node)
    thief = FakeIdentity("mallory", router=EAST.router)
    store(lsdb, make_lsa(EAST))
    assert lsdb.standing(make_lsa(thief, epoch=9), b"") is PartStanding.NEWER
    store(lsdb, make_lsa(thief, epoch=9))
    assert lsdb.standing(make_lsa(EAST), b"") is PartStanding.SAME
    assert set(lsdb.nodes_of(EAST.router)) == {EAST.node, thief.node}


def swarm(count: int, names: int) -> list[tuple[LsaSource, Lsa, Lsa]]:
    """Sites that one token let in, each with different names: part 1 and part 0."""
    found = []
    for number in range(count):
        part, head = invented(number, names)
        found.append((LsaSource(part.site, "fleet"), part, head))
    return found


def test_what_sites_of_one_token_tell_of_themselves_is_bounded_together() -> None:
    """Who holds a certificate token links as many sites as there are places."""
    lsdb, each = Lsdb(WEST.node), LSA_SITE_NAMES_MAX // 2
    told = swarm(60, each)
    reasons = {take(lsdb, lsa, everybody(lsdb), by=by) for by, *lsas in told for lsa in lsas}
    assert reasons == {"", f"more than {LSA_NEIGHBOUR_NAMES_MAX:,} services"}
    assert LSA_NEIGHBOUR_NAMES_MAX - each < items(lsdb) <= LSA_NEIGHBOUR_NAMES_MAX
    before = items(lsdb)
    for lsa in invented(60, each):  # Of a site with a separate token.
        assert take(lsdb, lsa, everybody(lsdb), by=LsaSource(lsa.site, "single")) == ""
    for lsa in invented(61, each):  # Of a site that this one dials.
        assert take(lsdb, lsa, everybody(lsdb), by=lsa.site) == ""
    assert items(lsdb) == before + 2 * each


def test_sites_of_one_token_bring_no_more_of_others_than_one_neighbor() -> None:
    lsdb, each = Lsdb(WEST.node), LSA_SITE_NAMES_MAX // 2
    for number in range(60):
        by = LsaSource(FakeIdentity(f"member {number}").site, "fleet")
        for lsa in invented(number, each):
            take(lsdb, lsa, everybody(lsdb), by=by)
    assert LSA_NEIGHBOUR_NAMES_MAX - each < items(lsdb) <= LSA_NEIGHBOUR_NAMES_MAX


def test_of_a_token_whose_sites_went_there_is_room_for_those_that_come() -> None:
    lsdb, each = Lsdb(WEST.node), LSA_SITE_NAMES_MAX
    for now, (by, part, head) in enumerate(swarm(30, each)):
        for lsa in (part, head):
            assert take(lsdb, lsa, {part.node}, now, by=by) == ""
    assert items(lsdb) <= LSA_NEIGHBOUR_NAMES_MAX


def test_a_neighbor_brings_newer_words_in_the_place_of_its_older_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("router.routing.adverts.budgets.LSA_NEIGHBOUR_ITEMS_MAX", 3)
    lsdb, who = Lsdb(WEST.node), FakeIdentity("invented")
    mallory, honest = FakeIdentity("mallory").site, FakeIdentity("honest").site

    def told(sequence: int, *names: str) -> Lsa:
        services = Services(tuple(map(declare, names)), ())
        return make_lsa(who, part=1, sequence=sequence, services=services)

    assert take(lsdb, told(1, "a", "b", "c"), {who.node}, by=mallory) == ""
    assert take(lsdb, told(2, "d", "e", "f"), {who.node}, by=mallory) == ""
    other = make_lsa(FakeIdentity("other"), part=1, services=Services((declare("x"),), ()))
    assert take(lsdb, other, {who.node}, by=honest) == ""
    assert take(lsdb, told(3, "a", "b", "c"), {who.node}, by=honest), "with x there are four"
