"""Passes over targets of a site that answer later than others: hot and cold, as in Prequal.

Each target with room is expected to answer the next request as fast as it did with the same number
in flight (`target_latency`). Targets that are slower than the fastest by more than `SLOWER`, beyond
the error of both figures, are hot: they get a request only while no cold one has room. Among the
cold ones the least loaded is next, as without this rule: where all targets are alike, nothing
changes. A target without any figures is cold.

Prequal (B. Wydrowski et al., NSDI 2024, 4) takes the cold target with the least latency, and calls
a target hot that has more in flight than most. That suits a thousand targets of which each router
sees a few; where one router sees all of three targets, it piles requests onto the one that seems
fastest. Figures: docs/design/targets.md.

A hot target gets one request now and then, a trial, since it may have recovered.

Refusing as "too busy" is faster than answering: a target that does has little in flight and seems
the fastest, so it would draw all requests. So that counts as an answer that comes later than those
of others (`busy_counts_s`). Other errors do not count: they eject the target, or are its clients'.
"""

from collections.abc import Sequence
from math import log
from typing import Literal

import msgspec

from router.balance.targets.target import Target
from router.balance.targets.target_latency import LEVEL_MAX, LEVEL_OF

SLOWER = log(1.15)
"""A smaller difference is not worth an uneven load."""
BUSY_FACTOR = 4.0
"""How much later "too busy" counts than another target's answer: at more than one in
ten it is hot.
"""

TargetVerdict = Literal["chosen", "cold", "hot", "full"]


class TargetReport(msgspec.Struct, frozen=True):
    """A target's chances for the next request. ``expected_s``: its expected latency; None: not
    known, or it has no room. ``reason`` is human-readable.
    """

    target: str
    name: str
    in_flight: int
    capacity: int | None
    verdict: TargetVerdict
    expected_s: float | None
    reason: str


def cold_ones(ready: Sequence[Target]) -> Sequence[Target]:
    """Targets that no other one with room beats; or only the one that is due for its trial.

    Some of them may be full. O(ready targets), hardly ever with a call: this is hot.
    """
    soonest: float | None = None
    doubt = 0.0
    for one in ready:
        expected = one.latency.expected
        if not expected:
            continue
        in_flight = one.in_flight
        if one.capacity is not None and in_flight >= one.capacity:
            continue
        if one.has_trial and not in_flight:
            return (one,)
        level = LEVEL_OF[in_flight + 1 if in_flight < LEVEL_MAX else LEVEL_MAX]
        if soonest is None or expected[level] < soonest:
            soonest, doubt = expected[level], one.latency.doubt[level]
    if soonest is None:
        return ready
    hot: set[Target] | None = None
    for one in ready:
        expected = one.latency.expected
        if not expected:
            continue
        in_flight = one.in_flight
        level = LEVEL_OF[in_flight + 1 if in_flight < LEVEL_MAX else LEVEL_MAX]
        later = expected[level] - soonest
        if later > SLOWER and later * later > one.latency.doubt[level] + doubt:
            if hot is None:
                hot = {one}
            else:
                hot.add(one)
    return ready if hot is None else [one for one in ready if one not in hot]


def busy_counts_s(of: Target, ready: Sequence[Target]) -> float | None:
    """The latency that a "too busy" of that target counts as, by the fastest other one of
    ``ready``.

    None: it does not count, since no other one is known to do better.
    """
    others = [one for one in ready if one is not of and not one.was_busy]
    expected_s = [one.latency.expected_s(one.in_flight + 1) for one in others]
    return min((BUSY_FACTOR * each for each in expected_s if each is not None), default=None)


def target_reports(
    ready: Sequence[Target], cold: Sequence[Target], chosen: Target | None
) -> list[TargetReport]:
    """Reports on a choice that was made: ``chosen`` of ``cold`` of ``ready``. Decides nothing."""
    roomy = [one for one in cold if one.has_room()]
    return [_report(one, roomy, chosen) for one in ready]


def _report(one: Target, cold: Sequence[Target], chosen: Target | None) -> TargetReport:
    expected_s = None if one.was_busy else one.latency.expected_s(one.in_flight + 1)
    verdict: TargetVerdict = "cold"
    if one is chosen:
        verdict, reason = "chosen", _why_chosen(one, cold)
    elif not one.has_room():
        verdict, expected_s, reason = "full", None, f"{one.in_flight} of {one.capacity} in flight"
        if one.starting is not None:
            reason += f": new here, it gets {one.capacity} of its {one.configured} slots for now"
    elif chosen is None:
        reason = "its rate is used up"
    elif one in cold:
        reason = f"more in use than {chosen.target}, or not its turn"
    elif chosen.has_trial:
        reason = f"{chosen.target} is tried again"
    elif one.was_busy:
        verdict, reason = "hot", "it was too busy; it is used while no other one has room"
    else:
        verdict, reason = "hot", "others answer sooner; it is used while none of them has room"
    return TargetReport(
        one.target, one.name, one.in_flight, one.configured, verdict, expected_s, reason
    )


def _before(one: Target) -> str:
    return "was too busy" if one.was_busy else "was slower than others"


def _why_chosen(one: Target, cold: Sequence[Target]) -> str:
    if one.has_trial and not one.in_flight:
        return f"it {_before(one)} some time ago, and is tried again"
    if len(cold) == 1:
        return "no other one with room answers as soon"
    return "least in use, or its turn among equals"
