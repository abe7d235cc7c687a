"""Where latency bends, in modeled targets."""

import random
from heapq import heappop, heappush
from itertools import pairwise

import pytest

from router.balance.learning.knees import (
    EXACT,
    LEVELS,
    Knee,
    Knees,
    KneeTable,
    LatencyLevel,
    find_knee,
    knee_of,
    pooled,
)
from router.model import limits

TURNS = 10  # Slices of time in which load goes up and down again.
END = TURNS * limits.KNEE_SLICE_S


def knee(levels: list[LatencyLevel]) -> Knee:
    """Of levels that are all seen in each of many slices."""
    return knee_of([levels] * TURNS)


def constant(level: int, seconds: float, count: int = 100) -> LatencyLevel:
    """A level of which all requests took the same time."""
    return LatencyLevel(level, count, seconds * count, seconds * seconds * count)


def queueing(slots: int, clients_max: int, rng: random.Random, *, spread: float) -> KneeTable:
    """A target that works on ``slots`` requests at once, first come first served.

    1 to ``clients_max`` clients ask, each again once it is answered, in each of `TURNS`.
    ``spread``: of service times, around 10 ms; 0: none; 1: they are exponential.
    """
    table = KneeTable(0.0)
    for turn in range(TURNS):
        for clients in range(1, clients_max + 1):
            free = [0.0] * slots  # When each slot is.
            in_hand: list[tuple[float, float, int]] = []  # End, begin, in flight then.
            now = 0.0
            for _ in range(40):
                if len(in_hand) == clients:
                    now, began, in_flight = heappop(in_hand)
                    table.add(now - began, in_flight, turn * limits.KNEE_SLICE_S)
                starts = max(now, heappop(free))
                took = 0.01 * (1 - spread + spread * rng.expovariate(1.0))
                heappush(free, starts + took)
                heappush(in_hand, (starts + took, now, len(in_hand) + 1))
    return table


@pytest.mark.parametrize("slots", [1, 2, 3, 4, 6, 8, 10, 12])
@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_the_knee_is_where_requests_begin_to_wait(slots: int, spread: float) -> None:
    table = queueing(slots, 3 * slots + 2, random.Random(slots), spread=spread)
    found = knee_of(table.slices(END))
    assert found.baseline_s == pytest.approx(0.01, rel=0.08)
    assert found.at is not None and slots <= found.at <= slots + 2


@pytest.mark.parametrize("seed", range(20))
def test_noise_alone_bends_nothing(seed: int) -> None:
    table = queueing(40, 30, random.Random(seed), spread=1.0)
    found = knee_of(table.slices(END))
    assert found.baseline_s == pytest.approx(0.01, rel=0.2)
    assert found.at is None


def test_too_little_is_nothing() -> None:
    assert knee_of([]) == Knee(None, None)
    few = limits.KNEE_SAMPLES_MIN - 1
    assert knee_of([[constant(1, 0.01, few)]]).baseline_s is None
    assert knee_of([[constant(1, 0.01, few + 1)]]).baseline_s == pytest.approx(0.01)
    levels = [constant(1, 0.01), constant(9, 0.05)]
    most = limits.KNEE_SLICES_MIN
    assert knee_of([levels] * (most - 1)).at is None
    assert knee_of([levels] * most).at == 9
    assert knee_of([[constant(1, 0.01), constant(9, 0.05, 5)]] * most).at is None


def test_a_target_that_was_never_calm_has_no_baseline() -> None:
    assert knee([constant(20, 0.05), constant(21, 0.06)]).baseline_s is None


def test_levels_are_exact_first_and_then_eight_for_each_doubling_up_to_the_most() -> None:
    assert LEVELS[:EXACT] == tuple(range(1, EXACT + 1))
    assert all(low < high <= low * 1.11 for low, high in pairwise(LEVELS[EXACT - 1 :]))
    assert LEVELS[-1] == limits.KNEE_IN_FLIGHT_MAX
    table = KneeTable(0.0)
    for in_flight in (32, 34, 35, limits.KNEE_IN_FLIGHT_MAX, limits.KNEE_IN_FLIGHT_MAX + 1):
        table.add(0.01, in_flight, 0.0)
    found = [(level.in_flight, level.count) for level in pooled(table.slices(0.0))]
    assert found == [(32, 2), (35, 1), (limits.KNEE_IN_FLIGHT_MAX, 2)]


