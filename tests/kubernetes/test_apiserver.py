"""kubectl drives the API server: what a user does with it works as on a real cluster."""

import json

import pytest

from tests.kubernetes.client import Kubectl
from tests.kubernetes.manifests import config_map, pod, service, sleeping, workload


def test_apply_creates_then_changes_nothing_then_changes_what_differs(kubectl: Kubectl) -> None:
    web = workload("Deployment", "web", sleeping("web"), 1)
    assert "web created" in kubectl.apply(web).out
    assert "web unchanged" in kubectl.apply(web).out
    web["spec"]["replicas"] = 2
    assert "web configured" in kubectl.apply(web).out
    assert kubectl.get("deployment", "web")["spec"]["replicas"] == 2


def test_apply_removes_what_was_applied_before_and_is_left_out_now(kubectl: Kubectl) -> None:
    kubectl.apply(config_map("a", {"one": "1", "two": "2"}, labels={"x": "y", "z": "z"}))
    kubectl("label", "configmap", "a", "other=kept")
    kubectl.apply(config_map("a", {"one": "1"}, labels={"z": "z"}))
    found = kubectl.get("configmap", "a")
    assert found["data"] == {"one": "1"}
    assert found["metadata"]["labels"] == {"other": "kept", "z": "z"}


def test_apply_merges_lists_by_their_keys(kubectl: Kubectl) -> None:
    web = workload("Deployment", "web", sleeping("web"), 0)
    kubectl.apply(web)
    sidecar = {"name": "sidecar", "image": "busybox:1.36"}
    patch = {"spec": {"template": {"spec": {"containers": [sidecar]}}}}
    kubectl("patch", "deployment", "web", "-p", _text(patch))
    web["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "1"}]
    kubectl.apply(web)
    containers = kubectl.get("deployment", "web")["spec"]["template"]["spec"]["containers"]
    assert {each["name"] for each in containers} == {"main", "sidecar"}
    assert next(c for c in containers if c["name"] == "main")["env"][0]["value"] == "1"


def test_apply_refuses_an_unknown_field_by_name(kubectl: Kubectl) -> None:
    web = workload("Deployment", "web", sleeping("web"), 1, replcas=2)
    done = kubectl("apply", "-f", "-", given=web, code=1)
    assert 'strict decoding error: unknown field "spec.replcas"' in done.err


def test_server_side_apply_names_each_conflict_and_force_takes_the_field(
    kubectl: Kubectl,
) -> None:
    kubectl.apply(config_map("a", {"k": "1"}), flags=("--server-side", "--field-manager=one"))
    mine = config_map("a", {"k": "2"})
    words = ("apply", "--server-side", "--field-manager=two", "-f", "-")
    refused = kubectl(*words, given=mine, code=1)
    assert 'Apply failed with 1 conflict: conflict with "one": .data.k' in refused.err
    kubectl(*words, "--force-conflicts", given=mine)
    found = kubectl.get("configmap", "a", "--show-managed-fields")
    assert found["data"] == {"k": "2"}
    owners = [
        entry["manager"]
        for entry in found["metadata"]["managedFields"]
        if "f:k" in entry["fieldsV1"].get("f:data", {})
    ]
    assert owners == ["two"]


def test_server_side_apply_removes_only_what_nobody_else_applied(kubectl: Kubectl) -> None:
    ssa = ("--server-side",)
    kubectl.apply(config_map("a", {"mine": "1", "both": "1"}), flags=(*ssa, "--field-manager=one"))
    kubectl.apply(config_map("a", {"both": "1"}), flags=(*ssa, "--field-manager=two"))
    kubectl.apply(config_map("a", {}), flags=(*ssa, "--field-manager=one"))
    assert kubectl.get("configmap", "a")["data"] == {"both": "1"}


def test_server_side_apply_again_writes_nothing(kubectl: Kubectl) -> None:
    web = workload("Deployment", "web", sleeping("web"), 0)
    web_service = service("web", "web", {"name": "http", "port": 80, "targetPort": "http"})
    kubectl.apply(web, web_service, flags=("--server-side",))
    before = kubectl.get("service", "web")["metadata"]["resourceVersion"]
    kubectl.apply(web, web_service, flags=("--server-side",))
    assert kubectl.get("service", "web")["metadata"]["resourceVersion"] == before
    assert kubectl.get("deployment", "web")["metadata"]["generation"] == 1


def test_client_side_applied_objects_move_to_server_side_apply(kubectl: Kubectl) -> None:
    kubectl.apply(config_map("a", {"one": "1", "two": "2"}))
    kubectl.apply(config_map("a", {"one": "1"}), flags=("--server-side",))
    assert kubectl.get("configmap", "a")["data"] == {"one": "1"}


def test_diff_shows_what_apply_would_do_and_does_nothing(kubectl: Kubectl) -> None:
    kubectl.apply(config_map("a", {"k": "1"}))
    done = kubectl("diff", "-f", "-", given=config_map("a", {"k": "2"}), code=1)
    assert '+  k: "2"' in done.out
    assert kubectl.get("configmap", "a")["data"] == {"k": "1"}


def test_dry_run_on_the_server_validates_and_stores_nothing(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "a", "--dry-run=server")
    assert "NotFound" in kubectl("get", "configmap", "a", code=1).err
    bad = kubectl("create", "configmap", "A_", "--dry-run=server", code=1)
    assert 'ConfigMap "A_" is invalid: metadata.name: Invalid value: "A_"' in bad.err


def test_get_prints_columns_names_and_paths(kubectl: Kubectl) -> None:
    kubectl.apply(service("web", "web"), config_map("a", {"k": "1"}))
    shown = kubectl("get", "service", "web", "-o", "wide").out
    assert "CLUSTER-IP" in shown
    assert "80/TCP" in shown
    names = kubectl("get", "cm,svc", "-o", "name").out.split()
    assert {"configmap/a", "service/web"} <= set(names)
    assert kubectl("get", "cm", "a", "-o", "jsonpath={.data.k}").out == "1"
    assert "k: " in kubectl("get", "cm", "a", "-o", "yaml").out
    assert "Selector:" in kubectl("describe", "service", "web").out


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (("-l", "tier=front"), {"a"}),
        (("-l", "tier!=front,tier"), {"b"}),
        (("-l", "tier in (front,back)"), {"a", "b"}),
        (("-l", "!tier"), {"c", "kube-root-ca.crt"}),
        (("--field-selector", "metadata.name=c"), {"c"}),
    ],
)
def test_selectors_select(kubectl: Kubectl, flags: tuple[str, ...], names: set[str]) -> None:
    kubectl.apply(
        config_map("a", labels={"tier": "front"}),
        config_map("b", labels={"tier": "back"}),
        config_map("c"),
    )
    kubectl("wait", "--for=create", "configmap/kube-root-ca.crt", "--timeout=10s")
    found = kubectl.get("configmaps", *flags)["items"]
    known = {"a", "b", "c", "kube-root-ca.crt"}  # OpenShift adds another.
    assert {each["metadata"]["name"] for each in found} & known == names


