"""`sitectl migrate` beside a Skupper that runs, under traffic, with a real router of ours."""

import copy
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import pytest

from router.kubernetes.objects import names
from router.kubernetes.services import adoption
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.commands import IMAGES, Commands
from tests.kubernetes.rbac import ADMIN
from tests.kubernetes.skupper import ROUTER_LABELS, RunningController, entry
from tests.scenario.waiting import own_time

NAMESPACE = "west"
ASK_TIMEOUT_S = 10.0
"""Longer than a gap may be: a request that hangs is counted by its time."""
GAP_S_MAX = 3.0
"""Of a Service that is deleted and made again, on a busy machine; docs have the usual time."""
_SKUPPER = """
import http.server, os, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"pod": "skupper-router"}')
    def log_message(self, *words): pass
threads = []
for port in range(1024, 1034):
    server = http.server.ThreadingHTTPServer((os.environ["POD_IP"], port), Handler)
    threads.append(threading.Thread(target=server.serve_forever))
    threads[-1].start()
for thread in threads:  # Python 3.12 starts no thread once this one has ended.
    thread.join()
"""
MOVED = ("shop", "backend", "front")


def until(condition: Callable[[], object], what: str, timeout_s: float = 20.0) -> None:
    """Wait for ``condition``, asking often."""
    deadline = own_time() + timeout_s
    while not condition():
        assert own_time() < deadline, what
        time.sleep(0.05)


def deployment(cluster: Cluster, name: str, notes: dict[str, str] | None = None) -> None:
    """An application that answers with the name of its pod."""
    container = {"name": "app", "image": "test/http-echo", "ports": [{"containerPort": 8080}]}
    deploy(cluster, name, {"app": name}, container, notes)


def deploy(
    cluster: Cluster,
    name: str,
    labels: dict[str, str],
    container: dict[str, Any],
    notes: dict[str, str] | None = None,
) -> None:
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    cluster.create("Deployment", name, NAMESPACE, metadata={"annotations": notes or {}}, spec=spec)


def service(cluster: Cluster, name: str, notes: dict[str, str] | None = None) -> None:
    ports = [{"name": "web", "port": 80, "targetPort": 8080}]
    spec = {"selector": {"app": name}, "ports": ports}
    cluster.create("Service", name, NAMESPACE, metadata={"annotations": notes or {}}, spec=spec)


def expose(cluster: Cluster, name: str, **more: Any) -> None:
    """As ``skupper expose deployment NAME`` leaves it."""
    target = {"name": name, "selector": f"app={name}", "targetPorts": {"80": 8080}}
    text = entry(name, 80, targets=[target], **more)
    cluster.patch("ConfigMap", names.SERVICES_CONFIGMAP, {"data": {name: text}}, NAMESPACE)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A namespace that Skupper serves: generated, rewritten, annotated and unmovable Services."""
    with Cluster(tmp_path_factory.mktemp("cluster"), images=IMAGES) as made:
        made.create("Namespace", NAMESPACE)
        site = {"name": "west", "ingress": "none"}
        made.create("ConfigMap", names.SITE_CONFIGMAP, NAMESPACE, data=site)
        made.create("ConfigMap", names.SERVICES_CONFIGMAP, NAMESPACE, data={})
        program = {"name": "router", "image": "host", "command": ["python", "-c", _SKUPPER]}
        deploy(made, names.SKUPPER_ROUTER, ROUTER_LABELS, program)
        hollow = {"name": "controller", "image": "none"}
        deploy(made, names.SKUPPER_SERVICE_CONTROLLER, {"app": "skupper"}, hollow)
        for name in ("backend", "front", "sums", "left"):
            deployment(made, name)
        notes = {"skupper.io/proxy": "http", "skupper.io/port": "80:8080", "team": "a"}
        deployment(made, "shop", notes)
        service(made, "backend")
        service(made, "front", {"skupper.io/proxy": "http"})
        expose(made, "backend")
        expose(made, "left")
        expose(made, "sums", aggregate="json")
        yield made


@pytest.fixture(scope="module")
def west(cluster: Cluster) -> Iterator[Commands]:
    """Command lines for the namespace, Skupper's controller and our router running."""
    commands = Commands(cluster, NAMESPACE, cluster.state / "home")
    with RunningController(cluster, NAMESPACE):
        until(lambda: all(skuppers(cluster, n) for n in (*MOVED, "sums", "left")), "Skupper serves")
        until(lambda: len(ready(cluster, names.SKUPPER_ROUTER)) == 1, "Skupper's router runs")
        commands.ok("init", "--wait", "ready")
        yield commands


