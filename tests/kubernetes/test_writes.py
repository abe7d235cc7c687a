"""Refused, defaulted and allocated fields; concurrency, deletion, finalizers."""

import base64
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from lightkube import ApiError, Client, KubeConfig
from lightkube.generic_resource import create_namespaced_resource
from lightkube.types import PatchType

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.failures import Failure
from tests.kubernetes.manifests import Json, config_map, pod, service, workload
from tests.scenario.waiting import until

MAP: Any = create_namespaced_resource("", "v1", "ConfigMap", "configmaps")
SERVICE: Any = create_namespaced_resource("", "v1", "Service", "services")
LEASE: Any = create_namespaced_resource("coordination.k8s.io", "v1", "Lease", "leases")
ROUTE: Any = create_namespaced_resource("route.openshift.io", "v1", "Route", "routes")
HTTP, METRICS = {"name": "http", "port": 80}, {"name": "metrics", "port": 9090}


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Any]:
    """A client with a field manager; its overloads do not know generic resources."""
    config = KubeConfig.from_file(cluster.kubeconfig()).get()
    found = Client(config, trust_env=False, field_manager="tests")
    yield found
    found.close()


@pytest.mark.parametrize(
    ("found", "field", "text"),
    [
        (config_map("A_b"), "metadata.name", "a lowercase RFC 1123 subdomain must consist"),
        (config_map("a", labels={"x": "not ok"}), "metadata.labels", "a valid label must be"),
        (config_map("a", {"no/key": "1"}), "data[no/key]", "a valid config key must consist"),
        (config_map("a", {"k": "x" * 2**20 + "x"}), "[]", "Too long: may not be more than 1048576"),
        (service("s_1"), "metadata.name", "label must consist"),
        (service("s", "", HTTP, {"port": 81}), "spec.ports[1].name", "Required value"),
        (service("s", "", HTTP, {**HTTP, "port": 81}), "spec.ports[1].name", "Duplicate value"),
        (
            service("s", "", {"port": 80, "targetPort": "much-too-long-name"}),
            "spec.ports[0].targetPort",
            "must be no more than 15 characters",
        ),
        (service("s", "", {"port": 0}), "spec.ports[0].port", "must be between 1 and 65535"),
        (service("s", "", type="Odd"), "spec.type", 'Unsupported value: "Odd"'),
        (service("s", "", type="ExternalName"), "spec.externalName", "Required value"),
        (
            service("s", "", {"port": 80, "nodePort": 80}, type="NodePort"),
            "spec.ports[0].nodePort",
            "The range of valid ports is 30000-32767",
        ),
        (
            {
                "kind": "Secret",
                "metadata": {"name": "s"},
                "type": "kubernetes.io/tls",
                "data": {"tls.crt": ""},
            },
            "data[tls.key]",
            "Required value",
        ),
        (
            pod("p", ports=[{"containerPort": 70000}]),
            "spec.containers[0].ports[0].containerPort",
            "65535",
        ),
        (
            pod("p", ports=[{"name": "much-too-long-name", "containerPort": 1}]),
            "spec.containers[0].ports[0].name",
            "must be no more than 15 characters",
        ),
        (
            pod("p", volumeMounts=[{"name": "none", "mountPath": "/x"}]),
            "spec.containers[0].volumeMounts[0].name",
            'Not found: "none"',
        ),
        (
            workload("Deployment", "d", {"metadata": {"labels": {"a": "b"}}, "spec": {}}),
            "spec.template.spec.containers",
            "Required value",
        ),
    ],
)
def test_what_is_invalid_is_refused_with_its_field(
    cluster: Cluster, found: Json, field: str, text: str
) -> None:
    with pytest.raises(Failure) as refused:
        cluster.create_object(found)
    status = refused.value.status()
    assert (status["code"], status["reason"]) == (422, "Invalid")
    assert f'"{found["metadata"]["name"]}" is invalid: ' in status["message"]
    assert field in {each["field"] for each in status["details"]["causes"]}
    assert text in status["message"]


def test_what_cannot_be_decoded_is_a_bad_request(cluster: Cluster) -> None:
    secret = {"kind": "Secret", "metadata": {"name": "s"}}
    for found, text in (
        ({**secret, "data": {"k": "no base64!"}}, "illegal base64 data"),
        (config_map("a", {"k": 1}), r"Go struct field ConfigMap\.data of type"),
        (service("s") | {"spec": {"ports": "80"}}, r"Go struct field ServiceSpec\.spec\.ports of"),
    ):
        with pytest.raises(Failure, match=text) as refused:
            cluster.create_object(found)
        assert refused.value.code == 400


