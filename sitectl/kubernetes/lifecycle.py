"""`init`, `update`, `delete` and `run` of a namespace's site."""

import os
import sys
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import click

from router.kubernetes import manifests
from router.kubernetes.manifests.image import IMAGE, PULL_POLICY
from router.kubernetes.objects import names, skupper2_kinds
from router.kubernetes.objects.findings import ObjectFindings
from router.kubernetes.objects.objects import Object, labels, metadata, name_of, part, shown
from router.kubernetes.objects.picture import SiteOptions
from router.kubernetes.translation import site_config
from router.kubernetes.translation.site_config import SiteDefaults
from router.model.specs import SiteSpec
from sitectl.base import output, texts
from sitectl.base.failure import Exit, Failure, conflict
from sitectl.base.options import Settings
from sitectl.base.parallel import in_parallel
from sitectl.flags.sites.site import given, given_keys, pairs
from sitectl.kubernetes.cluster import ApiFailure, Cluster
from sitectl.kubernetes.door import PodDoor, site_directory
from sitectl.kubernetes.objects import covers, make_so
from sitectl.kubernetes.planned import DryCluster
from sitectl.kubernetes.removal import remove_site
from sitectl.kubernetes.site import KubernetesSite, kept_by, no_site, open_cluster
from sitectl.kubernetes.versions import (
    CONTROLLER,
    gap,
    image_of,
    keeper,
    kept_image,
    kept_policy,
    router_of,
    version_of,
)
from sitectl.runtimes.image import policy_of_pods, stated_image
from sitectl.runtimes.process import is_supervised, router_environment
from sitectl.runtimes.spec import PullPolicy
from sitectl.site.places import state_dir
from sitectl.site.site import Change

ROUTES: Final = "route.openshift.io/v1"
WAIT_POLL_S: Final = 0.5


class AskedImage(NamedTuple):
    """What the flags say about the image; None: nothing."""

    image: str | None
    pull_policy: PullPolicy | None


class _Meant(NamedTuple):
    """What a site's ConfigMap says."""

    options: SiteOptions
    drain_grace_s: float


def init(
    settings: Settings, ctx: click.Context, name: str | None, wait: str, asked: AskedImage
) -> None:
    """Write ``skupper-site`` and everything that runs its routers."""
    try:
        _init(settings, ctx, name, wait, asked)
    except ApiFailure as failure:
        if failure.status == 403:  # One right at a time would be a long way to go.
            failure.hint += "\nAll that it takes: sitectl check --pre"
        raise


def _init(
    settings: Settings, ctx: click.Context, name: str | None, wait: str, asked: AskedImage
) -> None:
    cluster = open_cluster(settings)
    data = given_keys(ctx) | ({"name": name} if name else {})
    openshift = cluster.serves(ROUTES)
    found = cluster.find("ConfigMap", names.SITE_CONFIGMAP)
    notes = {part: pairs(given(ctx).get(part, "")) for part in ("labels", "annotations")}
    site_map, is_new = _site_map(cluster, found, data, notes, openshift)
    meant = _read(site_map, cluster.namespace, openshift, strict=is_new)
    objects = _rendered(meant, cluster, asked, openshift)
    changes = _made(cluster, site_map, is_new, objects)
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


def bring_to(cluster: Cluster, data: Mapping[str, str]) -> None:
    """Have the namespace be a site with these keys; others that it has stay. As `init`, `update`.

    Failure: the ConfigMap is the user's own or a tool's, or a value cannot be used.
    """
    found = cluster.find("ConfigMap", names.SITE_CONFIGMAP)
    openshift, asked = cluster.serves(ROUTES), AskedImage(None, None)
    before = None if found is None else dict(found.get("data") or {})
    if found is None or before is None:
        made = _made_map(cluster, data, {}, openshift)
        meant = _read(made, cluster.namespace, openshift, strict=True)
        _made(cluster, made, True, _rendered(meant, cluster, asked, openshift))
        return
    after = before | dict(data)
    if after == before:
        return
    _require_ours(cluster, found, before, after)
    deployment, changed = router_of(cluster), {**found, "data": after}
    meant = _read(changed, cluster.namespace, openshift, strict=True)
    objects = _rendered(meant, cluster, asked, openshift, deployment)
    if not _is_others(cluster, deployment, only_restart=False):
        cluster.replace(changed)
        make_so(cluster, objects)
        _remove_left_over(cluster, objects)


def site_map(cluster: Cluster, data: Mapping[str, str]) -> Object:
    """The ConfigMap of a site with ``data``, as `init` writes it. Failure: a value is unusable."""
    return _made_map(cluster, data, {}, cluster.serves(ROUTES))