def phase(table: KneeTable, begins_at: float, lasts_s: float, **seconds: float) -> float:
    """Requests evenly over a while, at each level (``at_3``) with its latency; when it ends."""
    for step in range(int(lasts_s)):
        for level, took_s in seconds.items():
            for jitter in (0.98, 1.0, 1.02):
                table.add(took_s * jitter, int(level.removeprefix("at_")), begins_at + step)
    return begins_at + lasts_s


def test_a_target_that_became_slower_at_any_load_has_no_knee() -> None:
    """As it was seen: 20 ms, then 200 ms, so that all slots are in use from then on."""
    table = KneeTable(0.0)
    now = phase(table, 0.0, 112.0, at_1=0.024)
    now = phase(table, now, 1.0, at_2=0.03)
    now = phase(table, now, 10.0, at_2=0.204, at_3=0.204)
    now = phase(table, now, 300.0, at_3=0.204)
    found = knee_of(table.slices(now))
    assert (found.baseline_s, found.at) == (None, None)
    calm, *higher = pooled(table.slices(now))
    assert find_knee(calm, [calm, *higher]).at == 2, "by all that was ever seen it would bend"
    now = phase(table, now, 60.0, at_1=0.204, at_2=0.204, at_3=0.204)
    assert knee_of(table.slices(now)).at is None


def test_a_knee_stays_known_while_all_slots_are_in_use() -> None:
    table = KneeTable(0.0)
    now = phase(table, 0.0, 120.0, at_1=0.02, at_2=0.02, at_3=0.04)
    now = phase(table, now, 300.0, at_3=0.04)
    found = knee_of(table.slices(now))
    assert found.at == 3 and found.baseline_s == pytest.approx(0.02)


def test_a_target_that_was_only_calm_has_its_newest_latency_as_baseline() -> None:
    table = KneeTable(0.0)
    now = phase(table, 0.0, 120.0, at_1=0.02)
    assert knee_of(table.slices(now)).baseline_s == pytest.approx(0.02)
    now = phase(table, now, 60.0, at_1=0.2)
    assert knee_of(table.slices(now)).baseline_s == pytest.approx(0.2)


def test_calm_that_is_slower_by_now_has_no_baseline_until_enough_of_it_is_known() -> None:
    table = KneeTable(0.0)
    now = phase(table, 0.0, 120.0, at_1=0.02, at_3=0.02)
    for step in range(8):
        now = phase(table, now, 1.0, at_1=0.2) + limits.KNEE_SLICE_S - 1
        now = phase(table, now, 1.0, at_3=0.2)
        if step >= 2:
            assert knee_of(table.slices(now)) == Knee(None, None)
    phase(table, now, 20.0, at_1=0.2, at_3=0.2)
    assert knee_of(table.slices(now + 20)).baseline_s == pytest.approx(0.2)


def test_what_is_long_ago_is_forgotten() -> None:
    table = KneeTable(0.0)
    table.add(0.01, 1, 0.0)
    table.add(0.01, 2, limits.KNEE_SLICE_S)
    kept = limits.KNEE_KEPT_S
    assert [level.in_flight for level in pooled(table.slices(kept - 1))] == [1, 2]
    table.add(0.01, 3, kept)
    assert [level.in_flight for level in pooled(table.slices(kept))] == [2, 3]
    assert table.slices(9 * kept) == []


def test_so_many_targets_have_a_table_and_only_those_that_there_are() -> None:
    knees = Knees()
    names = [f"10.0.0.1:{number}" for number in range(limits.KNEE_TARGETS_MAX + 1)]
    knees.set_targets(dict.fromkeys(names))
    for name in [*names, "gone:1"]:
        knees.add(name, 0.01, 1, 0.0)
    assert [len(knees.slices(name, 0.0)) for name in names] == [1] * limits.KNEE_TARGETS_MAX + [0]
    assert knees.slices("gone:1", 0.0) == []
    knees.forget(names[0])
    knees.set_targets(dict.fromkeys(names[:2]))
    assert [len(knees.slices(name, 0.0)) for name in names[:3]] == [0, 1, 0]