def test_times_and_quantities_are_read_as_go_reads_them(cluster: Cluster) -> None:
    lease = {"kind": "Lease", "metadata": {"name": "l"}}
    with pytest.raises(Failure, match=r"05\.000000Z07:00"):
        cluster.create_object({**lease, "spec": {"renewTime": "2026-01-02T03:04:05Z"}})
    cluster.create_object({**lease, "spec": {"renewTime": "2026-01-02T03:04:05.000001Z"}})
    container = {"resources": {"limits": {"memory": "64 Megs"}}}
    with pytest.raises(Failure, match="quantities must match the regular expression"):
        cluster.create_object(pod("p", **container))


def test_an_event_belongs_to_the_namespace_of_its_object(cluster: Cluster) -> None:
    event = {"kind": "Event", "metadata": {"name": "e"}, "reason": "r"}
    with pytest.raises(Failure, match=r'"x": does not match event\.namespace'):
        cluster.create_object({**event, "involvedObject": {"kind": "Pod", "namespace": "x"}})
    cluster.create_object({**event, "involvedObject": {"kind": "Pod", "namespace": "default"}})


def _refuses(cluster: Cluster, made: Json, namespace: str = "default") -> bool:
    """Whether a quota refuses ``made``. A real server admits until a controller has counted."""
    try:
        cluster.create_object(made, namespace)
    except Failure:
        return True
    cluster.delete(made["kind"], made["metadata"]["name"], namespace, gracePeriodSeconds=0)
    return False


def test_a_quota_admits_only_pods_that_state_what_it_limits(cluster: Cluster) -> None:
    hard = {"limits.memory": "1Gi", "requests.cpu": "1"}
    cluster.create("ResourceQuota", "q", spec={"hard": hard})
    until(lambda: _refuses(cluster, pod("early")), "the quota counts")
    with pytest.raises(Failure, match=r"failed quota: q: must specify limits\.memory for: main"):
        cluster.create_object(pod("p"))
    limits = {"limits": {"memory": "64Mi", "cpu": "1"}}
    cluster.create_object(pod("p", resources=limits))


def test_a_quota_has_room_for_so_many_objects(cluster: Cluster) -> None:
    hard = {"configmaps": "1", "count/deployments.apps": 0, "services.loadbalancers": 0}
    cluster.create("Namespace", "full")
    until(lambda: cluster.get("ConfigMap", "kube-root-ca.crt", "full"), "one ConfigMap is there")
    cluster.create("ResourceQuota", "q", "full", spec={"hard": hard})
    until(lambda: _refuses(cluster, config_map("early", {}), "full"), "the quota counts")
    text = r"exceeded quota: q, requested: configmaps=1, used: configmaps=\d, limited: configmaps=1"
    with pytest.raises(Failure, match=rf'configmaps "a" is forbidden: {text}'):
        cluster.create("ConfigMap", "a", "full")
    with pytest.raises(Failure, match=r"requested: count/deployments\.apps=1"):
        cluster.create_object(workload("Deployment", "d", pod_like("d")), "full")
    balanced = service("s", "s", type="LoadBalancer")
    with pytest.raises(Failure, match=r"requested: services\.loadbalancers=1"):
        cluster.create_object(balanced, "full")
    cluster.create_object(service("s", "s"), "full")
    cluster.delete("ResourceQuota", "q", "full")
    cluster.create("ConfigMap", "a", "full")


def test_a_limit_range_fills_in_and_refuses(cluster: Cluster) -> None:
    """The words are those that `sitectl check` reads."""
    most = {"type": "Container", "max": {"memory": "256Mi"}, "default": {"memory": "128Mi"}}
    cluster.create("LimitRange", "small", spec={"limits": [most]})
    made = cluster.create_object(pod("p"))
    (container,) = made["spec"]["containers"]
    assert container["resources"]["limits"] == {"memory": "128Mi"}
    text = "maximum memory usage per Container is 256Mi, but limit is 512Mi"
    with pytest.raises(Failure, match=rf'pods "q" is forbidden: {text}'):
        cluster.create_object(pod("q", resources={"limits": {"memory": "512Mi"}}))


def test_unknown_fields_are_dropped_and_named_in_a_warning(cluster: Cluster, client: Any) -> None:
    made = client.create(MAP(**{"metadata": {"name": "a"}, "daat": {}}), namespace="default")
    assert "daat" not in made
    assert client.get(MAP, "a", namespace="default").metadata is not None


def test_a_new_object_gets_what_the_server_gives(cluster: Cluster) -> None:
    made = cluster.create_object(workload("Deployment", "d", pod_like("d")))
    metadata = made["metadata"]
    assert metadata["generation"] == 1
    assert metadata["uid"]
    assert metadata["creationTimestamp"].endswith("Z")
    assert made["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": "25%", "maxUnavailable": "25%"}
    container = made["spec"]["template"]["spec"]["containers"][0]
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert container["terminationMessagePath"] == "/dev/termination-log"
    named = cluster.create_object({"kind": "ConfigMap", "metadata": {"generateName": "x-"}})
    assert named["metadata"]["name"].startswith("x-")
    assert len(named["metadata"]["name"]) == 7


