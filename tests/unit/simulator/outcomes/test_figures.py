"""Figures of a run."""

from simulator.outcomes.figures import percentile


def test_a_percentile_is_the_value_below_which_that_share_lies() -> None:
    hundred = [float(number) for number in range(100)]
    assert percentile(hundred, 0.5) == 50.0
    assert percentile(hundred, 0.99) == 99.0
    assert percentile([7.0], 0.99) == 7.0
    assert percentile([], 0.5) is None
