"""What is counted and told of one request: where its time went, what was decided, how it ended."""

from router.forward.counters import SERVED_NOWHERE
from router.forward.observing import Passage, Watch
from router.forward.past import Record
from router.forward.ports import LegFailure, Request
from router.forward.service import Service

TURNED_AWAY = ("all-full", "no-route", "no-target")
"""Failures of requests that would have been served, had there been more targets."""


def note_waited(record: Record, service: Service, now: float) -> None:
    """Its wait in the queue is over."""
    assert record.waited_since is not None, "it waits"
    record.waited_s = now - record.waited_since
    record.waited_since = None
    service.counters.queue_wait.observe(record.waited_s)


def end(
    record: Record,
    service: Service,
    request: Request,
    failure: LegFailure | None,
    is_served: bool,
    target: str,
    watch: Watch | None,
) -> None:
    """Count it and tell of it: once per request, here and nowhere else.

    ``is_served``: the site of its last attempt did, by ``target`` if that is this one.
    """
    counters, now = service.counters, service.now()
    started_at, held_at = record.started_at, record.held_at
    record.total_s = seconds = now - started_at
    if record.waited_since is not None:
        note_waited(record, service, now)
    served_at, site = SERVED_NOWHERE, record.site
    if is_served and site is not None:
        remotes = service.remotes
        served_at = remotes.names.get(site, site)
        remotes.note_service_time(now - held_at if held_at < now else 0.0)
        if record.overflow_reason:
            counters.overflowed(served_at, record.overflow_reason)
    else:
        record.site = None
    code_class = record.code_class
    if failure is None:
        record.outcome = "ok"
    else:
        record.outcome = failure.code
        if failure.untouched:
            service.past.denied(record)
        if failure.code == "cancelled":
            code_class = "cancelled"
        else:
            if failure.code in TURNED_AWAY:
                service.demand.turned_away()
            code_class = "error" if request.protocol == "tcp" else "5xx"
    counters.request(served_at, code_class, seconds)
    if held_at != started_at:  # The commonest have a target at once.
        queue_s, network_s, target_s = record.phases(now)
        counters.phases(seconds, queue_s, network_s, target_s)
    if watch is not None:
        watch.counted(_passage(record, failure, served_at, target, now))


def _passage(
    record: Record, failure: LegFailure | None, served_at: str, target: str, now: float
) -> Passage:
    queue_s, network_s, target_s = record.phases(now)
    return Passage(
        site=served_at,
        target=target if served_at else "",
        overflow_reason=record.overflow_reason,
        reason=record.reason,
        attempts=record.attempts,
        outcome="ok" if failure is None else failure.code,
        queue_s=queue_s,
        network_s=network_s,
        target_s=target_s,
        total_s=record.total_s,
    )
