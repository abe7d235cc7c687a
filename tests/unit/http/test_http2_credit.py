"""How long a stream may wait for its peer's windows: for as long as the peer keeps to the floor."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.http.http2.credit_waits import CreditWaits
from tests.examples import histories

WINDOW, OTHER = 1, 3


@given(
    st.integers(0, 1_000),
    histories(st.tuples(st.integers(1, 10), st.integers(0, 5_000)), 30),
)
def test_credit_buys_time_by_the_rate_that_is_asked_and_never_ahead(
    rate: int, steps: list[tuple[int, int]]
) -> None:
    credit, now, paid_until = CreditWaits(), 0.0, 0.0
    credit.begin(WINDOW, now, 0)
    for seconds, sent in steps:
        now += seconds
        paid_until = min(now, paid_until + sent / rate) if rate else now
        credit.took(WINDOW, sent, now, rate)
        credit.begin(WINDOW, now, 0)
        assert credit.at(WINDOW) == pytest.approx(paid_until)
    credit.end(WINDOW)
    assert (credit.at(WINDOW), credit.waits) == (-inf, {})


def test_only_what_stands_before_the_credit_counts_as_taken() -> None:
    credit = CreditWaits()
    credit.begin(WINDOW, 0.0, 1_000)
    credit.begin(OTHER, 0.0, 5_000)
    credit.look(0, 900, 10.0, 100)
    assert (credit.at(WINDOW), credit.at(OTHER)) == (9.0, 9.0)
    credit.look(900, 2_000, 20.0, 100)
    assert (credit.at(WINDOW), credit.at(OTHER)) == (10.0, 20.0)
    credit.look(2_000, 4_000, 30.0, 100)
    assert (credit.at(WINDOW), credit.at(OTHER)) == (10.0, 30.0)
    credit.clear()
    assert credit.at(WINDOW) == -inf


def test_what_left_and_was_then_taken_does_not_count_twice() -> None:
    credit = CreditWaits()
    credit.begin(WINDOW, 0.0, 0)
    for second in range(1, 101):
        credit.took(WINDOW, 60, float(second), 100)
        credit.begin(WINDOW, float(second), 60 * second)
        credit.look(60 * (second - 1), 60 * second, float(second), 100)
    assert credit.at(WINDOW) == pytest.approx(60.0)