def test_annotate_label_and_three_kinds_of_patch(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "a", "--from-literal=k=1")
    kubectl("annotate", "cm", "a", "note=first")
    assert "already has a value" in kubectl("annotate", "cm", "a", "note=2", code=1).err
    kubectl("annotate", "cm", "a", "note=second", "--overwrite")
    kubectl("label", "cm", "a", "tier=front")
    kubectl("label", "cm", "a", "tier-")
    kubectl("patch", "cm", "a", "--type=merge", "-p", '{"data":{"k":null,"l":"2"}}')
    kubectl("patch", "cm", "a", "-p", '{"data":{"m":"3"}}')
    operation = '[{"op":"test","path":"/data/l","value":"2"},{"op":"remove","path":"/data/l"}]'
    kubectl("patch", "cm", "a", "--type=json", "-p", operation)
    refused = kubectl("patch", "cm", "a", "--type=json", "-p", operation, code=1)
    assert "the server rejected our request" in refused.err
    found = kubectl.get("cm", "a")
    assert found["data"] == {"m": "3"}
    assert found["metadata"]["annotations"] == {"note": "second"}
    assert "labels" not in found["metadata"] or not found["metadata"]["labels"]


def test_a_rollout_replaces_every_pod_and_can_be_undone(kubectl: Kubectl) -> None:
    kubectl.apply(workload("Deployment", "web", sleeping("web"), 2))
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    first = _pods(kubectl)
    kubectl("rollout", "restart", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    second = _pods(kubectl)
    assert len(second) >= 2
    assert "restartedAt" in str(kubectl.get("deployment", "web"))
    kubectl("rollout", "undo", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    assert not first & _pods(kubectl)
    assert "REVISION" in kubectl("rollout", "history", "deployment/web").out


def test_scale_and_wait(kubectl: Kubectl) -> None:
    kubectl.apply(workload("Deployment", "web", sleeping("web"), 1))
    kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=30s")
    kubectl("scale", "deployment/web", "--replicas=3")
    kubectl("wait", "--for=jsonpath={.status.readyReplicas}=3", "deploy/web", "--timeout=30s")
    kubectl("scale", "deployment/web", "--replicas=0")
    kubectl("wait", "--for=delete", "pod", "-l", "app=web", "--timeout=30s")


def test_exec_carries_input_output_and_the_exit_code(kubectl: Kubectl) -> None:
    kubectl.apply({**sleeping("one"), **{"apiVersion": "v1", "kind": "Pod"}, **_named("one")})
    kubectl("wait", "--for=condition=Ready", "pod/one", "--timeout=30s")
    done = kubectl("exec", "one", "--", "sh", "-c", "echo out; echo err >&2; exit 7", code=7)
    assert done.out == "out\n"
    assert "err\n" in done.err
    assert kubectl("exec", "-i", "one", "--", "cat", given="fed\n").out == "fed\n"
    assert kubectl("exec", "one", "--", "cat", "/proc/self/comm").out == "cat\n"
    assert kubectl("logs", "one").out == "begun\n"


def test_logs_and_exec_of_a_pod_with_two_containers_want_a_name(kubectl: Kubectl) -> None:
    found = {**sleeping("two"), "apiVersion": "v1", "kind": "Pod", **_named("two")}
    found["spec"]["containers"].append({**found["spec"]["containers"][0], "name": "other"})
    kubectl.apply(found)
    kubectl("wait", "--for=condition=Ready", "pod/two", "--timeout=30s")
    assert kubectl("logs", "two", "-c", "other").out == "begun\n"
    assert kubectl("logs", "two", "--all-containers", "--prefix").out.count("begun") == 2


def test_delete_ends_what_belongs_to_it(kubectl: Kubectl) -> None:
    kubectl.apply(workload("Deployment", "web", sleeping("web"), 1))
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    kubectl("delete", "deployment/web", "--cascade=foreground", "--timeout=30s")
    assert kubectl.get("pods,replicasets")["items"] == []


def test_deleting_without_cascade_leaves_the_pods(kubectl: Kubectl) -> None:
    kubectl.apply(workload("Deployment", "web", sleeping("web"), 1))
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    kubectl("delete", "deployment/web", "--cascade=orphan")
    (left,) = kubectl.get("replicasets")["items"]
    assert not left["metadata"].get("ownerReferences")


def test_deleting_a_namespace_deletes_what_is_in_it(kubectl: Kubectl) -> None:
    place = f"{kubectl.namespace}-b"
    kubectl("create", "namespace", place)
    kubectl("create", "configmap", "a", "--namespace", place)
    kubectl("delete", "namespace", place, "--timeout=30s")
    assert "NotFound" in kubectl("get", "namespace", place, code=1).err
    refused = kubectl("create", "cm", "a", "--namespace", place, code=1)
    assert f'namespaces "{place}" not found' in refused.err


def test_auth_can_i_and_whoami(kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "delete", "secrets").out == "yes\n"
    account = f"system:serviceaccount:{kubectl.namespace}:nobody"
    assert "Username" in kubectl("auth", "whoami").out
    kubectl("create", "serviceaccount", "nobody")
    token = kubectl("create", "token", "nobody").out.strip()
    assert token
    shown = kubectl("get", "rolebindings", "-o", "name").out
    assert account not in shown


def test_replace_needs_the_version_that_was_read(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "a", "--from-literal=k=1")
    read = kubectl.get("cm", "a")
    kubectl("patch", "cm", "a", "-p", '{"data":{"k":"2"}}')
    read["data"]["k"] = "3"
    refused = kubectl("replace", "-f", "-", given=read, code=1)
    assert "the object has been modified; please apply your changes to the latest" in refused.err
    del read["metadata"]["resourceVersion"]
    kubectl("replace", "-f", "-", given=read)
    assert kubectl.get("cm", "a")["data"]["k"] == "3"


def test_explain_and_api_resources_read_discovery(kubectl: Kubectl) -> None:
    assert "loadBalancerClass" in kubectl("explain", "service.spec").out
    shown = kubectl("api-resources", "--namespaced=true", "-o", "name").out.split()
    assert {"pods", "deployments.apps", "endpointslices.discovery.k8s.io"} <= set(shown)


def test_typed_creations_arrive_whole(kubectl: Kubectl) -> None:
    kubectl("create", "role", "reader", "--verb=get,list", "--resource=secrets,deployments.apps")
    rules = kubectl.get("role", "reader")["rules"]
    assert {tuple(each["apiGroups"]) for each in rules} == {("",), ("apps",)}
    kubectl("create", "rolebinding", "b", "--role=reader", "--serviceaccount=x:y")
    assert kubectl.get("rolebinding", "b")["subjects"][0]["namespace"] == "x"
    kubectl("create", "secret", "generic", "s", "--from-literal=k=v")
    assert kubectl.get("secret", "s")["data"] == {"k": "dg=="}
    kubectl("create", "service", "nodeport", "n", "--tcp=80:http", "--node-port=31234")
    port = kubectl.get("service", "n")["spec"]["ports"][0]
    assert (port["nodePort"], port["targetPort"]) == (31234, "http")
    kubectl("create", "deployment", "d", "--image=busybox:1.36", "--replicas=0")
    assert kubectl.get("deployment", "d")["spec"]["replicas"] == 0


def _pods(kubectl: Kubectl) -> set[str]:
    found = kubectl.get("pods", "-l", "app=web")["items"]
    return {each["metadata"]["name"] for each in found}


def _named(name: str) -> dict[str, dict[str, str]]:
    return {"metadata": {"name": name}}


def _text(value: object) -> str:
    return json.dumps(value)


def test_a_pod_may_not_change_later(kubectl: Kubectl) -> None:
    kubectl.apply(pod("one"))
    patch = '{"spec":{"containers":[{"name":"main","command":["sleep","1"]}]}}'
    refused = kubectl("patch", "pod", "one", "-p", patch, code=1)
    assert "pod updates may not change fields other than" in refused.err
