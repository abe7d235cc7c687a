"""`check` of a namespace: permissions, missing objects, unusable objects.

Codes: SW0461 API server, SW0462 namespace, SW0463 a right of the user, SW0464 Istio, SW0465 Skupper
beside, SW0466 an object of the site, SW0467 a right of the router, SW0468 the router's pods, SW0469
the identity, SW0470 the site's ConfigMap, SW0490 and SW0493 its part in a cluster set; SW0405 to
SW0457 are those of objects.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from certs.errors import CertError
from router import __version__
from router.kubernetes import manifests
from router.kubernetes.manifests.image import PULL_POLICY
from router.kubernetes.manifests.rights import (
    CONTROLLER,
    CONTROLLER_OPENSHIFT,
    Right,
    router_rights,
)
from router.kubernetes.objects import names
from router.kubernetes.objects.objects import Object, name_of, part, shown
from router.kubernetes.objects.picture import NamespacePicture, SiteOptions
from router.model.errors import ConfigError
from router.model.specs import ConnectorSpec, SiteSpec
from sitectl.base.failure import Failure
from sitectl.base.findings import Finding, expiry
from sitectl.base.options import Settings
from sitectl.base.parallel import in_parallel
from sitectl.kubernetes import cluster_set_checks, istio, namespaces, rights
from sitectl.kubernetes.cluster import ApiFailure, Cluster
from sitectl.kubernetes.door import (
    SELECTOR,
    PodDoor,
    is_being_made,
    is_ready,
    refused_pods,
    stuck_pods,
)
from sitectl.kubernetes.lifecycle.site_objects import ROUTES
from sitectl.kubernetes.objects import covers
from sitectl.kubernetes.site import KubernetesSite, open_cluster
from sitectl.kubernetes.versions import keeper, kept_image, kept_policy, version_of
from sitectl.show.router_findings import of_router

_NEEDED: Final = ("Deployment", "Role", "RoleBinding", "ServiceAccount")
_OF_COMMANDS: Final = (
    Right("", ("configmaps",), ("create", "update", "patch", "delete"), "the site and documents"),
    Right("", ("pods/exec",), ("create",), "asking the router: status, why, events"),
)
"""Rights that the user of commands needs beyond the router's. A user must hold the router's too, to
be allowed to grant them (Kubernetes: privilege escalation prevention)."""
_INSTALLING: Final = tuple(
    right
    for right in CONTROLLER
    if not set(right.resources) & {"poddisruptionbudgets", "networkpolicies"}
)


def of_namespace(settings: Settings) -> Iterator[Finding]:
    """Before `init`: is the cluster there, may we install a site."""
    cluster = open_cluster(settings)

    def may() -> Iterator[Finding]:
        openshift = cluster.serves(ROUTES)
        ingress = "route" if openshift else "loadbalancer"
        needed = (*_INSTALLING, *_OF_COMMANDS, *router_rights(ingress, openshift=openshift))
        if openshift:
            needed += CONTROLLER_OPENSHIFT
        return rights.findings(cluster, needed)

    yield from _cluster(cluster)
    yield from _at_once(may, lambda: istio.findings(cluster), lambda: _skupper(cluster))


def _at_once(*parts: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of all parts, in order; the parts ask the API server at the same time."""
    found: list[list[Finding]] = in_parallel(lambda look: list(look()), parts)
    for findings in found:
        yield from findings


def _cluster(cluster: Cluster) -> Iterator[Finding]:
    paths = ("version", namespaces.path_of(cluster.namespace))
    reply, of_namespace = in_parallel(lambda path: cluster.call("GET", path), paths)
    version = ""
    if reply.status == 200:
        version = str(json.loads(reply.body).get("gitVersion", ""))
    yield Finding("ok", "SW0461", f"the API server answers{f', {version}' if version else ''}")
    phase = namespaces.phase_of(of_namespace)
    step = namespaces.to_make(cluster.namespace, phase)
    if phase == "missing":
        yield Finding("error", "SW0462", f"there is no namespace {cluster.namespace!r}", step)
    elif phase == "ending":
        yield Finding("error", "SW0462", f"namespace {cluster.namespace!r} is being deleted", step)
    else:
        yield Finding("ok", "SW0462", f"namespace {cluster.namespace}")


