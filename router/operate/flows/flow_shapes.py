"""Records one request or connection in a few µs, and formats it if a client asks."""

from collections.abc import Callable

import msgspec

from router.admin.views.flow import FlowView
from router.model.ids import ServiceKey, SiteId
from router.operate.flows.access_log import method_and_path
from router.operate.why.recent_decisions import reason_of
from router.service.observers import Finished, Flow
from router.service.recent_requests import RequestRecord


class Noted(msgspec.Struct, frozen=True):
    """The data of one flow besides its record. It holds only method and path of the head."""

    key: ServiceKey
    protocol: str
    record: RequestRecord
    client: str = ""
    method: str = ""
    path: str = ""
    target: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    status: int = 0
    code: str = ""
    request_id: str = ""
    trace_id: str = ""


def noted(flow: Flow, finished: Finished | None = None) -> Noted:
    """The flow as it is now, or as it was when it ended."""
    request = flow.request
    method, path = method_and_path(request.head) if request.head else ("", "")
    if finished is None:
        target, bytes_in, bytes_out = flow.target, flow.bytes_in, flow.bytes_out
        return Noted(
            flow.key,
            request.protocol,
            flow.record,
            flow.client,
            method,
            path,
            target,
            bytes_in,
            bytes_out,
        )
    return Noted(
        finished.key,
        finished.protocol,
        flow.record,
        finished.client,
        method,
        path,
        finished.passage.target,
        finished.bytes_in,
        finished.bytes_out,
        finished.status,
        finished.code,
        finished.request_id,
        finished.trace_id,
    )


def shown(
    noted: Noted, now: float, utc: Callable[[float], str], site_name: Callable[[SiteId], str]
) -> FlowView:
    """The flow as the API shows it at ``now``, in monotonic seconds. ``utc`` converts such moments
    to wall-clock time; ``site_name`` by id."""
    record = noted.record
    ended = record.started_at + record.total_s if record.outcome else now
    total_s, queue_s, network_s, target_s = record.times(ended)
    return FlowView(
        id=record.number,
        at=utc(record.started_at),
        service=noted.key.name,
        port=noted.key.port,
        protocol=noted.protocol,
        client=noted.client,
        method=noted.method,
        path=noted.path,
        status=noted.status,
        code=noted.code,
        outcome=record.outcome or "under-way",
        answer=record.answer,
        site=site_name(record.site) if record.site is not None else None,
        target=noted.target,
        reason=reason_of(record, now, site_name),
        overflow=record.overflow_reason,
        spill_reason=record.spill_reason if record.site is not None else "",
        attempts=record.attempts,
        queue_s=round(queue_s, 6),
        network_s=round(network_s, 6),
        target_s=round(target_s, 6),
        total_s=round(total_s, 6),
        bytes_in=noted.bytes_in,
        bytes_out=noted.bytes_out,
        request_id=noted.request_id,
        trace_id=noted.trace_id,
        explained=True,
    )
