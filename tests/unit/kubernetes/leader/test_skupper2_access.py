"""What AccessGrants and AccessTokens become, against an API server whose news may be late."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from certs.ca.authority import Authority
from certs.ca.rotation import CaState
from certs.identity import SiteIdentity
from certs.joining.claims import Redemption
from certs.token_files import access_tokens, tokens
from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import NO_ANSWER, ApiError
from router.kubernetes.codecs import grant as grants
from router.kubernetes.codecs import identity
from router.kubernetes.codecs.secrets import grant_name, grant_secret
from router.kubernetes.leader.skupper2_access import V2Access
from router.kubernetes.leader.skupper2_claims import access_facts
from router.kubernetes.objects.access_levels import AccessLevel
from router.kubernetes.objects.addresses import Addresses
from router.kubernetes.objects.skupper2_kinds import KINDS
from router.kubernetes.services.services import Memory, ServicePlan
from router.kubernetes.skupper2.network_facts import GrantFacts
from router.kubernetes.store.skupper2_objects import V2View
from router.kubernetes.store.store import Look
from router.model import limits
from tests.unit.kubernetes.kept import seen
from tests.unit.kubernetes.namespace_objects import site, snapshot
from tests.unit.kubernetes.skupper2.v2_objects import read, v2
from tests.unit.virtual_loop import run, running

NOW = 1_800_000_000.0
WHERE = Addresses((("10.1.1.1", 55671),))
GRANT, CLAIM = ("AccessGrant", "g"), ("Secret", grant_name("g"))


class Server(Api):
    """Objects by kind and name, each with a version."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.version = 0
        self.refusals: list[ApiError] = []

    def put(self, found: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        head = {"uid": f"u{self.version}", **found["metadata"]}
        made = {**found, "metadata": {**head, "resourceVersion": str(self.version)}}
        self.objects[found["kind"], found["metadata"]["name"]] = made
        return made

    async def find(self, kind: str, name: str, *, namespace: str = "") -> dict[str, Any] | None:
        return self.objects.get((kind, name))

    async def create(self, made: Any, *, namespace: str = "") -> dict[str, Any]:
        if self.refusals:
            raise self.refusals.pop()
        assert (made["kind"], made["metadata"]["name"]) not in self.objects
        return self.put(dict(made))

    async def replace(
        self, whole: Any, *, subresource: str = "", namespace: str = ""
    ) -> dict[str, Any]:
        known = self.objects[whole["kind"], whole["metadata"]["name"]]
        if self.refusals:
            raise self.refusals.pop()
        if known["metadata"]["resourceVersion"] != whole["metadata"]["resourceVersion"]:
            raise ApiError(409, "Conflict", "the object has been modified")
        return self.put(dict(whole))

    async def delete(
        self, kind: str, name: str, *, uid: str = "", version: str = "", namespace: str = ""
    ) -> bool:
        known = self.objects.get((kind, name))
        if known is None or (uid and known["metadata"]["uid"] != uid):
            return False
        del self.objects[kind, name]
        return True


def server() -> Server:
    made = Server()
    who, identity_pem = SiteIdentity.generate()
    authority, key_pem = Authority.generate(who.site_id, NOW)
    made.put(identity.secret(identity.made_of(identity_pem, CaState(key_pem, authority.ca_pem))))
    return made


def look(made: Server, level: AccessLevel = AccessLevel.FULL) -> Look:
    """What a router has seen by now."""
    objects = [site(name="west"), *made.objects.values()]
    seen = snapshot(objects)
    levels = dict.fromkeys(KINDS, level)
    picture = read(*objects)
    plan = ServicePlan(
        changes=(), inner_ports={}, promised={}, findings=(), memory=Memory(began_at=0.0)
    )
    return Look(seen, picture.picture, plan, None, v2=V2View(picture, levels))


def step(access: V2Access, *seen: Look | Callable[[], Look]) -> None:
    """Take up each of ``seen``, as the watch brings it; a function makes one then."""

    async def run() -> None:
        async with running(access):
            for one in seen:
                access.look(one if isinstance(one, Look) else one())
                for _ in range(20):
                    await asyncio.sleep(0)

    asyncio.run(run())


def access_of(made: Server) -> V2Access:
    return V2Access(made, lambda: True, lambda: WHERE, lambda: NOW)


def facts_of(made: Server, where: Addresses = WHERE, after_s: float = 0.0) -> GrantFacts:
    return access_facts(look(made).snapshot, where, NOW + after_s)


def token(made: Server) -> Any:
    told = made.objects[GRANT]["status"]
    return access_tokens.read(told["url"], told["code"], told["ca"], "")


def is_good(made: Server) -> bool:
    """Whether the token of the grant's status is of the claim that the site granted."""

    return grants.decode(made.objects[CLAIM]).checksum == tokens.checksum(token(made))


def test_a_look_from_before_the_status_came_grants_no_second_claim() -> None:
    made = server()
    made.put(v2("AccessGrant", "g", redemptionsAllowed=3))
    before = look(made)
    step(access_of(made), before, before)
    assert is_good(made) and grants.decode(made.objects[CLAIM]).uses_left == 3
    assert facts_of(made).granted == {"g": 0}


def test_a_grant_whose_claim_was_revoked_has_a_useless_token_while_it_has_uses_left() -> None:
    made = server()
    made.put(v2("AccessGrant", "g", redemptionsAllowed=2, expirationWindow="10m"))
    step(access_of(made), look(made))
    claim = made.objects.pop(CLAIM)
    assert not facts_of(made).useless, "the watch may bring the claim later"
    assert "was revoked" in facts_of(made, after_s=60.0).useless["g"]
    assert not facts_of(made, after_s=601.0).useless, "it has expired, as its status says"
    made.objects[GRANT]["status"]["redemptions"] = 2
    assert not facts_of(made, after_s=60.0).useless, "it is used up, as its status says"
    made.objects[CLAIM] = claim
    assert not facts_of(made, after_s=60.0).useless


def test_what_was_told_as_revoked_stays_so() -> None:
    made = server()
    made.put(v2("AccessGrant", "g"))
    step(access_of(made), look(made))
    del made.objects[CLAIM]
    for condition in made.objects[GRANT]["status"]["conditions"]:
        condition["status"] = "False"
    assert "was revoked" in facts_of(made).useless["g"]


def test_a_token_to_where_the_site_is_no_longer_is_useless() -> None:
    made = server()
    made.put(v2("AccessGrant", "g"))
    step(access_of(made), look(made))
    other, both = (("10.9.9.9", 55671),), (("10.9.9.9", 55671), *WHERE.endpoints)
    why = "the token leads to 10.1.1.1:55671, and the site is at 10.9.9.9:55671 now"
    assert facts_of(made, Addresses(other)).useless == {"g": why}
    assert not facts_of(made, Addresses(both)).useless
    assert not facts_of(made, Addresses(waiting="no address yet")).useless


def test_a_grant_whose_token_a_crash_lost_is_granted_again() -> None:
    made = server()
    made.put(v2("AccessGrant", "g"))
    step(access_of(made), look(made))
    lost = made.objects[GRANT].pop("status")
    step(access_of(made), look(made))
    assert is_good(made) and token(made).secret != lost["code"]


def test_a_status_that_cannot_be_written_leaves_no_claim() -> None:
    made = server()
    made.put(v2("AccessGrant", "g"))
    access = access_of(made)
    seen = look(made)
    made.put(made.objects[GRANT])

    async def find(kind: str, name: str, *, namespace: str = "") -> Any:
        found = made.objects.get((kind, name))
        return seen.snapshot.get(kind, name) if kind == "AccessGrant" else found

    made.find = find  # type: ignore[method-assign]  # The answer of a server that is behind.
    step(access, seen)
    assert CLAIM not in made.objects and "status" not in made.objects[GRANT]


def test_a_status_that_was_written_without_an_answer_keeps_its_claim() -> None:
    made = server()
    made.put(v2("AccessGrant", "g"))
    replace = made.replace

    async def cut_off(whole: Any, *, subresource: str = "", namespace: str = "") -> dict[str, Any]:
        await replace(whole, subresource=subresource, namespace=namespace)
        raise ApiError(NO_ANSWER, "Unreachable", "the connection was lost")

    made.replace = cut_off  # type: ignore[method-assign]  # The answer is lost.
    step(access_of(made), look(made), lambda: look(made))
    assert is_good(made)


def test_a_claim_of_that_name_made_by_hand_stays_and_the_grant_is_an_error() -> None:
    made = server()
    made.put(v2("AccessGrant", "g"))
    theirs = made.put({"kind": "Secret", "metadata": {"name": grant_name("g")}})
    access = access_of(made)
    step(access, look(made))
    assert made.objects[CLAIM] is theirs
    assert [error.source for error in access.errors] == ["AccessGrant/g"]


def test_a_deleted_grant_takes_its_claim_along() -> None:
    made = server()
    made.put(v2("AccessGrant", "g"))
    step(access_of(made), look(made))

    def deleted() -> Look:
        del made.objects[GRANT]
        return look(made)

    step(access_of(made), look(made), deleted)
    assert CLAIM not in made.objects


def test_the_claim_of_a_grant_that_went_while_no_router_ran_ends() -> None:
    made = server()
    made.put(v2("AccessGrant", "g"))
    step(access_of(made), look(made))
    by_hand = made.put({"kind": "Secret", "metadata": {"name": grant_name("mine")}})
    del made.objects[GRANT]
    step(access_of(made), look(made, AccessLevel.ABSENT), look(made, AccessLevel.READ))
    unlisted = look(made)
    missing = frozenset({"AccessGrant"})
    unlisted = msgspec.structs.replace(
        unlisted, snapshot=msgspec.structs.replace(unlisted.snapshot, missing=missing)
    )
    step(access_of(made), unlisted)
    assert CLAIM in made.objects, "perhaps Skupper's CRDs went, or are not listed yet"
    step(access_of(made), look(made))
    assert CLAIM not in made.objects
    assert made.objects["Secret", grant_name("mine")] is by_hand


def test_the_claim_of_a_grant_that_the_watch_has_not_brought_yet_stays() -> None:
    made = server()
    made.put(v2("AccessGrant", "g"))
    step(access_of(made), look(made))
    kept = made.objects.pop(GRANT)
    behind = look(made)
    made.objects[GRANT] = kept
    step(access_of(made), behind)
    assert is_good(made)


def test_a_redeemed_claim_of_a_grant_that_is_gone_is_ended_once_and_kept() -> None:
    made = server()
    made.put(v2("AccessGrant", "g", redemptionsAllowed=3))
    step(access_of(made), look(made))
    grant = grants.decode(made.objects[CLAIM])
    used = Redemption(key="k", site_id="a" * 32, site_name="east", serial="1", chain="c")
    used_once = msgspec.structs.replace(grant, uses_left=2, redeemed=(used,))
    made.put(grants.changed(made.objects[CLAIM], used_once))
    del made.objects[GRANT]
    step(access_of(made), look(made))
    ended = made.objects[CLAIM]
    assert grants.decode(ended).uses_left == 0
    step(access_of(made), look(made), look(made))
    assert made.objects[CLAIM] is ended


def test_of_two_replicas_that_grant_at_once_the_token_told_is_that_of_the_claim() -> None:
    """The one that was suspended writes its status after the other has taken its claim away."""
    made = server()
    made.put(v2("AccessGrant", "g"))
    seen = look(made)
    replace, create = made.replace, made.create
    first_waits, other_made = asyncio.Event(), asyncio.Event()

    async def late(whole: Any, *, subresource: str = "", namespace: str = "") -> dict[str, Any]:
        if not first_waits.is_set():
            first_waits.set()
            await other_made.wait()
        elif other_made.is_set():
            for _ in range(10):  # The first one is faster now.
                await asyncio.sleep(0)
        return await replace(whole, subresource=subresource, namespace=namespace)

    async def noted(made: Any, *, namespace: str = "") -> dict[str, Any]:
        found = await create(made, namespace=namespace)
        if first_waits.is_set():
            other_made.set()
        return found

    made.replace, made.create = late, noted  # type: ignore[method-assign]  # At other times.

    async def run() -> None:
        async with asyncio.TaskGroup() as tasks:
            first, other = access_of(made), access_of(made)
            first.look(seen)
            works = [tasks.create_task(first.run())]
            await first_waits.wait()
            other.look(seen)
            works.append(tasks.create_task(other.run()))
            for _ in range(60):
                await asyncio.sleep(0)
            for work in works:
                work.cancel()

    asyncio.run(run())
    assert other_made.is_set()
    assert is_good(made)


def test_a_grant_that_was_made_anew_ends_the_claim_of_the_former() -> None:
    made = server()
    made.put(v2("AccessGrant", "g"))
    former: list[str] = []

    def replaced() -> Look:
        former.append(token(made).secret)
        again = v2("AccessGrant", "g")
        made.put({**again, "metadata": {**again["metadata"], "uid": "another"}})
        return look(made)

    access = access_of(made)
    step(access, look(made), lambda: look(made), replaced)
    assert is_good(made) and token(made).secret not in former and not access.errors


def test_below_level_a_nothing_is_made_and_it_is_said_once() -> None:
    made = server()
    made.put(v2("AccessGrant", "g"))
    access, pokes = access_of(made), []
    access.follow_errors(lambda: pokes.append(1))
    seen = look(made, AccessLevel.READ)
    step(access, seen, seen, seen)
    assert CLAIM not in made.objects and len(pokes) == 1
    assert "accessgrants/status" in access.errors[0].reason


def test_a_token_becomes_a_secret_and_a_link_and_its_link_takes_the_secret_along() -> None:
    west, east = server(), server()
    west.put(v2("AccessGrant", "g"))
    step(access_of(west), look(west))
    told = {key: west.objects[GRANT]["status"][key] for key in ("url", "code", "ca")}
    east.put(v2("AccessToken", "t", **told, linkCost=4))
    costs = []

    def made() -> Look:
        assert ("Secret", "t") in east.objects
        costs.append(east.objects["Link", "t"]["spec"]["cost"])
        return look(east)

    def deleted() -> Look:
        del east.objects["Link", "t"], east.objects["AccessToken", "t"]
        return look(east)

    step(access_of(east), look(east), made, deleted)
    assert costs == [4] and ("Secret", "t") not in east.objects


def told_by(west: Server) -> dict[str, Any]:
    """What a new AccessToken of grant ``g`` says."""
    west.objects.pop(CLAIM, None)
    west.put(v2("AccessGrant", "g"))
    step(access_of(west), look(west))
    return {key: west.objects[GRANT]["status"][key] for key in ("url", "code", "ca")}


@pytest.mark.parametrize("is_replaced", [True, False])
def test_a_token_that_is_applied_again_with_a_new_code_is_redeemed_anew(is_replaced: bool) -> None:
    west, east = server(), server()
    east.put(v2("AccessToken", "t", **told_by(west), linkCost=4))
    step(access_of(east), look(east))
    before = east.objects["Secret", "t"]
    new = v2("AccessToken", "t", **told_by(west))
    uid = "another" if is_replaced else east.objects["AccessToken", "t"]["metadata"]["uid"]
    assert not facts_of(east).former
    east.put({**new, "metadata": {**new["metadata"], "uid": uid}})
    assert facts_of(east).former == ({"t"} if is_replaced else set())
    access = access_of(east)
    step(access, look(east), lambda: look(east))
    assert not access.errors and not facts_of(east).former
    after = east.objects["Secret", "t"]
    assert after["data"] != before["data"]
    assert after["metadata"]["annotations"]["spillway.dev/access-of"] == uid
    step(access_of(east), look(east))
    assert east.objects["Secret", "t"] is after, "once"
    redeemed = {"status": {"redeemed": True}}

    def link_deleted() -> Look:
        del east.objects["Link", "t"]
        return look(east)

    east.objects["AccessToken", "t"] |= redeemed
    step(access_of(east), look(east), link_deleted)
    assert ("Secret", "t") not in east.objects, "it goes with its Link"


def test_a_secret_or_a_claim_of_that_name_is_not_taken_for_a_former_token() -> None:
    west, east = server(), server()
    told = told_by(west)
    theirs = east.put({"kind": "Secret", "metadata": {"name": "t"}})
    east.put(v2("AccessToken", "t", **told))
    of_claim = grant_secret("g", b"")
    of_claim["metadata"]["annotations"] = {"spillway.dev/access-of": "u0"}
    claim = east.put(of_claim)
    east.put(v2("AccessToken", grant_name("g"), **told))
    access = access_of(east)
    step(access, look(east, AccessLevel.FULL))
    assert east.objects["Secret", "t"] is theirs
    assert east.objects[CLAIM] is claim
    assert len(access.errors) == 2 and not facts_of(east).former


def test_a_token_named_as_the_secret_of_a_claim_is_a_token() -> None:
    west, east, name = server(), server(), grant_name("g")
    east.put(v2("AccessToken", name, **told_by(west)))
    step(access_of(east), look(east))
    east.put(v2("AccessToken", name, **told_by(west)))  # Under a new UID, with a new code.
    access = access_of(east)
    step(access, look(east), lambda: look(east))
    assert not access.errors
    owner = east.objects["Secret", name]["metadata"]["annotations"]["spillway.dev/access-of"]
    assert owner == east.objects["AccessToken", name]["metadata"]["uid"]

    def deleted() -> Look:
        del east.objects["Link", name], east.objects["AccessToken", name]
        return look(east)

    step(access_of(east), look(east), deleted)
    assert ("Secret", name) not in east.objects, "it goes with its Link"


def test_a_refusal_of_the_server_is_not_asked_for_again_at_once() -> None:
    west, east = server(), server()
    west.put(v2("AccessGrant", "g"))
    step(access_of(west), look(west))
    told = {key: west.objects[GRANT]["status"][key] for key in ("url", "code", "ca")}
    east.put(v2("AccessToken", "t", **told))
    east.refusals = [ApiError(403, "Forbidden", "no") for _ in range(3)]
    access, pokes = access_of(east), []
    access.follow_errors(lambda: pokes.append(1))
    seen = look(east)
    step(access, seen, seen, seen)
    assert len(east.refusals) == 2 and len(pokes) == 1
    assert "cluster-role.yaml" in access.errors[0].hint


def test_a_refusal_of_a_moment_delays_a_token_by_some_seconds() -> None:
    """A starting API server refuses everything until it has read the Roles."""
    west, east = server(), server()
    west.put(v2("AccessGrant", "g"))
    step(access_of(west), look(west))
    told = {key: west.objects[GRANT]["status"][key] for key in ("url", "code", "ca")}
    east.put(v2("AccessToken", "t", **told))
    east.refusals = [ApiError(403, "Forbidden", "no")]

    async def story() -> None:
        access = access_of(east)
        async with running(access):
            access.look(look(east))
            await asyncio.sleep(1.1 * limits.STATUS_LOOK_S)
        assert access.errors == ()

    run(story())
    assert ("Link", "t") in east.objects


def test_nothing_is_made_of_an_empty_namespace() -> None:
    made = server()
    step(access_of(made), look(made))
    assert not access_facts(seen("west", {}), WHERE, NOW).granted
