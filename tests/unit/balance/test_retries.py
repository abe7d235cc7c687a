"""How many requests may be tried again."""

from router.balance.retries import RetryBudget
from router.model import limits


def permits(budget: RetryBudget, now: float) -> int:
    count = 0
    while budget.take(now):
        count += 1
    return count


def test_a_quiet_service_survives_the_death_of_a_link() -> None:
    assert permits(RetryBudget(20, 0.0), 0.0) == limits.RETRIES_SAVED_MIN


def test_what_is_used_up_comes_back_by_time_and_by_requests() -> None:
    budget = RetryBudget(20, 0.0)
    permits(budget, 0.0)
    assert permits(budget, 1.0) == limits.RETRIES_PER_S
    budget.requests += 100
    assert permits(budget, 1.0) == 20
    assert permits(budget, 1.0) == 0


def test_a_busy_service_saves_up_ten_seconds_worth() -> None:
    budget = RetryBudget(20, 0.0)
    for second in range(1, 31):
        budget.requests += 5_000
        assert budget.take(float(second))
    expected = limits.RETRY_WINDOW_S * (limits.RETRIES_PER_S + 5_000 * 0.2)
    assert expected - 1_100 <= permits(budget, 30.0) <= expected


def test_no_percent_permits_nothing() -> None:
    budget = RetryBudget(0, 0.0)
    assert not budget.take(100.0)
    budget.set_percent(20)
    assert budget.take(100.0)
