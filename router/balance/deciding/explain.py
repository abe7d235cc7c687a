"""Decisions in words: turns judged candidates into reports. Decides nothing."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from router.balance.deciding.candidates import Candidate, Verdict
from router.balance.deciding.decisions import CandidateReport
from router.balance.deciding.full_site_text import full_text, share_text
from router.balance.deciding.policies import balanced_load
from router.model.specs import PolicySpec

ROOM_FARTHER = "cheapest site with room"
LOWEST = "lowest level of path cost + in flight per target"
NEAREST = "nearest site with a ready target"
_BY_NAME = {
    "balanced": "least in flight + path cost",
    "spread": "its turn among the ready targets of all sites",
    "failover": NEAREST,
}
SHORT_OF_MEMORY_THERE: Final = "its router is short of memory and takes nothing new"
_DRAINED = "it is drained and takes nothing new of this service"
_DRAINED_OR_STOPS = "it takes nothing new of this service: drained there, or the site stops"


def decision_reason(
    chosen: Candidate, policy: PolicySpec, *, passes_level: bool = False, passes_mark: bool = False
) -> str:
    """Why ``chosen`` was taken, without figures: built on the hot path.

    ``passes_level``, ``passes_mark``: a cheaper site has room too, at a higher level or above its
    mark.
    """
    if chosen.spared:
        return chosen.spared
    if passes_mark:
        return f"{_reason(chosen, policy, passes_level=passes_level)}, of those below the mark"
    return _reason(chosen, policy, passes_level=passes_level)


def _reason(chosen: Candidate, policy: PolicySpec, *, passes_level: bool) -> str:
    reason = _BY_NAME.get(policy.name)
    if reason is not None:
        return reason
    if policy.name == "split":
        if chosen.share:
            return "its turn by weight"
        if passes_level:
            return f"no site with a weight takes it; {LOWEST} among the others"
        return "no site with a weight takes it; cheapest of the others with room"
    if passes_level:
        return LOWEST
    return "local site has room" if chosen.local else ROOM_FARTHER


def why_it_yields(one: Candidate | None, *, tried: bool, keeps_rest: bool) -> str:
    """Why a session leaves its site ``one`` (None: no candidate), without figures.

    ``keeps_rest``: the site reserves its free slots from this request, which is sheddable.
    """
    if one is None:
        return "session yields: its site serves this no more"
    if one.barred:
        why = "is not taken from by a rule"
    elif one.draining:
        why = "is draining" if one.targets_ready else "takes nothing new of this service"
    elif not one.targets_ready:
        why = "has no ready target"
    elif not one.paths:
        why = "cannot be reached"
    elif one.ejected:
        why = "is ejected"
    elif tried and not one.hard_full:
        why = "was tried for this request already"
    elif keeps_rest and not one.hard_full:
        why = "reserves its free slots for requests that are not sheddable"
    else:
        why = "is full"
    return f"session yields: {one.name} {why}"


def reports(
    candidates: Sequence[Candidate],
    chosen: Candidate | None,
    tied: Sequence[Candidate],
    policy: PolicySpec,
    now: float,
    *,
    stays: bool,
    share: float | None,
) -> tuple[CandidateReport, ...]:
    """Reports of the ``candidates`` after judgment. Those that the policy did not consider are
    full, cost more, or lose by another of its rules.

    ``stays``: the session stays at ``chosen``, whatever the policy says. ``share``: the part of its
    slots that the sheddable request gets; None: the request is not sheddable.
    """
    return tuple(
        [_report(one, candidates, chosen, tied, policy, now, stays, share) for one in candidates]
    )


def _report(
    one: Candidate,
    candidates: Sequence[Candidate],
    chosen: Candidate | None,
    tied: Sequence[Candidate],
    policy: PolicySpec,
    now: float,
    stays: bool,
    share: float | None,
) -> CandidateReport:
    verdict: Verdict
    level = None
    if one is chosen:
        verdict = "chosen"
        reason = _chosen(one, candidates, policy, share, stays=stays)
    elif one.verdict not in (None, "higher-level"):
        verdict = one.verdict
        reason = _passed_over(one, verdict, now)
        if verdict == "ejected" and one.starts_small:
            verdict = "full"  # It has used up its allowance: no request failed there.
    elif one.hard_full:
        verdict = "full"
        reason = _passed_over(one, verdict, now)
    else:
        assert chosen is not None, "a site has room, so one was chosen"
        verdict = "not-chosen"
        if stays:
            reason = f"the session stays at {chosen.name}"
        elif _goes_by_level(policy, one, chosen) and _loses_by_load(one, chosen):
            verdict = "higher-level"
            reason = f"{_load(one)}; {chosen.name} is at level {_text(_level(chosen))}"
        elif reason := _not_chosen(one, chosen, tied, policy):
            pass
        elif one.cost > chosen.cost:
            verdict = "dearer"
            reason = f"path cost {one.cost}, and {chosen.name} at {chosen.cost} takes the request"
        else:
            reason = f"same path cost as {chosen.name}, and more in use per target"
    if chosen is not None and verdict in ("chosen", "dearer", "higher-level", "not-chosen"):
        level = _level(one) if _goes_by_level(policy, one, chosen) else None
    return CandidateReport(
        site=one.site,
        site_name=one.name,
        path_cost=one.cost,
        path=one.next_path(),
        targets_ready=one.targets_ready,
        capacity=_all_slots(one),
        in_flight=one.running,
        free=0 if verdict == "sheddable-share" else one.free_within(share),
        age_s=one.age_s(now),
        verdict=verdict,
        reason=reason,
        rate=one.rate,
        is_learnt=one.is_learnt,
        waiting=one.waiting_there(),
        level=None if level is None else float(level),
        ejected_s=_ejected_s(one, now),
        reserved=one.reserved,
        most_for_one=one.most_for_one,
        refuses=one.refuses,
    )


def _all_slots(one: Candidate) -> int | None:
    """The slots, with those that it reserves for its own clients."""
    slots = one.stated_capacity
    return None if slots is None else slots + one.reserved


def _ejected_s(one: Candidate, now: float) -> float | None:
    """Seconds until it may have a probe; None: it is not ejected."""
    if one.ejected_until is None or one.starts_small:
        return None
    return max(0.0, one.ejected_until - now)


def _goes_by_level(policy: PolicySpec, one: Candidate, chosen: Candidate) -> bool:
    """Whether `fill` compared ``one`` with ``chosen``: as such, or as the fallback of `split`."""
    if policy.name == "split":
        return not one.share and not chosen.share
    return policy.name == "fill"


def _loses_by_load(one: Candidate, chosen: Candidate) -> bool:
    """With nothing in flight, ``one`` would have tied with ``chosen`` or come before it."""
    level = _level(chosen)
    return _level(one) > level and (one.cost, one.cost) <= (level, chosen.cost)


def _level(one: Candidate) -> Fraction:
    return Fraction(*one.level)


def _load(one: Candidate) -> str:
    """``level 3.5: path cost 1 + 10 in flight at 4 ready targets``."""
    cost = f"path cost {one.cost} + " if one.cost else ""
    targets = "1 ready target" if one.targets_ready == 1 else f"{one.targets_ready} ready targets"
    return f"level {_text(_level(one))}: {cost}{one.in_flight} in flight at {targets}"


def _text(level: Fraction) -> str:
    return f"{float(level):.3f}".rstrip("0").rstrip(".")


def _chosen(
    one: Candidate,
    candidates: Sequence[Candidate],
    policy: PolicySpec,
    share: float | None,
    *,
    stays: bool,
) -> str:
    room = _room(one, share)
    if stays:
        return f"session stays at {one.name} ({room})"
    passes_level = any(
        [other.verdict == "higher-level" and other.cost < one.cost for other in candidates]
    )
    passes_mark = any(
        [other.verdict == "above-mark" and other.cost < one.cost for other in candidates]
    )
    why = decision_reason(one, policy, passes_level=passes_level, passes_mark=passes_mark)
    return f"{why} ({f'weight {one.share}, {room}' if one.share else room})"


def _room(one: Candidate, share: float | None) -> str:
    """``share`` as in `reports`."""
    for_whom = "" if share is None else " for sheddable requests"
    slots = one.stated_capacity
    if one.rate is not None:
        left = f"{one.rate.permits} more now of {rate_text(one.rate.per_s)}"
        if slots is None:
            return left
        most = slots if share is None else int(one.mark(share))
        return f"{left}, {max(0, most - one.in_flight)} of {slots} free{for_whom}"
    if one.capacity is None:
        return f"{one.running} in flight, no capacity configured"
    free_slots, lent = one.free_within(share), one.most_for_one
    is_lent = free_slots is not None and lent is not None and free_slots <= lent
    if is_lent and free_slots == one.share_left:
        return f"{free_slots} free{for_whom} of the {lent} slots that one neighbor may hold"
    free = f"{free_slots} of {slots} free{for_whom}"
    if not one.local:
        return free
    assumed = one.beyond - one.known_beyond
    if assumed > 0:  # Its last refusal is some time ago, and no report came since.
        free += f", {assumed} of them assumed: another router or worker was full"
    if one.known_beyond > 0:  # At a target that is down, for example.
        free += f"; {one.known_beyond} more in flight take no slot"
    return free


def _passed_over(one: Candidate, verdict: Verdict, now: float) -> str:
    match verdict:
        case "full":
            return _full(one)
        case "above-mark":
            return (
                f"{one.running} of {one.stated_capacity} in flight; above its mark it is used "
                "while no other site is below its own"
            )
        case "sheddable-share":
            return (
                f"{one.running} of {_all_slots(one)} in flight; free slots are reserved for "
                "requests that are not sheddable"
            )
        case "sends-away":
            assert one.rate is not None, "only a rate sends away"
            return (
                f"over its {rate_text(one.rate.per_s)} and set to spill all: every new "
                "request goes elsewhere until demand falls"
            )
        case "draining":
            return _draining(one)
        case "no-target":
            return f"no target is ready {'here' if one.local else 'there'}"
        case "unreachable":
            return "no path leads there now"
        case "ejected":
            left_s = _ejected_s(one, now)
            return f"{one.ejected} ({left_s:.1f} s left)" if left_s else one.ejected
        case "excluded":
            return one.barred or "it was tried for this request already"
        case "dearer":
            return f"path cost {one.cost}: it stands by while a nearer site has a ready target"
        case _:
            raise AssertionError(f"{verdict} passes no site over")


def _draining(one: Candidate) -> str:
    """A site that stops keeps its ready targets; a drain of one service puts its targets out of
    use. An edge knows no more of other sites than that.
    """
    if one.is_drained:
        return _DRAINED
    if one.is_drained is False or one.targets_ready:
        return "it is draining and takes nothing new"
    return _DRAINED_OR_STOPS


def _full(one: Candidate) -> str:
    if one.refuses:
        return SHORT_OF_MEMORY_THERE
    slots = one.stated_capacity
    if slots is not None and min(one.in_flight, one.running) >= slots:
        return full_text(one.running, slots + one.reserved, one.reserved)
    if one.share_left == 0 and one.most_for_one is not None:
        return share_text(one.most_for_one, _all_slots(one))
    if one.rate is not None:
        return f"its rate of {rate_text(one.rate.per_s)} is used up"
    return "it has just refused a request for want of room"


def _not_chosen(
    one: Candidate, chosen: Candidate, tied: Sequence[Candidate], policy: PolicySpec
) -> str:
    """Why the policy took ``chosen`` rather than ``one``, if by another rule than cost; empty: by
    cost.
    """
    if one in tied and one.share:
        return f"its weight is {one.share}, and this is the turn of {chosen.name}"
    if one in tied and policy.name == "spread":
        return f"its turns go by its ready targets, and this is the turn of {chosen.name}"
    if one in tied:
        return f"as good as {chosen.name}, whose turn it is"
    if chosen.share:
        return f"it has no weight, and {chosen.name}, which has one, takes the request"
    if policy.name == "balanced":
        if balanced_load(one) == balanced_load(chosen):
            return f"as good as {chosen.name}, which is the local site"
        return (
            f"in flight{_per_target(one)} + path cost is {balanced_load(one)}, "
            f"at {chosen.name} it is {balanced_load(chosen)}{_per_target(chosen)}"
        )
    return ""


def _per_target(one: Candidate) -> str:
    """`balanced_load` is per target here, but of another site as a whole."""
    return " per target" if one.local and one.targets_ready > 1 else ""


def rate_text(per_s: float) -> str:
    """``15/s``, human-readable."""
    return f"{per_s:.6g}/s"
