"""All secrets of a site together: the order in which they are read, and the follow-up work."""

import asyncio
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from certs.certificates import to_der
from certs.joining import claims
from certs.links.credentials import LinkStore
from certs.links.register import Register
from certs.links.revocation import Revocation, Revocations
from certs.token_files import tokens
from certs.token_files.tokens import Token
from router.kubernetes.codecs.secrets import admitted_name, grant_name, grant_secret, revoked_secret
from router.kubernetes.objects.names import IDENTITY_SECRET, REVOKED_SECRET
from router.kubernetes.objects.objects import Snapshot
from router.kubernetes.objects.picture import NamespacePicture
from router.kubernetes.translation.translate import translate
from router.kubernetes.trust.identity import prepare
from router.kubernetes.trust.trust import SecretTrust
from router.model import limits
from tests.unit.certs.sites import Site, parsed, request_of
from tests.unit.kubernetes.namespace_objects import site as site_config_map
from tests.unit.kubernetes.trust.fake_secrets import AWAY, FORBIDDEN, FakeSecrets, failing

EAST = "e" * 32
POD = "spillway-router-1"


class Scene:
    """A site that follows its namespace."""

    def __init__(self, root: Path, ingress: str = "none", **data: str) -> None:
        self.api = FakeSecrets()
        self.root = root / "pod"
        self.site_id = asyncio.run(prepare(self.api, self.root, random.Random(1)))
        self.now = time.time()
        self.trust = SecretTrust(self.api, self.root, random.Random(1), lambda: self.now, pod=POD)
        self.told: list[str] = []
        self.listen()
        self.trust.follow_errors(lambda: self.told.append("errors"))
        self.config = site_config_map(name="west", ingress=ingress, **data)
        self.pod: dict[str, Any] = {"metadata": {"name": POD}}
        self.missing: frozenset[str] = frozenset()

    def listen(self) -> None:
        """Hear of links and revocations, from now on."""
        self.trust.follow_secrets(
            lambda: self.told.append("links"), lambda: self.told.append("revocations")
        )

    def look(self) -> None:
        kinds: dict[str, Any] = {
            "ConfigMap": {"skupper-site": self.config},
            "Secret": self.api.seen(),
            "Pod": {POD: self.pod},
        }
        snapshot = Snapshot("west", kinds, self.missing)
        self.trust.look(snapshot, translate(snapshot, self.site_id), None)

    def step(self) -> None:
        asyncio.run(self.trust.step())

    def links(self) -> list[str]:
        return LinkStore(self.root / "secrets" / "links").names()

    def codes(self) -> list[str]:
        return [error.code for error in self.trust.errors]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def put_token(scene: Scene, token: Token) -> None:
    scene.api.put(tokens.as_secret(token))


def test_a_router_that_begins_to_listen_while_a_key_is_written_hears_of_the_link(
    scene: Scene, east: Site
) -> None:
    put_token(scene, east.claim("one", now=scene.now))
    scene.look()
    scene.trust.follow_secrets(lambda: None, lambda: None)
    create = scene.api.create

    async def created(made: Any, **_: str) -> dict[str, Any]:
        scene.listen()
        return await create(made)

    scene.api.create = created  # type: ignore[method-assign]  # The moment that matters.
    scene.step()

    assert "links" in scene.told


def test_a_certificate_token_is_a_link_at_once_and_a_claim_after_its_key_is_kept(
    scene: Scene, east: Site
) -> None:
    put_token(scene, east.certificate_token("one"))
    put_token(scene, east.claim("two", now=scene.now))
    scene.look()
    assert (scene.links(), scene.told) == (["one"], ["links", "revocations"])
    scene.step()
    assert scene.links() == ["one", "two"]
    assert scene.told[2:] == ["links"]


def test_nothing_is_taken_away_while_secrets_cannot_be_read(scene: Scene, east: Site) -> None:
    put_token(scene, east.certificate_token("one"))
    scene.api.put(revoked_secret(b'{"sites":["%s"]}' % EAST.encode()))
    scene.look()
    scene.api.objects.clear()
    scene.missing = frozenset({"Secret"})
    scene.look()
    assert scene.links() == ["one"]
    assert Revocations(scene.root / "secrets").is_revoked("", EAST)


def test_news_that_are_none_of_ours_cost_nothing(scene: Scene) -> None:
    secrets = scene.api.seen()
    picture = NamespacePicture()
    scene.trust.look(Snapshot("west", {"Secret": secrets}), picture, None)
    told = len(scene.told)
    scene.trust.look(Snapshot("west", {"Secret": secrets, "Pod": {}}), picture, None)
    assert len(scene.told) == told


