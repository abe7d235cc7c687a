"""The service of a new connection at a shared listener: in order, or drawn by weight."""

from collections import Counter
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from router.model.ids import ServiceKey
from router.model.service_choice import ServiceChoice

A, B, C = (ServiceKey(name, 1) for name in "abc")
KEYS = st.sets(st.sampled_from((A, B, C)))


def never() -> float:
    raise AssertionError("nothing is drawn where an order says who is next")


def drawing(at: float) -> Callable[[], float]:
    return lambda: at


def test_by_priority_the_first_that_is_served_gets_all() -> None:
    choice = ServiceChoice((A, B, C))
    assert choice.choose({A, B, C}.__contains__, never) == A
    assert choice.choose({B, C}.__contains__, never) == B
    assert choice.choose({C}.__contains__, never) == C


def test_while_none_is_served_the_first_is_asked() -> None:
    assert ServiceChoice((A, B)).choose(set[ServiceKey]().__contains__, never) == A
    assert ServiceChoice((A, B), (1, 2)).choose(set[ServiceKey]().__contains__, drawing(0.5)) == A


def test_by_weight_each_gets_its_share_of_those_that_are_served() -> None:
    choice = ServiceChoice((A, B, C), (3, 1, 0))
    drawn = [number / 1000 for number in range(1000)]
    found = Counter(choice.choose({A, B, C}.__contains__, drawing(at)) for at in drawn)
    assert found == {A: 750, B: 250}
    left = Counter(choice.choose({B, C}.__contains__, drawing(at)) for at in drawn)
    assert left == {B: 1000}, "weight 0 gets nothing, not even beside one that is not served"


def test_without_a_weighted_service_that_is_served_the_first_with_a_weight_is_asked() -> None:
    choice = ServiceChoice((A, B, C), (0, 1, 1))
    assert choice.choose({A}.__contains__, drawing(0.5)) == B, "weight 0 gets nothing"


@given(
    served=KEYS,
    weights=st.tuples(*[st.integers(0, 1_000_000)] * 3),
    draw=st.floats(0, 1, exclude_max=True),
)
def test_no_connection_goes_to_a_service_that_has_no_target_while_another_has_one(
    served: set[ServiceKey], weights: tuple[int, int, int], draw: float
) -> None:
    by_weight = ServiceChoice((A, B, C), weights).choose(served.__contains__, drawing(draw))
    able = {key for key, weight in zip((A, B, C), weights, strict=True) if weight and key in served}
    weighted = [key for key, weight in zip((A, B, C), weights, strict=True) if weight]
    assert by_weight in (able or {*weighted[:1]} or {A})
    by_order = ServiceChoice((A, B, C)).choose(served.__contains__, drawing(draw))
    assert by_order in (served or {A})
