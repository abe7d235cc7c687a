"""One identity for a site, whatever fails and however many replicas start at once."""

import asyncio
import base64
import random
from pathlib import Path
from typing import Any

import pytest

from certs.ca.authority import Authority
from certs.identity import SiteIdentity
from router.kubernetes.client.errors import ApiError
from router.kubernetes.objects.names import IDENTITY_SECRET
from router.kubernetes.trust.identity import prepare
from router.model import limits
from router.model.errors import ConfigError
from tests.unit.kubernetes.trust.fake_secrets import (
    AWAY,
    CONFLICT,
    FORBIDDEN,
    FakeSecrets,
    failing,
)
from tests.unit.virtual_loop import run


def prepared(api: FakeSecrets, site_dir: Path) -> str:
    return asyncio.run(prepare(api, site_dir, random.Random(1)))


def test_the_first_start_makes_the_identity_and_every_later_one_takes_it(tmp_path: Path) -> None:
    api = FakeSecrets()
    first = prepared(api, tmp_path / "a")
    assert sorted(api.objects[IDENTITY_SECRET]["data"]) == ["ca.crt", "ca.key", "identity.key"]
    assert prepared(api, tmp_path / "b") == first
    assert prepared(api, tmp_path / "a") == first
    assert api.writes == [f"create {IDENTITY_SECRET}"]
    secrets = tmp_path / "b" / "secrets"
    assert SiteIdentity.load(secrets).site_id == first
    assert Authority.load(secrets).ca_pem == Authority.load(tmp_path / "a" / "secrets").ca_pem
    assert secrets.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in secrets.iterdir()} == {0o600}


def test_two_replicas_that_start_at_once_get_one_identity(tmp_path: Path) -> None:
    api = FakeSecrets()
    rival = FakeSecrets()
    other = prepared(rival, tmp_path / "other")

    def overtake(verb: str, name: str) -> None:
        if verb == "create" and not api.objects:
            api.put(rival.objects[IDENTITY_SECRET])

    api.before = overtake
    assert prepared(api, tmp_path / "here") == other
    assert api.writes == []


def test_an_answer_that_was_lost_is_looked_up(tmp_path: Path) -> None:
    api = FakeSecrets()
    faults = [AWAY]

    def lose(verb: str, name: str) -> None:
        if faults:
            raise faults.pop()

    api.after = lose
    site_id = prepared(api, tmp_path)
    api.after = lambda verb, name: None
    assert prepared(api, tmp_path / "again") == site_id


@pytest.mark.parametrize("key", ["identity.key", "ca.key", "ca.crt"])
@pytest.mark.parametrize("text", [None, "", "bm8=", "%%%"])
def test_a_damaged_secret_is_named_and_never_replaced(
    tmp_path: Path, key: str, text: str | None
) -> None:
    api = FakeSecrets()
    prepared(api, tmp_path / "a")
    data: dict[str, Any] = api.objects[IDENTITY_SECRET]["data"]
    if text is None:
        del data[key]
    else:
        data[key] = text
    with pytest.raises(ConfigError) as refused:
        prepared(api, tmp_path / "b")
    assert refused.value.source == f"Secret/{IDENTITY_SECRET}"
    assert (refused.value.path, refused.value.code) == (f"data[{key}]", "SW0440")
    assert "backup" in refused.value.hint
    assert api.writes == [f"create {IDENTITY_SECRET}"]


def test_a_ca_of_another_key_is_damage(tmp_path: Path) -> None:
    api, rival = FakeSecrets(), FakeSecrets()
    prepared(api, tmp_path / "a")
    prepared(rival, tmp_path / "b")
    foreign = rival.objects[IDENTITY_SECRET]["data"]["ca.crt"]
    api.objects[IDENTITY_SECRET]["data"]["ca.crt"] = foreign
    with pytest.raises(ConfigError, match=r"does not belong to ca\.key"):
        prepared(api, tmp_path / "c")


