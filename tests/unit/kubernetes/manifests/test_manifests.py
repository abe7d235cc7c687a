"""Manifests of a site: the effect of each option, and the parts that no option may change."""

import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router import __version__
from router.kubernetes.manifests import (
    OPTIONAL_KINDS,
    controller_objects,
    headless_objects,
    multicluster_objects,
    multicluster_role,
    owned,
    render,
    rights,
    site_objects,
)
from router.kubernetes.manifests.parts import STARTS_WITHIN_S
from router.kubernetes.objects import addresses, names
from router.kubernetes.objects.objects import Object
from router.kubernetes.objects.picture import SiteOptions
from tests.examples import examples
from tests.unit.kubernetes.manifests.restricted import check_pod, pod_spec

IMAGE = "registry.example/spillway:1"
MCS_PAGE = Path(__file__).resolve().parents[4] / "docs" / "kubernetes-mcs.md"

# Resources that ClusterRole `admin` may write (kubernetes: bootstrappolicy, aggregate-to-admin and
# -edit). It may also read the endpointslices and each resource of these groups.
ADMIN_WRITES = {
    "": {"configmaps", "events", "secrets", "serviceaccounts", "services", "pods"},
    "apps": {"daemonsets", "deployments", "statefulsets"},
    "networking.k8s.io": {"ingresses", "networkpolicies"},
    "policy": {"poddisruptionbudgets"},
    "coordination.k8s.io": {"leases"},
    "rbac.authorization.k8s.io": {"roles", "rolebindings"},
}
OPENSHIFT_ADMIN_WRITES = {
    "apps.openshift.io": {"deploymentconfigs"},
    "route.openshift.io": {"routes", "routes/custom-host"},
}


def site(openshift: bool = False, **changed: Any) -> dict[str, Any]:
    """The objects of a site by kind."""
    options = SiteOptions(name="west", **changed)
    made = render(options, namespace="ns", image=IMAGE, openshift=openshift)
    return {found["kind"]: found for found in made.objects}


def errors(**changed: Any) -> list[tuple[str, str, str]]:
    made = render(SiteOptions(name="west", **changed), namespace="ns", image=IMAGE)
    return [(error.code, error.source, error.path) for error in made.errors]


def pod(**changed: Any) -> Any:
    return pod_spec(site(**changed)["Deployment"])


def validate(found: Object) -> None:
    """Against the schemas of Kubernetes, as far as it is a kind of Kubernetes."""
    _validate(json.dumps(found))


@cache
def _validate(text: str) -> None:
    """Each different object once: most options leave most objects as they are."""
    kubernetes_validate.validate(json.loads(text), "1.37", strict=True)


def test_no_probe_is_asked_before_a_usual_start_is_over() -> None:
    """Each that fails is a Warning Event. An application does not wait for its sidecar so long."""
    container = pod()["containers"][0]
    for name in ("startupProbe", "readinessProbe"):
        assert container[name]["initialDelaySeconds"] == STARTS_WITHIN_S


OPTIONS = st.builds(
    SiteOptions,
    name=st.just("west"),
    router_mode=st.sampled_from(["interior", "edge"]),
    ingress=st.sampled_from(
        ["loadbalancer", "nodeport", "none", "ingress", "nginx-ingress-v1", "route"]
    ),
    ingress_host=st.sampled_from(["", "apps.example.org"]),
    routers=st.integers(1, 4),
    create_network_policy=st.booleans(),
    run_as_user=st.sampled_from([None, 2000]),
    run_as_group=st.sampled_from([None, 3000]),
    router_cpu=st.sampled_from(["", "4", "10m"]),
    router_memory=st.sampled_from(["", "1Gi", "64Mi"]),
    router_cpu_limit=st.sampled_from(["", "8", "4000m"]),
    router_memory_limit=st.sampled_from(["", "2Gi", "1Gi"]),
    router_pod_affinity=st.sampled_from(["", "app=db,tier=a"]),
    router_pod_antiaffinity=st.sampled_from(["", "app=batch"]),
    router_node_selector=st.sampled_from(["", "disk=ssd"]),
    router_pod_annotations=st.sampled_from([{}, {"a/b": "c"}]),
    labels=st.sampled_from([{}, {"team": "a", names.COMPONENT_LABEL: "x"}]),
    annotations=st.sampled_from([{}, {"note": "b"}]),
)


