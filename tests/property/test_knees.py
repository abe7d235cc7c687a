"""Whatever is measured: a knee is one of the levels, and does not hang on the unit of time."""

from functools import reduce
from itertools import accumulate, chain
from math import sqrt

from hypothesis import example, given
from hypothesis import strategies as st

from router.balance.learning.knees import (
    EXACT,
    FACTOR,
    PRECISE,
    Knee,
    KneeTable,
    LatencyLevel,
    find_knee,
    knee_of,
    pooled,
)
from router.balance.learning.knees import (
    LEVELS as STEPS,
)
from router.model import limits
from tests.examples import histories

REQUESTS = histories(st.tuples(st.integers(1, 40), st.integers(1, 64)), 400)
LEVELS = st.lists(
    st.tuples(st.integers(1, 60), st.integers(30, 500), st.sampled_from([8, 9, 16, 64])),
    unique_by=lambda one: one[0],
    max_size=20,
)


def find(levels: list[tuple[int, int, int]], unit_s: float) -> Knee:
    """Of levels of so many requests each that all took so many units."""
    each = [
        LatencyLevel(level, count, count * took * unit_s, count * (took * unit_s) ** 2)
        for level, count, took in sorted(levels)
    ]
    return knee_of([each] * limits.KNEE_SLICES_MIN)


@given(requests=REQUESTS)
def test_the_table_loses_no_request(requests: list[tuple[int, int]]) -> None:
    table = KneeTable(0.0)
    for in_flight, units in requests:
        table.add(units / 1024, in_flight, 1.0)
    levels = pooled(table.slices(2.0))
    assert sum(level.count for level in levels) == len(requests)
    assert sum(level.total_s for level in levels) == sum(took for _, took in requests) / 1024
    assert [level.in_flight for level in levels] == sorted({level.in_flight for level in levels})


@given(levels=LEVELS)
def test_the_knee_is_a_level_that_was_seen_above_calm_in_whatever_unit(
    levels: list[tuple[int, int, int]],
) -> None:
    found = find(levels, 0.25)
    in_units = find(levels, 2.0**-20)
    assert in_units.at == found.at
    assert (in_units.baseline_s is None) == (found.baseline_s is None)
    if found.at is not None:
        assert found.baseline_s is not None
        assert found.at in [level for level, _, _ in levels] and found.at > min(levels)[0]
        most_s = max(took for _, _, took in levels) * 0.25
        assert most_s >= FACTOR * found.baseline_s


@given(levels=LEVELS)
def test_latency_that_never_rises_never_bends(levels: list[tuple[int, int, int]]) -> None:
    falling = sorted((took for _, _, took in levels), reverse=True)
    flat = [
        (level, count, took)
        for (level, count, _), took in zip(sorted(levels), falling, strict=True)
    ]
    assert find(flat, 0.25).at is None


SPREAD = st.lists(
    st.tuples(st.integers(1, 60), st.integers(1, 200), st.integers(8, 64), st.integers(0, 40)),
    unique_by=lambda one: one[0],
    max_size=20,
)


class Pool:
    """Requests of some levels: how many, their latencies added up, and these squared."""

    def __init__(self, levels: list[LatencyLevel]) -> None:
        self.count = sum(one.count for one in levels)
        self.mean_s = sum(one.total_s for one in levels) / self.count
        mean_square = sum(one.squares for one in levels) / self.count
        self.error = sqrt(max(0.0, mean_square - self.mean_s**2) / self.count) / self.mean_s

    @property
    def is_precise(self) -> bool:
        return self.count >= limits.KNEE_SAMPLES_MIN and self.error <= PRECISE


def grown(levels: list[LatencyLevel]) -> list[list[LatencyLevel]]:
    """The levels from the first on, one more each time."""
    return list(accumulate([[one] for one in levels]))


