"""The values of `/metrics`, read from the rooms."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from operator import attrgetter
from platform import python_version
from typing import cast

from router.admin.ports import HistogramView, Labels, MetricValues
from router.admin.views.links import LinkView
from router.balance.deciding.decisions import CandidateReport
from router.balance.learning.capacity_learning import LearntTarget
from router.balance.site.lending import lent_of
from router.balance.site_gate import RateState
from router.exchange.failure_answers import FAILURES
from router.link.sessions.link_status import joined
from router.model.addresses import join
from router.model.events import Problem
from router.model.ids import ServiceKey, by_name
from router.model.latency import LATENCY_BOUNDS_S, coarse
from router.node.memory_guard import MemoryGuard
from router.node.problems.left_out import why_not
from router.node.site_router import SiteRouter
from router.operate.figures.link_views import neighbour_of
from router.operate.problems.local_targets import without_used
from router.service.counters import CountersSnapshot
from router.service.figures import LendingFigures, ServiceSnapshot
from router.service.ports import LegCode

Put = Callable[[str, Labels, float], None]


NONE: Mapping[str, float] = {}


def measure(
    router: SiteRouter,
    memory: MemoryGuard,
    expiries: Mapping[str, float],
    loop_lag_s: float,
    figures: Mapping[str, float] = NONE,
    problems: Sequence[Problem] = (),
    rate_of: Callable[[ServiceSnapshot], RateState | None] = attrgetter("rate"),
    reports_of: Callable[[ServiceSnapshot], Sequence[CandidateReport]] = attrgetter(
        "explanation.candidates"
    ),
    used_by_others: Callable[[ServiceKey], Collection[str]] = lambda key: (),
) -> Iterator[MetricValues]:
    """Yield the router's present values, then those of each service port as the caller asks for
    them. Counters have ids of sites in their labels, as `site_labels` says.

    ``expiries``: Unix seconds by certificate. ``figures``: those of the process, without labels.
    ``problems``: those of `status`. ``rate_of``: this site's state against a service's rate.
    ``reports_of``: the candidates, where this site has the requests in flight of all workers.
    ``used_by_others``: addresses of targets that are ready at other workers.
    """
    numbers = _of_router(router, memory, expiries, loop_lag_s, figures)
    for code, count in Counter(problem.code for problem in problems).items():
        numbers.setdefault("spillway_problems", {})[code,] = float(count)
    for key, open_now in router.forwarder.ports.removed().items():
        for site, count in by_name(open_now, router.site_name).items():
            at_site = key.name, str(key.port), site
            numbers.setdefault("spillway_removed_in_flight", {})[at_site] = count
    yield MetricValues(numbers, {})
    for snapshot in router.readings.snapshots():
        used = used_by_others(snapshot.key)
        yield _of_service(router, snapshot, rate_of(snapshot), reports_of(snapshot), used)


def _of_router(
    router: SiteRouter,
    memory: MemoryGuard,
    expiries: Mapping[str, float],
    loop_lag_s: float,
    figures: Mapping[str, float],
) -> dict[str, dict[Labels, float]]:
    numbers: dict[str, dict[Labels, float]] = {}

    def put(metric: str, labels: Labels, number: float) -> None:
        numbers.setdefault(metric, {})[labels] = number

    put("spillway_build_info", (router.version, python_version()), 1.0)
    _of_links(router, put)
    sites = router.routing.table.sites.values()
    put("spillway_sites", (), sum(1 for route in sites if route.reachable))
    put("spillway_sites_deleted", (), router.news.deleted.known_before)
    put("spillway_attached_routers", (), len(router.edges))
    put("spillway_spf_seconds", (), router.routing_run.spf_seconds)
    if not router.is_edge:  # Its neighbor sends it only changes of its table.
        put("spillway_route_updates_total", (), router.routing.lsas_received)
    for name, expires in expiries.items():
        put("spillway_certificate_expiry_timestamp_seconds", (name,), expires)
    put("spillway_loop_lag_seconds", (), loop_lag_s)
    put("spillway_streams", (), router.links.streams)
    for key in router.site_services.unserved:
        put("spillway_unserved", (key.name, str(key.port)), 1.0)
    use = memory.use_now()
    put("spillway_buffered_bytes", (), use.buffered_bytes)
    put("spillway_memory_bytes", ("resident",), use.resident_bytes)
    put("spillway_memory_bytes", ("sockets",), use.socket_bytes)
    put("spillway_memory_bytes", ("limit",), memory.limit_bytes)
    put("spillway_memory_bytes", ("buffered-mark",), memory.buffered_mark_bytes)
    put("spillway_overload_state", (), memory.level)
    put("spillway_overload_actions_total", ("shed",), memory.shed_total)
    put("spillway_overload_actions_total", ("refuse",), router.forwarder.memory.refused_total)
    put("spillway_overload_actions_total", ("drop",), memory.dropped_total)
    for metric, number in figures.items():
        put(metric, (), number)
    return numbers


def takes_part(router: SiteRouter, key: ServiceKey, report: CandidateReport) -> bool:
    """Whether a site has a connector or unfinished requests; the balancer always lists this
    site."""
    if report.site != router.identity.site or report.in_flight:
        return True
    planned = router.services.get(key)
    return planned is not None and planned.has_connector


def lent_there(
    router: SiteRouter, snapshot: ServiceSnapshot, report: CandidateReport
) -> tuple[int, int | None]:
    """Slots of a site that only its own clients get, and how many one neighbor may hold."""
    if report.site != router.identity.site or report.capacity is None:
        return report.reserved, report.most_for_one
    planned, own = router.services.get(snapshot.key), snapshot.load
    if planned is None or (not own.reserved and own.most_for_one is None):
        return 0, None  # Its slots are not limited.
    return lent_of(planned.lending, report.capacity)


def _of_service(
    router: SiteRouter,
    snapshot: ServiceSnapshot,
    rate: RateState | None,
    reports: Sequence[CandidateReport],
    used_by_others: Collection[str],
) -> MetricValues:
    numbers: dict[str, dict[Labels, float]] = {}
    histograms: dict[str, dict[Labels, HistogramView]] = {}

    def put(metric: str, labels: Labels, number: float) -> None:
        numbers.setdefault(metric, {})[labels] = number

    service = (snapshot.key.name, str(snapshot.key.port))
    protocol = str(snapshot.config.protocol)
    counters = snapshot.counters
    for (site, code_class), histogram in counters.requests.items():
        labels = (*service, protocol, site, code_class)
        put("spillway_requests_total", labels, float(sum(histogram.counts)))
        histograms.setdefault("spillway_request_seconds", {})[labels] = HistogramView(
            LATENCY_BOUNDS_S, coarse(histogram.counts), histogram.sum_s
        )
    for (to, reason), count in counters.overflow.items():
        put("spillway_overflow_total", (*service, to, reason), count)
    for (to, reason), count in counters.spilled.items():
        put("spillway_spilled_total", (*service, to, reason), count)
    for code, count in _as_told(counters.failed_for).items():
        put("spillway_failed_requests_total", (*service, code), count)
    for (policy, verdict), count in counters.decisions.items():
        put("spillway_decisions_total", (*service, policy, verdict), count)
    for (failure, outcome), count in counters.retries.items():
        put("spillway_retries_total", (*service, failure, outcome), count)
    is_full = snapshot.key in router.forwarder.listeners.full_ports()
    put("spillway_listener_full", service, float(is_full))
    _of_waits(counters, service, put)
    for phase, histogram in counters.phases.items():
        histograms.setdefault("spillway_request_phase_seconds", {})[(*service, phase)] = (
            HistogramView(LATENCY_BOUNDS_S, coarse(histogram.counts), histogram.sum_s)
        )
    waits = counters.queue_wait
    histograms.setdefault("spillway_queue_wait_seconds", {})[service] = HistogramView(
        LATENCY_BOUNDS_S, coarse(waits.counts), waits.sum_s
    )
    put("spillway_connections_refused_total", service, snapshot.refused_connections)
    put("spillway_tls_handshakes_failed_total", service, snapshot.tls_failures)
    for refusal, count in router.forwarder.refused_messages.counts(snapshot.key).items():
        put("spillway_link_messages_refused_total", (*service, refusal), count)
    put("spillway_queue_length", service, snapshot.queued)
    put("spillway_demand", service, snapshot.demand)
    for name, count in by_name(snapshot.under_way, router.site_name).items():
        put("spillway_clients_in_flight", (*service, name), count)
    if snapshot.lending is not None:
        _of_lending(router, snapshot.lending, service, put)
    _of_sites(router, snapshot, rate, reports, service, put)
    _of_targets(router, snapshot, used_by_others, service, put)
    return MetricValues(numbers, histograms)


def _as_told(failed_for: Mapping[str, int]) -> Counter[str]:
    """Failed requests by the code that their clients received."""
    told = Counter[str]()
    for code, count in failed_for.items():
        failure = FAILURES.get(cast(LegCode, code))
        told[code if failure is None else failure.code] += count
    return told


def _of_waits(counters: CountersSnapshot, service: tuple[str, str], put: Put) -> None:
    for outcome, (count, seconds) in counters.held.items():
        put("spillway_held_requests_total", (*service, outcome), count)
        put("spillway_held_seconds_total", (*service, outcome), seconds)
    for cause, count in counters.departed.items():
        put("spillway_connections_departed_total", (*service, cause), count)


def _of_lending(
    router: SiteRouter, lending: LendingFigures, service: tuple[str, str], put: Put
) -> None:
    for reason, count in lending.denied.items():
        put("spillway_lending_denied_total", (*service, reason), count)
    for neighbour, held in by_name(lending.borrowers, router.site_name).items():
        put("spillway_lent_slots", (*service, neighbour), held)


def _of_targets(
    router: SiteRouter,
    snapshot: ServiceSnapshot,
    used_by_others: Collection[str],
    service: tuple[str, str],
    put: Put,
) -> None:
    down = [one for one in snapshot.targets if not (one.ready or one.leaving)]
    whole, _ = without_used(used_by_others, snapshot.local_targets, down)
    if whole.total:
        put("spillway_local_targets", (*service, "ready"), whole.ready)
        planned = router.services.get(snapshot.key)
        absent = "not-ready" if planned is None or planned.takes else "drained"
        put("spillway_local_targets", (*service, absent), whole.total - whole.ready)
        unanswering = router.readings.targets.unanswering_of(snapshot.key)
        put("spillway_silent_targets", service, len(unanswering))
    for target in snapshot.targets:
        at_target = (*service, join(target.host, target.port))
        put("spillway_target_requests_total", at_target, target.requests_total)
        _of_learnt(target.learnt, at_target, put)


def _of_sites(
    router: SiteRouter,
    snapshot: ServiceSnapshot,
    rate: RateState | None,
    reports: Sequence[CandidateReport],
    service: tuple[str, str],
    put: Put,
) -> None:
    for report in reports:
        if not takes_part(router, snapshot.key, report):
            continue
        at_site = (*service, report.site_name)
        put("spillway_in_flight", at_site, report.in_flight)
        put("spillway_clients_in_flight", at_site, snapshot.under_way.get(report.site, 0))
        put("spillway_waiting", at_site, report.waiting or 0)
        put("spillway_targets_ready", at_site, report.targets_ready)
        if report.site != router.identity.site:
            put("spillway_ejected", at_site, float(report.ejected_s is not None))
            put("spillway_left_out", at_site, float(why_not(report, snapshot.explanation) != ""))
            owes = router.readings.unanswering_sites_of(snapshot.key)
            put("spillway_silent_site", at_site, float(report.site in owes))
        if report.capacity is not None:
            put("spillway_capacity", at_site, report.capacity)
        if reserved := lent_there(router, snapshot, report)[0]:
            put("spillway_reserved_slots", at_site, reserved)
        _of_rate(report, rate if report.site == router.identity.site else None, at_site, put)


def _of_learnt(learnt: LearntTarget | None, at_target: Labels, put: Put) -> None:
    if learnt is None:
        return
    put("spillway_target_learnt_slots", at_target, learnt.slots)
    if learnt.baseline_s is not None:
        put("spillway_target_baseline_seconds", at_target, learnt.baseline_s)
    if learnt.latency_s is not None:
        put("spillway_target_latency_seconds", at_target, learnt.latency_s)


def _of_rate(
    report: CandidateReport, own: RateState | None, at_site: tuple[str, ...], put: Put
) -> None:
    if report.rate is None:
        return
    per_s, is_over = report.rate.per_s, report.rate.is_over
    if own is not None:
        per_s, is_over = own.per_s, own.is_over
    put("spillway_rate_exceeded", at_site, float(is_over))
    put("spillway_rate_per_second", (*at_site, "stated"), per_s)
    if own is not None:
        put("spillway_rate_per_second", (*at_site, "asked"), own.asked_per_s)
        put("spillway_rate_per_second", (*at_site, "admitted"), own.admitted_per_s)


def of_links_at_workers(links: Sequence[LinkView]) -> MetricValues:
    """For each link that is up: how many workers have no connection."""
    down: dict[Labels, float] = {
        (link.name, link.direction, link.neighbour.name): float(len(link.workers_down))
        for link in links
        if link.workers
    }
    return MetricValues({"spillway_link_workers_down": down}, {})


def _of_links(router: SiteRouter, put: Put) -> None:
    for link in reversed(joined(router.links.status())):  # A link comes before its draining one.
        neighbour = neighbour_of(link, router.routing.table).name
        labels = link.name, link.direction, neighbour
        if router.news.deleted.seen(link).error_code != "deleted":  # Else needless: no alert.
            put("spillway_link_up", labels, float(link.state == "up"))
        put("spillway_link_silent_seconds", labels, link.silent_s)
        if link.rtt_s is not None:
            put("spillway_link_rtt_seconds", labels, link.rtt_s)
        put("spillway_link_bytes_total", (link.name, "in", neighbour), link.bytes_in)
        put("spillway_link_bytes_total", (link.name, "out", neighbour), link.bytes_out)
