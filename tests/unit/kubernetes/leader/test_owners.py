"""Who owns which name: all routers of a site agree, whatever they hear first."""

import asyncio
import copy
import random
from collections.abc import Mapping

import pytest

from router.kubernetes.client.errors import ApiError
from router.kubernetes.codecs.owners import FILE, GRANTS_FILE, owners_map, owners_of
from router.kubernetes.leader.owners import OwnersMap
from router.kubernetes.objects.names import OWNERS_CONFIGMAP
from router.model import limits
from router.model.ids import SiteId
from router.model.rights.grants import ServiceGrant
from router.model.rights.owners import Owner
from tests.unit.kubernetes.kept import seen
from tests.unit.kubernetes.trust.fake_secrets import (
    AWAY,
    CONFLICT,
    FORBIDDEN,
    FakeSecrets,
    failing,
)

SITE_ID = "a" * 32
EAST, WEST, LIAR = SiteId("e" * 32), SiteId("1" * 32), SiteId("f" * 32)


def of(*sites: SiteId, content: str = "c0ffee") -> Owner:
    return Owner(sites, content)


class Replica:
    """One router of the site: the owners that it knows, and its part of the object."""

    def __init__(self, api: FakeSecrets, kept: dict[str, Owner] | None = None) -> None:
        self.api = api
        self.site_is_gone = False
        self.map = OwnersMap(api, SITE_ID, random.Random(1), lambda: self.site_is_gone)
        self.look()
        self.owners = dict(self.map.begin(kept or {}))
        self.map.follow(lambda: self.owners, self._take)

    def _take(self, owners: Mapping[str, Owner]) -> None:
        self.owners = dict(owners)

    def learns(self, **owners: Owner) -> None:
        self.owners = {**self.owners, **owners}
        self.map.changed()

    def forgets(self, name: str) -> None:
        self.owners = {known: owner for known, owner in self.owners.items() if known != name}
        self.map.changed()

    def adopts(self, name: str, site: SiteId) -> None:
        self.owners = {**self.owners, name: of(site, content="")}
        self.map.adopted(name)

    def look(self) -> None:
        """As the watch shows the object."""
        found = copy.deepcopy(self.api.objects)
        self.map.look(seen("west", {"ConfigMap": found}))

    def step(self) -> None:
        asyncio.run(self.map.step())


@pytest.fixture
def api() -> FakeSecrets:
    return FakeSecrets()


def kept(api: FakeSecrets) -> dict[str, Owner]:
    return owners_of(api.objects[OWNERS_CONFIGMAP], SITE_ID)


def put(api: FakeSecrets, **owners: Owner) -> None:
    api.put(owners_map(SITE_ID, owners))


def test_what_one_router_learns_the_next_knows_before_it_hears_of_anybody(api: FakeSecrets) -> None:
    one = Replica(api)
    one.learns(shop=of(WEST), db=of(WEST, EAST))
    one.step()
    assert kept(api) == one.owners and one.map.is_settled
    assert Replica(api).owners == one.owners
    assert '"shop": "c0ffee"' in api.objects[OWNERS_CONFIGMAP]["data"][FILE]  # People read it.


def test_an_owner_that_the_object_names_stays_though_another_router_hears_a_liar_first(
    api: FakeSecrets,
) -> None:
    one, other = Replica(api), Replica(api)
    one.learns(shop=of(WEST))
    one.step()
    other.learns(shop=of(LIAR), mail=of(LIAR))  # It saw no change of the object yet.
    other.step()
    assert kept(api) == {"shop": of(WEST), "mail": of(LIAR)} == other.owners
    one.look()
    assert one.owners == other.owners


def test_what_others_wrote_is_taken_without_a_write(api: FakeSecrets) -> None:
    one, other = Replica(api), Replica(api)
    one.learns(shop=of(WEST))
    one.step()
    other.look()
    other.step()
    assert other.owners == {"shop": of(WEST)}
    assert len(api.writes) == 1


