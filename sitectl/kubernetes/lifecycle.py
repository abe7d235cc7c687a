"""`init`, `update`, `delete` and `run` of a namespace's site."""

import os
import sys
import time
from collections.abc import Mapping
from typing import Any, Final

import click

from router.kubernetes import manifests, names, site_config
from router.kubernetes.findings import Findings
from router.kubernetes.objects import Object, labels
from router.kubernetes.picture import SiteOptions
from router.kubernetes.site_config import SiteDefaults
from sitectl import output, process, texts
from sitectl.failure import Exit, Failure, conflict
from sitectl.kubernetes.cluster import Cluster
from sitectl.kubernetes.door import PodDoor, site_directory
from sitectl.kubernetes.objects import covers, make_so
from sitectl.kubernetes.removal import remove_site
from sitectl.kubernetes.site import KubernetesSite, kept_by, no_site, open_cluster
from sitectl.options import Settings
from sitectl.site_flags import given, given_keys, pairs
from sitectl.store import state_dir

ROUTES: Final = "route.openshift.io/v1"
WAIT_POLL_S: Final = 0.5


def init(settings: Settings, ctx: click.Context, name: str | None, wait: str, image: str) -> None:
    """Write ``skupper-site`` and everything that runs its routers."""
    cluster = open_cluster(settings)
    data = given_keys(ctx) | ({"name": name} if name else {})
    openshift = cluster.serves(ROUTES)
    found = cluster.find("ConfigMap", names.SITE_CONFIGMAP)
    notes = {part: pairs(given(ctx).get(part, "")) for part in ("labels", "annotations")}
    site_map, is_new = _site_map(cluster, found, data, notes, openshift)
    options = _options(site_map, cluster.namespace, openshift, strict=is_new)
    objects = _rendered(options, cluster, image, openshift)
    changes = make_so(cluster, [site_map, *objects] if is_new else objects)
    if settings.dry_run:
        output.emit_planned(settings)
        return
    change = "unchanged"
    if any(made != "unchanged" for _, made in changes):
        change = "created" if is_new else "updated"
    if wait == "ready":
        _wait_ready(cluster, settings.timeout_s)
    told = {"created": "created", "updated": "updated", "unchanged": "exists already, unchanged"}
    text = f"site {options.name} in namespace {cluster.namespace} {told[change]}"
    output.report(settings, "Site", options.name, change, text)
    if change != "unchanged" and wait == "none":
        output.note("Next: sitectl status")


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
    options = _options(draft, cluster.namespace, openshift, strict=True)
    made = manifests.config_map(options, cluster.namespace, data)
    for part, told in notes.items():  # Also those that must not spread: they were asked for.
        if told:
            made["metadata"][part] = {**made["metadata"].get(part, {}), **told}
    return made


def _options(found: Object, namespace: str, openshift: bool, *, strict: bool) -> SiteOptions:
    """What a site's ConfigMap says. Failure when ``strict``: a value that cannot be used."""
    noted = Findings(site_config.SOURCE)
    defaults = SiteDefaults(ingress="route" if openshift else "loadbalancer")
    options, _ = site_config.read(found, namespace, defaults, noted)
    wrong = [error for error in noted.errors if error.severity == "error"]
    if wrong and strict:
        raise texts.config_failure(wrong, "these settings cannot be used")
    for error in noted.errors:
        output.note(f"{error.code} {error.message}. {error.hint}".rstrip(". "))
    return options


def _rendered(options: SiteOptions, cluster: Cluster, image: str, openshift: bool) -> list[Object]:
    chosen = image or os.environ.get(manifests.IMAGE_VARIABLE) or manifests.IMAGE
    rendered = manifests.render(
        options, namespace=cluster.namespace, image=chosen, openshift=openshift
    )
    for error in rendered.errors:
        output.note(f"{error.code} {error.message}. {error.hint}".rstrip(". "))
    return list(rendered.objects)


