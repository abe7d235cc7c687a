"""Totals of a service port at two moments, and the changes between them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from router.model import limits
from router.model.ids import SiteId
from router.model.latency import quantile
from router.model.port_reading import NONE_SPILLED, SERVED_NOWHERE, Reading, Spills

_KeyT = TypeVar("_KeyT", bound=str)

OTHERS = SiteId("other sites")
"""All sites that a sample has no room for: those that served least."""


NOTHING_YET = Reading()
SHED: Final = "shed"
"""The `LegFailure` code of sheddable requests that were refused."""


class IntervalCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Requests that ended or spilled between two readings, ``lasted_s`` apart.

    ``overflow`` counts requests once their answers begin; ``overflow_begun``, ``spilled`` and
    ``spilled_to`` once another site has them: they are among `begun`, however long answers take.
    ``more_open``: by how many the unfinished requests and connections grew; ``more_slots``: by how
    many this site's slots for them grew; negative if they shrank. ``is_all_ever``: there were none
    before, so these are also the counts of any longer time.
    """

    served: dict[SiteId, int]
    nowhere: int
    overflow: dict[SiteId, int]
    failed: int
    p50_s: float | None
    p99_s: float | None
    lasted_s: float
    overflow_begun: dict[SiteId, int] = {}
    spilled: dict[str, int] = {}
    spilled_to: dict[SiteId, int] = {}
    failed_for: dict[str, int] = {}
    gave_up: int = 0
    more_open: int = 0
    more_slots: int = 0
    is_all_ever: bool = False

    @property
    def requests(self) -> int:
        """All that ended."""
        return sum(self.served.values()) + self.nowhere

    @property
    def seen(self) -> int:
        """All that ended, plus the growth of open ones: requests that last longer than the interval
        count here as soon as in ``spilled``."""
        return self.requests + max(0, self.more_open)

    @property
    def begun(self) -> int:
        """All that came, also those that wait: ``spilled`` are among these."""
        return max(0, self.requests + self.more_open)

    @property
    def shed(self) -> int:
        """Of ``failed``, sheddable requests that made way for others: configured, not a fault."""
        return self.failed_for.get(SHED, 0)

    @property
    def failures(self) -> int:
        """``failed`` without ``shed``: the real failures."""
        return self.failed - self.shed

    @property
    def rejected(self) -> int:
        """Requests that this router answered with 4xx itself, through no fault of the service:
        malformed, too large, too slow. A lower bound: failures at a site are subtracted too."""
        return max(0, self.nowhere - self.failed - self.gave_up)

    def per_s(self, count: int) -> float:
        """``count`` per second."""
        return count / self.lasted_s if self.lasted_s > 0 else 0.0


def change(before: Reading, after: Reading, lasted_s: float) -> IntervalCounts:
    """The changes from ``before`` to ``after``. Totals that fell were reset meanwhile."""
    if _is_as_before(before, after):
        return IntervalCounts(
            served={},
            nowhere=0,
            overflow={},
            failed=0,
            p50_s=None,
            p99_s=None,
            lasted_s=lasted_s,
        )
    if _started_over(before, after):
        before = NOTHING_YET
    served = _grown(before.served, after.served)
    nowhere = served.pop(SERVED_NOWHERE, 0)
    counts = [new - old for new, old in zip(after.counts, before.counts, strict=True)]
    return IntervalCounts(
        served=served,
        nowhere=nowhere,
        overflow=_grown(before.overflow, after.overflow),
        failed=after.failed - before.failed,
        p50_s=quantile(counts, 0.5),
        p99_s=quantile(counts, 0.99),
        lasted_s=lasted_s,
        overflow_begun=_begun(before, after, lambda one: one.overflow),
        spilled=_begun(before, after, lambda one: one.spilled),
        spilled_to=_begun(before, after, lambda one: one.spilled_to),
        failed_for=_grown(before.failed_for, after.failed_for),
        gave_up=after.gave_up - before.gave_up,
        more_open=after.unfinished - before.unfinished,
        more_slots=(after.capacity or 0) - (before.capacity or 0),
        is_all_ever=not (before.unfinished or any(before.served.values())),
    )


def parts(whole: IntervalCounts, count: int) -> Sequence[IntervalCounts]:
    """Split ``whole`` into ``count`` equal parts that add up to it."""
    if count == 1:
        return (whole,)
    failed_for = [_part(whole.failed_for, number, count) for number in range(count)]
    return [
        msgspec.structs.replace(
            whole,
            served=_part(whole.served, number, count),
            nowhere=_share(whole.nowhere, number, count),
            overflow=_part(whole.overflow, number, count),
            overflow_begun=_part(whole.overflow_begun, number, count),
            failed=_share(whole.failures, number, count) + failed_for[number].get(SHED, 0),
            spilled=_part(whole.spilled, number, count),
            spilled_to=_part(whole.spilled_to, number, count),
            failed_for=failed_for[number],
            gave_up=_share(whole.gave_up, number, count),
            lasted_s=whole.lasted_s / count,
        )
        for number in range(count)
    ]


