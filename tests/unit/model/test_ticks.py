"""Moments that periodic work shares."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.model.ticks import doubled_s, next_tick, pause_s

PAUSES_S = st.sampled_from([0.05, 0.1, 0.25, 1.0, 2.0])


@given(st.floats(0, 1e9), PAUSES_S)
def test_the_next_tick_is_after_now_and_no_further_than_a_pause(now: float, every_s: float) -> None:
    assert now < next_tick(now, every_s) <= now + every_s * 1.001


@given(st.integers(0, 10**9), PAUSES_S)
def test_at_a_tick_the_next_one_is_later(number: int, every_s: float) -> None:
    now = number * every_s
    for _ in range(20):
        now, before = next_tick(now, every_s), now
        assert before < now <= before + every_s * 1.001


def test_all_who_wait_meet() -> None:
    assert {next_tick(now, 0.25) for now in (7.0, 7.1, 7.249)} == {7.25}
    assert next_tick(7.25, 0.25) == 7.5


@given(st.floats(0, 1e7), PAUSES_S)
def test_a_pause_is_of_whole_milliseconds_and_never_too_short(now: float, every_s: float) -> None:
    pause = pause_s(now, every_s)
    assert round(pause * 1000) == pytest.approx(pause * 1000, abs=1e-6)
    assert next_tick(now, every_s) - 1e-6 <= now + pause <= next_tick(now, every_s) + 0.001 + 1e-6


def test_pauses_between_tries_double_up_to_the_longest() -> None:
    assert [doubled_s(0.5, times, 3.0) for times in range(-1, 5)] == [0.5, 0.5, 1.0, 2.0, 3.0, 3.0]
    assert doubled_s(1.0, 10**6, 60.0) == 60.0
