"""A hostile neighbor, and hostile objects: our objects stay, and the API is spared."""

import copy
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from router.kubernetes.manifests.rights import router_rights
from router.kubernetes.objects import names
from router.kubernetes.objects.names import ROUTER
from router.kubernetes.services import adoption
from router.model import limits
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.routers import LINK_PORT, Router, certificate, kubectl, manifest, soon

Start = Callable[[str], Router]
FLAPPED_S = 4.0


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", without=("kubelet", "deployment", "replicaset")) as made:
        yield made


@pytest.fixture
def start(cluster: Cluster, tmp_path: Path) -> Iterator[Start]:
    """A site in a separate namespace, with the rights of a router."""
    routers: list[Router] = []

    def begin(namespace: str) -> Router:
        cluster.create("Namespace", namespace)
        data = {"name": namespace, "ingress": "none"}
        cluster.create("ConfigMap", names.SITE_CONFIGMAP, namespace, data=data)
        cluster.create("ServiceAccount", ROUTER, namespace)
        rules = [right.rule() for right in router_rights("none", openshift=False)]
        cluster.create("Role", ROUTER, namespace, rules=rules)
        cluster.create(
            "RoleBinding",
            ROUTER,
            namespace,
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ROUTER},
            subjects=[{"kind": "ServiceAccount", "name": ROUTER, "namespace": namespace}],
        )
        user = cluster.service_account(namespace, ROUTER)
        routers.append(Router(cluster, namespace, tmp_path / namespace, user))
        return routers[-1].serves()

    yield begin
    for router in routers:
        router.stop()


def declared(cluster: Cluster, namespace: str, *services: str) -> None:
    """``services`` and no others, each at port 80."""
    documents = [
        {"apiVersion": "spillway/v1", "kind": "Service", "name": name, "spec": {"ports": [80]}}
        for name in services
    ]
    data = {"all.yaml": yaml.safe_dump_all(documents)}
    if cluster.get("ConfigMap", "own", namespace) is not None:
        cluster.patch("ConfigMap", "own", {"data": data}, namespace)
        return
    labels = {names.DOCUMENTS_LABEL: names.DOCUMENTS}
    cluster.create("ConfigMap", "own", namespace, metadata={"labels": labels}, data=data)


def service(cluster: Cluster, name: str) -> dict[str, Any] | None:
    return cluster.get("Service", name, "west")


def test_another_site_takes_no_service_and_no_name_and_does_not_flood_the_api(
    cluster: Cluster, start: Start
) -> None:
    west, evil = start("west"), start("evil")
    spec = {"selector": {"app": "db"}, "ports": [{"port": 80, "targetPort": 8080}]}
    users = copy.deepcopy(cluster.create("Service", "db", "west", spec=spec))
    reserved = ("kubernetes", "spillway-router", "skupper-router", "0-begins-with-a-digit")
    many = [f"s-{number}" for number in range(60)]
    declared(cluster, "evil", "db", "redis", *reserved, *many)
    token = certificate(cluster, "evil", ((evil.address, LINK_PORT),))
    kubectl(cluster, "west", "create", "-f", "-", given=manifest(token, "link1"))
    soon(lambda: service(cluster, "s-59"), "the last address has a Service", west, evil)
    soon(lambda: service(cluster, "redis"), "redis has a Service", west, evil)
    assert service(cluster, "db") == users
    assert {"SW0420", "SW0426"} <= west.codes()
    assert not any(service(cluster, name) for name in reserved)

    # The user applies a Service of a name that the other site has taken first.
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "redis"},
        "spec": {"selector": {"app": "redis"}, "ports": [{"name": "r", "port": 6379}]},
    }
    kubectl(cluster, "west", "apply", "-f", "-", given=yaml.safe_dump(theirs))

    def is_users() -> bool:
        found = service(cluster, "redis")
        return found is not None and adoption.selector(found) == {"app": "redis"}

    soon(is_users, "the Service that was applied is the user's", west)
    found = service(cluster, "redis")
    assert found is not None and [port["port"] for port in found["spec"]["ports"]] == [6379]

    # It declares and withdraws all the time.
    user = cluster.service_account("west", ROUTER).name
    mark = len(cluster.faults.seen)
    until = time.monotonic() + FLAPPED_S
    while time.monotonic() < until:
        declared(cluster, "evil", "db", "redis", *many)
        declared(cluster, "evil", "db", "redis", *many, "flaps")
        time.sleep(0.05)
    writes = cluster.faults.count(verb="write", kind="Service", user=user, since=mark)
    assert writes <= limits.SERVICE_CHANGES_BURST + 5
    assert is_users()
    assert service(cluster, "db") == users


def test_objects_of_tenants_that_mean_harm_hold_up_nobody_else(
    cluster: Cluster, start: Start
) -> None:
    west = start("west")
    deep, digits = "[" * 5_000, "9" * 5_000
    spec = {"selector": {"app": "x"}, "ports": [{"port": 80}]}
    for number, text in enumerate((f'{{"x":{deep}', f'{{"innerPorts":{{"{digits}":1024}}}}')):
        for key in (names.ORIGINAL, names.MADE):
            name = f"spoilt-{number}-{key.rpartition('/')[2]}"
            notes = {"annotations": {key: text, names.PROXY: "http"}}
            metadata = notes | {"labels": {names.SERVICE_LABEL: name}}
            cluster.create("Service", name, "west", metadata=metadata, spec=spec)
    long = {names.PROXY: "tcp", names.PORT: "80", names.SERVICE_LABELS: "- " * 60_000}
    template = {
        "metadata": {"labels": {"app": "x"}},
        "spec": {"containers": [{"name": "c", "image": "x"}]},
    }
    workload = {"selector": {"matchLabels": {"app": "x"}}, "template": template}
    cluster.create("Deployment", "long", "west", metadata={"annotations": long}, spec=workload)
    labels = {names.DOCUMENTS_LABEL: names.DOCUMENTS}
    keys = "\n".join(f"k{number}: 1" for number in range(30_000))
    for number in range(2):
        name = f"aa-{number}"
        data = {"all.yaml": keys}
        cluster.create("ConfigMap", name, "west", metadata={"labels": labels}, data=data)
    declared(cluster, "west", "shop")
    soon(lambda: service(cluster, "shop"), "a service beside them is made", west)
    assert cluster.faults.count(kind="Service", verb="write") < 20
