"""The objects that the site controller watches, as one view per namespace."""

import random
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any, Final

import msgspec

from router.kubernetes.client.api import Api
from router.kubernetes.client.api_calls import ALL_NAMESPACES
from router.kubernetes.client.errors import FORBIDDEN, ApiError
from router.kubernetes.controller.cluster_set_membership import (
    ClusterSite,
    Membership,
    cluster_site,
)
from router.kubernetes.manifests import OPTIONAL_KINDS
from router.kubernetes.objects import names
from router.kubernetes.objects.applied import is_stamped
from router.kubernetes.objects.objects import Object, Snapshot, is_going, metadata, name_of, part
from router.kubernetes.skupper2.requested_sites import RequestedSite, site_wish
from router.kubernetes.store.informer import Informer
from router.kubernetes.store.selections import Selection, whole

_OURS: Final = f"{names.COMPONENT_LABEL}={names.COMPONENT_ROUTER}"
_MADE: Final = ("ServiceAccount", "Role", "RoleBinding", "Service", "Deployment", *OPTIONAL_KINDS)
_NOT_EVERYWHERE: Final = ("Route", "HTTPProxy")


class Seen(msgspec.Struct, frozen=True):
    """The watched objects of one namespace. ``led``: routers run or ran in it.

    ``cluster``: the cluster's site, if the namespace takes part in its cluster set.
    ``has_left``: it certainly takes no part. Without either, its part is unknown.
    ``v2``: the site that a Site of Skupper v2 asks for. ``has_v2``: there is a Site.
    """

    site: Object | None
    made: Mapping[tuple[str, str], Object]
    led: bool
    cluster: ClusterSite | None
    has_left: bool
    v2: RequestedSite | None
    has_v2: bool
    versions: frozenset[tuple[str, str, str]]
    """Equal while nothing has changed."""


class NamespaceMirror:
    """Mirrors the objects of sites. ``namespaces`` empty: the whole cluster.

    ``changed`` is called after each relevant change. The owner runs `informers`.
    """

    def __init__(
        self,
        api: Api,
        namespaces: Iterable[str],
        changed: Callable[[str], None],
        rng: random.Random,
    ) -> None:
        watched = tuple(namespaces) or (ALL_NAMESPACES,)
        self.is_for_all = watched == (ALL_NAMESPACES,)
        """Sites of Skupper v2 and cluster sets are followed only if this is true."""
        self._place = api.namespace
        self.membership = Membership(None, None)
        """The members of the cluster set, as of the last `view`."""
        self.informers = tuple(
            Informer(api, msgspec.structs.replace(selection, namespace=namespace), changed, rng)
            for namespace in watched
            for selection in (*_SELECTIONS, *(_OF_CLUSTER if namespace == ALL_NAMESPACES else ()))
        )

    @property
    def ready(self) -> bool:
        """Whether every watched kind was listed once or is known to be unavailable."""
        return all(informer.settled for informer in self.informers)

    def view(self, with_site: Set[str]) -> dict[str, Seen]:
        """All watched objects by namespace; namespaces of ``with_site`` are always included."""
        found: dict[str, dict[tuple[str, str, str], Object]] = {}
        namespaces: dict[str, Object] = {}
        is_contested = False
        for informer in self.informers:
            selection = informer.selection
            if selection.fields == _SKUPPER_CONTROLLER.fields:
                is_contested = bool(informer.copy())
                continue
            if selection.kind == "Namespace":
                namespaces = {name_of(one): one for one in informer.copy().values()}
                continue
            for one in informer.copy().values():
                namespace = str(metadata(one).get("namespace", ""))
                key = (selection.kind, selection.labels, name_of(one))
                found.setdefault(namespace, {})[key] = one
        stated = found.get(self._place, {}).get(("ConfigMap", "", names.SITE_CONFIGMAP))
        membership = self.membership = Membership(
            cluster_site(stated, self._place) if self.is_for_all else None,
            namespaces if self.has("", "Namespace") else None,
        )
        # The garbage collector may have been faster.
        for namespace in with_site | membership.members():
            found.setdefault(namespace, {})
        return {
            namespace: _seen(
                objects,
                namespace in with_site,
                membership.site_for(namespace),
                self.is_for_all and membership.has_left(namespace),
                self._wish(namespace, objects, explicit=is_contested),
            )
            for namespace, objects in found.items()
        }

    def _wish(
        self, namespace: str, found: Mapping[tuple[str, str, str], Object], *, explicit: bool
    ) -> RequestedSite | None:
        """The site that a Site of Skupper v2 asks for in ``namespace``."""
        kinds: dict[str, dict[str, Object]] = {}
        for (kind, labels, name), one in found.items():
            if not labels:
                kinds.setdefault(kind, {})[name] = one
        router = found.get(("Deployment", _OURS, names.ROUTER))
        if router is not None and not is_stamped(router):
            return None  # Another program deployed it, and it reads the Site itself.
        return site_wish(
            Snapshot(namespace, kinds), openshift=self.has(namespace, "Route"), explicit=explicit
        )

    def has(self, namespace: str, kind: str) -> bool:
        """Whether the cluster serves that kind of object: a list of them arrived once."""
        found = self._of(namespace, kind)
        return bool(found) and all(informer.listed for informer in found)

    def refusal(self, namespace: str, kind: str) -> ApiError | None:
        """Why objects of that kind are not readable; None: they are, or the kind does not exist."""
        refused = (informer.refused for informer in self._of(namespace, kind))
        return next((one for one in refused if one and one.status == FORBIDDEN), None)

    def _of(self, namespace: str, kind: str) -> list[Informer]:
        places = (namespace, ALL_NAMESPACES)
        return [
            informer
            for informer in self.informers
            if informer.kind == kind and informer.selection.namespace in places
        ]


