"""What a mistake in a namespace is answered with: a cause, and a command that works as printed."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from router.kubernetes.client.errors import refused
from router.kubernetes.objects.objects import stamp_now
from sitectl.kubernetes.cluster import Executed
from tests.kubernetes.failures import lost_quota_race
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.kubernetes.conftest import NamespaceLine
from tests.unit.sitectl.kubernetes.fakes import NOT_HELD, FakeCluster
from tests.unit.sitectl.kubernetes.test_looking import STATUS

PODS = {"template": {"spec": {"containers": [{"ports": [{"containerPort": 8080}]}]}}}


def test_check_pre_goes_on_where_workloads_may_not_be_read(
    empty: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.refused |= {("get", "deployments"), ("create", "roles")}
    result = empty("check", "--pre")
    assert result.exit_code == 1
    assert "you may not get deployments" in result.stdout
    assert "you may not create roles" in result.stdout


def test_check_tells_what_is_wrong_in_an_object_once(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    notes = {"skupper.io/proxy": "http", "spillway.dev/capacity": "five"}
    cluster.put("Deployment", "shop", metadata={"annotations": notes}, spec=PODS)
    (found,) = (one for one in shop("check", "-o", "json").stdout.split("{") if "five" in one)
    message = found.partition('"message": "')[2].partition('"')[0]
    cluster.run_router()
    problem = {"code": "SW0408", "message": message, "hint": ""}
    other = {"code": "SW0439", "message": "the API server does not answer", "hint": ""}
    cluster.item("/api/v1/status", {**STATUS, "problems": [problem, other]})
    cluster.items("/api/v1/links")
    cluster.items("/api/v1/services")
    told = shop("check").stdout
    assert told.count("five") == 1
    assert "does not answer" in told


def test_check_tells_what_only_the_router_finds_however_small(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.run_router()
    few = {"severity": "warning", "code": "SW0458", "message": "2 routers share", "hint": "fewer"}
    waits = {"severity": "info", "code": "SW0442", "message": "the request waits", "hint": ""}
    cluster.item("/api/v1/status", {**STATUS, "notes": [few, waits]})
    cluster.items("/api/v1/links")
    cluster.items("/api/v1/services")
    told = shop("check").stdout
    assert "WARNING  SW0458  2 routers share" in told and "Next: fewer" in told
    assert "info     SW0442  the request waits" in told


def test_where_nothing_is_exposed_a_deployment_is_suggested(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.run_router()
    cluster.items("/api/v1/services")
    cluster.item("/api/v1/status", STATUS)
    assert "or: sitectl -n shop expose deployment/shop" in shop.ok(
        "-n", "shop", "service", "status"
    ).stdout.replace("\n", " ")


def test_a_router_that_was_scaled_to_none_is_told_from_one_that_starts(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    assert "it has no pod" in shop.fails(8, "why", "shop")
    cluster.put("Deployment", "spillway-router", spec={"replicas": 0})
    told = shop.fails(8, "why", "shop")
    assert "Deployment spillway-router has 0 replicas" in told
    assert "kubectl -n shop scale deployment spillway-router --replicas 1" in told
    mark = {"labels": {"spillway.dev/component": "router"}}
    cluster.put("Deployment", "spillway-router", spec={"replicas": 1})
    cluster.put("Pod", "old", metadata={**mark, "deletionTimestamp": "2026-01-01T00:00:00Z"})
    assert "its pod is ending" in shop.fails(8, "why", "shop")
    cluster.put("Pod", "new", metadata=mark)
    assert "its pod is starting" in shop.fails(8, "why", "shop")


def test_a_router_on_a_node_that_does_not_report_is_not_said_to_start(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    """As on 1.36.2: the cluster takes the readiness of the node's pods, not of containers."""
    cluster.put(
        "Pod",
        "router-1",
        metadata={"labels": {"spillway.dev/component": "router"}},
        spec={"nodeName": "node-7"},
        status={
            "conditions": [
                {"type": "PodScheduled", "status": "True"},
                {"type": "ContainersReady", "status": "True"},
                {"type": "Ready", "status": "False"},
            ],
            "containerStatuses": [{"name": "router", "ready": True, "state": {"running": {}}}],
        },
    )
    told = shop.fails(8, "why", "shop")
    assert "pod router-1 is not ready, though its containers are: see node node-7" in told


