"""Laws of budgets of sites and neighbors: they hold, and an excess harms no other site."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import product
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.model.ids import SiteId
from router.routing.adverts.budgets import LsaSource, SiteBudget
from router.routing.adverts.lsa import Lsa, LsaKey, Node, PartRef, Services
from router.routing.adverts.lsdb import Lsdb, Origin
from tests.examples import histories
from tests.unit.routing.fakes import FakeIdentity, SameSiteIdentity, advert, declare, make_lsa

OWN, MALLORY, HONEST = FakeIdentity("own"), FakeIdentity("mallory"), FakeIdentity("honest")
ROUTERS = {
    "mallory": [SameSiteIdentity(MALLORY, f"{n}") for n in range(4)],
    "honest": [SameSiteIdentity(HONEST, f"{n}") for n in range(4)],
}
LIMITS = {"LSA_SITE_NAMES_MAX": 5, "LSA_SITE_ITEMS_MAX": 12, "LSA_SITE_BYTES_MAX": 400}


class Said(msgspec.Struct, frozen=True):
    """A part with services, or (``part`` 0) the list of all; ``lost``: unreachable routers."""

    site: str
    router: int
    part: int
    names: frozenset[int]
    ports: int
    size: int
    lost: frozenset[int]
    computed: float


SAID = st.builds(
    Said,
    st.sampled_from(sorted(ROUTERS)),
    st.integers(0, 3),
    st.integers(0, 3),
    st.frozensets(st.integers(0, 8), max_size=5),
    st.integers(1, 3),
    st.integers(1, 250),
    st.frozensets(st.integers(0, 3)),
    st.floats(0, 25),
)


@contextmanager
def limited(**changes: int) -> Iterator[None]:
    with ExitStack() as stack:
        for name, most in {**LIMITS, **changes}.items():
            stack.enter_context(patch(f"router.routing.adverts.budgets.{name}", most))
        yield


def lsa_of(said: Said, sequence: int) -> Lsa:
    who = ROUTERS[said.site][said.router]
    if said.part == 0:
        return make_lsa(who, sequence=sequence, parts=(PartRef(1, sequence - 1),))
    names = [f"{said.site}-{name}" for name in sorted(said.names)]
    adverts = [advert(name, port=80 + port) for name in names for port in range(said.ports)]
    body = Services(tuple(map(declare, names)), tuple(adverts))
    return make_lsa(who, part=said.part, sequence=sequence, services=body)


def after(history: Sequence[Said]) -> tuple[Lsdb, list[str]]:
    """The database, and for each of ``history`` why it was refused."""
    lsdb, refusals = Lsdb(OWN.node), []
    everybody = {router.node for routers in ROUTERS.values() for router in routers}
    for number, said in enumerate(history, 1):
        lsa, signed = lsa_of(said, 2 * number), bytes(said.size)
        lost = {ROUTERS[said.site][router].node for router in said.lost}
        excess = lsdb.make_room(lsa, signed, everybody - lost, said.computed)
        refusals.append("" if excess is None else excess.limit)
        if excess is not None:
            lsdb.refuse(lsa)
        else:
            lsdb.store(lsa, signed, float(number))
    return lsdb, refusals


def held(lsdb: Lsdb, site: str) -> dict[LsaKey, tuple[Lsa, bytes]]:
    nodes = {router.node for router in ROUTERS[site]}
    found = {key: lsdb.get(key) for origin in lsdb.origins() for key in keys_of(origin)}
    return {key: stored for key, stored in found.items() if stored and key.node in nodes}


def keys_of(origin: Origin) -> list[LsaKey]:
    return [LsaKey(part, origin.node) for part in origin.parts]


def sums(lsdb: Lsdb, site: str) -> tuple[int, int, int]:
    """Names, items and bytes in the LSAs of ``site``, counted afresh."""
    parts = [(lsa.body, data) for lsa, data in held(lsdb, site).values()]
    bodies = [(body, data) for body, data in parts if isinstance(body, Services)]
    names = [told.name for body, _ in bodies for told in body.declarations]
    names += [told.name for body, _ in bodies for told in body.adverts]
    return len(set(names)), len(names), sum(len(data) for _, data in bodies)


@given(histories(SAID, 25))
def test_no_site_is_kept_beyond_its_budget_whatever_its_routers_say(history: list[Said]) -> None:
    with limited():
        lsdb, _ = after(history)
    for site in ROUTERS:
        assert all(was <= most for was, most in zip(sums(lsdb, site), LIMITS.values(), strict=True))


@given(histories(SAID, 25))
def test_what_one_site_tells_changes_nothing_of_what_is_kept_of_another(
    history: list[Said],
) -> None:
    with limited():
        together, _ = after(history)
        silent = [msgspec.structs.replace(one, part=0) for one in history]
        alone, _ = after(
            [
                one if one.site == "honest" else quiet
                for one, quiet in zip(history, silent, strict=True)
            ]
        )
    assert held(together, "honest") == held(alone, "honest")


@given(histories(SAID, 25))
def test_a_refusal_has_a_reason_and_leaves_the_part_as_it_was(history: list[Said]) -> None:
    with limited():
        lsdb, refusals = after(history)
        for number, (said, refusal) in enumerate(zip(history, refusals, strict=True)):
            if not refusal:
                continue
            before, _ = after(history[:number])
            since, _ = after(history[: number + 1])
            key = lsa_of(said, 1).key
            assert said.part and "more than" in refusal
            assert since.get(key) == before.get(key)
    assert len(refusals) == len(history)
    assert not [origin for origin in lsdb.origins() if not origin.parts]


@given(histories(SAID, 25))
def test_what_does_not_grow_always_has_room(history: list[Said]) -> None:
    with limited():
        lsdb, _ = after(history)
        for key, (lsa, signed) in held(lsdb, "mallory").items():
            again = msgspec.structs.replace(lsa, sequence=1_000)
            assert lsdb.make_room(again, signed, everybody_of(lsdb), 0.0) is None
            assert lsdb.get(key) is not None


@given(histories(SAID, 25), SAID)
def test_there_is_room_for_exactly_the_bytes_that_are_left(history: list[Said], last: Said) -> None:
    with limited(LSA_SITE_NAMES_MAX=1_000, LSA_SITE_ITEMS_MAX=1_000):
        lsdb, _ = after(history)
        lsa = lsa_of(msgspec.structs.replace(last, part=4), 1_000)
        left = LIMITS["LSA_SITE_BYTES_MAX"] - sums(lsdb, last.site)[2]
        for size in (left, left + 1):
            refusal = lsdb.make_room(lsa, bytes(size), everybody_of(lsdb) | {lsa.node}, 0.0)
            assert (refusal is not None) == (size > left)


def everybody_of(lsdb: Lsdb) -> set[Node]:
    return {origin.node for origin in lsdb.origins()}


def test_an_account_that_lost_all_parts_is_as_new() -> None:
    body = Services((declare("x"),), (advert("x"), advert("y")))
    stored = (make_lsa(MALLORY, part=1, services=body), b"12345")
    account, empty = SiteBudget(), SiteBudget()
    account.replace(None, stored)
    account.replace(stored, None)
    with limited(LSA_SITE_NAMES_MAX=1):
        assert account.excess(None, stored) == empty.excess(None, stored) != ""


@pytest.mark.parametrize("most", range(1, 6))
def test_each_declaration_and_each_offer_takes_its_room(most: int) -> None:
    body = Services((declare("x"),), (advert("x"), advert("y")))
    account = SiteBudget()
    with limited(LSA_SITE_ITEMS_MAX=most):
        fits = not account.excess(None, (make_lsa(MALLORY, part=1, services=body), b""))
        assert fits == (most >= 3)


def test_a_name_makes_room_only_where_no_other_part_tells_it() -> None:
    def told(part: int, *names: str) -> tuple[Lsa, bytes]:
        return make_lsa(MALLORY, part=part, services=Services(tuple(map(declare, names)), ())), b""

    account, alone = SiteBudget(), SiteBudget()
    for one in (account, alone):
        one.replace(None, told(1, "x"))
    account.replace(None, told(2, "x"))
    with limited(LSA_SITE_NAMES_MAX=1):
        assert alone.excess(told(1, "x"), told(1, "y")) == ""
        assert account.excess(told(1, "x"), told(1, "y")) == "more than 1 services"


NEIGHBOURS = ("mallory", "honest", "third")
NEIGHBOUR_LIMITS = {
    "LSA_NEIGHBOUR_NAMES_MAX": 6,
    "LSA_NEIGHBOUR_ITEMS_MAX": 14,
    "LSA_NEIGHBOUR_BYTES_MAX": 450,
}
TOKENS = {"mallory": "fleet", "third": "fleet"}
"""``honest`` is dialed; one token let in the two others."""
BROUGHT = histories(st.tuples(SAID, st.sampled_from((*NEIGHBOURS, None))), 25)


def site_of(name: str) -> SiteId:
    return FakeIdentity(name).site


def brought(history: Sequence[tuple[Said, str | None]]) -> tuple[Lsdb, dict[LsaKey, str | None]]:
    """The database, and which neighbor brought each part in it."""
    lsdb, by = Lsdb(OWN.node), dict[LsaKey, str | None]()
    everybody = {router.node for routers in ROUTERS.values() for router in routers}
    for number, (said, who) in enumerate(history, 1):
        lsa, signed = lsa_of(said, 2 * number), bytes(said.size)
        lost = {ROUTERS[said.site][router].node for router in said.lost}
        bringer = None if who is None else LsaSource(site_of(who), TOKENS.get(who, ""))
        if lsdb.make_room(lsa, signed, everybody - lost, said.computed, bringer) is not None:
            lsdb.refuse(lsa)
            continue
        lsdb.store(lsa, signed, float(number), bringer)
        by[lsa.key] = who
    return lsdb, by


@given(BROUGHT)
def test_what_neighbors_bring_is_kept_within_their_budgets_whoever_brings_what(
    history: list[tuple[Said, str | None]],
) -> None:
    with limited(**NEIGHBOUR_LIMITS):
        lsdb, by = brought(history)
    every = {**held(lsdb, "mallory"), **held(lsdb, "honest")}
    budgets: dict[tuple[str, bool], list[tuple[Services, bytes]]] = {}
    for key, (lsa, data) in every.items():
        if (who := by[key]) is None or not isinstance(lsa.body, Services):
            continue
        is_own = site_of(who) == key.node.site
        if who in TOKENS or not is_own:
            holder = (TOKENS.get(who, who), is_own)
            budgets.setdefault(holder, []).append((lsa.body, data))
    for parts in budgets.values():
        names = [told.name for body, _ in parts for told in body.declarations]
        names += [told.name for body, _ in parts for told in body.adverts]
        found = (len(set(names)), len(names), sum(len(data) for _, data in parts))
        assert all(n <= most for n, most in zip(found, NEIGHBOUR_LIMITS.values(), strict=True))


@given(BROUGHT)
def test_what_one_neighbor_brings_takes_no_room_from_another(
    history: list[tuple[Said, str | None]],
) -> None:
    """Of sites that keep within their own budgets."""
    roomy = {name: 10_000 for name in LIMITS}
    mine = [msgspec.structs.replace(said, site="honest", lost=frozenset()) for said, _ in history]
    theirs = [msgspec.structs.replace(said, site="mallory") for said, _ in history]
    alone, together = list[tuple[Said, str | None]](), list[tuple[Said, str | None]]()
    for own, other in zip(mine, theirs, strict=True):
        together += [(own, "third"), (other, "honest")]
        alone += [(own, "third"), (msgspec.structs.replace(other, part=0), None)]
    with limited(**NEIGHBOUR_LIMITS, **roomy):
        assert held(brought(together)[0], "honest") == held(brought(alone)[0], "honest")


PARTS = st.tuples(
    st.integers(1, 3), st.frozensets(st.integers(0, 8), max_size=5), st.integers(0, 3)
)


@given(histories(st.tuples(PARTS, st.booleans()), 12), PARTS)
def test_a_budget_counts_what_is_stored_however_it_came_there(
    history: list[tuple[tuple[int, frozenset[int], int], bool]],
    last: tuple[int, frozenset[int], int],
) -> None:
    budget, parts = SiteBudget(), dict[int, tuple[Lsa, bytes]]()
    for said, stays in history:
        part, after = said[0], stored(*said) if stays else None
        budget.replace(parts.pop(part, None), after)
        if after is not None:
            parts[part] = after
    fresh = SiteBudget()
    for after in parts.values():
        fresh.replace(None, after)
    part, new = last[0], stored(*last)
    for names, items, size in product((1, 3, 6), (3, 6, 12), (20, 60, 150)):
        most = {"NAMES": names, "ITEMS": items, "BYTES": size}
        with limited(**{f"LSA_SITE_{what}_MAX": value for what, value in most.items()}):
            assert budget.excess(parts.get(part), new) == fresh.excess(parts.get(part), new)


def stored(part: int, names: frozenset[int], ports: int) -> tuple[Lsa, bytes]:
    said = Said("honest", 0, part, names, ports, 0, frozenset(), 0.0)
    return lsa_of(said, 2), bytes(10 * (len(names) + ports))