@settings(max_examples=examples(60))
@given(options=OPTIONS, openshift=st.booleans())
def test_every_site_is_valid_and_restricted_whatever_its_options(
    options: SiteOptions, openshift: bool
) -> None:
    made = render(options, namespace="ns", image=IMAGE, openshift=openshift)
    for found in made.objects:
        if "openshift" not in found["apiVersion"]:
            validate(found)
        assert found["metadata"]["namespace"] == "ns"
        assert found["metadata"]["name"] == names.ROUTER
        labels = found["metadata"]["labels"]
        assert labels[names.COMPONENT_LABEL] == names.COMPONENT_ROUTER
        assert labels.items() >= names.PART_OF.items()
        assert "finalizers" not in found["metadata"]
        if found["kind"] == "Deployment":
            check_pod(pod_spec(found))
            selector = found["spec"]["selector"]["matchLabels"]
            template = found["spec"]["template"]["metadata"]["labels"]
            assert selector.items() <= template.items()
    kinds = [found["kind"] for found in made.objects]
    assert len(set(kinds)) == len(kinds)
    always = {"ServiceAccount", "Role", "RoleBinding", "Service", "Deployment"}
    assert always <= set(kinds) <= always | set(OPTIONAL_KINDS)


def test_the_pods_user_is_the_clusters_choice_unless_one_is_stated() -> None:
    assert "runAsUser" not in pod()["securityContext"]
    stated = pod(run_as_user=2000, run_as_group=3000)["securityContext"]
    assert (stated["runAsUser"], stated["runAsGroup"]) == (2000, 3000)


@pytest.mark.parametrize(
    ("ingress", "service_type", "before"),
    [
        ("loadbalancer", "LoadBalancer", set()),
        ("nodeport", "NodePort", set()),
        ("none", "ClusterIP", set()),
        ("nginx-ingress-v1", "ClusterIP", {"Ingress"}),
        ("ingress", "ClusterIP", {"Ingress"}),
        ("contour-http-proxy", "ClusterIP", {"HTTPProxy"}),
        ("route", "ClusterIP", {"Route"}),
    ],
)
def test_the_kind_of_ingress_says_how_the_link_port_is_reached(
    ingress: str, service_type: str, before: set[str]
) -> None:
    objects = site(openshift=True, ingress=ingress, ingress_host="example.org")
    assert objects["Service"]["spec"]["type"] == service_type
    assert {"Ingress", "HTTPProxy", "Route"} & set(objects) == before
    ports = objects["Service"]["spec"]["ports"]
    assert [(port["name"], port["port"]) for port in ports] == [("link", addresses.LINK_PORT)]
    for kind in before:
        assert "spillway.ns.example.org" in str(objects[kind]["spec"])


def test_an_ingress_passes_tls_through_and_keeps_annotations_of_the_user() -> None:
    marks = {"nginx.ingress.kubernetes.io/ssl-redirect": "false", "a": "b"}
    made = site(ingress="nginx-ingress-v1", ingress_host="x.org", ingress_annotations=marks)
    assert made["Ingress"]["metadata"]["annotations"] == {
        names.VERSION: __version__,
        "a": "b",
        "nginx.ingress.kubernetes.io/ssl-passthrough": "true",
        "nginx.ingress.kubernetes.io/ssl-redirect": "false",
    }
    assert made["Ingress"]["spec"]["ingressClassName"] == "nginx"
    assert "ingressClassName" not in site(ingress="ingress", ingress_host="x")["Ingress"]["spec"]
    route = site(openshift=True, ingress="route")["Route"]["spec"]
    assert route["tls"]["termination"] == "passthrough"
    assert "host" not in route
    proxy = site(ingress="contour-http-proxy", ingress_host="x.org")["HTTPProxy"]["spec"]
    assert proxy["virtualhost"]["tls"] == {"passthrough": True}


