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


def test_no_percent_permits_nothing() -> None:
    budget = RetryBudget(0, 0.0)
    assert not budget.take(100.0)
    budget.set_percent(20)
    assert budget.take(100.0)