@given(levels=SPREAD)
def test_the_knee_is_found_by_the_definition_of_means_that_never_fall(
    levels: list[tuple[int, int, int, int]],
) -> None:
    """Of such means the one at i is the greatest of all a <= i of the least of all b >= i of the
    mean from a to b (M. Ayer et al., 1955).
    """
    each = [
        LatencyLevel(level, count, float(count * mean), float(count * (mean**2 + deviation**2)))
        for level, count, mean, deviation in sorted(levels)
    ]
    some_calm = next((some for some in grown(each) if Pool(some).is_precise), None)
    if some_calm is None:
        return
    calm = Pool(some_calm)
    found = find_knee(reduce(LatencyLevel.with_next, some_calm), each)
    pools: list[list[LatencyLevel]] = []
    left = each
    while whole := next((some for some in grown(left) if Pool(some).is_precise), None):
        pools.append(whole)
        left = left[len(whole) :]
    bends = [
        pools[i][0].in_flight
        for i in range(len(pools))
        if max(
            min(Pool(list(chain(*pools[a : b + 1]))).mean_s for b in range(i, len(pools)))
            for a in range(i + 1)
        )
        >= FACTOR * calm.mean_s
    ]
    assert found.baseline_s is not None and abs(found.baseline_s - calm.mean_s) < 1e-9
    lowest = each[0].in_flight
    assert found.at == next((one for one in bends if one > lowest), None)


@given(in_flight=st.integers(1, 2 * limits.KNEE_IN_FLIGHT_MAX), units=st.integers(1, 64))
def test_a_request_is_counted_at_the_highest_level_that_is_not_above_it(
    in_flight: int, units: int
) -> None:
    table = KneeTable(0.0)
    table.add(units / 64, in_flight, 0.0)
    level = max(one for one in STEPS if one <= in_flight)
    assert pooled(table.slices(0.0)) == [LatencyLevel(level, 1, units / 64, (units / 64) ** 2)]


PHASES = st.lists(
    st.tuples(
        st.integers(1, 12),  # Slices that it lasts.
        st.lists(st.integers(1, 4), min_size=1, max_size=4, unique=True),  # In flight.
        st.sampled_from([8, 12, 24, 200]),  # Milliseconds, at any level.
    ),
    min_size=1,
    max_size=limits.KNEE_STEPS_MAX + 1,
)
OFFSETS = st.floats(0.0, 0.99)


@given(phases=PHASES, offset=OFFSETS)
@example(phases=[(5, [1, 2], 8), (2, [1], 8), (2, [2], 24)], offset=0.5)
def test_a_target_that_is_as_fast_at_any_level_has_no_knee_whatever_its_own_speed_does(
    phases: list[tuple[int, list[int], int]], offset: float
) -> None:
    """It changes `KNEE_STEPS_MAX` times, anywhere in a slice, and load with it."""
    table = KneeTable(0.0)
    for level in (1, 2, 3):
        table.add(0.008, level, 0.0)  # A slice begins here.
    now = offset * limits.KNEE_SLICE_S
    for slices, levels, took_ms in phases:
        for step in range(slices * 5):
            for level in levels:
                for jitter in (0.98, 1.0, 1.02) * 8:
                    table.add(took_ms / 1000 * jitter, level, now + step * limits.KNEE_SLICE_S / 5)
        now += slices * limits.KNEE_SLICE_S
    assert knee_of(table.slices(now)).at is None


@given(
    speeds=st.lists(
        st.integers(8, 400),
        min_size=limits.KNEE_SLICES_MIN + limits.KNEE_STEPS_MAX,
        max_size=int(limits.KNEE_KEPT_S / limits.KNEE_SLICE_S) - 1,
    ),
    calm=st.integers(1, 3),
    bends_at=st.integers(7, EXACT),
    times=st.integers(120, 900),
)
@example(speeds=[8, 8, 8, 8, 21, 8, 8], calm=1, bends_at=7, times=131)
def test_a_knee_beside_calm_is_found_whatever_the_targets_own_speed_does(
    speeds: list[int], calm: int, bends_at: int, times: int
) -> None:
    table = KneeTable(0.0)
    now = 0.0
    for took_ms in speeds:
        for jitter in (0.98, 1.0, 1.02) * 20:
            table.add(took_ms / 1000 * jitter, calm, now)
            table.add(took_ms / 1000 * jitter, bends_at - 1, now)
            table.add(took_ms / 1000 * jitter * times / 100, bends_at, now)
        now += limits.KNEE_SLICE_S
    found = knee_of(table.slices(now))
    assert found.at in (None, bends_at)
    if len(set(speeds)) == 1:
        assert found.at == bends_at
