"""Burst hooks of a namespace: Secrets hold their records and their credentials."""

import asyncio
import random
from typing import Any, cast

import pytest

from certs.errors import CertError
from router.control.bursts import Firing
from router.kubernetes.client.api import Api
from router.kubernetes.codecs.secrets import encoded
from router.kubernetes.leader.bursts import NamespacePlace
from router.model.bursts import BurstSpec, SaturatedMarks, WebhookSpec
from tests.unit.kubernetes.trust.fake_secrets import FakeSecrets

FIRING = Firing(id="id-1", event="calm", is_test=False, values={})


def place_of(api: FakeSecrets) -> NamespacePlace:
    return NamespacePlace(cast(Api, api), random.Random(1), lambda: True)


def secret(name: str, data: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}


def test_what_hooks_did_is_read_back_or_named_as_damaged() -> None:
    api = FakeSecrets()
    place = place_of(api)
    assert asyncio.run(place.load()) is None
    api.put(secret("spillway-bursts", encoded({"bursts.json": b"{}"})))
    assert asyncio.run(place.load()) == b"{}"
    api.put(secret("spillway-bursts", {"bursts.json": "%%%"}))
    with pytest.raises(CertError, match=r"Secret/spillway-bursts: data\[bursts\.json\]"):
        asyncio.run(place.load())


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"secret": "%%%"}, "Secret/hook: data[secret]: is not base64"),
        ({}, "Secret hook has no key secret"),
    ],
)
def test_a_hook_whose_secret_is_damaged_is_not_run(data: dict[str, str], told: str) -> None:
    api = FakeSecrets()
    api.put(secret("hook", data))
    hook = BurstSpec(
        service="shop",
        saturated=SaturatedMarks(),
        webhook=WebhookSpec(url="https://hooks.example/x", secret="hook"),
    )
    outcome = asyncio.run(place_of(api).run(hook, FIRING))
    assert not outcome.ok and told in outcome.text
