"""Counts of the last seconds at several workers as those of one router. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from router.history.readings import IntervalCounts
from router.workers.history_sums import quantiles

_NameT = TypeVar("_NameT")


class EndedCounts(msgspec.Struct, frozen=True):
    """The last ``counts`` of a worker that died or is silent, which ended ``ended_s`` ago."""

    counts: IntervalCounts
    ended_s: float

    def within(self, lasted_s: float) -> IntervalCounts | None:
        """Its requests of the last ``lasted_s``; None: it had none since then.

        Its slots are not usable now, however many it had before.
        """
        shared_s = min(self.counts.lasted_s, lasted_s - self.ended_s)
        if shared_s <= 0:
            return None
        part = _times(self.counts, shared_s / self.counts.lasted_s)
        return msgspec.structs.replace(part, lasted_s=lasted_s, more_slots=0)


def changes_together(
    each: Sequence[IntervalCounts], ended: Sequence[EndedCounts]
) -> IntervalCounts | None:
    """The changes at all workers. Each covers half a step to one and a half: its counts are scaled
    to the longest of these times, so that rates add up. Those of a worker that has just started
    stay, as it had none before, and of those that ``ended`` the part in this time counts."""
    if not each:
        return None
    lasted_s = max(one.lasted_s for one in each)
    past = [one.within(lasted_s) for one in ended]
    whole = [
        *(_over(one, lasted_s) for one in each),
        *(one for one in past if one is not None),
    ]
    if len(whole) == 1:
        return whole[0]
    p50_s, p99_s = quantiles([(sum(one.served.values()), one.p50_s, one.p99_s) for one in whole])
    return IntervalCounts(
        served=counts(one.served for one in whole),
        nowhere=sum(one.nowhere for one in whole),
        overflow=counts(one.overflow for one in whole),
        overflow_begun=counts(one.overflow_begun for one in whole),
        failed=sum(one.failed for one in whole),
        p50_s=p50_s,
        p99_s=p99_s,
        lasted_s=lasted_s,
        spilled=counts(one.spilled for one in whole),
        spilled_to=counts(one.spilled_to for one in whole),
        failed_for=counts(one.failed_for for one in whole),
        gave_up=sum(one.gave_up for one in whole),
        more_open=sum(one.more_open for one in whole),
        more_slots=sum(one.more_slots for one in whole),
    )


def counts(parts: Iterable[Mapping[_NameT, int]]) -> dict[_NameT, int]:
    """The sums, by name."""
    whole: dict[_NameT, int] = {}
    for part in parts:
        for name, count in part.items():
            whole[name] = whole.get(name, 0) + count
    return whole


def _over(one: IntervalCounts, lasted_s: float) -> IntervalCounts:
    """``one`` extrapolated to ``lasted_s``."""
    if one.lasted_s in (0.0, lasted_s):
        return one
    share = 1.0 if one.is_all_ever else lasted_s / one.lasted_s
    return msgspec.structs.replace(_times(one, share), lasted_s=lasted_s)


def _times(one: IntervalCounts, share: float) -> IntervalCounts:
    """The counts of ``one`` multiplied by ``share``."""
    if share == 1.0:
        return one

    def scaled(figures: Mapping[_NameT, int]) -> dict[_NameT, int]:
        return {key: round(count * share) for key, count in figures.items()}

    failed_for = scaled(one.failed_for)
    answered = one.failed - sum(one.failed_for.values())
    return msgspec.structs.replace(
        one,
        served=scaled(one.served),
        nowhere=round(one.nowhere * share),
        overflow=scaled(one.overflow),
        overflow_begun=scaled(one.overflow_begun),
        failed=sum(failed_for.values()) + round(answered * share),
        spilled=scaled(one.spilled),
        spilled_to=scaled(one.spilled_to),
        failed_for=failed_for,
        gave_up=round(one.gave_up * share),
        more_open=round(one.more_open * share),
    )
