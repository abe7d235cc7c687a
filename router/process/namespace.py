"""A site that is a Kubernetes namespace: all parts that follow its objects, joined."""

import asyncio
import contextlib
import logging
import os
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Final

from router.control.acceptance import SourcesReading
from router.documents import Wanted
from router.documents.in_force import InForce
from router.kubernetes.client.api import Api
from router.kubernetes.codecs.status import ShortStatus
from router.kubernetes.leader.bursts import NamespacePlace
from router.kubernetes.leader.events import EventWriter
from router.kubernetes.leader.finding_events import FindingEventWriter
from router.kubernetes.leader.in_force import InForceWriter
from router.kubernetes.leader.journal_events import JournalEventWriter
from router.kubernetes.leader.lease import Leadership
from router.kubernetes.leader.object_statuses import ObjectStatuses
from router.kubernetes.leader.owners import OwnersMap
from router.kubernetes.leader.service_writer import ServiceWriter
from router.kubernetes.leader.skupper2_access import V2Access
from router.kubernetes.leader.skupper2_statuses import AsksNetwork, V2StatusWriter
from router.kubernetes.leader.status import StatusWriter
from router.kubernetes.objects.changes import Listens
from router.kubernetes.services.services import ServicePlan
from router.kubernetes.store.cluster_set import ClusterSetPlan
from router.kubernetes.store.skupper2_objects import LEVEL
from router.kubernetes.store.store import KubernetesStore, Look
from router.kubernetes.store.supervise import run_supervised
from router.kubernetes.store.watched_right import WatchedRight
from router.kubernetes.targets.pods import is_router, routers_ready, takes_requests
from router.kubernetes.targets.replicas import HeardRouters
from router.kubernetes.translation.site_config import SiteDefaults
from router.kubernetes.trust.identity import prepare
from router.kubernetes.trust.openshift import OpenShiftLogin, open_login
from router.kubernetes.trust.trust import SecretTrust
from router.model import limits
from router.model.errors import ConfigError
from router.model.specs import Document
from router.node.services.ports import SharedOwners
from router.operate.bursts.burst_runs import BurstPlace
from router.operate.consoles.consoles import LogsIn
from router.operate.record.audit_log import Author
from router.process.callers.namespace_names import NamespaceNames
from router.process.stores import Namespace, Store

log = logging.getLogger("router.process")

BIND_IP_VARIABLE: Final = "SPILLWAY_BIND_IP"
ANY_ADDRESS: Final = "0.0.0.0"
"""Includes IPv6 addresses, if there are any."""
_WRITE_SLICES: Final = {
    "verb": "create",
    "group": "discovery.k8s.io",
    "resource": "endpointslices",
}
POD_VARIABLES: Final = ("POD_NAME", "HOSTNAME")
"""The second one is the pod's name too, unless its template says otherwise."""


def _pod_name() -> str:
    return next((os.environ[name] for name in POD_VARIABLES if os.environ.get(name)), "")


