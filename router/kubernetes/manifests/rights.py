"""Permissions of the router and the site controller, with reasons for `docs/kubernetes-deploy.md`.

A namespace's administrator (ClusterRole ``admin``) holds all of them and so may grant them: none
writes EndpointSlices, reads nodes or namespaces, or escalates.
"""

from typing import Final

import msgspec

from router.kubernetes.manifests.parts import Json
from router.kubernetes.objects import names, skupper2_kinds
from router.kubernetes.objects.kinds import KINDS

READ: Final = ("get", "list", "watch")
WRITE: Final = ("create", "update", "patch", "delete")


class Right(msgspec.Struct, frozen=True):
    """One rule of a Role. ``only``: names of objects; ``why`` is for the documentation."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str
    only: tuple[str, ...] = ()

    def rule(self) -> Json:
        """The rule in the form of a Role."""
        rule: Json = {
            "apiGroups": [self.group],
            "resources": list(self.resources),
            "verbs": list(self.verbs),
        }
        if self.only:
            rule["resourceNames"] = list(self.only)
        return rule


ROUTER: Final = (
    Right(
        "",
        ("configmaps", "secrets", "services", "pods"),
        READ,
        "wanted state, tokens, Services to make or adopt, ready pods; found by label, which a Role"
        " cannot state",
    ),
    Right("discovery.k8s.io", ("endpointslices",), READ, "which pods of a Service are ready"),
    Right(
        "apps",
        ("deployments", "statefulsets", "daemonsets"),
        READ,
        "annotations of workloads, their selectors and ports",
    ),
    Right("", ("services",), WRITE, "makes, adopts and restores the Services of addresses"),
    Right(
        "",
        ("secrets",),
        WRITE,
        "keeps identity, grants, links and documents in force of wrong objects; fills token"
        " requests; of links, grants and requests the names are the user's",
    ),
    Right(
        "",
        ("configmaps",),
        ("create",),
        "the status, the owners of names; creation cannot be limited by name",
    ),
    Right(
        "",
        ("configmaps",),
        ("update", "patch", "delete"),
        "the status, the owners of names",
        (names.STATUS_CONFIGMAP, names.OWNERS_CONFIGMAP),
    ),
    Right("", ("events",), ("create", "patch"), "says at the object what is wrong with it"),
    Right(
        "coordination.k8s.io",
        ("leases",),
        ("create",),
        "which replica writes; creation cannot be limited by name",
    ),
    Right(
        "coordination.k8s.io",
        ("leases",),
        ("get", "update", "patch"),
        "which replica writes",
        (names.ROUTER,),
    ),
)

MULTICLUSTER: Final = (
    Right(
        "multicluster.x-k8s.io",
        ("serviceexports",),
        READ,
        "what a namespace with `mcs` exports",
    ),
    Right(
        "multicluster.x-k8s.io",
        ("serviceexports/status",),
        ("get", "update", "patch"),
        "conditions of exports",
    ),
    Right(
        "multicluster.x-k8s.io",
        ("serviceimports", "serviceimports/status"),
        (*READ, *WRITE),
        "imports of services of other clusters; KEP-1645 advises against giving it to people",
    ),
)

_V2: Final = tuple(KINDS[kind].plural for kind in skupper2_kinds.KINDS)
SKUPPER_V2: Final = (
    Right(skupper2_kinds.GROUP, _V2, READ, "what objects of Skupper v2 ask for: level B"),
    Right(
        skupper2_kinds.GROUP,
        tuple(f"{plural}/status" for plural in _V2),
        ("get", "update", "patch"),
        "their status, as Skupper's own tools read it: level A",
    ),
    Right(skupper2_kinds.GROUP, ("links",), ("create",), "Links of AccessTokens: level A"),
)
"""Beyond `ROUTER`, in a cluster that serves Skupper v2's kinds.

