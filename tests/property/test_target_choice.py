"""Which targets are passed over, beside the rule of `target_choice` in plain words: lists of
answers, reckoned afresh for each choice."""

from itertools import pairwise
from math import exp, inf, log, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.balance.targets.target import Target
from router.balance.targets.target_choice import (
    BUSY_FACTOR,
    SLOWER,
    busy_counts_s,
    cold_ones,
    target_reports,
)
from router.balance.targets.target_latency import (
    KNOWN_BEFORE,
    KNOWN_FROM,
    LEVEL_MAX,
    LEVEL_OF,
    LEVELS,
    SURE,
    SURPRISE,
    VARIANCE_FROM,
    VARIANCE_UNKNOWN,
    LatencyCurve,
)
from router.model import limits
from tests.examples import examples

ANSWERS = st.lists(
    st.tuples(
        st.sampled_from([0.001, 0.01, 0.0101, 0.02, 0.06, 1.0]) | st.floats(0.001, 2.0),
        st.integers(1, 12) | st.integers(1, 3_000),
        st.sampled_from([0.0, 0.02, 1.0, 5.0, 5.5, 100.0]),
        st.sampled_from([1, 1, 2, 12]),
    ),
    max_size=30,
)


class PlainCurve:
    """Each answer with its present weight, in lists by level."""

    def __init__(self) -> None:
        self.levels: dict[int, list[tuple[float, float]]] = {}
        self.squares: list[float] = []
        self.at = -inf

    def mean(self, level: int) -> tuple[float, float]:
        weighed = self.levels.get(level, [])
        count = sum(weight for _, weight in weighed)
        return (sum(x * weight for x, weight in weighed) / count if count else 0.0), count

    def variance(self) -> float:
        found = 0.0
        for number, square in enumerate(self.squares, 1):
            found += (square - found) / min(number, limits.TARGET_ANSWERS_KEPT)
        return found

    def estimate(self, level: int) -> tuple[float, float]:
        """Of the next lower known level, else of the lowest."""
        variance = self.variance()
        if len(self.squares) < VARIANCE_FROM:
            variance = max(variance, VARIANCE_UNKNOWN)
        known = sorted(one for one in self.levels if self.mean(one)[1] >= KNOWN_FROM)
        below = [one for one in known if one <= level]
        mean, count = self.mean(below[-1] if below else known[0])
        return mean, SURE**2 * variance / count

    def add(self, latency_s: float, in_flight: int, now: float) -> None:
        found, level = log(latency_s), LEVEL_OF[min(in_flight, LEVEL_MAX)]
        if self.levels and now - self.at > limits.TARGET_TRIAL_S:
            off = found - self.estimate(level)[0]
            sure = len(self.squares) >= VARIANCE_FROM
            if sure and abs(off) > SURPRISE * sqrt(self.variance()):
                self.levels = {}
            for one, weighed in self.levels.items():
                count = self.mean(one)[1]
                share = min(count, KNOWN_BEFORE) / count
                self.levels[one] = [(x, weight * share) for x, weight in weighed]
        else:
            share = 1 - 1 / limits.TARGET_ANSWERS_KEPT
            for one, weighed in self.levels.items():
                self.levels[one] = [(x, weight * share) for x, weight in weighed]
        mean, count = self.mean(level)
        if count:
            self.squares.append((found - mean) ** 2 * count / (count + 1))
        self.levels.setdefault(level, []).append((found, 1.0))
        self.at = now


