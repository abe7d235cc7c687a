"""Capacities and rates as shown to operators. Pure."""

from collections.abc import Sequence

from router.admin.views.services import LearntView, RateView
from router.asking.targets import TargetRate
from router.balance.deciding.candidates import SENDS_AWAY
from router.balance.deciding.decisions import CandidateReport
from router.balance.learning.capacity_learning import LearntTarget
from router.balance.site_gate import EXACT_DIGITS, RateState

_DIGITS = 3


def kind_of(capacity: int | None, rate: object, *, auto: bool = False) -> str | None:
    """``auto``, ``rate``, ``concurrency``, or None: nothing is configured. A rate wins over
    slots."""
    if auto:
        return "auto"
    if rate is not None:
        return "rate"
    return None if capacity is None else "concurrency"


def rate_of(state: RateState | None, *, sends_away: bool = False) -> RateView | None:
    """A rate of this site."""
    if state is None:
        return None
    over = "sends-away" if sends_away else "over"
    return RateView(
        per_s=state.per_s,
        resume_per_s=round(state.resume_per_s, _DIGITS),
        window_s=state.window_s,
        asked_per_s=round(state.asked_per_s, _DIGITS),
        admitted_per_s=round(state.admitted_per_s, _DIGITS),
        free=state.free,
        state=over if state.is_over else "calm",
    )


def rate_of_report(report: CandidateReport, own: RateState | None) -> RateView | None:
    """A candidate's rate; ``own``: this site's, if it is the candidate."""
    rate = report.rate
    if rate is None:
        return None
    if own is not None:
        return rate_of(own, sends_away=rate.state == SENDS_AWAY)
    state = "calm" if not rate.is_over else "over"
    if rate.state == SENDS_AWAY:
        state = "sends-away"
    return RateView(per_s=rate.per_s, free=rate.permits, state=state)


def rates_added(each: Sequence[RateView]) -> RateView | None:
    """The sum of a rate that is divided among routers; None: no router has a part."""
    if len(each) < 2:
        return each[0] if each else None
    states = {one.state for one in each}
    return RateView(
        per_s=round(sum(one.per_s for one in each), EXACT_DIGITS),
        resume_per_s=_sum([one.resume_per_s for one in each], EXACT_DIGITS),
        window_s=max((one.window_s for one in each if one.window_s is not None), default=None),
        asked_per_s=_sum([one.asked_per_s for one in each], _DIGITS),
        admitted_per_s=_sum([one.admitted_per_s for one in each], _DIGITS),
        free=sum(one.free or 0 for one in each),
        state=states.pop() if len(states) == 1 else "calm" if "calm" in states else "over",
    )


def _sum(each: Sequence[float | None], digits: int) -> float | None:
    known = [one for one in each if one is not None]
    return round(sum(known), digits) if known else None


def rate_told(told: TargetRate | None) -> RateView | None:
    """A target's rate as another site reports it."""
    if told is None:
        return None
    return RateView(
        per_s=told.per_s,
        admitted_per_s=told.admitted_per_s,
        state="over" if told.is_over else "calm",
    )


def learnt_view(learnt: LearntTarget | None) -> LearntView | None:
    """The values learned from the latency of a target."""
    if learnt is None:
        return None
    return LearntView(learnt.slots, _ms(learnt.baseline_s), _ms(learnt.latency_s))


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, _DIGITS)
