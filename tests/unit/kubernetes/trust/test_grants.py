"""Claims granted here: a use is stored before the asker gets it, and counts at all replicas."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from certs import certificates, keys
from certs.errors import CertError
from certs.joining import claims
from certs.joining.claims import ClaimRefused, ClaimRequest, Redeemed
from certs.token_files.tokens import Token
from router.kubernetes.client.errors import ApiError
from router.kubernetes.codecs.secrets import GRANT_FILE, data_of, grant_name, grant_secret
from router.kubernetes.trust.grants import GrantSecrets, Result
from router.model import limits
from tests.unit.certs.sites import NOW, Site, parsed, request_of
from tests.unit.kubernetes.trust.fake_secrets import AWAY, CONFLICT, FakeSecrets, failing

SECRET = grant_name("to-east")


class Scene:
    """A site with one claim, and as many replicas as are asked for."""

    def __init__(self, root: Path, uses: int = 1) -> None:
        self.site = Site(root)
        self.token = self.site.claim(uses=uses)
        grant = self.site.grants.get("to-east")
        assert grant is not None
        self.api = FakeSecrets()
        self.api.put(grant_secret("to-east", claims.encode(grant)))

    def judge(self, *requests: ClaimRequest, now: float = NOW, name: str = "to-east") -> list[Any]:
        """Each by a different replica, all at once."""

        async def run() -> list[Result]:
            async with asyncio.TaskGroup() as tasks:
                replicas = [GrantSecrets(self.api, self.site.authority, tasks) for _ in requests]
                judging = [
                    tasks.create_task(replica.judge(name, request, now))
                    for replica, request in zip(replicas, requests, strict=True)
                ]
            return [task.result() for task in judging]

        return asyncio.run(run())

    def kept(self) -> claims.Grant:
        return claims.decode(data_of(self.api.objects[SECRET])[GRANT_FILE], SECRET)


def fresh(token: Token) -> ClaimRequest:
    return parsed(request_of(token, keys.to_pem(keys.generate())))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_use_is_in_the_secret_before_the_answer_leaves(scene: Scene) -> None:
    (answer,) = scene.judge(fresh(scene.token))
    assert isinstance(answer, Redeemed)
    kept = scene.kept()
    assert (kept.uses_left, kept.redeemed[0].serial) == (0, answer.serial)
    assert scene.api.writes == [f"update {SECRET}"]


def test_what_cannot_be_kept_is_not_answered_and_has_not_happened(scene: Scene) -> None:
    scene.api.before = failing(AWAY, "update")
    (answer,) = scene.judge(fresh(scene.token))
    assert isinstance(answer, OSError)
    assert scene.kept().uses_left == 1


def test_two_replicas_that_answer_two_sites_at_once_give_one_certificate(scene: Scene) -> None:
    one, other = scene.judge(fresh(scene.token), fresh(scene.token))
    assert sorted(type(answer).__name__ for answer in (one, other)) == ["ClaimRefused", "Redeemed"]
    assert len(scene.kept().redeemed) == 1


def test_one_site_that_asks_two_replicas_at_once_gets_one_certificate_twice(scene: Scene) -> None:
    request = fresh(scene.token)
    one, other = scene.judge(request, request)
    assert isinstance(one, Redeemed) and isinstance(other, Redeemed)
    assert one.chain_pem == other.chain_pem
    assert sorted((one.repeated, other.repeated)) == [False, True]


def test_a_kept_use_whose_answer_was_lost_is_the_same_when_asked_again(scene: Scene) -> None:
    """As when the router is killed between the write and the answer."""
    request = fresh(scene.token)
    scene.api.after = failing(AWAY, "update")
    (lost,) = scene.judge(request)
    assert isinstance(lost, OSError)
    scene.api.after = lambda verb, name: None
    (again,) = scene.judge(request)
    assert isinstance(again, Redeemed) and again.repeated
    assert again.serial == certificates.serial_of(scene.kept().redeemed[0].chain)


def test_a_conflict_is_judged_anew(scene: Scene) -> None:
    conflicts = [CONFLICT, CONFLICT]

    def once(verb: str, name: str) -> None:
        if verb == "update" and conflicts:
            raise conflicts.pop()

    scene.api.before = once
    (answer,) = scene.judge(fresh(scene.token))
    assert isinstance(answer, Redeemed) and conflicts == []


def test_wrong_codes_lock_the_claim_for_all_replicas(scene: Scene) -> None:
    wrong = ClaimRequest(secret="x" * 32, csr="", checksum="", site_id="0" * 32, site_name="west")
    for _ in range(10):
        assert scene.judge(wrong) == [ClaimRefused("wrong-code")]
    assert scene.judge(fresh(scene.token)) == [ClaimRefused("locked")]


@pytest.mark.parametrize("name", ["nobody", "../x", "A", "x" * 300])
def test_a_claim_that_was_never_granted_is_unknown(scene: Scene, name: str) -> None:
    assert scene.judge(fresh(scene.token), name=name) == [ClaimRefused("unknown")]


def test_a_damaged_grant_is_refused_and_named(scene: Scene) -> None:
    for text in ("bm8=", "%%"):
        scene.api.objects[SECRET]["data"] = {"grant.json": text}
        (answer,) = scene.judge(fresh(scene.token))
        assert isinstance(answer, CertError)
        assert answer.subject == f"Secret/{SECRET}: data[grant.json]"


def test_an_api_that_is_too_slow_is_answered_for_in_time(scene: Scene) -> None:
    async def run() -> list[Result]:
        told: list[Result] = []

        async def never(kind: str, name: str, **_: str) -> dict[str, Any] | None:
            raise TimeoutError

        scene.api.find = never  # type: ignore[method-assign]
        async with asyncio.TaskGroup() as tasks:
            grants = GrantSecrets(scene.api, scene.site.authority, tasks)
            grants.redeem("to-east", fresh(scene.token), NOW, told.append)
            assert told == []  # Never within the call.
        return told

    (answer,) = asyncio.run(run())
    assert isinstance(answer, OSError)


def test_a_refusal_by_the_api_says_what_could_not_be_written(scene: Scene) -> None:
    scene.api.before = failing(ApiError(403, "Forbidden", "no right to update secrets"), "update")
    (answer,) = scene.judge(fresh(scene.token))
    assert isinstance(answer, OSError)
    assert "no right to update secrets" in str(answer) and SECRET in str(answer)


def test_a_claim_that_is_always_overtaken_is_put_off(scene: Scene) -> None:
    scene.api.before = failing(CONFLICT, "update")
    (answer,) = scene.judge(fresh(scene.token))
    assert isinstance(answer, OSError)
    assert len(scene.api.calls) <= 2 * limits.SECRET_TRIES_MAX
    assert scene.kept().uses_left == 1


def test_a_fault_of_ours_is_answered_for_and_ends_nothing_else(scene: Scene) -> None:
    async def story() -> list[Any]:
        told: list[Any] = []
        async with asyncio.TaskGroup() as tasks:
            grants = GrantSecrets(scene.api, scene.site.authority, tasks)
            scene.api.before = lambda verb, name: [][0]
            grants.redeem("to-east", fresh(scene.token), NOW, told.append)
        return told

    (answer,) = asyncio.run(story())
    assert isinstance(answer, OSError)
