"""A claim is used as often as it may be, whatever the API does and however many ask at once."""

import asyncio
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs import certificates, keys
from certs.joining import claims
from certs.joining.claims import Redeemed
from router.kubernetes.client.errors import ApiError
from router.kubernetes.codecs.secrets import GRANT_FILE, data_of, grant_name, grant_secret
from router.kubernetes.trust.grants import GrantSecrets
from tests.unit.certs.sites import NOW, Site, parsed, request_of
from tests.unit.kubernetes.trust.fake_secrets import AWAY, FakeSecrets


class Scene(msgspec.Struct, frozen=True):
    """A site with a claim of two uses, and a request for it of each of four sites."""

    site: Site
    grant: claims.Grant
    requests: list[claims.ClaimRequest]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    site = Site(tmp_path_factory.mktemp("claims"))
    token = site.claim(uses=2)
    grant = site.grants.get(token.name)
    assert grant is not None
    made = [keys.to_pem(keys.generate()) for _ in range(4)]
    return Scene(site, grant, [parsed(request_of(token, key)) for key in made])


@given(
    askers=st.lists(st.integers(0, 3), min_size=1, max_size=8),
    seed=st.integers(0, 10_000),
    loses=st.floats(0.0, 0.6),
)
def test_a_claim_of_two_uses_yields_two_certificates_at_most(
    scene: Scene, askers: list[int], seed: int, loses: float
) -> None:
    """``askers``: which site asks, each time another replica; answers of the API get lost."""
    rng = random.Random(seed)
    api = FakeSecrets()
    api.put(grant_secret("to-east", claims.encode(scene.grant)))

    def lose(verb: str, name: str) -> None:
        if rng.random() < loses:
            raise rng.choice([AWAY, ApiError(503, "", "later")])

    api.before = api.after = lose

    async def ask(asker: int) -> tuple[int, Any]:
        for _ in range(rng.randrange(4)):
            await asyncio.sleep(0)
        async with asyncio.TaskGroup() as tasks:
            replica = GrantSecrets(api, scene.site.authority, tasks)
            return asker, await replica.judge("to-east", scene.requests[asker], NOW)

    async def all_ask() -> list[tuple[int, Any]]:
        return await asyncio.gather(*map(ask, askers))

    answers = asyncio.run(all_ask())
    data = data_of(api.objects[grant_name("to-east")])[GRANT_FILE]
    kept = claims.decode(data, "grant")
    chains: dict[int, set[str]] = {}
    for asker, answer in answers:
        if isinstance(answer, Redeemed):
            chains.setdefault(asker, set()).add(answer.chain_pem)
    assert kept.uses_left == 2 - len(kept.redeemed) >= 0
    assert all(len(given) == 1 for given in chains.values())
    told = {certificates.serial_of(chain) for given in chains.values() for chain in given}
    assert told <= {use.serial for use in kept.redeemed}  # Only stored certificates go out.
