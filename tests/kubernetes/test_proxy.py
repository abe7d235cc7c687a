"""Services that carry connections to pods: cluster IPs, node ports, load balancers."""

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.manifests import Json, pod_template, service, workload
from tests.scenario.waiting import stays, until

HOOK_S = 6


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster whose Services carry connections."""
    with Cluster(tmp_path, proxy=True) as found:
        yield found


def _fetch(address: str, port: int) -> str:
    """The pod that answered; empty: none."""
    try:
        with urllib.request.urlopen(f"http://{address}:{port}/", timeout=5) as answer:
            return str(json.load(answer)["pod"])
    except (OSError, urllib.error.URLError):
        return ""


def _serve(cluster: Cluster, kind: str, hook_s: int = 0) -> Json:
    """``hook_s``: how long a pod goes on after its deletion was asked for."""
    ports = [{"name": "http", "containerPort": 8080}]
    ready = {"httpGet": {"port": "http"}}
    template = pod_template("web", ports=ports, readinessProbe=ready)
    if hook_s:
        template["spec"]["terminationGracePeriodSeconds"] = 2 * hook_s
        (container,) = template["spec"]["containers"]
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": hook_s}}}
    cluster.create_object(workload("Deployment", "web", template, 2))
    made = cluster.create_object(
        service("web", "web", {"port": 20_080, "targetPort": "http"}, type=kind)
    )
    until(lambda: _fetch(made["spec"]["clusterIP"], 20_080), "the Service answers")
    return made


def test_connections_go_to_each_ready_pod(cluster: Cluster) -> None:
    made = _serve(cluster, "ClusterIP")
    address = made["spec"]["clusterIP"]
    pods = {each["metadata"]["name"] for each in cluster.list("Pod", "default")}
    seen: set[str] = set()

    def both() -> bool:
        seen.add(_fetch(address, 20_080))
        return seen == pods

    until(both, "both pods answer")
    gone = pods.pop()
    cluster.ready(gone, is_ready=False)
    until(lambda: {_fetch(address, 20_080) for _each in range(4)} == pods, "the other only")


def test_pods_that_end_are_led_to_while_they_serve_and_no_other_is_ready(
    cluster: Cluster,
) -> None:
    """KEP-1669, of every Kubernetes since 1.28."""
    address = _serve(cluster, "ClusterIP", hook_s=HOOK_S)["spec"]["clusterIP"]
    cluster.patch("Deployment", "web", {"spec": {"replicas": 0}})

    def are_leaving() -> bool:
        found = cluster.list("Pod", "default")
        return bool(found) and all("deletionTimestamp" in one["metadata"] for one in found)

    until(are_leaving, "all pods are told to end")
    stays(lambda: _fetch(address, 20_080), "they still serve", HOOK_S / 2)
    until(lambda: not _fetch(address, 20_080), "nobody serves any more")


def test_node_ports_and_load_balancers_lead_to_the_same_pods(cluster: Cluster) -> None:
    made = _serve(cluster, "LoadBalancer")
    node_port = made["spec"]["ports"][0]["nodePort"]
    assert _fetch(cluster.address, node_port)
    found = cluster.get("Service", "web")
    assert found is not None
    (entry,) = found["status"]["loadBalancer"]["ingress"]
    assert entry["ip"] not in (made["spec"]["clusterIP"], cluster.address)
    until(lambda: _fetch(entry["ip"], 20_080), "the load balancer answers")


def test_a_service_without_ready_pods_resets_and_one_that_is_gone_refuses(
    cluster: Cluster,
) -> None:
    made = cluster.create_object(service("empty", "none", {"port": 20_080}))
    address = made["spec"]["clusterIP"]

    def outcome() -> str:
        try:
            with socket.create_connection((address, 20_080), timeout=5) as connection:
                connection.sendall(b"x")
                return "data" if connection.recv(1) else "end"
        except ConnectionRefusedError:
            return "refused"
        except ConnectionError:
            return "reset"

    until(lambda: outcome() == "reset", "it listens and resets")
    cluster.delete("Service", "empty")
    until(lambda: outcome() == "refused", "nobody listens")
