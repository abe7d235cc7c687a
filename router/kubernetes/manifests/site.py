"""All objects of a site, from its options: `sitectl init`, Helm and the controller apply them."""

from collections.abc import Mapping
from typing import Final

import msgspec

from router.kubernetes.manifests.access import access, ingress_kind, network_policy
from router.kubernetes.manifests.console import console_objects, login_annotations
from router.kubernetes.manifests.deployment import deployment, disruption_budget
from router.kubernetes.manifests.image import PULL_POLICY, PullPolicy
from router.kubernetes.manifests.parts import Json, metadata
from router.kubernetes.manifests.rights import (
    HEADLESS,
    MULTICLUSTER,
    SKUPPER_V2,
    SKUPPER_V2_AUTHORS,
    Right,
    router_rights,
)
from router.kubernetes.objects import names
from router.kubernetes.objects.addresses import link_host
from router.kubernetes.objects.objects import Object
from router.kubernetes.objects.picture import SiteOptions
from router.model import limits
from router.model.errors import ConfigError

HEADLESS_ROLE: Final = f"{names.ROUTER}-headless"
MULTICLUSTER_ROLE: Final = f"{names.ROUTER}-mcs"
MULTICLUSTER_CLUSTER_ROLE: Final = "spillway-mcs"
"""A binding to it often has its name, so no object of ours in a namespace may have it."""
SKUPPER2_ROLE: Final = f"{names.ROUTER}-skupper-v2"
SKUPPER2_CLUSTER_ROLE: Final = "spillway-skupper-v2"
_AGGREGATED: Final = {"rbac.authorization.k8s.io/aggregate-to-edit": "true"}
"""Administrators and editors of namespaces then hold these permissions, and may grant them."""
OPTIONAL_KINDS: Final = ("PodDisruptionBudget", "NetworkPolicy", "Ingress", "Route", "HTTPProxy")
"""Kinds of objects named `names.ROUTER` that depend on the site's options."""


class Rendered(msgspec.Struct, frozen=True):
    """``objects`` in apply order; ``errors``: unusable options."""

    objects: tuple[Object, ...]
    errors: tuple[ConfigError, ...] = ()


def render(
    options: SiteOptions,
    *,
    namespace: str,
    image: str,
    pull_policy: PullPolicy = PULL_POLICY,
    openshift: bool = False,
    drain_grace_s: float = limits.DRAIN_GRACE_S,
) -> Rendered:
    """The objects of a site without its ConfigMap; each unusable option is reported.

    ``openshift``: the cluster has Routes. ``drain_grace_s``: from its Site document.
    """
    rights = router_rights(ingress_kind(options, openshift=openshift), openshift=openshift)
    objects: list[Json] = [
        _service_account(options, namespace, openshift=openshift),
        role(names.ROUTER, namespace, rights, labels=options.labels),
        role_binding(names.ROUTER, namespace, labels=options.labels),
        *access(options, namespace, openshift=openshift),
        *console_objects(options, namespace, openshift=openshift),
        deployment(options, namespace, image, drain_grace_s, pull_policy),
    ]
    if options.routers > 1:
        objects.append(disruption_budget(options, namespace))
    if options.create_network_policy:
        objects.append(network_policy(options, namespace))
    errors = _unreachable(options, namespace, openshift=openshift)
    return Rendered(tuple(objects), tuple(errors))


def headless_objects(namespace: str) -> list[Object]:
    """A further permission of the router: names for the pods of other sites' headless StatefulSets.

    A namespace's administrator may not grant it: apply these objects separately, and continue if
    they are refused.
    """
    return [
        role(HEADLESS_ROLE, namespace, HEADLESS),
        role_binding(HEADLESS_ROLE, namespace, account=names.ROUTER),
    ]


def skupper2_objects(namespace: str) -> list[Object]:
    """A further permission of the router: objects of Skupper v2, if the cluster serves their kinds.

    A namespace's administrator may grant it once `skupper2_roles` are in the cluster.
    """
    return [
        role(SKUPPER2_ROLE, namespace, SKUPPER_V2),
        role_binding(SKUPPER2_ROLE, namespace, account=names.ROUTER),
    ]


def skupper2_roles() -> list[Object]:
    """ClusterRoles that give administrators of namespaces the permissions on v2's objects.

    They may then grant them. Skupper's installation gives these permissions to no account. An
    administrator of the cluster applies the ClusterRoles once.
    """
    return [
        _cluster_role(SKUPPER2_CLUSTER_ROLE, SKUPPER_V2, _AGGREGATED),
        _cluster_role(f"{SKUPPER2_CLUSTER_ROLE}-authors", SKUPPER_V2_AUTHORS, _AGGREGATED),
    ]


