"""What is counted and told of a request at its end."""

from router.exchange.observers import Passage
from router.exchange.ports import LegFailure, Request
from router.exchange.recent_requests import UNANSWERED, RequestRecord
from router.exchange.services.counters import SERVED_NOWHERE, CodeClass, HeldOutcome
from router.exchange.services.service import Service
from router.exchange.sites.remotes import SMOOTHING

TURNED_AWAY = ("all-full", "shed", "no-route", "no-target")
"""Failures of requests that would have been served, had there been more targets."""


def close(
    record: RequestRecord,
    service: Service,
    request: Request,
    failure: LegFailure | None,
    now: float,
    is_served: bool,
) -> None:
    """It is over: once per request. ``is_served``: its last attempt came to this end; else no site
    served it, and ``failure`` is this site's own answer."""
    counters, code_class = service.counters, record.code_class
    started_at, held_at = record.started_at, record.held_at
    record.total_s = seconds = now - started_at
    if record.waited_since is not None:
        note_waited(record, service, now)
    spill, site = record.spill, record.site
    if spill is not None:
        record.spill = None
        counters.spill_ends(spill)
    if is_served and site is not None:
        remotes = service.remotes
        took_s, known_s = now - held_at if held_at < now else 0.0, remotes.service_time_s
        remotes.service_time_s = known_s + SMOOTHING * (took_s - known_s) if known_s else took_s
        if site != service.site and spill is None:
            counters.spilled[site, record.spill_reason, record.overflow_reason] += 1
    else:
        record.site, site = None, SERVED_NOWHERE
    if failure is None:
        record.outcome = "ok"
    else:
        code_class = _note_failure(record, service, request, failure)
    if record.held_by and (held_s := record.waited_s - service.config.queue_wait_s) > 0:
        counters.was_held(_became(failure), held_s)
    if held_at == started_at:  # The commonest have a target at once.
        bucket = counters.request(site, code_class, seconds)
    else:
        begun_at = record.begun_at  # `RequestRecord.phases`, in place.
        if begun_at > now:
            begun_at = now
        if held_at > now:
            held_at = now
        bucket = counters.request_in_phases(
            site,
            code_class,
            seconds,
            begun_at - started_at,
            held_at - begun_at,
            now - held_at,
        )
    origin = record.origin
    if origin is not None:
        record.origin = None
        origin.count(service.key, site, failure is not None or code_class == "5xx", bucket)


def _became(failure: LegFailure | None) -> HeldOutcome:
    """Of a request that was held."""
    if failure is None:
        return "served"
    if failure.code in ("client-gone", "cancelled"):
        return "gave-up"
    return "refused" if failure.untouched else "failed"


def note_waited(record: RequestRecord, service: Service, now: float) -> None:
    """Its wait in the queue is over, if it had to wait: not on the way to a far site."""
    assert record.waited_since is not None, "it waits"
    waited_s, record.waited_since = now - record.waited_since, None
    if waited_s < 0:
        return
    record.waited_s += waited_s
    service.counters.waited(waited_s)


def _note_failure(
    record: RequestRecord, service: Service, request: Request, failure: LegFailure
) -> CodeClass:
    """It is over, not ok; how it is counted."""
    record.outcome = failure.code
    if failure.untouched:
        service.past.denied(record)
    if failure.code == "client-gone" or failure.code == "cancelled":
        if failure.code == "client-gone" and record.code_class == UNANSWERED:
            service.counters.gave_up += 1
        return failure.code
    if failure.code in TURNED_AWAY:
        # One connection of HTTP/1 has one request at a time: its next one is the same client's.
        # A client of tcp has to connect again.
        may_return = request.protocol == "http"
        host = request.client.rpartition(":")[0] if request.protocol == "tcp" else ""
        record.unserved = service.demand.turned_away(
            service.now(), record.started_at, host, may_return=may_return
        )
    if failure.code == "shed":
        service.counters.decided(service.config.policy.name, "shed")
    failed_for = service.counters.failed_for
    failed_for[failure.code] = failed_for.get(failure.code, 0) + 1
    return "error" if request.protocol == "tcp" else "5xx"


def passage(
    record: RequestRecord, service: Service, failure: LegFailure | None, target: str, now: float
) -> Passage:
    """It is over, and closed: what a `Watch` is told. ``target``, if this site served it."""
    queue_s, network_s, target_s = record.phases(now)
    return Passage(
        site=service.name_of(record.site or SERVED_NOWHERE),
        target=target,
        overflow_reason=record.overflow_reason,
        reason=record.reason,
        attempts=record.attempts,
        outcome="ok" if failure is None else failure.code,
        queue_s=queue_s,
        network_s=network_s,
        target_s=target_s,
        total_s=record.total_s,
    )
