"""Text about a full site that the next request would only probe again.

A site that refused counts as having a free slot once nothing was heard of it for a while
(`RemoteSite`), so that one request asks it. Decisions go by that. Who asks how things stand hears
what the site told: that it is full.
"""

from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from router.balance.decisions import CandidateReport
from router.model.ids import SiteId

ASKED_AGAIN: Final = "it refused a request a moment ago and is asked again"
_TAKES: Final = ("chosen", "dearer", "higher-level", "above-mark")


def as_told(
    reports: Iterable[CandidateReport], again: Collection[SiteId]
) -> tuple[CandidateReport, ...]:
    """``reports`` with the sites ``again`` full, but for a chosen one while another has room."""
    known = tuple(reports)
    in_vain = not any(one.verdict in _TAKES and one.site not in again for one in known)
    return tuple([_as_told(one, in_vain) if one.site in again else one for one in known])


def _as_told(one: CandidateReport, in_vain: bool) -> CandidateReport:
    if one.verdict not in _TAKES:
        return one
    if one.verdict == "chosen" and not in_vain:
        return msgspec.structs.replace(
            one, free=0, reason=f"{ASKED_AGAIN} (0 of {one.capacity} free)"
        )
    reason = f"{one.in_flight} in flight, its capacity is {one.capacity}"
    return msgspec.structs.replace(one, free=0, verdict="full", reason=reason, level=None)
