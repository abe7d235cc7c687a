"""Alerts that need a person: overflow alone is the router's normal work.

One list for the operator of Prometheus (PrometheusRule, kustomize and Helm) and for plain
Prometheus (``deploy/prometheus/spillway.rules.yaml``); docs/runbooks.md has a section for each.
"""

from typing import Any, Final

import msgspec

RUNBOOKS: Final = "docs/runbooks.md"
"""Relative to the repository, and to an unpacked bundle, like the pages in `check` and errors."""

_BY: Final = "sum by (namespace, service, port)"
"""Sums over the routers of one site: each site's clients are counted separately."""
_PORT: Final = "{{ $labels.service }}:{{ $labels.port }}"
_ENDS: Final = (
    "{{ if lt $value 0.0 }}ended{{ else }}ends in {{ $value | humanizeDuration }}{{ end }}"
)
_SITES: Final = "without (site)"  # A router reports all sites that it knows.
_SHORTER: Final = "[3m]"
"""Shorter than the five minutes for which the condition must last.

Else a momentary burst fires long after it ended. With a scrape a minute, one may fail.
"""
_LEFT_OUT: Final = "spillway_left_out == 1"
_CAPACITY: Final = f"(spillway_capacity unless {_LEFT_OUT})"
_ALERTED: Final = (
    *("SW0309", "SW0335", "SW0337", "SW0338"),  # Services: NoTarget, LocalTargetsDown, Refusing, …
    *("SW0401", "SW0404", "SW0660", "SW0675"),  # Links: LinkDown.
    *("SW0402", "SW0664", "SW0670"),  # Certificates.
    *("SW0603", "SW0710"),  # MemoryShort, BurstHookFails.
)
"""Problems that other alerts report."""


class Alert(msgspec.Struct, frozen=True):
    """``expr`` holds for ``pending`` (a Prometheus duration) before it fires."""

    name: str
    expr: str
    pending: str
    severity: str
    summary: str

    def rule(self) -> dict[str, Any]:
        """The rule in Prometheus' form."""
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.pending,
            "labels": {"severity": self.severity},
            "annotations": {
                "summary": self.summary,
                "runbook_url": f"{RUNBOOKS}#{self.name.lower()}",
            },
        }


_SITES_OF_PROCESS: Final = (
    "1e4 * process_start_time_seconds + spillway_sites + spillway_sites_deleted"
)

