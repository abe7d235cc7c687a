"""The CA of a namespace while it is replaced: the Secret is the truth, and replicas agree by it."""

import asyncio
import base64
import random
import time
from pathlib import Path

from certs.ca import rotation
from certs.ca.authority import Authority
from certs.ca.ca_files import CaFiles
from certs.ca.rotation import CaState
from router.kubernetes.codecs import identity
from router.kubernetes.objects.names import IDENTITY_SECRET
from router.kubernetes.trust.identity import follow, keep, prepare, propose_ca
from tests.unit.kubernetes.trust.fake_secrets import FORBIDDEN, FakeSecrets, failing


def replica(api: FakeSecrets, site_dir: Path) -> CaFiles:
    """A pod that has started, and its copy of the CA."""
    asyncio.run(prepare(api, site_dir, random.Random(1)))
    return CaFiles(site_dir / "secrets")


def fresh() -> CaState:
    made, key_pem = Authority.generate("ab" * 16, time.time())
    return CaState(key_pem, made.ca_pem)


def kept(api: FakeSecrets) -> CaState:
    return identity.ca(api.objects[IDENTITY_SECRET])


def test_of_two_replicas_that_begin_at_once_one_makes_the_new_ca_and_both_follow(
    tmp_path: Path,
) -> None:
    api = FakeSecrets()
    one, other = replica(api, tmp_path / "a"), replica(api, tmp_path / "b")
    before = one.load()
    first, second = (rotation.announced(before, fresh(), time.time()) for _ in range(2))
    assert asyncio.run(propose_ca(api, before, first)) is None
    assert asyncio.run(propose_ca(api, before, second)) is None
    assert kept(api) == first
    for name, files in (("a", one), ("b", other)):
        assert follow(tmp_path / name, api.objects[IDENTITY_SECRET])
        assert files.load() == first
        assert not follow(tmp_path / name, api.objects[IDENTITY_SECRET])


def test_every_phase_is_taken_up_with_what_the_other_keys_hold_untouched(tmp_path: Path) -> None:
    api = FakeSecrets()
    files = replica(api, tmp_path)
    identity = api.objects[IDENTITY_SECRET]["data"]["identity.key"]
    (tmp_path / "secrets" / "links").mkdir(exist_ok=True)
    state = files.load()
    announced = rotation.announced(state, fresh(), time.time())
    taken = rotation.with_taken(announced, ["cd" * 16])
    switched = rotation.switched(taken, time.time())
    for after in (announced, taken, switched, rotation.retired(switched)):
        assert asyncio.run(propose_ca(api, state, after)) is None
        assert follow(tmp_path, api.objects[IDENTITY_SECRET])
        assert files.load() == after == kept(api)
        found = api.objects[IDENTITY_SECRET]
        assert asyncio.run(keep(api, tmp_path, found)) is None, "the same identity"
        assert found["data"]["identity.key"] == identity
        pair = base64.b64decode(found["data"]["ca.crt"]).decode()
        assert pair == after.ca_pem, "older routers go by the pair that issues"
        state = after
    assert sorted(api.objects[IDENTITY_SECRET]["data"]) == ["ca.crt", "ca.key", "identity.key"]


def test_a_pod_that_starts_in_mid_rotation_has_both_cas_and_keeps_its_links(
    tmp_path: Path,
) -> None:
    api = FakeSecrets()
    files = replica(api, tmp_path / "a")
    (tmp_path / "a" / "secrets" / "links" / "west").mkdir(parents=True)
    before = files.load()
    after = rotation.announced(before, fresh(), time.time())
    asyncio.run(propose_ca(api, before, after))
    for name in ("a", "new"):
        assert replica(api, tmp_path / name).load() == after
        assert Authority.load(tmp_path / name / "secrets").trusted_pem == after.trusted_pem
    assert (tmp_path / "a" / "secrets" / "links" / "west").is_dir()


def test_a_right_that_is_missing_is_named(tmp_path: Path) -> None:
    api = FakeSecrets()
    before = replica(api, tmp_path).load()
    api.before = failing(FORBIDDEN)
    error = asyncio.run(propose_ca(api, before, rotation.announced(before, fresh(), time.time())))
    assert error is not None and "replace the CA" in str(error)


def test_a_damaged_rotation_in_the_secret_leaves_the_copy_as_it_is(tmp_path: Path) -> None:
    api = FakeSecrets()
    files = replica(api, tmp_path)
    before = files.load()
    found = api.objects[IDENTITY_SECRET]
    broken = {**found, "data": {**found["data"], "ca-rotation.json": "e30="}}
    assert not follow(tmp_path, broken)
    assert files.load() == before
    error = asyncio.run(keep(api, tmp_path, broken))
    assert error is not None and error.code == "SW0440"
