"""The controllers around the API server; containers are hollow, so nothing really runs."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.kubernetes.client import Kubectl, raw
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.failures import Failure
from tests.kubernetes.kubelet import NODE
from tests.kubernetes.manifests import Json, pod, pod_template, service, workload
from tests.kubernetes.world import is_over
from tests.scenario.waiting import stays, until

HOLLOW = "registry.example.test/app:1"
REVISION_PATH = r".metadata.annotations.deployment\.kubernetes\.io/revision"


def template(app: str, image: str = HOLLOW, **container: Any) -> Json:
    """A pod whose container is hollow."""
    return pod_template(app, image, **container)


def alive(cluster: Cluster) -> list[Json]:
    """Pods that do not end."""
    return [
        each
        for each in cluster.list("Pod", "default")
        if "deletionTimestamp" not in each["metadata"]
    ]


def names(cluster: Cluster) -> list[str]:
    """Their names."""
    return [each["metadata"]["name"] for each in alive(cluster)]


def status(cluster: Cluster, kind: str, name: str) -> Json:
    """The status of an object."""
    return (cluster.get(kind, name) or {}).get("status") or {}


def endpoints(cluster: Cluster, name: str) -> list[Json]:
    """All endpoints of a Service."""
    return [each for found in slices(cluster, name) for each in found["endpoints"] or []]


def slices(cluster: Cluster, name: str) -> list[Json]:
    """All slices of a Service."""
    return [
        found
        for found in cluster.list("EndpointSlice", "default")
        if found["metadata"]["labels"].get("kubernetes.io/service-name") == name
    ]


def ready(cluster: Cluster, name: str) -> list[str]:
    """Names of the pods that are ready endpoints."""
    found = endpoints(cluster, name)
    return sorted(each["targetRef"]["name"] for each in found if each["conditions"]["ready"])


def refuses(cluster: Cluster, found: Json) -> bool:
    """Whether a pod may not be made; one that may is gone again."""
    try:
        cluster.create_object(found)
    except Failure:
        return True
    cluster.delete("Pod", found["metadata"]["name"], gracePeriodSeconds=0)
    return False


def test_a_deployment_has_a_replica_set_with_pods(cluster: Cluster) -> None:
    cluster.create_object(workload("Deployment", "web", template("web"), 3))
    until(lambda: status(cluster, "Deployment", "web").get("readyReplicas") == 3, "3 are ready")
    (replicas,) = cluster.list("ReplicaSet", "default")
    label = replicas["metadata"]["labels"]["pod-template-hash"]
    assert replicas["metadata"]["name"] == f"web-{label}"
    assert all(each.startswith(f"web-{label}-") for each in names(cluster))
    found = alive(cluster)[0]
    assert found["metadata"]["labels"] == {"app": "web", "pod-template-hash": label}
    conditions = status(cluster, "Deployment", "web")["conditions"]
    held = {each["type"]: (each["status"], each["reason"]) for each in conditions}
    assert held["Available"] == ("True", "MinimumReplicasAvailable")
    assert held["Progressing"] == ("True", "NewReplicaSetAvailable")


def test_a_deployment_says_why_its_pods_are_refused_until_they_are_not(cluster: Cluster) -> None:
    cluster.create("ResourceQuota", "q", spec={"hard": {"limits.memory": "1Gi"}})
    cluster.create_object(workload("Deployment", "web", template("web"), 0))
    until(lambda: refuses(cluster, pod("early")), "the quota counts")
    cluster.patch("Deployment", "web", {"spec": {"replicas": 1}})

    def failure() -> list[tuple[str, str, str]]:
        """Of the Deployment, from its ReplicaSet."""
        return [
            (each["status"], each["reason"], each["message"])
            for each in status(cluster, "Deployment", "web").get("conditions") or []
            if each["type"] == "ReplicaFailure"
        ]

    until(failure, "it says why")
    ((is_true, reason, message),) = failure()
    assert (is_true, reason) == ("True", "FailedCreate")
    assert message.startswith('pods "web-')
    assert "failed quota: q: must specify limits.memory for: main" in message
    cluster.delete("ResourceQuota", "q")
    cluster.patch("Deployment", "web", {"spec": {"replicas": 2}})  # It is tried again at once.
    until(lambda: status(cluster, "Deployment", "web").get("readyReplicas") == 2, "they are ready")
    assert not failure()


def test_a_pod_that_is_deleted_is_replaced(cluster: Cluster) -> None:
    cluster.create_object(workload("Deployment", "web", template("web"), 2))
    until(lambda: len(names(cluster)) == 2, "two pods")
    first = names(cluster)[0]
    cluster.delete("Pod", first)
    until(lambda: first not in names(cluster) and len(names(cluster)) == 2, "another one")


def test_a_rolling_update_keeps_enough_pods_available(cluster: Cluster) -> None:
    rolling = {"maxSurge": 1, "maxUnavailable": 0}
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    cluster.create_object(workload("Deployment", "web", template("web"), 3, strategy=strategy))
    until(lambda: status(cluster, "Deployment", "web").get("readyReplicas") == 3, "3 are ready")
    old = set(names(cluster))
    seen: list[tuple[int, int]] = []

    def note() -> None:
        found = alive(cluster)
        good = [each for each in found if "'type': 'Ready', 'status': 'True'" in str(each)]
        seen.append((len(found), len(good)))

    cluster.patch("Deployment", "web", {"spec": {"template": template("web", "app:2")}})

    def done() -> bool:
        note()
        return not old & set(names(cluster)) and len(names(cluster)) == 3

    until(done, "all pods are new")
    assert max(total for total, _good in seen) <= 4
    assert min(good for _total, good in seen) >= 3


def test_an_update_waits_until_a_new_pod_was_ready_for_long_enough(cluster: Cluster) -> None:
    min_ready_s = 2
    rolling = {"maxSurge": 0, "maxUnavailable": 1}
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    fields = {"strategy": strategy, "minReadySeconds": min_ready_s}
    cluster.create_object(workload("Deployment", "web", template("web"), 2, **fields))
    until(lambda: status(cluster, "Deployment", "web").get("availableReplicas") == 2, "available")
    old = set(names(cluster))
    cluster.patch("Deployment", "web", {"spec": {"template": template("web", "app:2")}})
    ready: list[float] = []

    def has_begun() -> bool:
        (new,) = [each for each in alive(cluster) if each["metadata"]["name"] not in old] or [{}]
        if "'type': 'Ready', 'status': 'True'" in str(new):
            ready.append(time.monotonic())
        return bool(ready)

    until(has_begun, "the first new pod is ready")
    assert len(old & set(names(cluster))) == 1
    until(lambda: not old & set(names(cluster)), "the other old pod went")
    assert time.monotonic() - ready[0] > min_ready_s - 1, "times of the API are whole seconds"
    until(lambda: status(cluster, "Deployment", "web").get("availableReplicas") == 2, "all are")


@pytest.mark.programs("kubectl")
def test_a_rollback_brings_back_the_annotations_of_its_revision(
    cluster: Cluster, kubectl: Kubectl
) -> None:
    def revision() -> str:
        return kubectl("get", "deployment", "web", "-o", f"jsonpath={{{REVISION_PATH}}}").out

    kubectl("create", "deployment", "web", "--image", HOLLOW)
    kubectl("annotate", "deployment", "web", "example.test/note=one")
    until(lambda: revision() == "1", "the controller has seen it")
    kubectl("set", "image", "deployment/web", "*=registry.example.test/app:2")
    until(lambda: revision() == "2", "there is a second revision")
    kubectl("annotate", "--overwrite", "deployment", "web", "example.test/note=two")
    kubectl("rollout", "undo", "deployment/web")
    until(lambda: revision() == "3", "the first one is used again")
    found = cluster.get("Deployment", "web", kubectl.namespace) or {}
    assert found["metadata"]["annotations"]["example.test/note"] == "one"


def test_recreate_ends_all_pods_before_it_begins_new_ones(cluster: Cluster) -> None:
    cluster.create_object(
        workload("Deployment", "web", template("web"), 2, strategy={"type": "Recreate"})
    )
    until(lambda: status(cluster, "Deployment", "web").get("readyReplicas") == 2, "2 are ready")
    images: list[set[str]] = []
    cluster.patch("Deployment", "web", {"spec": {"template": template("web", "app:2")}})

    def done() -> bool:
        found = [pod for pod in cluster.list("Pod", "default") if not is_over(pod)]
        images.append({each["spec"]["containers"][0]["image"] for each in found})
        return images[-1] == {"app:2"}

    until(done, "only new pods")
    assert {HOLLOW, "app:2"} not in images, "an old pod still ran"


def test_a_stateful_set_names_its_pods_and_goes_in_order(cluster: Cluster) -> None:
    size = {"requests": {"storage": "1Mi"}}
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": size},
    }
    cluster.create_object(
        workload(
            "StatefulSet",
            "db",
            template("db"),
            3,
            serviceName="db",
            volumeClaimTemplates=[claim],
        )
    )
    cluster.create_object(service("db", "db", clusterIP="None"))
    until(lambda: names(cluster) == ["db-0", "db-1", "db-2"], "three names")
    claims = [each["metadata"]["name"] for each in cluster.list("PersistentVolumeClaim")]
    assert claims == ["data-db-0", "data-db-1", "data-db-2"]
    until(lambda: len(ready(cluster, "db")) == 3, "three endpoints")
    assert {each["hostname"] for each in endpoints(cluster, "db")} == {"db-0", "db-1", "db-2"}
    (one,) = slices(cluster, "db")
    assert "service.kubernetes.io/headless" in one["metadata"]["labels"]
    cluster.patch("StatefulSet", "db", {"spec": {"replicas": 1}})
    until(lambda: names(cluster) == ["db-0"], "the last ones go")
    assert len(cluster.list("PersistentVolumeClaim")) == 3


def test_a_stateful_set_waits_for_each_pod(cluster: Cluster) -> None:
    cluster.ready("db-0", is_ready=False)
    cluster.create_object(workload("StatefulSet", "db", template("db"), 2, serviceName="db"))
    until(lambda: names(cluster) == ["db-0"], "the first")
    stays(lambda: names(cluster) == ["db-0"], "no second", 0.2)
    cluster.ready("db-0", is_ready=True)
    until(lambda: names(cluster) == ["db-0", "db-1"], "the second")


def test_a_daemon_set_has_a_pod_on_the_node(cluster: Cluster) -> None:
    cluster.create_object(workload("DaemonSet", "log", template("log")))
    until(lambda: status(cluster, "DaemonSet", "log").get("numberReady") == 1, "one is ready")


def test_endpoints_follow_readiness_and_termination(cluster: Cluster) -> None:
    cluster.create_object(service("web", "web", {"port": 80, "targetPort": "http"}))
    ports = [{"name": "http", "containerPort": 8080}]
    for name in ("a", "b"):
        made = template("web", ports=ports)
        made["metadata"]["name"] = name
        made["spec"]["terminationGracePeriodSeconds"] = 1
        cluster.create_object({"kind": "Pod", **made})
    until(lambda: ready(cluster, "web") == ["a", "b"], "both are ready")
    (found,) = slices(cluster, "web")
    assert found["ports"] == [{"name": "", "protocol": "TCP", "port": 8080}]
    cluster.ready("a", is_ready=False)
    until(lambda: ready(cluster, "web") == ["b"], "one is not ready")
    conditions = {e["targetRef"]["name"]: e["conditions"] for e in endpoints(cluster, "web")}
    assert conditions["a"] == {"ready": False, "serving": False, "terminating": False}
    cluster.patch("Service", "web", {"spec": {"publishNotReadyAddresses": True}})
    until(lambda: ready(cluster, "web") == ["a", "b"], "published though not ready")


def test_a_pod_that_ends_is_a_terminating_endpoint(tmp_path: Path) -> None:
    with Cluster(tmp_path) as cluster:
        command = ["sh", "-c", "trap 'sleep 0.4; exit 0' TERM; while :; do sleep 0.05; done"]
        made = template("web", "busybox", command=command)
        made["metadata"]["name"] = "a"
        made["spec"]["terminationGracePeriodSeconds"] = 5
        cluster.create_object(service("web", "web"))
        cluster.create_object({"kind": "Pod", **made})
        until(lambda: ready(cluster, "web") == ["a"], "ready")
        cluster.delete("Pod", "a")
        wanted = {"ready": False, "serving": True, "terminating": True}
        until(
            lambda: [e["conditions"] for e in endpoints(cluster, "web")] == [wanted], "terminating"
        )
        until(lambda: not endpoints(cluster, "web"), "gone")


def test_a_slice_holds_a_hundred_endpoints(tmp_path: Path) -> None:
    with Cluster(tmp_path, without=("kubelet",)) as cluster:
        cluster.create_object(service("web", "web"))
        for number in range(130):
            made = pod(f"p{number}", image=HOLLOW) | {"metadata": _web(number)}
            made["spec"]["nodeName"] = NODE  # Pods without a node are no endpoints.
            cluster.create_object(made)
            address = f"10.1.0.{number}"
            cluster.patch("Pod", f"p{number}", {"status": _running(address)}, part="status")
        until(lambda: len(endpoints(cluster, "web")) == 130, "all endpoints")
        sizes = sorted(len(each["endpoints"]) for each in slices(cluster, "web"))
        assert len(sizes) == 2 and sizes[-1] <= 100  # A real one also made 31 and 99.


def test_pods_with_other_numbers_of_a_named_port_are_in_other_slices(cluster: Cluster) -> None:
    cluster.create_object(service("web", "web", {"port": 80, "targetPort": "http"}))
    for name, port in (("a", 8080), ("b", 9090)):
        made = template("web", ports=[{"name": "http", "containerPort": port}])
        made["metadata"]["name"] = name
        cluster.create_object({"kind": "Pod", **made})
    until(lambda: ready(cluster, "web") == ["a", "b"], "both are ready")
    ports = sorted(each["ports"][0]["port"] for each in slices(cluster, "web"))
    assert ports == [8080, 9090]


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
def test_what_is_owned_goes_with_its_owner(cluster: Cluster, policy: str) -> None:
    owner = cluster.create("ConfigMap", "owner")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner"}
    reference["uid"] = owner["metadata"]["uid"]
    cluster.create("Secret", "owned", metadata={"ownerReferences": [reference]})
    cluster.delete("ConfigMap", "owner", propagationPolicy=policy)
    until(lambda: cluster.get("Secret", "owned") is None, "the dependent goes")
    until(lambda: cluster.get("ConfigMap", "owner") is None, "the owner goes")


def test_an_owner_of_the_same_name_but_another_uid_does_not_count(cluster: Cluster) -> None:
    cluster.create("ConfigMap", "owner")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": "no-such-uid"}
    cluster.create("Secret", "owned", metadata={"ownerReferences": [reference]})
    until(lambda: cluster.get("Secret", "owned") is None, "it has no owner")


def test_a_namespace_has_an_account_and_the_ca(cluster: Cluster) -> None:
    cluster.create("Namespace", "n")
    until(lambda: cluster.get("ServiceAccount", "default", "n"), "the account")
    found = cluster.get("ConfigMap", "kube-root-ca.crt", "n")
    assert found is not None
    assert "BEGIN CERTIFICATE" in found["data"]["ca.crt"]


def test_a_load_balancer_gets_its_address_after_a_while(cluster: Cluster) -> None:
    cluster.balancer_delay_s = 0.2
    cluster.balancer_address = "lb.example.test"
    cluster.create_object(service("web", "web", type="LoadBalancer"))
    look: Callable[[], Json] = partial(status, cluster, "Service", "web")
    assert look()["loadBalancer"] == {}
    until(lambda: look()["loadBalancer"].get("ingress"), "an address")
    assert look()["loadBalancer"] == {"ingress": [{"hostname": "lb.example.test"}]}


def test_a_pod_that_is_labelled_away_is_replaced_and_taken_back(cluster: Cluster) -> None:
    cluster.create_object(workload("Deployment", "web", template("web"), 1))
    until(lambda: names(cluster), "a pod")
    (first,) = names(cluster)
    cluster.patch("Pod", first, {"metadata": {"labels": {"app": "aside"}}})
    until(lambda: len(names(cluster)) == 2, "another is in its place")
    assert not owners(cluster, first)
    cluster.patch("Pod", first, {"metadata": {"labels": {"app": "web"}}})
    until(lambda: len(names(cluster)) == 1, "one is too many")


def owners(cluster: Cluster, pod: str) -> list[str]:
    found = cluster.get("Pod", pod)
    assert found is not None
    return [one["kind"] for one in found["metadata"].get("ownerReferences") or ()]


def test_a_budget_refuses_evictions(cluster: Cluster) -> None:
    selector = {"matchLabels": {"app": "web"}}
    cluster.create("PodDisruptionBudget", "web", spec={"minAvailable": 2, "selector": selector})
    cluster.create_object(workload("Deployment", "web", template("web"), 2))
    until(
        lambda: status(cluster, "PodDisruptionBudget", "web").get("currentHealthy") == 2, "healthy"
    )
    name = names(cluster)[0]
    with raw(cluster) as client:
        assert _evicted(client, name) == 429
        cluster.patch("PodDisruptionBudget", "web", {"spec": {"minAvailable": 1}})
        until(
            lambda: status(cluster, "PodDisruptionBudget", "web")["disruptionsAllowed"] == 1,
            "one may go",
        )
        assert _evicted(client, name) == 201


def test_a_budget_counts_a_pod_that_was_told_to_end_as_gone_at_once(cluster: Cluster) -> None:
    """Two evictions one after the other: the second waits until another pod is ready."""
    selector = {"matchLabels": {"app": "web"}}
    cluster.create("PodDisruptionBudget", "web", spec={"maxUnavailable": 1, "selector": selector})
    late = {"exec": {"command": ["sleep", "1"]}, "timeoutSeconds": 9}
    made = template("web", "busybox", command=["sleep", "99"], readinessProbe=late)
    cluster.create_object(workload("Deployment", "web", made, 2))
    allowed = partial(status, cluster, "PodDisruptionBudget", "web")
    until(lambda: allowed().get("disruptionsAllowed") == 1, "one may go")
    first, second = names(cluster)
    with raw(cluster) as client:
        assert [_evicted(client, name) for name in (first, second)] == [201, 429]
        until(lambda: allowed()["disruptionsAllowed"] == 1, "another pod is ready")
        assert allowed()["expectedPods"] == 2
        assert _evicted(client, second) == 201


def test_a_node_is_drained_by_evictions(cluster: Cluster, kubectl: Kubectl) -> None:
    """kubectl evicts where discovery says of which kind evictions are, and deletes elsewhere."""
    cluster.create_object(workload("Deployment", "web", template("web"), 1))
    until(lambda: names(cluster), "a pod")
    kubectl("drain", NODE, "--force")
    evicted = [one for one in cluster.faults.seen if one.wanted.subresource == "eviction"]
    assert [one.code for one in evicted] == [201]


def _evicted(client: httpx2.Client, name: str) -> int:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    place = f"/api/v1/namespaces/default/pods/{name}/eviction"
    return client.post(place, json=body).status_code


def test_a_job_runs_until_it_succeeded(cluster: Cluster) -> None:
    made = template("once", "busybox", command=["sh", "-c", "echo done"])
    made["spec"]["restartPolicy"] = "Never"
    job = {"kind": "Job", "metadata": {"name": "once"}, "spec": {"template": made}}
    cluster.create_object(job)
    until(lambda: status(cluster, "Job", "once").get("succeeded") == 1, "it succeeded")
    conditions = status(cluster, "Job", "once")["conditions"]
    assert ("Complete", "True") in {(each["type"], each["status"]) for each in conditions}


def _web(number: int) -> Json:
    return {"name": f"p{number}", "labels": {"app": "web"}}


def _running(address: str) -> Json:
    ready_condition = {"type": "Ready", "status": "True"}
    return {
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": [ready_condition],
    }
