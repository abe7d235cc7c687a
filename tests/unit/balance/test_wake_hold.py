"""Who is held while a burst hook wakes a site, and for how long."""

import pytest

from router.balance.site.wake_hold import Wake, WakeHold


def waking(woke_at: float = 100.0) -> WakeHold:
    hold = WakeHold(hold_s=30.0)
    hold.set_wake(Wake("hook", woke_at))
    return hold


def test_nobody_is_held_without_a_hook() -> None:
    hold = WakeHold(hold_s=30.0)
    assert not hold.is_waking
    assert (hold.extra_s(5.0), hold.retry_s(5.0)) == (0.0, 0.0)


def test_the_first_is_held_before_the_hook_runs() -> None:
    hold = WakeHold(hold_s=30.0)
    hold.set_wake(Wake("hook"))
    assert not hold.is_waking
    assert (hold.extra_s(5.0), hold.retry_s(5.0)) == (30.0, 0.0)


def test_the_hold_ends_so_long_after_the_wake_began() -> None:
    hold = waking()
    assert hold.is_waking
    assert [hold.extra_s(now) for now in (100.0, 110.5, 130.0, 131.0)] == [30.0, 19.5, 0.0, 0.0]


def test_a_wake_that_had_its_effect_holds_nobody_and_the_next_one_does() -> None:
    hold = waking()
    hold.woken(112.0)
    hold.drained()
    assert not hold.is_waking
    for woke_at, wakes in ((99.0, False), (100.0, False), (100.5, True)):
        hold.set_wake(Wake("hook", woke_at))
        assert hold.is_waking == wakes


def test_a_wake_has_no_effect_before_what_was_woken_answers() -> None:
    hold = waking()
    hold.drained()
    assert hold.is_waking


def test_an_answer_of_an_earlier_wake_does_not_end_the_next_one() -> None:
    hold = waking()
    hold.woken(112.0)
    hold.set_wake(None)
    hold.set_wake(Wake("hook", 200.0))
    hold.drained()
    assert hold.is_waking


def test_a_wake_takes_as_long_as_until_the_first_answer() -> None:
    hold = waking()
    hold.woken(112.0)
    hold.woken(113.0)
    assert hold.usual_s == 12.0
    idle = WakeHold(hold_s=30.0)
    idle.woken(5.0)
    assert idle.usual_s is None


@pytest.mark.parametrize(
    ("usual_s", "again_at", "retry_s"),
    [
        (None, None, 0.0),
        (12.0, None, 7.0),
        (4.0, None, 0.0),
        (None, 120.0, 15.0),
        (12.0, 120.0, 27.0),
        (12.0, 101.0, 12.0),
    ],
)
def test_who_is_turned_away_may_ask_again_when_the_wake_should_be_over(
    usual_s: float | None, again_at: float | None, retry_s: float
) -> None:
    hold = WakeHold(hold_s=30.0)
    hold.usual_s = usual_s
    hold.set_wake(Wake("hook", 100.0, again_at))
    assert hold.retry_s(105.0) == retry_s
