"""The namespace's part of a cluster set: ServiceExports and ServiceImports, mirrored and planned.

No request is made before the site turns `mcs` on. `kubernetes.multicluster` decides what the kinds
mean; a kind that vanishes leaves its objects as they were last seen.
"""

import asyncio
import random
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from router.kubernetes.client.api import Api
from router.kubernetes.multicluster import conditions, exported, imports, named_pods, reports
from router.kubernetes.multicluster.availability import Availability
from router.kubernetes.multicluster.conditions import ReportedStatuses
from router.kubernetes.multicluster.exported import ReadExport
from router.kubernetes.multicluster.imports import ImportState
from router.kubernetes.multicluster.names import (
    API_VERSION,
    EXPORT,
    GROUP,
    IMPORT,
    OLDER_VERSION,
    is_ours,
)
from router.kubernetes.objects.access_levels import AccessLevel
from router.kubernetes.objects.changes import Change
from router.kubernetes.objects.objects import Snapshot, stamp_now
from router.kubernetes.objects.picture import NamespacePicture
from router.kubernetes.store.custom_kinds import CustomKinds
from router.kubernetes.store.informer import Informer
from router.kubernetes.store.watched_right import WatchedRight
from router.model import limits
from router.model.errors import ConfigError
from router.model.ids import ServiceKey
from router.model.messages.exports import NO_EXPORTS, Exports, ExportTerms
from router.model.specs import SiteSpec

_WRITE_IMPORTS: Final = {
    "verb": "create",
    "group": GROUP,
    "resource": "serviceimports",
}


class ClusterSetPlan(msgspec.Struct, frozen=True):
    """Objects to write for the cluster set. ``again_at``: when the next plan is due."""

    changes: tuple[Change, ...] = ()
    statuses: ReportedStatuses = {}
    findings: tuple[ConfigError, ...] = ()
    again_at: float | None = None


NOTHING: Final = ClusterSetPlan()


