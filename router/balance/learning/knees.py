"""Where the latency of a target bends: how many requests at once it really works on.

A table of one target has, by how many were in flight when a request began, how long requests took.
Up to the knee latency stays what it is in calm; beyond, requests wait for each other inside the
target, and it grows with each one more. A capacity stated above the knee lets them wait there,
instead of going to another site; one below it leaves the target idle in part.

Latency that falls from one level to the next is chance: such levels are taken together (pool
adjacent violators: M. Ayer et al., 1955). Levels that are not known well enough are taken together
with the next, too. So the first one that is `FACTOR` times calm is one beyond chance.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from math import sqrt

import msgspec

from router.model import limits

FACTOR = 1.15
"""Of the latency in calm, from which it bends: less may be chance, or the machine's caches."""
PRECISE = 0.04
"""Of the mean: its standard error, from which a level says something."""
CALM_SHARE = 0.5
"""Of the highest level that was seen: what is above is not calm."""
EXACT = 32
"""Levels up to this many in flight are kept each; above, eight for each doubling."""
PER_DOUBLING = 8


def _levels() -> tuple[int, ...]:
    found, at = list(range(1, EXACT + 1)), float(EXACT)
    while found[-1] < limits.KNEE_IN_FLIGHT_MAX:
        at *= 2 ** (1 / PER_DOUBLING)
        found.append(round(at))
    return tuple(found)


LEVELS = _levels()
"""The fewest in flight that each level stands for."""


class LatencyLevel(msgspec.Struct, frozen=True):
    """``count`` requests began with ``in_flight`` there, themselves included, and took
    ``total_s`` together; ``squares``: the sum of the squares."""

    in_flight: int
    count: int
    total_s: float
    squares: float

    @property
    def mean_s(self) -> float:
        return self.total_s / self.count

    @property
    def error(self) -> float:
        """The standard error of the mean, over the mean; 1.0: it is not known."""
        if self.count < limits.KNEE_SAMPLES_MIN or not self.total_s:
            return 1.0
        spread = max(0.0, self.squares * self.count / (self.total_s * self.total_s) - 1)
        return sqrt(spread / self.count)

    def with_next(self, other: "LatencyLevel") -> "LatencyLevel":
        """Both as one, at where this one begins."""
        return LatencyLevel(
            self.in_flight,
            self.count + other.count,
            self.total_s + other.total_s,
            self.squares + other.squares,
        )


class Knee(msgspec.Struct, frozen=True):
    """``at``: the fewest in flight that bend, None: it was not seen. ``baseline_s`` of calm."""

    baseline_s: float | None
    at: int | None


def find_knee(levels: Sequence[LatencyLevel]) -> Knee:
    """By ``levels``, ascending, each with a request at least."""
    if not levels:
        return Knee(None, None)
    calm = _calm(levels)
    if calm is None:
        return Knee(None, None)
    bends_at_s = calm.mean_s * FACTOR
    for block in _rising(_precise(levels)):
        if block.mean_s >= bends_at_s and block.in_flight > calm.in_flight:
            return Knee(calm.mean_s, block.in_flight)
    return Knee(calm.mean_s, None)


def _calm(levels: Sequence[LatencyLevel]) -> LatencyLevel | None:
    """The lowest levels, as many as it takes to know their mean; None: they are not enough.

    With one in flight nobody waits; where there never was as few, half of the most is few.
    """
    most = max(1.0, CALM_SHARE * levels[-1].in_flight)
    calm: LatencyLevel | None = None
    for level in levels:
        if level.in_flight > most:
            return None
        calm = level if calm is None else calm.with_next(level)
        if calm.error <= PRECISE:
            return calm
    return None


def _precise(levels: Sequence[LatencyLevel]) -> list[LatencyLevel]:
    """Levels, or several as one, whose means are known; what is left at the end is dropped."""
    found: list[LatencyLevel] = []
    open_one: LatencyLevel | None = None
    for level in levels:
        open_one = level if open_one is None else open_one.with_next(level)
        if open_one.error <= PRECISE:
            found.append(open_one)
            open_one = None
    return found


def _rising(levels: Sequence[LatencyLevel]) -> list[LatencyLevel]:
    """Means that never fall."""
    found: list[LatencyLevel] = []
    for level in levels:
        block = level
        while found and found[-1].mean_s > block.mean_s:
            block = found.pop().with_next(block)
        found.append(block)
    return found


class _Table:
    """Requests by level."""

    __slots__ = ("began_at", "counts", "squares", "totals")

    def __init__(self, began_at: float) -> None:
        self.began_at = began_at
        self.counts = [0] * len(LEVELS)
        self.totals = [0.0] * len(LEVELS)
        self.squares = [0.0] * len(LEVELS)


class KneeTable:
    """What is known of one target: of the last `limits.KNEE_KEPT_S`, and up to as long before."""

    __slots__ = ("_before", "_now")

    def __init__(self, now: float) -> None:
        self._now = _Table(now)
        self._before: _Table | None = None

    def add(self, latency_s: float, in_flight: int, now: float) -> None:
        """A request took so long that began with ``in_flight`` there, itself included."""
        table = self._current(now)
        at = (
            min(in_flight, EXACT) - 1 if in_flight <= EXACT else bisect_right(LEVELS, in_flight) - 1
        )
        table.counts[at] += 1
        table.totals[at] += latency_s
        table.squares[at] += latency_s * latency_s

    def levels(self, now: float) -> list[LatencyLevel]:
        """Those that had a request."""
        current = self._current(now)
        tables = [current] if self._before is None else [self._before, current]
        return [
            LatencyLevel(
                in_flight,
                count,
                sum(one.totals[at] for one in tables),
                sum(one.squares[at] for one in tables),
            )
            for at, in_flight in enumerate(LEVELS)
            if (count := sum(one.counts[at] for one in tables))
        ]

    def _current(self, now: float) -> _Table:
        age_s = now - self._now.began_at
        if age_s >= limits.KNEE_KEPT_S:
            self._before = self._now if age_s < 2 * limits.KNEE_KEPT_S else None
            self._now = _Table(now)
        return self._now


class Knees:
    """The tables of one service port's targets, made when the first request of one is timed."""

    __slots__ = ("_tables", "_targets")

    def __init__(self) -> None:
        self._targets: frozenset[str] = frozenset()
        self._tables: dict[str, KneeTable] = {}

    def set_targets(self, targets: Mapping[str, object]) -> None:
        """Which there are; those that stay keep what is known."""
        self._targets = frozenset(targets)
        self._tables = {one: table for one, table in self._tables.items() if one in targets}

    def forget(self, target: str) -> None:
        """It was down: it may be another one now."""
        self._tables.pop(target, None)

    def add(self, target: str, latency_s: float, in_flight: int, now: float) -> None:
        """As of `KneeTable`."""
        table = self._tables.get(target)
        if table is None:
            if target not in self._targets or len(self._tables) >= limits.KNEE_TARGETS_MAX:
                return
            table = self._tables[target] = KneeTable(now)
        table.add(latency_s, in_flight, now)

    def levels(self, target: str, now: float) -> list[LatencyLevel]:
        """What is known of one target."""
        table = self._tables.get(target)
        return [] if table is None else table.levels(now)
