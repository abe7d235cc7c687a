"""Verbs that look: through the router where it can be asked, else at what objects tell."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from router.kubernetes.codecs.status import encode, stopped
from router.model import limits
from sitectl.base.failure import Failure
from sitectl.kubernetes.door import PodDoor
from tests.unit.sitectl.kubernetes.conftest import NamespaceLine
from tests.unit.sitectl.kubernetes.fakes import FakeCluster

STATUS = {
    "name": "shop",
    "id": "ab" * 16,
    "mode": "interior",
    "version": "1",
    "ready": True,
    "uptime_s": 5.0,
    "links": 0,
    "services": 1,
    "sites": 1,
    "problems": [],
    "console": {"url": "", "auth": "", "secret": ""},
}


def test_status_takes_two_requests_and_one_exec(shop: NamespaceLine, cluster: FakeCluster) -> None:
    cluster.run_router()
    cluster.item("/api/v1/status", STATUS)
    assert shop.json("status") == STATUS
    assert cluster.execs == 1
    assert len(cluster.calls) == 1  # The list of pods.


def test_check_asks_the_router_everything_at_once(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.run_router()
    cluster.item("/api/v1/status", STATUS)
    cluster.items("/api/v1/links")
    cluster.items("/api/v1/services")
    result = shop("check")
    assert result.exit_code == 0, result.output
    assert cluster.execs == 1
    assert "1 of 1 router pods are ready" in result.stdout
    assert "update --routers 2" in result.stdout


def test_why_and_network_and_events_go_through_the_pod(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.run_router()
    why = {"service": "shop", "port": 80, "policy": "fill", "decision": {}, "candidates": []}
    cluster.item("/api/v1/why/shop", why)
    assert shop.json("why", "shop") == why
    assert shop.fails(4, "why", "ghost")
    cluster.items("/api/v1/network", {"name": "shop", "id": "ab"})
    assert shop.json("network", "status")[0]["name"] == "shop"
    cluster.events = [
        {"at": "now", "severity": "info", "code": "C", "subject": "s", "message": "m"}
    ]
    assert json.loads(shop.ended(8, "events", "-f", "-o", "json").stdout)["code"] == "C"


def test_without_a_router_status_tells_what_was_written_last(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    result = shop("status")
    assert result.exit_code == 3
    assert "no router answers; this is what is configured" in result.stdout
    told = json.dumps(
        {"name": "shop", "id": "ab" * 16, "services": 4, "links": [{}], "version": "1"}
    )
    cluster.put(
        "ConfigMap",
        "spillway-status",
        metadata={"creationTimestamp": "2020-01-01T00:00:00Z"},
        data={"status.json": told},
    )
    result = shop("status", "-o", "json")
    item = json.loads(result.stdout)["item"]
    assert result.exit_code == 3
    assert (item["services"], item["links"], item["ready"]) == (4, 1, False)
    assert item["age_s"] > 1e8
    assert item["problems"][-1]["code"] == "SW0460"
    assert "nothing says whether one runs" in shop("status").stdout


@pytest.mark.parametrize(
    ("written_s_ago", "is_stopped", "shown"),
    [
        (60.0, False, r"no router answers; one runs or ended just now: this was so 1m\d+s ago"),
        (
            limits.STATUS_VALID_S + 60.0,
            False,
            r"no router answers; stale: this was so 6m\d+s ago, no router has written since",
        ),
        (
            limits.STATUS_VALID_S + 60.0,
            True,
            r"stopped in order 6m\d+s ago: no router is ready; this is what the last one wrote",
        ),
    ],
)
def test_without_a_router_status_says_whether_one_still_writes(
    shop: NamespaceLine,
    cluster: FakeCluster,
    written_s_ago: float,
    is_stopped: bool,
    shown: str,
) -> None:
    at = datetime.now(UTC) - timedelta(seconds=written_s_ago)
    told = {"name": "shop", "services": 4, "links": [{}], "version": "1"}
    data = stopped(told, at) if is_stopped else encode(told, at)
    cluster.put("ConfigMap", "spillway-status", data=data)
    assert re.search(shown, shop("status").stdout)
    item = json.loads(shop("status", "-o", "json").stdout)["item"]
    assert item["stopped"] == is_stopped
    assert item["stale"] == (None if is_stopped else written_s_ago > limits.STATUS_VALID_S)


def test_without_the_right_to_exec_the_rule_is_said(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.run_router()
    cluster.refused.add(("create", "pods/exec"))
    rule = 'resources: ["pods/exec"], verbs: ["create"]'
    assert rule in shop.fails(7, "why", "shop")
    result = shop("status")
    assert result.exit_code == 3
    assert rule in result.stdout
    assert "this is what is configured" in shop.fails(3, "service", "status")


def test_an_api_server_that_is_away_is_exit_8(shop: NamespaceLine, cluster: FakeCluster) -> None:
    cluster.is_down = True
    for words in (("status",), ("service", "create", "a", "1"), ("link", "status"), ("check",)):
        assert "cannot be reached" in shop.fails(8, *words)


def test_a_namespace_without_a_site_says_so(empty: NamespaceLine) -> None:
    assert "sitectl -n shop init" in empty.fails(4, "status")
    for words in (("link", "status"), ("service", "status")):
        assert "sitectl -n shop init" in empty.fails(4, *words)


def test_service_status_without_a_router_shows_workloads(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.put("Deployment", "shop", spec={})
    shop.ok("service", "create", "shop", "8080")
    shop.ok("service", "bind", "shop", "deployment", "shop", "--target-port", "8080")
    result = shop("service", "status", "-o", "json")
    assert result.exit_code == 3
    (item,) = json.loads(result.stdout)["items"]
    assert [target["host"] for target in item["targets"]] == ["deployment/shop"]


@pytest.mark.parametrize("rules", ["whole", "partly", "nothing"])
def test_check_pre_names_every_missing_right_as_a_rule(
    empty: NamespaceLine, cluster: FakeCluster, rules: str
) -> None:
    cluster.rules = rules
    assert empty("check", "--pre").exit_code == 0
    cluster.refused |= {("create", "roles"), ("patch", "roles"), ("create", "pods/exec")}
    cluster.calls.clear()
    result = empty("check", "--pre")
    assert result.exit_code == 1
    assert "you may not create, patch roles" in result.stdout
    assert (
        'apiGroups: ["rbac.authorization.k8s.io"], resources: ["roles"], verbs: ["create", "patch"]'
        in result.stdout
    )
    assert 'resources: ["pods/exec"]' in result.stdout
    one_by_one = sum(path.endswith("selfsubjectaccessreviews") for _, path in cluster.calls)
    assert (one_by_one == 0) == (rules == "whole")
    assert rules == "nothing" or one_by_one < 20


def test_check_names_what_is_missing_and_what_has_no_effect(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    del cluster.objects["Deployment", "spillway-router"]
    cluster.found("Role", "spillway-router")["rules"].pop(0)
    cluster.found("ConfigMap", "skupper-site")["data"] |= {"routers": "many", "rooters": "2"}
    result = shop("check", "-o", "json")
    assert result.exit_code == 1
    found = {(item["code"], item["level"]) for item in json.loads(result.stdout)["items"]}
    assert found >= {("SW0466", "error"), ("SW0467", "error"), ("SW0405", "error")}
    assert found >= {("SW0406", "warning"), ("SW0513", "error")}


def router_rights_that_check_misses(shop: NamespaceLine) -> list[tuple[str, str]]:
    """The sentences of SW0467, each with the rule that its next step names."""
    items = json.loads(shop("check", "-o", "json").stdout)["items"]
    return [
        (item["message"], item["hint"].partition("add this rule: ")[2])
        for item in items
        if item["code"] == "SW0467"
    ]


def test_check_asks_for_no_more_than_the_objects_that_a_right_of_the_router_names(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    role = cluster.found("Role", "spillway-router")
    role["rules"] = [rule for rule in role["rules"] if "resourceNames" not in rule]
    assert router_rights_that_check_misses(shop) == [
        (
            "Role/spillway-router does not let the router update, patch, delete configmaps "
            "spillway-status, spillway-owners",
            'apiGroups: [""], resources: ["configmaps"], '
            'resourceNames: ["spillway-status", "spillway-owners"], '
            'verbs: ["update", "patch", "delete"]',
        ),
        (
            "Role/spillway-router does not let the router get, update, patch leases "
            "spillway-router",
            'apiGroups: ["coordination.k8s.io"], resources: ["leases"], '
            'resourceNames: ["spillway-router"], verbs: ["get", "update", "patch"]',
        ),
    ]


def test_check_misses_a_right_of_the_router_that_its_role_limits_to_other_objects(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    for rule in cluster.found("Role", "spillway-router")["rules"]:
        if rule.get("resourceNames") == ["spillway-status", "spillway-owners"]:
            rule["resourceNames"] = ["spillway-status"]
        if rule["resources"] == ["events"]:
            rule["resourceNames"] = ["one"]
    assert [message for message, _ in router_rights_that_check_misses(shop)] == [
        "Role/spillway-router does not let the router update, patch, delete configmaps "
        "spillway-owners",
        "Role/spillway-router does not let the router create, patch events",
    ]


@pytest.mark.parametrize(
    "rule",
    [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"apiGroups": ["", "apps", "*"], "resources": ["*"], "verbs": ["get", "*"]},
    ],
)
def test_check_misses_no_right_that_a_role_grants_with_a_star(
    shop: NamespaceLine, cluster: FakeCluster, rule: dict[str, list[str]]
) -> None:
    cluster.found("Role", "spillway-router")["rules"] = [rule]
    assert router_rights_that_check_misses(shop) == []


def test_check_tells_of_skupper_beside(shop: NamespaceLine, cluster: FakeCluster) -> None:
    cluster.put("Deployment", "skupper-router")
    assert "SW0465" in shop("check", "--pre").stdout


def test_another_sites_name_is_refused(shop: NamespaceLine) -> None:
    assert "no site 'west' in namespace shop" in shop.fails(4, "--site", "west", "get", "all")
    shop.ok("--site", "shop", "get", "all")


def test_advice_names_the_namespace_that_was_given(shop: NamespaceLine) -> None:
    said = shop.fails(4, "-n", "shop", "service", "set", "ghost", "--queue", "1")
    assert "Next: sitectl -n shop service create ghost PORT" in said


def test_an_exec_that_breaks_off_is_repeated_if_it_only_asks(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.run_router()
    cluster.item("/api/v1/status", STATUS)
    cluster.broken_execs = 1
    assert shop.json("status") == STATUS
    cluster.broken_execs, cluster.execs = 5, 0
    assert shop("status").exit_code == 3
    assert cluster.execs == 2
    cluster.execs = 0
    with pytest.raises(Failure):
        PodDoor(cluster).command("reload")
    assert cluster.execs == 1
