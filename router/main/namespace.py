"""A site that is a Kubernetes namespace: what follows its objects, joined."""

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from router.control.acceptance import Reading
from router.control.kubernetes.api import Api
from router.control.kubernetes.store import KubernetesStore
from router.kubernetes.site_config import SiteDefaults
from router.main.stores import Namespace, Store

BIND_IP_VARIABLE: Final = "SPILLWAY_BIND_IP"
ANY_ADDRESS: Final = "0.0.0.0"
"""Those of IPv6 too, where there are any."""
POD_VARIABLE: Final = "HOSTNAME"
"""A pod's host name is its name, unless its template says otherwise."""


class NamespaceStore:
    """Objects of a namespace. Implements `Store`."""

    def __init__(self, store: KubernetesStore) -> None:
        self._store = store
        self.load = store.load
        self.poke = store.poke
        self.watch = store.watch
        self.declared = store.declared

    async def last(self) -> Reading:
        """What is known; a list anew would take as long as the API server likes."""
        return self._store.load()


@contextlib.asynccontextmanager
async def following(site_dir: Path, namespace: Namespace) -> AsyncIterator[Store]:
    """A store that has listed its namespace and has a usable site."""
    failure: Exception | None = None
    connected = await asyncio.to_thread(
        Api.connect, namespace.name, namespace.kubeconfig, namespace.context
    )
    async with connected as api, asyncio.TaskGroup() as tasks:
        store = KubernetesStore(
            api,
            api.namespace,
            pod=os.environ.get(POD_VARIABLE, ""),
            defaults=SiteDefaults(bind_ip=os.environ.get(BIND_IP_VARIABLE) or ANY_ADDRESS),
            rng=random.SystemRandom(),
        )
        running = tasks.create_task(store.run())
        try:
            await store.ready()
            yield NamespaceStore(store)
        except Exception as error:  # Raised below: the group would wrap it.
            failure = error
        finally:
            running.cancel()
    if failure is not None:
        raise failure