def test_errors_are_told_when_they_become_others(scene: Scene, east: Site) -> None:
    put_token(scene, east.claim("two", now=scene.now))
    scene.api.before = failing(FORBIDDEN, "create")
    scene.look()
    for _ in range(3):
        scene.step()
    assert scene.told.count("errors") == 1 and scene.codes() == ["SW0443"]
    scene.api.before = lambda verb, name: None
    scene.step()
    assert scene.told.count("errors") == 2 and scene.codes() == []


def test_a_settled_site_asks_and_writes_nothing_for_an_hour(scene: Scene, east: Site) -> None:
    put_token(scene, east.certificate_token("one"))
    put_token(scene, east.claim("two", now=scene.now))
    scene.api.put(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "r", "labels": {"skupper.io/type": "connection-token-request"}},
        }
    )
    for _ in range(3):
        scene.look()
        scene.step()
    calls = len(scene.api.calls)
    for _ in range(60):
        scene.now += 60
        scene.look()
        scene.step()
    assert scene.api.calls[calls:] == []


def test_an_identity_that_was_deleted_by_mistake_is_put_back_while_the_site_exists(
    scene: Scene, tmp_path: Path
) -> None:
    kept = scene.api.objects.pop(IDENTITY_SECRET)
    scene.look()
    scene.step()
    assert IDENTITY_SECRET not in scene.api.objects  # The whole site is being deleted.
    scene.api.others["ConfigMap", "skupper-site"] = scene.config
    scene.look()
    scene.step()
    assert scene.api.objects[IDENTITY_SECRET]["data"] == kept["data"]
    other = Scene(tmp_path / "other")
    scene.api.put(other.api.objects[IDENTITY_SECRET])
    scene.look()
    scene.step()
    assert scene.codes() == ["SW0440"] and "rollout restart" in scene.trust.errors[0].hint
    scene.api.put(kept)
    scene.look()
    scene.step()
    assert scene.codes() == []


def test_an_identity_that_is_damaged_while_the_router_runs_is_not_called_another_one(
    scene: Scene,
) -> None:
    kept = scene.api.objects[IDENTITY_SECRET]
    scene.api.put({**kept, "data": {**kept["data"], "ca.crt": "bm8="}})
    scene.look()
    scene.step()
    (damaged,) = scene.trust.errors
    assert (damaged.code, damaged.path) == ("SW0440", "data[ca.crt]")
    assert damaged.reason.startswith("is no readable certificate")
    assert "backup" in damaged.hint and "rollout restart" not in damaged.hint
    scene.api.put(kept)
    scene.look()
    scene.step()
    assert scene.codes() == []


def test_a_site_that_is_made_anew_while_the_old_router_drains_gets_no_old_identity(
    scene: Scene,
) -> None:
    scene.config["metadata"]["uid"] = "old"
    scene.look()
    scene.step()
    del scene.api.objects[IDENTITY_SECRET]
    anew = {**scene.config, "metadata": {**scene.config["metadata"], "uid": "new"}}
    scene.config = scene.api.others["ConfigMap", "skupper-site"] = anew
    scene.look()
    scene.step()
    assert IDENTITY_SECRET not in scene.api.objects
    (missing,) = scene.trust.errors
    assert missing.code == "SW0440" and "the next pod becomes another site" in missing.reason
    assert "restart the router in its pod" in missing.hint
    scene.api.others["ConfigMap", "skupper-site"] = {"metadata": {"uid": "old"}}
    scene.look()
    scene.step()
    assert IDENTITY_SECRET in scene.api.objects and scene.codes() == []


