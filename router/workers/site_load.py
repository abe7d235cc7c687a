"""This site's requests in flight, if decisions know only the part of some of its workers. Pure."""

from collections.abc import Sequence

import msgspec

from router.balance.deciding.decisions import CandidateReport


class SiteLoad(msgspec.Struct, frozen=True, kw_only=True):
    """One service port at this site. ``note``: which part of it takes no request, and why."""

    in_flight: int
    capacity: int | None
    note: str


def is_here(report: CandidateReport) -> bool:
    """Whether the report is of this site."""
    return report.path_cost == 0


def reports_with(
    load: SiteLoad | None, reports: Sequence[CandidateReport]
) -> Sequence[CandidateReport]:
    """``reports``, that of this site with its ``load``. None: decisions know all of it."""
    if load is None:
        return reports
    return [
        msgspec.structs.replace(one, in_flight=load.in_flight, capacity=load.capacity)
        if is_here(one)
        else one
        for one in reports
    ]
