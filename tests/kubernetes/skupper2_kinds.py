"""The kinds of Skupper v2 (skupper.io/v2alpha1), and the rights of routers on them."""

from typing import Any, Final

import yaml

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.images import ROOT
from tests.kubernetes.resources import Json, custom

GROUP: Final = "skupper.io"
VERSION: Final = "v2alpha1"
KINDS: Final = custom(
    GROUP,
    VERSION,
    ("Site", "sites", ("st",)),
    ("Link", "links", ("ln",)),
    ("Listener", "listeners", ("lnr",)),
    ("Connector", "connectors", ("cnr",)),
    ("MultiKeyListener", "multikeylisteners", ()),
    ("RouterAccess", "routeraccesses", ()),
    ("AccessGrant", "accessgrants", ("gr", "grant")),
    ("AccessToken", "accesstokens", ("to", "token")),
    ("AttachedConnector", "attachedconnectors", ("acnr",)),
    ("AttachedConnectorBinding", "attachedconnectorbindings", ("acnrb",)),
)
CLUSTER_ROLE: Final = "spillway-skupper-v2"
PERMISSIONS: Final = ROOT / "deploy/kubernetes/skupper-v2/cluster-role.yaml"


def install(cluster: Cluster) -> None:
    """What an administrator of the cluster does once: the kinds, and the role for routers."""
    cluster.define(*KINDS)
    for role in yaml.safe_load_all(PERMISSIONS.read_text()):
        cluster.create_object(role, "")


def bind(cluster: Cluster, namespace: str, level: str = "A") -> None:
    """Give the router of a namespace that exists the rights of ``level`` A, B or C."""
    granted = rules()[: {"A": 3, "B": 1, "C": 0}[level]]
    cluster.create("Role", CLUSTER_ROLE, namespace, rules=granted)
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": CLUSTER_ROLE}
    subject = {"kind": "ServiceAccount", "name": "spillway-router", "namespace": namespace}
    cluster.create("RoleBinding", CLUSTER_ROLE, namespace, subjects=[subject], roleRef=reference)


def grant(cluster: Cluster, namespace: str, rules: list[Json]) -> None:
    """Other rules instead."""
    cluster.patch("Role", CLUSTER_ROLE, {"rules": rules}, namespace)


def rules() -> list[Json]:
    """Those of level A; the first one alone is level B."""
    role = next(yaml.safe_load_all(PERMISSIONS.read_text()))
    found: list[Json] = role["rules"]
    return found


def put(cluster: Cluster, kind: str, name: str, namespace: str, **spec: Any) -> Json:
    """Make an object as its author wrote it."""
    return cluster.create(kind, name, namespace, spec=spec)


def status(cluster: Cluster, kind: str, name: str, namespace: str) -> dict[str, Any]:
    """The status of an object; empty: it has none."""
    found = cluster.get(kind, name, namespace) or {}
    told: dict[str, Any] = found.get("status") or {}
    return told
