"""Texts about full sites, including a site that the next request would only probe again.

A site that refused counts as having a free slot once no report came for a while (`RemoteSite`), so
that one request asks it. Decisions use that figure. A user who asks for the state gets the answer
of the site: it is full.
"""

from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from router.balance.deciding.decisions import CandidateReport
from router.model.ids import SiteId

REPROBE_TEXT: Final = "it refused a request a moment ago and is asked again"
_TAKES: Final = ("chosen", "dearer", "higher-level", "above-mark", "not-chosen")


def full_text(in_flight: int, capacity: int, reserved: int) -> str:
    """Why a site with ``in_flight`` of its ``capacity`` in use takes no request of this site.

    ``reserved``: slots that only its own clients get.
    """
    if reserved and capacity - reserved <= in_flight < capacity:
        kept = "1 is" if reserved == 1 else f"{reserved} are"
        return (
            f"full for others: {in_flight} in flight, and of its {capacity} slots {kept} reserved "
            "for clients of that site"
        )
    return f"{in_flight} in flight, its capacity is {capacity}"


def share_text(most: int, capacity: int | None) -> str:
    """Why a site takes no more of this site's requests though others may find a slot there."""
    of = "" if capacity is None else f" of its {capacity}"
    slots = "1 slot" if most == 1 else f"{most} slots"
    return f"this site holds {slots}{of}, the most that site lets one neighbor hold"


def as_told(
    reports: Iterable[CandidateReport], again: Collection[SiteId]
) -> tuple[CandidateReport, ...]:
    """``reports`` with the sites in ``again`` full, except a chosen one while another has room."""
    known = tuple(reports)
    in_vain = not any(one.verdict in _TAKES and one.site not in again for one in known)
    return tuple([_as_told(one, in_vain) if one.site in again else one for one in known])


def _as_told(one: CandidateReport, in_vain: bool) -> CandidateReport:
    if one.verdict not in _TAKES:
        return one
    if one.verdict == "chosen" and not in_vain:
        return msgspec.structs.replace(
            one, free=0, reason=f"{REPROBE_TEXT} (0 of {one.capacity} free)"
        )
    reason = full_text(one.in_flight, one.capacity or 0, one.reserved)
    return msgspec.structs.replace(one, free=0, verdict="full", reason=reason, level=None)
