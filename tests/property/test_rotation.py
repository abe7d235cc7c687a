"""Turns: the one that is shown is the one that is taken, and each gets its weight's share."""

from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st

from router.balance.targets.rotation import next_in_turn, take_turn


class Place:
    def __init__(self, weight: int, turn: int = 0) -> None:
        self.weight = weight
        self.turn = turn


PLACES = st.lists(st.tuples(st.integers(1, 9), st.integers(-30, 30)), min_size=1, max_size=6)


@given(places=PLACES)
@example(places=[(1, 0), (1, 0)])
@example(places=[(2, 1), (1, 2), (3, 0)])
def test_the_turn_is_of_the_one_that_is_owed_most_and_the_first_of_equals(
    places: list[tuple[int, int]],
) -> None:
    tied = [Place(weight, turn) for weight, turn in places]
    total = sum(weight for weight, _ in places)
    bound = total * len(tied)
    wanted = max(tied, key=lambda one: one.turn + one.weight)
    grown = [max(-bound, min(one.turn + one.weight, bound)) for one in tied]
    assert next_in_turn(tied) is wanted
    assert [(one.weight, one.turn) for one in tied] == places, "looking takes no turn"
    assert take_turn(tied) is wanted
    if len(tied) > 1:
        grown[tied.index(wanted)] -= total
        assert [one.turn for one in tied] == grown


@given(weights=st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_in_one_round_each_has_its_weight_and_no_turn_is_owed_after_it(weights: list[int]) -> None:
    tied = [Place(weight) for weight in weights]
    taken = Counter(tied.index(take_turn(tied)) for _ in range(sum(weights)))
    assert [taken[number] for number in range(len(weights))] == weights
    assert {one.turn for one in tied} == {0}
