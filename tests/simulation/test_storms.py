"""Aborts at any moment by client, target, link and operator: everything is idle afterwards.

Tens of thousands of rounds by hand: ``python -m tests.simulation.storm --rounds 20000``.
"""

import pytest

from tests.examples import seeds
from tests.simulation.storm import Storm

ROUNDS = 25
# test_states.py plays the first four, with every state watched.
SEEDS = seeds(4, first=4)


@pytest.mark.parametrize("seed", SEEDS)
def test_after_aborts_at_any_moment_everything_is_at_rest(seed: int) -> None:
    storm = Storm(seed)
    for number in range(ROUNDS):
        assert storm.round() == [], f"round {number}"
