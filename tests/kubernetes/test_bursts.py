"""Burst hooks of a site in Kubernetes: objects made and deleted, with the rights that takes."""

from typing import Any

from router.kubernetes.manifests.rights import READ
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.routers import Router, Start, soon

BURST = """apiVersion: spillway/v1
kind: Burst
name: {name}
spec:
  service: shop
  window: 2s
  coolDown: 1s
  saturated: {{full: 50%}}
  calm: {{for: 1s}}
  timeout: 5s
  {hook}
"""
CLAIM = (
    "object: {apiVersion: v1, kind: ConfigMap, metadata: {name: 'claim-{{service}}'}, "
    "data: {event: '{{event}}', demand: 'at {{demand}}'}}"
)
TAKEN = "object: {apiVersion: v1, kind: ConfigMap, metadata: {name: theirs}, data: {a: b}}"
UNKNOWN = (
    "object: {apiVersion: hive.openshift.io/v1, kind: ClusterClaim, metadata: {name: c}, "
    "spec: {clusterPoolName: p}}"
)
SERVICE = "apiVersion: spillway/v1\nkind: Service\nname: shop\nspec: {ports: [8080]}\n"


def fired(router: Router, name: str, event: str = "saturated") -> dict[str, Any]:
    """The outcome of a test of that burst."""

    def last() -> dict[str, Any]:
        found: dict[str, Any]
        found = next((item for item in router.get("bursts") if item["name"] == name), {})
        return found.get("last_test") or {}

    number = last().get("number", 0)
    router.admin.command("burst-test", burst=name, event=event)
    soon(lambda: last().get("number", 0) > number, f"{name} was run", router)
    return last()


def test_an_object_is_made_with_the_rights_for_it_and_deleted_only_if_it_is_ours(
    cluster: Cluster, start: Start
) -> None:
    router = start("west").serves()
    hooks = {"claim": CLAIM, "taken": TAKEN, "unknown": UNKNOWN, "command": "command: ['true']"}
    documents = {f"{name}.yaml": BURST.format(name=name, hook=hook) for name, hook in hooks.items()}
    labelled = {"labels": {"spillway.dev/documents": "true"}}
    data = {**documents, "shop.yaml": SERVICE}
    cluster.create("ConfigMap", "bursts", "west", metadata=labelled, data=data)
    cluster.create("ConfigMap", "theirs", "west", data={"kept": "yes"})
    soon(lambda: len(router.get("bursts")) == 4, "the bursts are known", router)
    forbidden = fired(router, "claim")
    assert not forbidden["ok"]
    assert "forbidden" in forbidden["text"]
    assert "get, create, patch and delete on ConfigMap" in forbidden["hint"]
    rule = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "verbs": [*READ, "create", "patch", "delete"],
    }
    cluster.create("Role", "burst", "west", rules=[rule])
    cluster.create(
        "RoleBinding",
        "burst",
        "west",
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "burst"},
        subjects=[{"kind": "ServiceAccount", "name": "spillway-router", "namespace": "west"}],
    )
    assert fired(router, "claim")["text"] == "ConfigMap claim-shop was made"
    made = cluster.get("ConfigMap", "claim-shop", "west")
    assert made is not None
    assert made["data"] == {"event": "saturated", "demand": "at 0"}
    assert made["metadata"]["labels"] == {"spillway.dev/burst": "claim"}
    assert fired(router, "claim")["text"] == "ConfigMap claim-shop is there"
    assert fired(router, "claim", "calm")["text"] == "ConfigMap claim-shop was deleted"
    assert cluster.get("ConfigMap", "claim-shop", "west") is None
    assert fired(router, "claim", "calm")["text"] == "ConfigMap claim-shop was gone already"
    for event in ("saturated", "calm"):
        assert "it is left alone" in fired(router, "taken", event)["text"]
    theirs = cluster.get("ConfigMap", "theirs", "west")
    assert theirs is not None
    assert theirs["data"] == {"kept": "yes"}
    assert "serves no ClusterClaim" in fired(router, "unknown")["text"]
    assert "SW0711" in router.codes(), "a command is refused in a pod"
