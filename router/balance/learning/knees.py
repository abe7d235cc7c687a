"""Where the latency of a target bends: how many requests at once it really works on.

The table of one target has the durations of requests by the number in flight when they began. Up to
the knee latency stays as in calm; beyond it, requests wait for each other inside the target, and
latency grows with each one more. With a configured capacity above the knee, requests wait there
instead of going to another site; with one below it, the target idles in part.

Latency that falls from one level to the next is chance: such levels are pooled (pool adjacent
violators: M. Ayer et al., 1955). Levels that are not known well enough are pooled with the next,
too. So the first level at `FACTOR` times calm is there beyond chance.

A target that becomes slower by itself has more in flight for that reason (J. D. C. Little, 1961),
so its highest levels are its slowest times, even without a knee. Hence only latencies of the same
`limits.KNEE_SLICE_S` are compared, each slice weighted as N. Mantel and W. Haenszel do (1959), and
the few slices in which the speed may have changed do not decide.
"""

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from math import sqrt

import msgspec

from router.model import limits

FACTOR = 1.15
"""Times the calm latency at which the knee begins: less may be chance, or the machine's caches."""
PRECISE = 0.04
"""Standard error over the mean, at which a level is known well enough."""
CALM_SHARE = 0.5
"""Levels above this share of the highest one seen are not calm."""
EXACT = 32
"""Each level up to this many in flight is stored separately; above, eight for each doubling."""
PER_DOUBLING = 8
FEW, SURPRISE = 8, 3.0
"""A contradiction of earlier values: so many requests, so many standard errors off."""


def _levels() -> tuple[int, ...]:
    found, at = list(range(1, EXACT + 1)), float(EXACT)
    while found[-1] < limits.KNEE_IN_FLIGHT_MAX:
        at *= 2 ** (1 / PER_DOUBLING)
        found.append(round(at))
    return tuple(found)


LEVELS = _levels()
"""The fewest in flight of each level."""


class LatencyLevel(msgspec.Struct, frozen=True):
    """``count`` requests began with ``in_flight`` there, themselves included, and took ``total_s``
    together; ``squares``: the sum of the squares.
    """

    in_flight: int
    count: int
    total_s: float
    squares: float

    @property
    def mean_s(self) -> float:
        return self.total_s / self.count

    @property
    def error(self) -> float:
        """The standard error of the mean, over the mean; 1.0: not known."""
        if self.count < limits.KNEE_SAMPLES_MIN or not self.total_s:
            return 1.0
        return self.error_s / self.mean_s

    @property
    def error_s(self) -> float:
        """The standard error of the mean, however few requests there are."""
        return sqrt(self.variance / self.count)

    @property
    def variance(self) -> float:
        return max(0.0, self.squares / self.count - self.mean_s * self.mean_s)

    def with_next(self, other: "LatencyLevel") -> "LatencyLevel":
        """Both as one, which begins where this one begins."""
        return LatencyLevel(
            self.in_flight,
            self.count + other.count,
            self.total_s + other.total_s,
            self.squares + other.squares,
        )


class Knee(msgspec.Struct, frozen=True):
    """``at``: the fewest in flight past the knee, None: no knee was seen. ``baseline_s``: calm
    latency.
    """

    baseline_s: float | None
    at: int | None


def find_knee(calm: LatencyLevel, levels: Sequence[LatencyLevel]) -> Knee:
    """The knee by ``levels``, ascending, each with at least one request; ``calm`` is the first of
    them.

    All of the same moments: see `knee_of`.
    """
    bends_at_s = calm.mean_s * FACTOR
    for block in _rising(_precise(levels)):
        if block.mean_s >= bends_at_s and block.in_flight > calm.in_flight:
            return Knee(calm.mean_s, block.in_flight)
    return Knee(calm.mean_s, None)


def _as_one(levels: Iterable[LatencyLevel]) -> LatencyLevel | None:
    found: LatencyLevel | None = None
    for level in levels:
        found = level if found is None else found.with_next(level)
    return found


def _precise(levels: Sequence[LatencyLevel]) -> list[LatencyLevel]:
    """Levels whose means are known, each one or several pooled; an imprecise rest at the end is
    dropped.
    """
    found: list[LatencyLevel] = []
    open_one: LatencyLevel | None = None
    for level in levels:
        open_one = level if open_one is None else open_one.with_next(level)
        if open_one.error <= PRECISE:
            found.append(open_one)
            open_one = None
    return found


