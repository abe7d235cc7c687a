"""Sites from Skupper v2 objects alone: `kubectl apply -f site.yaml` installs a router.

The controller makes ConfigMap ``skupper-site`` from a Site, and the site from that ConfigMap. The
Site owns nothing: deleting Skupper's CRDs deletes every Site, and no author asks for that. So a
site ends only if its Site was seen here and is gone while the cluster still serves the kind.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import FORBIDDEN, ApiError
from router.kubernetes.controller.orphaned_statuses import write_orphaned
from router.kubernetes.objects import names, skupper2_kinds
from router.kubernetes.objects.applied import is_as_applied, stamped
from router.kubernetes.objects.conditions import Condition, conditions
from router.kubernetes.objects.objects import (
    Object,
    Snapshot,
    is_going,
    name_of,
    part,
    section,
    shown,
    stamp_now,
    uid_of,
)
from router.kubernetes.objects.role_rules import rule_text
from router.kubernetes.skupper2.controller_choice import controller_of
from router.kubernetes.skupper2.requested_sites import RequestedSite
from router.kubernetes.skupper2.statuses import ERROR, MESSAGE_CHARS_MAX, READY, without_site
from router.model.errors import ConfigError


class Skupper2Sites:
    """Keeps the ConfigMaps in line with their Sites."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: set[str] = set()  # Namespaces with a Site that was seen since we started.

    async def make(self, namespace: str, wish: RequestedSite, found: Object | None) -> bool:
        """Make ConfigMap ``found`` match ``wish``; whether it had to change."""
        self._known.add(namespace)
        if wish.config_map is None:
            return False
        wanted = stamped(wish.config_map)
        if found is not None and is_as_applied(found, wanted):
            return False
        await self._api.apply(wanted, namespace=namespace)
        return True

    async def is_back(self, namespace: str) -> bool:
        """Whether the Site was replaced meanwhile: ``kubectl replace --force`` deletes it first."""
        if namespace not in self._known:
            return False
        there = await self._api.list("Site", namespace=namespace)
        return any(not is_going(one) for one in there.items)

    async def end(self, namespace: str, found: Object) -> bool:
        """Delete ConfigMap ``found``, whose Site is gone.

        False: it stays, since perhaps the kind is gone.
        """
        if namespace not in self._known:
            return False
        await self._api.delete("ConfigMap", name_of(found), uid=uid_of(found), namespace=namespace)
        self._known.discard(namespace)
        return True

    async def mark_without_site(self, namespace: str) -> None:
        """Write into the status of the remaining objects that they have no site."""
        if await self._is_of_another(namespace):
            return
        now = stamp_now()
        kinds = (kind for kind in skupper2_kinds.KINDS if kind != "Site")
        await write_orphaned(
            self._api, namespace, kinds, lambda one: without_site(one, namespace, now)
        )

    async def _is_of_another(self, namespace: str) -> bool:
        """Whether another controller acts on the objects by now."""
        claim = await self._api.find("ConfigMap", names.SKUPPER_CONTROL, namespace=namespace)
        router = await self._api.find("Deployment", names.SKUPPER_ROUTER, namespace=namespace)
        found = [one for one in (claim, router) if one is not None]
        objects = {str(one["kind"]): {name_of(one): one} for one in found}
        return bool(controller_of(Snapshot(namespace, objects)).other)

    async def report(
        self, namespace: str, site: Object, problems: Iterable[ConfigError]
    ) -> ConfigError | None:
        """Write into the status of ``site`` why it has no router, since no router can.

        Returns a finding if the controller lacks the permission; the site itself does not depend on
        it.
        """
        found = await self._api.find("Site", name_of(site), namespace=namespace)
        first = next(iter(problems), None)
        if found is None or first is None:
            return None
        status = _failed(found, f"{first.reason}. {first.hint}".rstrip(". "))
        if part(found, "status", "message") == status["message"]:
            return None
        try:
            await self._api.replace(
                {**found, "status": status}, subresource="status", namespace=namespace
            )
        except ApiError as error:
            if error.status != FORBIDDEN:
                raise
            return _unwritten(site, error)
        return None


def orphaned(namespace: str, *, follows_sites: bool, unread: ApiError | None) -> ConfigError:
    """The next step for a site that was made from a Site which is no longer visible.

    ``follows_sites``: the controller follows Sites. ``unread``: why it cannot read them; None: it
    can, and the Site was deleted while no controller ran.
    """
    removal = f"delete the site: kubectl -n {namespace} delete configmap {names.SITE_CONFIGMAP}"
    if not follows_sites:
        reason = (
            "it was made of a Site of Skupper v2, which only a controller of all namespaces "
            "follows, so the site stays as it is"
        )
        hint = (
            "Change the site by the ConfigMap's keys, run a controller of all namespaces, or "
            f"{removal}"
        )
    elif unread is not None:
        reason = (
            "the Site of Skupper v2 that it was made of cannot be read, so the site stays as it "
            f"is: {unread.message}"
        )
        readable = rule_text(skupper2_kinds.GROUP, "sites", "get", "list", "watch")
        hint = f"Add to the ClusterRole of the controller {{{readable}}}, or {removal}"
    else:
        reason = (
            "the Site of Skupper v2 that it was made of is gone, perhaps with Skupper's CRDs, so "
            "the site stays"
        )
        hint = f"Apply the Site again, or {removal}"
    source = f"ConfigMap/{names.SITE_CONFIGMAP}"
    return ConfigError(source, "", reason, hint=hint, code="SW0495")


def _unwritten(site: Object, error: ApiError) -> ConfigError:
    """Finding: the status of ``site`` is not writable. An Event reports why it has no router."""
    writable = rule_text(skupper2_kinds.GROUP, "sites/status", "update")
    return ConfigError(
        shown(site),
        "status",
        f"its status cannot be written: {error.message}",
        hint=f"Add to the ClusterRole of the controller {{{writable}}}",
        code="SW0495",
    )


def _failed(site: Object, message: str) -> Mapping[str, Any]:
    text = message[:MESSAGE_CHARS_MAX]
    wanted = [
        Condition(type=type_, is_true=False, reason=ERROR, message=text)
        for type_ in ("Configured", READY)
    ]
    return {
        **section(site, "status"),
        "status": ERROR,
        "message": text,
        "conditions": conditions(site, wanted, stamp_now()),
    }