def ready(cluster: Cluster, name: str) -> list[dict[str, Any]]:
    return [
        pod
        for pod in cluster.list("Pod", NAMESPACE)
        if pod["metadata"]["name"].startswith(name)
        and any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])
    ]


def skuppers(cluster: Cluster, name: str) -> bool:
    found = cluster.get("Service", name, NAMESPACE)
    return found is not None and adoption.is_skuppers(found)


def ours(cluster: Cluster, name: str) -> bool:
    found = cluster.get("Service", name, NAMESPACE)
    return found is not None and found["spec"].get("selector") == adoption.ROUTERS


def cluster_ip(cluster: Cluster, name: str) -> str:
    found = cluster.get("Service", name, NAMESPACE)
    assert found is not None
    return str(found["spec"]["clusterIP"])


def written(cluster: Cluster, since: int) -> list[str]:
    """Services that the command line wrote."""
    return [
        one.wanted.name
        for one in cluster.faults.seen[since:]
        if one.wanted.is_write and one.wanted.resource.kind == "Service" and one.user == ADMIN.name
    ]


def seen(cluster: Cluster) -> dict[str, Any]:
    """Everything that is not ours, as people see it."""
    result: dict[str, Any] = {}
    for kind in ("ConfigMap", "Deployment", "Service"):
        for found in copy.deepcopy(cluster.list(kind, NAMESPACE)):
            name = found["metadata"]["name"]
            if name.startswith("spillway-"):
                continue
            for field in ("resourceVersion", "managedFields", "uid", "creationTimestamp"):
                found["metadata"].pop(field, None)
            for field in ("annotations", "labels", "generation"):
                if not found["metadata"].get(field) or field == "generation":
                    found["metadata"].pop(field, None)
            for field in ("clusterIP", "clusterIPs"):
                found.get("spec", {}).pop(field, None)
            result[f"{kind}/{name}"] = {k: v for k, v in found.items() if k != "status"}
    return result


def versions(cluster: Cluster) -> dict[str, str]:
    """Of everything but what routers tell of themselves."""
    return {
        f"{kind}/{found['metadata']['name']}": found["metadata"]["resourceVersion"]
        for kind in ("ConfigMap", "Service", "Deployment")
        for found in cluster.list(kind, NAMESPACE)
        if found["metadata"]["name"] not in (names.STATUS_CONFIGMAP, names.ROUTER)
    }


class Request(NamedTuple):
    """One request: when it began, by `own_time`, and who answered; empty: no answer."""

    at: float
    by: str


class Traffic:
    """Requests to a Service, one after the other, each to an endpoint that it has just then.

    A real Skupper closes its listener with the entry: from then on its router's answer counts as
    none.
    """

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster, self._name = cluster, name
        self.requests: list[Request] = []
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ends.wait(0.01):
            at = own_time()
            self.requests.append(Request(at, self.ask()))

    def ask(self) -> str:
        """The name in the answer; empty: no answer."""
        place = self._place()
        if place is None:
            return ""
        try:
            with urllib.request.urlopen(f"http://{place}/", timeout=ASK_TIMEOUT_S) as answer:
                by = str(json.load(answer)["pod"])
        except OSError:
            return ""
        if by != names.SKUPPER_ROUTER:
            return by
        entries = self._cluster.get("ConfigMap", names.SERVICES_CONFIGMAP, NAMESPACE) or {}
        return by if self._name in (entries.get("data") or {}) else ""

    def _place(self) -> str | None:
        for found in self._cluster.list("EndpointSlice", NAMESPACE):
            labels = found["metadata"].get("labels") or {}
            if labels.get("kubernetes.io/service-name") != self._name:
                continue
            for endpoint in found.get("endpoints") or []:
                if (endpoint.get("conditions") or {}).get("ready", True) and found["ports"]:
                    return f"{endpoint['addresses'][0]}:{found['ports'][0]['port']}"
        return None

    @property
    def failed(self) -> int:
        return sum(not request.by for request in self.requests)

    @property
    def gap_s(self) -> float:
        """The longest time between two answers, whether requests failed meanwhile or hung."""
        answered = [self.requests[0].at, *(each.at for each in self.requests if each.by)]
        return max((later - earlier for earlier, later in pairwise(answered)), default=0.0)