def test_grants_of_owners_come_back_as_they_were_written(api: FakeSecrets) -> None:
    one = Replica(api)
    granting = Owner((WEST,), "c0ffee", (ServiceGrant(EAST, ("offer",), 20, 1_798_761_599),))
    one.learns(shop=granting, db=of(WEST))
    one.step()
    one.look()
    assert one.owners == kept(api) == Replica(api).owners == {"shop": granting, "db": of(WEST)}
    assert one.map.is_settled
    one.learns(shop=of(WEST))
    one.step()
    one.look()
    assert one.owners["shop"].grants == ()
    assert [*api.objects[OWNERS_CONFIGMAP]["data"]] == [FILE]


def test_damaged_grants_change_nothing(api: FakeSecrets) -> None:
    put(api, shop=of(WEST))
    one = Replica(api)
    found = copy.deepcopy(api.objects[OWNERS_CONFIGMAP])
    found["data"][GRANTS_FILE] = '{"shop": 5}'
    api.put(found)
    one.look()
    assert [error.code for error in one.map.errors] == ["SW0449"]
    assert one.owners == {"shop": of(WEST)}


def test_a_withdrawal_and_a_new_content_reach_the_other_routers(api: FakeSecrets) -> None:
    put(api, shop=of(WEST), db=of(WEST))
    one, other = Replica(api), Replica(api)
    one.forgets("shop")
    one.learns(db=of(WEST, content="new"))
    one.step()
    other.look()
    assert other.owners == {"db": of(WEST, content="new")}


def test_an_owner_that_withdrew_is_gone_though_another_router_saw_its_content_change_before(
    api: FakeSecrets,
) -> None:
    put(api, shop=of(WEST))
    one, other = Replica(api), Replica(api)
    one.learns(shop=of(WEST, content="new"))
    one.step()
    other.forgets("shop")
    other.step()
    assert kept(api) == {} == other.owners


def test_an_operators_word_counts_against_the_object_once_and_not_for_ever(
    api: FakeSecrets,
) -> None:
    put(api, shop=of(WEST))
    one, other = Replica(api), Replica(api)
    one.adopts("shop", EAST)
    one.step()
    other.look()
    assert other.owners["shop"].sites == (EAST,)
    other.adopts("shop", WEST)
    other.step()
    one.look()
    assert one.owners["shop"].sites == (WEST,) == kept(api)["shop"].sites


def test_an_operators_word_outlives_a_faster_router_and_an_api_that_is_away(
    api: FakeSecrets,
) -> None:
    put(api, shop=of(WEST))
    one = Replica(api)
    api.before = failing(AWAY)
    one.adopts("shop", EAST)
    one.step()
    assert [error.code for error in one.map.errors] == ["SW0443"]
    put(api, shop=of(WEST, content="new"))
    one.look()
    assert one.owners["shop"].sites == (EAST,)  # In memory it counts.
    api.before = lambda verb, name: None
    one.step()
    assert kept(api)["shop"].sites == (EAST,)
    assert one.map.errors == ()


def test_a_router_that_is_overtaken_looks_again(api: FakeSecrets) -> None:
    put(api, shop=of(WEST))
    one = Replica(api)
    one.learns(mail=of(EAST))
    conflicts = iter([True, False])

    def overtaken(verb: str, name: str) -> None:
        if verb == "update" and next(conflicts):
            put(api, shop=of(WEST), db=of(EAST))
            raise CONFLICT

    api.before = overtaken
    one.step()
    assert kept(api) == {"shop": of(WEST), "db": of(EAST), "mail": of(EAST)} == one.owners


def test_who_is_always_overtaken_gives_up_until_the_next_step(api: FakeSecrets) -> None:
    put(api)
    one = Replica(api)
    one.learns(mail=of(EAST))
    api.before = failing(CONFLICT, "update")
    one.step()
    assert api.calls.count(f"update {OWNERS_CONFIGMAP}") == limits.SECRET_TRIES_MAX
    assert [error.code for error in one.map.errors] == ["SW0443"]
    assert not one.map.is_settled


