"""`migrate`: its plans, its refusals, its output."""

import json
from typing import Any

import click
import pytest
import yaml

from router.kubernetes.objects import names
from sitectl.verbs.gateways import gateway
from tests.kubernetes.skupper import ROUTER_LABELS, entry
from tests.unit.sitectl.kubernetes.conftest import NamespaceLine
from tests.unit.sitectl.kubernetes.fakes import FakeCluster

TARGET = {"name": "shop", "selector": "app=shop", "targetPorts": {"80": 8080}}
CERT = {
    "inter-router-host": "10.9.0.1",
    "inter-router-port": "55671",
    "skupper.io/generated-by": "uid",
    "skupper.io/site-version": "1.9.6",
    "skupper.io/cost": "5",
}


@pytest.fixture
def beside(shop: NamespaceLine, cluster: FakeCluster) -> NamespaceLine:
    """A site of ours in a namespace that Skupper serves."""
    for name in (names.SKUPPER_ROUTER, names.SKUPPER_SERVICE_CONTROLLER):
        cluster.put("Deployment", name, status={"readyReplicas": 1})
    entries = {
        "shop": entry("shop", 80, targets=[TARGET]),
        "far": entry("far", 80, origin="another-site"),
        "sums": entry("sums", 80, targets=[TARGET], aggregate="json"),
    }
    cluster.put("ConfigMap", names.SERVICES_CONFIGMAP, data=entries)
    notes = {names.SKUPPER_ORIGINAL_SELECTOR: "app=shop"}
    ports = [{"port": 80, "targetPort": 1024}]
    spec = {"selector": ROUTER_LABELS, "ports": ports}
    cluster.put("Service", "shop", metadata={"annotations": notes}, spec=spec)
    cluster.calls.clear()
    return shop


def planned(beside: NamespaceLine, name: str) -> Any:
    (item,) = beside.json("migrate", "--plan", name)["services"]
    return item


def test_a_plan_names_targets_steps_and_what_others_do(beside: NamespaceLine) -> None:
    item = planned(beside, "shop")
    assert item["targets"] == [{"workload": "pods/app=shop", "ports": [8080]}]
    assert (item["served_by"], item["state"], item["origin"]) == (
        "skupper",
        "at skupper",
        "skupper",
    )
    assert item["steps"] == [
        "note what Skupper has",
        "write documents: ConfigMap spillway-service-shop, spillway-connector-shop-pods-shop",
        "wait until its targets are ready at our router",
        "remove its entry from skupper-services",
        "wait until Skupper's controller gives Service shop back",
        "wait until Service shop leads to our router",
    ]
    assert item["gap"].startswith("some 300 ms")


def test_what_cannot_move_says_why(beside: NamespaceLine, cluster: FakeCluster) -> None:
    item = planned(beside, "sums")
    assert item["state"] == "stays" and "aggregate" in item["obstacles"][0]
    found = cluster.found("Service", "shop")
    found["spec"]["ports"].append({"port": 81, "targetPort": 81, "name": "more"})
    assert "SW0422" in planned(beside, "shop")["obstacles"][0]


def test_of_another_sites_service_only_the_clients_move(beside: NamespaceLine) -> None:
    item = planned(beside, "far")
    assert item["origin"] == "another-site" and item["targets"] == []
    assert "hold the address at Skupper, with no Service" in item["steps"]
    assert not any("documents" in step for step in item["steps"])


def test_objects_that_a_tool_keeps_stay(beside: NamespaceLine, cluster: FakeCluster) -> None:
    notes = {"skupper.io/proxy": "tcp", "skupper.io/port": "80", "argocd.argoproj.io/x": "y"}
    spec = {"selector": {"matchLabels": {"app": "db"}}, "template": {}}
    cluster.put("Deployment", "db", metadata={"annotations": notes}, spec=spec)
    (obstacle,) = planned(beside, "db")["obstacles"]
    assert "Argo CD" in obstacle and "Deployment/db" in obstacle


