"""Sites whose signed routing data is wrong: what operators see of them."""

from collections.abc import Callable
from typing import Final

import msgspec

from router.model.events import Problem
from router.model.ids import SiteId
from router.model.limits import (
    CONFLICT_SHOWN_S,
    FAULTY_SITES_MAX,
    FAULTY_SITES_SHOWN_MAX,
    SITE_OVER_BUDGET_SHOWN_S,
)


class SiteFault(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of fault. ``event``: its code in `events`. ``shown_s``: how long after the last
    sighting.

    ``text``: the fault, with ``{who}``, its name and id, and ``{detail}``.
    """

    code: str
    event: str
    hint: str
    shown_s: float
    text: str


EQUIVOCATION: Final = SiteFault(
    code="SW0672",
    event="equivocation",
    hint="If its state was copied or restored stop one of the two routers; else end its access "
    "where it is linked: sitectl link delete NAME",
    shown_s=CONFLICT_SHOWN_S,
    text="{who} signed two different sets of routing data with one number and tells some sites "
    "this, others that: it runs twice with one identity, or it lies. All sites use the "
    "same one of the two.",
)
OVER_BUDGET: Final = SiteFault(
    code="SW0674",
    event="site-over-budget",
    hint="At that site delete services that are not used, or end its access where it is linked: "
    "sitectl revoke-access",
    shown_s=SITE_OVER_BUDGET_SHOWN_S,
    text="{who} reports more of itself than this site keeps of one site: {detail}. The older "
    "part of it stays in use, and this site ignores the rest.",
)
BRINGS_TOO_MUCH: Final = SiteFault(
    code="SW0682",
    event="neighbor-over-budget",
    hint="See which sites are behind it: sitectl network status. If a member invents them, end its "
    "access where it is linked: sitectl revoke-access --link NAME",
    shown_s=SITE_OVER_BUDGET_SHOWN_S,
    text="{who} brings more of the sites behind it than this site keeps of one neighbor: "
    "{detail}. What came first stays in use, and this site ignores the rest.",
)
TOKEN_OVER_BUDGET: Final = SiteFault(
    code="SW0683",
    event="token-over-budget",
    hint="If all of these sites are meant to be here link some of them again, with tokens of their "
    "own: sitectl token create FILE. Which token let in which site: sitectl link access",
    shown_s=SITE_OVER_BUDGET_SHOWN_S,
    text="{who} and other sites that one token let in report more of themselves than this site "
    "keeps of one token: {detail}. What came first stays in use, and this site ignores the "
    "rest.",
)


class _Seen(msgspec.Struct, frozen=True):
    """A fault of a site called ``name``, in words, and when it was last seen."""

    fault: SiteFault
    text: str
    name: str
    at: float


class SiteFaults:
    """Each fault is shown until it was not seen for a while."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[str, SiteId], _Seen] = {}
        """By code and site, longest silent first."""

    def found(self, fault: SiteFault, site: SiteId, name: str, now: float, detail: str = "") -> str:
        """Record the fault and return its text; empty: it is already shown."""
        self._forget(now)
        text = fault.text.format(who=f"{name} ({site})", detail=detail)
        is_new = self._known.pop((fault.code, site), None) is None
        if len(self._known) >= FAULTY_SITES_MAX:
            del self._known[next(iter(self._known))]
        self._known[fault.code, site] = _Seen(fault, text, name, now)
        return text if is_new else ""

    def problems(self, now: float, utc: Callable[[float], str]) -> list[Problem]:
        """One problem for each fault of a site, by code and name, at most `FAULTY_SITES_SHOWN_MAX`.

        Each has the time of the last sighting, since it may be over by now. ``utc``: ISO 8601 of
        ``now``'s clock.
        """
        self._forget(now)
        known = sorted(((code, one.name, site), one) for (code, site), one in self._known.items())
        return [
            Problem(
                code=one.fault.code,
                message=f"{one.text} It was seen last at {utc(one.at)}.",
                hint=one.fault.hint,
            )
            for _, one in known[:FAULTY_SITES_SHOWN_MAX]
        ]

    def _forget(self, now: float) -> None:
        over = [key for key, one in self._known.items() if now >= one.at + one.fault.shown_s]
        for key in over:
            del self._known[key]
