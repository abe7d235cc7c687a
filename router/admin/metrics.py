"""The metrics of a router: families and their labels, each listed here once."""

import msgspec


class Family(msgspec.Struct, frozen=True):
    """One metric: its kind, its help text and its label names.

    ``of_each``: each worker of a router has its part of this gauge; otherwise all workers have the
    same value, or the highest counts. ``of_first``: only the first worker's value counts; it covers
    all workers. ``replaced_by``: this is the deprecated name of that family, with the same values.
    """

    kind: str
    help: str
    labels: tuple[str, ...] = ()
    of_each: bool = False
    of_first: bool = False
    replaced_by: str = ""

    @property
    def adds_up(self) -> bool:
        """Whether values add up over the workers of a router."""
        return self.of_each or self.kind == "counter"

    @property
    def told_help(self) -> str:
        """The help text of a scrape."""
        return f"Deprecated, use {self.replaced_by}." if self.replaced_by else self.help


FAMILIES: dict[str, Family] = {
    "spillway_build_info": Family(
        "gauge", "1, with the router's version and that of its Python.", ("version", "python")
    ),
    "spillway_requests_total": Family(
        "counter",
        "Requests (http) and connections (tcp), counted once, at the ingress, when they end. "
        "client-gone: the client left before the end.",
        ("service", "port", "protocol", "site", "code_class"),
    ),
    "spillway_failed_requests_total": Family(
        "counter",
        "Those of them that no target answered to its end, by the code of Spillway-Error: "
        "all-full, shed, no-route, target-reset and so on. Neither a 5xx of a target nor a request "
        "that its client gave up counts here.",
        ("service", "port", "code"),
    ),
    "spillway_caller_requests_total": Family(
        "counter",
        "The same by who called: kind and name of at most 300 callers, others together. "
        "outcome: ok or failed; failed has requests that were shed or that their clients gave up, "
        "too.",
        ("service", "port", "caller_kind", "caller", "site", "outcome"),
    ),
    "spillway_request_seconds": Family(
        "histogram",
        "From the request's arrival to the end of its response, at the ingress.",
        ("service", "port", "protocol", "site", "code_class"),
    ),
    "spillway_request_phase_seconds": Family(
        "histogram",
        "Where the time of requests went: queue, network (link and connect) and target.",
        ("service", "port", "phase"),
    ),
    "spillway_overflow_total": Family(
        "counter",
        "Requests sent to another site because a cheaper one was full. TCP connections count when "
        "they are established.",
        ("service", "port", "to", "reason"),
    ),
    "spillway_spilled_total": Family(
        "counter",
        "Requests of this site's clients that another site served, and why: full, above-mark, "
        "sheddable-share, higher-level, rate, drained, no-target, ejected, failover, session or "
        "policy. TCP connections count when they are established.",
        ("service", "port", "to", "reason"),
    ),
    "spillway_worker_lost_requests_total": Family(
        "counter",
        "Requests and connections of clients that were under way at a worker of this router when "
        "it was killed, by its last report, which is a second old at most. No other counter has "
        "them.",
        ("service", "port"),
    ),
    "spillway_decisions_total": Family(
        "counter",
        "Decisions by their outcome. A request that waits or is tried again has several: one that "
        "found all sites full first counts as all-full, and as chosen when it is served.",
        ("service", "port", "policy", "verdict"),
    ),
    "spillway_retries_total": Family(
        "counter",
        "Failed requests that were tried again, or not because the retry budget was used up.",
        ("service", "port", "reason", "outcome"),
    ),
    "spillway_held_requests_total": Family(
        "counter",
        "Requests that waited longer than for a slot, while a burst hook woke a site; by what "
        "became of them: served, refused, gave-up (their client) or failed.",
        ("service", "port", "outcome"),
    ),
    "spillway_held_seconds_total": Family(
        "counter", "How long these waited beyond that.", ("service", "port", "outcome")
    ),
    "spillway_connections_departed_total": Family(
        "counter",
        "Client connections that ended after they were asked to: for their age, or since the "
        "policy would place them elsewhere (rebalance).",
        ("service", "port", "cause"),
    ),
    "spillway_in_flight": Family(
        "gauge", "Requests accepted and unfinished.", ("service", "port", "site")
    ),
    "spillway_clients_in_flight": Family(
        "gauge",
        "Requests (http) and connections (tcp) of this site's clients that are unfinished, by the "
        "site that serves them.",
        ("service", "port", "site"),
        of_each=True,
    ),
    "spillway_removed_in_flight": Family(
        "gauge",
        "Requests (http) and connections (tcp) that are unfinished, of services that were removed, "
        "by the site that serves them.",
        ("service", "port", "site"),
        of_each=True,
    ),
    "spillway_waiting": Family(
        "gauge", "Requests that wait for a slot of the site.", ("service", "port", "site")
    ),
    "spillway_target_learnt_slots": Family(
        "gauge",
        "Requests at once that this target can take, as learned from its latency.",
        ("service", "port", "target"),
        of_each=True,
    ),
    "spillway_target_baseline_seconds": Family(
        "gauge", "Latency of this target under low load, as learned.", ("service", "port", "target")
    ),
    "spillway_target_latency_seconds": Family(
        "gauge", "Latency of this target over the last busy window.", ("service", "port", "target")
    ),
    "spillway_reserved_slots": Family(
        "gauge",
        "Slots of that capacity that only clients of the site itself get (reserve-for-own).",
        ("service", "port", "site"),
    ),
    "spillway_lent_slots": Family(
        "gauge",
        "Slots of this site that clients of other sites hold, by the neighbor that brought them; "
        "while reserve-for-own or max-share is set.",
        ("service", "port", "neighbour"),
        of_each=True,
    ),
    "spillway_lending_denied_total": Family(
        "counter",
        "Requests of other sites that got none of the free slots of this one, for its reserve "
        "(reserved) or since their neighbor held all that it may (max-share).",
        ("service", "port", "reason"),
    ),
    "spillway_capacity": Family(
        "gauge",
        "Configured capacity of the ready targets, in requests at once.",
        ("service", "port", "site"),
    ),
    "spillway_rate_per_second": Family(
        "gauge",
        "Of a capacity that is a rate: the configured rate (`stated`), and over the window of this "
        "site the mean rates of arriving (asked) and admitted requests.",
        ("service", "port", "site", "kind"),
    ),
    "spillway_rate_exceeded": Family(
        "gauge",
        "1: more requests arrived than the configured rate, and the site holds some back.",
        ("service", "port", "site"),
    ),
    "spillway_rate_over": Family(
        "gauge", "", ("service", "port", "site"), replaced_by="spillway_rate_exceeded"
    ),
    "spillway_targets_ready": Family("gauge", "Ready targets.", ("service", "port", "site")),
    "spillway_unserved": Family(
        "gauge",
        "1: no site that is reached has a ready target, and clients of this site ask for one, or "
        "targets exist and this site declares the service or has some of them (SW0309). Without "
        "a value: no such lack.",
        ("service", "port"),
    ),
    "spillway_local_targets": Family(
        "gauge",
        "Targets that connectors of this site name, by state: ready, not-ready or drained.",
        ("service", "port", "state"),
        of_first=True,
    ),
    "spillway_silent_targets": Family(
        "gauge",
        "Ready targets of this site that answer nothing: several tcp connections in a row got no "
        "byte, or requests wait and none is completed.",
        ("service", "port"),
    ),
    "spillway_silent_site": Family(
        "gauge",
        "1: several requests of clients of this site wait for an answer of that one, which answers "
        "none (SW0361), 0: they do not.",
        ("service", "port", "site"),
    ),
    "spillway_ejected": Family(
        "gauge",
        "1: failed requests ejected that site, 0: they did not.",
        ("service", "port", "site"),
    ),
    "spillway_left_out": Family(
        "gauge",
        "1: a rule or the policy keeps requests of this site from that one, 0: none does.",
        ("service", "port", "site"),
    ),
    "spillway_target_requests_total": Family(
        "counter",
        "Requests per target, counted at the egress: of the targets that there are now, at most "
        "1,024 of a connector.",
        ("service", "port", "target"),
    ),
    "spillway_target_client_requests_total": Family(
        "counter",
        "Requests (http) and connections (tcp) that targets of this site had, by the site of "
        "their clients, when they end. At most 1,000 targets and 4,000 pairs of target and site "
        "are kept apart; target or client_site of the rest is other. outcome: ok or failed.",
        ("service", "port", "target", "client_site", "outcome"),
    ),
    "spillway_connections_refused_total": Family(
        "counter", "Connections reset because their source had too many.", ("service", "port")
    ),
    "spillway_tls_handshakes_failed_total": Family(
        "counter",
        "TLS handshakes of clients that failed at the listener, for example without a certificate "
        "that the listener demands. The router's log has the reason.",
        ("service", "port"),
    ),
    "spillway_queue_length": Family(
        "gauge", "Requests that wait for a slot.", ("service", "port"), of_each=True
    ),
    "spillway_demand": Family(
        "gauge",
        "Requests that want a slot of this site: in flight here, overflowed, waiting or refused.",
        ("service", "port"),
        of_each=True,
    ),
    "spillway_queue_wait_seconds": Family(
        "histogram", "How long requests waited for a slot, if they did.", ("service", "port")
    ),
    "spillway_listener_full": Family(
        "gauge",
        "1: the service has as many clients here as its limits.connections allows, so that further "
        "ones wait for a connection.",
        ("service", "port"),
    ),
    "spillway_link_up": Family(
        "gauge",
        "1: the link carries streams, with workers those of one at least. An incoming link that "
        "was lost stays for ten minutes, at 0. A link to a site that was deleted has none.",
        ("link", "direction", "neighbour"),
    ),
    "spillway_link_workers_down": Family(
        "gauge",
        "Workers without a connection for a link that is up at another worker. Only of routers "
        "with workers.",
        ("link", "direction", "neighbour"),
    ),
    "spillway_link_silent_seconds": Family(
        "gauge",
        "How long nothing was heard over a link that is up; 0: less than two seconds. The router "
        "drops a link that stays silent.",
        ("link", "direction", "neighbour"),
    ),
    "spillway_link_rtt_seconds": Family(
        "gauge", "Last measured round trip of the link.", ("link", "direction", "neighbour")
    ),
    "spillway_link_bytes_total": Family(
        "counter",
        "Bytes over the link, without those of TLS.",
        ("link", "direction", "neighbour"),
    ),
    "spillway_link_messages_refused_total": Family(
        "counter",
        "Messages over links that one of the two routers refused: neither the client nor the "
        "target is at fault.",
        ("service", "port", "refusal"),
    ),
    "spillway_sites": Family("gauge", "Reachable sites, this one included."),
    "spillway_sites_deleted": Family(
        "gauge",
        "Sites that were known here, said before they went that they were deleted, and have not "
        "come back.",
    ),
    "spillway_attached_routers": Family(
        "gauge", "Routers in edge mode (gateways, sidecars, laptops) linked to this router."
    ),
    "spillway_edges": Family("gauge", "", replaced_by="spillway_attached_routers"),
    "spillway_spf_seconds": Family("gauge", "How long the last route computation took."),
    "spillway_route_updates_total": Family(
        "counter",
        "Updates of routing data received from neighbors; at least one in 5 minutes. Not of "
        "routers in edge mode, which receive none.",
    ),
    "spillway_lsa_total": Family("counter", "", replaced_by="spillway_route_updates_total"),
    "spillway_certificate_expiry_timestamp_seconds": Family(
        "gauge", "When a certificate of this site ends.", ("name",)
    ),
    "spillway_loop_lag_seconds": Family("gauge", "How late the event loop woke last."),
    "spillway_streams": Family("gauge", "Streams open on all links.", of_each=True),
    "spillway_buffered_bytes": Family(
        "gauge", "Bytes held for slow readers and for slots.", of_each=True
    ),
    "spillway_memory_bytes": Family(
        "gauge",
        "Resident memory, the kernel's socket buffers, the limit of both together, and how much "
        "may be buffered (buffered-mark).",
        ("kind",),
        of_each=True,
    ),
    "spillway_problems": Family(
        "gauge", "Problems that `sitectl status` names now, by their code.", ("code",)
    ),
    "spillway_overload_state": Family(
        "gauge",
        "0 calm, 1 closes idle connections, 2 refuses new requests, 3 drops the slowest streams.",
    ),
    "spillway_overload_actions_total": Family(
        "counter", "What was shed, refused and dropped for want of memory.", ("action",)
    ),
    "spillway_burst_state": Family(
        "gauge", "1: the service of this Burst is saturated at this site.", ("name",)
    ),
    "spillway_burst_hooks_total": Family(
        "counter", "Runs of hooks by how they ended, tests included.", ("name", "result")
    ),
    "spillway_access_log_lines_total": Family("counter", "Lines written to the access log."),
    "spillway_access_log_dropped_total": Family(
        "counter", "Lines of the access log that were lost: too many at once, or a full disk."
    ),
    "process_cpu_seconds_total": Family(
        "counter", "Total user and system CPU time spent in seconds. Of all workers."
    ),
    "process_resident_memory_bytes": Family(
        "gauge",
        "Resident memory size in bytes. Of all workers: memory that they share counts for each.",
        of_each=True,
    ),
    "process_open_fds": Family(
        "gauge", "Number of open file descriptors. Of all workers.", of_each=True
    ),
    "process_max_fds": Family(
        "gauge", "Maximum number of open file descriptors. Of all workers.", of_each=True
    ),
    "process_start_time_seconds": Family(
        "gauge",
        "Start time of the process since unix epoch in seconds. Of the worker that started last.",
    ),
}
