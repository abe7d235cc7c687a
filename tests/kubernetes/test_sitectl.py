"""`sitectl` as a process against an API server, `kubectl` beside it, routers in pods."""

import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.commands import IMAGES, Commands
from tests.kubernetes.faults import Fault
from tests.scenario.started import Started
from tests.scenario.waiting import own_time

APP = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - {name: app, image: test/http-echo, ports: [{containerPort: 8080, name: http}],
           env: [{name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]}
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with two namespaces whose sites run."""
    with Cluster(tmp_path_factory.mktemp("cluster"), images=IMAGES) as made:
        for name in ("west", "east"):
            made.create("Namespace", name)
            commands(made, name).ok("init", "--ingress", "none")
        for name in ("west", "east"):
            commands(made, name).ok("init", "--ingress", "none", "--wait", "ready")
        yield made


def commands(cluster: Cluster, namespace: str) -> Commands:
    """Command lines of an administrator in a namespace."""
    return Commands(cluster, namespace, cluster.state / "home" / namespace)


def router_address(cluster: Cluster) -> str:
    """Of the pod of west's router."""
    pods = cluster.list("Pod", "west")
    routers = (pod for pod in pods if pod["metadata"]["name"].startswith("spillway"))
    return str(next(routers)["status"]["podIP"])


@pytest.fixture
def west(cluster: Cluster) -> Commands:
    """Command lines for the site of namespace ``west``."""
    return commands(cluster, "west")


def until(condition: Callable[[], object], timeout_s: float = 15.0) -> None:
    """Wait for ``condition``, asking often."""
    deadline = own_time() + timeout_s
    while not condition():
        assert own_time() < deadline, "not in time"
        time.sleep(0.1)


def test_delete_leaves_nothing_of_ours_and_everything_of_the_users(cluster: Cluster) -> None:
    cluster.create("Namespace", "gone")
    gone = commands(cluster, "gone")
    gone.kubectl("apply", "-f", "-", stdin=APP.replace("replicas: 2", "replicas: 0"))
    gone.kubectl("create", "service", "clusterip", "shop", "--tcp=80:8080")
    before = cluster.get("Service", "shop", "gone")
    gone.ok("init", "--ingress", "none", "--wait", "ready")
    gone.ok("expose", "deployment/shop", "--port", "80", "--protocol", "http")

    def adopted() -> bool:
        service = cluster.get("Service", "shop", "gone")
        return service is not None and "app" not in service["spec"]["selector"]

    until(adopted)
    gone.ok("delete", "--yes")
    after = cluster.get("Service", "shop", "gone")
    assert before is not None and after is not None
    assert after["spec"] == before["spec"]
    assert gone.objects("Service") == {"shop"}
    assert gone.objects("Deployment") == {"shop"}
    assert gone.objects("Secret") == gone.objects("Role") == set()
    of_the_cluster = {each for each in gone.objects("ConfigMap") if each.endswith("ca.crt")}
    assert gone.objects("ConfigMap") == of_the_cluster
    assert gone.json("delete")["change"] == "unchanged"


def test_a_site_that_is_deleted_and_made_again_at_once_is_another_one(
    cluster: Cluster, west: Commands
) -> None:
    cluster.create("Namespace", "again")
    again = commands(cluster, "again")
    again.ok("init", "--ingress", "none", "--wait", "ready")
    claim = str(again.state / "claim.yaml")
    west.ok("token", "create", claim, "--ingress-host", router_address(cluster))
    again.kubectl("apply", "-f", claim)  # The user's own Secret: `delete` leaves it there.
    until(lambda: [one["state"] for one in again.json("link", "status")] == ["up"])
    first = again.json("status")["id"]
    (old,) = again.objects("Pod")

    again.ok("delete", "--yes")
    again.ok("init", "--ingress", "none")
    until(lambda: "spillway-identity" in again.objects("Secret"))
    assert old in again.objects("Pod"), (
        "the first router still drains, with the second one's rights"
    )
    until(lambda: old not in again.objects("Pod"), 30.0)
    until(lambda: again("link", "status").returncode != 8)

    def ids() -> set[str]:
        return {one["id"] for one in west.json("network", "status")}

    until(lambda: first not in ids())  # It announced its end, so it is not missed.
    assert [one["neighbour"]["id"] for one in west.json("link", "status")].count(first) == 0
    assert "spillway-owners" not in again.objects("ConfigMap"), "the first router wrote it again"
    (link,) = json.loads(again("link", "status", "-o", "json").stdout)["items"]
    assert "certificate shown by" not in link["error"], "it is not the first site's credential"


def test_status_asks_the_router_in_its_pod(west: Commands) -> None:
    item = west.json("status")
    assert (item["name"], item["ready"], item["mode"]) == ("west", True, "interior")
    assert west.json("network", "status")[0]["id"] == item["id"]
    west.ok("events")


def test_kubectl_exec_runs_sitectl_in_the_pod_without_a_kubeconfig(west: Commands) -> None:
    (pod,) = west.objects("Pod") & {n for n in west.objects("Pod") if n.startswith("spillway")}
    told = west.kubectl("exec", pod, "-c", "router", "--", "sitectl", "status", "-o", "json")
    assert json.loads(told)["item"]["name"] == "west"


def test_check_finds_a_healthy_site(west: Commands) -> None:
    done = west("check")
    assert done.returncode == 0, done.stdout
    assert "1 of 1 router pods are ready" in done.stdout


WRONG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: wrong, labels: {spillway.dev/documents: "true"}}
data:
  a.yml: ""
  b.yaml: |
    apiVersion: spillway/v1
    kind: Service
    name: lost
    spec: {ports: [80]}
    ---
    apiVersion: spillway/v1
    kind: Connector
    name: lost
    spec: {service: lost, workload: deployment/nowhere}