def _skupper(cluster: Cluster) -> Iterator[Finding]:
    try:
        found = cluster.find("Deployment", names.SKUPPER_ROUTER)
    except ApiFailure as failure:
        if failure.status != 403:
            raise
        return  # SW0463 names the right that lacks.
    if found is not None:
        yield Finding(
            "info",
            "SW0465",
            "Skupper's router runs in this namespace: services that it has stay with it until they "
            "are moved",
            "sitectl migrate --plan",
        )


def _no_site(site: KubernetesSite) -> Finding:
    try:
        namespaces.site_map(site.cluster)
    except Failure as ending:
        return Finding("error", "SW0470", f"{ending.message}: no site", ending.hint)
    hint = f"sitectl -n {site.namespace} init"
    return Finding("error", "SW0470", f"no ConfigMap {names.SITE_CONFIGMAP}: no site", hint)


def of_site(settings: Settings) -> Iterator[Finding]:
    """Findings about the site: its objects, its rights, and those of its router."""
    site = KubernetesSite.of(settings)
    of_cluster = list(_cluster(site.cluster))
    yield from of_cluster
    picture = site.reading.picture
    for failure in site.reading.refused:
        yield Finding("warning", "SW0463", failure.message, failure.hint)
    if picture.options is None:
        if not any(one.level == "error" for one in of_cluster):
            yield _no_site(site)
        return
    yield Finding("ok", "SW0470", f"site {picture.options.name} in namespace {site.namespace}")
    options, has_targets = picture.options, _has_pods(picture)
    of_objects = list(map(_of_object, picture.errors))
    of_objects += cluster_set_checks.findings(site.cluster, site.reading)
    told = {(one.code, one.message) for one in of_objects}
    yield from of_objects
    yield from _at_once(
        lambda: _objects(site, options),
        lambda: _identity(site),
        lambda: istio.findings(site.cluster, options, has_targets=has_targets),
        lambda: _skupper(site.cluster),
        lambda: _pods(site.cluster) if isinstance(site.admin, PodDoor) else iter(()),
        lambda: of_router(site, told),
    )


def _has_pods(picture: NamespacePicture) -> bool:
    """Whether pods are targets of this site."""
    return any(
        isinstance(document.spec, ConnectorSpec) and document.spec.workload != ""
        for document in picture.documents
    )


def _of_object(error: ConfigError) -> Finding:
    return Finding(error.severity, error.code, error.message, error.hint)


def _objects(site: KubernetesSite, options: SiteOptions) -> Iterator[Finding]:
    """Whether everything that runs a router is there, and its Role has every rule."""
    openshift = site.cluster.serves(ROUTES)
    rendered = manifests.render(
        options, namespace=site.namespace, image=manifests.IMAGE, openshift=openshift
    )
    for error in rendered.errors:
        yield _of_object(error)

    def look(wanted: Object) -> Object | ApiFailure | None:
        try:
            return site.cluster.find(str(wanted["kind"]), name_of(wanted))
        except ApiFailure as failure:
            return failure

    missing = 0
    there = in_parallel(look, rendered.objects)
    for wanted, found in zip(rendered.objects, there, strict=True):
        place = f"{wanted['kind']}/{name_of(wanted)}"
        if isinstance(found, ApiFailure):
            yield Finding("warning", "SW0463", found.message, found.hint)
        elif found is None:
            missing += 1
            hint = f"sitectl -n {site.namespace} update"
            is_needed = wanted["kind"] in _NEEDED
            yield Finding(
                "error" if is_needed else "warning", "SW0466", f"{place} is missing", hint
            )
        elif wanted["kind"] == "Role":
            yield from _role(site, wanted, found)
    if not missing:
        yield Finding("ok", "SW0466", f"{len(rendered.objects)} objects of the site are there")
    yield from _unlike(site, options, [one for one in there if isinstance(one, Mapping)])


