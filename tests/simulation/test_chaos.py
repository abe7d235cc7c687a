"""Random networks under random faults: what must hold whatever happens, seed by seed."""

import pytest

from tests.simulation.chaos import play


@pytest.mark.parametrize("seed", range(20))
def test_after_any_faults_routes_are_right_slots_are_free_and_requests_are_served(
    seed: int,
) -> None:
    play(seed)
