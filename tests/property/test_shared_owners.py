"""Routers of one site agree on owners, whatever each hears and whenever it reads and writes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from router.kubernetes.codecs.owners import FILE, owners_map, owners_of
from router.model.ids import SiteId
from router.model.limits import (
    COUNTER_MAX,
    GRANTS_PER_SERVICE_MAX,
    NAME_CHARS_MAX,
    OWNED_NAMES_MAX,
)
from router.model.rights.grants import VERBS, ServiceGrant
from router.model.rights.owners import Owner, agreed
from tests.examples import examples, histories
from tests.unit.kubernetes.leader.test_owners import SITE_ID, Replica, kept
from tests.unit.kubernetes.trust.fake_secrets import CONFLICT, FakeSecrets

SITES = tuple(SiteId(digit * 32) for digit in "0123")
LIAR = SiteId("f" * 32)
NAMES = ("shop", "db", "mail")
VERSIONS = st.tuples(st.integers(1, COUNTER_MAX), st.integers(0, COUNTER_MAX))
OWNERS = st.builds(
    Owner,
    st.sets(st.sampled_from(SITES), min_size=1).map(lambda sites: tuple(sorted(sites))),
    st.sampled_from(["c1", "c2", ""]),
    st.sampled_from([(), (ServiceGrant(SiteId("4" * 32), ("offer",), 5),)]),
).flatmap(
    lambda owner: st.one_of(
        st.just(owner),
        st.lists(VERSIONS, min_size=len(owner.sites), max_size=len(owner.sites)).map(
            lambda versions: replace(owner, versions=tuple(versions))
        ),
    )
)
RECORDS = st.dictionaries(st.sampled_from(NAMES), OWNERS)
CONFIGMAP_BYTES_MAX = 1024 * 1024
MOST = ((COUNTER_MAX, COUNTER_MAX),)


@given(RECORDS, RECORDS, RECORDS)
def test_the_shared_owner_stays_unless_this_router_changed_exactly_that(
    base: dict[str, Owner], ours: dict[str, Owner], shared: dict[str, Owner]
) -> None:
    after = agreed(base, ours, shared)
    for name in NAMES:
        before, here, there = base.get(name), ours.get(name), shared.get(name)
        assert after.get(name) in (here, there)
        if here == before or (there and there.sites != (before.sites if before else ())):
            assert after.get(name) == there
        elif there == before:
            assert after.get(name) == here
    assert agreed(shared, after, shared) == after  # Once is enough.
    assert agreed(base, ours, shared, NAMES) == ours  # An operator's word on all.


@settings(deadline=None)
@given(RECORDS)
def test_an_object_gives_back_what_was_written(
    owners: dict[str, Owner],
) -> None:
    assert owners_of(owners_map(SITE_ID, owners), SITE_ID) == owners


def test_the_most_and_longest_names_fit_into_an_object_with_room_to_spare() -> None:
    owners = {
        f"{number:x}".rjust(NAME_CHARS_MAX, "x"): Owner(
            (SiteId(f"{number:032x}"),), "0" * 16, versions=MOST
        )
        for number in range(OWNED_NAMES_MAX)
    }
    text = owners_map(SITE_ID, owners)["data"][FILE]
    assert len(text) < 0.83 * CONFIGMAP_BYTES_MAX
    assert owners_of(owners_map(SITE_ID, owners), SITE_ID) == owners


@pytest.mark.parametrize("each", [1, 2, GRANTS_PER_SERVICE_MAX])
def test_the_most_and_longest_grants_fit_into_an_object(each: int) -> None:
    grant = ServiceGrant(SiteId("f" * 32), VERBS, COUNTER_MAX, COUNTER_MAX)
    owners = {
        f"{number:x}".rjust(NAME_CHARS_MAX, "x"): Owner(
            (SiteId(f"{number:032x}"),), "0" * 16, (grant,) * each, MOST
        )
        for number in range(OWNED_NAMES_MAX // (1 + each))
    }
    assert sum(owner.weight for owner in owners.values()) <= OWNED_NAMES_MAX
    data = owners_map(SITE_ID, owners)["data"]
    assert sum(map(len, data.values())) < 0.95 * CONFIGMAP_BYTES_MAX
    assert owners_of(owners_map(SITE_ID, owners), SITE_ID) == owners


CHANGES = st.one_of(
    st.tuples(st.just("learn"), st.integers(0, 2), st.sampled_from(NAMES), OWNERS),
    st.tuples(st.just("forget"), st.integers(0, 2), st.sampled_from(NAMES), st.none()),
    st.tuples(st.just("adopt"), st.integers(0, 2), st.sampled_from(NAMES), OWNERS),
    st.tuples(st.just("look"), st.integers(0, 2), st.just(""), st.none()),
    st.tuples(st.just("step"), st.integers(0, 2), st.just(""), st.none()),
    st.tuples(st.just("conflict"), st.integers(0, 2), st.just(""), st.none()),
    st.tuples(st.just("restart"), st.integers(0, 2), st.just(""), st.none()),
)


@settings(deadline=None, max_examples=examples(200))
@given(histories(CHANGES, 25))
def test_routers_that_read_and_write_at_any_time_end_with_the_same_owners(
    changes: list[tuple[str, int, str, Owner | None]],
) -> None:
    api = FakeSecrets()
    replicas = [Replica(api) for _ in range(3)]
    for what, number, name, owner in changes:
        replica = replicas[number]
        match what:
            case "learn" if owner is not None and name not in replica.owners:
                replica.learns(**{name: owner})
            case "forget" if name in replica.owners:
                replica.forgets(name)
            case "adopt" if owner is not None:
                replica.adopts(name, owner.sites[0])
            case "look":
                replica.look()
            case "step":
                replica.step()
            case "conflict":
                _overtaken(api, replica)
            case "restart":
                replicas[number] = Replica(api, replica.owners)
    for _ in range(2):  # The last to write is read by all.
        for replica in replicas:
            replica.step()
            replica.look()
    for replica in replicas:
        replica.look()
        assert replica.map.is_settled
        assert replica.owners == (kept(api) if api.objects else {})


def _overtaken(api: FakeSecrets, replica: Replica) -> None:
    """Its writes lose against others for a whole step."""

    def fail(verb: str, name: str) -> None:
        if verb in ("update", "create"):
            raise CONFLICT

    api.before, before = fail, api.before
    replica.step()
    api.before = before


@settings(deadline=None, max_examples=examples(200))
@given(
    histories(st.tuples(st.integers(0, 2), st.sampled_from(["lie", "look", "step", "restart"])), 20)
)
def test_a_liar_that_routers_hear_first_owns_no_name_that_the_object_names(
    moves: list[tuple[int, str]],
) -> None:
    api = FakeSecrets()
    replicas = [Replica(api) for _ in range(3)]  # They saw an empty namespace.
    honest = Owner((SITES[0],), "c1")
    replicas[0].learns(shop=honest)
    replicas[0].step()
    for number, what in moves:
        replica = replicas[number]
        if what == "lie" and "shop" not in replica.owners:
            replica.learns(shop=Owner((LIAR,), "lie"))
        elif what == "look":
            replica.look()
        elif what == "step":
            replica.step()
        elif what == "restart":
            replicas[number] = Replica(api, replica.owners)
        assert kept(api) == {"shop": honest}
    for replica in replicas:
        replica.step()
        replica.look()
        assert replica.owners == {"shop": honest} == kept(api)
