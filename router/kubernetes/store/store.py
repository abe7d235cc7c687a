"""The Kubernetes store: the wanted state of a site, from the objects of its namespace.

Informers mirror the objects. Each burst of changes becomes one `Snapshot`; everything after it is
pure: `translate`, acceptance, `targets`, `services.plan`. A change recomputes only what depends on
it: pods that come and go touch neither documents nor Services.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from math import inf
from random import Random
from typing import Final

import msgspec

from router.control.acceptance import Acceptance, SourcesReading, news
from router.documents import Wanted
from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import ServerSilence
from router.kubernetes.objects.names import ROUTER, SITE_CONFIGMAP
from router.kubernetes.objects.objects import Object, Snapshot, section
from router.kubernetes.objects.picture import NamespacePicture
from router.kubernetes.services.endpoint_slices import BOTH, Family, family_of
from router.kubernetes.services.headless import with_pods
from router.kubernetes.services.services import ServicePlan
from router.kubernetes.store.api_server_health import ApiServerHealth
from router.kubernetes.store.cluster_set import NOTHING, ClusterSet, ClusterSetPlan
from router.kubernetes.store.in_force import InForceSecret
from router.kubernetes.store.informer import Informer
from router.kubernetes.store.other_namespaces import CHANGED, OtherNamespaces
from router.kubernetes.store.own_site import OwnSite
from router.kubernetes.store.planning import POD_KINDS, Planning
from router.kubernetes.store.router_shares import RouterShares
from router.kubernetes.store.selections import SELECTIONS, LastWrite
from router.kubernetes.store.skupper2_objects import V2Objects, V2View
from router.kubernetes.store.supervise import run_supervised, woken
from router.kubernetes.targets.targets import Expander
from router.kubernetes.translation.document_places import removals
from router.kubernetes.translation.memo import Memo
from router.kubernetes.translation.site_config import SiteDefaults
from router.kubernetes.translation.translate import translate
from router.model import limits
from router.model.errors import ConfigError
from router.model.messages.exports import NO_EXPORTS, Exports
from router.model.specs import ConnectorSpec, Document, ServiceSpec

log = logging.getLogger("router.kubernetes")

SITE: Final = "ConfigMap"
_ESSENTIAL: Final = (SITE, "Secret", "Service")
"""Kinds that define the site, its revocations and its inner ports: a guess would harm others."""


class Look(msgspec.Struct, frozen=True):
    """A state and plan of the store, for `trust` and for writers to the API."""

    snapshot: Snapshot
    picture: NamespacePicture
    plan: ServicePlan
    reading: SourcesReading | None
    cluster_set: ClusterSetPlan = NOTHING
    v2: V2View = V2View()


async def _at_once() -> None:
    """No follower needs time."""


class KubernetesStore:
    """Computes the wanted state of a site from its namespace. Belongs to one event loop.

    `run` mirrors, `watch` reports states; ``followers`` get each look.

    ``pod``: the name of our own Pod, whose addresses show the address families of this site.
    """

    def __init__(
        self,
        api: Api,
        namespace: str,
        *,
        site_id: str = "",
        pod: str = "",
        defaults: SiteDefaults | None = None,
        rng: Random,
    ) -> None:
        self._site_id, self._pod = site_id, pod
        self._defaults = defaults or SiteDefaults()
        self._memo = Memo()
        self._dirty: set[str] = set()
        self._unfollowed: set[str] = set()  # Kinds whose last change followers have not seen.
        self._followed_until: dict[str, float] = {}
        self._woken = asyncio.Event()
        self._informers = [Informer(api, chosen, self._changed, rng) for chosen in SELECTIONS]
        began_at = time.monotonic()
        self._cluster_set = ClusterSet(api, namespace, self._changed, rng, began_at, site_id)
        self._v2 = V2Objects(api, self._changed, rng, self._defaults)
        self._others = OtherNamespaces(api, self._changed_elsewhere, rng)
        self._snapshot = Snapshot(namespace, {})
        self._picture = NamespacePicture()
        self._own_site = OwnSite(site_id)
        self._acceptance = Acceptance(
            f"Put ConfigMap {SITE_CONFIGMAP} back, or delete the site with: sitectl delete"
        )
        self._across: list[ConfigError] = []
        # Faulty sources whose old state stays in force.
        self._outdated: list[str] = []
        self._in_force = InForceSecret()
        self._expander = Expander()
        self._families: tuple[Family, ...] = BOTH
        self._planning = Planning(self._cluster_set, began_at)
        self._last: SourcesReading | None = None
        self.documents: tuple[Document, ...] = ()
        """Accepted documents, as last seen, without the pods that they stand for."""
        self._server = ApiServerHealth(self._informers)
        self.shares = RouterShares(pod)
        """This router's part of each capacity; call `poke` after news of other routers."""
        self._look_s = 0.0
        self.followers: list[Callable[[Look], None]] = []
        self._further: Callable[[], Iterable[ConfigError]] = tuple

    def add_errors(self, further: Callable[[], Iterable[ConfigError]]) -> None:
        """``further``: errors that others find in the namespace; call `poke` after news."""
        self._further = further

    def follow_calls(self, asked: Callable[[], ServerSilence | None]) -> None:
        """``asked``: since when calls find the API server silent; call `poke` after news."""
        self._server.follow(asked)

    def follow_rights(self, came_back: Callable[[], None]) -> None:
        """``came_back``: called when objects may be read again, for mirrors of others."""
        self._server.follow_rights(came_back)

    # Lifecycle ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Mirror the namespace until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for informer in self._informers:
                tasks.create_task(run_supervised(informer, f"the mirror of {informer.kind}"))
            tasks.create_task(run_supervised(self._cluster_set, "the mirror of the cluster set"))
            tasks.create_task(run_supervised(self._v2, "the mirror of Skupper v2's objects"))
            tasks.create_task(run_supervised(self._others, "the mirror of other namespaces"))

    async def ready(self) -> None:
        """Wait until everything was listed once and makes a usable state. Logs what is missing.

        Waits only a limited time for other namespaces: they hold only a part of the site.
        """
        await self._usable()
        try:
            async with asyncio.timeout(limits.OTHER_NAMESPACES_READY_S):
                while self._others.unanswered or self._dirty:
                    await self._wait()
                    self._see()
        except TimeoutError:
            unanswered = ", ".join(sorted(self._others.unanswered))
            log.warning("starts without the pods of namespaces that do not answer: %s", unanswered)

    async def _usable(self) -> None:
        told = ""
        while True:
            await self._wait()
            unlisted = sorted({i.kind for i in self._informers if not _is_known(i)})
            are_listed = not unlisted and self._v2.settled
            if are_listed and (self._see() or self._last) and self._cluster_set.settled:
                return
            awaited = [i.trouble for i in self._informers if not _is_known(i)]
            trouble = next(filter(None, awaited), "")
            lists = ", ".join(unlisted) or "objects of Skupper v2"
            told_now = f"waiting for the API server to list {lists}: {trouble}"
            if are_listed:
                told_now = f"waiting for a site: {_first(self._errors([]))}"
            if told_now != told and (trouble or are_listed):
                log.warning("%s", told_now)
                told = told_now

    async def watch(
        self,
        changed: Callable[[Wanted, list[ConfigError]], None],
        prepared: Callable[[], Awaitable[None]] = _at_once,
    ) -> None:
        """Call ``changed`` with each new state or set of errors, until cancelled.

        ``prepared``: waits until followers have what a state that they saw needs.
        """
        while True:
            await self._wait()
            try:
                reading = self._see()
            except Exception:  # The owner of the watch; the earlier state stays.
                log.exception("the objects of the namespace could not be understood")
                self._planning.forget()  # The next look starts with all objects.
                continue
            if reading is not None:
                await prepared()
                changed(reading.wanted, list(reading.errors))

    def load(self) -> SourcesReading:
        """The state now. ConfigError SW0109: there is no usable site (yet)."""
        self._see()
        if self._last is None:
            raise ConfigError(
                f"ConfigMap/{SITE_CONFIGMAP}",
                "",
                "there is none, so there is no site",
                hint="Make a site with: sitectl init",
                code="SW0109",
            )
        return self._last

    @property
    def site_is_gone(self) -> bool:
        """Whether no object asks for this site any more, as of the last look."""
        return self._own_site.is_gone

    def followed_until(self, kind: str) -> float:
        """Time up to which the ``followers`` know the server's objects of ``kind``.

        By `time.monotonic`; minus infinity: nothing yet.
        """
        if kind not in self._unfollowed:
            heard_at = min(one.heard_at for one in self._mirrors() if one.kind == kind)
            self._followed_until[kind] = heard_at
        return self._followed_until.get(kind, -inf)

    def author(self, source: str) -> str:
        """The field manager that wrote the object of ``KIND/NAME[KEY]`` last; empty: unknown.

        A ServiceExport and the Service of its name make its documents together. The change
        may be that of either, also of one that is deleted or whose writer the server did not
        record.
        """
        kind, _, name = source.partition("[")[0].partition("/")
        kinds = (kind, "Service") if kind == "ServiceExport" else (kind,)
        writes = [
            (one.writes[name], one.kind)
            for one in self._mirrors()
            if one.kind in kinds and name in one.writes
        ]
        if len(writes) < len(kinds) or any(write == LastWrite() for write, _ in writes):
            return ""
        last, kind = max(writes)
        return f"{last.manager}, field manager of {kind}/{name}"

    def poke(self) -> None:
        """Look now, even without a change."""
        self._server.look()
        self._woken.set()

    def declared(self, services: Mapping[str, ServiceSpec], exports: Exports = NO_EXPORTS) -> None:
        """Take the services of the whole network that are in force now, and their exports."""
        if self._planning.declared(services, exports):
            self._woken.set()

    def may_name_pods(self, allowed: bool) -> None:
        """Take whether EndpointSlices may be written here (`services.plan`)."""
        if self._planning.may_name_pods(allowed):
            self._woken.set()

    def _changed(self, kind: str) -> None:
        self.followed_until(kind)
        self._dirty.add(kind)
        self._unfollowed.add(kind)
        self._server.look()
        self._woken.set()

    def _changed_elsewhere(self, what: str) -> None:
        """A change in another namespace; no follower waits for it."""
        self._dirty.add(what)
        self._woken.set()

    async def _wait(self) -> None:
        """Wait for a change or due time, and a little longer: changes come in bursts."""
        await woken(self._woken, self._due_s())
        if not self._woken.is_set():
            return
        # Looks take at most a fifth of the loop's time, however busy the namespace is.
        pause_s = max(limits.OBJECTS_SETTLE_S, 4 * self._look_s)
        await asyncio.sleep(min(pause_s, limits.OBJECTS_SETTLE_MAX_S))
        self._woken.clear()

    def _due_s(self) -> float | None:
        due: list[float] = []
        if (again_at := self._planning.again_at()) is not None:
            due.append(max(limits.OBJECTS_SETTLE_MAX_S, again_at - time.monotonic()))
        if self._dirty:  # The last look failed.
            due.append(limits.WATCH_BACKOFF_MAX_S)
        due += (at for at in (self.shares.due_s, self._server.due_s) if at is not None)
        return min(due, default=None)

    def _mirrors(self) -> list[Informer]:
        return [*self._informers, *self._cluster_set.informers, *self._v2.informers]

    # Looks ----------------------------------------------------------------------------------

    def _see(self) -> SourcesReading | None:
        """Read the current objects; the new state, None: nothing changed."""
        began = time.perf_counter()
        dirty, self._dirty = self._dirty, set()
        try:
            reading = self._look(dirty)
        except BaseException:
            self._dirty |= dirty or {SITE}  # The look failed: read them again.
            raise
        self._look_s = time.perf_counter() - began
        return reading

    def _look(self, dirty: set[str]) -> SourcesReading | None:
        self._take_objects(dirty)
        if dirty - POD_KINDS or self._planning.is_stale:
            self._understand()
        documents = self._acceptance.documents()
        self._others.want(_namespaces_of(documents) - {self._snapshot.namespace}, self._v2.bound)
        expanded = self._expander.expand(documents, self._snapshot)
        wanted, remaining = self._acceptance.resolve(expanded.documents)
        if wanted is None:
            return None
        self._acceptance.served(documents)
        self.documents = tuple(documents)
        plan, cluster_plan = self._planning.plan(
            wanted, self._snapshot, self._picture, dirty, is_gone=self.site_is_gone
        )
        exported = self._cluster_set.terms(wanted.services)
        wanted = msgspec.structs.replace(
            wanted,
            inner_ports=plan.inner_ports,
            makes_services=self._picture.options is None
            or self._picture.options.service_controller,
            promised=plan.promised,
            exports=exported,
            link_removals=removals(expanded.documents, "Link"),
            service_removals=removals(expanded.documents, "Service"),
        )
        deployment = self._snapshot.get("Deployment", ROUTER)
        pods = self._snapshot.of("Pod")
        wanted = self.shares.divide(wanted, pods, deployment, self._families)
        planned = (*plan.findings, *cluster_plan.findings)
        errors = self._errors([*expanded.errors, *remaining, *planned])
        reading = news(self._last, wanted, errors, self._in_force.wanted)
        self._last = reading or self._last
        self._tell_followers(
            Look(self._snapshot, self._picture, plan, self._last, cluster_plan, self._v2.view)
        )
        return reading

    def _tell_followers(self, look: Look) -> None:
        self._unfollowed = set(self._dirty)
        for follower in self.followers:
            try:
                follower(look)
            except Exception:  # A follower's fault must not keep a state from being applied.
                log.exception("a look at the namespace was not followed")

    def _take_objects(self, dirty: set[str]) -> None:
        if not dirty:
            return
        objects = dict(self._snapshot.objects)
        for kind in dirty - set(CHANGED.values()):
            found: dict[str, Object] = {}
            for informer in self._mirrors():
                if informer.kind == kind:
                    found |= informer.copy()
            objects[kind] = found
        unread = frozenset(i.kind for i in self._mirrors() if not i.listed)
        others = self._others.view
        self._snapshot = Snapshot(self._snapshot.namespace, objects, unread, others)
        if "Pod" in dirty:
            self._learn_families()

    def _learn_families(self) -> None:
        own = self._snapshot.get("Pod", self._pod)
        told = [str(entry.get("ip") or "") for entry in section(own, "status").get("podIPs") or ()]
        families = tuple(dict.fromkeys(family_of(address) for address in told if address))
        if families and families != self._families:
            self._families = families
            self._expander = Expander(families)

    def _understand(self) -> None:
        """Read the objects again; a faulty source keeps its last good documents."""
        picture = translate(self._snapshot, self._site_id, defaults=self._defaults, memo=self._memo)
        picture = with_pods(self._v2.read(picture, self._snapshot), self._snapshot)
        self._picture = self._cluster_set.read(picture, self._snapshot)
        self._own_site.look(self._snapshot, self._picture)
        by_source: dict[str, list[Document]] = {}
        for document in self._picture.documents:
            by_source.setdefault(document.source, []).append(document)
        wrong = {error.source for error in self._picture.errors if error.severity == "error"}
        told = {(document.kind, document.name) for document in self._picture.documents}
        wrong -= self._v2.unbound
        self._in_force.restore(self._acceptance, self._snapshot)
        self._outdated = []
        kept: dict[str, list[Document]] = {}
        for source in sorted(wrong & (self._acceptance.sources | by_source.keys())):
            older = [
                document
                for document in self._acceptance.good(source)
                if (document.kind, document.name) not in told
            ]
            if older and self._exists(source):
                kept[source] = older
                # A link needs its token, which may be the missing part.
                if any(d.kind != "Link" or d.name in self._picture.tokens for d in older):
                    self._outdated.append(source)
        for source in self._acceptance.sources - by_source.keys() - kept.keys():
            # A deleted site reports its end over its links, whose Secrets go before its router
            # does.
            if not (self.site_is_gone and self._is_of_links(source)):
                self._acceptance.drop(source)
        for source in {**by_source, **kept}:
            self._acceptance.take(source, by_source.get(source, ()), kept=kept.get(source, ()))
        self._across = self._acceptance.accept()
        self._in_force.keep(self._acceptance, self._snapshot)

    def _is_of_links(self, source: str) -> bool:
        return any(one.kind == "Link" for one in self._acceptance.good(source))

    def _exists(self, source: str) -> bool:
        return self._snapshot.at(source) is not None

    # Errors ---------------------------------------------------------------------------------

    def _errors(self, found: Iterable[ConfigError]) -> list[ConfigError]:
        return [
            *self._picture.errors,
            *map(self._in_force.finding, self._outdated),
            *self._across,
            *found,
            *self._v2.findings(),
            *self._server.errors(self._further()),
        ]


def _is_known(informer: Informer) -> bool:
    """Whether the kind was listed or can be skipped, since another server may serve it."""
    if informer.kind in _ESSENTIAL:
        return informer.listed
    return informer.settled or (informer.selection.optional and bool(informer.trouble))


def _namespaces_of(documents: Iterable[Document]) -> frozenset[str]:
    """The namespaces whose pods connectors select."""
    specs = [one.spec for one in documents if isinstance(one.spec, ConnectorSpec)]
    return frozenset(spec.namespace for spec in specs if spec.namespace)


def _first(errors: Iterable[ConfigError]) -> str:
    return next((str(error) for error in errors), f"there is no ConfigMap {SITE_CONFIGMAP}")
