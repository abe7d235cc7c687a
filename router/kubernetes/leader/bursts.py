"""Burst hooks of a site in Kubernetes: the replica that holds the Lease runs them.

Their state is in a Secret, because the router may write Secrets already: no further permission is
needed.
"""

import random
from collections.abc import Callable
from typing import Final

from router.control.bursts import Firing, HookOutcome, webhook
from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import ApiError
from router.kubernetes.codecs.secrets import SecretError, data_of, encoded
from router.kubernetes.leader import burst_objects as objects
from router.kubernetes.objects.names import BURSTS_SECRET, PART_OF
from router.model.bursts import BurstSpec

KEPT_KEY: Final = "bursts.json"
SECRET_KEY: Final = "secret"


class NamespacePlace:
    """Burst state and hooks in a namespace. ``holds``: this replica has the Lease."""

    def __init__(self, api: Api, rng: random.Random, holds: Callable[[], bool]) -> None:
        self._api, self._rng, self._holds = api, rng, holds

    @property
    def fires(self) -> bool:
        """Whether this replica runs hooks: only the one that holds the Lease does."""
        return self._holds()

    def refusal(self, spec: BurstSpec) -> str:
        """Why this kind of hook cannot run here; empty: it can."""
        if spec.kind == "command":
            return (
                "commands are for sites whose state is a directory: a router's pod has no tools "
                "and must not get any. Use webhook or object"
            )
        return ""

    async def load(self) -> bytes | None:
        """The state that was saved last; None: nothing yet."""
        found = await self._api.find("Secret", BURSTS_SECRET)
        return None if found is None else data_of(found).get(KEPT_KEY)

    async def save(self, kept: bytes) -> None:
        """Save the state, whole or not at all."""
        await self._api.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": BURSTS_SECRET, "labels": dict(PART_OF)},
                "data": encoded({KEPT_KEY: kept}),
            }
        )

    async def run(self, spec: BurstSpec, firing: Firing) -> HookOutcome:
        """Run the hook of ``spec``."""
        if spec.object is not None:
            return await objects.settle(self._api, spec.object, firing, spec.timeout_s)
        assert spec.webhook is not None, "commands are refused"
        secret = b""
        if spec.webhook.secret:
            try:
                found = await self._api.find("Secret", spec.webhook.secret)
            except ApiError as error:
                text = f"Secret {spec.webhook.secret} could not be read: {error}"
                return HookOutcome(ok=False, text=text)
            try:
                secret = data_of(found or {}).get(SECRET_KEY, b"").strip()
            except SecretError as error:
                return HookOutcome(ok=False, text=str(error))
            if not secret:
                name = spec.webhook.secret
                return HookOutcome(
                    ok=False,
                    text=f"Secret {name} has no key {SECRET_KEY}, or is not there",
                    hint=f"kubectl create secret generic {name} --from-literal={SECRET_KEY}=…",
                )
        return await webhook.post(spec.webhook, firing, secret, self._rng)
