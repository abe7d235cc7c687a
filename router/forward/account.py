"""What is counted and told of some requests alone: that waited, failed, or are watched.

Of all of them: `Receiver`, at the end.
"""

from router.forward.counters import CodeClass
from router.forward.observers import Passage
from router.forward.ports import LegFailure, Request
from router.forward.recent_requests import RequestRecord
from router.forward.service import Service

TURNED_AWAY = ("all-full", "no-route", "no-target")
"""Failures of requests that would have been served, had there been more targets."""


def note_waited(record: RequestRecord, service: Service, now: float) -> None:
    """Its wait in the queue is over, if it had to wait: not on the way to a far site."""
    assert record.waited_since is not None, "it waits"
    waited_s, record.waited_since = now - record.waited_since, None
    if waited_s < 0:
        return
    record.waited_s += waited_s
    service.counters.waited(waited_s)


def note_failure(
    record: RequestRecord, service: Service, request: Request, failure: LegFailure
) -> CodeClass:
    """It is over, not ok; how it is counted."""
    record.outcome = failure.code
    if failure.untouched:
        service.past.denied(record)
    if failure.code == "client-gone" or failure.code == "cancelled":
        return failure.code
    if failure.code in TURNED_AWAY:
        # One connection of HTTP/1 has one request at a time: its next one is the same client's.
        # A client of tcp has to connect again.
        may_return = request.protocol == "http"
        host = request.client.rpartition(":")[0] if request.protocol == "tcp" else ""
        record.unserved = service.demand.turned_away(
            service.now(), record.started_at, host, may_return=may_return
        )
    failed_for = service.counters.failed_for
    failed_for[failure.code] = failed_for.get(failure.code, 0) + 1
    return "error" if request.protocol == "tcp" else "5xx"


def passage(
    record: RequestRecord, failure: LegFailure | None, served_at: str, target: str, now: float
) -> Passage:
    """It is over: what a `Watch` is told. ``served_at``: the name of a site. ``target``, if this
    site served it."""
    queue_s, network_s, target_s = record.phases(now)
    return Passage(
        site=served_at,
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
