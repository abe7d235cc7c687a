import pytest

from tests.bench.learning import learner, mean, settled_at
from tests.bench.learning_targets import SHAPES, Tick, run

KNEE = 20


def limits_after(ticks: list[Tick], at_s: float) -> list[float]:
    return [float(tick.limit) for tick in ticks if tick.at_s > at_s]


def latency_after(ticks: list[Tick], at_s: float) -> float:
    return mean([one for tick in ticks if tick.at_s > at_s for one in tick.latencies])


def calm_then_double(now: float) -> float:
    return 0.5 if now < 5 else 2.0


@pytest.mark.parametrize("shape", SHAPES)
def test_the_limit_comes_near_the_knee_and_latency_stays_below_double(shape: str) -> None:
    ticks = run(shape, learner(1), calm_then_double, 30, knee=KNEE)
    unloaded_s = mean([one for tick in ticks if tick.at_s < 5 for one in tick.latencies])
    assert 0.9 * KNEE <= mean(limits_after(ticks, 10)) <= 1.6 * KNEE
    assert latency_after(ticks, 10) < 2 * unloaded_s


@pytest.mark.parametrize("shape", SHAPES)
def test_at_half_load_hardly_anything_is_turned_away(shape: str) -> None:
    ticks = run(shape, learner(2), lambda _: 0.5, 60, knee=KNEE)
    later = [tick for tick in ticks if tick.at_s > 5]
    assert sum(tick.spilled for tick in later) <= 0.02 * sum(tick.offered for tick in later)


@pytest.mark.parametrize("shape", ["constant", "sharing"])
@pytest.mark.parametrize("knee", [KNEE // 2, 2 * KNEE])
def test_a_knee_that_moves_is_found_again_within_seconds(shape: str, knee: int) -> None:
    ticks = run(shape, learner(3), lambda _: 4.0, 40, knee=KNEE, changes=((20, knee, 1.0),))
    assert settled_at(ticks, 0.8 * knee, 1.6 * knee, 20.0) <= 8.0


def test_a_target_that_is_slower_for_good_is_learnt_again_without_collapse() -> None:
    ticks = run("constant", learner(4), calm_then_double, 40, knee=KNEE, changes=((20, KNEE, 3.0),))
    after = limits_after(ticks, 20)
    assert min(after) >= KNEE / 4
    assert 0.9 * KNEE <= mean(after[-40:]) <= 1.6 * KNEE
