"""Verbs that write documents: the objects that they make, and those of others that they leave."""

import json

import pytest
import yaml

from router.kubernetes.codecs.owners import owners_map
from router.model.ids import SiteId
from router.model.rights.owners import Owner
from tests.unit.sitectl.kubernetes.conftest import NamespaceLine
from tests.unit.sitectl.kubernetes.fakes import FakeCluster

PORTS = [{"containerPort": 8080, "name": "http"}]


def workload(cluster: FakeCluster, name: str = "shop", **notes: str) -> None:
    """A Deployment with one port."""
    pods = {"spec": {"containers": [{"name": "app", "ports": PORTS}]}}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": pods}
    cluster.put("Deployment", name, metadata={"annotations": notes}, spec=spec)


def documents(cluster: FakeCluster, name: str) -> list[object]:
    """What a ConfigMap of documents holds."""
    (text,) = cluster.found("ConfigMap", name)["data"].values()
    return list(yaml.safe_load_all(text))


def test_a_service_is_a_config_map_with_one_key(shop: NamespaceLine, cluster: FakeCluster) -> None:
    assert shop.json("service", "create", "shop", "8080", "--protocol", "http") == {
        "kind": "Service",
        "name": "shop",
        "change": "created",
    }
    found = cluster.found("ConfigMap", "spillway-service-shop")
    assert found["metadata"]["labels"]["spillway.dev/documents"] == "true"
    assert list(found["data"]) == ["service-shop.yaml"]
    assert documents(cluster, "spillway-service-shop") == [
        {
            "apiVersion": "spillway/v1",
            "kind": "Service",
            "name": "shop",
            "spec": {"protocol": "http", "ports": [8080]},
        }
    ]
    assert (
        shop.json("service", "create", "shop:8080", "--protocol", "http")["change"] == "unchanged"
    )


