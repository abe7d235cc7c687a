"""The store of a site: its directory, or the follower of a Kubernetes namespace."""

import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from pathlib import Path

from router.control import ConfigDirectory, SourcesReading, Wanted, watch
from router.documents.in_force import InForce
from router.kubernetes.codecs.status import ShortStatus
from router.kubernetes.objects.changes import Listens
from router.kubernetes.skupper2.network_facts import NetworkFacts
from router.kubernetes.targets.replicas import HeardRouters
from router.model.errors import ConfigError
from router.model.events import Event
from router.model.messages.exports import Exports
from router.model.specs import Document, ServiceSpec
from router.net.threads import Threads
from router.operate.bursts.burst_places import DirectoryPlace
from router.operate.bursts.burst_runs import BurstPlace
from router.operate.record.audit_log import owner_of
from router.process.callers.containers import Containers
from router.process.callers.host_names import HostNames
from router.process.stores import Namespace, Store


class DirectoryStore:
    """``config/*.yaml`` of a site directory."""

    def __init__(self, site_dir: Path, *, ephemeral: bool = False) -> None:
        """``ephemeral``: the site ends with this process."""
        self._ephemeral = ephemeral
        self._directory = ConfigDirectory(site_dir, thread=Threads(1, "config"))
        self.author = owner_of(site_dir)
        self.primary_secrets = None
        self.owners = None
        self.openshift = None
        self.namespace = self.router_name = ""
        self.caller_names = HostNames(Containers())
        self.burst_place: BurstPlace = DirectoryPlace(site_dir)
        self.load = self._directory.load
        self.poke = self._directory.poke

    def hear(self, event: Event) -> None:
        """Nothing to do: the journal has its own file."""

    def writes(self) -> bool:
        """Never: the journal writes its own file."""
        return False

    def documents(self) -> Sequence[Document]:
        """The documents that count."""
        return self._directory.documents

    def in_force(self) -> Mapping[str, InForce]:
        """Those of wrong files."""
        return self._directory.in_force

    async def last(self) -> SourcesReading:
        """Read again: something deleted right before the end is withdrawn now or never."""
        return await self._directory.load_again()

    def site_is_gone(self) -> bool:
        """Only an ephemeral site: a command that deletes a directory sends `leave`."""
        return self._ephemeral

    async def watch(self, changed: Callable[[Wanted, list[ConfigError]], None]) -> None:
        """Poll the files."""
        await watch(self._directory, changed)

    def declared(self, services: Mapping[str, ServiceSpec], exports: Exports) -> None:
        """Nothing to do: a directory does not depend on other sites."""

    def tell_of_secrets(
        self, links_changed: Callable[[], None], revocations_changed: Callable[[], None]
    ) -> None:
        """Nothing to do: writers report by the admin API, or are noticed within two seconds."""

    def attach(
        self,
        listening: Callable[[Listens], bool],
        status: Callable[[], ShortStatus | None],
        network: Callable[[Collection[str]], NetworkFacts],
        heard_routers: Callable[[], HeardRouters | None],
    ) -> None:
        """Nothing to do: nothing is written to a directory."""


@contextlib.asynccontextmanager
async def opened(
    site_dir: Path, namespace: Namespace | None, *, ephemeral: bool = False
) -> AsyncIterator[Store]:
    """A store whose `Store.load` answers. Waits for as long as a namespace cannot be listed.

    Raises ConfigError for errors that waiting does not fix.
    """
    if namespace is None:
        yield DirectoryStore(site_dir, ephemeral=ephemeral)
        return
    # Imported only here: sites without Kubernetes need none of it.
    from router.process.namespace import following

    async with following(site_dir, namespace) as store:
        yield store
