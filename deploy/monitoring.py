"""Objects for monitoring: scrapes and alerts for Prometheus' operator, dashboards for Grafana."""

from deploy import alerts, grafana
from router.kubernetes.manifests.parts import metadata
from router.kubernetes.objects import names
from router.kubernetes.objects.objects import Object


def pod_monitor(namespace: str) -> Object:
    """Scrapes each router separately: a Service would pick one of several."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": metadata(names.ROUTER, namespace),
        "spec": {
            "selector": {"matchLabels": {names.COMPONENT_LABEL: names.COMPONENT_ROUTER}},
            "podMetricsEndpoints": [
                {"port": "probes", "path": "/metrics", "interval": "15s", "scrapeTimeout": "10s"}
            ],
        },
    }


def rules(namespace: str) -> Object:
    """The alerts."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": metadata(names.ROUTER, namespace),
        "spec": alerts.groups(),
    }


def dashboards(namespace: str) -> Object:
    """The dashboards for Grafana's sidecar, found by its usual label."""
    made = metadata("spillway-dashboards", namespace)
    made["labels"] = {**made["labels"], "grafana_dashboard": "1"}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": made,
        "data": {f"{name}.json": text for name, text in grafana.texts().items()},
    }