ALERTS: Final = (
    Alert(
        "SpillwayRouterAbsent",
        'absent(spillway_sites) or max by (namespace, job) (up{job=~".*spillway.*"}) == 0',
        "5m",
        "critical",
        "No router{{ with $labels.namespace }} of {{ . }}{{ end }} has answered a scrape for five"
        " minutes",
    ),
    Alert(
        "SpillwaySiteUnreachable",
        # A deleted site is not missed, nor in the hour after a restart, which forgets that it was
        # deleted: so sites that were deleted within the hour count, also if they were restored.
        # Or fewer sites than this very process has reached: of its samples alone, as the start of
        # a process outweighs all counts, unless a clock went back. A router in edge mode, which has
        # no route updates, knows sites that offer the services it uses: a site that stops offering
        # them is not unreachable.
        "(spillway_sites + max_over_time(spillway_sites_deleted[1h:1m])"
        " < max_over_time((spillway_sites + spillway_sites_deleted)[1h:1m])"
        f" or {_SITES_OF_PROCESS} < max_over_time(({_SITES_OF_PROCESS})[1h:1m])"
        " and process_start_time_seconds"
        " == max_over_time(process_start_time_seconds[1h:1m]))"
        " and spillway_route_updates_total",
        "10m",
        "warning",
        "Fewer sites can be reached than within the last hour: sitectl network status",
    ),
    Alert(
        "SpillwayLinkDown",
        'spillway_link_up{direction="outgoing"} == 0'  # A host that went away needs no person.
        " or spillway_link_workers_down > 0",
        "2m",
        "critical",
        "Link {{ $labels.link }} to {{ $labels.neighbour }} is down{{ with $value }} for"
        " {{ . }} of the workers{{ end }}:"
        " sitectl link status {{ $labels.link }}",
    ),
    Alert(
        "SpillwayLinkFlapping",
        "changes(spillway_link_up[10m]) > 6",
        "0m",
        "warning",
        "Link {{ $labels.link }} went up or down {{ $value }} times in ten minutes: sitectl events",
    ),
    Alert(
        "SpillwayRouteTableStale",
        # Each site refreshes its routes every 5 minutes.
        "increase(spillway_route_updates_total[10m]) == 0 and spillway_sites > 1",
        "10m",
        "critical",
        "Nothing was heard of other sites' routes for 20 minutes: sitectl network status",
    ),
    Alert(
        "SpillwayOverflowSustained",
        f"{_BY} (rate(spillway_overflow_total[4m])) > 0",  # With a scrape a minute, one may fail.
        "30m",
        "warning",
        f"{_PORT} has overflowed for half an hour, without a pause of four minutes:"
        " add capacity near its clients",
    ),
    Alert(
        "SpillwayCapacityExhausted",
        # Load above a lowered capacity takes no room from another site.
        f"(sum {_SITES} (clamp_min({_CAPACITY} - spillway_in_flight, 0)) == 0"
        f" and sum {_SITES} ({_CAPACITY}) > 0) unless (count {_SITES}"
        f" ((spillway_targets_ready > 0) unless {_LEFT_OUT}) > count {_SITES} ({_CAPACITY}))",
        "5m",
        "critical",
        "{{ $labels.service }} is full at every site that is reached and may serve it: "
        "sitectl why {{ $labels.service }}",
    ),
    Alert(
        "SpillwayRefusing",
        # Sheddable requests make way for others by design: ``shed`` is left out.
        "sum by (namespace, service, port, code) (rate(spillway_failed_requests_total"
        f'{{code=~"all-full|no-route"}}{_SHORTER})) > 0',
        "5m",
        "critical",
        # Seen for five minutes, each time within three: so much holds of the requests themselves.
        f"{_PORT} turned requests away for two minutes or longer, without a pause of three, the"
        f" last within three minutes ({{{{ $labels.code }}}}): sitectl why {_PORT} --denied",
    ),
    Alert(
        "SpillwayFailing",
        # Like `status` (SW0338), without ``shed`` for the same reason.
        f'({_BY} (rate(spillway_requests_total{{code_class=~"5xx|error"}}{_SHORTER}))'
        f' - ({_BY} (rate(spillway_failed_requests_total{{code="shed"}}{_SHORTER}))'
        f" or {_BY} (0 * rate(spillway_requests_total{_SHORTER}))))"
        f" / {_BY} (rate(spillway_requests_total{_SHORTER})) > 0.05",
        "5m",
        "warning",
        f"{{{{ $value | humanizePercentage }}}} of the requests of {_PORT} in the last three"
        f" minutes failed: sitectl why {_PORT} --failed",
    ),
    Alert(
        "SpillwayNoTarget",
        "max by (namespace, service, port) (spillway_unserved) == 1",
        "5m",
        "critical",
        f"No site that is reached has a ready target of {_PORT}: sitectl service status",
    ),
    Alert(
        "SpillwayLocalTargetsDown",
        'spillway_local_targets{state="ready"} == 0 and ignoring (state)'
        ' spillway_local_targets{state="not-ready"} > 0',
        "2m",
        "warning",
        f"No target of {_PORT} at this site is ready, so only other sites can serve it:"
        " sitectl service status {{ $labels.service }}",
    ),
    Alert(
        "SpillwayTargetSilent",
        "spillway_silent_targets > 0",
        "5m",
        "warning",
        "Targets of {{ $labels.service }} at this site that are ready and answer nothing:"
        " {{ $value }}. sitectl service status {{ $labels.service }}",
    ),
    Alert(
        "SpillwaySiteSilent",
        "spillway_silent_site > 0",
        "5m",
        "warning",
        "{{ $labels.site }} answers no request of {{ $labels.service }}, and several wait there:"
        " sitectl why {{ $labels.service }}",
    ),
    Alert(
        "SpillwayLinkCertificateNotRenewed",
        'spillway_certificate_expiry_timestamp_seconds{name!~"tls/.*"} - time() < 36 * 3600',
        "1h",
        "critical",
        f"The certificate of {{{{ $labels.name }}}} {_ENDS} and was not renewed: sitectl check",
    ),
    Alert(
        "SpillwayServiceCertificateEnds",
        'spillway_certificate_expiry_timestamp_seconds{name=~"tls/.*"} - time() < 7 * 86400',
        "1h",
        "warning",
        f"The certificate {{{{ $labels.name }}}} {_ENDS}: renew it",
    ),
    Alert(
        "SpillwayProblem",
        f'spillway_problems{{code!~"{"|".join(_ALERTED)}"}} > 0',
        "15m",
        "warning",
        "sitectl status has named {{ $labels.code }} for a quarter of an hour:"
        " sitectl explain {{ $labels.code }}",
    ),
    Alert(
        "SpillwayLoopLag",
        "spillway_loop_lag_seconds > 0.25",
        "5m",
        "warning",
        "A router of this site has too much to do: raise router-cpu or routers",
    ),
    Alert(
        "SpillwayMemoryShort",
        "spillway_overload_state >= 2",
        "1m",
        "critical",
        "A router of this site refuses new requests: raise router-memory-limit",
    ),
    Alert(
        "SpillwayBurstHookFails",
        'increase(spillway_burst_hooks_total{result="failed"}[15m]) > 0',
        "0m",
        "warning",
        "The hook of Burst {{ $labels.name }} failed: sitectl burst status",
    ),
    Alert(
        "SpillwayAccessLogLosesLines",
        "increase(spillway_access_log_dropped_total[10m]) > 0",
        "0m",
        "warning",
        "Lines of the access log were lost in the last ten minutes: a full disk, or"
        " accessLogShare too high",
    ),
)


def groups() -> dict[str, Any]:
    """All alerts as a rule file, or as the spec of a PrometheusRule."""
    return {"groups": [{"name": "spillway", "rules": [alert.rule() for alert in ALERTS]}]}
