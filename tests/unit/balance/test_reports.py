import pytest

from router.balance.sites.reports import LoadReports
from router.model import limits
from router.model.ids import ServiceKey
from router.model.messages.adverts import RateLoad

WEB, API = ServiceKey("web", 80), ServiceKey("api", 80)
SOON, CHANGE = limits.LOAD_INTERVAL_S, limits.LOAD_CHANGE_INTERVAL_S
LASTS = limits.LOAD_LASTS_S


def test_the_first_state_is_told_at_once() -> None:
    assert LoadReports().note(WEB, 0, 1, 10, 0.0)


def test_turning_full_is_told_at_once_and_the_next_flips_after_a_while() -> None:
    reports = LoadReports()
    reports.note(WEB, 9, 1, 10, 0.0)
    assert reports.note(WEB, 10, 1, 10, 1.0)
    assert not reports.note(WEB, 9, 1, 10, 1.001)
    assert reports.next_deadline() == pytest.approx(1.0 + SOON)
    assert reports.due(1.0 + SOON) == [WEB]
    assert reports.next_deadline() is None


def test_a_reserve_is_told_when_it_is_used_up_too() -> None:
    """Full for others at 7 of 10, and for other routers of the site at 10."""
    reports = LoadReports()
    reports.note(WEB, 6, 1, 7, 0.0, reserved=3)
    assert reports.note(WEB, 7, 1, 7, 1.0, reserved=3)
    assert not reports.note(WEB, 9, 1, 7, 1.01, reserved=3)
    assert reports.note(WEB, 10, 1, 7, 1.0 + SOON, reserved=3)
    assert reports.note(WEB, 9, 1, 7, 1.0 + 2 * SOON, reserved=3)


def test_a_changed_share_of_one_neighbor_is_told_as_any_small_change() -> None:
    reports = LoadReports()
    reports.note(WEB, 6, 1, 10, 0.0, most_for_one=4)
    assert reports.note(WEB, 6, 1, 10, 9.0, most_for_one=2)
    assert not reports.note(WEB, 6, 1, 10, 9.001, most_for_one=None)
    assert reports.due(9.0 + limits.LOAD_SETTLE_INTERVAL_S) == [WEB]


def test_a_router_that_takes_nothing_new_tells_it_at_once_and_that_it_is_over() -> None:
    reports = LoadReports()
    reports.note(WEB, 6, 1, 10, 0.0)
    assert reports.note(WEB, 6, 1, 10, 1.0, refuses=True)
    assert reports.note(WEB, 6, 1, 10, 2.0)


def test_a_flip_is_not_held_up_by_a_small_change_told_before() -> None:
    reports = LoadReports()
    reports.note(WEB, 0, 1, 10, 0.0)
    assert reports.note(WEB, 5, 1, 10, 1.0)
    assert reports.note(WEB, 10, 1, 10, 1.001)


def test_of_a_request_that_is_over_soon_nobody_hears() -> None:
    reports = LoadReports()
    reports.note(WEB, 0, 1, None, 0.0)
    for number in range(1, 100):
        assert not reports.note(WEB, 1, 1, None, number * 0.2)
        assert not reports.note(WEB, 0, 1, None, number * 0.2 + LASTS - 0.001)
        assert reports.due(number * 0.2 + LASTS) == [], "the timer that was set comes to nothing"


def test_one_request_that_goes_on_is_told_once_it_has_lasted_and_its_end_at_once() -> None:
    reports = LoadReports()
    reports.note(WEB, 0, 1, None, 0.0)
    assert not reports.note(WEB, 1, 1, None, 1.0)
    assert reports.next_deadline() == pytest.approx(1.0 + LASTS)
    assert reports.due(1.0 + LASTS) == [WEB]
    assert reports.note(WEB, 0, 1, None, 2.0)


def test_several_are_told_at_once_and_then_ten_times_a_second() -> None:
    reports = LoadReports()
    reports.note(WEB, 0, 1, 10, 0.0)
    assert reports.note(WEB, 2, 1, 10, 1.0)
    assert not reports.note(WEB, 4, 1, 10, 1.001)
    assert reports.due(1.0 + CHANGE) == [WEB]


def test_a_target_that_comes_or_goes_is_told_at_once() -> None:
    reports = LoadReports()
    reports.note(WEB, 0, 2, 10, 0.0)
    assert reports.note(WEB, 0, 1, 10, 1.0)


def test_services_have_limits_of_their_own_and_can_be_forgotten() -> None:
    reports = LoadReports()
    reports.note(WEB, 0, 1, 10, 0.0)
    assert reports.note(API, 0, 1, 10, 0.0)
    reports.note(WEB, 5, 1, 10, 0.01)
    reports.note(API, 5, 1, 10, 0.01)
    reports.forget(WEB)
    assert reports.due(1.0) == [API]


def test_a_rate_is_told_when_it_flips_and_by_the_second_while_it_is_calm() -> None:
    reports = LoadReports()
    sent = []
    now = 0.0
    for number in range(1_000):  # A request every 10 ms at 200 a second: a permit each.
        now = number * 0.01
        if reports.note(WEB, 0, 1, None, now, RateLoad(200.0, 3_000 - number, 0)):
            sent.append(now)
        deadline = reports.next_deadline()
        if deadline is not None and deadline <= now and reports.due(now):
            sent.append(now)
    assert len(sent) <= 6, "one for each 200 permits"
    assert reports.note(WEB, 0, 1, None, now, RateLoad(200.0, 0, 1)), "it is over: at once"
    for number in range(1, 200):
        assert not reports.note(
            WEB, 0, 1, None, now + number * 0.01, RateLoad(200.0, number % 3, 1)
        )
    assert reports.next_deadline() is None, "who knows that it is over reckons for itself"
    assert reports.note(WEB, 0, 1, None, now + 5, RateLoad(200.0, 9, 2)), "it sends all away"
    assert reports.note(WEB, 0, 1, None, now + 9, RateLoad(200.0, 9, 0)), "it is calm"


def test_a_rate_that_flips_is_told_at_once_however_lately_something_else_was() -> None:
    reports = LoadReports()
    reports.note(WEB, 0, 1, None, 0.0, RateLoad(200.0, 900, 0))
    assert reports.note(WEB, 0, 2, None, 1.0, RateLoad(200.0, 900, 0))
    assert reports.note(WEB, 0, 2, None, 1.001, RateLoad(200.0, 900, 1))


def test_while_a_rate_is_over_its_permits_are_no_news() -> None:
    reports = LoadReports()
    reports.note(WEB, 0, 1, None, 0.0, RateLoad(2.0, 0, 1))
    assert not reports.note(WEB, 0, 1, None, 9.0, RateLoad(2.0, 8, 1))
    assert reports.next_deadline() is None


def test_a_capacity_that_is_learnt_one_more_is_told_in_the_end_only() -> None:
    reports = LoadReports()
    reports.note(WEB, 0, 1, 20, 1.0)
    assert not reports.note(WEB, 0, 1, 21, 1.0)
    assert reports.next_deadline() == pytest.approx(1.0 + limits.LOAD_SETTLE_INTERVAL_S)
    assert not reports.note(WEB, 0, 1, 22, 1.0)
    assert reports.next_deadline() == pytest.approx(1.0 + CHANGE)


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (2, 5), (5, 2)])
def test_more_or_fewer_ready_targets_are_told_as_soon_as_much_more_load(
    before: int, after: int
) -> None:
    reports = LoadReports()
    reports.note(WEB, 50, before, 100, 0.0)
    assert not reports.note(WEB, 50, after, 100, 0.001)
    assert reports.next_deadline() == pytest.approx(CHANGE)
