"""An application with a router in its pod: what `sitectl sidecar` prints, run as a kubelet would.

Not covered here: mount, process and network namespaces (`containers`), sysctls and security
contexts, and the resolver of a real pod, which reads the names of hostAliases from /etc/hosts.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.commands import IMAGES, Commands
from tests.scenario.waiting import own_time

_LOW = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
PORT = 80 if os.geteuid() == 0 or int(_LOW.read_text()) <= 80 else 8080
"""The lowest port that the sysctl opens in a pod; here the test user must be allowed to listen
there.
"""

_APP = f"""
import http.client, os, signal, sys, time
def ask(name):
    lines = [line.split() for line in open(os.environ["POD_HOSTS"]) if not line.startswith("#")]
    address = next(words[0] for words in lines if name in words[1:])
    there = http.client.HTTPConnection(address, {PORT}, timeout=10)
    there.request("GET", "/" + name, headers={{"Host": name}})
    return there.getresponse().read().decode().strip()
def end(*_):
    print("last", ask("shop"), flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("first", ask("shop"), ask("api"), flush=True)
if sys.argv[1:] != ["once"]:
    while True:
        time.sleep(0.05)
"""
SHOP = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - {name: app, image: test/http-echo, ports: [{containerPort: 8080, name: http}]}
"""


def until(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Wait for ``condition``, asking often."""
    deadline = own_time() + timeout_s
    while not condition():
        assert own_time() < deadline, "not in time"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with a site in ``west`` that has the services ``shop`` and ``api``."""
    with Cluster(tmp_path_factory.mktemp("cluster"), images=IMAGES) as made:
        for name in ("west", "front"):
            made.create("Namespace", name)
        west = Commands(made, "west", made.state / "west")
        west.ok("init", "--ingress", "none")
        west.kubectl("apply", "-f", "-", stdin=SHOP)
        for name in ("shop", "api"):
            west.ok("expose", "deployment/shop", "--address", name, "--port", str(PORT),
                    "--target-port", "http", "--protocol", "http")  # fmt: skip
        west.ok("init", "--ingress", "none", "--wait", "ready")
        yield made


@pytest.fixture
def west(cluster: Cluster) -> Commands:
    """Command lines for the site that the sidecars link to."""
    return Commands(cluster, "west", cluster.state / "west")


@pytest.fixture
def front(cluster: Cluster, west: Commands) -> Commands:
    """Command lines for a namespace without a site; ``t.yaml`` is a token of the other's."""
    made = Commands(cluster, "front", cluster.state / "front")
    address = next(
        pod["status"]["podIP"]
        for pod in cluster.list("Pod", "west")
        if pod["metadata"]["name"].startswith("spillway")
    )
    token = str(made.state / "t.yaml")
    if not Path(token).exists():
        west.ok("token", "create", token, "--token-type", "cert", "--ingress-host", address)
    return made


def app(kind: str, name: str, *arguments: str) -> str:
    """A workload whose container asks both services once it runs, and one when it ends."""
    command = ["python", "-c", _APP, *arguments]
    pod = {"containers": [{"name": "main", "image": "busybox:1.36", "command": command}]}
    template: dict[str, Any] = {"metadata": {"labels": {"app": name}}, "spec": pod}
    spec: dict[str, Any] = {"template": template}
    version = "batch/v1"
    if kind == "Deployment":
        spec |= {"replicas": 2, "selector": {"matchLabels": {"app": name}}}
        version = "apps/v1"
    else:
        pod["restartPolicy"] = "Never"  # type: ignore[assignment]
        spec["backoffLimit"] = 0
    made = {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}
    return yaml.safe_dump(made)


def apply(front: Commands, workload: str, *words: str) -> None:
    """Apply a workload with its sidecar."""
    services = ("--service", f"shop:{PORT}", "--service", f"api:{PORT}")
    text = front.ok(*("sidecar", "-f", "-", "--token", "t.yaml", *services, *words), stdin=workload)
    front.kubectl("apply", "-f", "-", stdin=text)


def pods(front: Commands) -> list[dict[str, Any]]:
    """The pods of the namespace."""
    return front.cluster.list("Pod", front.namespace)


def said(cluster: Cluster, word: str) -> int:
    """How many applications printed a line that begins with ``word`` and has an answer in it."""
    lines = cluster.logs().splitlines()
    return sum(line.startswith(f'{word} {{"pod": "shop-') for line in lines)


@pytest.mark.parametrize("form", ["native", "plain"])
def test_an_application_finds_its_services_from_its_first_to_its_last_moment(
    cluster: Cluster, west: Commands, front: Commands, form: str
) -> None:
    first, last = said(cluster, "first"), said(cluster, "last")
    apply(front, app("Deployment", f"front-{form}"), *(["--plain"] if form == "plain" else []))
    until(lambda: said(cluster, "first") == first + 2)  # It asks once only: it began after.
    restarts = [
        status["restartCount"]
        for pod in pods(front)
        for key in ("containerStatuses", "initContainerStatuses")
        for status in pod["status"].get(key) or []
    ]
    assert len(restarts) == 4 and not any(restarts)

    links = [link for link in west.json("link", "status") if link["state"] == "up"]
    assert len({link["neighbour"]["id"] for link in links}) == 2  # A key for each pod.
    assert {link["neighbour"]["name"] for link in links} == {
        pod["metadata"]["name"] for pod in pods(front)
    }

    front.kubectl("delete", "deployment", f"front-{form}", "--wait=false")
    until(lambda: not pods(front))
    assert said(cluster, "last") == last + 2
    until(lambda: len(west.json("network", "status")) == 1)  # No site waits for their keys.
    assert west.json("status")["notes"] == []


def test_a_job_ends_though_its_sidecar_would_go_on(cluster: Cluster, front: Commands) -> None:
    first = said(cluster, "first")
    apply(front, app("Job", "once", "once"))

    def succeeded() -> bool:
        job = cluster.get("Job", "once", "front") or {}
        return bool(job.get("status", {}).get("succeeded"))

    until(succeeded)
    assert said(cluster, "first") == first + 1
    (pod,) = (pod for pod in pods(front) if pod["metadata"]["name"].startswith("once"))
    (sidecar,) = pod["status"]["initContainerStatuses"]
    assert (sidecar["restartCount"], sidecar["state"]["terminated"]["exitCode"]) == (0, 0)
    said_of_plain = front("sidecar", "-f", "-", "--service", "shop", "--plain", "--token-secret",
                          "t", stdin=app("Job", "plain"))  # fmt: skip
    assert said_of_plain.returncode == 1 and "would never end" in said_of_plain.stderr
    front.kubectl("delete", "job", "once", "--wait=false")


def test_each_service_has_an_address_of_its_own_and_low_ports_take_a_safe_sysctl(
    front: Commands,
) -> None:
    words = ("sidecar", "-f", "-", "--service", "shop:80", "--service", "api:80")
    text = front.ok(*words, "--token-secret", "t", "-o", "json", stdin=app("Deployment", "a"))
    (made,) = json.loads(text)["items"]
    spec = made["spec"]["template"]["spec"]
    assert [alias["ip"] for alias in spec["hostAliases"]] == ["127.0.0.2", "127.0.0.3"]
    sysctls = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    assert spec["securityContext"]["sysctls"] == sysctls