"""


def test_check_tells_what_commands_and_what_only_the_router_finds_each_once(
    west: Commands,
) -> None:
    west.kubectl("apply", "-f", "-", stdin=WRONG)
    until(lambda: "there is no Deployment nowhere" in west("check").stdout)
    told = [line.split()[2:3] for line in west("check").stdout.splitlines()]
    assert told.count(["SW0433"]) == told.count(["SW0415"]) == 1
    west.kubectl("delete", "configmap", "wrong")
    until(lambda: "SW0433" not in west("check").stdout)


def test_expose_bind_and_why_see_the_pods(west: Commands) -> None:
    west.kubectl("apply", "-f", "-", stdin=APP)
    west.ok("expose", "deployment/shop", "--port", "80", "--target-port", "http",
            "--protocol", "http", "--capacity", "3")  # fmt: skip
    until(lambda: "shop" in west.objects("Service"))

    def ready() -> bool:
        items = json.loads(west("service", "status", "shop", "-o", "json").stdout)["items"]
        return bool(items[0]["sites"]) and items[0]["sites"][0]["targets_ready"] == 2

    until(ready)
    (item,) = json.loads(west("service", "status", "shop", "-o", "json").stdout)["items"]
    assert {target["name"] for target in item["targets"]} == {
        name for name in west.objects("Pod") if name.startswith("shop-")
    }
    assert all(target["host"] for target in item["targets"])
    why = west.json("why", "shop")
    assert why["decision"]["site"] == "west"
    assert why["candidates"][0]["capacity"] == 6
    tried = west("check", "--traffic", "shop")
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert "west answered" in tried.stdout
    assert "shop" in west.kubectl("get", "configmaps", "-l", "spillway.dev/documents=true")
    west.ok("service", "set", "shop", "--capacity", "5")
    until(lambda: west.json("why", "shop")["candidates"][0]["capacity"] == 10)
    west.ok("unexpose", "deployment/shop")
    until(lambda: "shop" not in west.objects("Service"))


def test_two_namespaces_link_by_a_token(cluster: Cluster, west: Commands, tmp_path: Path) -> None:
    east = commands(cluster, "east")
    address = router_address(cluster)
    west.ok("token", "create", str(tmp_path / "t.yaml"), "--ingress-host", address)
    assert "1" in west.ok("token", "status", str(tmp_path / "t.yaml"))
    east.ok("link", "create", str(tmp_path / "t.yaml"), "--name", "west", "--wait", "20")
    (link,) = east.json("link", "status")
    assert (link["name"], link["state"], link["cost"]) == ("west", "up", 1)
    east.ok("link", "set", "west", "--cost", "7")
    until(lambda: east.json("link", "status")[0]["cost"] == 7)
    incoming = west.json("link", "status")[0]
    west.ok("revoke-access", "--link", incoming["name"])
    until(lambda: east.json("link", "status")[0]["state"] != "up")
    east.ok("link", "delete", "west")
    assert "west" not in east.objects("Secret")


def test_events_are_followed_until_they_are_interrupted(west: Commands) -> None:
    words = ["events", "-f", "-o", "json"]
    with Started(words, west.state, west.environment) as following:
        lines: list[str] = []
        reading = threading.Thread(target=lambda: lines.append(following.stdout.readline()))
        reading.start()
        try:
            for _ in range(20):  # Something happens, until it is heard of.
                west.kubectl("apply", "-f", "-", stdin=WRONG)
                until(lambda: "SW0433" in west("check").stdout)
                west.kubectl("delete", "configmap", "wrong")
                until(lambda: "SW0433" not in west("check").stdout)
                if lines:
                    break
            assert json.loads(lines[0])["severity"]
            following.send_signal(signal.SIGINT)
            assert following.wait(10.0) == 130
        finally:
            following.kill()
            reading.join()


def test_the_event_of_a_killed_router_says_how_a_namespace_shows_why(west: Commands) -> None:
    def told(code: str) -> list[dict[str, Any]]:
        done = west("events", "-o", "json")
        found = json.loads(done.stdout)["items"] if done.returncode == 0 else []
        return [one for one in found if one["code"] == code]

    process = re.search(r"process (\d+) on", told("router-started")[-1]["message"])
    assert process is not None
    os.kill(int(process[1]), signal.SIGKILL)
    until(lambda: told("router-died"), 30)
    (died,) = told("router-died")
    assert "kubectl describe pod" in died["hint"] and "journalctl" not in died["hint"]


def test_answers_come_soon_with_fifty_services(cluster: Cluster, west: Commands) -> None:
    text = "---\n".join(
        f"apiVersion: spillway/v1\nkind: Service\nname: s{number}\nspec: {{ports: [80]}}\n"
        for number in range(50)
    )
    west.ok("apply", "-f", "-", stdin=text)
    until(lambda: len(west.json("service", "status")) == 50)
    for words in (("status",), ("service", "status"), ("link", "status"), ("get", "all")):
        before = len(cluster.faults.seen)
        began = own_time()
        west(*words)
        assert own_time() - began < 2.0, words
        # Only some API servers record an exec at its end, or a kind that they do not have.
        asked = [
            one.wanted
            for one in cluster.faults.seen[before:]
            if one.user == "kubernetes-admin"
            and not one.wanted.subresource
            and one.wanted.resource.plural != "deploymentconfigs"
        ]
        assert len(asked) <= 11, words
    for words in (("check",), ("check", "--pre"), ("version",)):
        began = own_time()
        west(*words)
        assert own_time() - began < 2.0, words
    for number in range(50):
        cluster.delete("ConfigMap", f"spillway-service-s{number}", "west")


def test_a_busy_api_server_is_asked_again(cluster: Cluster, west: Commands) -> None:
    fault = Fault(code=429, retry_after_s=0, kind="Pod", user="kubernetes-admin", times=1)
    cluster.faults.add(fault)
    west.ok("status")
    cluster.faults.clear()


def test_what_a_dry_run_prints_is_what_init_makes(cluster: Cluster) -> None:
    cluster.create("Namespace", "dry")
    dry = commands(cluster, "dry")
    text = dry.ok("init", "--ingress", "none", "--routers", "0", "--dry-run", "-o", "yaml")
    assert not dry.objects("Deployment")
    assert len(list(yaml.safe_load_all(text))) == 6
    dry.kubectl("apply", "-f", "-", stdin=text)
    words = ("init", "--ingress", "none", "--routers", "0")
    assert dry.json(*words)["change"] == "updated"  # The right that is granted apart.
    assert dry.objects("Role") == {"spillway-router", "spillway-router-headless"}
    assert dry.json(*words)["change"] == "unchanged"
    assert "all objects are as" in dry.ok("update", "--check").lower()