def test_a_server_that_refuses_for_a_moment_ends_no_start(tmp_path: Path) -> None:
    """A starting API server refuses everything until it has read the Roles."""

    async def story() -> str:
        api, loop = FakeSecrets(), asyncio.get_running_loop()

        def starting(verb: str, name: str) -> None:
            if loop.time() < limits.API_AWAY_S / 2:
                raise FORBIDDEN

        api.before = starting
        return await prepare(api, tmp_path, random.Random(1))

    assert run(story())


def test_a_moment_of_refusals_begins_with_the_first_of_them(tmp_path: Path) -> None:
    """A starting API server answers nothing for longer, and then refuses."""

    async def story() -> str:
        api, loop = FakeSecrets(), asyncio.get_running_loop()
        refusals = [FORBIDDEN]

        def starting(verb: str, name: str) -> None:
            if loop.time() < 2 * limits.API_AWAY_S:
                raise AWAY
            if refusals:
                raise refusals.pop()

        api.before = starting
        return await prepare(api, tmp_path, random.Random(1))

    assert run(story())


def test_a_missing_right_is_named_with_the_rule_that_gives_it(tmp_path: Path) -> None:
    api = FakeSecrets()
    api.before = failing(FORBIDDEN, "create")
    with pytest.raises(ConfigError) as refused:
        run(prepare(api, tmp_path, random.Random(1)))
    assert refused.value.code == "SW0443"
    assert "Role spillway-router" in refused.value.hint and "secrets" in refused.value.hint
    assert "bind it again" in refused.value.hint, "the RoleBinding may be what is gone"


def test_a_restart_in_the_same_pod_does_not_wait_for_the_api(tmp_path: Path) -> None:
    api = FakeSecrets()
    first = prepared(api, tmp_path)
    api.before = failing(AWAY)
    assert prepared(api, tmp_path) == first


def test_a_secret_that_was_deleted_under_a_running_pod_is_made_again_from_it(
    tmp_path: Path,
) -> None:
    api = FakeSecrets()
    first = prepared(api, tmp_path)
    del api.objects[IDENTITY_SECRET]
    assert prepared(api, tmp_path) == first
    assert prepared(api, tmp_path / "later") == first


def test_another_identity_in_the_secret_counts_and_drops_what_was_given_to_the_old(
    tmp_path: Path,
) -> None:
    api, rival = FakeSecrets(), FakeSecrets()
    prepared(api, tmp_path)
    links = tmp_path / "secrets" / "links" / "east"
    links.mkdir(parents=True)
    other = prepared(rival, tmp_path / "rival")
    api.put(rival.objects[IDENTITY_SECRET])
    assert prepared(api, tmp_path) == other
    assert not links.exists()
    key = base64.b64decode(rival.objects[IDENTITY_SECRET]["data"]["identity.key"])
    assert (tmp_path / "secrets" / "identity.key").read_bytes() == key


def test_the_api_is_waited_for_on_a_first_start(tmp_path: Path) -> None:
    api = FakeSecrets()
    faults: list[ApiError] = [AWAY, ApiError(503, "", "later")]

    def away(verb: str, name: str) -> None:
        if faults:
            raise faults.pop()

    api.before = away
    assert prepared(api, tmp_path)
    assert faults == []


def test_a_write_that_is_always_overtaken_is_tried_again_after_a_while(tmp_path: Path) -> None:
    """A quota that is being counted answers 409 too, for an object that does not exist."""

    async def story() -> str:
        api = FakeSecrets()
        faults = [CONFLICT] * 3 * limits.SECRET_TRIES_MAX

        def overtaken(verb: str, name: str) -> None:
            if verb == "create" and faults:
                raise faults.pop()

        api.before = overtaken
        site_id = await prepare(api, tmp_path, random.Random(1))
        assert asyncio.get_running_loop().time() > 0  # Virtual: it waited between.
        return site_id

    assert run(story())
