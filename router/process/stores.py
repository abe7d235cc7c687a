"""Where the wanted state of a site comes from: its directory, or a Kubernetes namespace."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from router.control import ConfigDirectory, SourcesReading, Wanted, watch
from router.kubernetes.objects.changes import Listens
from router.model.errors import ConfigError
from router.model.events import Event
from router.model.specs import Document, ServiceSpec
from router.node.services.ports import SharedOwners
from router.operate.bursts.burst_places import DirectoryPlace
from router.operate.bursts.burst_runs import BurstPlace
from router.operate.consoles.consoles import LogsIn
from router.operate.record.audit_log import owner_of
from router.trust.ports import KeptSecrets


class Namespace(msgspec.Struct, frozen=True, kw_only=True):
    """A namespace of a cluster. All empty: that of the pod that we run in."""

    name: str = ""
    kubeconfig: str | None = None
    context: str | None = None


class Store(Protocol):
    """Wanted state, as the process follows it.

    ``kept``: where the secrets of the site are kept, when the site directory is only a copy.
    """

    @property
    def kept(self) -> KeptSecrets | None: ...

    @property
    def owners(self) -> SharedOwners | None:
        """What routers of one site remember together; None: each for itself."""
        ...

    @property
    def namespace(self) -> str:
        """The one that is the site; empty: the site is a directory."""
        ...

    @property
    def openshift(self) -> LogsIn | None:
        """Who says who somebody is, in a namespace."""
        ...

    @property
    def burst_place(self) -> BurstPlace:
        """Where burst hooks run, and where what they did is kept."""
        ...

    def load(self) -> SourcesReading:
        """The state now. ConfigError: there is no usable site."""
        ...

    def documents(self) -> Sequence[Document]:
        """Those that count."""
        ...

    def hear(self, event: Event) -> None:
        """One event of the journal, for those who look elsewhere than at the router."""
        ...

    def author(self, source: str) -> str:
        """Who wrote last at the place ``source`` of a document; empty: it does not tell."""
        ...

    async def last(self) -> SourcesReading:
        """The state at the end, read once more."""
        ...

    async def watch(self, changed: Callable[[Wanted, list[ConfigError]], None]) -> None:
        """Call ``changed`` with each new state or set of errors, until cancelled."""
        ...

    def poke(self) -> None:
        """Look now."""
        ...

    def declared(self, services: Mapping[str, ServiceSpec]) -> None:
        """Hear which services the whole network has now."""
        ...

    def tell_of_secrets(
        self, links_changed: Callable[[], None], revocations_changed: Callable[[], None]
    ) -> None:
        """Call these when the copy in the site directory has become another."""
        ...

    def attach(
        self,
        listening: Callable[[Listens], bool],
        status: Callable[[], Mapping[str, str] | None],
    ) -> None:
        """``listening``: at all of these inner ports. ``status``: what may be told of us."""
        ...


class DirectoryStore:
    """``config/*.yaml`` of a site directory."""

    def __init__(self, site_dir: Path) -> None:
        self._directory = ConfigDirectory(site_dir)
        self.author = owner_of(site_dir)
        self.kept = None
        self.owners = None
        self.openshift = None
        self.namespace = ""
        self.burst_place: BurstPlace = DirectoryPlace(site_dir)
        self.load = self._directory.load
        self.poke = self._directory.poke

    def hear(self, event: Event) -> None:
        """The journal has a file of its own."""

    def documents(self) -> Sequence[Document]:
        """Those that count."""
        return self._directory.documents

    async def last(self) -> SourcesReading:
        """Read once more: what was deleted right before the end is withdrawn now or never."""
        return await asyncio.to_thread(self._directory.load)

    async def watch(self, changed: Callable[[Wanted, list[ConfigError]], None]) -> None:
        """Poll the files."""
        await watch(self._directory, changed)

    def declared(self, services: Mapping[str, ServiceSpec]) -> None:
        """Nothing in a directory depends on others."""

    def tell_of_secrets(
        self, links_changed: Callable[[], None], revocations_changed: Callable[[], None]
    ) -> None:
        """Whoever changes the directory tells by the admin API, or is noticed within a second."""

    def attach(
        self,
        listening: Callable[[Listens], bool],
        status: Callable[[], Mapping[str, str] | None],
    ) -> None:
        """Nothing is written to a directory."""


@contextlib.asynccontextmanager
async def opened(site_dir: Path, namespace: Namespace | None) -> AsyncIterator[Store]:
    """A store whose `Store.load` answers. Waits for as long as a namespace cannot be listed.

    Raises ConfigError for what waiting does not mend.
    """
    if namespace is None:
        yield DirectoryStore(site_dir)
        return
    # Only here: sites without Kubernetes need nothing of it.
    from router.process.namespace import following

    async with following(site_dir, namespace) as store:
        yield store