def test_tokens_name_the_host_that_the_ingress_listens_for() -> None:
    for ingress in ("nginx-ingress-v1", "contour-http-proxy"):
        options = SiteOptions(name="west", ingress=ingress, ingress_host="x.org")
        made = site(ingress=ingress, ingress_host="x.org")
        told = addresses.addresses(options, "ns", made["Service"], made.get("Ingress"))
        assert told.endpoints == (("spillway.ns.x.org", 443),)


def test_an_edge_site_is_linked_to_by_nobody() -> None:
    made = site(router_mode="edge", ingress="loadbalancer")
    assert made["Service"]["spec"]["type"] == "ClusterIP"


def test_an_ingress_that_cannot_work_is_reported() -> None:
    found = ("ConfigMap/skupper-site",)
    assert errors(ingress="nginx-ingress-v1") == [("SW0450", *found, "data.ingress-host")]
    assert errors(ingress="contour-http-proxy") == [("SW0450", *found, "data.ingress-host")]
    assert errors(ingress="route") == [("SW0451", *found, "data.ingress")]
    assert errors(ingress="nodeport") == []
    assert "HTTPProxy" not in site(ingress="contour-http-proxy")


def test_the_load_balancer_has_its_address_and_annotations() -> None:
    made = site(router_load_balancer_ip="192.0.2.1", router_service_annotations={"lb": "internal"})
    assert made["Service"]["spec"]["loadBalancerIP"] == "192.0.2.1"
    assert made["Service"]["metadata"]["annotations"] == {
        "lb": "internal",
        names.VERSION: __version__,
    }
    none = site(router_load_balancer_ip="192.0.2.1", ingress="none")
    assert "loadBalancerIP" not in none["Service"]["spec"]


