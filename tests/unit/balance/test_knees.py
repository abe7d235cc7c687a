"""Where latency bends, in modelled targets."""

import random
from heapq import heappop, heappush
from itertools import pairwise

import pytest

from router.balance.learning.knees import EXACT, LEVELS, Knees, KneeTable, LatencyLevel, find_knee
from router.model import limits


def constant(level: int, seconds: float, count: int = 100) -> LatencyLevel:
    """A level of which all requests took the same time."""
    return LatencyLevel(level, count, seconds * count, seconds * seconds * count)


def queueing(slots: int, clients_max: int, rng: random.Random, *, spread: float) -> KneeTable:
    """A target that works on ``slots`` requests at once, first come first served.

    1 to ``clients_max`` clients ask, each again once it is answered. ``spread``: of service times,
    around 10 ms; 0: none; 1: they are exponential.
    """
    table = KneeTable(0.0)
    for clients in range(1, clients_max + 1):
        free = [0.0] * slots  # When each slot is.
        in_hand: list[tuple[float, float, int]] = []  # End, begin, in flight then.
        now = 0.0
        for _ in range(400):
            if len(in_hand) == clients:
                now, began, in_flight = heappop(in_hand)
                table.add(now - began, in_flight, 1.0)
            starts = max(now, heappop(free))
            took = 0.01 * (1 - spread + spread * rng.expovariate(1.0))
            heappush(free, starts + took)
            heappush(in_hand, (starts + took, now, len(in_hand) + 1))
    return table


@pytest.mark.parametrize("slots", [1, 2, 3, 4, 6, 8, 10, 12])
@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_the_knee_is_where_requests_begin_to_wait(slots: int, spread: float) -> None:
    table = queueing(slots, 3 * slots + 2, random.Random(slots), spread=spread)
    knee = find_knee(table.levels(1.0))
    assert knee.baseline_s == pytest.approx(0.01, rel=0.08)
    assert knee.at is not None and slots <= knee.at <= slots + 2


@pytest.mark.parametrize("seed", range(20))
def test_noise_alone_bends_nothing(seed: int) -> None:
    table = queueing(40, 30, random.Random(seed), spread=1.0)
    knee = find_knee(table.levels(1.0))
    assert knee.baseline_s == pytest.approx(0.01, rel=0.2)
    assert knee.at is None


def test_too_little_is_nothing() -> None:
    assert find_knee([]).baseline_s is None
    few = limits.KNEE_SAMPLES_MIN - 1
    assert find_knee([constant(1, 0.01, few)]).baseline_s is None
    assert find_knee([constant(1, 0.01, few + 1)]).baseline_s == pytest.approx(0.01)
    levels = [constant(1, 0.01), constant(9, 0.05, few)]
    assert find_knee(levels).at is None
    assert find_knee([constant(1, 0.01), constant(9, 0.05, few + 1)]).at == 9


def test_a_target_that_was_never_calm_has_no_baseline() -> None:
    assert find_knee([constant(20, 0.05), constant(21, 0.06)]).baseline_s is None


def test_levels_are_exact_first_and_then_eight_for_each_doubling_up_to_the_most() -> None:
    assert LEVELS[:EXACT] == tuple(range(1, EXACT + 1))
    assert all(low < high <= low * 1.11 for low, high in pairwise(LEVELS[EXACT - 1 :]))
    assert LEVELS[-1] == limits.KNEE_IN_FLIGHT_MAX
    table = KneeTable(0.0)
    for in_flight in (32, 34, 35, limits.KNEE_IN_FLIGHT_MAX, limits.KNEE_IN_FLIGHT_MAX + 1):
        table.add(0.01, in_flight, 0.0)
    found = [(level.in_flight, level.count) for level in table.levels(0.0)]
    assert found == [(32, 2), (35, 1), (limits.KNEE_IN_FLIGHT_MAX, 2)]


def test_what_is_long_ago_is_forgotten() -> None:
    table = KneeTable(0.0)
    table.add(0.01, 1, 0.0)
    kept = limits.KNEE_KEPT_S
    assert len(table.levels(kept + 1)) == 1
    table.add(0.01, 2, kept + 2)
    assert len(table.levels(2 * kept)) == 2
    assert [level.in_flight for level in table.levels(2 * kept + 2)] == [2]
    assert table.levels(9 * kept) == []


def test_so_many_targets_have_a_table_and_only_those_that_there_are() -> None:
    knees = Knees()
    names = [f"10.0.0.1:{number}" for number in range(limits.KNEE_TARGETS_MAX + 1)]
    knees.set_targets(dict.fromkeys(names))
    for name in [*names, "gone:1"]:
        knees.add(name, 0.01, 1, 0.0)
    assert [len(knees.levels(name, 0.0)) for name in names] == [1] * limits.KNEE_TARGETS_MAX + [0]
    assert knees.levels("gone:1", 0.0) == []
    knees.forget(names[0])
    knees.set_targets(dict.fromkeys(names[:2]))
    assert [len(knees.levels(name, 0.0)) for name in names[:3]] == [0, 1, 0]
