"""A sidecar in every kind of workload: added parts, untouched parts, refused workloads."""

import base64
import copy
from typing import Any

import kubernetes_validate
import pytest

from router.kubernetes.manifests import SidecarService, sidecar, token_secret
from router.kubernetes.objects.objects import Object
from router.model.errors import ConfigError
from tests.unit.kubernetes.manifests.restricted import check_container, pod_spec

POD: dict[str, Any] = {
    "containers": [
        {
            "name": "app",
            "image": "app:1",
            "ports": [{"containerPort": 3000}],
            "env": [{"name": "A", "value": "b"}],
        }
    ],
    "initContainers": [{"name": "migrate", "image": "app:1"}],
    "volumes": [{"name": "data", "emptyDir": {}}],
    "hostAliases": [{"ip": "127.0.0.2", "hostnames": ["mine"]}],
    "restartPolicy": "OnFailure",
}
SHOP, DB = SidecarService("shop", (8080,)), SidecarService("db", (5432, 9187))
META = {"name": "web", "namespace": "west"}
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": POD}


def workload(kind: str) -> dict[str, Any]:
    """One of every kind, with the same pod."""
    template = copy.deepcopy(TEMPLATE)
    if kind == "Deployment":
        template["spec"]["restartPolicy"] = "Always"
        spec: Any = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
        return {"apiVersion": "apps/v1", "kind": kind, "metadata": dict(META), "spec": spec}
    if kind == "Pod":
        return {"apiVersion": "v1", "kind": kind, "metadata": dict(META), "spec": template["spec"]}
    spec = {"template": template}
    if kind == "CronJob":
        spec = {"schedule": "* * * * *", "jobTemplate": {"spec": spec}}
    return {"apiVersion": "batch/v1", "kind": kind, "metadata": dict(META), "spec": spec}


def made(found: Object, *services: SidecarService, native: bool = True) -> Any:
    return sidecar(found, services or (SHOP, DB), "t", image="spillway:1", native=native).workload


@pytest.mark.parametrize("kind", ["Deployment", "Job", "CronJob", "Pod"])
def test_a_native_sidecar_comes_first_and_all_else_stays(kind: str) -> None:
    before = workload(kind)
    kept = copy.deepcopy(before)
    after = made(before)
    assert before == kept, "what was given is not changed"
    kubernetes_validate.validate(after, "1.37", strict=True)
    pod = pod_spec(after)
    ours, theirs = pod["initContainers"]
    check_container(ours)
    assert theirs == POD["initContainers"][0]
    assert ours["restartPolicy"] == "Always"
    assert ours["startupProbe"]["httpGet"]["path"] == "/readyz?service=shop&service=db"
    assert pod["containers"] == POD["containers"]
    assert pod["volumes"][0] == POD["volumes"][0]
    token = next(v["secret"] for v in pod["volumes"] if "secret" in v)
    assert token["defaultMode"] == 0o444  # Any user id may run it, in this container alone.
    assert list(after) == list(before)


def test_services_have_an_address_of_their_own_and_their_names_lead_there() -> None:
    pod = pod_spec(made(workload("Deployment")))
    assert pod["hostAliases"] == [
        {"ip": "127.0.0.2", "hostnames": ["mine"]},
        {"ip": "127.0.0.3", "hostnames": ["shop", "shop.west", "shop.west.svc"]},
        {"ip": "127.0.0.4", "hostnames": ["db", "db.west", "db.west.svc"]},
    ]
    words = pod["initContainers"][0]["args"]
    assert words[:3] == ["run", "--init", "--ephemeral"]
    assert [word for word in words if "=" in word] == [
        "shop=127.0.0.3:auto",
        "db=127.0.0.4:auto",
    ]


def test_done_again_it_changes_nothing_and_with_other_services_only_these() -> None:
    once = made(workload("Deployment"))
    assert made(once) == once
    assert made(once, DB) == made(workload("Deployment"), DB)


def test_low_ports_take_a_safe_sysctl_only_where_there_may_be_some() -> None:
    low = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    assert "securityContext" not in pod_spec(made(workload("Deployment"), SHOP))
    for service in (SidecarService("web", (80,)), SidecarService("unknown")):
        pod = pod_spec(made(workload("Deployment"), service))
        assert pod["securityContext"]["sysctls"] == low
    twice = made(made(workload("Pod"), SidecarService("a")), SidecarService("a"))
    assert pod_spec(twice)["securityContext"]["sysctls"] == low


def test_a_plain_container_holds_the_others_back_and_is_replaced_by_a_native_one() -> None:
    plain = made(workload("Deployment"), native=False)
    pod = pod_spec(plain)
    kubernetes_validate.validate(plain, "1.28", strict=True)
    check_container(pod["containers"][0])
    assert "restartPolicy" not in pod["containers"][0]
    hook = pod["containers"][0]["lifecycle"]["postStart"]["exec"]["command"]
    path = pod["containers"][0]["startupProbe"]["httpGet"]["path"]
    assert hook[:2] == ["python3", "-c"] and f"55672{path}" in hook[2]
    compile(hook[2], "hook", "exec")
    assert pod["initContainers"] == POD["initContainers"]
    native = pod_spec(made(plain))
    assert [one["name"] for one in native["containers"]] == ["app"]
    assert [one["name"] for one in native["initContainers"]] == ["spillway", "migrate"]


def test_the_api_credential_of_the_pod_is_not_the_sidecars() -> None:
    ours = pod_spec(made(workload("Pod")))["initContainers"][0]
    places = {mount["mountPath"] for mount in ours["volumeMounts"]}
    assert "/var/run/secrets/kubernetes.io/serviceaccount" in places


def test_beside_a_container_of_root_it_is_somebody_else() -> None:
    rooted = workload("Pod")
    rooted["spec"]["securityContext"] = {"runAsUser": 0}
    ours = pod_spec(made(rooted))["initContainers"][0]
    assert ours["securityContext"]["runAsUser"] == 1001


@pytest.mark.parametrize(
    ("found", "native", "code"),
    [
        ({"kind": "Service", "metadata": META}, True, "SW0452"),
        (workload("Job"), False, "SW0453"),
        (workload("CronJob"), False, "SW0453"),
        ({**workload("Pod"), "spec": {**POD, "hostNetwork": True}}, True, "SW0454"),
    ],
)
def test_what_cannot_have_a_sidecar_says_why(found: Object, native: bool, code: str) -> None:
    with pytest.raises(ConfigError) as told:
        made(found, native=native)
    assert told.value.code == code
    assert told.value.source.endswith("/web")
    assert told.value.hint


def test_no_services_and_too_many_are_refused() -> None:
    many = [SidecarService(f"s{number}") for number in range(201)]
    for services in ([], many):
        with pytest.raises(ConfigError) as told:
            sidecar(workload("Pod"), services, "t", image="i")
        assert told.value.code == "SW0455"


def test_a_port_that_application_and_service_share_is_reported() -> None:
    found = sidecar(
        workload("Pod"), [SidecarService("api", (3000,)), SHOP], "t", image="spillway:1"
    )
    (error,) = found.errors
    assert error.code == "SW0456"
    assert "3000" in error.reason and "api" in error.reason and "app" in error.reason


def test_the_tokens_secret_is_no_link_of_the_namespaces_own_site() -> None:
    secret = token_secret("t", "west", "kind: Secret\n")
    kubernetes_validate.validate(dict(secret), "1.37", strict=True)
    assert not [key for key in secret["metadata"]["labels"] if key.startswith("skupper.io/")]
    assert base64.b64decode(secret["data"]["token.yaml"]) == b"kind: Secret\n"