def test_a_router_whose_pod_terminates_says_nothing_of_the_identity_of_the_next_site(
    scene: Scene, tmp_path: Path
) -> None:
    """A site was deleted and made again: for the seconds before it drained, the old router told its
    operator to restore its identity."""
    scene.look()
    scene.step()
    scene.api.put(Scene(tmp_path / "other").api.objects[IDENTITY_SECRET])
    scene.look()
    scene.step()
    assert scene.codes() == ["SW0440"]
    scene.pod = {"metadata": {"name": POD, "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    scene.look()
    assert scene.codes() == []


def test_the_route_is_looked_at_now_and_then_and_its_host_goes_into_tokens(
    tmp_path: Path,
) -> None:
    scene = Scene(tmp_path, ingress="route")
    scene.look()
    scene.step()
    assert "Route" in scene.trust.addresses.waiting
    scene.api.others["Route", "spillway-router"] = {"spec": {"host": "links.example"}}
    scene.now += limits.TRUST_OPEN_S
    for _ in range(5):
        scene.step()
        scene.now += 1.0
    assert scene.trust.addresses.endpoints == (("links.example", 443),)
    assert scene.api.calls.count("get spillway-router") == 2
    scene.api.before = failing(FORBIDDEN, "get")
    scene.now += limits.TRUST_SETTLED_S
    scene.step()
    assert scene.codes() == ["SW0443"]
    assert scene.trust.addresses.endpoints == (("links.example", 443),)


def test_grants_that_ended_unused_are_swept_a_day_later(scene: Scene, east: Site) -> None:
    for name, used in (("old", False), ("used", True)):
        token = east.claim(name, now=scene.now)
        if used:
            east.grants.redeem(name, parsed(request_of(token)), scene.now)
        grant = east.grants.get(name)
        assert grant is not None
        scene.api.put(grant_secret(name, claims.encode(grant)))
    scene.look()
    scene.step()
    assert grant_name("old") in scene.api.objects
    scene.now += limits.GRANT_KEPT_S + 1_000
    scene.step()
    assert grant_name("old") not in scene.api.objects
    assert grant_name("used") in scene.api.objects


def test_the_last_chain_of_a_site_is_its_newest_by_a_grant_that_counts(
    scene: Scene, east: Site
) -> None:
    chains = []
    for name, at in (("late", scene.now + 60), ("early", scene.now), ("void", scene.now + 90)):
        request = parsed(request_of(east.claim(name, now=scene.now)))
        east.grants.redeem(name, request, at)
        if name == "void":
            east.grants.revoke(name)
        grant = east.grants.get(name)
        assert grant is not None
        chains.append(grant.redeemed[0])
        scene.api.put(grant_secret(name, claims.encode(grant)))
    scene.api.put(grant_secret("damaged", b"{"))
    site = chains[0].site_id
    assert {one.site_id for one in chains} == {site}
    assert scene.trust.last_chain(site) is None  # Nothing was seen yet.
    scene.look()
    assert scene.trust.last_chain(site) == chains[0].chain
    assert scene.trust.last_chain("0" * 32) is None


def test_who_links_here_is_kept_and_known_to_the_next_pod(scene: Scene, east: Site) -> None:
    here, chain = Register(scene.root / "secrets" / "admitted"), east.certificate_token("one")
    here.seen(EAST, "east", to_der(chain.certificate_pem), scene.now)
    scene.trust.admitted(EAST)
    scene.look()
    scene.step()
    assert admitted_name(EAST) in scene.api.objects
    here.forget_all()
    scene.api.put(scene.api.objects[admitted_name(EAST)])
    scene.look()
    assert here.sites() == [EAST]


def test_claims_are_answered_while_it_runs_and_put_off_before(scene: Scene, east: Site) -> None:
    grant, token = claims.new_grant(east.claim("c", now=scene.now))
    scene.api.put(grant_secret("c", claims.encode(grant)))
    request = parsed(request_of(token))
    answers: list[Any] = []

    async def story() -> None:
        scene.trust.redeem("c", request, scene.now, answers.append)
        assert answers == []
        running = asyncio.create_task(scene.trust.run())  # noqa: TID251  # Cancelled below.
        await _until(lambda: len(answers) == 1)
        scene.trust.redeem("c", request, scene.now, answers.append)
        await _until(lambda: len(answers) == 2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(story())
    assert isinstance(answers[0], OSError)
    assert isinstance(answers[1], claims.Redeemed)


def test_the_start_waits_for_no_credential_when_none_is_named_and_not_long_for_others(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        running = asyncio.create_task(scene.trust.run())  # noqa: TID251  # Cancelled below.
        scene.look()
        await scene.trust.ready()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(story())
    monkeypatch.setattr(limits, "TRUST_READY_S", 0.01)
    asyncio.run(SecretTrust(scene.api, scene.root, random.Random(1), pod=POD).ready())


async def _until(look: Callable[[], bool]) -> None:
    for _ in range(100_000):
        if look():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come true")


def test_a_revocation_right_before_the_end_is_kept(scene: Scene) -> None:
    scene.look()
    scene.trust.revoked(Revocation(sites=frozenset({EAST})))
    asyncio.run(scene.trust.last())
    assert REVOKED_SECRET in scene.api.objects


def test_the_end_does_not_wait_for_an_api_that_is_away(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TRUST_LAST_S", 0.01)

    async def hang(kind: str, name: str, **_: str) -> dict[str, Any] | None:
        await asyncio.Event().wait()
        raise AWAY

    scene.api.find = hang  # type: ignore[method-assign]
    scene.trust.revoked(Revocation(sites=frozenset({EAST})))
    asyncio.run(scene.trust.last())
    assert REVOKED_SECRET not in scene.api.objects