Skupper grants no permissions on them, so an administrator of the cluster grants these once.
"""
SKUPPER_V2_AUTHORS: Final = (
    Right(
        skupper2_kinds.GROUP,
        _V2,
        WRITE,
        "people write the objects; of these the router makes only Links",
    ),
)

HEADLESS: Final = (
    Right(
        "discovery.k8s.io",
        ("endpointslices",),
        WRITE,
        "names for the pods of headless StatefulSets of other sites; not a right of `admin` since"
        " Kubernetes 1.22, so it stands apart and everything else works without it",
    ),
    Right(
        "discovery.k8s.io",
        ("endpointslices/restricted",),
        ("create",),
        "OpenShift refuses cluster IPs in them otherwise; other clusters know no such resource",
    ),
)
"""Beyond `ROUTER`; only an administrator of the cluster can grant it."""

ROUTE: Final = Right(
    "route.openshift.io", ("routes",), ("get",), "the address in tokens", (names.ROUTER,)
)
INGRESS: Final = Right(
    "networking.k8s.io", ("ingresses",), ("get",), "the address in tokens", (names.ROUTER,)
)
DEPLOYMENT_CONFIGS: Final = Right(
    "apps.openshift.io",
    ("deploymentconfigs",),
    READ,
    "annotations of workloads, their selectors and ports",
)

_OURS: Final = (
    "what a site consists of; creation cannot be limited by name, and the names are the same in"
    " each namespace"
)
CONTROLLER: Final = (
    Right("", ("serviceaccounts",), (*READ, "create", "patch", "delete"), _OURS),
    Right("apps", ("deployments",), ("create", "patch", "delete"), _OURS),
    Right(
        "rbac.authorization.k8s.io",
        ("roles", "rolebindings"),
        (*READ, "create", "patch", "delete"),
        _OURS,
    ),
    Right(
        "coordination.k8s.io",
        ("leases",),
        ("delete",),
        "what a deleted site leaves behind",
        (names.ROUTER,),
    ),
    Right("policy", ("poddisruptionbudgets",), (*READ, "create", "patch", "delete"), _OURS),
    Right(
        "networking.k8s.io",
        ("networkpolicies", "ingresses"),
        (*READ, "create", "patch", "delete"),
        _OURS,
    ),
)
"""Beyond `ROUTER`, which the controller must hold to be able to grant it (no ``escalate``)."""
CONTROLLER_OPENSHIFT: Final = (
    DEPLOYMENT_CONFIGS,
    Right("route.openshift.io", ("routes",), (*READ, "create", "patch", "delete"), _OURS),
    Right(
        "route.openshift.io", ("routes/custom-host",), ("create",), "a Route with `ingress-host`"
    ),
)
CONTROLLER_CONTOUR: Final = (
    Right("projectcontour.io", ("httpproxies",), (*READ, "create", "patch", "delete"), _OURS),
)

CONTROLLER_EVERY_NAMESPACE: Final = (
    Right("", ("namespaces",), READ, "which namespaces take part in a cluster set"),
    Right(
        "",
        ("configmaps",),
        ("update", "patch", "delete"),
        "sites that it makes itself: in namespaces that take part in a cluster set, or of a Site of"
        " Skupper v2",
        (names.SITE_CONFIGMAP,),
    ),
)


def router_rights(ingress: str, *, openshift: bool) -> tuple[Right, ...]:
    """Permissions of the router of a site with this kind of ingress."""
    rights: tuple[Right, ...] = ROUTER
    if ingress == "route":
        rights += (ROUTE,)
    elif ingress in ("ingress", "nginx-ingress-v1"):
        rights += (INGRESS,)
    return (*rights, DEPLOYMENT_CONFIGS) if openshift else rights


def controller_rights(*, openshift: bool, every_namespace: bool) -> tuple[Right, ...]:
    """Permissions of the site controller.

    A namespace's administrator can grant only permissions that they hold. So permissions that
    depend on the cluster are included only if it has the kinds; an administrator of the cluster
    grants all.
    """
    rights: tuple[Right, ...] = (*ROUTER, *CONTROLLER)
    if openshift or every_namespace:
        rights += CONTROLLER_OPENSHIFT
    if not every_namespace:
        return rights
    rights += HEADLESS + CONTROLLER_CONTOUR + MULTICLUSTER
    return rights + SKUPPER_V2 + CONTROLLER_EVERY_NAMESPACE