class NamespaceStore:
    """Objects of a namespace. Implements `Store`.

    By `attach` the router reports where it listens. A Service leads here only after that, and only
    while a router is ready: otherwise its clients would find no listener.
    """

    def __init__(
        self,
        store: KubernetesStore,
        trust: SecretTrust,
        api: Api,
        rng: Random,
        openshift: OpenShiftLogin,
    ) -> None:
        self._store = store
        self.router_name = _pod_name()
        self.openshift: LogsIn | None = openshift
        self.namespace = api.namespace
        self.caller_names = NamespaceNames(lambda: store.followed_until("Pod"))
        self._trust = self.primary_secrets = trust
        self._owners = OwnersMap(api, trust.site_id, rng, self.site_is_gone)
        self._in_force = InForceWriter(api, self.writes, self.site_is_gone)
        self.owners: SharedOwners | None = self._owners
        self._may_write_slices = WatchedRight(
            api, _WRITE_SLICES, self._heard_of_slices, limits.RIGHTS_LOOK_S
        )
        self._listening: Callable[[Listens], bool] = lambda needs: False
        self._status: Callable[[], ShortStatus | None] = lambda: None
        self._network: AsksNetwork = lambda services: None
        holder = f"{_pod_name() or 'router'}_{rng.randbytes(4).hex()}"
        self._lease = Leadership(api, holder, rng, self._lease_changed)
        self._services = ServiceWriter(
            api,
            rng,
            may_write=self.writes,
            listening=self._leads_somewhere,
            changed=store.poke,
        )
        self._statuses = ObjectStatuses(api, self.writes, every_s=limits.CLUSTER_SET_STATUS_EVERY_S)
        self._v2_statuses = V2StatusWriter(
            api, self.writes, lambda services: self._network(services), lambda: trust.addresses
        )
        self._v2_access = V2Access(api, self.writes, lambda: trust.addresses)
        self._events = EventWriter(api)
        self._finding_events = FindingEventWriter(self._events, self.writes)
        self._journal_events = JournalEventWriter(self._events, self.writes)
        self.hear = self._journal_events.hear
        self._status_writer = StatusWriter(api, self.writes, lambda: self._status())
        self.burst_place: BurstPlace = NamespacePlace(api, rng, self.writes)
        self._offered: tuple[ServicePlan, ClusterSetPlan] | None = None
        self._routers_ready = self._others_ready = False
        self._failure = ""
        self.load = store.load
        self.poke = store.poke
        self.declared = store.declared
        self.author = lambda source: Author(store.author(source))
        store.followers.append(self._look)
        store.add_errors(
            lambda: (
                *trust.errors,
                *self._owners.errors,
                *self._in_force.errors,
                *self._services.findings,
                *self._lease.errors,
                *self._v2_access.errors,
                *self._status_writer.errors,
                *self._events.errors,
            )
        )
        store.follow_calls(lambda: self._lease.silence)
        store.follow_rights(trust.note_rights)
        self._lease.follow_silence(store.poke)
        for finder in (
            *(trust, self._owners, self._in_force, self._v2_access),
            *(self._status_writer, self._events),
        ):
            finder.follow_errors(store.poke)

    def writes(self) -> bool:
        """Whether this router holds the Lease."""
        return self._lease.holds

    def _lease_changed(self) -> None:
        self._services.poke()
        self._store.poke()  # The lease's errors may have changed.

    def _leads_somewhere(self, needs: Listens) -> bool:
        """Whether a Service may lead here; until then its previous selector works."""
        return not needs or (self._routers_ready and self._listening(needs))

    def _look(self, seen: Look) -> None:
        pods = seen.snapshot.of("Pod")
        self.caller_names.look(pods)
        others = (pod for name, pod in pods.items() if name != self.router_name and is_router(pod))
        self._others_ready = any(map(takes_requests, others))
        ready = routers_ready(pods.values())
        if ready != self._routers_ready:
            self._routers_ready = ready
            self._services.poke()
        pods = seen.snapshot.of("Pod")
        self._lease.see([name for name, pod in pods.items() if is_router(pod)])
        wanted = None if seen.reading is None else seen.reading.wanted
        self._trust.look(seen.snapshot, seen.picture, wanted)
        self._owners.look(seen.snapshot)
        self._in_force.look(seen)
        offered = seen.plan, seen.cluster_set
        if offered != self._offered:
            self._offered = offered
            self._services.offer((*seen.plan.changes, *seen.cluster_set.changes))
        self._statuses.offer(seen.snapshot, seen.cluster_set.statuses)
        self._v2_statuses.look(seen)
        self._v2_access.look(seen)
        options = seen.picture.options
        self._journal_events.enable(options is None or options.events)
        self._journal_events.look(seen.snapshot)
        if seen.reading is not None:
            errors = seen.reading.errors if self._journal_events.is_enabled else ()
            # A mere level is not a problem of any object.
            told = [one for one in errors if not (one.code == LEVEL and one.severity == "info")]
            self._finding_events.look(seen.snapshot, told)

    async def run(self) -> None:
        """Follow the namespace, store its secrets and write to it, until canceled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._store.run())
                for one in (
                    self._may_write_slices,
                    self._trust,
                    self._owners,
                    self._in_force,
                    self._lease,
                    self._services,
                    self._statuses,
                    self._v2_statuses,
                    self._v2_access,
                    self._finding_events,
                    self._journal_events,
                    self._status_writer,
                ):
                    tasks.create_task(run_supervised(one, type(one).__name__))
        except ExceptionGroup as group:  # A fault of ours, by which the router ends.
            self.fails(group.exceptions[0])
            raise
        finally:
            if self._lease.holds and not self._others_ready:
                await self._status_writer.stop(self._failure)
            await self._lease.release()

    def fails(self, error: Exception) -> None:
        """The router ends by ``error``."""
        self._failure = str(error) or type(error).__name__

    def _heard_of_slices(self, may_write: bool | None) -> None:
        """Take whether EndpointSlices may be written; if unknown, that stays as it was."""
        if may_write is not None:
            self._store.may_name_pods(may_write)

    async def watch(self, changed: Callable[[Wanted, list[ConfigError]], None]) -> None:
        """As the store does, once newly named credentials are here; then Services whose ports are
        now listened on may be written.
        """

        def applied(wanted: Wanted, errors: list[ConfigError]) -> None:
            changed(wanted, errors)
            self._services.poke()

        await self._store.watch(applied, self._trust.ready)

    def documents(self) -> Sequence[Document]:
        """The documents that count, without the pods that they select."""
        return self._store.documents

    def in_force(self) -> Mapping[str, InForce]:
        """Nothing that this process has to store: a Secret has it."""
        return {}

    async def last(self) -> SourcesReading:
        """The state known now; listing again would take as long as the API server likes."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._trust.last())
            tasks.create_task(self._owners.last())
        return self._store.load()

    def site_is_gone(self) -> bool:
        """Whether the site's ConfigMap was deleted."""
        return self._store.site_is_gone

    def tell_of_secrets(
        self, links_changed: Callable[[], None], revocations_changed: Callable[[], None]
    ) -> None:
        """Call these when the copy in the site directory has changed."""
        self._trust.follow_secrets(links_changed, revocations_changed)

    def attach(
        self,
        listening: Callable[[Listens], bool],
        status: Callable[[], ShortStatus | None],
        network: AsksNetwork,
        heard_routers: Callable[[], HeardRouters | None],
    ) -> None:
        """``listening``: whether all of these inner ports are bound. ``status``: for ConfigMap
        `spillway-status`. ``network``: returns the network facts that statuses show.
        ``heard_routers``: the others of this site.
        """
        self._store.shares.follow_routers(heard_routers)
        self._listening, self._status, self._network = listening, status, network
        self._services.poke()


