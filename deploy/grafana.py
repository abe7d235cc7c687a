"""Grafana's dashboards: where requests go and why, and the state of routers and links.

Written as JSON to ``deploy/grafana/``; a test checks every metric and label against the code.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

import msgspec

_WIDTH: Final = 24  # Columns of Grafana's grid.
_HEIGHT: Final = 8
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_ONE: Final = 'namespace=~"$namespace",service=~"$service"'
_ALL: Final = 'namespace=~"$namespace"'
_EACH: Final = "sum by (namespace, service, port)"  # As in the alert on failures.
_ROUTER: Final = "{{namespace}} {{pod}}"  # Hosts have no pods.
_LINK: Final = f"{_ROUTER} {{{{link}}}} {{{{direction}}}} {{{{neighbour}}}}"


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """``queries``: legend and PromQL. ``stacked``: figures that add up."""

    title: str
    says: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    kind: str = "timeseries"
    stacked: bool = False
    width: int = _WIDTH // 2


def texts() -> dict[str, str]:
    """JSON by file name without its ending."""
    return {
        "spillway-services": _text("spillway-services", "Spillway: services", SERVICES, True),
        "spillway-routers": _text("spillway-routers", "Spillway: routers and links", ROUTERS),
    }


SERVICES: Final = (
    Panel(
        title="Served where",
        says="Requests a second by the site that served them. Those that no site served: Turned "
        "away, Failures.",
        queries=[
            (
                "{{site}}",
                "sum by (site)"
                f' (rate(spillway_requests_total{{{_ONE},site!=""}}[$__rate_interval]))',
            )
        ],
        unit="reqps",
        stacked=True,
    ),
    Panel(
        title="In flight, and capacity",
        says="At each site, as the routers of this namespace know it. Line: what is configured.",
        queries=[
            (
                "{{service}}:{{port}} {{site}}",
                f"max by (service, port, site) (spillway_in_flight{{{_ONE}}})",
            ),
            (
                "{{service}}:{{port}} {{site}} capacity",
                f"max by (service, port, site) (spillway_capacity{{{_ONE}}})",
            ),
        ],
    ),
    Panel(
        title="Overflow",
        says="Requests a second that left a cheaper site because it was full, and to where.",
        queries=[
            (
                "{{service}} to {{to}} ({{reason}})",
                "sum by (service, to, reason)"
                f" (rate(spillway_overflow_total{{{_ONE}}}[$__rate_interval]))",
            )
        ],
        unit="reqps",
        stacked=True,
    ),
    Panel(
        title="Turned away",
        says="No site had a ready target (no-route), all that may serve stayed full (all-full), or "
        "sheddable requests made way (shed).",
        queries=[
            (
                "{{service}} {{code}}",
                "sum by (service, code) (rate(spillway_failed_requests_total"
                f'{{{_ONE},code=~"all-full|no-route|shed"}}[$__rate_interval]))',
            )
        ],
        unit="reqps",
        stacked=True,
    ),
    Panel(
        title="Latency",
        says="From a request's arrival to the end of its response: median and 99th percentile.",
        queries=[
            (
                f"{{{{service}}}} p{percent}",
                f"histogram_quantile({share}, sum by (service, le)"
                f" (rate(spillway_request_seconds_bucket{{{_ONE}}}[$__rate_interval])))",
            )
            for percent, share in ((50, 0.5), (99, 0.99))
        ],
        unit="s",
    ),
    Panel(
        title="Where the time goes",
        says="Mean seconds in the queue, on the network and in the target.",
        queries=[
            (
                "{{phase}}",
                "sum by (phase)"
                f" (rate(spillway_request_phase_seconds_sum{{{_ONE}}}[$__rate_interval]))"
                " / sum by (phase)"
                f" (rate(spillway_request_phase_seconds_count{{{_ONE}}}[$__rate_interval]))",
            )
        ],
        unit="s",
        stacked=True,
    ),
    Panel(
        title="Failures",
        says="Share of the requests that ended badly: 5xx of any origin, broken connections. "
        "Sheddable requests that were shed do not count.",
        queries=[
            (
                "{{namespace}} {{service}}:{{port}}",
                f"({_EACH} (rate(spillway_requests_total"
                f'{{{_ONE},code_class=~"5xx|error"}}[$__rate_interval]))'
                f" - ({_EACH} (rate(spillway_failed_requests_total"
                f'{{{_ONE},code="shed"}}[$__rate_interval]))'
                f" or {_EACH} (0 * rate(spillway_requests_total{{{_ONE}}}"
                "[$__rate_interval]))))"
                f" / {_EACH} (rate(spillway_requests_total{{{_ONE}}}[$__rate_interval]))",
            )
        ],
        unit="percentunit",
    ),
    Panel(
        title="Tried again",
        says="Attempts after a failure, and those that the retry budget did not allow.",
        queries=[
            (
                "{{reason}} {{outcome}}",
                "sum by (reason, outcome)"
                f" (rate(spillway_retries_total{{{_ONE}}}[$__rate_interval]))",
            )
        ],
        unit="reqps",
    ),
    Panel(
        title="Ready targets",
        says="By site.",
        queries=[
            ("{{service}} {{site}}", f"max by (service, site) (spillway_targets_ready{{{_ONE}}})")
        ],
    ),
    Panel(
        title="Wanted here, and waiting",
        says="Demand is what an autoscaler goes by: in flight, overflowed, waiting, turned away. "
        "A request that overflowed is demand at both of its sites.",
        queries=[
            (f"{{{{namespace}}}} {{{{service}}}} {name}", f"sum by (namespace, service) ({gauge})")
            for name, gauge in (
                ("demand", f"spillway_demand{{{_ONE}}}"),
                ("waiting", f"spillway_queue_length{{{_ONE}}}"),
            )
        ],
    ),
    Panel(
        title="Requests per target",
        says="Of this namespace, counted where they are served.",
        queries=[
            (
                "{{service}} {{target}}",
                "sum by (service, target)"
                f" (rate(spillway_target_requests_total{{{_ONE}}}[$__rate_interval]))",
            )
        ],
        unit="reqps",
        width=_WIDTH,
    ),
    Panel(
        title="Requests of targets by site of the client",
        says="Of this namespace, with the requests that other sites sent here.",
        queries=[
            (
                "{{service}} from {{client_site}}",
                "sum by (service, client_site)"
                f" (rate(spillway_target_client_requests_total{{{_ONE}}}[$__rate_interval]))",
            )
        ],
        unit="reqps",
        width=_WIDTH,
    ),
)

ROUTERS: Final = (
    Panel(
        title="Sites in reach",
        says="This one included.",
        queries=[("sites", f"min(spillway_sites{{{_ALL}}})")],
        kind="stat",
        width=6,
    ),
    Panel(
        title="Links up",
        says="Of all that are configured or accepted.",
        queries=[
            ("up", f"sum(spillway_link_up{{{_ALL}}})"),
            ("of", f"count(spillway_link_up{{{_ALL}}})"),
        ],
        kind="stat",
        width=6,
    ),
    Panel(
        title="First certificate to end",
        says="Links renew theirs when some three days are left.",
        queries=[
            (
                "{{name}}",
                "bottomk(1, min by (name)"
                f" (spillway_certificate_expiry_timestamp_seconds{{{_ALL}}}) - time())",
            )
        ],
        unit="s",
        kind="stat",
        width=6,
    ),
    Panel(
        title="Memory state",
        says="0 calm, 1 sheds idle connections, 2 refuses what is new, 3 drops the slowest.",
        queries=[("state", f"max(spillway_overload_state{{{_ALL}}})")],
        kind="stat",
        width=6,
    ),
    Panel(
        title="Links",
        says="1: the link carries streams.",
        queries=[(_LINK, f"spillway_link_up{{{_ALL}}}")],
    ),
    Panel(
        title="Round trips",
        says="Of each link's control lane.",
        queries=[(_LINK, f"spillway_link_rtt_seconds{{{_ALL}}}")],
        unit="s",
    ),
    Panel(
        title="Bytes over links",
        says="TLS not counted.",
        queries=[
            (
                "{{namespace}} {{link}} {{neighbour}} {{direction}}",
                "sum by (namespace, link, neighbour, direction)"
                f" (rate(spillway_link_bytes_total{{{_ALL}}}[$__rate_interval]))",
            )
        ],
        unit="Bps",
    ),
    Panel(
        title="Streams",
        says="Open on all lanes.",
        queries=[(_ROUTER, f"spillway_streams{{{_ALL}}}")],
    ),
    Panel(
        title="Memory",
        says="Resident, and what may be.",
        queries=[(_ROUTER + " {{kind}}", f"spillway_memory_bytes{{{_ALL}}}")],
        unit="bytes",
    ),
    Panel(
        title="Held for slow readers",
        says="Bytes in buffers.",
        queries=[(_ROUTER, f"spillway_buffered_bytes{{{_ALL}}}")],
        unit="bytes",
    ),
    Panel(
        title="Loop lag",
        says="How late the event loop woke. Above a quarter of a second the router is too busy.",
        queries=[(_ROUTER, f"spillway_loop_lag_seconds{{{_ALL}}}")],
        unit="s",
    ),
    Panel(
        title="Routing",
        says="Updates from neighbors a second, and how long the last path computation took.",
        queries=[
            (
                _ROUTER + " updates/s",
                f"rate(spillway_route_updates_total{{{_ALL}}}[$__rate_interval])",
            ),
            (_ROUTER + " computation, seconds", f"spillway_spf_seconds{{{_ALL}}}"),
        ],
    ),
    Panel(
        title="CPU",
        says="Of each router, all its workers together; 100 % is one core.",
        queries=[
            (
                _ROUTER,
                f"rate(process_cpu_seconds_total{{{_ALL}}}[$__rate_interval])"
                f" and on (instance) spillway_build_info{{{_ALL}}}",
            )
        ],
        unit="percentunit",
    ),
    Panel(
        title="Open files",
        says="Descriptors in use, of those that the router may have.",
        queries=[
            (
                _ROUTER,
                f"process_open_fds{{{_ALL}}} / process_max_fds{{{_ALL}}}"
                f" and on (instance) spillway_build_info{{{_ALL}}}",
            )
        ],
        unit="percentunit",
    ),
    Panel(
        title="Versions",
        says="How many routers run each version.",
        queries=[("{{version}}", f"count by (version) (spillway_build_info{{{_ALL}}})")],
    ),
)


def _text(uid: str, title: str, panels: Sequence[Panel], of_services: bool = False) -> str:
    variables: list[dict[str, Any]] = [
        {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Source"},
        _variable("namespace", "label_values(spillway_sites, namespace)"),
    ]
    if of_services:
        names = 'label_values(spillway_requests_total{namespace=~"$namespace"}, service)'
        variables.append(_variable("service", names))
    dashboard = {
        "uid": uid,
        "title": title,
        "tags": ["spillway"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": variables},
        "panels": list(_placed(panels)),
    }
    return json.dumps(dashboard, indent=1) + "\n"


def _variable(name: str, query: str) -> dict[str, Any]:
    """A variable, all by default. Without the label (hosts), "all" also matches empty values."""
    return {
        "name": name,
        "type": "query",
        "label": name.capitalize(),
        "datasource": _SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _placed(panels: Sequence[Panel]) -> Sequence[dict[str, Any]]:
    """The panels in rows from the left, as they fit."""
    made: list[dict[str, Any]] = []
    x = y = 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > _WIDTH:
            x, y = 0, y + _HEIGHT
        made.append(_panel(number, panel, {"x": x, "y": y, "w": panel.width, "h": _HEIGHT}))
        x += panel.width
    return made


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    drawn: dict[str, Any] = {"unit": panel.unit, "min": 0}
    if panel.stacked:
        drawn["custom"] = {"fillOpacity": 40, "stacking": {"mode": "normal"}}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": drawn, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "expr": expr, "legendFormat": legend}
            for index, (legend, expr) in enumerate(panel.queries)
        ],
    }
