"""The objects of a namespace's site, which follow from its ConfigMap."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from router.kubernetes import manifests
from router.kubernetes.manifests.image import IMAGE, PULL_POLICY
from router.kubernetes.objects import names, skupper2_kinds
from router.kubernetes.objects.findings import ObjectFindings
from router.kubernetes.objects.objects import Object, labels, name_of, uid_of
from router.kubernetes.objects.picture import SiteOptions
from router.kubernetes.translation import site_config
from router.kubernetes.translation.site_config import SiteDefaults
from router.model.specs import SiteSpec
from sitectl.base import output, texts
from sitectl.base.failure import conflict
from sitectl.base.parallel import in_parallel
from sitectl.kubernetes.cluster import ApiFailure, Cluster
from sitectl.kubernetes.objects import make_so
from sitectl.kubernetes.planned import DryCluster
from sitectl.kubernetes.site import kept_by
from sitectl.kubernetes.versions import (
    CONTROLLER,
    gap,
    keeper,
    kept_image,
    kept_policy,
    router_of,
    version_of,
)
from sitectl.runtimes.image import ImageFlags, policy_of_pods, stated_image
from sitectl.site.site import Change

ROUTES: Final = "route.openshift.io/v1"


class Meant(NamedTuple):
    """The settings in a site's ConfigMap."""

    options: SiteOptions
    drain_grace_s: float


def read(found: Object, namespace: str, openshift: bool, *, strict: bool) -> Meant:
    """The settings in a site's ConfigMap.

    Failure: the setting for access to the site is unreadable; if ``strict``, any value is.
    """
    noted = ObjectFindings(site_config.SOURCE)
    defaults = SiteDefaults(ingress="route" if openshift else "loadbalancer")
    options, document = site_config.read(found, namespace, defaults, noted)
    assert isinstance(document.spec, SiteSpec)
    wrong = [error for error in noted.errors if error.severity == "error"]
    if wrong and (strict or site_config.may_open(noted)):
        raise texts.config_failure(wrong, "these settings cannot be used")
    for error in noted.errors:
        output.note(f"{error.code} {error.message}. {error.hint}".rstrip(". "))
    return Meant(options, document.spec.drain_grace_s)


def made_map(
    cluster: Cluster,
    data: Mapping[str, str],
    notes: Mapping[str, Mapping[str, str]],
    openshift: bool,
) -> Object:
    draft = {"kind": "ConfigMap", "metadata": dict(notes), "data": dict(data)}
    options = read(draft, cluster.namespace, openshift, strict=True).options
    made = manifests.config_map(options, cluster.namespace, data)
    for key, told in notes.items():  # Also those that must not spread: they were asked for.
        if told:
            made["metadata"][key] = {**made["metadata"].get(key, {}), **told}
    return made


def rendered(
    meant: Meant,
    cluster: Cluster,
    asked: ImageFlags,
    openshift: bool,
    deployment: Object | None = None,
) -> list[Object]:
    """The site's objects; the choices of ``deployment`` stay unless ``asked`` changes them."""
    image = stated_image(asked.image) or kept_image(deployment) or IMAGE
    policy = policy_of_pods(asked.image_pull_policy) or kept_policy(deployment) or PULL_POLICY
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


def make(
    cluster: Cluster, site_map: Object, is_new: bool, objects: list[Object]
) -> list[tuple[Object, Change]]:
    """Make ``objects``, and the ConfigMap if it is new; not what another looks after."""
    who = keeper(router_of(cluster))
    if who:
        output.note(f"the objects of this site are made by {who}, which looks after them")
        return make_so(cluster, [site_map] if is_new else [])
    return make_all(cluster, [site_map, *objects] if is_new else objects)


def make_all(cluster: Cluster, objects: list[Object]) -> list[tuple[Object, Change]]:
    """Make ``objects``, and grant the routers what can be granted before they start."""
    routers = [one for one in objects if manifests.runs_routers(one)]
    changes = make_so(cluster, [one for one in objects if one not in routers])
    changes += _grant_headless(cluster)
    changes += _grant_skupper2(cluster)
    return changes + make_so(cluster, routers)


def _grant_headless(cluster: Cluster) -> list[tuple[Object, Change]]:
    """Grant the router the right that only an administrator of the cluster holds, if one asks.

    Without the right, prints its consequences if there are StatefulSets; later the router reports
    them for each service that needs the right (SW0428).
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
    """Whether the namespace has StatefulSets; True too if the user may not list them."""
    try:
        return bool(cluster.list("StatefulSet"))
    except ApiFailure as failure:
        if failure.status != 403:
            raise
        return True


def remove_left_over(cluster: Cluster, objects: list[Object]) -> list[Object]:
    """Delete objects that the site no longer has; the deleted ones."""
    found = left_over(cluster, objects)
    for one in found:
        cluster.delete(str(one["kind"]), name_of(one), uid_of(one))
    return found


def left_over(cluster: Cluster, objects: list[Object]) -> list[Object]:
    """Objects that our site no longer has: the budget of a site with one router left."""
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


def is_others(cluster: Cluster, deployment: Object | None, only_restart: bool) -> bool:
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


def require_ours(
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
