"""The interface to the place where the wanted state of a site is stored."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from router.callers.names import CallerNames
from router.control import SourcesReading, Wanted
from router.documents.in_force import InForce
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
from router.trust.ports import PrimarySecrets


class RunningNames(CallerNames, Protocol):
    """`CallerNames` that query a source now and then."""

    async def run(self, wanted: Callable[[], bool]) -> None:
        """Ask while ``wanted`` says that connections wait for a name, until canceled."""

    def close(self) -> None:
        """Stop asking."""


class Namespace(msgspec.Struct, frozen=True, kw_only=True):
    """A namespace of a cluster. All empty: that of our pod."""

    name: str = ""
    kubeconfig: str | None = None
    context: str | None = None


class Store(Protocol):
    """Wanted state, as the process follows it.

    ``primary_secrets``: where the site's secrets are, if the site directory is only a copy.
    """

    @property
    def primary_secrets(self) -> PrimarySecrets | None: ...

    @property
    def owners(self) -> SharedOwners | None:
        """The shared memory of the routers of one site; None: each has its own."""

    @property
    def namespace(self) -> str:
        """The namespace that is the site; empty: the site is a directory."""

    @property
    def router_name(self) -> str:
        """The name of this router for users, if there may be several; empty: the site has only this
        one.
        """

    @property
    def openshift(self) -> LogsIn | None:
        """The login by OpenShift, in a namespace."""

    @property
    def burst_place(self) -> BurstPlace:
        """Where burst hooks run, and their state is stored."""

    @property
    def caller_names(self) -> RunningNames:
        """Names the callers behind client connections."""

    def load(self) -> SourcesReading:
        """The state now. ConfigError: there is no usable site."""

    def documents(self) -> Sequence[Document]:
        """The documents that count."""

    def in_force(self) -> Mapping[str, InForce]:
        """The documents in force of wrong sources, for the state of this router; empty if the store
        itself stores them.
        """

    def hear(self, event: Event) -> None:
        """Receive one event of the journal, for readers elsewhere than at the router."""

    def writes(self) -> bool:
        """Whether this router, of all routers of its site, writes for those readers."""

    def author(self, source: str) -> Author:
        """The last writer at the place ``source`` of a document."""

    async def last(self) -> SourcesReading:
        """The state at the end, read again."""

    def site_is_gone(self) -> bool:
        """Whether the site was deleted, as found by `last`."""

    async def watch(self, changed: Callable[[Wanted, list[ConfigError]], None]) -> None:
        """Call ``changed`` with each new state or set of errors, until canceled."""

    def poke(self) -> None:
        """Look now."""

    def declared(self, services: Mapping[str, ServiceSpec], exports: Exports) -> None:
        """Receive the services of the whole network, and the sites' exports of them."""

    def tell_of_secrets(
        self, links_changed: Callable[[], None], revocations_changed: Callable[[], None]
    ) -> None:
        """Call these when the copy in the site directory has changed."""

    def attach(
        self,
        listening: Callable[[Listens], bool],
        status: Callable[[], ShortStatus | None],
        network: Callable[[Collection[str]], NetworkFacts],
        heard_routers: Callable[[], HeardRouters | None],
    ) -> None:
        """``listening``: whether all of these inner ports are bound. ``status``: our public state.
        ``network``: what the router knows of the network, and of users of these services elsewhere.
        ``heard_routers``: the other routers of this site.
        """
