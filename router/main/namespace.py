"""A site that is a Kubernetes namespace: what follows its objects, joined."""

import asyncio
import contextlib
import logging
import os
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from router.control.acceptance import Reading
from router.control.kubernetes.api import Api
from router.control.kubernetes.identity import prepare
from router.control.kubernetes.store import KubernetesStore, Look
from router.control.kubernetes.trust import SecretTrust
from router.kubernetes.site_config import SiteDefaults
from router.main.stores import Namespace, Store

BIND_IP_VARIABLE: Final = "SPILLWAY_BIND_IP"
ANY_ADDRESS: Final = "0.0.0.0"
"""Those of IPv6 too, where there are any."""
POD_VARIABLE: Final = "HOSTNAME"
"""A pod's host name is its name, unless its template says otherwise."""


class NamespaceStore:
    """Objects of a namespace. Implements `Store`."""

    def __init__(self, store: KubernetesStore, trust: SecretTrust) -> None:
        self._store = store
        self._trust = self.kept = trust
        self.load = store.load
        self.poke = store.poke
        self.watch = store.watch
        self.declared = store.declared

    async def last(self) -> Reading:
        """What is known; a list anew would take as long as the API server likes."""
        await self._trust.last()
        return self._store.load()

    def tell_of_secrets(
        self, links_changed: Callable[[], None], revocations_changed: Callable[[], None]
    ) -> None:
        """Call these when the copy in the site directory has become another."""
        self._trust.links_changed = links_changed
        self._trust.revocations_changed = revocations_changed


@contextlib.asynccontextmanager
async def following(site_dir: Path, namespace: Namespace) -> AsyncIterator[Store]:
    """A store that has listed its namespace and has a usable site.

    The site's secrets are in ``site_dir`` by then, so that nobody is let in who was revoked.
    """
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # It tells of each request.
    rng = random.SystemRandom()
    failure: Exception | None = None
    connected = await asyncio.to_thread(
        Api.connect, namespace.name, namespace.kubeconfig, namespace.context
    )
    async with connected as api, asyncio.TaskGroup() as tasks:
        site_id = await prepare(api, site_dir, rng)
        trust = SecretTrust(api, site_dir, rng)
        store = KubernetesStore(
            api,
            api.namespace,
            site_id=site_id,
            pod=os.environ.get(POD_VARIABLE, ""),
            defaults=SiteDefaults(bind_ip=os.environ.get(BIND_IP_VARIABLE) or ANY_ADDRESS),
            rng=rng,
        )

        def look(seen: Look) -> None:
            wanted = None if seen.reading is None else seen.reading.wanted
            trust.look(seen.snapshot, seen.picture, wanted)

        store.followers.append(look)
        store.further = lambda: trust.errors
        trust.errors_changed = store.poke
        running = [tasks.create_task(store.run()), tasks.create_task(trust.run())]
        try:
            await store.ready()
            yield NamespaceStore(store, trust)
        except Exception as error:  # Raised below: the group would wrap it.
            failure = error
        finally:
            for task in running:
                task.cancel()
    if failure is not None:
        raise failure
