"""Removing a site from a namespace without breaking what was there before it.

Delete the site's ConfigMap first: from that its routers know that the site will not come back, and
tell other sites. Then remove their rights, so that no draining router takes a Service over again;
then restore the Services; then delete all objects of ours. Wait for none of it.
"""

from typing import Any, Final, NamedTuple

from router.kubernetes.manifests import (
    CONSOLE_KINDS,
    OPTIONAL_KINDS,
    headless_objects,
    skupper2_objects,
)
from router.kubernetes.objects import names
from router.kubernetes.objects.changes import Change, Create, Delete
from router.kubernetes.objects.kinds import KINDS
from router.kubernetes.objects.objects import Object, Snapshot, labels, name_of, shown
from router.kubernetes.services.services import restore
from sitectl.base.parallel import in_parallel
from sitectl.kubernetes.cluster import ApiFailure, Cluster
from sitectl.kubernetes.site import kept_by

_FIRST: Final = ("RoleBinding", "Role", "Deployment")
_THEN: Final = ("Service", *OPTIONAL_KINDS, "Lease", "ServiceAccount")
"""Kinds of objects that are called `names.ROUTER`, in the order of their removal."""
_ROUNDS: Final = 4
"""Attempts to restore; each starts from the changes of other clients in between."""


class Removed(NamedTuple):
    """``shown``: what went, as ``KIND/NAME``; ``left``: what did not, and why."""

    shown: list[str]
    left: list[str]


def remove_site(cluster: Cluster) -> Removed:
    """Remove the site of the namespace; users' objects stay."""
    removed = Removed([], [])
    site = cluster.find("ConfigMap", names.SITE_CONFIGMAP)
    is_skuppers = cluster.find("Deployment", names.SKUPPER_ROUTER) is not None
    if site is not None and is_skuppers:
        removed.left.append(
            f"ConfigMap {names.SITE_CONFIGMAP} stays: Skupper's router in this namespace uses it"
        )
    elif site is not None and kept_by(site):
        removed.left.append(
            f"ConfigMap {names.SITE_CONFIGMAP} stays: {kept_by(site)} would put it back; "
            "remove it there"
        )
    elif site is not None:
        _delete(cluster, "ConfigMap", names.SITE_CONFIGMAP, removed)
    for kind in _FIRST:
        _delete(cluster, kind, names.ROUTER, removed)
    apart = (*headless_objects(cluster.namespace), *skupper2_objects(cluster.namespace))
    for one in reversed(apart):
        _delete(cluster, str(one["kind"]), name_of(one), removed)
    _restore(cluster, removed)
    for kind in CONSOLE_KINDS:
        _delete(cluster, kind, names.CONSOLE, removed)
    for kind in _THEN:
        _delete(cluster, kind, names.ROUTER, removed)
    _delete(cluster, "ConfigMap", names.STATUS_CONFIGMAP, removed)
    for found in _listed(cluster, removed, has_skupper=is_skuppers):
        _delete(cluster, str(found["kind"]), name_of(found), removed)
    return removed


def _restore(cluster: Cluster, removed: Removed) -> None:
    """Services as they were before us; those that we made go."""
    outdated: list[Change] = []
    refused: dict[str, str] = {}
    for _ in range(_ROUNDS):
        changes, findings = restore(_services(cluster))
        due = [change for change in changes if f"{change.kind}/{change.name}" not in refused]
        outdated = [change for change in due if not _carried_out(cluster, change, removed, refused)]
        if not outdated:
            removed.left.extend(f"{error.code} {error.message}. {error.hint}" for error in findings)
            break
    refused |= {
        f"{change.kind}/{change.name}": "another program keeps changing it" for change in outdated
    }
    for shown_as, why in refused.items():
        if not shown_as.startswith("EndpointSlice/"):  # The cluster removes it with its Service.
            removed.left.append(f"{shown_as} could not be put back: {why}")


def _services(cluster: Cluster) -> Snapshot:
    kinds = ("Service", "EndpointSlice")

    def listed(kind: str) -> list[dict[str, Any]]:
        try:
            return cluster.list(kind)
        except ApiFailure as failure:
            if failure.status not in (403, 404) or kind == "Service":
                raise
            return []

    found: list[list[dict[str, Any]]] = in_parallel(listed, kinds)
    objects = {
        kind: {name_of(one): one for one in ones} for kind, ones in zip(kinds, found, strict=True)
    }
    return Snapshot(cluster.namespace, objects)


def _carried_out(
    cluster: Cluster, change: Change, removed: Removed, refused: dict[str, str]
) -> bool:
    """Whether it is done or ``refused`` for good; False: another client was faster."""
    try:
        if isinstance(change, Delete):
            if cluster.delete(change.kind, change.name, change.uid):
                removed.shown.append(f"{change.kind}/{change.name}")
        elif isinstance(change, Create):
            cluster.create(change.body)
        else:
            cluster.patch(change.kind, change.name, change.body)
            removed.left.append(f"{change.kind} {change.name} is again as it was")
    except ApiFailure as failure:
        if failure.status == 409:
            return False
        if failure.status not in (403, 404, 422):
            raise
        if failure.status != 404:
            refused[f"{change.kind}/{change.name}"] = failure.message
    return True


def _listed(cluster: Cluster, removed: Removed, *, has_skupper: bool) -> list[dict[str, Any]]:
    """Secrets of the site, documents and tokens that verbs wrote, but not what a tool keeps."""
    ours = f"{names.MANAGED_BY_LABEL}={names.MANAGED_BY}"
    found = [*cluster.list("ConfigMap", ours), *cluster.list("Secret", ours)]
    kept: list[dict[str, Any]] = []
    for one in found:
        if name_of(one) == names.MIGRATION_CONFIGMAP and has_skupper:
            removed.left.append(
                f"{shown(one)} stays: it says what was moved here from Skupper, which still runs"
            )
        elif kept_by(one):
            removed.left.append(f"{shown(one)} stays: {kept_by(one)} would put it back")
        elif _is_ours(one):
            kept.append(one)
    return kept


def _is_ours(found: Object) -> bool:
    marks = labels(found)
    return (
        names.TYPE_LABEL in marks
        or names.DOCUMENTS_LABEL in marks
        or names.SKUPPER_TYPE in marks
        or name_of(found).startswith(names.DOCUMENT_PREFIX)
    )


def _delete(cluster: Cluster, kind: str, name: str, removed: Removed) -> None:
    """Delete it if it is there; a kind that the cluster has not or that we may not touch stays."""
    try:
        if cluster.delete(kind, name):
            removed.shown.append(f"{kind}/{name}")
    except ApiFailure as failure:
        if failure.status != 403:
            raise
        if cluster.serves(KINDS[kind].api_version):  # A kind that does not exist is 403, too.
            removed.left.append(f"{kind}/{name} may be left: {failure.message}")
