"""A short slice of each series, the same at every run."""

import logging
from collections.abc import Iterator

import pytest

from tests.fuzz.running import NAMES, Errors, series_of

INPUTS = {"lanes": 600, "exchanges": 600}
INPUTS_ELSE = 1_500


@pytest.fixture
def errors() -> Iterator[Errors]:
    """What is logged as an error meanwhile."""
    handler = Errors()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize("name", NAMES)
def test_no_input_of_the_slice_breaks_a_law(name: str, errors: Errors) -> None:
    series = series_of(name, seed=1)
    for _ in range(INPUTS.get(name, INPUTS_ELSE)):
        series.step(errors)


def test_the_same_seed_gives_the_same_inputs() -> None:
    first, again = (series_of("requests", seed=7).mutator for _ in range(2))
    assert [first.next() for _ in range(50)] == [again.next() for _ in range(50)]