def _rising(levels: Sequence[LatencyLevel]) -> list[LatencyLevel]:
    """Pool levels so that their means never fall."""
    found: list[LatencyLevel] = []
    for level in levels:
        block = level
        while found and found[-1].mean_s > block.mean_s:
            block = found.pop().with_next(block)
        found.append(block)
    return found


Slices = Sequence[Sequence[LatencyLevel]]
"""Oldest first; each has its levels with a request, ascending."""


def pooled(slices: Slices) -> list[LatencyLevel]:
    """Each level over all slices, ascending."""
    found: dict[int, LatencyLevel] = {}
    for one in slices:
        for level in one:
            known = found.get(level.in_flight)
            found[level.in_flight] = level if known is None else known.with_next(level)
    return [found[in_flight] for in_flight in sorted(found)]


def knee_of(slices: Slices) -> Knee:
    """The knee by latencies of the same moments.

    Calm is the lowest levels, as many as it takes to know their mean: with one in flight none
    waits; where there never were so few, half of the most counts as few. Without a knee, the calm
    latency is given only if it is current: not if the target has been busy since.
    """
    seen = [level.in_flight for level in pooled(slices)]
    for calm_most in seen:
        if calm_most > max(1.0, CALM_SHARE * seen[-1]):
            break
        calms = [_as_one(one for one in each if one.in_flight <= calm_most) for each in slices]
        if (calm := _newest(calms)) is not None:
            return _beside(calm, calm_most, slices, calms)
    return Knee(None, None)


def _beside(
    calm: LatencyLevel, calm_most: int, slices: Slices, calms: Sequence[LatencyLevel | None]
) -> Knee:
    """The knee by ``calm``, which is the levels up to ``calm_most``, and all levels above."""
    knee = find_knee(calm, [calm, *_beside_calm(slices, calms, calm, calm_most)])
    is_now = not (_is_past(slices, calms) or _is_contradicted(calm, calms))
    return knee if knee.at is not None or is_now else Knee(None, None)


def _newest(calms: Sequence[LatencyLevel | None]) -> LatencyLevel | None:
    """Calm over the newest slices, as many as it takes to know its mean."""
    found: LatencyLevel | None = None
    for calm in reversed(calms):
        if calm is None:
            continue
        found = calm if found is None else calm.with_next(found)
        if found.error <= PRECISE:
            return found
    return None


def _is_past(slices: Slices, calms: Sequence[LatencyLevel | None]) -> bool:
    """Since the last slice with calm the target had enough requests to measure."""
    since = 0
    for one, calm in zip(reversed(slices), reversed(calms), strict=True):
        if calm is not None:
            return False
        since += sum(level.count for level in one)
        if since >= limits.KNEE_SAMPLES_MIN:
            return True
    return False


def _is_contradicted(calm: LatencyLevel, calms: Sequence[LatencyLevel | None]) -> bool:
    """The newest few requests in calm took another time, beyond chance."""
    newest: LatencyLevel | None = None
    for one in reversed(calms):
        if one is not None:
            newest = one if newest is None else one.with_next(newest)
        if newest is not None and newest.count >= FEW:
            allowed_s = (FACTOR - 1) * calm.mean_s + SURPRISE * newest.error_s
            return abs(newest.mean_s - calm.mean_s) > allowed_s
    return False


def _beside_calm(
    slices: Slices, calms: Sequence[LatencyLevel | None], calm: LatencyLevel, calm_most: int
) -> list[LatencyLevel]:
    """Levels above calm, some pooled, as if the target had always been as quick as in ``calm``.

    Levels that cannot be compared are left out.
    """
    found = []
    open_ones: dict[int, LatencyLevel] = {}  # By slice: levels not known well enough alone.
    begins_at = 0
    places = [{level.in_flight: level for level in one} for one in slices]
    for in_flight in sorted({at for place in places for at in place if at > calm_most}):
        begins_at = begins_at or in_flight
        for number, place in enumerate(places):
            if (level := place.get(in_flight)) is not None and calms[number] is not None:
                known = open_ones.get(number)
                open_ones[number] = level if known is None else known.with_next(level)
        pairs = [(level, low) for at, level in open_ones.items() if (low := calms[at]) is not None]
        level = _compared(pairs, calm.mean_s, begins_at)
        if level is not None and level.error <= PRECISE:
            found.append(level)
            open_ones, begins_at = {}, 0
    return found


