"""Laws of `Learner` that hold whatever a target answers."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from router.balance.capacity_learning import Learner
from router.model import limits

ANSWERS = st.lists(
    st.tuples(
        st.sampled_from(["answered", "failed", "returned"]),
        st.floats(0.0, 100.0),
        st.integers(1, 10_000),
        st.floats(0.0, 400.0),
    ),
    max_size=200,
)


def learnt(seed: int, answers: list[tuple[str, float, int, float]]) -> list[int]:
    learner = Learner(random.Random(seed).random)
    now, found = 0.0, []
    for what, latency_s, in_flight, later_s in answers:
        now += later_s / 1000
        before = learner.limit
        if what == "answered":
            changed = learner.answered(latency_s, in_flight, now)
        else:
            changed = learner.failed(now) if what == "failed" else learner.returned(now)
        assert changed == (learner.limit != before)
        found.append(learner.limit)
    return found


@given(seed=st.integers(0, 9), answers=ANSWERS)
def test_the_limit_keeps_its_bounds_and_depends_on_nothing_else(
    seed: int, answers: list[tuple[str, float, int, float]]
) -> None:
    found = learnt(seed, answers)
    assert all(limits.LEARN_SLOTS_MIN <= limit <= limits.LEARN_SLOTS_MAX for limit in found)
    assert found == learnt(seed, answers)


@given(latencies=st.lists(st.floats(0.001, 0.0011), min_size=100, max_size=400))
def test_one_request_at_a_time_never_lowers_the_limit(latencies: list[float]) -> None:
    learner = Learner(random.Random(1).random)
    for index, latency_s in enumerate(latencies):
        learner.answered(latency_s, 1, index * 0.05)
        assert learner.limit == limits.LEARN_SLOTS_FIRST


@settings(max_examples=20)
@given(seed=st.integers(0, 99))
def test_probing_halves_at_most_what_a_target_works_on_and_seldom(seed: int) -> None:
    """Always used up, by a target with a knee: nothing but dips goes below it."""
    knee, learner = 10, Learner(random.Random(seed).random)
    now, low, least = 0.0, 0, knee
    for step in range(20_000):
        now += 0.005
        before = learner.limit
        learner.answered(0.02 * max(1.0, before / knee), before, now)
        if step > 2000:
            low += learner.limit < knee
            least = min(least, learner.limit)
    assert least >= knee // 2 - 1
    assert low <= 0.1 * 20_000