def install(cluster: Cluster, asked: AskedImage) -> None:
    """Make what runs the routers of the site whose ConfigMap is there."""
    found = cluster.get("ConfigMap", names.SITE_CONFIGMAP)
    openshift = cluster.serves(ROUTES)
    meant = _read(found, cluster.namespace, openshift, strict=False)
    _made(cluster, found, False, _rendered(meant, cluster, asked, openshift))


def _made(
    cluster: Cluster, site_map: Object, is_new: bool, objects: list[Object]
) -> list[tuple[Object, Change]]:
    who = keeper(router_of(cluster))
    if who:
        output.note(f"the objects of this site are made by {who}, which looks after them")
        return make_so(cluster, [site_map] if is_new else [])
    changes = make_so(cluster, [site_map, *objects] if is_new else objects)
    return changes + _grant_headless(cluster) + _grant_skupper2(cluster)


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
    wanted = _made_map(cluster, data, notes, openshift)
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


def _made_map(
    cluster: Cluster,
    data: Mapping[str, str],
    notes: Mapping[str, Mapping[str, str]],
    openshift: bool,
) -> Object:
    draft = {"kind": "ConfigMap", "metadata": dict(notes), "data": dict(data)}
    options = _read(draft, cluster.namespace, openshift, strict=True).options
    made = manifests.config_map(options, cluster.namespace, data)
    for key, told in notes.items():  # Also those that must not spread: they were asked for.
        if told:
            made["metadata"][key] = {**made["metadata"].get(key, {}), **told}
    return made


def _read(found: Object, namespace: str, openshift: bool, *, strict: bool) -> _Meant:
    """What a site's ConfigMap says. Failure when ``strict``: a value that cannot be used."""
    noted = ObjectFindings(site_config.SOURCE)
    defaults = SiteDefaults(ingress="route" if openshift else "loadbalancer")
    options, document = site_config.read(found, namespace, defaults, noted)
    assert isinstance(document.spec, SiteSpec)
    wrong = [error for error in noted.errors if error.severity == "error"]
    if wrong and strict:
        raise texts.config_failure(wrong, "these settings cannot be used")
    for error in noted.errors:
        output.note(f"{error.code} {error.message}. {error.hint}".rstrip(". "))
    return _Meant(options, document.spec.drain_grace_s)


def _rendered(
    meant: _Meant,
    cluster: Cluster,
    asked: AskedImage,
    openshift: bool,
    deployment: Object | None = None,
) -> list[Object]:
    """The site's objects; what was chosen for ``deployment`` stays unless something is asked."""
    image = stated_image(asked.image) or kept_image(deployment) or IMAGE
    policy = policy_of_pods(asked.pull_policy) or kept_policy(deployment) or PULL_POLICY
    rendered = manifests.render(
        meant.options,
        namespace=cluster.namespace,
        image=image,
        pull_policy=policy,
        openshift=openshift,
        drain_grace_s=meant.drain_grace_s,
    )
    for error in rendered.errors:
        output.note(f"{error.code} {error.message}. {error.hint}".rstrip(". "))
    return list(rendered.objects)


def _grant_headless(cluster: Cluster) -> list[tuple[Object, Change]]:
    """Grant the router the right that only an administrator of the cluster holds, if one asks.

    What lacks without it is said where there are StatefulSets; later the router says it of each
    service that needs it (SW0428).
    """
    who = "an administrator of the cluster"
    if isinstance(cluster, DryCluster):
        _say_nameless(cluster, f"their right is granted apart, by {who}")
        return []
    try:
        return make_so(cluster, manifests.headless_objects(cluster.namespace))
    except ApiFailure as failure:
        if failure.status != 403:
            raise
        component = "deploy/kubernetes/components/headless"
        _say_nameless(cluster, f"{who} adds them with {component}")
        return []


def _grant_skupper2(cluster: Cluster) -> list[tuple[Object, Change]]:
    """Grant the router the rights on objects of Skupper v2, where the cluster has their kinds."""
    if isinstance(cluster, DryCluster) or not cluster.serves(skupper2_kinds.API_VERSION):
        return []
    try:
        return make_so(cluster, manifests.skupper2_objects(cluster.namespace))
    except ApiFailure as failure:
        if failure.status != 403:
            raise
        output.note(
            "objects of Skupper v2 in this namespace count for nothing: an administrator of the "
            "cluster first applies deploy/kubernetes/skupper-v2/cluster-role.yaml, then: sitectl "
            "update"
        )
        return []


def _say_nameless(cluster: Cluster, why: str) -> None:
    if _has_stateful_sets(cluster):
        output.note(
            f"names for the pods of headless StatefulSets of other sites are left out: {why}"
        )


