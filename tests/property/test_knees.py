"""Whatever is measured: a knee is one of the levels, and does not hang on the unit of time."""

from hypothesis import given
from hypothesis import strategies as st

from router.balance.knees import FACTOR, Knee, KneeTable, LatencyLevel, find_knee

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
