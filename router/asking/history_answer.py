"""Wire format of a service's history: `admin.views.history` in rows, with bounds."""

from collections.abc import Iterable
from typing import Annotated

import msgspec

from router.admin.views.history import HistorySample, HistorySite, ServiceHistory
from router.model import limits
from router.model.messages import packed

_Count = Annotated[int, msgspec.Meta(ge=0, le=limits.COUNTER_MAX)]
_Figure = Annotated[float, msgspec.Meta(ge=0, le=1e15)]
_Word = Annotated[str, msgspec.Meta(pattern=r"\A[ -~]*\Z", max_length=2 * limits.NAME_CHARS_MAX)]
_Service = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9.-]{1,253}\Z")]
_Moment = Annotated[str, msgspec.Meta(pattern=r"\A[0-9TZ:.+-]{1,40}\Z")]
_Row = msgspec.Meta(max_length=limits.SITE_HISTORY_SITES_MAX)


class HistorySiteRow(msgspec.Struct, frozen=True, array_like=True):
    """Row of a `HistorySite`."""

    name: _Word
    id: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{0,64}\Z")]
    local: bool
    path_cost: _Count | None
    last_cost: _Count | None = None  # Absent from older routers.


class SampleRow(msgspec.Struct, frozen=True, array_like=True):
    """Row of a `HistorySample`."""

    at: _Moment
    in_flight: Annotated[tuple[_Figure, ...], _Row]
    served: Annotated[tuple[_Count, ...], _Row]
    nowhere: _Count
    overflow: _Count
    capacity: _Count | None
    capacity_per_s: _Figure | None
    targets_ready: _Count
    queued: _Count
    p50_s: _Figure | None
    p99_s: _Figure | None
    failed: _Count = 0  # These three are absent from older routers.
    gave_up: _Count = 0
    shed: _Count = 0


class HistoryRow(msgspec.Struct, frozen=True, array_like=True):
    """Row of a `ServiceHistory` of the site that answers."""

    service: _Service
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)]
    protocol: _Word
    policy: _Word
    step_s: Annotated[float, msgspec.Meta(ge=limits.SITE_HISTORY_STEP_S_MIN, le=86_400)]
    sites: Annotated[tuple[HistorySiteRow, ...], _Row]
    samples: Annotated[
        tuple[SampleRow, ...], msgspec.Meta(max_length=limits.SITE_HISTORY_SAMPLES_MAX)
    ]


_Rows = Annotated[tuple[HistoryRow, ...], msgspec.Meta(max_length=limits.SITE_SERVICES_MAX)]


def encoded(histories: Iterable[ServiceHistory]) -> bytes:
    """Encode as many histories as fit. Of the first that does not fit, only the newest samples."""
    rows: list[HistoryRow] = []
    left = limits.SITE_ANSWER_BYTES_MAX - _HEADERS_BYTES
    for history in histories:
        row = _row(history)
        sizes = [len(packed.pack(sample)) for sample in row.samples]
        left -= len(packed.pack(msgspec.structs.replace(row, samples=()))) + _HEADERS_BYTES
        first = len(sizes)
        while first and left >= sizes[first - 1]:
            first -= 1
            left -= sizes[first]
        if left < 0:
            break
        rows.append(msgspec.structs.replace(row, samples=row.samples[first:]))
        if first or len(rows) == limits.SITE_SERVICES_MAX:
            break
    return packed.pack(rows)


_HEADERS_BYTES = 16


def _row(history: ServiceHistory) -> HistoryRow:
    most = limits.SITE_HISTORY_SITES_MAX
    return HistoryRow(
        history.service,
        history.port,
        history.protocol,
        history.policy,
        history.step_s,
        tuple(HistorySiteRow(*msgspec.structs.astuple(site)) for site in history.sites[:most]),
        tuple(
            SampleRow(
                sample.at,
                sample.in_flight[:most],
                sample.served[:most],
                *msgspec.structs.astuple(sample)[3:],
            )
            for sample in history.samples[-limits.SITE_HISTORY_SAMPLES_MAX :]
        ),
    )


def read_histories(content: bytes, site: str) -> tuple[ServiceHistory, ...] | None:
    """Read the histories that ``site`` sent. None: unreadable."""
    try:
        rows = packed.read(content, _Rows)
    except packed.Unreadable:
        return None
    if any(not _is_even(row) for row in rows):
        return None
    return tuple(
        ServiceHistory(
            service=row.service,
            port=row.port,
            protocol=row.protocol,
            policy=row.policy,
            site=site,
            step_s=row.step_s,
            sites=tuple(HistorySite(**msgspec.structs.asdict(one)) for one in row.sites),
            samples=tuple(HistorySample(**msgspec.structs.asdict(one)) for one in row.samples),
        )
        for row in rows
    )


def _is_even(row: HistoryRow) -> bool:
    """Whether each sample has a figure for each site."""
    count = len(row.sites)
    return all(len(one.in_flight) == len(one.served) == count for one in row.samples)