def _compared(
    pairs: Sequence[tuple[LatencyLevel, LatencyLevel]], calm_s: float, in_flight: int
) -> LatencyLevel | None:
    """From pairs of a level and calm, each of one slice: the level if calm takes ``calm_s``.

    Its count is the weight of the comparison. Ignores the slices that speak most for a knee. None:
    too few slices or requests.
    """
    if len(pairs) < limits.KNEE_SLICES_MIN:
        return None
    weighted = [
        (high.count * low.count / (high.count + low.count), high, low) for high, low in pairs
    ]
    weighted.sort(key=lambda one: one[0] * (one[1].mean_s - one[2].mean_s))
    weighted = weighted[: -limits.KNEE_STEPS_MAX]
    weight = sum(one for one, _, _ in weighted)
    low_s = sum(one * low.mean_s for one, _, low in weighted) / weight
    if weight < 1 or not low_s:
        return None
    scale, count = calm_s / low_s, int(weight)
    mean_s = sum(one * high.mean_s for one, high, _ in weighted) / weight
    # The spread between slices says nothing about the level: calm varies with them.
    variance = sum(one * high.variance for one, high, _ in weighted) / weight
    square = (mean_s * mean_s + variance) * scale * scale
    return LatencyLevel(in_flight, count, count * mean_s * scale, count * square)


class _Slice:
    """Requests by level: their number, their total time, and the sum of the squares."""

    __slots__ = ("began_at", "sums")

    def __init__(self, began_at: float) -> None:
        self.began_at = began_at
        self.sums: dict[int, list[float]] = {}

    def packed(self) -> "array[float]":
        """All its figures, level by level, in a fifth of the memory."""
        each = sorted(self.sums.items())
        return array("d", [figure for at, sums in each for figure in (at, *sums)])


def _unpacked(sums: "array[float]") -> list[LatencyLevel]:
    each = zip(sums[::4], sums[1::4], sums[2::4], sums[3::4], strict=True)
    return [LatencyLevel(LEVELS[int(at)], int(count), *latencies) for at, count, *latencies in each]


class KneeTable:
    """Latencies of one target over the last `limits.KNEE_KEPT_S`, slice by slice."""

    __slots__ = ("_before", "_now")

    def __init__(self, now: float) -> None:
        self._now = _Slice(now)
        self._before: deque[tuple[float, array[float]]] = deque()  # When each began, and its sums.

    def add(self, latency_s: float, in_flight: int, now: float) -> None:
        """Record a request that took ``latency_s`` and began with ``in_flight`` there, itself
        included.
        """
        at = (
            min(in_flight, EXACT) - 1 if in_flight <= EXACT else bisect_right(LEVELS, in_flight) - 1
        )
        sums = self._current(now).sums.setdefault(at, [0, 0.0, 0.0])
        sums[0] += 1
        sums[1] += latency_s
        sums[2] += latency_s * latency_s

    def slices(self, now: float) -> list[list[LatencyLevel]]:
        """Slices that had a request, oldest first."""
        current = self._current(now)
        found = [_unpacked(sums) for _, sums in self._before]
        return [*found, _unpacked(current.packed())] if current.sums else found

    def _current(self, now: float) -> _Slice:
        if now - self._now.began_at >= limits.KNEE_SLICE_S:
            if self._now.sums:
                self._before.append((self._now.began_at, self._now.packed()))
            self._now = _Slice(now)
        while self._before and now - self._before[0][0] >= limits.KNEE_KEPT_S:
            self._before.popleft()
        return self._now


class Knees:
    """The tables of one service port's targets, each created when a request of its target is first
    timed.
    """

    __slots__ = ("_tables", "_targets")

    def __init__(self) -> None:
        self._targets: frozenset[str] = frozenset()
        self._tables: dict[str, KneeTable] = {}

    def set_targets(self, targets: Mapping[str, object]) -> None:
        """Replace the targets; those that stay keep their tables."""
        self._targets = frozenset(targets)
        self._tables = {one: table for one, table in self._tables.items() if one in targets}

    def forget(self, target: str) -> None:
        """Forget ``target``, which was down: it may be another one now."""
        self._tables.pop(target, None)

    def add(self, target: str, latency_s: float, in_flight: int, now: float) -> None:
        """As in `KneeTable`."""
        table = self._tables.get(target)
        if table is None:
            if target not in self._targets or len(self._tables) >= limits.KNEE_TARGETS_MAX:
                return
            table = self._tables[target] = KneeTable(now)
        table.add(latency_s, in_flight, now)

    def slices(self, target: str, now: float) -> list[list[LatencyLevel]]:
        """The slices of one target."""
        table = self._tables.get(target)
        return [] if table is None else table.slices(now)