def test_a_plan_says_everything_and_changes_nothing(cluster: Cluster, west: Commands) -> None:
    before = versions(cluster)
    plan = west.json("migrate", "--plan")
    services = {item["name"]: item for item in plan["services"]}
    assert set(services) == {*MOVED, "sums", "left"}
    assert services["shop"]["origin"] == "annotation"
    assert services["shop"]["targets"] == [{"workload": "deployment/shop", "ports": [8080]}]
    assert services["backend"]["targets"] == [{"workload": "pods/app=backend", "ports": [8080]}]
    assert services["front"]["targets"] == [{"workload": "pods/app=front", "ports": [8080]}]
    assert {item["served_by"] for item in services.values()} == {"skupper"}
    assert "deleting" in services["shop"]["gap"] and "none" in services["front"]["gap"]
    assert "300 ms" in services["backend"]["gap"]
    assert services["sums"]["obstacles"] and not services["sums"]["steps"]
    assert "remove its entry from skupper-services" in services["backend"]["steps"]
    text = west.ok("migrate", "--plan")
    assert "cannot move: aggregate" in text
    west.ok("migrate", "--apply", "shop", "--dry-run", "-o", "yaml")
    assert versions(cluster) == before


@pytest.mark.parametrize("name", MOVED)
def test_a_service_moves_and_moves_back_under_traffic(
    cluster: Cluster, west: Commands, name: str
) -> None:
    before = seen(cluster)
    address = cluster_ip(cluster, name)
    begun = len(cluster.faults.seen)
    with Traffic(cluster, name) as traffic:
        until(lambda: traffic.requests, "requests are made")
        assert traffic.ask() == names.SKUPPER_ROUTER
        (item,) = west.json("migrate", "--apply", name)
        assert item["change"] == "moved"
        assert ours(cluster, name)
        assert cluster_ip(cluster, name) == address, "clients that know it go on"
        until(lambda: traffic.ask().startswith(name), "its own pod answers through our router")
    assert traffic.gap_s < GAP_S_MAX
    # Of the Services we write one: Skupper's controller leaves it to its command line. Of the
    # annotated one only the annotations.
    assert written(cluster, begun) == {"shop": [], "backend": ["backend"], "front": ["front"]}[name]
    print(f"{name} apply: {traffic.failed}/{len(traffic.requests)} gap {traffic.gap_s:.3f} s")
    others = {k: v for k, v in seen(cluster).items() if k.startswith("Service") and name not in k}
    assert others == {k: v for k, v in before.items() if k in others}
    assert west.json("migrate", "--apply", name)[0]["change"] == "unchanged"
    (planned,) = west.json("migrate", "--plan", name)["services"]
    assert (planned["state"], planned["served_by"], planned["steps"]) == ("moved", "spillway", [])

    with Traffic(cluster, name) as traffic:
        until(lambda: traffic.requests, "requests are made")
        assert west.json("migrate", "--rollback", name)[0]["change"] == "moved back"
        until(lambda: traffic.ask() == names.SKUPPER_ROUTER, "Skupper answers again")
    print(f"{name} rollback: {traffic.failed}/{len(traffic.requests)} gap {traffic.gap_s:.3f} s")
    assert traffic.gap_s < GAP_S_MAX
    assert seen(cluster) == before
    assert cluster.get("ConfigMap", names.MIGRATION_CONFIGMAP, NAMESPACE) is None


def test_what_cannot_move_stays_and_unknown_names_are_told(west: Commands) -> None:
    done = west("migrate", "--apply", "sums")
    assert done.returncode == 5 and "aggregate" in done.stderr
    done = west("migrate", "--apply", "nobody")
    assert done.returncode == 4 and "backend" in done.stderr
    assert west("migrate").returncode == 2


def test_killed_after_any_step_it_goes_on_where_it_was(cluster: Cluster, west: Commands) -> None:
    before = seen(cluster)
    for lines in (1, 3, 5):
        west.killed(lines, "migrate", "--apply", "shop")
    west.ok("migrate", "--apply", "shop")
    assert ours(cluster, "shop")
    done = west("delete")
    assert done.returncode == 5 and "migrate --rollback" in done.stderr
    west.ok("migrate", "--rollback")
    until(lambda: seen(cluster) == before, "everything is as it was")


def test_targets_that_never_become_ready_leave_the_service_with_skupper(
    cluster: Cluster, west: Commands
) -> None:
    (pod,) = ready(cluster, "left")
    cluster.ready(pod["metadata"]["name"], NAMESPACE, is_ready=False)
    done = west("migrate", "--apply", "left", "--wait", "1")
    assert done.returncode == 6 and "still serves it" in done.stderr
    assert skuppers(cluster, "left")
    west.ok("migrate", "--rollback", "left")
    cluster.ready(pod["metadata"]["name"], NAMESPACE, is_ready=True)