class ClusterSet:
    """Belongs to one event loop, `run` to one task. ``changed``: as in `CustomKinds`."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        changed: Callable[[str], None],
        rng: random.Random,
        began_at: float,
        site_id: str = "",
    ) -> None:
        self._changed, self._site_id = changed, site_id
        self._own_namespace = self._namespace = namespace
        self._began_at = began_at
        self._kinds = CustomKinds(
            api, API_VERSION, (EXPORT, IMPORT), changed, rng, older=(OLDER_VERSION,)
        )
        self._may_write_imports = WatchedRight(
            api, _WRITE_IMPORTS, self._heard_of_right, limits.CUSTOM_KINDS_S
        )
        self._switched = asyncio.Event()
        self._is_on = False
        self._reads: Sequence[ReadExport] = ()
        self._heard: set[str] = set()  # Services whose exports were seen.
        self._may_import: bool | None = None
        """Whether ServiceImports may be made, changed and deleted here; None: not known yet."""

    async def run(self) -> None:
        """Mirror the kinds as soon as the site is in a cluster set."""
        await self._switched.wait()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._kinds.run())
            tasks.create_task(self._may_write_imports.run())

    def _heard_of_right(self, answer: bool | None) -> None:
        """Take whether ServiceImports may be written; without an answer the last one stays."""
        may_import = bool(self._may_import) if answer is None else answer
        if may_import != self._may_import:
            self._may_import = may_import
            self._changed(IMPORT)

    @property
    def informers(self) -> Iterable[Informer]:
        """The mirrors of all kinds, served or not."""
        return self._kinds.informers.values()

    @property
    def settled(self) -> bool:
        """Whether the namespace's exports are known."""
        return not self._is_on or (self._kinds.settled and self._may_import is not None)

    def read(self, picture: NamespacePicture, snapshot: Snapshot) -> NamespacePicture:
        """``picture`` with the services that the namespace exports."""
        site = next((d.spec for d in picture.documents if isinstance(d.spec, SiteSpec)), None)
        if site is not None:
            self._switch(site)
        self._reads = (
            exported.read_all(snapshot, self._namespace, self._site_id) if self._is_on else ()
        )
        if not self._reads:
            return picture
        documents = (document for read in self._reads for document in read.documents)
        errors = (error for read in self._reads for error in read.errors)
        return msgspec.structs.replace(
            picture,
            documents=(*picture.documents, *documents),
            errors=(*picture.errors, *errors),
        )

    def _switch(self, site: SiteSpec) -> None:
        self._is_on = site.mcs
        self._namespace = site.mcs_namespace or self._own_namespace
        if site.mcs:
            self._switched.set()

    def names(self, exports: Exports, services: Collection[str]) -> set[str]:
        """The network's names of exported services and of their pods, of this site and others.

        They get no Service of that name. ``services``: declared by this site.
        """
        own = {document.name for read in self._reads for document in read.documents}
        return exports.keys() | named_pods.names_in(exports) | (own & set(services))

    def terms(self, services: Collection[str]) -> dict[str, ExportTerms]:
        """The terms of those of ``services`` that the namespace exports."""
        return {
            read.name: read.terms
            for read in self._reads
            if read.terms is not None and read.name in services
        }

    def imported(self, exports: Exports) -> Collection[str]:
        """Services and pods that the namespace imports, by the network's names."""
        if not self._is_on:
            return ()
        return imports.names_of(imports.imported(exports, self._namespace))

    def plan(
        self,
        snapshot: Snapshot,
        exports: Exports,
        inner: Mapping[ServiceKey, int],
        taken: Collection[str],
        ttl_s: float,
        now: float,
        *,
        may_slice: bool,
        is_gone: bool = False,
    ) -> ClusterSetPlan:
        """The due changes.

        ``taken``: names of Services here that belong to the network's other services.
        ``may_slice``: EndpointSlices may be written.
        ``is_gone``: the site was deleted; the program that deleted it also removes its objects.

        A service whose exports are not known (yet) keeps its import for ``ttl_s`` from the start.
        """
        if is_gone:
            return ClusterSetPlan((), _withdrawn(snapshot), ())
        if not self._switched.is_set() and not any(map(is_ours, snapshot.of("Service").values())):
            return NOTHING  # The case at nearly every site.
        if self._is_on and not self.settled:
            return NOTHING  # The permissions decide the names of Services.
        utc = stamp_now()
        settles_at = self._began_at + ttl_s
        state = ImportState(
            snapshot=snapshot,
            namespace=self._namespace,
            inner=inner,
            taken=taken,
            may_write=bool(self._may_import) and self._level(IMPORT) >= AccessLevel.READ,
            may_slice=may_slice,
            api_version=self._kinds.api_version,
            is_settled=lambda name: not self._is_on or name in self._heard or now >= settles_at,
            now=utc,
        )
        plan = imports.plan(exports if self._is_on else NO_EXPORTS, state)
        self._heard |= plan.names
        findings = [*plan.findings, *reports.findings(self._reads, plan.merged), *self._lacking()]
        of_exports = (
            reports.statuses(self._reads, plan.merged, inner, utc)
            if self._is_on
            else _withdrawn(snapshot)
        )
        return ClusterSetPlan(
            plan.changes,
            {**plan.statuses, **of_exports},
            tuple(findings),
            settles_at if now < settles_at and self._is_on else None,
        )

    def _level(self, kind: str) -> AccessLevel:
        return self._kinds.levels.get(kind, AccessLevel.ABSENT)

    def _lacking(self) -> Iterator[ConfigError]:
        """Missing kinds or permissions and their effects, once each."""
        if self._is_on and self._kinds.levels:
            yield from Availability(
                levels=self._kinds.levels,
                may_import=bool(self._may_import),
                was_served=bool(self._kinds.vanished),
            ).lacking()


def _withdrawn(snapshot: Snapshot) -> ReportedStatuses:
    """Statuses of exports without our conditions: the site exports nothing any more."""
    found = {name: conditions.withdrawn(one) for name, one in snapshot.of(EXPORT).items()}
    return {(EXPORT, name): status for name, status in found.items() if status is not None}