@pytest.mark.parametrize("verb", ["get", "create", "update"])
def test_a_missing_right_is_told_with_its_rule_and_memory_counts(
    api: FakeSecrets, verb: str
) -> None:
    if verb == "update":
        put(api)
    one = Replica(api)
    one.learns(shop=of(WEST))
    api.before = failing(FORBIDDEN, verb)
    one.step()
    (error,) = one.map.errors
    assert error.code == "SW0443"
    rules = [rule for rule in error.hint.split("; ") if f'"{verb}"' in rule]
    assert len(rules) == 1 and 'resources: ["configmaps"]' in rules[0]
    assert one.owners == {"shop": of(WEST)}


def test_a_quota_that_is_used_up_is_told_as_such(api: FakeSecrets) -> None:
    one = Replica(api)
    one.learns(shop=of(WEST))
    used_up = "configmaps is forbidden: exceeded quota: small, requested: 1, used: 5"
    api.before = failing(ApiError(403, "Forbidden", used_up), "create")
    one.step()
    (error,) = one.map.errors
    assert "Raise the quota" in error.hint and "Role" not in error.hint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"site": 1}',
        '{"site": "' + SITE_ID + '", "owners": {"w": {"x": "12@3"}}}',
        '{"site": "%s", "owners": {}}' % ("b" * 32),
    ],
)
def test_a_damaged_object_or_that_of_another_site_is_neither_taken_nor_written_over(
    api: FakeSecrets, text: str
) -> None:
    put(api, shop=of(WEST))
    one = Replica(api)
    broken = owners_map(SITE_ID, {})
    broken["data"][FILE] = text
    api.put(broken)
    one.look()
    one.learns(mail=of(EAST))
    one.step()
    (error,) = one.map.errors
    assert error.code == "SW0449" and "kubectl delete" in error.hint
    assert one.owners == {"shop": of(WEST), "mail": of(EAST)}
    assert api.writes == []
    del api.objects[OWNERS_CONFIGMAP]
    one.look()
    one.step()
    assert one.map.errors == () and kept(api) == one.owners


def test_a_deleted_object_is_written_again_by_one_router(api: FakeSecrets) -> None:
    put(api, shop=of(WEST))
    one, other = Replica(api), Replica(api)
    del api.objects[OWNERS_CONFIGMAP]
    for replica in (one, other):
        replica.look()
        assert replica.owners == {"shop": of(WEST)}
        replica.step()
    assert kept(api) == {"shop": of(WEST)}
    assert api.writes == [f"create {OWNERS_CONFIGMAP}"]


def test_a_container_that_restarts_adds_what_its_last_life_could_not_write(
    api: FakeSecrets,
) -> None:
    put(api, shop=of(WEST))
    one = Replica(api, {"shop": of(LIAR), "mail": of(EAST)})
    assert one.owners == {"shop": of(WEST), "mail": of(EAST)}
    one.step()
    assert kept(api) == one.owners


def test_an_old_state_of_the_watch_undoes_nothing(api: FakeSecrets) -> None:
    put(api, shop=of(WEST))
    old = copy.deepcopy(api.objects)
    one = Replica(api)
    one.forgets("shop")
    one.step()
    one.map.look(seen("west", {"ConfigMap": old}))
    assert one.owners == {}


def test_a_router_whose_site_is_gone_writes_no_owners(api: FakeSecrets) -> None:
    replica = Replica(api)
    replica.learns(shop=of(EAST))
    replica.step()
    replica.look()
    del api.objects[OWNERS_CONFIGMAP]
    replica.site_is_gone = True
    replica.look()
    replica.step()
    assert OWNERS_CONFIGMAP not in api.objects, "another site may be made in its place"
    replica.site_is_gone = False
    replica.step()
    assert kept(api) == {"shop": of(EAST)}
