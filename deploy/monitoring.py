"""What Prometheus' operator scrapes and which alerts it raises."""

from typing import Any

from router.kubernetes import names
from router.kubernetes.manifests.parts import metadata
from router.kubernetes.objects import Object

_DOCS = "docs/kubernetes-deploy.md#alerts"


def pod_monitor(namespace: str) -> Object:
    """Scrapes each router by itself: a Service would pick one of several."""
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
    """Alerts that need a person; overflow alone is what the router is there for."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": metadata(names.ROUTER, namespace),
        "spec": {"groups": [{"name": "spillway", "rules": _alerts()}]},
    }


def _alerts() -> list[dict[str, Any]]:
    return [
        _alert(
            "SpillwayLinkDown",
            "spillway_link_up == 0",
            "2m",
            "critical",
            "Link {{ $labels.link }} is down: sitectl link status {{ $labels.link }}",
        ),
        _alert(
            "SpillwayLinkFlapping",
            "changes(spillway_link_up[10m]) > 6",
            "0m",
            "warning",
            "Link {{ $labels.link }} goes up and down: sitectl events",
        ),
        _alert(
            "SpillwayOverflowSustained",
            "sum by (service) (rate(spillway_overflow_total[10m])) > 0",
            "30m",
            "warning",
            "{{ $labels.service }} has overflowed for half an hour: add capacity near its clients",
        ),
        _alert(
            "SpillwayCapacityExhausted",
            "sum by (service) (spillway_in_flight) >= sum by (service) (spillway_capacity) > 0",
            "5m",
            "critical",
            "{{ $labels.service }} is full at every site: sitectl why {{ $labels.service }}",
        ),
        _alert(
            "SpillwayNoTarget",
            "sum by (service) (spillway_targets_ready) == 0",
            "5m",
            "critical",
            "No site has a ready target of {{ $labels.service }}: sitectl service status",
        ),
        _alert(
            "SpillwayCertificateExpiresSoon",
            "spillway_certificate_expiry_timestamp_seconds - time() < 7 * 86400",
            "1h",
            "critical",
            "Certificate {{ $labels.name }} ends within a week and was not renewed: sitectl check",
        ),
        _alert(
            "SpillwayLoopLag",
            "spillway_loop_lag_seconds > 0.25",
            "5m",
            "warning",
            "A router of this site has too much to do: raise router-cpu or routers",
        ),
        _alert(
            "SpillwayMemoryShort",
            "spillway_overload_state >= 2",
            "1m",
            "critical",
            "A router of this site refuses new requests: raise router-memory-limit",
        ),
    ]


def _alert(name: str, expression: str, pending: str, severity: str, text: str) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expression,
        "for": pending,
        "labels": {"severity": severity},
        "annotations": {"summary": text, "runbook_url": _DOCS},
    }
