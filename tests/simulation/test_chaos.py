"""Random networks under random faults: what must hold whatever happens, seed by seed."""

import pytest

from tests.examples import seeds
from tests.simulation.chaos import play

SEEDS = (*seeds(20), 315)
"""The last: load reports of a former life were believed."""


@pytest.mark.parametrize("seed", SEEDS)
def test_after_any_faults_routes_are_right_slots_are_free_and_requests_are_served(
    seed: int,
) -> None:
    play(seed)
