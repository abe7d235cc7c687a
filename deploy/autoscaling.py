"""Objects for an autoscaler: a Service for the routers' demand, and examples for KEDA and HPA.

Fields of KEDA: https://keda.sh/docs/latest/scalers/metrics-api/ and …/prometheus/, and its types
(kedacore/keda, pkg/scalers/metrics_api_scaler.go, apis/keda/v1alpha1).
"""

from typing import Any, Final

from router.kubernetes.manifests import PROBES_PORT
from router.kubernetes.manifests.parts import metadata
from router.kubernetes.objects import names
from router.kubernetes.objects.objects import Object

DEMAND: Final = "spillway-demand"
"""The Service for the routers' probe port: no link port, no clients."""
WORKLOAD: Final = "shop"
PER_TARGET: Final = "8"
"""For a capacity of 10: a fifth is left for requests that arrive while a target starts."""
PROMETHEUS: Final = "http://prometheus-operated.monitoring.svc:9090"
REMOTE: Final = "http://gateway.example:9443"
_VALUE: Final = "item.demand_avg"


def demand_service(namespace: str) -> Object:
    """Only within the cluster, and only to data that `/metrics` has as well."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(DEMAND, namespace),
        "spec": {
            "type": "ClusterIP",
            "ipFamilyPolicy": "PreferDualStack",
            "selector": {names.COMPONENT_LABEL: names.COMPONENT_ROUTER},
            "ports": [
                {"name": "probes", "port": PROBES_PORT, "protocol": "TCP", "targetPort": "probes"}
            ],
        },
    }


def by_api(namespace: str) -> list[Object]:
    """KEDA asks the router: one router, or ``aggregateFromKubeServiceEndpoints``."""
    url = f"http://{DEMAND}.{namespace}.svc:{PROBES_PORT}{path(WORKLOAD)}"
    return [_scaled_object(namespace, _api_trigger(url))]


def by_prometheus(namespace: str) -> list[Object]:
    """KEDA asks Prometheus: any number of routers, with their demand added up."""
    trigger = {
        "type": "prometheus",
        "metadata": {
            "serverAddress": PROMETHEUS,
            "query": f'sum(spillway_demand{{namespace="{namespace}",service="{WORKLOAD}"}})',
            "threshold": PER_TARGET,
            "ignoreNullValues": "false",  # A missing scrape does not mean zero demand.
        },
    }
    return [_scaled_object(namespace, trigger)]


def by_admin_door(namespace: str) -> list[Object]:
    """KEDA asks the admin API of a site outside the cluster, which requires its credential."""
    name = f"{WORKLOAD}-demand"
    authentication = {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "TriggerAuthentication",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"secretTargetRef": [{"parameter": "token", "name": name, "key": "token"}]},
    }
    trigger = _api_trigger(REMOTE + path(WORKLOAD))
    trigger["metadata"]["authMode"] = "bearer"
    trigger["authenticationRef"] = {"name": name}
    return [authentication, _scaled_object(namespace, trigger)]


def by_hpa(namespace: str) -> list[Object]:
    """Without KEDA: a HorizontalPodAutoscaler, and an adapter that supplies its metric."""
    metric = {"name": "spillway_demand", "selector": {"matchLabels": {"service": WORKLOAD}}}
    return [
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": WORKLOAD, "namespace": namespace},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": WORKLOAD},
                "minReplicas": 1,
                "maxReplicas": 20,
                "metrics": [
                    {
                        "type": "External",
                        "external": {
                            "metric": metric,
                            "target": {"type": "AverageValue", "averageValue": PER_TARGET},
                        },
                    }
                ],
            },
        }
    ]


def path(service: str) -> str:
    """The API path of the demand of ``service``."""
    return f"/api/v1/services/{service}/scale"


def _api_trigger(url: str) -> dict[str, Any]:
    """A trigger without authentication. KEDA accepts no null at ``valueLocation``."""
    return {
        "type": "metrics-api",
        "metadata": {"url": url, "valueLocation": _VALUE, "targetValue": PER_TARGET},
    }


def _scaled_object(namespace: str, trigger: dict[str, Any]) -> Object:
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": WORKLOAD, "namespace": namespace},
        "spec": {
            "scaleTargetRef": {"name": WORKLOAD},
            "minReplicaCount": 1,
            "maxReplicaCount": 20,
            "pollingInterval": 10,
            "cooldownPeriod": 120,
            "triggers": [trigger],
        },
    }
