"""Whatever is measured: a knee is one of the levels, and does not hang on the unit of time."""

from itertools import accumulate, chain
from math import sqrt

from hypothesis import given
from hypothesis import strategies as st

from router.balance.learning.knees import (
    FACTOR,
    PRECISE,
    Knee,
    KneeTable,
    LatencyLevel,
    find_knee,
)
from router.balance.learning.knees import (
    LEVELS as STEPS,
)
from router.model import limits

REQUESTS = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 64)), max_size=400)
LEVELS = st.lists(
    st.tuples(st.integers(1, 60), st.integers(30, 500), st.sampled_from([8, 9, 16, 64])),
    unique_by=lambda one: one[0],
    max_size=20,
)


def find(levels: list[tuple[int, int, int]], unit_s: float) -> Knee:
    """Of levels of so many requests each that all took so many units."""
    return find_knee(
        [
            LatencyLevel(level, count, count * took * unit_s, count * (took * unit_s) ** 2)
            for level, count, took in sorted(levels)
        ]
    )


@given(requests=REQUESTS)
def test_the_table_loses_no_request(requests: list[tuple[int, int]]) -> None:
    table = KneeTable(0.0)
    for in_flight, units in requests:
        table.add(units / 1024, in_flight, 1.0)
    levels = table.levels(2.0)
    assert sum(level.count for level in levels) == len(requests)
    assert sum(level.total_s for level in levels) == sum(took for _, took in requests) / 1024
    assert [level.in_flight for level in levels] == sorted({level.in_flight for level in levels})
    find_knee(levels)


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
    found, most = find_knee(each), max(1.0, each[-1].in_flight / 2) if each else 0.0
    low = [one for one in each if one.in_flight <= most]
    calm = next((Pool(some) for some in grown(low) if Pool(some).is_precise), None)
    if calm is None:
        assert found == Knee(None, None)
        return
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
    assert table.levels(0.0) == [LatencyLevel(level, 1, units / 64, (units / 64) ** 2)]