def test_one_router_is_replaced_by_surge_and_several_take_turns() -> None:
    one, two = site(), site(routers=2)
    assert one["Deployment"]["spec"]["strategy"]["rollingUpdate"] == {
        "maxSurge": 1,
        "maxUnavailable": 0,
    }
    assert two["Deployment"]["spec"]["strategy"]["rollingUpdate"] == {
        "maxSurge": 0,
        "maxUnavailable": 1,
    }
    assert "PodDisruptionBudget" not in one
    assert two["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
    assert two["PodDisruptionBudget"]["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    templates = [found["Deployment"]["spec"]["template"] for found in (one, two)]
    assert templates[0] == templates[1], "a second router is added, and the first goes on"
    spread = pod_spec(two["Deployment"])["topologySpreadConstraints"]
    assert {rule["whenUnsatisfiable"] for rule in spread} == {"ScheduleAnyway"}
    assert two["Deployment"]["spec"]["replicas"] == 2


def test_a_kill_comes_after_the_drain_has_ended() -> None:
    made = render(
        SiteOptions(name="west"), namespace="ns", image=IMAGE, drain_grace_s=120.5
    ).objects
    spec = pod_spec(next(found for found in made if found["kind"] == "Deployment"))
    assert spec["terminationGracePeriodSeconds"] == 5 + 121 + 10
    assert spec["containers"][0]["lifecycle"]["preStop"] == {"exec": {"command": ["sleep", "5"]}}


def test_resources_of_the_user_come_first_and_defaults_give_way() -> None:
    def amount(**changed: str) -> Any:
        return pod(**changed)["containers"][0]["resources"]

    assert amount() == {
        "requests": {"cpu": "100m", "memory": "128Mi"},
        "limits": {"cpu": "2", "memory": "512Mi"},
    }
    assert amount(router_memory="1Gi")["limits"]["memory"] == "1Gi"
    assert amount(router_memory_limit="96Mi")["requests"]["memory"] == "96Mi"
    both = amount(router_cpu="3", router_cpu_limit="4")
    assert (both["requests"]["cpu"], both["limits"]["cpu"]) == ("3", "4")


def test_pods_go_where_the_keys_of_skupper_say() -> None:
    made = pod(
        router_pod_affinity="app=db",
        router_pod_antiaffinity="app=batch,tier=b",
        router_node_selector="disk=ssd",
    )
    for kind, labels in (
        ("podAffinity", {"app": "db"}),
        ("podAntiAffinity", {"app": "batch", "tier": "b"}),
    ):
        (term,) = made["affinity"][kind]["preferredDuringSchedulingIgnoredDuringExecution"]
        assert term["podAffinityTerm"]["labelSelector"]["matchLabels"] == labels
    assert made["nodeSelector"] == {"disk": "ssd"}
    assert "affinity" not in pod() and "nodeSelector" not in pod()


def test_labels_and_annotations_of_the_site_are_on_all_it_consists_of() -> None:
    made = site(
        labels={"team": "a"},
        annotations={"note": "b"},
        router_pod_annotations={"x": "y", "prometheus.io/scrape": "false"},
    )
    assert all(found["metadata"]["labels"]["team"] == "a" for found in made.values())
    template = made["Deployment"]["spec"]["template"]["metadata"]
    assert template["labels"]["team"] == "a"
    assert template["annotations"] == {
        "prometheus.io/port": "9090",
        "prometheus.io/scrape": "false",
        "x": "y",
    }


def test_every_object_says_which_version_made_it_but_the_users_settings_do_not() -> None:
    made = site(routers=2, create_network_policy=True, ingress="route", annotations={"note": "b"})
    for found in (*made.values(), *headless_objects("ns")):
        assert found["metadata"]["annotations"][names.VERSION] == __version__
    for annotations in ({}, {"note": "b"}):
        options = SiteOptions(name="a", annotations=annotations)
        (config, *_) = site_objects(options, namespace="ns", image=IMAGE)
        assert config["metadata"].get("annotations", {}) == annotations


def test_a_network_policy_keeps_links_open_and_services_within_the_namespace() -> None:
    assert "NetworkPolicy" not in site()
    rules = site(create_network_policy=True)["NetworkPolicy"]["spec"]["ingress"]
    assert {"ports": [{"port": "link", "protocol": "TCP"}]} in rules
    assert {"from": [{"podSelector": {}}]} in rules
    assert [rule["ports"][0]["port"] for rule in rules if "ports" in rule] == [
        *("link", "console", "probes")
    ]
    readers = [one["namespaceSelector"]["matchLabels"] for one in rules[-1]["from"]]
    for namespace in ("monitoring", "keda", "openshift-keda"):
        assert {"kubernetes.io/metadata.name": namespace} in readers


def allowed(rules: Iterable[Any]) -> dict[tuple[str, str], set[str]]:
    """Verbs by group and resource."""
    verbs: dict[tuple[str, str], set[str]] = {}
    for rule in rules:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                verbs.setdefault((group, resource), set()).update(rule["verbs"])
    return verbs


@pytest.mark.parametrize("ingress", ["loadbalancer", "nginx-ingress-v1", "route"])
def test_a_namespaces_administrator_may_grant_all_that_a_router_may(ingress: str) -> None:
    openshift = ingress == "route"
    writes = {**ADMIN_WRITES, **(OPENSHIFT_ADMIN_WRITES if openshift else {})}
    objects = site(openshift=openshift, ingress=ingress, ingress_host="x.org")
    found = allowed(objects["Role"]["rules"])
    found |= allowed(
        right.rule()
        for right in rights.controller_rights(openshift=openshift, every_namespace=False)
    )
    for (group, resource), verbs in found.items():
        if (group, resource) == ("discovery.k8s.io", "endpointslices"):
            assert verbs == {"get", "list", "watch"}
        else:
            assert resource in writes.get(group, set()), (group, resource)
        assert not verbs & {"*", "escalate", "bind", "impersonate", "deletecollection"}


def test_a_router_writes_by_name_what_it_can_and_reads_nothing_that_it_does_not_need() -> None:
    role = site()["Role"]
    for rule in role["rules"]:
        assert "*" not in rule["resources"] + rule["verbs"] + rule["apiGroups"]
        changes = set(rule["verbs"]) & {"update", "patch", "delete"}
        if set(rule["resources"]) & {"configmaps", "leases"} and changes:
            by_name = {names.STATUS_CONFIGMAP, names.OWNERS_CONFIGMAP, names.ROUTER}
            assert set(rule["resourceNames"]) <= by_name
    found = allowed(role["rules"])
    assert ("networking.k8s.io", "ingresses") not in found
    assert ("route.openshift.io", "routes") not in found
    assert ("apps", "deployments") in found
    assert found["apps", "deployments"] == {"get", "list", "watch"}
    assert found["", "pods"] == {"get", "list", "watch"}


def test_a_router_may_do_to_its_lease_and_status_what_it_does() -> None:
    found = allowed(site()["Role"]["rules"])
    assert {"create", "get", "update"} <= found["coordination.k8s.io", "leases"]
    assert {"create", "get", "patch"} <= found["", "configmaps"]
    assert {"create", "patch"} <= found["", "events"]


def test_credentials_of_the_api_are_mounted_only_where_a_pod_asks_for_them() -> None:
    assert site()["ServiceAccount"]["automountServiceAccountToken"] is False
    assert site()["Deployment"]["spec"]["template"]["spec"]["automountServiceAccountToken"] is True


def test_what_only_an_administrator_of_the_cluster_may_grant_stands_apart() -> None:
    role, binding = headless_objects("ns")
    validate(role)
    validate(binding)
    assert set(allowed(role["rules"])) == {
        ("discovery.k8s.io", "endpointslices"),
        ("discovery.k8s.io", "endpointslices/restricted"),
    }
    assert role["metadata"]["name"] == binding["roleRef"]["name"] != names.ROUTER
    assert binding["subjects"][0]["name"] == names.ROUTER


def test_sitectl_init_makes_the_site_and_a_config_map_that_the_controller_leaves_alone() -> None:
    data = {"name": "west", "ingress": "none"}
    options = SiteOptions(name="west", ingress="none", labels={"team": "a"})
    first, *rest = site_objects(options, namespace="ns", image=IMAGE, data=data)
    assert (first["kind"], first["metadata"]["name"]) == ("ConfigMap", "skupper-site")
    assert first["data"] == data
    assert first["metadata"]["labels"][names.SITE_CONTROLLER_IGNORE] == "true"
    assert first["metadata"]["labels"]["team"] == "a"
    assert rest == list(render(options, namespace="ns", image=IMAGE).objects)


def test_owned_objects_are_collected_with_their_owner_and_never_hold_it_up() -> None:
    owner = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "skupper-site", "uid": "u1"},
    }
    objects = render(SiteOptions(name="west"), namespace="ns", image=IMAGE).objects
    for found in owned(objects, owner):
        validate(found)
        assert found["metadata"]["ownerReferences"] == [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "skupper-site", "uid": "u1"}
        ]
    assert all("ownerReferences" not in found["metadata"] for found in objects)