@settings(max_examples=examples(300), deadline=None)
@given(answers=ANSWERS)
def test_a_curve_is_the_weighed_mean_of_its_answers_with_its_standard_error(
    answers: list[tuple[float, int, float, int]],
) -> None:
    """Each pause is followed by a few alike answers."""
    curve, plain, now = LatencyCurve(), PlainCurve(), 0.0
    for latency_s, in_flight, later_s, times in answers:
        now += later_s
        for number in range(times):
            curve.add(latency_s * (1 + 0.01 * number), in_flight, now)
            plain.add(latency_s * (1 + 0.01 * number), in_flight, now)
    assert len(curve.expected) == (LEVELS if answers else 0)
    for level, (expected, doubt) in enumerate(zip(curve.expected, curve.doubt, strict=True)):
        assert (expected, doubt) == pytest.approx(plain.estimate(level), rel=1e-6, abs=1e-9)


class Fixed(Target):
    """A target whose curve is given."""

    def __init__(self, name: str, capacity: int | None, in_flight: int, known: object) -> None:
        super().__init__(name)
        self.capacity, self.in_flight = capacity, in_flight
        if isinstance(known, list):
            for latency_s, level_in_flight, times in known:
                for _ in range(times):
                    self.latency.add(latency_s, level_in_flight, 0.0)


TARGETS = st.lists(
    st.tuples(
        st.none() | st.integers(0, 6),
        st.integers(0, 7) | st.sampled_from([LEVEL_MAX - 1, LEVEL_MAX, LEVEL_MAX + 1]),
        st.none()
        | st.lists(
            st.tuples(
                st.sampled_from([0.01, 0.011, 0.012, 0.013, 0.02, 0.06]),
                st.sampled_from([1, 1, 2, 4, 8]),
                st.sampled_from([1, 2, 4, 8, 20]),
            ),
            min_size=1,
            max_size=4,
        ),
        st.booleans(),
    ),
    max_size=6,
)


@settings(max_examples=examples(500), deadline=None)
@given(shapes=TARGETS)
def test_a_target_is_passed_over_only_if_another_with_room_is_sooner_beyond_doubt(
    shapes: list[tuple[int | None, int, object, bool]],
) -> None:
    targets = []
    for number, (capacity, in_flight, known, has_trial) in enumerate(shapes):
        one = Fixed(f"t{number}:1", capacity, in_flight, known)
        one.has_trial = has_trial
        targets.append(one)
    roomy = [one for one in targets if one.capacity is None or one.in_flight < one.capacity]
    known = [one for one in roomy if one.latency.expected]
    on_trial = [one for one in known if one.has_trial and not one.in_flight]
    if on_trial:
        assert list(cold_ones(targets)) == on_trial[:1]
        return

    def of(one: Target) -> tuple[float, float]:
        level = LEVEL_OF[min(one.in_flight + 1, LEVEL_MAX)]
        return one.latency.expected[level], one.latency.doubt[level]

    soonest = min(known, key=lambda one: of(one)[0], default=None)

    def beats(one: Target) -> bool:
        if soonest is None or one not in known:
            return False
        later = of(one)[0] - of(soonest)[0]
        return later > SLOWER and later**2 > of(one)[1] + of(soonest)[1]

    cold = cold_ones(targets)
    found = [one for one in cold if one in roomy]
    assert found == [one for one in roomy if not beats(one)]
    for one in targets:
        others = [of(other)[0] for other in targets if other is not one and other.latency.expected]
        counted_s = min([BUSY_FACTOR * exp(each) for each in others], default=None)
        assert busy_counts_s(one, targets) == counted_s
    for one, report in zip(targets, target_reports(targets, cold, None), strict=True):
        compared_s = exp(of(one)[0]) if one in known else None
        assert report.expected_s == compared_s, "what is shown is what was compared"


def test_levels_are_each_up_to_seven_and_four_for_each_doubling_above() -> None:
    assert list(LEVEL_OF[:8]) == list(range(8))
    starts = [n for n, (a, b) in enumerate(pairwise(LEVEL_OF), 1) if a != b]
    assert starts[7:15] == [8, 10, 12, 14, 16, 20, 24, 28]
    assert list(LEVEL_OF) == sorted(LEVEL_OF)
    assert len(set(LEVEL_OF)) == LEVELS