def test_the_generation_counts_changes_of_the_specification_only(cluster: Cluster) -> None:
    cluster.create_object(workload("ReplicaSet", "r", pod_like("r"), 0))
    labelled = cluster.patch("ReplicaSet", "r", {"metadata": {"labels": {"a": "b"}}})
    assert labelled["metadata"]["generation"] == 1
    assert (
        cluster.patch("ReplicaSet", "r", {"spec": {"replicas": 1}})["metadata"]["generation"] == 2
    )


def test_a_write_that_changes_nothing_makes_no_new_version(cluster: Cluster, client: Any) -> None:
    made = cluster.create_object(service("s", "app"))
    client.replace(SERVICE(**made), namespace="default")
    client.patch(SERVICE, "s", {"metadata": {"labels": None}}, patch_type=PatchType.MERGE)
    assert cluster.get("Service", "s") == made


def test_an_update_of_an_old_version_conflicts(cluster: Cluster, client: Any) -> None:
    old = client.create(MAP(**config_map("a", {"k": "1"})), namespace="default")
    cluster.patch("ConfigMap", "a", {"data": {"k": "2"}})
    old["data"] = {"k": "3"}
    with pytest.raises(ApiError) as refused:
        client.replace(old, namespace="default")
    assert (refused.value.status.code, refused.value.status.reason) == (409, "Conflict")
    assert 'Operation cannot be fulfilled on configmaps "a": the object has been modified' in str(
        refused.value.status.message
    )


def test_a_lease_is_never_replaced_without_its_version(cluster: Cluster, client: Any) -> None:
    client.create(LEASE(**{"metadata": {"name": "l"}, "spec": {}}), namespace="default")
    with pytest.raises(ApiError) as refused:
        client.replace(
            LEASE(**{"metadata": {"name": "l"}, "spec": {"holderIdentity": "x"}}),
            namespace="default",
        )
    assert refused.value.status.code == 422
    assert "must be specified for an update" in str(refused.value.status.message)


def test_two_creations_of_one_name_end_in_already_exists(cluster: Cluster, client: Any) -> None:
    client.create(MAP(**config_map("a")), namespace="default")
    with pytest.raises(ApiError) as refused:
        client.create(MAP(**config_map("a")), namespace="default")
    assert (refused.value.status.code, refused.value.status.reason) == (409, "AlreadyExists")