def test_a_router_that_runs_and_is_not_ready_is_not_said_to_start(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.put(
        "Pod",
        "router-1",
        metadata={"labels": {"spillway.dev/component": "router"}},
        status={
            "conditions": [{"type": "Ready", "status": "False"}],
            "containerStatuses": [{"name": "router", "ready": False, "state": {"running": {}}}],
        },
    )
    told = shop.fails(8, "why", "shop")
    assert "pod router-1 runs, and is not ready yet" in told
    assert "Next: kubectl -n shop describe pod router-1" in told


def test_check_does_not_send_to_check(shop: NamespaceLine, cluster: FakeCluster) -> None:
    found = {one["code"]: one for one in shop.json("check", code=1)}
    assert "it has no pod" in found["SW0513"]["message"]
    assert found["SW0513"]["hint"] == ""


@pytest.mark.parametrize(
    ("image", "next_step"),
    [
        (
            "localhost/spillway/router:1",
            "sitectl update --image REGISTRY/spillway/router:1, after you pushed "
            "localhost/spillway/router:1 there: no registry has it. Or load it on every node",
        ),
        ("registry.example/router:1", "Next: kubectl -n shop describe pod router"),
    ],
)
def test_an_image_that_no_registry_has_is_answered_with_what_to_do(
    shop: NamespaceLine, cluster: FakeCluster, image: str, next_step: str
) -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}
    cluster.put(
        "Pod",
        "router",
        metadata={"labels": {"spillway.dev/component": "router"}},
        status={"containerStatuses": [{"image": image, "state": {"waiting": waiting}}]},
    )
    told = " ".join(shop.fails(8, "why", "shop").split())
    assert "ImagePullBackOff: Back-off pulling image" in told
    assert next_step in told