def test_links_and_gateways_come_with_what_to_type(
    beside: NamespaceLine, cluster: FakeCluster
) -> None:
    kind = {"skupper.io/type": "connection-token"}
    cluster.put("Secret", "north", metadata={"labels": kind, "annotations": CERT}, data={})
    bridge = ["tcpConnector", {"address": "db:5432", "host": "10.0.0.3", "port": "5433"}]
    more = ["tcpConnector", {"address": "db:5433", "host": "10.0.0.3", "port": "5433"}]
    rpc = {"address": "rpc:50051", "host": "10.0.0.3", "port": "1", "protocolVersion": "HTTP2"}
    forward = ["httpListener", {"address": "shop:80", "port": "8080"}]
    local = ["tcpListener", {"address": "cache:6379", "port": "6379", "host": "127.0.0.1"}]
    entities = [["router", {"id": "x"}], bridge, forward, more, ["httpConnector", rpc], local]
    config = json.dumps(entities)
    labels = {"skupper.io/type": "gateway-definition"}
    cluster.put(
        "ConfigMap",
        "skupper-gateway-host1",
        metadata={"labels": labels},
        data={"skrouterd.json": config},
    )
    plan = beside.json("migrate", "--plan")
    assert plan["links"] == [
        {
            "name": "north",
            "neighbour": "10.9.0.1",
            "cost": 5,
            "disabled": False,
            "done": False,
            "there": "sitectl token create north-spillway.yaml --token-type cert",
            "here": "sitectl link create north-spillway.yaml --name north-spillway --cost 5",
            "notes": [],
        }
    ]
    assert plan["gateways"][0]["commands"] == [
        "sitectl -n shop gateway init --name host1 --type service",
        "sitectl gateway bind db 10.0.0.3 5432:5433 5433 --name host1 --protocol tcp",
        "sitectl gateway forward shop 80:8080 --name host1",
        "sitectl gateway bind rpc 10.0.0.3 50051:1 --name host1 --protocol http2",
        "sitectl gateway forward cache 6379 --name host1 --loopback",
    ]
    for command in plan["gateways"][0]["commands"]:  # Exactly what the verbs take.
        words = command.partition(" gateway ")[2].split()
        name, verb, rest = gateway.group.resolve_command(click.Context(gateway.group), words)
        assert verb is not None
        told = verb.make_context(name, rest).params
        assert name == "init" or told["service"] in ("db", "shop", "rpc", "cache")
    text = beside.ok("migrate", "--plan").stdout
    assert "Skupper's tokens are of no use here" in text and "sitectl -n shop gateway init" in text
    marks = {"spillway.dev/endpoints": "10.9.0.1:55671", "skupper.io/generated-by": "x"}
    cluster.put("Secret", "new", metadata={"labels": kind, "annotations": marks}, data={})
    assert beside.json("migrate", "--plan")["links"][0]["done"]


@pytest.mark.parametrize(
    ("written", "cost", "note"),
    [
        ("99999", 65_535, "cost 99999 is above 65535, the highest cost; 65535 is used"),
        ("9" * 5_000, 1, "expected a whole number"),
        ("x", 1, "skupper.io/cost: expected a whole number"),
    ],
)
def test_a_links_cost_that_no_link_of_ours_can_have_is_replaced_and_noted(
    beside: NamespaceLine, cluster: FakeCluster, written: str, cost: int, note: str
) -> None:
    marks = {"labels": {"skupper.io/type": "connection-token"}}
    notes = {"annotations": {**CERT, "skupper.io/cost": written}}
    cluster.put("Secret", "north", metadata=marks | notes, data={})
    (link,) = beside.json("migrate", "--plan")["links"]
    assert link["cost"] == cost and link["here"].endswith(f" --cost {cost}")
    assert note in link["notes"][0]
    assert f"note: {link['notes'][0]}" in beside.ok("migrate", "--plan").stdout


def test_a_dry_run_prints_the_documents_and_writes_nothing(
    beside: NamespaceLine, cluster: FakeCluster
) -> None:
    result = beside.ok("migrate", "--apply", "shop", "--dry-run", "-o", "yaml")
    printed = {one["metadata"]["name"] for one in yaml.safe_load_all(result.stdout)}
    assert printed == {"spillway-service-shop", "spillway-connector-shop-pods-shop"}
    assert "shop: remove its entry" in result.stderr
    assert all(method == "GET" for method, _ in cluster.calls)


def test_without_a_router_that_answers_nothing_is_taken_from_skupper(
    beside: NamespaceLine, cluster: FakeCluster
) -> None:
    assert "no router is ready" in beside.fails(8, "migrate", "--apply", "shop")
    entries = cluster.found("ConfigMap", names.SERVICES_CONFIGMAP)["data"]
    assert set(entries) == {"shop", "far", "sums"}
    assert planned(beside, "shop")["state"] == "under way"


def test_where_skupper_is_gone_there_is_no_way_back(
    beside: NamespaceLine, cluster: FakeCluster
) -> None:
    del cluster.objects["Deployment", names.SKUPPER_ROUTER]
    assert "does not run" in beside.fails(5, "migrate", "--rollback", "shop")


def test_a_namespace_without_skupper_has_nothing_to_move(shop: NamespaceLine) -> None:
    assert "no services" in shop.ok("migrate", "--plan").stdout
    assert shop.json("migrate", "--apply") == []
    assert "no service 'x'" in shop.fails(4, "migrate", "--apply", "x")


def test_of_the_three_one_must_be_chosen(shop: NamespaceLine) -> None:
    assert "--plan, --apply or --rollback" in shop.fails(2, "migrate")
    assert "--declare-only" in shop.fails(2, "migrate", "--plan", "--declare-only")


# Skupper v2 -------------------------------------------------------------------------------------


