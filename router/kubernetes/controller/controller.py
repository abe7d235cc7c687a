"""The site controller: a ConfigMap ``skupper-site``, or a Site of Skupper v2, makes a router in its
namespace.

Level-triggered: whatever happened, a namespace is made what its ConfigMap says. Objects are owned
by it, so that its deletion collects them even without us, and nothing ever carries a finalizer.
What the router adopted is given back by us: it could not, since its own rights may go first.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Iterable
from typing import Final

from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import CONFLICT, FORBIDDEN, ApiError
from router.kubernetes.controller.cluster_set_sites import ClusterSetSites, is_made
from router.kubernetes.controller.controller_findings import REFUSED, event, refused
from router.kubernetes.controller.left_statuses import write_left
from router.kubernetes.controller.namespace_mirror import NamespaceMirror, Seen
from router.kubernetes.controller.skupper2_sites import Skupper2Sites, orphaned
from router.kubernetes.leader.service_writer import restore_all
from router.kubernetes.manifests import (
    headless_objects,
    multicluster_objects,
    owned,
    render,
    skupper2_objects,
)
from router.kubernetes.manifests.image import PullPolicy
from router.kubernetes.multicluster import conditions
from router.kubernetes.multicluster.names import EXPORT
from router.kubernetes.objects import names, skupper2_kinds
from router.kubernetes.objects.applied import is_as_applied, is_stamped, stamped
from router.kubernetes.objects.findings import ObjectFindings
from router.kubernetes.objects.objects import Object, is_going, name_of, shown, stamp_now, uid_of
from router.kubernetes.skupper2.requested_sites import SiteWish, is_of_site
from router.kubernetes.translation import site_config
from router.model import limits
from router.model.errors import ConfigError
from router.model.specs import SiteSpec
from router.model.ticks import doubled_s

log = logging.getLogger("router.kubernetes")

_KEPT: Final = f"{names.TYPE_LABEL},{names.MANAGED_BY_LABEL}={names.MANAGED_BY}"
"""Secrets of a site: its identity, links, grants, revocations."""
_FIRST_TO_GO: Final = "RoleBinding"
"""Without rights the router cannot adopt again what is given back."""


class SiteController:
    """Looks after sites until cancelled. ``namespaces`` empty: all of the cluster.

    ``image`` is what routers run, pulled as ``pull_policy`` says. Belongs to one event loop; `run`
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
        self._with_site: set[str] = set()  # Where we made one that was not taken away since.
        self._wake = asyncio.Event()
        self._failures: dict[str, int] = {}
        self._refused: set[str] = set()  # No watch tells that a quota, policy or right is another.
        self._due: set[str] = set()
        self._settled: dict[str, frozenset[tuple[str, str, str]]] = {}
        self._held: dict[tuple[str, str], bool] = {}  # Rights of ours, by namespace and resource.
        self._told: dict[str, set[str]] = {}
        self._members, self._v2_sites = ClusterSetSites(api), Skupper2Sites(api)
        self._seen: dict[str, Seen] | None = None
        self._mirror = NamespaceMirror(api, namespaces, self._changed, rng)

    @property
    def ready(self) -> bool:
        """All that is watched was listed once."""
        return self._mirror.ready

    async def run(self) -> None:
        """Mirror, compare, apply, for ever."""
        async with asyncio.TaskGroup() as tasks:
            for informer in self._mirror.informers:
                tasks.create_task(informer.run())
            tasks.create_task(self._look_again())
            for _ in range(limits.CONTROLLER_WORKERS):
                tasks.create_task(self._work())

    def _changed(self, kind: str) -> None:
        """Some object of ``kind`` changed: look at each namespace that is not as it was left."""
        self._seen = None
        if self.ready:
            self._wake.set()

    async def _look_again(self) -> None:
        """What no watch told, a refusal that has ended for example, is found in the end."""
        while True:
            await asyncio.sleep(limits.CONTROLLER_RESYNC_S * self._rng.uniform(0.9, 1.1))
            self._told.clear()
            self._held.clear()
            self._settled.clear()
            self._changed("")

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
            except Exception:  # One namespace's oddity must not end the others' sites.
                log.exception("a site could not be looked after", extra={"site": namespace})
            else:
                if namespace not in self._refused:
                    self._failures.pop(namespace, None)
                elif namespace not in self._due:
                    self._later(namespace)
            finally:
                self._busy.discard(namespace)
                self._wake.set()

    def _next(self) -> str | None:
        """A namespace that is not as it was left, and that nobody works at or waits for."""
        if not self.ready:
            return None
        if self._seen is None:
            self._seen = self._mirror.view(self._with_site)
            self._pending = {
                namespace
                for namespace, seen in self._seen.items()
                if self._settled.get(namespace) != seen.versions
            }
            for gone in self._settled.keys() - self._seen.keys():
                del self._settled[gone]
        free = self._pending - self._busy - self._waiting
        namespace = min(free, default=None)
        if namespace is not None:
            self._pending.discard(namespace)
        return namespace

    def _failed(self, namespace: str, error: ApiError) -> None:
        """Try again, and leave it alone until then: soon after a conflict."""
        if error.status != CONFLICT:
            log.warning("site not made: %s", error.message, extra={"site": namespace})
        self._waiting.add(namespace)
        self._later(namespace)

    def _later(self, namespace: str) -> None:
        """Look at it again, after a longer wait each time in a row."""
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

    # What is done -----------------------------------------------------------------------------

    async def _reconcile(self, namespace: str) -> None:
        self._refused.discard(namespace)
        seen = (self._seen or {}).get(namespace)
        if seen is None or not self._mirror.has(namespace, "ConfigMap"):
            return  # Nothing of ours is left, or we may not know whether there is a site.
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
                problem = await self._members.link(namespace, seen.site, seen.cluster)
                if problem is not None:
                    await self._tell(namespace, seen.site, problem)
        self._settled[namespace] = seen.versions

    async def _make(self, namespace: str, site: Object, seen: Seen) -> None:
        """Make all objects of a site what they shall be."""
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
        wanted = [stamped(one) for one in owned((*rendered.objects, *extra), _as_owner(site))]
        problems = [*noted.errors, *rendered.errors]
        for one in wanted:
            problems += await self._apply(namespace, one, seen)
        await self._prune(namespace, wanted, seen)
        for problem in problems:
            await self._tell(namespace, site, problem)
        refusals = [one for one in problems if one.code == REFUSED]
        if refusals:
            self._refused.add(namespace)
        if refusals and seen.v2 is not None and is_of_site(site):
            await self._report(namespace, seen.v2.site, seen, refusals)

    async def _make_of_site(self, namespace: str, wish: SiteWish, seen: Seen) -> None:
        """The ConfigMap that a Site asks for, of which the controller makes the site."""
        if await self._v2_sites.make(namespace, wish, seen.site):
            log.info("applied ConfigMap of %s", shown(wish.site), extra={"site": namespace})
        for problem in wish.errors:
            await self._tell(namespace, wish.site, problem)
        if wish.errors:
            await self._report(namespace, wish.site, seen, wish.errors)

    async def _report(
        self, namespace: str, site: Object, seen: Seen, problems: Iterable[ConfigError]
    ) -> None:
        """In the status of a Site, unless a router is there, which writes it."""
        if _has_router(seen):
            return
        problem = await self._v2_sites.report(namespace, site, problems)
        if problem is not None:
            await self._tell(namespace, site, problem)

    async def _end_of_site(self, namespace: str, site: Object, seen: Seen) -> None:
        """Its Site was deleted: delete the ConfigMap, whose site then ends."""
        if await self._v2_sites.is_back(namespace):
            return  # The watch brings it.
        if await self._v2_sites.end(namespace, site):
            log.info("deleted %s", shown(site), extra={"site": namespace})
            return
        unread = self._mirror.refusal(namespace, "Site")
        problem = orphaned(namespace, follows_sites=self._mirror.is_for_all, unread=unread)
        await self._tell(namespace, site, problem)
        await self._make(namespace, site, seen)

    async def _end_part(self, namespace: str, site: Object) -> None:
        """The namespace takes no part any more: delete the site that we made for it."""
        place, namespaces = self._api.namespace, self._mirror.membership.namespaces
        if await self._members.end(namespace, site, place, namespaces):
            log.info("deleted %s", shown(site), extra={"site": namespace})

    async def _extra(self, namespace: str, spec: SiteSpec) -> list[Object]:
        """Rights that an administrator of the namespace could not give, where we hold them."""
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
        """Whether we may do so with such objects there, as far as we asked lately."""
        key = (namespace, resource)
        if key not in self._held:
            attributes = {"verb": verb, "group": group, "resource": resource}
            self._held[key] = await self._api.allows(attributes, namespace=namespace)
        return self._held[key]

    async def _apply(self, namespace: str, wanted: Object, seen: Seen) -> list[ConfigError]:
        """Make ``wanted`` true if it is not. What the API refuses for good is a finding."""
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
        """Delete what the site no longer consists of: a budget after it came to one router."""
        kept = {(one["kind"], name_of(one)) for one in wanted}
        for key, found in seen.made.items():
            if key not in kept and is_stamped(found) and not is_going(found):
                await self._delete(namespace, found)

    async def _withdraw(self, namespace: str, seen: Seen) -> None:
        """The site is gone: give back what was adopted, then take away what the collector left."""
        again = await self._api.find("ConfigMap", names.SITE_CONFIGMAP, namespace=namespace)
        if again is not None and not is_going(again):
            return  # It was replaced: the next look makes the same site of it.
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
        await self._v2_sites.forsake(namespace)
        await write_left(self._api, namespace, (EXPORT,), conditions.withdrawn)
        # Last: as long as it is there, a controller that was interrupted goes on from here.
        await self._delete_one(namespace, "ConfigMap", names.STATUS_CONFIGMAP)
        if self._mirror.membership.site is not None:
            await self._members.forget(namespace, self._api.namespace)
        self._told.pop(namespace, None)
        self._with_site.discard(namespace)

    async def _restore(self, namespace: str) -> None:
        """ApiError, after all others were given back: some may be at the next try."""
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
        """Whether that was deleted, which may be gone or replaced by now."""
        try:
            return await self._api.delete(kind, name, uid=uid, namespace=namespace)
        except ApiError as error:
            if error.status != CONFLICT:
                raise
            return False  # Another took its place.

    async def _tell(self, namespace: str, site: Object, problem: ConfigError) -> None:
        """Once per site and problem: a log line, and an Event on the ConfigMap."""
        text = f"{problem.message}. {problem.hint}"
        told = self._told.setdefault(namespace, set())
        if text in told:
            return
        told.add(text)
        log.warning("%s", text, extra={"site": namespace, "code": problem.code})
        with contextlib.suppress(ApiError):  # The log has it; an Event is a courtesy.
            made = event(namespace, site, problem, text, stamp_now())
            await self._api.create(made, namespace=namespace)


def _has_router(seen: Seen) -> bool:
    """Whether a router is there, which writes the status of Sites itself."""
    return ("Deployment", names.ROUTER) in seen.made


def _as_owner(site: Object) -> Object:
    """The ConfigMap as the owner of what is made of it."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": site["metadata"]}


_FOR_GOOD: Final = (FORBIDDEN, 400, 422)
