"""Revoked sites: the Secret is the truth; this router's changes to it are never lost."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from certs.links.revocation import Revocation, Revocations
from router.kubernetes.codecs.secrets import revoked_secret
from router.kubernetes.objects.names import REVOKED_SECRET
from router.kubernetes.trust.revoked import RevokedSecret
from router.model import limits
from tests.unit.kubernetes.trust.fake_secrets import (
    AWAY,
    CONFLICT,
    FORBIDDEN,
    FakeSecrets,
    failing,
)

EAST, WEST = "e" * 32, "1" * 32


class Scene:
    def __init__(self, root: Path) -> None:
        self.api = FakeSecrets()
        self.here = Revocations(root / "secrets")
        self.heard: list[None] = []
        self.secret = RevokedSecret(self.api, self.here, lambda: self.heard.append(None))

    def revoke(self, change: Revocation) -> None:
        """As the router does it."""
        self.here.apply(change)
        self.secret.revoked(change)

    def look(self) -> None:
        self.secret.look(self.api.seen())

    def step(self) -> None:
        asyncio.run(self.secret.step())

    def is_revoked(self, site: str) -> bool:
        return self.here.is_revoked("", site)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def of(*sites: str) -> bytes:
    return b'{"serials":[],"sites":[%s]}' % b",".join(b'"%s"' % s.encode() for s in sites)


def test_what_stands_in_the_secret_counts_at_once(scene: Scene) -> None:
    scene.api.put(revoked_secret(of(EAST)))
    scene.look()
    assert scene.is_revoked(EAST) and scene.heard
    scene.api.put(revoked_secret(of(WEST)))
    scene.look()
    assert scene.is_revoked(WEST) and not scene.is_revoked(EAST)
    del scene.api.objects[REVOKED_SECRET]
    scene.look()
    assert not scene.is_revoked(WEST)


def test_what_this_router_revokes_reaches_the_secret_and_stays_until_then(scene: Scene) -> None:
    scene.api.before = failing(AWAY)
    scene.revoke(Revocation(sites=frozenset({EAST})))
    scene.step()
    assert [error.code for error in scene.secret.errors] == ["SW0443"]
    scene.look()  # The Secret does not have it yet.
    assert scene.is_revoked(EAST)
    scene.api.before = lambda verb, name: None
    scene.step()
    assert scene.secret.errors == ()
    assert scene.api.objects[REVOKED_SECRET]["data"]["revoked.json"]


def test_a_watch_that_lags_behind_our_own_write_readmits_nobody(scene: Scene) -> None:
    scene.api.put(revoked_secret(of()))
    stale = scene.api.seen()
    scene.revoke(Revocation(sites=frozenset({EAST})))
    scene.step()
    scene.secret.look(stale)
    assert scene.is_revoked(EAST)
    scene.look()
    assert scene.is_revoked(EAST)
    scene.api.put(revoked_secret(of()))  # Later an operator readmits it.
    scene.look()
    assert not scene.is_revoked(EAST)


def test_replicas_add_to_one_list(scene: Scene, tmp_path: Path) -> None:
    other = Scene(tmp_path / "other")
    other.secret = RevokedSecret(scene.api, other.here, lambda: None)
    overtaken = [True]

    def overtake(verb: str, name: str) -> None:
        if verb in ("create", "update") and overtaken:
            overtaken.clear()
            scene.api.put(revoked_secret(of(WEST)))

    scene.api.before = overtake
    other.revoke(Revocation(sites=frozenset({EAST})))
    other.step()
    scene.look()
    assert scene.is_revoked(EAST) and scene.is_revoked(WEST)


def test_readmitting_takes_off_and_twice_writes_once(scene: Scene) -> None:
    scene.api.put(revoked_secret(of(EAST)))
    scene.look()
    for _ in range(2):
        scene.revoke(Revocation(readmitted=frozenset({EAST})))
        scene.step()
    scene.look()
    assert not scene.is_revoked(EAST)
    assert scene.api.writes == [f"update {REVOKED_SECRET}"]


@pytest.mark.parametrize("text", ["bm8=", "%%", None])
def test_a_damaged_list_lets_nobody_in_again_and_is_named(scene: Scene, text: str | None) -> None:
    scene.api.put(revoked_secret(of(EAST)))
    scene.look()
    scene.api.objects[REVOKED_SECRET]["data"] = {} if text is None else {"revoked.json": text}
    scene.look()
    assert scene.is_revoked(EAST)
    (error,) = scene.secret.errors
    assert (error.source, error.code) == (f"Secret/{REVOKED_SECRET}", "SW0445")
    assert error.path == "data[revoked.json]"
    assert error.hint
    scene.api.put(revoked_secret(base64.b64decode("e30=")))
    scene.look()
    assert scene.secret.errors == ()


def test_a_missing_right_names_the_rule(scene: Scene) -> None:
    scene.api.before = failing(FORBIDDEN, "create")
    scene.revoke(Revocation(sites=frozenset({EAST})))
    scene.step()
    (error,) = scene.secret.errors
    assert "Role spillway-router" in error.hint


def test_conflicts_end(scene: Scene) -> None:
    conflicts = [CONFLICT] * 3

    def refuse(verb: str, name: str) -> None:
        if verb == "create" and conflicts:
            raise conflicts.pop()

    scene.api.before = refuse
    scene.revoke(Revocation(sites=frozenset({EAST})))
    scene.step()
    assert not conflicts
    assert scene.api.objects[REVOKED_SECRET]["data"]["revoked.json"]


def test_a_write_that_is_always_overtaken_is_left_for_the_next_step(scene: Scene) -> None:
    scene.api.before = failing(CONFLICT, "create")
    scene.revoke(Revocation(sites=frozenset({EAST})))
    scene.step()
    assert len(scene.api.calls) <= 2 * limits.SECRET_TRIES_MAX
    assert [error.code for error in scene.secret.errors] == ["SW0443"]
    scene.api.before = lambda verb, name: None
    scene.step()
    assert scene.secret.errors == ()
    assert REVOKED_SECRET in scene.api.objects


def test_what_is_revoked_while_two_steps_keep_the_same_is_kept_as_well(tmp_path: Path) -> None:
    """At the end of a router one step may be under way when the last one begins."""

    class Slow(FakeSecrets):
        async def find(self, kind: str, name: str, **words: str) -> dict[str, Any] | None:
            if len(self.calls) == 1:
                self.calls.append("late")
                for _ in range(9):
                    await asyncio.sleep(0)
            return await super().find(kind, name)

    async def story() -> None:
        scene = Scene(tmp_path)
        scene.api = api = Slow()
        scene.secret = RevokedSecret(api, scene.here, lambda: None)
        scene.revoke(Revocation(sites=frozenset({EAST})))
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(scene.secret.step())
            tasks.create_task(scene.secret.step())
            await first
            scene.revoke(Revocation(sites=frozenset({WEST})))
        await scene.secret.step()
        kept = base64.b64decode(api.objects[REVOKED_SECRET]["data"]["revoked.json"])
        assert EAST.encode() in kept
        assert WEST.encode() in kept

    asyncio.run(story())
