"""`init` of a namespace's site, and making one for a backup; waiting until it is ready."""

import time
from collections.abc import Mapping
from typing import Final

import click

from router.kubernetes.objects import names
from router.kubernetes.objects.objects import Object, metadata, part
from sitectl.base import output, texts
from sitectl.base.failure import Failure, conflict, timed_out
from sitectl.base.options import Settings
from sitectl.flags.sites.site import given, given_keys, pairs
from sitectl.kubernetes import namespaces
from sitectl.kubernetes.cluster import ApiFailure, Cluster
from sitectl.kubernetes.door import PodDoor, refused_pods
from sitectl.kubernetes.lifecycle.site_objects import ROUTES, made_map, make, read, rendered
from sitectl.kubernetes.site import open_cluster
from sitectl.kubernetes.versions import router_of
from sitectl.runtimes.image import ImageFlags

WAIT_POLL_S: Final = 0.5


def init(
    settings: Settings, ctx: click.Context, name: str | None, wait: str, asked: ImageFlags
) -> None:
    """Write ``skupper-site`` and everything that runs its routers."""
    try:
        _init(settings, ctx, name, wait, asked)
    except ApiFailure as failure:
        if failure.lacks_right:  # One right at a time would be a long way to go.
            failure.hint += "\nAll that it takes: sitectl check --pre"
        raise


def _init(
    settings: Settings, ctx: click.Context, name: str | None, wait: str, asked: ImageFlags
) -> None:
    cluster = open_cluster(settings)
    data = given_keys(ctx) | ({"name": name} if name else {})
    openshift = cluster.serves(ROUTES)
    found = namespaces.site_map(cluster)
    notes = {part: pairs(given(ctx).get(part, "")) for part in ("labels", "annotations")}
    site_map, is_new = _site_map(cluster, found, data, notes, openshift)
    meant = read(site_map, cluster.namespace, openshift, strict=is_new)
    objects = rendered(meant, cluster, asked, openshift)
    changes = make(cluster, site_map, is_new, objects)
    if settings.dry_run:
        output.emit_planned(settings)
        return
    change = "unchanged"
    if any(made != "unchanged" for _, made in changes):
        change = "created" if is_new else "updated"
    _wait(cluster, wait, settings.timeout_s)
    told = {"created": "created", "updated": "updated", "unchanged": "exists already, unchanged"}
    name = meant.options.name
    text = f"site {name} in namespace {cluster.namespace} {told[change]}"
    output.report(settings, "Site", name, change, text)
    if change != "unchanged" and wait == "none":
        output.note("Next: sitectl status")


def site_map(cluster: Cluster, data: Mapping[str, str]) -> Object:
    """The ConfigMap of a site with ``data``, as `init` writes it. Failure: a value is unusable."""
    return made_map(cluster, data, {}, cluster.serves(ROUTES))


def install(cluster: Cluster, asked: ImageFlags) -> None:
    """Make what runs the routers of the site whose ConfigMap is there."""
    found = cluster.get("ConfigMap", names.SITE_CONFIGMAP)
    openshift = cluster.serves(ROUTES)
    meant = read(found, cluster.namespace, openshift, strict=False)
    make(cluster, found, False, rendered(meant, cluster, asked, openshift))


def _site_map(
    cluster: Cluster,
    found: Object | None,
    data: Mapping[str, str],
    notes: Mapping[str, Mapping[str, str]],
    openshift: bool,
) -> tuple[Object, bool]:
    """The site's ConfigMap, and whether it is to be written. Failure: another one is there.

    One that is there (a user's, Skupper's) counts as it is when the flags say nothing else.
    """
    wanted = made_map(cluster, data, notes, openshift)
    if found is None:
        return wanted, True
    there = {str(key): str(value) for key, value in (found.get("data") or {}).items()}
    if all(there.get(key) == value for key, value in data.items()):
        return found, False
    old, new = ("".join(f"{k}: {v}\n" for k, v in sorted(d.items())) for d in (there, dict(data)))
    raise conflict(
        f"namespace {cluster.namespace} has a site with other settings "
        f"(ConfigMap/{names.SITE_CONFIGMAP})",
        "Change it with: sitectl update, with the same flags",
        texts.diff(old, new, f"ConfigMap/{names.SITE_CONFIGMAP}"),
    )


def _wait(cluster: Cluster, wait: str, timeout_s: float) -> None:
    """Return when the site is as far as ``wait`` says. Failure 6: it is not in time, and why."""
    deadline = time.monotonic() + timeout_s
    while reason := _lacks(cluster, wait):
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise timed_out(
                f"not {wait} after {timeout_s:g} s: {reason}", "sitectl check", code="not-ready"
            )
        time.sleep(min(WAIT_POLL_S, left_s))


def _lacks(cluster: Cluster, wait: str) -> str:
    """Why the site is not yet ``none``, ``configured`` or ``ready``; empty: it is."""
    if wait == "none":
        return ""
    deployment = router_of(cluster)
    if deployment is None:
        return f"there is no Deployment {names.ROUTER}"
    status = deployment.get("status") or {}
    if status.get("observedGeneration", 0) < metadata(deployment).get("generation", 1):
        return f"Deployment/{names.ROUTER} was not taken up by the cluster's controllers"
    if wait == "configured":
        return ""
    try:
        PodDoor(cluster).exchange([])
    except Failure as failure:
        return failure.message
    if status.get("updatedReplicas", 0) < (part(deployment, "spec", "replicas") or 0):
        why, _ = refused_pods(deployment) or ("", "")
        return why or "pods are still being replaced"
    return ""
