"""What a process needs of the place where the wanted state of its site is kept."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from router.callers.names import CallerNames
from router.control import SourcesReading, Wanted
from router.kubernetes.codecs.status import ShortStatus
from router.kubernetes.objects.changes import Listens
from router.kubernetes.skupper2.network_facts import NetworkFacts
from router.kubernetes.targets.replicas import HeardRouters
from router.model.errors import ConfigError
from router.model.events import Event
from router.model.messages.exports import Exports
from router.model.specs import Document, ServiceSpec
from router.node.services.ports import SharedOwners
from router.operate.bursts.burst_runs import BurstPlace
from router.operate.consoles.consoles import LogsIn
from router.operate.record.audit_log import Author
from router.trust.ports import KeptSecrets


class RunningNames(CallerNames, Protocol):
    """`CallerNames` that ask somebody now and then."""

    async def run(self, wanted: Callable[[], bool]) -> None:
        """Ask while ``wanted`` says that connections wait for a name, until canceled."""

    def close(self) -> None:
        """Nothing is asked any more."""


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

    @property
    def namespace(self) -> str:
        """The one that is the site; empty: the site is a directory."""

    @property
    def router_name(self) -> str:
        """What people know this router by, of several; empty: its site has no other one here."""

    @property
    def openshift(self) -> LogsIn | None:
        """Who says who somebody is, in a namespace."""

    @property
    def burst_place(self) -> BurstPlace:
        """Where burst hooks run, and where what they did is kept."""

    @property
    def caller_names(self) -> RunningNames:
        """Who knows whose the connections of clients are."""

    def load(self) -> SourcesReading:
        """The state now. ConfigError: there is no usable site."""

    def documents(self) -> Sequence[Document]:
        """Those that count."""

    def hear(self, event: Event) -> None:
        """One event of the journal, for those who look elsewhere than at the router."""

    def writes(self) -> bool:
        """Whether this router, of all of its site, writes what those read."""

    def author(self, source: str) -> Author:
        """Who wrote last at the place ``source`` of a document."""

    async def last(self) -> SourcesReading:
        """The state at the end, read once more."""

    def site_is_gone(self) -> bool:
        """Whether nothing says any more that there is to be a site; as of `last`."""

    async def watch(self, changed: Callable[[Wanted, list[ConfigError]], None]) -> None:
        """Call ``changed`` with each new state or set of errors, until canceled."""

    def poke(self) -> None:
        """Look now."""

    def declared(self, services: Mapping[str, ServiceSpec], exports: Exports) -> None:
        """Hear which services the whole network has now, and which of them sites export."""

    def tell_of_secrets(
        self, links_changed: Callable[[], None], revocations_changed: Callable[[], None]
    ) -> None:
        """Call these when the copy in the site directory has become another."""

    def attach(
        self,
        listening: Callable[[Listens], bool],
        status: Callable[[], ShortStatus | None],
        network: Callable[[Collection[str]], NetworkFacts],
        heard_routers: Callable[[], HeardRouters | None],
    ) -> None:
        """``listening``: at all of these inner ports. ``status``: what may be told of us.

        ``network``: what the router knows of it, and of these services who uses them elsewhere.
        ``heard_routers``: the other routers of this site.
        """