def test_a_port_that_no_container_names_is_said_at_once(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.put("Deployment", "cart", spec=PODS)
    wrong = shop.ok("-n", "shop", "expose", "deployment/cart", "--port", "80")
    assert "the containers of deployment/cart name port 8080, not 80" in wrong.stderr
    right = shop.ok(
        "-n", "shop", "expose", "deployment/cart", "--port", "80", "--target-port", "8080"
    )
    assert "name port" not in right.stderr
    gone = "sitectl -n shop service unbind cart deployment cart --target-port 80"
    assert f"deployment/cart:80 stays a target too; if it should not: {gone}" in right.stderr
    shop.ok(*gone.split()[1:])
    again = shop.ok("service", "bind", "cart", "deployment", "cart", "--target-port", "8080")
    assert again.stderr == ""


def test_the_advice_after_a_link_names_the_namespace(
    shop: NamespaceLine, cluster: FakeCluster, sitectl: CommandLine
) -> None:
    sitectl.ok("init", "west", "--ingress-host", "10.0.0.7")
    token = sitectl.state / "west.token"
    sitectl.ok("token", "create", str(token))
    made = shop.ok("-n", "shop", "link", "create", str(token))
    assert "Next: sitectl -n shop check" in made.stderr  # No router runs yet.
    cluster.run_router()
    again = shop.ok("-n", "shop", "link", "create", str(token))
    assert "Next: sitectl -n shop link status link1 --wait 30" in again.stderr


def test_waiting_for_a_mistyped_link_ends_with_the_names_there_are(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.run_router()
    cluster.items("/api/v1/links", {"name": "link1", "state": "up"})
    told = shop.fails(6, "link", "status", "lnk1", "--wait", "0")
    assert "no link 'lnk1' yet; there is: link1, after 0 s" in told


def test_who_has_a_kubeconfig_and_no_site_is_told_of_namespaces(
    sitectl: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(sitectl.state))
    assert "switch" not in sitectl("status").stderr
    monkeypatch.setenv("KUBECONFIG", "/etc/kubeconfig")
    result = sitectl("status")
    assert result.exit_code == 4
    assert "sitectl switch kubernetes" in result.stderr


def test_a_router_whose_pod_goes_while_it_is_asked_is_as_one_that_is_not_there(
    shop: NamespaceLine, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.run_router()

    def gone(pod: str, container: str, command: object) -> Executed:
        raise cluster.refusal(refused(404, b""), "Pod/exec", "create", pod)

    monkeypatch.setattr(cluster, "execute", gone)
    result = shop("status")
    assert result.exit_code == 3
    assert "pod spillway-router-1 of the router just went" in result.stdout
    assert "just went" in shop.fails(8, "why", "shop")


def test_an_init_that_lacks_a_right_leads_to_all_that_lack(
    empty: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.refused |= {("get", "configmaps"), ("create", "roles")}
    assert "All that it takes: sitectl -n shop check --pre" in empty.fails(7, "-n", "shop", "init")


QUOTA = 'secrets "a" is forbidden: exceeded quota: full, requested: secrets=1, used: secrets=1'
POLICY = (
    "configmaps \"skupper-site\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' "
    "denied request: no label"
)


@pytest.mark.parametrize(
    ("status", "reason", "message", "code", "hint"),
    [
        (403, "Forbidden", QUOTA, 7, "kubectl describe resourcequota"),
        (403, "Forbidden", POLICY, 7, "Change the admission policy"),
        (422, "Invalid", POLICY, 1, "Change the admission policy"),
    ],
)
def test_what_admission_refuses_is_not_said_to_be_a_missing_right(
    empty: NamespaceLine,
    cluster: FakeCluster,
    status: int,
    reason: str,
    message: str,
    code: int,
    hint: str,
) -> None:
    cluster.admission = (status, reason, message)
    told = empty.fails(code, "init", "--ingress", "none")
    assert message in told.replace("\n", " ") and hint in told
    assert "Role" not in told and "check --pre" not in told


def test_a_namespace_named_after_a_quota_has_missing_rights_as_any(
    empty: NamespaceLine, cluster: FakeCluster
) -> None:
    said = 'User "eve" cannot create resource "configmaps" in the namespace "quotas"'
    cluster.admission = (403, "Forbidden", f"configmaps is forbidden: {said}")
    told = empty.fails(7, "init", "--ingress", "none")
    assert "for a Role with this rule" in told and "check --pre" in told


def test_who_may_not_grant_what_the_router_needs_is_told_to_get_it(
    empty: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.admission = (403, "Forbidden", NOT_HELD)
    told = empty.fails(7, "init", "--ingress", "none")
    assert "get those that the message lists" in told and "check --pre" in told
    assert "for a Role with this rule" not in told


def test_a_quota_that_others_count_in_the_same_moment_is_no_name_that_is_taken(
    shop: NamespaceLine, cluster: FakeCluster, tmp_path: Path
) -> None:
    said = lost_quota_race("gke-resource-quotas")
    cluster.admission = (said.code, said.reason, said.message)
    told = shop.fails(5, "token", "create", str(tmp_path / "east.yaml"))
    assert "resourcequotas" in told and "try again" in told
    assert "exists" not in told and "--name" not in told


def test_a_quota_that_others_count_in_the_same_moment_is_no_other_owner(
    shop: NamespaceLine, cluster: FakeCluster, tmp_path: Path
) -> None:
    said = lost_quota_race("gke-resource-quotas")
    cluster.admission = (said.code, said.reason, said.message)
    cluster.admission_details = said.details
    path = tmp_path / "ask.yaml"
    path.write_text(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: ask\n"
        "  labels: {skupper.io/type: connection-token-request}\n"
    )
    told = shop.fails(5, "apply", "-f", str(path))
    assert "resourcequotas" in told and "try again" in told
    assert "owner" not in told and "force" not in told


def refusing(cluster: FakeCluster, said: str, **status: int) -> None:
    """The Deployment of a router whose next pod admission refuses, as on 1.36.2."""
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
    cluster.put(
        "Deployment",
        "spillway-router",
        spec={"replicas": 2},
        status={"conditions": [{"type": "Available"}, {**condition, "message": said}], **status},
    )


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("exceeded quota: full, requested: pods=1", "kubectl describe resourcequota"),
        (
            "maximum cpu usage per Container is 200m, but limit is 2",
            "kubectl describe limitrange; then sitectl update with --router-cpu",
        ),
        (
            'error looking up service account shop/spillway-router: serviceaccount "x" not found',
            "Make ServiceAccount spillway-router again: sitectl update, or what made the site",
        ),
        ("violates PodSecurity", "kubectl describe deployment spillway-router"),
    ],
)
def test_a_pod_that_admission_refuses_is_told_with_its_words(
    shop: NamespaceLine, cluster: FakeCluster, said: str, hint: str
) -> None:
    text = f'pods "spillway-router-1" is forbidden: {said}'
    refusing(cluster, text)
    told = " ".join(shop.fails(8, "why", "shop").split())
    assert f"the cluster makes no pod of Deployment spillway-router: {text}" in told
    assert hint in told


def test_check_says_why_a_second_router_does_not_come(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.run_router()
    cluster.item("/api/v1/status", STATUS)
    cluster.items("/api/v1/links")
    cluster.items("/api/v1/services")
    refusing(cluster, "exceeded quota: full")
    told = " ".join(shop("check").stdout.split())
    assert "1 of 2 router pods are ready" in told
    assert "the cluster makes no pod of Deployment spillway-router: exceeded quota" in told
    assert "kubectl describe resourcequota" in told


def test_check_says_that_an_edited_key_of_the_site_waits_for_update(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    def told() -> str:
        return " ".join(shop("check").stdout.split())

    cluster.run_router()
    cluster.item("/api/v1/status", STATUS)
    cluster.items("/api/v1/links")
    cluster.items("/api/v1/services")
    assert "SW0466 5 objects of the site are there" in told()
    cluster.found("ConfigMap", "skupper-site")["data"]["router-memory"] = "1Gi"
    waits = "SW0466 Deployment/spillway-router is not as ConfigMap/skupper-site says"
    assert f"{waits} Next: sitectl -n shop update" in told()
    assert shop("check").exit_code == 0, "`kubectl scale` does the same"
    shop.ok("update")
    assert waits not in told()


@pytest.mark.parametrize("keeper", ["argocd.argoproj.io/tracking-id", ""])
def test_check_leaves_objects_that_another_keeps_or_another_version_made_to_them(
    shop: NamespaceLine, cluster: FakeCluster, keeper: str
) -> None:
    cluster.run_router()
    cluster.item("/api/v1/status", STATUS)
    cluster.items("/api/v1/links")
    cluster.items("/api/v1/services")
    deployment = cluster.found("Deployment", "spillway-router")
    notes = deployment["metadata"]["annotations"]
    notes |= {keeper: "x"} if keeper else {"spillway.dev/version": "0.0.9"}
    deployment["spec"]["replicas"] = 2
    assert "is not as ConfigMap" not in " ".join(shop("check").stdout.split())


@pytest.mark.parametrize(
    ("container", "said", "hint"),
    [
        (
            {"name": "router", "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
            "is waiting, CrashLoopBackOff",
            "kubectl -n shop logs spillway-router-2 -c router --previous",
        ),
        (
            {"name": "router", "state": {"running": {}}, "ready": False, "restartCount": 3},
            "runs, and is not ready yet",
            "kubectl -n shop describe pod spillway-router-2",
        ),
        (
            {
                "name": "router",
                "state": {"running": {}},
                "ready": False,
                "restartCount": 3,
                "lastState": {"terminated": {"exitCode": 1}},
            },
            "runs, and is not ready yet: restart 3, after an end with exit code 1",
            "kubectl -n shop logs spillway-router-2 -c router --previous",
        ),
        (
            {
                "name": "router",
                "state": {"running": {"startedAt": "NOW"}},
                "ready": False,
                "restartCount": 3,
                "lastState": {"terminated": {"exitCode": 1}},
            },
            "runs, and is not ready yet: restart 3, after an end with exit code 1",
            "kubectl -n shop logs spillway-router-2 -c router --previous",
        ),
        (  # It ended so days ago, which is not why it is not ready now.
            {
                "name": "router",
                "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
                "ready": False,
                "restartCount": 3,
                "lastState": {"terminated": {"exitCode": 1}},
            },
            "runs, and is not ready yet",
            "kubectl -n shop describe pod spillway-router-2",
        ),
        (
            {
                "name": "router",
                "state": {"running": {}},
                "ready": False,
                "restartCount": 3,
                "lastState": {"terminated": {"exitCode": 137}},
            },
            "runs, and is not ready yet",
            "kubectl -n shop describe pod spillway-router-2",
        ),
        (
            {"name": "router", "state": {"waiting": {"reason": "ImagePullBackOff"}}},
            "is waiting, ImagePullBackOff",
            "kubectl -n shop describe pod spillway-router-2",
        ),
        ({"name": "router", "state": {"waiting": {"reason": "ContainerCreating"}}}, "", ""),
        ({"name": "router", "state": {"running": {}}, "ready": False}, "", ""),
        ({"name": "router", "state": {"terminated": {}}, "restartCount": 1}, "", ""),
    ],
)
def test_check_names_a_pod_of_an_update_that_does_not_get_ready_beside_one_that_serves(
    shop: NamespaceLine, cluster: FakeCluster, container: dict[str, Any], said: str, hint: str
) -> None:
    container = json.loads(json.dumps(container).replace("NOW", stamp_now()))
    cluster.run_router()
    cluster.item("/api/v1/status", STATUS)
    cluster.items("/api/v1/links")
    cluster.items("/api/v1/services")
    cluster.put("Deployment", "spillway-router", spec={"replicas": 1})
    cluster.put(
        "Pod",
        "spillway-router-2",
        metadata={"labels": {"spillway.dev/component": "router"}},
        spec={"containers": [{"name": "router"}]},
        status={"containerStatuses": [container]},
    )
    told = shop("check")
    assert told.exit_code == (3 if said else 0), told.stdout
    lines = " ".join(told.stdout.split())
    why = f": pod spillway-router-2 {said}" if said else ""
    assert f"SW0468 1 of 2 router pods are ready{why}" in lines
    assert hint in lines


@pytest.mark.parametrize("sidecar", [{}, {"running": {}}])
@pytest.mark.parametrize(
    ("age_s", "waits_s", "exit_code"), [(60, 60, 0), (600, 600, 3), (600, 60, 0)]
)
def test_check_warns_of_a_pod_that_is_made_only_after_some_minutes(
    shop: NamespaceLine,
    cluster: FakeCluster,
    sidecar: dict[str, Any],
    age_s: int,
    waits_s: int,
    exit_code: int,
) -> None:
    """As the router's own note does: also beside a sidecar that runs, and after a restart of the
    node, which makes the containers of an old pod again."""
    cluster.run_router()
    cluster.item("/api/v1/status", STATUS)
    cluster.items("/api/v1/links")
    cluster.items("/api/v1/services")
    cluster.put("Deployment", "spillway-router", spec={"replicas": 2})
    made, waits_since = (
        (datetime.now(UTC) - timedelta(seconds=ago_s)).isoformat(timespec="seconds")
        for ago_s in (age_s, waits_s)
    )
    creating = {"waiting": {"reason": "ContainerCreating"}}
    states = {"router": creating, "proxy": sidecar or creating}
    cluster.put(
        "Pod",
        "spillway-router-2",
        metadata={
            "labels": {"spillway.dev/component": "router"},
            "creationTimestamp": made,
        },
        spec={"containers": [{"name": one} for one in states]},
        status={
            "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": waits_since}],
            "containerStatuses": [{"name": one, "state": state} for one, state in states.items()],
        },
    )
    told = shop("check")
    assert told.exit_code == exit_code, told.stdout
    lines = " ".join(told.stdout.split())
    more = "" if exit_code else ", 1 being made"
    assert f"SW0468 1 of 2 router pods are ready{more}" in lines


def test_check_misses_no_pod_that_was_evicted(shop: NamespaceLine, cluster: FakeCluster) -> None:
    cluster.run_router()
    cluster.item("/api/v1/status", STATUS)
    cluster.items("/api/v1/links")
    cluster.items("/api/v1/services")
    waits = {"name": "router", "restartCount": 1, "state": {"waiting": {"reason": "Evicted"}}}
    cluster.put(
        "Pod",
        "spillway-router-2",
        metadata={"labels": {"spillway.dev/component": "router"}},
        spec={"containers": [{"name": "router"}]},
        status={"phase": "Failed", "reason": "Evicted", "containerStatuses": [waits]},
    )
    cluster.put("Deployment", "spillway-router", spec={"replicas": 1})
    told = shop("check")
    assert told.exit_code == 0, told.stdout


def test_check_takes_a_quantity_for_the_same_however_the_server_writes_it(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.run_router()
    cluster.item("/api/v1/status", STATUS)
    cluster.items("/api/v1/links")
    cluster.items("/api/v1/services")
    data = cluster.found("ConfigMap", "skupper-site")["data"]
    data |= {"router-cpu": "1000m", "router-memory": "1024Mi"}
    shop.ok("update")
    (router,) = cluster.found("Deployment", "spillway-router")["spec"]["template"]["spec"][
        "containers"
    ]
    assert router["resources"]["requests"] == {"cpu": "1000m", "memory": "1024Mi"}
    router["resources"]["requests"] = {"cpu": "1", "memory": "1Gi"}
    assert "is not as ConfigMap" not in " ".join(shop("check").stdout.split())
    assert shop("update", "--check").exit_code == 0
    router["resources"]["requests"] = {"cpu": "2", "memory": "1Gi"}
    assert "is not as ConfigMap" in " ".join(shop("check").stdout.split())


def test_waiting_for_an_update_says_why_pods_are_not_replaced(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.run_router()
    refusing(cluster, "exceeded quota: full", observedGeneration=1)
    told = shop.fails(6, "--timeout", "0.1", "init", "--ingress", "none", "--wait", "ready")
    assert "exceeded quota: full" in told