def test_a_declaration_asks_who_owns_the_name_by_one_call_and_the_router_if_another_may(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.run_router()
    here, east = "a" * 32, SiteId("e" * 32)
    owners = {"db": Owner((east,), "c0ffee"), "till": Owner((east, SiteId(here)), "c0ffee")}
    made = owners_map(here, owners)
    cluster.put("ConfigMap", "spillway-owners", metadata=made["metadata"], data=made["data"])
    for name in ("shop", "till"):
        cluster.calls.clear()
        shop.ok("service", "create", name, "8080")
        asked = [path for verb, path in cluster.calls if "spillway-owners" in path]
        assert len(asked) == 1 and cluster.execs == 0
        assert not [path for _, path in cluster.calls if "/pods" in path]
    view = {"name": "db", "declared_by": "shop", "owners": ["east"], "differing": ["east"]}
    cluster.item("/api/v1/names/db", view)
    refused = shop.fails(5, "service", "create", "db", "5432")
    assert (
        "service db is declared at shop, and counts only there and at its edges: east owns the "
        "name, so other sites use the declaration of east"
    ) in " ".join(refused.split())
    assert cluster.execs == 1
    assert "east owns the name" in shop.fails(5, "service", "set", "db", "--queue", "7")


def test_set_listen_asks_for_a_kubernetes_service_whose_port_is_the_service_s(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.run_router()
    for listen, where in (
        ("8085", "as Service far"),
        ("auto", "as Service far"),
        ("none", "nowhere"),
    ):
        said = shop.ok("service", "set", "far", "--listen", listen).stdout
        assert f"listens for it {where}, once a declaration of it counts here" in said


def test_set_listen_says_what_it_needs_where_no_service_is_made(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    found = cluster.found("ConfigMap", "skupper-site")
    data = {**found["data"], "service-controller": "false"}
    cluster.put("ConfigMap", "skupper-site", metadata=found["metadata"], data=data)
    needs = ', once service-controller is "true" in ConfigMap/skupper-site'
    assert needs in shop.ok("service", "set", "far", "--listen", "auto").stdout
    assert needs not in shop.ok("service", "set", "far", "--listen", "none").stdout


def test_set_replaces_the_object_that_was_read(shop: NamespaceLine, cluster: FakeCluster) -> None:
    shop.ok("service", "create", "shop", "8080")
    shop.ok("service", "set", "shop", "--queue", "7")
    assert (
        "queue: 7"
        in cluster.found("ConfigMap", "spillway-service-shop")["data"]["service-shop.yaml"]
    )
    cluster.conflicts = 1
    assert "try again" in shop.fails(5, "service", "set", "shop", "--queue", "8")


def test_a_deployment_is_bound_and_its_key_is_service_type_name_and_ports(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    workload(cluster)
    shop.ok("service", "create", "shop", "8080")
    bind = ("service", "bind", "shop", "deployment", "shop", "--target-port", "http")
    assert shop.json(*bind, "--capacity", "10")["change"] == "created"
    assert documents(cluster, "spillway-connector-shop-deployment-shop-http") == [
        {
            "apiVersion": "spillway/v1",
            "kind": "Connector",
            "name": "shop-deployment-shop-http",
            "spec": {
                "service": "shop",
                "workload": "deployment/shop",
                "targetPorts": ["http"],
                "capacity": 10,
            },
        }
    ]
    assert shop.json(*bind, "--capacity", "10")["change"] == "unchanged"
    assert shop.json(*bind, "--capacity", "12")["change"] == "updated"
    shop.ok("service", "unbind", "shop", "deployment/shop")
    assert "spillway-connector-shop-deployment-shop-http" not in cluster.names("ConfigMap")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("deployment", "shopp"), "Did you mean deployment/shop?"),
        (("deploymnt", "shop"), "did you mean 'deployment'"),
        (("pods", "app in"), "not a label selector"),
        (("deployment", "shop", "--headless"), "no lasting names"),
        (("deployment", "shop", "--target-namespace", "other"), "service/shop.other"),
        (("host", "not a host"), "not a host name"),
        (("deployment", "shop", "--target-port", "99999"), "not a port"),
    ],
)
def test_a_target_that_cannot_be_is_named_with_the_next_step(
    shop: NamespaceLine, cluster: FakeCluster, words: tuple[str, ...], says: str
) -> None:
    workload(cluster)
    shop.ok("service", "create", "shop", "8080")
    result = shop("service", "bind", "shop", *words)
    assert result.exit_code in (2, 4, 7)
    assert says.lower() in result.stderr.lower()
    assert not any("connector" in name for name in cluster.names("ConfigMap"))


def test_a_service_of_another_namespace_is_a_target(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    shop.ok("service", "create", "db", "5432")
    shop.ok("service", "bind", "db", "service", "postgres", "--target-namespace", "data")
    (document,) = documents(
        cluster, next(n for n in cluster.names("ConfigMap") if "connector" in n)
    )
    assert isinstance(document, dict)
    assert document["spec"]["workload"] == "service/postgres.data"


def test_expose_takes_ports_from_the_workload(shop: NamespaceLine, cluster: FakeCluster) -> None:
    workload(cluster)
    shop.ok("expose", "deployment/shop", "--protocol", "http", "--capacity", "10")
    (service,) = documents(cluster, "spillway-service-shop")
    assert isinstance(service, dict)
    assert service["spec"] == {"protocol": "http", "ports": [8080]}
    assert shop.json("expose", "deployment", "shop")["change"] == "unchanged"
    shop.ok("unexpose", "deployment", "shop")
    assert cluster.names("ConfigMap") == {"skupper-site"}
    assert "nothing to do" in shop.ok("unexpose", "deployment/shop").stdout


def test_expose_of_a_workload_without_ports_asks_for_one(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.put("Deployment", "mute", spec={"template": {"spec": {"containers": [{"name": "a"}]}}})
    assert "declares no port" in shop.fails(2, "expose", "deployment/mute")
    shop.ok("expose", "deployment/mute", "--port", "80", "--target-port", "8080")


def test_headless_is_said_at_the_connectors_object(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    spec = {
        "serviceName": "db",
        "template": {"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 5432}]}]}},
    }
    cluster.put("StatefulSet", "db", spec=spec)
    shop.ok("expose", "statefulset", "db", "--headless", "--publish-not-ready-addresses")
    found = next(
        one
        for (kind, name), one in cluster.objects.items()
        if kind == "ConfigMap" and "connector" in name
    )
    assert found["metadata"]["annotations"] == {"skupper.io/headless": "true"}
    assert "notReady: true" in next(iter(found["data"].values()))


def test_expose_again_of_a_stateful_set_reads_no_ports_of_the_service_that_a_router_made(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    spec = {
        "serviceName": "db",
        "template": {"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 5432}]}]}},
    }
    cluster.put("StatefulSet", "db", spec=spec)
    shop.ok("expose", "statefulset", "db")
    made = {"selector": {"spillway.dev/component": "router"}}
    ports = [{"port": 5432, "targetPort": 1024}]
    marks = {"labels": {"spillway.dev/service": "db"}}
    cluster.put("Service", "db", metadata=marks, spec={**made, "ports": ports})
    assert shop.json("expose", "statefulset", "db")["change"] == "unchanged"


def test_annotated_objects_are_the_users(shop: NamespaceLine, cluster: FakeCluster) -> None:
    workload(cluster, **{"skupper.io/proxy": "http", "skupper.io/address": "shop"})
    assert "Deployment/shop" in shop.ok("get", "service", "shop").stdout
    said = shop.fails(5, "service", "set", "shop", "--queue", "7")
    assert "Deployment/shop" in said
    assert "kubectl -n shop edit deployment/shop" in said
    assert "+  queue: 7" in said
    assert shop.fails(5, "service", "delete", "shop")


def test_documents_of_the_user_are_named_with_object_key_line_and_diff(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    text = "apiVersion: spillway/v1\nkind: Service\nname: db\nspec: {ports: [5432]}\n"
    marks = {"labels": {"spillway.dev/documents": "true"}}
    cluster.put("ConfigMap", "mine", metadata=marks, data={"all.yaml": text})
    said = shop.fails(5, "service", "set", "db", "--queue", "7")
    assert "ConfigMap/mine, key all.yaml, line 1" in said
    assert "+  queue: 7" in said


def test_what_a_gitops_tool_keeps_is_changed_in_git(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    shop.ok("service", "create", "shop", "8080")
    found = cluster.found("ConfigMap", "spillway-service-shop")
    found["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "shop:/ConfigMap:x"}
    said = shop.fails(5, "service", "set", "shop", "--queue", "7")
    assert "kept by Argo CD" in said
    assert "in Git" in said


def test_a_config_map_of_somebody_else_is_not_overwritten(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.put("ConfigMap", "spillway-service-shop", data={"a": "b"})
    assert "is not of this site" in shop.fails(5, "service", "create", "shop", "8080")
    assert cluster.found("ConfigMap", "spillway-service-shop")["data"] == {"a": "b"}


def test_labels_of_the_service_that_is_made(shop: NamespaceLine, cluster: FakeCluster) -> None:
    shop.ok("service", "create", "shop", "8080")
    shop.ok("service", "label", "shop", "tier=web", "a=b")
    notes = cluster.found("ConfigMap", "spillway-service-shop")["metadata"]["annotations"]
    assert notes == {"skupper.io/service-labels": "a=b,tier=web"}
    assert shop.json("service", "label", "shop") == {
        "name": "shop",
        "labels": {"a": "b", "tier": "web"},
    }
    assert shop.json("service", "label", "shop", "a=b")["change"] == "unchanged"
    shop.ok("service", "label", "shop", "tier-", "a-")
    assert cluster.found("ConfigMap", "spillway-service-shop")["metadata"]["annotations"] == {}
    assert shop.fails(2, "service", "label", "shop", "no label")
    assert shop.fails(4, "service", "label", "ghost", "a=b")


def test_a_dry_run_prints_objects_and_writes_none(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    workload(cluster)
    before = dict(cluster.objects)
    result = shop.ok("expose", "deployment/shop", "--dry-run")
    kinds = [(one["kind"], one["metadata"]["name"]) for one in yaml.safe_load_all(result.stdout)]
    assert kinds == [
        ("ConfigMap", "spillway-service-shop"),
        ("ConfigMap", "spillway-connector-shop-deployment-shop-8080"),
    ]
    assert "resourceVersion" not in result.stdout
    printed = json.loads(shop.ok("expose", "deployment/shop", "--dry-run", "-o", "json").stdout)
    assert printed["kind"] == "List"
    assert cluster.objects == before
    assert not any(method in ("POST", "PUT", "PATCH", "DELETE") for method, _ in cluster.calls)


def test_apply_takes_documents_and_objects_in_one_file(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    text = (
        "apiVersion: spillway/v1\nkind: Service\nname: db\nspec: {ports: [5432]}\n---\n"
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: ask\n"
        "  labels: {skupper.io/type: connection-token-request}\n"
    )
    assert "secret ask created" in shop.ok("apply", "-f", "-", stdin=text).stdout
    assert cluster.names("Secret") >= {"ask"}
    assert "spillway-service-db" in cluster.names("ConfigMap")
    assert "unchanged" in shop.ok("apply", "-f", "-", stdin=text).stdout


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n", "kubectl apply -f FILE"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\n", "-n b"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n", "without metadata.name"),
        ("apiVersion: spillway/v1\nkind: Service\nname: a\nspec: {prts: [1]}\n", "prts"),
        ("apiVersion: spillway/v1\nkind: Site\nname: a\n", "skupper-site"),
        ("a: [", "not YAML"),
        ("", "no documents"),
        (
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n"
            "  labels: {skupper.io/type: token-claim}\n",
            "is not whole",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: skupper-site}\n"
            "data: {routers: many}\n",
            "routers",
        ),
    ],
)
def test_apply_refuses_what_no_router_could_use(
    shop: NamespaceLine, cluster: FakeCluster, text: str, says: str
) -> None:
    before = dict(cluster.objects)
    result = shop("apply", "-f", "-", stdin=text)
    assert result.exit_code in (1, 2)
    assert says in result.stderr
    assert cluster.objects == before


def test_get_prints_documents_with_their_objects(shop: NamespaceLine) -> None:
    shop.ok("service", "create", "shop", "8080")
    table = shop.ok("get", "all").stdout
    assert "ConfigMap/skupper-site" in table
    assert "ConfigMap/spillway-service-shop" in table
    assert shop.json("get", "service", "shop")["spec"] == {"ports": [8080]}