def test_lightkube_applies_with_its_field_manager(cluster: Cluster, client: Any) -> None:
    wanted = service("s", "app", HTTP)
    client.apply(SERVICE(**wanted), namespace="default")
    before = cluster.get("Service", "s")
    client.apply(SERVICE(**service("s", "app", HTTP)), namespace="default")
    assert cluster.get("Service", "s") == before
    assert before is not None
    (entry,) = before["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("tests", "Apply")
    ports = entry["fieldsV1"]["f:spec"]["f:ports"]
    assert set(ports['k:{"port":80,"protocol":"TCP"}']) == {".", "f:name", "f:port"}
    client.apply(SERVICE(**service("s", "app", METRICS)), namespace="default")
    found = cluster.get("Service", "s")
    assert found is not None
    assert [each["port"] for each in found["spec"]["ports"]] == [9090]


def test_string_data_becomes_data(cluster: Cluster) -> None:
    made = cluster.create("Secret", "s", stringData={"k": "v"})
    assert made["data"] == {"k": base64.b64encode(b"v").decode()}
    assert made["type"] == "Opaque"
    assert "stringData" not in made


def test_immutable_data_stays(cluster: Cluster) -> None:
    cluster.create("ConfigMap", "a", data={"k": "1"}, immutable=True)
    with pytest.raises(Failure, match="field is immutable when `immutable` is set"):
        cluster.patch("ConfigMap", "a", {"data": {"k": "2"}})
    cluster.patch("ConfigMap", "a", {"metadata": {"labels": {"x": "y"}}})


def test_a_service_keeps_its_addresses_through_updates_that_leave_them_out(
    cluster: Cluster, client: Any
) -> None:
    made = cluster.create_object(service("s", "app", type="NodePort"))
    address, port = made["spec"]["clusterIP"], made["spec"]["ports"][0]["nodePort"]
    assert 30_000 <= port <= 32_767
    client.replace(SERVICE(**service("s", "app", type="NodePort")), namespace="default")
    found = cluster.get("Service", "s")
    assert found is not None
    assert (found["spec"]["clusterIP"], found["spec"]["ports"][0]["nodePort"]) == (address, port)
    with pytest.raises(Failure, match="may not change once set"):
        cluster.patch("Service", "s", {"spec": {"clusterIP": "10.96.7.7", "clusterIPs": None}})
    plain = cluster.patch("Service", "s", {"spec": {"type": "ClusterIP"}})
    assert "nodePort" not in plain["spec"]["ports"][0]
    external = {"type": "ExternalName", "externalName": "db.example.test"}
    assert "clusterIP" not in cluster.patch("Service", "s", {"spec": external})["spec"]
    again = {"type": "ClusterIP", "externalName": None}
    assert cluster.patch("Service", "s", {"spec": again})["spec"]["clusterIP"]


def test_two_services_never_share_an_address_or_a_node_port(cluster: Cluster) -> None:
    made = [
        cluster.create_object(service(f"s{number}", "app", type="NodePort")) for number in range(50)
    ]
    assert len({each["spec"]["clusterIP"] for each in made}) == 50
    assert len({each["spec"]["ports"][0]["nodePort"] for each in made}) == 50
    taken = made[0]["spec"]["ports"][0]["nodePort"]
    with pytest.raises(Failure, match="provided port is already allocated"):
        port = {"port": 80, "nodePort": taken}
        cluster.create_object(service("late", "app", port, type="NodePort"))
    headless = cluster.create_object(service("h", "app", clusterIP="None"))
    assert headless["spec"]["clusterIPs"] == ["None"]


def test_finalizers_hold_a_deletion_until_they_are_gone(cluster: Cluster) -> None:
    cluster.create("ConfigMap", "a", metadata={"finalizers": ["example.test/keep"]})
    cluster.delete("ConfigMap", "a")
    held = cluster.get("ConfigMap", "a")
    assert held is not None
    assert "deletionTimestamp" in held["metadata"]
    cluster.patch("ConfigMap", "a", {"metadata": {"finalizers": None}})
    assert cluster.get("ConfigMap", "a") is None


def test_a_namespace_with_a_finalizer_in_it_stays_terminating(cluster: Cluster) -> None:
    cluster.create("Namespace", "n")
    cluster.create("ConfigMap", "a", "n", metadata={"finalizers": ["example.test/keep"]})
    cluster.create("ConfigMap", "b", "n")
    cluster.delete("Namespace", "n")
    until(lambda: cluster.get("ConfigMap", "b", "n") is None, "the rest goes")
    found = cluster.get("Namespace", "n")
    assert found is not None
    assert found["status"]["phase"] == "Terminating"
    with pytest.raises(Failure, match="because it is being terminated"):
        cluster.create("ConfigMap", "c", "n")
    cluster.patch("ConfigMap", "a", {"metadata": {"finalizers": None}}, "n")
    until(lambda: cluster.get("Namespace", "n") is None, "the namespace goes")


def test_preconditions_protect_a_successor_of_the_same_name(cluster: Cluster) -> None:
    old = cluster.create("ConfigMap", "a")
    cluster.delete("ConfigMap", "a")
    cluster.create("ConfigMap", "a")
    with pytest.raises(Failure, match="the UID in the precondition"):
        cluster.delete("ConfigMap", "a", preconditions={"uid": old["metadata"]["uid"]})
    assert cluster.get("ConfigMap", "a") is not None


def test_status_is_written_through_its_subresource_only(cluster: Cluster) -> None:
    ingress = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    cluster.balancer_delay_s = -1.0
    cluster.create_object({**service("s", "app", type="LoadBalancer"), "status": ingress})
    assert _status(cluster) == {"loadBalancer": {}}
    cluster.patch("Service", "s", {"status": ingress})
    assert _status(cluster) == {"loadBalancer": {}}
    spec = {"externalIPs": ["192.0.2.2"]}
    found = cluster.patch("Service", "s", {"status": ingress, "spec": spec}, part="status")
    held = [{"ip": "192.0.2.1", "ipMode": "VIP"}]
    assert _status(cluster) == {"loadBalancer": {"ingress": held}}
    assert "externalIPs" not in found["spec"]


def test_openshift_serves_routes_and_others_do_not(
    cluster: Cluster, client: Any, tmp_path: Any
) -> None:
    with pytest.raises(httpx2.HTTPStatusError, match="404"):  # No group: no Status.
        list(client.list(ROUTE, namespace="default"))
    with Cluster(tmp_path / "openshift", openshift=True) as other:
        other.create("Route", "r", spec={"to": {"name": "web"}})
        until(lambda: (other.get("Route", "r") or {}).get("status"), "the route is admitted")
        found = other.get("Route", "r")
        assert found is not None
        assert found["spec"]["host"] == "r-default.apps.example.test"


def _status(cluster: Cluster) -> Any:
    found = cluster.get("Service", "s")
    assert found is not None
    return found["status"]


def pod_like(app: str) -> Json:
    """The template of a pod."""
    found = pod(app)
    return {"metadata": {"labels": found["metadata"]["labels"]}, "spec": found["spec"]}
