"""Laws of the budget of a site: it is kept, and one site's excess is nobody else's trouble."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from router.routing.adverts.lsa import Lsa, LsaKey, Node, PartRef, Services
from router.routing.adverts.lsdb import Lsdb, Origin
from router.routing.adverts.site_budget import SiteBudget
from tests.unit.routing.fakes import FakeIdentity, SameSiteIdentity, advert, declare, make_lsa

OWN, MALLORY, HONEST = FakeIdentity("own"), FakeIdentity("mallory"), FakeIdentity("honest")
ROUTERS = {
    "mallory": [SameSiteIdentity(MALLORY, f"{n}") for n in range(4)],
    "honest": [SameSiteIdentity(HONEST, f"{n}") for n in range(4)],
}
LIMITS = {"LSA_SITE_NAMES_MAX": 5, "LSA_SITE_ITEMS_MAX": 12, "LSA_SITE_BYTES_MAX": 400}


class Said(msgspec.Struct, frozen=True):
    """A part with services, or (``part`` 0) the list of all; ``lost``: routers nobody reaches."""

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
            stack.enter_context(patch(f"router.routing.adverts.site_budget.{name}", most))
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
        refusals.append(lsdb.make_room(lsa, signed, everybody - lost, said.computed))
        if refusals[-1]:
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
    """Names, items and bytes that are told of ``site``, counted anew."""
    parts = [(lsa.body, data) for lsa, data in held(lsdb, site).values()]
    bodies = [(body, data) for body, data in parts if isinstance(body, Services)]
    names = [told.name for body, _ in bodies for told in body.declarations]
    names += [told.name for body, _ in bodies for told in body.adverts]
    return len(set(names)), len(names), sum(len(data) for _, data in bodies)


@given(st.lists(SAID, max_size=25))
def test_no_site_is_kept_beyond_its_budget_whatever_its_routers_say(history: list[Said]) -> None:
    with limited():
        lsdb, _ = after(history)
    for site in ROUTERS:
        assert all(was <= most for was, most in zip(sums(lsdb, site), LIMITS.values(), strict=True))


@given(st.lists(SAID, max_size=25))
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


@given(st.lists(SAID, max_size=25))
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


@given(st.lists(SAID, max_size=25))
def test_what_does_not_grow_always_has_room(history: list[Said]) -> None:
    with limited():
        lsdb, _ = after(history)
        for key, (lsa, signed) in held(lsdb, "mallory").items():
            again = msgspec.structs.replace(lsa, sequence=1_000)
            assert lsdb.make_room(again, signed, everybody_of(lsdb), 0.0) == ""
            assert lsdb.get(key) is not None


@given(st.lists(SAID, max_size=25), SAID)
def test_there_is_room_for_exactly_the_bytes_that_are_left(history: list[Said], last: Said) -> None:
    with limited(LSA_SITE_NAMES_MAX=1_000, LSA_SITE_ITEMS_MAX=1_000):
        lsdb, _ = after(history)
        lsa = lsa_of(msgspec.structs.replace(last, part=4), 1_000)
        left = LIMITS["LSA_SITE_BYTES_MAX"] - sums(lsdb, last.site)[2]
        for size in (left, left + 1):
            refusal = lsdb.make_room(lsa, bytes(size), everybody_of(lsdb) | {lsa.node}, 0.0)
            assert bool(refusal) == (size > left)


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
