"""The kinds of the Multi-Cluster Services API, and the rights of routers on them."""

from typing import Any, Final

import yaml

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.images import ROOT
from tests.kubernetes.resources import Json, Resource, custom

GROUP: Final = "multicluster.x-k8s.io"

Kinds = tuple[Resource, ...]


def kinds(version: str) -> Kinds:
    """As served in ``version``: v1beta1 by mcs-api 0.5, v1alpha1 by those before."""
    return custom(
        GROUP,
        version,
        ("ServiceExport", "serviceexports", ("svcex", "svcexport")),
        ("ServiceImport", "serviceimports", ("svcim", "svcimport")),
    )


KINDS: Final = kinds("v1beta1")
OLDER_KINDS: Final = kinds("v1alpha1")
CLUSTER_ROLE: Final = "spillway-mcs"
PERMISSIONS: Final = ROOT / "deploy/kubernetes/multicluster/cluster-role.yaml"


def install(cluster: Cluster, served: Kinds = KINDS, rules: list[Json] | None = None) -> None:
    """Do an administrator's one-time steps in the cluster: the kinds, and the role for routers.

    ``rules``: of the role, instead of the shipped ones.
    """
    cluster.define(*served)
    permit(cluster, rules)


def permit(cluster: Cluster, rules: list[Json] | None = None) -> None:
    """The role alone, where the kinds are served already."""
    (role,) = yaml.safe_load_all(PERMISSIONS.read_text())
    cluster.create_object(role if rules is None else {**role, "rules": rules}, "")


def bind(cluster: Cluster, namespace: str) -> None:
    """What an administrator of the cluster does for each namespace, here before it exists."""
    reference = {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": CLUSTER_ROLE,
    }
    subject = {"kind": "ServiceAccount", "name": "spillway-router", "namespace": namespace}
    name = f"{CLUSTER_ROLE}-{namespace}"
    cluster.create("ClusterRoleBinding", name, "", subjects=[subject], roleRef=reference)


def export(cluster: Cluster, namespace: str, name: str = "shop", **notes: str) -> Json:
    """Export Service ``name``. ``notes``: annotations ``spillway.dev/…``."""
    marked = {f"spillway.dev/{key.replace('_', '-')}": text for key, text in notes.items()}
    return cluster.create("ServiceExport", name, namespace, metadata={"annotations": marked})


def conditions(cluster: Cluster, namespace: str, name: str = "shop") -> dict[str, tuple[str, str]]:
    """Status and reason of the conditions of a ServiceExport."""
    found = cluster.get("ServiceExport", name, namespace) or {}
    listed: list[Any] = (found.get("status") or {}).get("conditions") or []
    return {one["type"]: (one["status"], one["reason"]) for one in listed}