def multicluster_objects(namespace: str) -> list[Object]:
    """The permissions of `multicluster_role` for one namespace's router.

    Only an account that holds them can apply these objects.
    """
    return [
        role(MULTICLUSTER_ROLE, namespace, MULTICLUSTER),
        role_binding(MULTICLUSTER_ROLE, namespace, account=names.ROUTER),
    ]


def multicluster_role() -> Object:
    """The ClusterRole of routers that take part in a cluster set.

    No user of a namespace holds these permissions, so an administrator of the cluster applies it
    once and binds it to the router of each such namespace.
    """
    return _cluster_role(MULTICLUSTER_CLUSTER_ROLE, MULTICLUSTER + HEADLESS, {})


def _cluster_role(name: str, rights: tuple[Right, ...], marked: Mapping[str, str]) -> Object:
    made = role(name, "", rights, labels=marked)
    head = {key: text for key, text in made["metadata"].items() if key != "namespace"}
    return {**made, "kind": "ClusterRole", "metadata": head}


def site_objects(
    options: SiteOptions,
    *,
    namespace: str,
    image: str,
    openshift: bool = False,
    data: Mapping[str, str] | None = None,
) -> list[Object]:
    """The objects that `sitectl init` applies: ConfigMap ``skupper-site`` of ``data`` and its site.

    The ConfigMap has the mark that makes site controllers ignore it, as that of Skupper v1's
    command line has: these objects are maintained by their applier.
    """
    rendered = render(options, namespace=namespace, image=image, openshift=openshift)
    return [config_map(options, namespace, data or {}), *rendered.objects]


def config_map(options: SiteOptions, namespace: str, data: Mapping[str, str]) -> Json:
    """``skupper-site`` with ``data``, which site controllers should ignore."""
    made = metadata(
        names.SITE_CONFIGMAP, namespace, labels=options.labels, annotations=options.annotations
    )
    made["labels"][names.SITE_CONTROLLER_IGNORE] = "true"
    del made["annotations"][names.VERSION]  # It is the user's from now on: no version rewrites it.
    if not made["annotations"]:
        del made["annotations"]
    found: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": made}
    if data:  # The API drops empty data, so kubectl apply would report a change each time.
        found["data"] = dict(sorted(data.items()))
    return found


def runs_routers(found: Object) -> bool:
    """Whether routers start once ``found`` is applied; they ask for their permissions then."""
    return bool(found["kind"] == "Deployment")


def owned(objects: tuple[Object, ...], owner: Object) -> list[Object]:
    """``objects`` with an owner reference: they are collected when ``owner`` is deleted.

    Without `blockOwnerDeletion`: setting that takes a permission on the owner's finalizers where
    OwnerReferencesPermissionEnforcement is on, and would hold up its deletion.
    """
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
    }
    return [
        {**found, "metadata": {**found["metadata"], "ownerReferences": [reference]}}
        for found in objects
    ]


def _service_account(options: SiteOptions, namespace: str, *, openshift: bool) -> Json:
    annotations = {**options.annotations, **login_annotations(options, openshift=openshift)}
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(
            names.ROUTER, namespace, labels=options.labels, annotations=annotations
        ),
        "automountServiceAccountToken": False,  # The router's pods turn it on.
    }


def role(
    name: str,
    namespace: str,
    rights: tuple[Right, ...],
    *,
    component: str = names.COMPONENT_ROUTER,
    labels: Mapping[str, str] | None = None,
) -> Json:
    """A Role of ``rights``."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": metadata(name, namespace, component=component, labels=labels),
        "rules": [right.rule() for right in rights],
    }


def role_binding(
    name: str,
    namespace: str,
    *,
    account: str = "",
    component: str = names.COMPONENT_ROUTER,
    labels: Mapping[str, str] | None = None,
) -> Json:
    """Gives the Role of that name to the ServiceAccount of that name, or to ``account``."""
    subject = {"kind": "ServiceAccount", "name": account or name, "namespace": namespace}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": metadata(name, namespace, component=component, labels=labels),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [subject],
    }


def _unreachable(options: SiteOptions, namespace: str, *, openshift: bool) -> list[ConfigError]:
    kind = ingress_kind(options, openshift=openshift)
    source = f"ConfigMap/{names.SITE_CONFIGMAP}"
    if kind in ("ingress", "nginx-ingress-v1", "contour-http-proxy"):
        if link_host(options, namespace):
            return []
        return [
            ConfigError(
                source,
                "data.ingress-host",
                f"ingress {kind} tells sites apart by name, and no domain is given: other sites "
                "cannot link here",
                hint="Set ingress-host to a domain that leads to the ingress controller",
                code="SW0450",
            )
        ]
    if kind == "route" and not openshift:
        return [
            ConfigError(
                source,
                "data.ingress",
                "this cluster has no Routes: other sites cannot link here",
                hint="Set ingress to loadbalancer, nodeport, nginx-ingress-v1 or none",
                code="SW0451",
            )
        ]
    return []