@pytest.fixture
def beside_v2(shop: NamespaceLine, cluster: FakeCluster) -> NamespaceLine:
    """A site of ours in a namespace that Skupper v2 serves."""
    owner = {"ownerReferences": [{"kind": "Site", "name": "shop", "uid": "1"}]}
    cluster.put("Deployment", names.SKUPPER_ROUTER, metadata=owner, status={"readyReplicas": 1})
    cluster.put("Site", "shop", spec={})
    spec = {"routingKey": "shop.v2/db", "host": "store", "port": 5432}
    cluster.put("Listener", "db", spec=spec)
    spec = {"routingKey": "shop.v2/db", "host": "10.0.0.7", "port": 5433}
    cluster.put("Connector", "db", spec=spec)
    cluster.put("AttachedConnector", "far", spec={"siteNamespace": "shop", "port": 1})
    endpoints = [{"name": "inter-router", "host": "10.9.0.1", "port": "55671"}]
    cluster.put("Link", "north", spec={"endpoints": endpoints, "cost": 5})
    marks = {
        "labels": {names.SKUPPER_LISTENER: "db"},
        "annotations": {names.SKUPPER_CONTROLLED: "true"},
    }
    ports = [{"name": "db", "port": 5432, "targetPort": 1024}]
    cluster.put(
        "Service", "store", metadata=marks, spec={"selector": ROUTER_LABELS, "ports": ports}
    )
    cluster.calls.clear()
    return shop


def test_a_plan_of_v2_names_every_object_and_what_it_becomes(beside_v2: NamespaceLine) -> None:
    plan = beside_v2.json("migrate", "--plan")
    assert plan["release"] == "v2" and "stands still" in plan["notes"][0]
    (item,) = plan["services"]
    assert (item["name"], item["ports"], item["served_by"]) == ("store", [5432], "skupper")
    assert item["targets"] == [{"workload": "10.0.0.7", "ports": [5433]}]
    assert [one["object"] for one in item["becomes"]] == ["Listener/db", "Connector/db"]
    assert "routing key shop.v2/db" in item["becomes"][0]["here"]
    assert item["steps"][-3:] == [
        "keep Skupper's controller away: ConfigMap skupper names spillway-migration",
        "hand Service store to our router",
        "wait until Service store leads to our router",
    ]
    assert item["gap"].startswith("none")
    (stays,) = plan["staying"]
    assert stays["object"] == "AttachedConnector/far"
    assert "No matching AttachedConnectorBinding in site namespace" in stays["reason"]
    (link,) = plan["links"]
    assert (link["name"], link["neighbour"], link["cost"]) == ("north", "10.9.0.1", 5)
    text = beside_v2.ok("migrate", "--plan").stdout
    assert "Objects that no service of ours replaces:" in text and "stands still" in text


def test_a_pair_of_attached_objects_moves_with_its_key_and_one_elsewhere_says_what_to_do(
    beside_v2: NamespaceLine, cluster: FakeCluster
) -> None:
    pair = {"siteNamespace": "shop", "selector": "app=db", "port": 1}
    cluster.put("AttachedConnector", "near", spec=pair)
    near = {"connectorNamespace": "shop", "routingKey": "shop.v2/db"}
    cluster.put("AttachedConnectorBinding", "near", spec=near)
    there = {"connectorNamespace": "work", "routingKey": "shop.v2/db"}
    cluster.put("AttachedConnectorBinding", "there", spec=there)
    plan = beside_v2.json("migrate", "--plan")
    (item,) = plan["services"]
    assert "AttachedConnector/near" in [one["object"] for one in item["becomes"]]
    assert {"workload": "pods/app=db", "ports": [1]} in item["targets"]
    staying = {one["object"]: one["reason"] for one in plan["staying"]}
    assert "its pods are in namespace work" in staying["AttachedConnectorBinding/there"]
    assert "sitectl apply -f FILE" in staying["AttachedConnectorBinding/there"]
    assert "AttachedConnectorBinding/near" not in staying


def test_of_v2_nothing_but_reads_makes_a_plan_or_a_dry_run(
    beside_v2: NamespaceLine, cluster: FakeCluster
) -> None:
    beside_v2.ok("migrate", "--plan")
    assert {method for method, _ in cluster.calls} == {"GET"}


def test_without_the_right_to_read_v2s_kinds_the_rule_is_named(
    beside_v2: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.refused.add(("list", "listeners"))
    told = beside_v2.fails(7, "migrate", "--plan")
    assert "listeners" in told and "skupper.io" in told


def test_there_is_no_way_back_to_a_skupper_v2_that_is_gone(
    beside_v2: NamespaceLine, cluster: FakeCluster
) -> None:
    del cluster.objects["Deployment", names.SKUPPER_ROUTER]
    told = beside_v2.fails(5, "migrate", "--rollback")
    assert "nothing to go" in told and "skupper init" not in told
