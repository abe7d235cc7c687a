"""Autoscalers reach the routers and ask for what these tell; KEDA knows every field.

Fields of KEDA are those of its types: kedacore/keda, apis/keda/v1alpha1/scaledobject_types.go and
triggerauthentication_types.go, pkg/scalers/metrics_api_scaler.go and prometheus_scaler.go.
"""

import re
from typing import Any
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
import yaml

from deploy import autoscaling
from deploy.__main__ import HERE
from deploy.kustomize import NAMESPACE
from router.admin.metrics import FAMILIES
from router.admin.views.bursts import ScaleView
from router.kubernetes.manifests import IMAGE, site_objects
from router.kubernetes.objects.objects import Object
from router.kubernetes.objects.picture import SiteOptions
from tests.unit.deploy.test_kustomize import built, by_kind

SPEC = {
    *("scaleTargetRef", "pollingInterval", "cooldownPeriod", "initialCooldownPeriod"),
    *("idleReplicaCount", "minReplicaCount", "maxReplicaCount", "fallback", "advanced", "triggers"),
}
TRIGGER = {"type", "name", "metadata", "authenticationRef", "useCachedMetrics", "metricType"}
METADATA = {
    "metrics-api": {
        *("url", "valueLocation", "targetValue", "activationTargetValue", "format", "unsafeSsl"),
        *("authMode", "method", "aggregateFromKubeServiceEndpoints", "aggregationType"),
    },
    "prometheus": {
        *("serverAddress", "query", "queryParameters", "threshold", "activationThreshold"),
        *("namespace", "customHeaders", "ignoreNullValues", "unsafeSsl", "timeout", "authModes"),
    },
}
NEEDED = {
    "metrics-api": {"url", "valueLocation", "targetValue"},
    "prometheus": {"serverAddress", "query", "threshold"},
}
WAYS = ("autoscaling", "autoscaling-prometheus", "autoscaling-remote", "autoscaling-hpa")


def overlay(name: str) -> list[Object]:
    return built(HERE / "kubernetes" / "overlays" / name)


def triggers() -> list[Any]:
    found = [one for way in WAYS for one in overlay(way) if one["kind"] == "ScaledObject"]
    assert len(found) == 3
    return [trigger for one in found for trigger in one["spec"]["triggers"]]


@pytest.mark.parametrize("way", WAYS)
def test_the_application_and_only_it_is_scaled_within_bounds(way: str) -> None:
    objects = overlay(way)
    applications = {one["metadata"]["name"] for one in objects if one["kind"] == "Deployment"}
    (scaler,) = [
        one for one in objects if one["kind"] in ("ScaledObject", "HorizontalPodAutoscaler")
    ]
    assert scaler["spec"]["scaleTargetRef"]["name"] in applications - {"spillway-router"}
    if scaler["kind"] == "ScaledObject":
        assert scaler["apiVersion"] == "keda.sh/v1alpha1"
        assert scaler["spec"].keys() <= SPEC
        assert 0 <= scaler["spec"]["minReplicaCount"] < scaler["spec"]["maxReplicaCount"]


def test_keda_knows_every_field_of_every_trigger() -> None:
    for trigger in triggers():
        assert trigger.keys() <= TRIGGER
        assert NEEDED[trigger["type"]] <= trigger["metadata"].keys() <= METADATA[trigger["type"]]
        assert all(type(value) is str for value in trigger["metadata"].values())


def test_each_value_asked_for_is_a_number_that_routers_tell() -> None:
    for trigger in triggers():
        if trigger["type"] == "metrics-api":
            envelope, field = trigger["metadata"]["valueLocation"].split(".")
            assert envelope == "item"
            assert ScaleView.__annotations__[field] in (int, float)  # Never null: KEDA refuses it.
        else:
            (metric,) = re.findall(r"spillway_[a-z_]+", trigger["metadata"]["query"])
            assert metric in FAMILIES
            assert "service" in FAMILIES[metric].labels
    (hpa,) = autoscaling.by_hpa(NAMESPACE)
    metric = hpa["spec"]["metrics"][0]["external"]["metric"]
    assert metric["name"] in FAMILIES
    assert metric["selector"]["matchLabels"].keys() <= set(FAMILIES[metric["name"]].labels)


def test_the_url_leads_by_a_service_of_the_cluster_to_the_port_of_the_routers_pods() -> None:
    objects = by_kind(overlay("autoscaling"))
    url = urlsplit(objects["ScaledObject", "shop"]["spec"]["triggers"][0]["metadata"]["url"])
    assert url.hostname is not None
    name, namespace, _ = url.hostname.split(".")
    service = objects["Service", name]
    kubernetes_validate.validate(service, "1.37", strict=True)
    assert (service["metadata"]["namespace"], service["spec"]["type"]) == (namespace, "ClusterIP")
    (port,) = service["spec"]["ports"]
    assert port["port"] == url.port
    template = objects["Deployment", "spillway-router"]["spec"]["template"]
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    (container,) = template["spec"]["containers"]
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    assert ports[port["targetPort"]] == port["port"]  # KEDA's aggregation wants them alike.


def test_the_network_policy_of_kustomize_is_the_one_that_the_sites_key_makes() -> None:
    path = HERE / "kubernetes" / "components" / "network-policy" / "network-policy.yaml"
    made = yaml.safe_load(path.read_text())
    kubernetes_validate.validate(made, "1.37", strict=True)
    options = SiteOptions(name=NAMESPACE, create_network_policy=True)
    assert made in site_objects(options, namespace=NAMESPACE, image=IMAGE)


def test_the_credential_of_the_admin_door_comes_from_a_secret_as_the_scaler_wants_it() -> None:
    objects = by_kind(overlay("autoscaling-remote"))
    (trigger,) = objects["ScaledObject", "shop"]["spec"]["triggers"]
    assert trigger["metadata"]["authMode"] == "bearer"
    found = objects["TriggerAuthentication", trigger["authenticationRef"]["name"]]
    assert found["apiVersion"] == "keda.sh/v1alpha1"
    (secret,) = found["spec"]["secretTargetRef"]
    assert secret.keys() == {"parameter", "name", "key"}
    assert secret["parameter"] == "token"