def _wait_ready(cluster: Cluster, timeout_s: float) -> None:
    """Return when a router is ready. Failure 6: it is not in time, and what its pods say."""
    door = PodDoor(cluster)
    deadline = time.monotonic() + timeout_s
    while not door.is_running():
        if time.monotonic() >= deadline:
            try:
                door.exchange([])
            except Failure as failure:
                message = f"not ready after {timeout_s:g} s: {failure.message}"
                raise Failure(
                    Exit.TIMED_OUT, "not-ready", message, "sitectl check", retryable=True
                ) from failure
            return
        time.sleep(WAIT_POLL_S)


def update(
    settings: Settings, ctx: click.Context, image: str, force_restart: bool, only_check: bool
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
    options = _options(changed, cluster.namespace, openshift, strict=after != before)
    objects = _rendered(options, cluster, image or _image(cluster), openshift)
    if only_check:
        _tell_differences(settings, ctx, cluster, objects)
        return
    if after != before:
        cluster.replace(changed)
    changes = make_so(cluster, objects)
    if force_restart:
        KubernetesSite(cluster, state_dir(settings)).restart_router()
    is_changed = after != before or any(change != "unchanged" for _, change in changes)
    change = "updated" if is_changed or force_restart else "unchanged"
    text = f"site {options.name} {'updated' if change == 'updated' else 'is so already, unchanged'}"
    output.report(settings, "Site", options.name, change, text)


def _image(cluster: Cluster) -> str:
    """The image that was chosen when the site was made, if it is not ours of some version."""
    found = cluster.find("Deployment", names.ROUTER)
    template = ((found or {}).get("spec") or {}).get("template") or {}
    for container in (template.get("spec") or {}).get("containers") or []:
        image = str(container.get("image", ""))
        own = manifests.IMAGE.rpartition(":")[0]
        if container.get("name") == "router" and image and not image.startswith(f"{own}:"):
            return image
    return ""


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
        f"the site stands in your own object, {where}{f' (kept by {keeper})' if keeper else ''}",
        f"Change it wherever {keeper} takes it from" if keeper else hint,
        texts.diff(old, new, where),
    )


def _tell_differences(
    settings: Settings, ctx: click.Context, cluster: Cluster, objects: list[Object]
) -> None:
    """Print which objects this version would make otherwise; exit 3 if there are any."""
    from router.kubernetes.objects import name_of, shown

    items: list[dict[str, Any]] = []
    for wanted in objects:
        found = cluster.find(str(wanted["kind"]), name_of(wanted))
        change = "created" if found is None else "updated"
        if found is None or not covers(found, wanted):
            items.append({"object": shown(wanted), "change": change})
    output.emit_items(
        settings,
        "Update",
        items,
        lambda: (
            "\n".join(f"{i['object']} would be {i['change']}" for i in items)
            or "All objects are as this version makes them."
        ),
    )
    ctx.exit(Exit.DEGRADED if items else Exit.OK)


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
    """Raise Failure when nobody would serve what was moved here from a Skupper that still runs."""
    records = cluster.find("ConfigMap", names.MIGRATION_CONFIGMAP)
    moved = ", ".join(sorted((records or {}).get("data") or {}))
    if moved and cluster.find("Deployment", names.SKUPPER_ROUTER) is not None:
        raise conflict(
            f"nobody would serve {moved}: moved here from Skupper, which still runs",
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
        *(sys.executable, "-P", "-m", "router.main.process"),
        *("--namespace", namespace, "--site-dir", str(directory)),
    ]
    if settings.kubeconfig:
        command += ["--kubeconfig", settings.kubeconfig]
    if settings.context:
        command += ["--context", settings.context]
    if process.is_supervised():
        command += ["--log", "stdout"]
    else:
        output.note(f"router of namespace {namespace} runs until Ctrl-C, log {directory}/run")
    sys.stdout.flush()
    os.execve(command[0], command, process.router_environment())