@pytest.mark.parametrize("every_namespace", [False, True])
def test_the_controller_holds_what_it_grants_and_keeps_to_the_same_rules(
    every_namespace: bool,
) -> None:
    made = controller_objects(
        namespace="spillway", image=IMAGE, every_namespace=every_namespace, openshift=True
    )
    objects = {found["kind"]: found for found in made}
    for found in made:
        validate(found)
    check_pod(pod_spec(objects["Deployment"]))
    prefix = "Cluster" if every_namespace else ""
    assert objects[f"{prefix}RoleBinding"]["roleRef"]["kind"] == f"{prefix}Role"
    held = objects[f"{prefix}Role"]["rules"]
    for ingress in ("loadbalancer", "ingress", "route"):
        granted = site(openshift=True, ingress=ingress, ingress_host="x")["Role"]["rules"]
        verbs = allowed(held)
        for key, wanted in allowed(granted).items():
            assert wanted <= verbs[key], key
    assert ("rbac.authorization.k8s.io", "clusterroles") not in allowed(held)
    watched = next(
        entry
        for entry in pod_spec(objects["Deployment"])["containers"][0]["env"]
        if entry["name"] == "WATCH_NAMESPACE"
    )
    assert ("valueFrom" in watched) != every_namespace and "value" not in watched


def test_rights_for_a_cluster_set_never_share_a_name_with_a_binding_made_by_the_docs() -> None:
    """A binding's `roleRef` cannot be changed, so the controller could not apply its own."""
    by_hand = re.findall(r"create rolebinding (\S+) --clusterrole (\S+)", MCS_PAGE.read_text())
    assert {role for _, role in by_hand} == {multicluster_role()["metadata"]["name"]}
    ours = {found["metadata"]["name"] for found in multicluster_objects("ns")}
    assert not ours & {binding for binding, _ in by_hand}
    role, binding = multicluster_objects("ns")
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