def _part(counts: Mapping[_KeyT, int], number: int, count: int) -> dict[_KeyT, int]:
    return {key: _share(total, number, count) for key, total in counts.items()}


def _share(total: int, number: int, count: int) -> int:
    return total * (number + 1) // count - total * number // count


def _is_as_before(before: Reading, after: Reading) -> bool:
    """Nothing ended or was sent away in between: true for most service ports."""
    return (
        before.counts == after.counts
        and before.served == after.served
        and before.spilled_to == after.spilled_to
        and before.pending == after.pending
        and before.failed == after.failed
        and before.unfinished == after.unfinished
    )


def _started_over(before: Reading, after: Reading) -> bool:
    """Some total fell: the service port was removed and came back."""
    return (
        any(after.served.get(site, 0) < count for site, count in before.served.items())
        or any(after.spilled_to.get(site, 0) < count for site, count in before.spilled_to.items())
        or after.failed < before.failed
        or after.gave_up < before.gave_up
        or any(new < old for new, old in zip(after.counts, before.counts, strict=True))
    )


def _begun(
    before: Reading, after: Reading, part: Callable[[Reading | Spills], Mapping[_KeyT, int]]
) -> dict[_KeyT, int]:
    """By how much ``part`` grew, requests included whose answers are yet to begin. One of these
    that is tried elsewhere instead counts no more.
    """
    then, now = _with_pending(before, part), _with_pending(after, part)
    grown = {key: count - then.get(key, 0) for key, count in now.items()}
    return {key: count for key, count in grown.items() if count > 0}


def _with_pending(
    reading: Reading, part: Callable[[Reading | Spills], Mapping[_KeyT, int]]
) -> Mapping[_KeyT, int]:
    if reading.pending is NONE_SPILLED:
        return part(reading)
    whole = dict(part(reading))
    for key, count in part(reading.pending).items():
        whole[key] = whole.get(key, 0) + count
    return whole


def _grown(before: Mapping[_KeyT, int], after: Mapping[_KeyT, int]) -> dict[_KeyT, int]:
    grown = {key: count - before.get(key, 0) for key, count in after.items()}
    return {key: count for key, count in grown.items() if count}


class Sample(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One step. ``sites``: for each, the average number in flight and the number served.

    ``failed``: as `IntervalCounts.failures`. Only sites with requests in flight or served, at most
    `limits.HISTORY_SITES_MAX`.
    """

    sites: dict[SiteId, tuple[float, int]]
    nowhere: int
    overflow: int
    capacity: int | None
    capacity_per_s: float | None
    targets_ready: int
    queued: int
    p50_s: float | None
    p99_s: float | None
    failed: int
    gave_up: int = 0
    shed: int = 0


def sample(change: IntervalCounts, after: Reading, in_flight: Mapping[SiteId, float]) -> Sample:
    """The sample of the step that ``change`` covers and that ended at ``after``."""
    sites = {
        site: (round(in_flight.get(site, 0.0), 3), change.served.get(site, 0))
        for site in change.served.keys() | in_flight.keys()
    }
    return Sample(
        sites=_bounded(sites),
        nowhere=change.nowhere,
        overflow=sum(change.overflow.values()),
        capacity=after.capacity,
        capacity_per_s=after.capacity_per_s,
        targets_ready=after.targets_ready,
        queued=after.queued,
        p50_s=change.p50_s,
        p99_s=change.p99_s,
        failed=change.failures,
        gave_up=change.gave_up,
        shed=change.shed,
    )


def _bounded(sites: dict[SiteId, tuple[float, int]]) -> dict[SiteId, tuple[float, int]]:
    """Sort by id; if there are too many sites, those that served least become one, `OTHERS`."""
    if len(sites) <= limits.HISTORY_SITES_MAX:
        return dict(sorted(sites.items()))
    most = sorted(sites, key=lambda site: (sites[site][1], sites[site][0], site), reverse=True)
    kept, rest = most[: limits.HISTORY_SITES_MAX - 1], most[limits.HISTORY_SITES_MAX - 1 :]
    in_flight = round(sum(sites[site][0] for site in rest), 3)
    bounded = {site: sites[site] for site in sorted(kept)}
    bounded[OTHERS] = (in_flight, sum(sites[site][1] for site in rest))
    return bounded
