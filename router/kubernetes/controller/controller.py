"""The site controller: makes a router from a ConfigMap ``skupper-site`` or a Site of Skupper v2.

Level-triggered: each pass makes the namespace match its ConfigMap, whatever happened before. The
ConfigMap owns the objects, so the garbage collector removes them even without the controller, and
no object ever carries a finalizer. The controller itself gives back the Services that the router
adopted: the router could not, since its permissions may be deleted first.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Iterable
from typing import Final

from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import CONFLICT, FORBIDDEN, ApiError
from router.kubernetes.controller.cluster_set_membership import ClusterSite
from router.kubernetes.controller.cluster_set_sites import ClusterSetSites, NotReadyToLink, is_made
from router.kubernetes.controller.controller_findings import REFUSED, event, refused
from router.kubernetes.controller.namespace_mirror import NamespaceMirror, Seen
from router.kubernetes.controller.orphaned_statuses import write_orphaned
from router.kubernetes.controller.skupper2_sites import Skupper2Sites, orphaned
from router.kubernetes.leader.service_writer import restore_all
from router.kubernetes.manifests import (
    headless_objects,
    multicluster_objects,
    owned,
    render,
    runs_routers,
    skupper2_objects,
)
from router.kubernetes.manifests.image import PullPolicy
from router.kubernetes.multicluster import conditions
from router.kubernetes.multicluster.names import EXPORT
from router.kubernetes.objects import names, skupper2_kinds
from router.kubernetes.objects.applied import is_as_applied, is_stamped, stamped
from router.kubernetes.objects.findings import ObjectFindings
from router.kubernetes.objects.objects import Object, is_going, name_of, shown, stamp_now, uid_of
from router.kubernetes.skupper2.requested_sites import RequestedSite, is_of_site
from router.kubernetes.translation import site_config
from router.model import limits
from router.model.errors import ConfigError
from router.model.specs import SiteSpec
from router.model.ticks import doubled_s

log = logging.getLogger("router.kubernetes")

_KEPT: Final = f"{names.TYPE_LABEL},{names.MANAGED_BY_LABEL}={names.MANAGED_BY}"
"""Secrets of a site: its identity, links, grants, revocations."""
_FIRST_TO_GO: Final = "RoleBinding"
"""Deleted first: without permissions the router cannot adopt Services again."""


class SiteController:
    """Maintains sites until cancelled. ``namespaces`` empty: the whole cluster.

    Routers run ``image``, pulled as ``pull_policy`` says. Belongs to one event loop; `run` belongs
    to one task.
    """

    def __init__(
        self,
        api: Api,
        namespaces: Iterable[str],
        image: str,
        pull_policy: PullPolicy,
        rng: random.Random,
    ) -> None:
        self._api = api
        self._image, self._pull_policy = image, pull_policy
        self._rng = rng
        self._pending: set[str] = set()
        self._busy: set[str] = set()
        self._waiting: set[str] = set()
        self._with_site: set[str] = set()  # Namespaces with a site that we made and did not remove.
        self._wake = asyncio.Event()
        self._failures: dict[str, int] = {}
        # No watch reports changes of quotas, policies and permissions.
        self._refused: set[str] = set()
        self._due: set[str] = set()
        self._unlinked: dict[str, ClusterSite] = {}  # Namespaces that wait for the cluster's site.
        self._settled: dict[str, frozenset[tuple[str, str, str]]] = {}
        self._held: dict[tuple[str, str], bool] = {}  # Our permissions, by namespace and resource.
        self._told: dict[str, set[str]] = {}
        self._members, self._v2_sites = ClusterSetSites(api), Skupper2Sites(api)
        self._seen: dict[str, Seen] | None = None
        self._mirror = NamespaceMirror(api, namespaces, self._changed, rng)

    @property
    def ready(self) -> bool:
        """Whether every watched kind was listed once."""
        return self._mirror.ready

    async def run(self) -> None:
        """Mirror, compare and apply, forever."""
        async with asyncio.TaskGroup() as tasks:
            for informer in self._mirror.informers:
                tasks.create_task(informer.run())
            tasks.create_task(self._look_again())
            tasks.create_task(self._link_waiting())
            for _ in range(limits.CONTROLLER_WORKERS):
                tasks.create_task(self._work())

    def _changed(self, kind: str) -> None:
        """An object of ``kind`` changed: check each namespace that is not settled."""
        self._seen = None
        if self.ready:
            self._wake.set()

    async def _look_again(self) -> None:
        """Find changes that no watch reports, such as the end of a refusal."""
        while True:
            await asyncio.sleep(limits.CONTROLLER_RESYNC_S * self._rng.uniform(0.9, 1.1))
            self._told.clear()
            self._held.clear()
            self._settled.clear()
            self._changed("")

    async def _link_waiting(self) -> None:
        """Wake namespaces once the cluster's site can be linked to: no watch reports that."""
        while True:
            await asyncio.sleep(limits.CONTROLLER_LINKS_LOOK_S)
            cluster = next(iter(self._unlinked.values()), None)  # The same one for all.
            try:
                is_due = cluster is not None and await self._members.takes_links(cluster)
            except ApiError as error:
                log.debug("the cluster's site could not be read: %s", error)
                continue
            if is_due:
                waiting, self._unlinked = self._unlinked, {}
                for namespace in waiting:
                    self._again(namespace)

    async def _work(self) -> None:
        while True:
            namespace = self._next()
            if namespace is None:
                self._wake.clear()
                await self._wake.wait()
                continue
            self._busy.add(namespace)
            try:
                await self._reconcile(namespace)
            except ApiError as error:
                self._failed(namespace, error)
            except Exception:  # A bad namespace must not stop the sites of the others.
                log.exception("a site could not be looked after", extra={"site": namespace})
                self._wait(namespace)
            else:
                if namespace not in self._refused:
                    self._failures.pop(namespace, None)
                elif namespace not in self._due:
                    self._later(namespace)
            finally:
                self._busy.discard(namespace)
                self._wake.set()

    def _next(self) -> str | None:
        """A namespace that is not settled and that no worker handles or delays."""
        if not self.ready:
            return None
        if self._seen is None:
            self._seen = self._mirror.view(self._with_site)
            self._pending = {
                namespace
                for namespace, seen in self._seen.items()
                if self._settled.get(namespace) != seen.versions
            }
            for known in (self._settled, self._failures):
                for gone in known.keys() - self._seen.keys():
                    del known[gone]
            self._refused &= self._seen.keys()
        free = self._pending - self._busy - self._waiting
        namespace = min(free, default=None)
        if namespace is not None:
            self._pending.discard(namespace)
        return namespace

    def _failed(self, namespace: str, error: ApiError) -> None:
        """Report the failure, and schedule another try."""
        if error.status != CONFLICT:
            log.warning("site not made: %s", error.message, extra={"site": namespace})
        self._wait(namespace)

    def _wait(self, namespace: str) -> None:
        """Leave the namespace alone until its next try."""
        self._waiting.add(namespace)
        self._later(namespace)

    def _later(self, namespace: str) -> None:
        """Check the namespace again, after a longer wait for each failure in a row."""
        failures = self._failures[namespace] = self._failures.get(namespace, 0) + 1
        wait_s = doubled_s(limits.CONTROLLER_RETRY_S, failures, limits.CONTROLLER_RETRY_MAX_S)
        self._due.add(namespace)
        asyncio.get_running_loop().call_later(
            wait_s * self._rng.uniform(0.5, 1.0), self._again, namespace
        )

    def _again(self, namespace: str) -> None:
        self._settled.pop(namespace, None)
        self._waiting.discard(namespace)
        self._due.discard(namespace)
        self._changed("")

    # Reconciliation ---------------------------------------------------------------------------

    async def _reconcile(self, namespace: str) -> None:
        self._refused.discard(namespace)
        self._unlinked.pop(namespace, None)
        seen = (self._seen or {}).get(namespace)
        if seen is None or not self._mirror.has(namespace, "ConfigMap"):
            # Nothing of ours is left, or a missing permission hides whether there is a site.
            return
        if seen.site is not None and namespace == self._api.namespace:
            problem = self._mirror.membership.problem()
            if problem is not None:
                await self._tell(namespace, seen.site, problem)
        if seen.site is None and seen.cluster is not None:
            await self._members.make(namespace, seen.cluster)
        elif seen.site is None and seen.v2 is not None:
            await self._make_of_site(namespace, seen.v2, seen)
        elif seen.site is None:
            await self._withdraw(namespace, seen)
        elif is_of_site(seen.site) and not seen.has_v2:
            await self._end_of_site(namespace, seen.site, seen)
        elif is_made(seen.site) and seen.has_left:
            await self._end_part(namespace, seen.site)
        else:
            if seen.v2 is not None and is_of_site(seen.site):
                await self._make_of_site(namespace, seen.v2, seen)
            await self._make(namespace, seen.site, seen)
            if is_made(seen.site) and seen.cluster is not None:
                problem = await self._link(namespace, seen.site, seen.cluster)
                if problem is not None:
                    await self._tell(namespace, seen.site, problem)
        self._settled[namespace] = seen.versions

    async def _link(self, namespace: str, site: Object, cluster: ClusterSite) -> ConfigError | None:
        try:
            return await self._members.link(namespace, site, cluster)
        except NotReadyToLink:
            self._unlinked[namespace] = cluster
            raise

    async def _make(self, namespace: str, site: Object, seen: Seen) -> None:
        """Bring all objects of a site to their wanted state."""
        openshift = self._mirror.has(namespace, "Route")
        noted = ObjectFindings(site_config.SOURCE)
        defaults = site_config.SiteDefaults(ingress="route" if openshift else "loadbalancer")
        options, document = site_config.read(site, namespace, defaults, noted)
        if options.is_left_alone:
            return
        self._with_site.add(namespace)
        if site_config.may_open(noted):
            for problem in noted.errors:
                await self._tell(namespace, site, problem)
            return
        assert isinstance(document.spec, SiteSpec)
        rendered = render(
            options,
            namespace=namespace,
            image=self._image,
            pull_policy=self._pull_policy,
            openshift=openshift,
            drain_grace_s=document.spec.drain_grace_s,
        )
        extra = await self._extra(namespace, document.spec)
        objects = sorted((*rendered.objects, *extra), key=runs_routers)
        wanted = [stamped(one) for one in owned(tuple(objects), _as_owner(site))]
        problems = [
            *noted.errors,
            *rendered.errors,
            *await self._apply_all(namespace, wanted, seen),
        ]
        await self._prune(namespace, wanted, seen)
        for problem in problems:
            await self._tell(namespace, site, problem)
        refusals = [one for one in problems if one.code == REFUSED]
        if refusals:
            self._refused.add(namespace)
        if refusals and seen.v2 is not None and is_of_site(site):
            await self._report(namespace, seen.v2.site, seen, refusals)

    async def _make_of_site(self, namespace: str, wish: RequestedSite, seen: Seen) -> None:
        """Make the ConfigMap that a Site asks for; the controller then makes the site from it."""
        if await self._v2_sites.make(namespace, wish, seen.site):
            log.info("applied ConfigMap of %s", shown(wish.site), extra={"site": namespace})
        for problem in wish.errors:
            await self._tell(namespace, wish.site, problem)
        if wish.errors:
            await self._report(namespace, wish.site, seen, wish.errors)

    async def _report(
        self, namespace: str, site: Object, seen: Seen, problems: Iterable[ConfigError]
    ) -> None:
        """Report problems in the status of a Site, unless the namespace's router writes it."""
        if _has_router(seen):
            return
        problem = await self._v2_sites.report(namespace, site, problems)
        if problem is not None:
            await self._tell(namespace, site, problem)

    async def _end_of_site(self, namespace: str, site: Object, seen: Seen) -> None:
        """The Site was deleted: delete its ConfigMap, which ends the site."""
        if await self._v2_sites.is_back(namespace):
            return  # The watch will deliver it.
        if await self._v2_sites.end(namespace, site):
            log.info("deleted %s", shown(site), extra={"site": namespace})
            return
        unread = self._mirror.refusal(namespace, "Site")
        problem = orphaned(namespace, follows_sites=self._mirror.is_for_all, unread=unread)
        await self._tell(namespace, site, problem)
        await self._make(namespace, site, seen)

    async def _end_part(self, namespace: str, site: Object) -> None:
        """The namespace no longer takes part: delete the site that we made for it."""
        place, namespaces = self._api.namespace, self._mirror.membership.namespaces
        if await self._members.end(namespace, site, place, namespaces):
            log.info("deleted %s", shown(site), extra={"site": namespace})

    async def _extra(self, namespace: str, spec: SiteSpec) -> list[Object]:
        """Permissions that only the controller can grant, as far as it has them itself."""
        extra: list[Object] = []
        if await self._holds(namespace, "discovery.k8s.io", "endpointslices"):
            extra += headless_objects(namespace)
        if spec.mcs and await self._holds(namespace, "multicluster.x-k8s.io", "serviceimports"):
            extra += multicluster_objects(namespace)
        if self._mirror.has(namespace, "Site") and await self._holds(
            namespace, skupper2_kinds.GROUP, "links", "get"
        ):
            extra += skupper2_objects(namespace)
        return extra

    async def _holds(self, namespace: str, group: str, resource: str, verb: str = "create") -> bool:
        """Whether the controller has this permission there; answers are cached for a while."""
        key = (namespace, resource)
        if key not in self._held:
            attributes = {"verb": verb, "group": group, "resource": resource}
            self._held[key] = await self._api.allows(attributes, namespace=namespace)
        return self._held[key]

    async def _apply_all(
        self, namespace: str, wanted: Iterable[Object], seen: Seen
    ) -> list[ConfigError]:
        """Apply the objects that differ, without the bindings of Roles that cannot be created.

        The API has no answer but 404 for such a binding.
        """
        problems: list[ConfigError] = []
        missing_roles: set[str] = set()
        for one in wanted:
            if one["kind"] == "RoleBinding" and one["roleRef"]["name"] in missing_roles:
                continue
            refusals = await self._apply(namespace, one, seen)
            if refusals and one["kind"] == "Role" and ("Role", name_of(one)) not in seen.made:
                missing_roles.add(name_of(one))
            problems += refusals
        return problems

    async def _apply(self, namespace: str, wanted: Object, seen: Seen) -> list[ConfigError]:
        """Apply ``wanted`` if the object differs. A permanent refusal by the API is a finding."""
        found = seen.made.get((wanted["kind"], name_of(wanted)))
        if found is not None and not is_going(found) and is_as_applied(found, wanted):
            return []
        try:
            await self._api.apply(wanted, namespace=namespace)
        except ApiError as error:
            if error.status not in _FOR_GOOD or "being terminated" in error.message:
                raise
            return [refused(wanted, error)]
        log.info("applied %s", shown(wanted), extra={"site": namespace})
        return []

    async def _prune(self, namespace: str, wanted: list[Object], seen: Seen) -> None:
        """Delete objects that the site no longer needs, such as a budget for one router."""
        kept = {(one["kind"], name_of(one)) for one in wanted}
        for key, found in seen.made.items():
            if key not in kept and is_stamped(found) and not is_going(found):
                await self._delete(namespace, found)

    async def _withdraw(self, namespace: str, seen: Seen) -> None:
        """The site is gone: give back adopted Services, then delete the rest."""
        again = await self._api.find("ConfigMap", names.SITE_CONFIGMAP, namespace=namespace)
        if again is not None and not is_going(again):
            return  # It was replaced: the next pass makes the same site from it.
        ours = [one for one in seen.made.values() if is_stamped(one) and not is_going(one)]
        if not ours and not seen.led:
            return
        for found in ours:
            if found.get("kind") == _FIRST_TO_GO:
                await self._delete(namespace, found)
        await self._restore(namespace)
        for found in ours:
            await self._delete(namespace, found)
        secrets = await self._api.list("Secret", labels=_KEPT, namespace=namespace)
        for secret in secrets.items:
            await self._delete(namespace, secret)
        await self._delete_one(namespace, "Lease", names.ROUTER)
        await self._delete_one(namespace, "ConfigMap", names.OWNERS_CONFIGMAP)
        await self._v2_sites.mark_without_site(namespace)
        await write_orphaned(self._api, namespace, (EXPORT,), conditions.withdrawn)
        # Last: while it exists, a controller that was interrupted continues from here.
        await self._delete_one(namespace, "ConfigMap", names.STATUS_CONFIGMAP)
        if self._mirror.membership.site is not None:
            await self._members.forget(namespace, self._api.namespace)
        self._told.pop(namespace, None)
        self._with_site.discard(namespace)

    async def _restore(self, namespace: str) -> None:
        """Give back all Services. ApiError comes last: the next try may succeed for some."""
        restored = await restore_all(self._api, namespace=namespace)
        for finding in restored.findings:
            log.error("%s", finding.message, extra={"site": namespace})
        if restored.refusal is not None:
            raise restored.refusal

    async def _delete(self, namespace: str, found: Object) -> None:
        uid = uid_of(found)
        if await self._delete_one(namespace, str(found["kind"]), name_of(found), uid):
            log.info("deleted %s", shown(found), extra={"site": namespace})

    async def _delete_one(self, namespace: str, kind: str, name: str, uid: str = "") -> bool:
        """Whether this call deleted the object, which may be gone or replaced by now."""
        try:
            return await self._api.delete(kind, name, uid=uid, namespace=namespace)
        except ApiError as error:
            if error.status != CONFLICT:
                raise
            return False  # Another object took its place.

    async def _tell(self, namespace: str, site: Object, problem: ConfigError) -> None:
        """Write a log line and an Event on the ConfigMap, once per site and problem."""
        text = f"{problem.message}. {problem.hint}"
        told = self._told.setdefault(namespace, set())
        if text in told:
            return
        told.add(text)
        log.warning("%s", text, extra={"site": namespace, "code": problem.code})
        with contextlib.suppress(ApiError):  # The log has it; the Event is a courtesy.
            made = event(namespace, site, problem, text, stamp_now())
            await self._api.create(made, namespace=namespace)


def _has_router(seen: Seen) -> bool:
    """Whether the namespace has a router, which writes the status of Sites itself."""
    return ("Deployment", names.ROUTER) in seen.made


def _as_owner(site: Object) -> Object:
    """The ConfigMap as the owner of the objects that are made from it."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": site["metadata"]}


_FOR_GOOD: Final = (FORBIDDEN, 400, 422)
