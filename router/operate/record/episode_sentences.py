"""Sentences about requests of a service that spill or are refused, as events have them."""

from collections.abc import Collection, Sequence
from math import inf
from typing import Final

from router.balance.deciding.decisions import CandidateReport
from router.balance.site.spills import LocalTargets
from router.model.events import Refusals, Spill
from router.model.specs import ServiceSpec
from router.model.wording.plural import counted
from router.model.wording.traffic import REQUEST
from router.operate.problems.failing_requests import WORDS

_TAKES_HERE: Final = (
    *("chosen", "dearer", "full", "higher-level", "not-chosen"),
    *("above-mark", "sheddable-share", "sends-away"),
)
"""Verdicts of a site that serves requests as far as it has room."""
_SO_FAR: Final = "so far"  # An episode in progress: its counts are those until the event.
LOOKED_AT: Final = " when looked at"  # Sampled each second: the figure misses shorter fullness.


def overflow_sentence(
    service: str,
    figures: Spill,
    *,
    is_end: bool,
    unstated: str = "",
    elsewhere: str = "",
    unit: str = REQUEST,
) -> str:
    """``shop:8080 overflowed for 12 s: 340 requests, 300 to east, 40 to north (…)``.

    ``unstated``: the text in place of an unknown capacity. ``elsewhere``: as in `full_elsewhere`.
    ``unit``: of the counts.
    """
    here = _here(figures, unstated, is_end=is_end)
    if not is_end:
        return f"Service {service} overflows: {elsewhere or here}; {_SO_FAR} {_where(figures)}."
    return (
        f"Service {service} overflowed for {_how_long(figures)}: "
        f"{counted(figures.requests, unit)}, {_where(figures)}; "
        f"{elsewhere or f'at most {here}'}."
    )


def full_elsewhere(
    seen: Sequence[CandidateReport],
    to: Collection[str],
    *,
    is_end: bool,
    had_slots: bool = True,
    has_targets: bool = False,
) -> str:
    """Which site was full or at a higher level, if it was not this one; empty: this site takes
    requests.

    ``to``: the sites that got the requests. A site that has room again by now is also named, if it
    is the only cheaper one. ``had_slots``: this site had slots or requests of the service.
    ``has_targets``: it has some of its own, ready or not.
    """
    if any(one.verdict in _TAKES_HERE for one in seen if not one.path_cost):
        return ""
    costs = [one.path_cost for one in seen if one.site_name in to]
    dearest = max(costs, default=inf)
    full = [
        f"{one.site_name} is {'short of memory' if one.refuses else f'full ({one.reason})'}"
        for one in seen
        if one.verdict == "full" and one.path_cost < dearest  # Not the one that got them.
    ]
    if full and not is_end:
        return ", ".join(full)
    others = [one for one in seen if one.path_cost]
    passed = [one for one in others if one.path_cost < min(costs, default=0)]
    if costs and not passed and had_slots:
        return ""  # This site is the only cheaper one: it was full, and is down by now.
    if costs and not passed:  # That site is gone, or this one's targets went down meanwhile.
        which = "this site or a cheaper one" if has_targets else "a cheaper site"
        return f"{which} was full or at a higher level"
    meant = passed or others  # The sites that got the requests may be gone.
    known = [one for one in meant if one.targets_ready]
    unlimited = [one for one in known if _is_never_full(one)]
    limit = "full"
    if unlimited and len(unlimited) == len(meant):
        limit = "at a higher level"
    elif unlimited or not known:  # Without a ready target no site has a capacity to report.
        limit = "full or at a higher level"
    named = [one.site_name for one in passed if limit != "full" or one.capacity]
    return f"{named[0] if len(named) == 1 else 'a cheaper site'} was {limit}"


def _is_never_full(one: CandidateReport) -> bool:
    """Whether a site takes any number of requests: `fill` passes it by its level alone."""
    return one.targets_ready > 0 and one.capacity is None and one.rate is None


def mark_sentence(share: float | None, unit: str = REQUEST) -> str:
    """Why requests spill while slots are free; empty: there is no mark."""
    if share is None:
        return ""
    return f"{unit.capitalize()}s leave from {share * 100:g}% of its slots on."


def sheddable_sentence(config: ServiceSpec | None) -> str:
    """Why sheddable requests spill while slots are free; empty: no request is sheddable."""
    if config is None or not config.sheddable:
        return ""
    return f"Sheddable requests leave from {config.sheddable_share * 100:g}% of its slots on."


def begun_sentence(service: str, figures: Spill, targets: LocalTargets, unit: str = REQUEST) -> str:
    """``shop:8080: 0 of 2 targets are ready here; other sites serve its requests: so far 4 to
    east``."""
    here = targets.shown if not targets.ready else "no target was ready here"
    return f"Service {service}: {here}; other sites serve its {unit}s: {_SO_FAR} {_where(figures)}."


def ended_sentence(service: str, figures: Spill, unit: str = REQUEST) -> str:
    """As `begun_sentence`, once nothing has spilled for that reason for a while.

    They took the requests: some may have failed there, or been given up by their clients.
    """
    return (
        f"Service {service}: for {_how_long(figures)} other sites took "
        f"{counted(figures.requests, unit)} because no target was ready here: {_where(figures)}."
    )


def _how_long(figures: Spill) -> str:
    """``5 s``, or ``5 s within 34 s`` if there were pauses."""
    active, all_ = f"{figures.active_s:.0f} s", f"{figures.lasted_s:.0f} s"
    return all_ if active == all_ else f"{active} within {all_}"


def refused_sentence(
    service: str,
    figures: Refusals,
    *,
    is_end: bool,
    unstated: str = "",
    serves_here: bool = True,
    unit: str = REQUEST,
) -> str:
    """``shop:8080 refused 340 requests within 34 s: 300 found no room (…)``.

    ``serves_here``: this site has a ready target of the service, or had requests in flight.
    """
    by_words: dict[str, int] = {}
    for reason, count in figures.reasons.items():
        words = WORDS.get(reason, reason)
        by_words[words] = by_words.get(words, 0) + count
    reasons = ", ".join(_counted(count, words) for words, count in by_words.items())
    here = _here(figures, unstated, is_end=is_end)
    if not is_end:
        what = f"Service {service} refuses {unit}s: {_SO_FAR} {reasons}"
        return f"{what}; {here}." if serves_here else f"{what}."
    what = (
        f"Service {service} refused {counted(figures.requests, unit)} within "
        f"{figures.lasted_s:.0f} s: {reasons}"
    )
    return f"{what}; at most {here}." if serves_here else f"{what}."


def _counted(count: int, words: str) -> str:
    """``words``: the phrase for several requests."""
    return f"{count} {words.replace('were ', 'was ', 1) if count == 1 else words}"


def _here(figures: Spill | Refusals, unstated: str, *, is_end: bool) -> str:
    """``20 in flight here, capacity 20``: from the sample with the most, which may be long ago."""
    here = f"{figures.in_flight_max} in flight here"
    if figures.capacity is None:
        return f"{here}{unstated}"
    if figures.in_flight_max < figures.capacity:
        here += LOOKED_AT
    return f"{here}, capacity {figures.capacity}{' then' if is_end else ''}"


def _where(figures: Spill) -> str:
    return ", ".join(f"{count} to {site}" for site, count in figures.to.items())
