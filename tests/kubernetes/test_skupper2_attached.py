"""AttachedConnector and AttachedConnectorBinding of two namespaces, with real routers and RBAC."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from router.kubernetes.objects.names import ROUTER
from router.kubernetes.objects.remote_permissions import ROLE
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.faults import Fault
from tests.kubernetes.images import ROOT
from tests.kubernetes.routers import Router, soon
from tests.kubernetes.skupper2_kinds import put, status
from tests.kubernetes.test_reach import READY, Serve, asked, serve
from tests.kubernetes.test_skupper2_objects import KEY, cluster
from tests.kubernetes.test_skupper2_statuses import SOON, Begin, begin, conditions

__all__ = ["begin", "cluster", "serve"]

PAGE = ROOT / "docs/kubernetes-skupper-v2.md"
THERE = "workloads"


def permissions() -> list[dict[str, Any]]:
    """The Role and RoleBinding of the other namespace, as the page has them for site ``shop``."""
    text = PAGE.read_text().partition("## Pods of another namespace")[2]
    block = text.partition("```yaml\n")[2].partition("```")[0]
    return list(yaml.safe_load_all(block.replace("namespace: shop", "namespace: west")))


def grant(cluster: Cluster, *, without: str = "") -> None:
    """What an administrator of the other namespace applies; ``without`` one of the resources."""
    for found in permissions():
        if without and found["kind"] == "Role":
            found["rules"] = [r for r in found["rules"] if without not in r["resources"]]
        cluster.create_object(found, THERE)


def pod(cluster: Cluster, place: tuple[str, int], name: str = "backend-0") -> None:
    """A ready pod of ``app=backend`` in the other namespace."""
    address, port = place
    container = {"name": "main", "image": "shop", "ports": [{"containerPort": port}]}
    marked = {"labels": {"app": "backend"}}
    cluster.create("Pod", name, THERE, metadata=marked, spec={"containers": [container]})
    told = READY | {"podIP": address, "podIPs": [{"ip": address}]}
    cluster.patch("Pod", name, {"status": told}, THERE, "status")


def attach(cluster: Cluster, port: int, site: str = "west") -> None:
    wanted = {"siteNamespace": site, "selector": "app=backend", "port": port}
    put(cluster, "AttachedConnector", "backend", THERE, **wanted)


def bind(cluster: Cluster, namespace: str = THERE) -> None:
    wanted = {"connectorNamespace": namespace, "routingKey": KEY}
    put(cluster, "AttachedConnectorBinding", "backend", "west", **wanted)


def message(cluster: Cluster, kind: str) -> str:
    """What the status of one of the two objects says."""
    namespace = THERE if kind == "AttachedConnector" else "west"
    return str(status(cluster, kind, "backend", namespace).get("message", ""))


def problems(router: Router) -> list[str]:
    return [f"{one['message']} {one['hint']}" for one in router.get("status")["problems"]]


@pytest.fixture
def west(cluster: Cluster, begin: Begin) -> Router:
    """The site, which listens for the key, and a namespace with nothing in it."""
    cluster.create("Namespace", THERE)
    router = begin("west", "A")
    put(cluster, "Listener", "front", "west", routingKey=KEY, host="storefront", port=80)
    return router


def test_pods_of_the_other_namespace_are_targets_while_both_objects_agree(
    cluster: Cluster, west: Router, serve: Serve
) -> None:
    place = serve("from workloads")
    grant(cluster)
    pod(cluster, place)
    bind(cluster)
    soon(
        lambda: message(cluster, "AttachedConnectorBinding").startswith(
            "No matching AttachedConnector"
        ),
        "one says nothing without the other",
        west,
    )
    attach(cluster, place[1])
    soon(lambda: asked(cluster, west, "storefront") == "from workloads", "it answers", west)
    soon(lambda: message(cluster, "AttachedConnector") == "OK", "its status is written", west)
    told = status(cluster, "AttachedConnector", "backend", THERE)
    assert told["selectedPods"] == [{"name": "backend-0", "ip": place[0]}]
    assert conditions(cluster, "AttachedConnector", "backend", THERE)["Configured"] == "True"
    soon(lambda: message(cluster, "AttachedConnectorBinding") == "OK", "and the binding's", west)
    told = status(cluster, "AttachedConnectorBinding", "backend", "west")
    assert told["hasMatchingListener"] is True
    assert not [one for one in problems(west) if "backend" in one]

    cluster.delete("Pod", "backend-0", THERE)
    soon(lambda: asked(cluster, west, "storefront") == "", "pods are followed", west)
    for kind in ("AttachedConnector", "AttachedConnectorBinding"):
        soon(
            lambda kind=kind: message(cluster, kind) == "No matches for selector",  # type: ignore[misc]
            f"{kind} says that there is none",
            west,
        )
    pod(cluster, place, "backend-1")
    soon(lambda: asked(cluster, west, "storefront") == "from workloads", "another comes", west)


@pytest.mark.parametrize("removed", ["AttachedConnector", "AttachedConnectorBinding"])
def test_removing_either_object_withdraws_the_targets(
    cluster: Cluster, west: Router, serve: Serve, removed: str
) -> None:
    place = serve("from workloads")
    grant(cluster)
    pod(cluster, place)
    attach(cluster, place[1])
    bind(cluster)
    soon(lambda: asked(cluster, west, "storefront") == "from workloads", "it answers", west)
    cluster.delete(removed, "backend", THERE if removed == "AttachedConnector" else "west")
    soon(lambda: asked(cluster, west, "storefront") == "", "it is withdrawn", west)
    if removed == "AttachedConnector":
        attach(cluster, place[1])
    else:
        bind(cluster)
    soon(lambda: asked(cluster, west, "storefront") == "from workloads", "it is back", west)


def test_objects_that_name_other_namespaces_select_nothing(
    cluster: Cluster, west: Router, serve: Serve
) -> None:
    place = serve("from workloads")
    grant(cluster)
    pod(cluster, place)
    attach(cluster, place[1], site="elsewhere")
    bind(cluster)
    soon(
        lambda: "and this names elsewhere" in message(cluster, "AttachedConnectorBinding"),
        "the binding says why",
        west,
    )
    assert asked(cluster, west, "storefront") == ""
    assert message(cluster, "AttachedConnector") == "", "its status is another site's"
    changed = {"spec": {"siteNamespace": "west"}}
    cluster.patch("AttachedConnector", "backend", changed, THERE)
    soon(lambda: asked(cluster, west, "storefront") == "from workloads", "they agree", west)


@pytest.mark.parametrize(
    ("missing", "group"),
    [("attachedconnectors", "skupper.io"), ("pods", "")],
    ids=["objects", "pods"],
)
def test_a_missing_permission_is_a_problem_that_names_the_rule(
    cluster: Cluster, begin: Begin, serve: Serve, missing: str, group: str
) -> None:
    cluster.create("Namespace", THERE)
    place = serve("from workloads")
    pod(cluster, place)
    west = begin("west", "A")
    put(cluster, "Listener", "front", "west", routingKey=KEY, host="storefront", port=80)
    grant(cluster, without=missing)
    attach(cluster, place[1])
    bind(cluster)
    rule = f'{{apiGroups: ["{group}"], resources: ["{missing}"], verbs: ["get", "list", "watch"]}}'

    def told() -> list[str]:
        return [one for one in problems(west) if rule in one and f"Role {ROLE}" in one]

    soon(told, "the problem names the rule", west)
    assert f"In namespace {THERE}" in told()[0] and "west/spillway-router" in told()[0]
    assert asked(cluster, west, "storefront") == ""
    soon(lambda: rule in message(cluster, "AttachedConnectorBinding"), "so does its status", west)
    (role, _) = permissions()
    cluster.patch("Role", ROLE, {"rules": role["rules"]}, THERE)
    soon(lambda: asked(cluster, west, "storefront") == "from workloads", "it is granted", west)
    soon(lambda: not told(), "the problem goes", west)


@pytest.mark.parametrize("revoked", ["pods", "attachedconnectors"])
def test_a_permission_that_is_taken_back_withdraws_the_targets_and_is_a_problem(
    cluster: Cluster, west: Router, serve: Serve, revoked: str
) -> None:
    place = serve("from workloads")
    grant(cluster)
    pod(cluster, place)
    attach(cluster, place[1])
    bind(cluster)
    soon(lambda: asked(cluster, west, "storefront") == "from workloads", "it answers", west)
    (role, _) = permissions()
    rules = [rule for rule in role["rules"] if revoked not in rule["resources"]]
    cluster.patch("Role", ROLE, {"rules": rules}, THERE)
    soon(lambda: asked(cluster, west, "storefront") == "", "it is withdrawn", west)
    rule = f'resources: ["{revoked}"]'
    soon(lambda: [one for one in problems(west) if rule in one], "status says why", west)
    soon(lambda: rule in message(cluster, "AttachedConnectorBinding"), "so does its status", west)
    cluster.patch("Role", ROLE, {"rules": role["rules"]}, THERE)
    soon(lambda: asked(cluster, west, "storefront") == "from workloads", "it is back", west)


def test_a_router_that_starts_waits_for_its_targets_in_another_namespace(
    cluster: Cluster, west: Router, serve: Serve, tmp_path: Path
) -> None:
    place = serve("from workloads")
    grant(cluster)
    pod(cluster, place)
    attach(cluster, place[1])
    bind(cluster)
    soon(lambda: asked(cluster, west, "storefront") == "from workloads", "it answers", west)
    west.kill()
    for kind in ("AttachedConnector", "Pod"):  # The one says that the other is wanted.
        cluster.faults.add(Fault(verb="list", kind=kind, namespace=THERE, delay_s=0.8))
    user = cluster.service_account("west", ROUTER)
    patient = {**SOON, "OTHER_NAMESPACES_READY_S": 60.0}  # However slow this machine is.
    restarted = Router(cluster, "west", tmp_path / "restarted", user, bounds=patient)
    try:
        restarted.serves()
        assert asked(cluster, restarted, "storefront") == "from workloads", "at the first request"
    finally:
        restarted.stop()