def _seen(
    objects: Mapping[tuple[str, str, str], Object],
    led: bool,
    cluster: ClusterSite | None,
    has_left: bool,
    v2: RequestedSite | None,
) -> Seen:
    made: dict[tuple[str, str], Object] = {}
    site: Object | None = None
    has_v2 = False
    for (kind, labels, name), one in objects.items():
        if kind == "ConfigMap" and name == names.SITE_CONFIGMAP:
            site = None if is_going(one) else one
        elif labels == _OURS:
            made[kind, name] = one
        elif kind == "Site":
            has_v2 = has_v2 or not is_going(one)
        elif name in _SKUPPERS:
            pass  # It shows who acts on Sites.
        else:
            led = True
    versions = frozenset(
        (kind, name, str(metadata(one).get("resourceVersion") or metadata(one).get("generation")))
        for (kind, _, name), one in objects.items()
    )
    if cluster is not None:
        versions |= {("", cluster.name, cluster.namespace)}
    if has_left:
        versions |= {("", "", "")}
    if v2 is not None:
        versions |= {("", "Site", name_of(v2.site))}
    return Seen(site, made, led, cluster, has_left, v2, has_v2, versions)


def _name_alone(found: dict[str, Any]) -> dict[str, Any]:
    """Keep only the name: existence matters, and the content changes twice a minute."""
    told = metadata(found)
    return {"metadata": {key: told[key] for key in ("name", "namespace") if key in told}}


def _labels_alone(found: dict[str, Any]) -> dict[str, Any]:
    """Keep only the metadata that selects a namespace."""
    told = metadata(found)
    kept = ("name", "labels", "deletionTimestamp")
    return {"metadata": {key: told[key] for key in kept if key in told}}


def _without_status(found: dict[str, Any]) -> dict[str, Any]:
    """Keep a Site's spec and the controller in its status; other fields change with its network."""
    told = metadata(found)
    kept = ("name", "namespace", "uid", "labels", "generation", "creationTimestamp")
    head = {key: told[key] for key in (*kept, "deletionTimestamp") if key in told}
    status = {"controller": part(found, "status", "controller") or {}}
    return {**found, "metadata": head, "status": status}


def _metadata_alone(found: dict[str, Any]) -> dict[str, Any]:
    """Keep only the metadata that shows the owner."""
    told = metadata(found)
    kept = ("name", "namespace", "labels", "ownerReferences", "generation", "deletionTimestamp")
    return {"metadata": {key: told[key] for key in kept if key in told}}


_SELECTIONS: Final = (
    Selection(kind="ConfigMap", fields=f"metadata.name={names.SITE_CONFIGMAP}", keep=whole),
    Selection(kind="ConfigMap", fields=f"metadata.name={names.STATUS_CONFIGMAP}", keep=_name_alone),
    Selection(kind="Service", labels=names.SERVICE_LABEL, keep=whole),
    *(
        Selection(kind=kind, labels=_OURS, keep=whole, optional=kind in _NOT_EVERYWHERE)
        for kind in _MADE
    ),
)
_SKUPPER_CONTROLLER: Final = Selection(
    kind="Deployment", fields=f"metadata.name={names.SKUPPER_CONTROLLER}", keep=_metadata_alone
)
_OF_CLUSTER: Final = (
    Selection(kind="Namespace", keep=_labels_alone, optional=True),
    Selection(kind="Site", keep=_without_status, optional=True, custom=True),
    Selection(kind="ConfigMap", fields=f"metadata.name={names.SKUPPER_CONTROL}", keep=whole),
    Selection(
        kind="Deployment", fields=f"metadata.name={names.SKUPPER_ROUTER}", keep=_metadata_alone
    ),
    _SKUPPER_CONTROLLER,
)
"""Watched only by a controller of all namespaces, which also works without these permissions."""
_SKUPPERS: Final = (names.SKUPPER_CONTROL, names.SKUPPER_ROUTER)