def _has_stateful_sets(cluster: Cluster) -> bool:
    """Whether the namespace has any, or nobody may know."""
    try:
        return bool(cluster.list("StatefulSet"))
    except ApiFailure as failure:
        if failure.status != 403:
            raise
        return True


def _wait(cluster: Cluster, wait: str, timeout_s: float) -> None:
    """Return when the site is as far as ``wait`` says. Failure 6: it is not in time, and why."""
    deadline = time.monotonic() + timeout_s
    while reason := _lacks(cluster, wait):
        if time.monotonic() >= deadline:
            raise Failure(
                Exit.TIMED_OUT,
                "not-ready",
                f"not {wait} after {timeout_s:g} s: {reason}",
                "sitectl check",
                retryable=True,
            )
        time.sleep(WAIT_POLL_S)


def _lacks(cluster: Cluster, wait: str) -> str:
    """What keeps the site from being ``none``, ``configured`` or ``ready``; empty: nothing."""
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
        return "pods are still being replaced"
    return ""


def update(
    settings: Settings, ctx: click.Context, asked: AskedImage, force_restart: bool, only_check: bool
) -> None:
    """Change keys of the site, and make its objects as this version has them."""
    cluster = open_cluster(settings)
    found = cluster.find("ConfigMap", names.SITE_CONFIGMAP)
    if found is None:
        raise no_site(cluster.namespace)
    openshift = cluster.serves(ROUTES)
    before = dict(found.get("data") or {})
    after = before | given_keys(ctx)
    changed = {**found, "data": after}
    if after != before:
        _require_ours(cluster, found, before, after)
    deployment = router_of(cluster)
    meant = _read(changed, cluster.namespace, openshift, strict=after != before)
    objects = _rendered(meant, cluster, asked, openshift, deployment)
    if only_check:
        _tell_differences(settings, ctx, cluster, objects)
        return
    changes: list[tuple[Object, Change]] = []
    if not _is_others(cluster, deployment, force_restart and after == before and not asked.image):
        if after != before:
            cluster.replace(changed)
        changes = [*make_so(cluster, objects), *_grant_headless(cluster)]
        changes += _grant_skupper2(cluster)
        changes += [(one, "deleted") for one in _remove_left_over(cluster, objects)]
    if force_restart:
        KubernetesSite(cluster, state_dir(settings)).restart_router()
    is_changed = after != before or any(change != "unchanged" for _, change in changes)
    change = "updated" if is_changed or force_restart else "unchanged"
    name = meant.options.name
    text = f"site {name} {'updated' if change == 'updated' else 'is so already, unchanged'}"
    output.report(settings, "Site", name, change, text)


def _remove_left_over(cluster: Cluster, objects: list[Object]) -> list[Object]:
    """Delete what the site no longer consists of; what that was."""
    found = _left_over(cluster, objects)
    for one in found:
        cluster.delete(str(one["kind"]), name_of(one), str(metadata(one).get("uid", "")))
    return found


def _left_over(cluster: Cluster, objects: list[Object]) -> list[Object]:
    """What a site of ours no longer consists of: a budget after it came to one router."""
    wanted = {(one["kind"], name_of(one)) for one in objects}

    def look(place: tuple[str, str]) -> Object | None:
        try:
            return cluster.find(*place)
        except ApiFailure as failure:
            if failure.status != 403:
                raise
            return None  # Who may not see one made none.

    optional = [(kind, names.ROUTER) for kind in manifests.OPTIONAL_KINDS]
    optional += [(kind, names.CONSOLE) for kind in manifests.CONSOLE_KINDS]
    places = [place for place in optional if place not in wanted]
    found: list[Object | None] = in_parallel(look, places)
    return [
        one
        for one in found
        if one is not None and labels(one).get(names.COMPONENT_LABEL) == names.COMPONENT_ROUTER
    ]


def _is_others(cluster: Cluster, deployment: Object | None, only_restart: bool) -> bool:
    """Whether another makes the objects, so that only a restart is left to be done.

    Failure 5: more than that is asked for, or the site is of a version too far away.
    """
    who = keeper(deployment)
    if who and not only_restart:
        where = f"kubectl -n {cluster.namespace} edit configmap {names.SITE_CONFIGMAP}"
        hint = f"For another version update {who}; for other settings: {where}"
        if who != CONTROLLER:
            hint = f"Change it wherever {who} takes it from"
        raise conflict(f"the objects of this site are made by {who}", hint)
    far = gap(version_of(deployment))
    if far and not who:
        raise conflict(far, "Take the versions between one after the other")
    return bool(who)


