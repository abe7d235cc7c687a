"""Counts and reports a request at its end."""

from router.model.port_reading import SERVED_NOWHERE
from router.model.requests import Request
from router.service.counters import CodeClass, HeldOutcome
from router.service.observers import RequestTiming
from router.service.ports import LegFailure
from router.service.recent_requests import UNANSWERED, RequestRecord
from router.service.service import Service

TURNED_AWAY = ("all-full", "shed", "no-route", "no-target")
"""Failures of requests that would have been served with more targets."""


def close(
    record: RequestRecord,
    service: Service,
    request: Request,
    failure: LegFailure | None,
    now: float,
) -> None:
    """Count what only some requests have at their end: a failure, a wait, a spill counted at its
    start.
    """
    if record.waited_since is not None:
        note_waited(record, service, now)
    spill, counters = record.spill, service.counters
    if record.is_pending:
        give_back(record, service)
        if spill is not None and record.site is not None:
            counters.spilled[spill] += 1
    elif spill is not None:
        record.spill = None
        counters.spill_ends(spill)
    if failure is not None:
        record.code_class = _note_failure(record, service, request, failure)


def give_back(record: RequestRecord, service: Service) -> None:
    """The request's pending spill, if any, is none: the attempt is over, or its answer begins."""
    spill = record.spill
    if record.is_pending and spill is not None:
        record.spill, record.is_pending = None, False
        service.counters.spill_pends_no_more(spill)


def note_held(record: RequestRecord, service: Service, failure: LegFailure | None) -> None:
    """Count a request that waited longer than for a slot, for the site of a burst hook."""
    held_s = record.waited_s - service.config.queue_wait_s
    if held_s > 0:
        service.counters.was_held(_became(failure), held_s)


def _became(failure: LegFailure | None) -> HeldOutcome:
    """The outcome of a request that was held."""
    if failure is None:
        return "served"
    if failure.code in ("client-gone", "cancelled"):
        return "gave-up"
    return "refused" if failure.untouched else "failed"


def note_waited(record: RequestRecord, service: Service, now: float) -> None:
    """The request's wait in the queue is over, if it had to wait: the way to a far site does not
    count.
    """
    waited_s = record.ends_wait(now)
    if waited_s is not None:
        service.counters.waited(waited_s)


def _note_failure(
    record: RequestRecord, service: Service, request: Request, failure: LegFailure
) -> CodeClass:
    """Record a request that failed; returns how it is counted."""
    record.outcome = failure.code
    if failure.untouched:
        service.recent_requests.denied(record)
    if failure.code == "client-gone" or failure.code == "cancelled":
        if failure.code == "client-gone" and record.code_class == UNANSWERED:
            service.counters.gave_up += 1
        return failure.code
    if failure.code in TURNED_AWAY:
        # An HTTP/1 connection has one request at a time: its next one is the same client's. A tcp
        # client has to connect again.
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
) -> RequestTiming:
    """The passage of a finished request for a `Watch`. ``target``, if this site served it."""
    total_s, queue_s, network_s, target_s = record.times(now)
    return RequestTiming(
        site=service.name_of(record.site or SERVED_NOWHERE),
        target=target,
        overflow_reason=record.overflow_reason,
        reason=record.reason,
        attempts=record.attempts,
        outcome="ok" if failure is None else failure.code,
        queue_s=queue_s,
        network_s=network_s,
        target_s=target_s,
        total_s=total_s,
    )
