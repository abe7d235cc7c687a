"""How many events of one kind one site may cause."""

from router.model.ids import SiteId
from router.model.limits import EVENT_BUDGETS_MAX
from router.node.news.event_budgets import EventBudgets

LOUD, QUIET = SiteId("loud"), SiteId("quiet")


def test_a_site_has_a_burst_then_a_pace_and_takes_nothing_from_others() -> None:
    budgets = EventBudgets(burst=3, per_s=0.5)
    assert [budgets.take(LOUD, 0.0) for _ in range(5)] == [True, True, True, False, False]
    assert budgets.take(QUIET, 0.0)
    assert not budgets.take(LOUD, 1.0)
    assert budgets.take(LOUD, 2.0)
    assert not budgets.take(LOUD, 2.0)


def test_of_very_many_sites_the_one_that_was_silent_longest_is_forgotten() -> None:
    budgets = EventBudgets(burst=1, per_s=0.001)
    assert budgets.take(QUIET, 0.0) and budgets.take(LOUD, 0.0)
    for number in range(EVENT_BUDGETS_MAX - 1):
        assert budgets.take(SiteId(str(number)), 0.0)
        assert not budgets.take(LOUD, 0.0)
    assert budgets.take(QUIET, 0.0), "it has a new one"