def _require_ours(
    cluster: Cluster, found: Object, before: Mapping[str, str], after: Mapping[str, str]
) -> None:
    """Raise Failure when the ConfigMap is the user's or a tool's: it would be put back."""
    keeper = kept_by(found)
    if not keeper and names.SITE_CONTROLLER_IGNORE in labels(found):
        return
    old, new = ("".join(f"{k}: {v}\n" for k, v in sorted(d.items())) for d in (before, after))
    where = f"ConfigMap/{names.SITE_CONFIGMAP}"
    hint = f"kubectl -n {cluster.namespace} edit configmap {names.SITE_CONFIGMAP}"
    raise conflict(
        f"the site is in your own object, {where}{f' (kept by {keeper})' if keeper else ''}",
        f"Change it wherever {keeper} takes it from" if keeper else hint,
        texts.diff(old, new, where),
    )


def _tell_differences(
    settings: Settings, ctx: click.Context, cluster: Cluster, objects: list[Object]
) -> None:
    """Print which objects this version would make otherwise; exit 3 if there are any."""
    found: list[Object | None] = in_parallel(
        lambda wanted: cluster.find(str(wanted["kind"]), name_of(wanted)), objects
    )
    items = [
        _difference(before, wanted)
        for before, wanted in zip(found, objects, strict=True)
        if before is None or not covers(before, wanted)
    ]
    for one in _left_over(cluster, objects):
        version = {"from": version_of(one) or None, "to": None}
        items.append({"object": shown(one), "change": "deleted", "version": version})
    for before, wanted in zip(found, objects, strict=True):
        far = gap(version_of(before)) if wanted["kind"] == "Deployment" else ""
        if far:
            output.note(f"{far}. Take the versions between one after the other")
    output.emit_items(
        settings,
        "Update",
        items,
        lambda: "\n".join(map(_sentence, items)) or "All objects are as this version makes them.",
    )
    ctx.exit(Exit.DEGRADED if items else Exit.OK)


def _difference(before: Object | None, wanted: Object) -> dict[str, Any]:
    item: dict[str, Any] = {
        "object": shown(wanted),
        "change": "created" if before is None else "updated",
        "version": {"from": version_of(before) or None, "to": version_of(wanted)},
    }
    if before is not None and image_of(before) != image_of(wanted):
        item["image"] = {"from": image_of(before), "to": image_of(wanted)}
    return item


def _sentence(item: dict[str, Any]) -> str:
    text = f"{item['object']} would be {item['change']}"
    if item["change"] == "updated":
        text += f" (it is of {item['version']['from'] or 'a version that did not say so'})"
    image = item.get("image")
    return text + (f", image {image['from']} to {image['to']}" if image else "")


def delete(settings: Settings) -> None:
    """Put back what was adopted, then remove the site's objects."""
    cluster = open_cluster(settings)
    if not settings.yes:
        _require_nothing_moved(cluster)
    if sys.stdin.isatty() and not settings.yes and not settings.dry_run:
        question = f"Delete the site of namespace {cluster.namespace} with its identity?"
        click.confirm(question, abort=True, err=True)
    removed = remove_site(cluster)
    if settings.dry_run:
        output.emit_planned(settings)
        return
    for line in removed.left:
        output.note(line)
    change = "deleted" if removed.shown else "unchanged"
    text = f"site of namespace {cluster.namespace} deleted ({len(removed.shown)} objects)"
    if not removed.shown:
        text = f"no site in namespace {cluster.namespace}, nothing to delete"
    output.report(settings, "Site", cluster.namespace, change, text)


def _require_nothing_moved(cluster: Cluster) -> None:
    """Raise Failure when what was moved here from a Skupper that still runs had no router then."""
    records = cluster.find("ConfigMap", names.MIGRATION_CONFIGMAP)
    moved = ", ".join(sorted((records or {}).get("data") or {}))
    if moved and cluster.find("Deployment", names.SKUPPER_ROUTER) is not None:
        raise conflict(
            f"no router would serve {moved}: moved here from Skupper, which still runs",
            "sitectl migrate --rollback, or add --yes",
        )


def run(settings: Settings) -> None:
    """Become the router of the namespace, in a pod or from here."""
    namespace = settings.namespace or os.environ.get("POD_NAMESPACE")
    if namespace is None:
        namespace = open_cluster(settings).namespace
    directory = site_directory(namespace, state_dir(settings))
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [
        *(sys.executable, "-P", "-m", "router.process.main"),
        *("--namespace", namespace, "--site-dir", str(directory)),
    ]
    if settings.kubeconfig:
        command += ["--kubeconfig", settings.kubeconfig]
    if settings.context:
        command += ["--context", settings.context]
    if is_supervised():
        command += ["--log", "stdout"]
    else:
        output.note(f"router of namespace {namespace} runs until Ctrl-C, log {directory}/run")
    sys.stdout.flush()
    os.execve(command[0], command, router_environment())