def _unlike(
    site: KubernetesSite, options: SiteOptions, there: Iterable[Object]
) -> Iterator[Finding]:
    """Objects that differ from the site's ConfigMap, because no `update` ran since its change.

    Skips objects of another version or another manager. Roles have separate findings.
    """
    found = {(str(one["kind"]), name_of(one)): one for one in there if one["kind"] != "Role"}
    deployment = found.get(("Deployment", names.ROUTER))
    if deployment is None or keeper(deployment) or version_of(deployment) != __version__:
        return
    documents = site.reading.picture.documents
    rendered = manifests.render(
        options,
        namespace=site.namespace,
        image=kept_image(deployment) or manifests.IMAGE,
        pull_policy=kept_policy(deployment) or PULL_POLICY,
        openshift=site.cluster.serves(ROUTES),
        drain_grace_s=next(d.spec.drain_grace_s for d in documents if isinstance(d.spec, SiteSpec)),
    )
    unlike = [
        shown(wanted)
        for wanted in rendered.objects
        if (one := found.get((str(wanted["kind"]), name_of(wanted)))) and not covers(one, wanted)
    ]
    if unlike:
        are = "is not" if len(unlike) == 1 else "are not"
        said = f"{', '.join(unlike)} {are} as ConfigMap/{names.SITE_CONFIGMAP} says"
        yield Finding("info", "SW0466", said, f"sitectl -n {site.namespace} update")


def _role(site: KubernetesSite, wanted: Object, found: Object) -> Iterator[Finding]:
    for one in rights.lacking(wanted["rules"], found.get("rules") or []):
        yield Finding(
            "error",
            "SW0467",
            f"Role/{name_of(wanted)} does not let the router {one.told}",
            f"sitectl -n {site.namespace} update, or add this rule: {one.text}",
        )


def _identity(site: KubernetesSite) -> Iterator[Finding]:
    from certs import certificates

    try:
        if site.cluster.find("Secret", names.IDENTITY_SECRET) is None:
            text = f"there is no Secret/{names.IDENTITY_SECRET}: the next router to start makes it"
            yield Finding("info", "SW0469", text)
            return
        expires = certificates.expires_at(site.trust.authority().ca_pem)
        site_id = site.trust.site_id
    except (CertError, ConfigError) as error:
        hint = "Restore the Secret from a backup"
        yield Finding("error", "SW0469", str(error), hint)
        return
    except Failure as failure:
        yield Finding("warning", "SW0463", failure.message, failure.hint)
        return
    yield Finding("ok", "SW0469", f"identity {site_id}")
    yield expiry("the site's CA", expires, "SW0518", "sitectl ca status")


def _pods(cluster: Cluster) -> Iterator[Finding]:
    pods = cluster.list("Pod", SELECTOR)
    ready = [pod for pod in pods if is_ready(pod)]
    found = cluster.find("Deployment", names.ROUTER)
    wanted = part(found, "spec", "replicas") if found is not None else None
    stuck = stuck_pods(pods, cluster.namespace)
    if ready and stuck:  # An update that goes no further: the routers of before serve.
        why, hint = stuck
        said = f"{len(ready)} of {len(pods)} router pods are ready: {why}"
        yield Finding("warning", "SW0468", said, hint)
    elif ready and (not isinstance(wanted, int) or len(ready) >= wanted):
        yield Finding("ok", "SW0468", f"{len(ready)} of {len(pods)} router pods are ready")
        if wanted == 1:
            yield Finding(
                "info",
                "SW0468",
                "the site has one router: requests in flight are lost if its pod is killed",
                f"sitectl -n {cluster.namespace} update --routers 2",
            )
    elif ready:
        said = f"{len(ready)} of {wanted} router pods are ready"
        made = [pod for pod in pods if is_being_made(pod)]
        if isinstance(wanted, int) and len(ready) + len(made) >= wanted:
            yield Finding("info", "SW0468", f"{said}, {len(made)} being made")
        else:
            yield Finding("warning", "SW0468", said)
    if ready and found is not None and (refused := refused_pods(found)):
        yield Finding("warning", "SW0468", *refused)
    # With none ready, asking the router says why.
