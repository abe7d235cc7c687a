"""`update` of a namespace's site, and its dry run."""

from collections.abc import Mapping
from typing import Any

import click

from router.kubernetes.objects.objects import Object, name_of, shown
from sitectl.base import output
from sitectl.base.failure import Exit
from sitectl.base.options import Settings
from sitectl.base.parallel import in_parallel
from sitectl.flags.sites.site import given_keys
from sitectl.kubernetes.cluster import Cluster
from sitectl.kubernetes.lifecycle.site_objects import (
    ROUTES,
    is_others,
    left_over,
    made_map,
    make,
    make_all,
    read,
    remove_left_over,
    rendered,
    require_ours,
)
from sitectl.kubernetes.namespaces import no_site, site_map
from sitectl.kubernetes.objects import covers, make_so
from sitectl.kubernetes.site import KubernetesSite, open_cluster
from sitectl.kubernetes.versions import gap, image_of, router_of, version_of
from sitectl.runtimes.image import ImageFlags
from sitectl.site.places import state_dir
from sitectl.site.site import Change


def update(
    settings: Settings, ctx: click.Context, asked: ImageFlags, force_restart: bool, only_check: bool
) -> None:
    """Change keys of the site, and make its objects as this version has them."""
    cluster = open_cluster(settings)
    found = site_map(cluster)
    if found is None:
        raise no_site(cluster)
    openshift = cluster.serves(ROUTES)
    before = dict(found.get("data") or {})
    after = before | given_keys(ctx)
    changed = {**found, "data": after}
    if after != before:
        require_ours(cluster, found, before, after)
    deployment = router_of(cluster)
    meant = read(changed, cluster.namespace, openshift, strict=after != before)
    objects = rendered(meant, cluster, asked, openshift, deployment)
    if only_check:
        _tell_differences(settings, ctx, cluster, objects)
        return
    changes: list[tuple[Object, Change]] = []
    if not is_others(cluster, deployment, force_restart and after == before and not asked.image):
        if after != before:
            cluster.replace(changed)
        changes = make_all(cluster, objects)
        changes += [(one, "deleted") for one in remove_left_over(cluster, objects)]
    if force_restart:
        KubernetesSite(cluster, state_dir(settings)).restart_router()
    is_changed = after != before or any(change != "unchanged" for _, change in changes)
    change = "updated" if is_changed or force_restart else "unchanged"
    name = meant.options.name
    text = f"site {name} {'updated' if change == 'updated' else 'is so already, unchanged'}"
    output.report(settings, "Site", name, change, text)


def bring_to(cluster: Cluster, data: Mapping[str, str]) -> None:
    """Have the namespace be a site with these keys; others that it has stay. As `init`, `update`.

    Failure: the ConfigMap is the user's own or a tool's, or a value cannot be used.
    """
    found = site_map(cluster)
    openshift, asked = cluster.serves(ROUTES), ImageFlags()
    before = None if found is None else dict(found.get("data") or {})
    if found is None or before is None:
        made = made_map(cluster, data, {}, openshift)
        meant = read(made, cluster.namespace, openshift, strict=True)
        make(cluster, made, True, rendered(meant, cluster, asked, openshift))
        return
    after = before | dict(data)
    if after == before:
        return
    require_ours(cluster, found, before, after)
    deployment, changed = router_of(cluster), {**found, "data": after}
    meant = read(changed, cluster.namespace, openshift, strict=True)
    objects = rendered(meant, cluster, asked, openshift, deployment)
    if not is_others(cluster, deployment, only_restart=False):
        cluster.replace(changed)
        make_so(cluster, objects)
        remove_left_over(cluster, objects)


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
    for one in left_over(cluster, objects):
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
        before, after = item["version"]["from"], item["version"]["to"]
        of = f"it is of {before or 'a version that did not say so'}"
        text += f" ({'of this version, with other content' if before == after else of})"
    image = item.get("image")
    return text + (f", image {image['from']} to {image['to']}" if image else "")
