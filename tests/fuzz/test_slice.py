"""A short slice of each series, the same at every run."""

import logging
from collections.abc import Iterator
from random import Random

import pytest

from tests.fuzz.http import fuzz_responses
from tests.fuzz.mutation import Mutator
from tests.fuzz.running import NAMES, Errors, series_of

INPUTS = {"lanes": 600, "exchanges": 600}
INPUTS_ELSE = 1_500


@pytest.fixture
def errors() -> Iterator[Errors]:
    """Errors that are logged meanwhile."""
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


class Unchanged(Mutator):
    """Its seeds as they are."""

    def next(self) -> bytes:
        return self.seed()


@pytest.mark.parametrize(
    "interim", (b"100 Continue\r\nConnection: close", b"106 Early Hints\r\nContent-Length: 5")
)
def test_what_an_interim_head_declares_is_not_of_the_final_response(interim: bytes) -> None:
    final = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    response = b"HTTP/1.1 " + interim + b"\r\n\r\n" + final
    for seed in range(5):
        fuzz_responses(Unchanged(Random(seed), [response], [b"\r\n"]))