@contextlib.asynccontextmanager
async def following(site_dir: Path, namespace: Namespace) -> AsyncIterator[Store]:
    """A store that has listed its namespace and has a usable site.

    The site's secrets are in ``site_dir`` by then, so that no revoked site is let in.
    """
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # It would log each request.
    rng = random.SystemRandom()
    connected = await asyncio.to_thread(
        Api.connect, namespace.name, namespace.kubeconfig, namespace.context
    )
    async with connected as api:
        site_id, pod = await prepare(api, site_dir, rng), _pod_name()
        store = KubernetesStore(
            api,
            api.namespace,
            site_id=site_id,
            pod=pod,
            defaults=SiteDefaults(bind_ip=os.environ.get(BIND_IP_VARIABLE) or ANY_ADDRESS),
            rng=rng,
        )
        trust = SecretTrust(api, site_dir, rng, pod=pod)
        login = await asyncio.to_thread(
            open_login, namespace.kubeconfig, namespace.context, api.namespace
        )
        joined = NamespaceStore(store, trust, api, rng, login)
        failure: Exception | None = None
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(joined.run())
            try:
                await store.ready()
                await trust.ready()
                yield joined
            except Exception as error:  # Raised below: the group would wrap it.
                failure = error
                joined.fails(error)
            finally:
                running.cancel()
        if failure is not None:
            raise failure
