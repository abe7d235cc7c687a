"""Decisions in words: turns judged candidates into reports. Decides nothing."""

from collections.abc import Sequence

from router.balance.candidates import Candidate, Verdict
from router.balance.decisions import CandidateReport
from router.balance.policies import balanced_load
from router.model.specs import PolicySpec

ROOM_FARTHER = "cheapest site with room"
NEAREST = "nearest site with a ready target"
_BY_NAME = {
    "balanced": "least in flight + path cost",
    "spread": "its turn among the ready targets of all sites",
    "failover": NEAREST,
}


def decision_reason(chosen: Candidate, policy: PolicySpec) -> str:
    """Why ``chosen`` was taken, without figures: built on the hot path."""
    reason = _BY_NAME.get(policy.name)
    if reason is not None:
        return reason
    if policy.name == "split":
        if chosen.share:
            return "its turn by weight"
        if chosen.verdict == "soft-full":
            return "no site with a weight takes it and no other has room; this one has no limit"
        return "no site with a weight takes it; cheapest of the others with room"
    if chosen.verdict == "soft-full":
        return "no site has room; least in flight per target + path cost of those without a limit"
    return "local site has room" if chosen.local else ROOM_FARTHER


def why_it_yields(one: Candidate | None, *, tried: bool) -> str:
    """Why a session leaves its site ``one`` (None: no candidate), without figures."""
    if one is None:
        return "session yields: its site serves this no more"
    if one.barred:
        why = "is not taken from by a rule"
    elif one.draining:
        why = "is draining"
    elif not one.targets_ready:
        why = "has no ready target"
    elif not one.paths:
        why = "cannot be reached"
    elif tried and not one.hard_full:
        why = "was tried for this request already"
    else:
        why = "is full"
    return f"session yields: {one.name} {why}"


def report(
    one: Candidate,
    chosen: Candidate | None,
    tied: Sequence[Candidate],
    policy: PolicySpec,
    now: float,
    *,
    stays: bool = False,
) -> CandidateReport:
    """``one`` after judgement. Those that the policy did not look at are full or dearer.

    ``stays``: ``chosen`` is where the session is, whatever the policy thinks.
    """
    verdict: Verdict
    if one is chosen:
        verdict = "chosen"
        why = f"session stays at {one.name}" if stays else decision_reason(one, policy)
        reason = f"{why} ({_room(one)})" if stays or not one.share else f"{why} ({_weight(one)})"
    elif one.verdict is not None:
        verdict = one.verdict
        reason = _passed_over(one, verdict)
    elif one.hard_full:
        verdict = "full"
        reason = _passed_over(one, verdict)
    else:
        verdict = "dearer"
        assert chosen is not None, "somebody has room, so somebody was chosen"
        reason = (
            f"the session stays at {chosen.name}" if stays else _dearer(one, chosen, tied, policy)
        )
    return CandidateReport(
        site=one.site,
        site_name=one.name,
        path_cost=one.cost,
        path=one.next_path(),
        targets_ready=one.targets_ready,
        capacity=one.stated_capacity,
        in_flight=one.running,
        free=one.free,
        age_s=one.age_s(now),
        verdict=verdict,
        reason=reason,
        rate=one.rate,
        is_learnt=one.is_learnt,
        waiting=one.waiting_there(),
    )


def _weight(one: Candidate) -> str:
    return f"weight {one.share}, {_room(one)}"


def _room(one: Candidate) -> str:
    if one.rate is not None:
        left = f"{one.rate.permits} more now of {rate_text(one.rate.per_s)}"
        slots = one.stated_capacity
        return left if slots is None else f"{left}, {max(0, slots - one.in_flight)} of {slots} free"
    if one.capacity is None:
        return f"{one.running} in flight, no capacity stated"
    return f"{one.free} of {one.capacity} free"


def _passed_over(one: Candidate, verdict: Verdict) -> str:
    match verdict:
        case "full":
            slots = one.stated_capacity
            if slots is not None and min(one.in_flight, one.running) >= slots:
                return f"{one.running} in flight, its capacity is {slots}"
            if one.rate is not None:
                return f"its rate of {rate_text(one.rate.per_s)} is used up"
            return "it has just refused a request for want of a free slot"
        case "soft-full":
            return (
                f"{one.in_flight} in flight at {one.targets_ready} ready targets is more than "
                "the way to the next site costs"
            )
        case "sends-away":
            assert one.rate is not None, "only a rate sends away"
            return (
                f"over its {rate_text(one.rate.per_s)} and set to spill all: everything new "
                "goes elsewhere until less is asked for"
            )
        case "draining":
            return "it is draining and takes nothing new"
        case "no-target":
            return "no target is ready there"
        case "unreachable":
            return "no path leads there now"
        case "excluded":
            return one.barred or "it was tried for this request already"
        case "dearer":
            return f"path cost {one.cost}: it stands by while a nearer site has a ready target"
        case _:
            raise AssertionError(f"{verdict} passes nobody over")


def _dearer(
    one: Candidate, chosen: Candidate, tied: Sequence[Candidate], policy: PolicySpec
) -> str:
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
            f"in flight + path cost is {balanced_load(one)}, "
            f"at {chosen.name} it is {balanced_load(chosen)}"
        )
    if one.cost > chosen.cost:
        return f"path cost {one.cost}, and {chosen.name} at {chosen.cost} takes the request"
    return f"same path cost as {chosen.name}, and more in use per target"


def rate_text(per_s: float) -> str:
    """``15/s``, as people write it."""
    return f"{per_s:.6g}/s"
