"""What is said of overflow: figures that do not seem to contradict each other."""

from router.main.overflow_news import sentence
from router.model.events import Overflow


def figures(in_flight: int, capacity: int | None) -> Overflow:
    return Overflow(
        began="2026-01-01T00:00:00Z",
        lasted_s=12.0,
        requests=340,
        to={"east": 300, "north": 40},
        in_flight_max=in_flight,
        capacity=capacity,
    )


def test_a_full_site_is_told_with_its_figures() -> None:
    assert sentence("shop:8080", figures(20, 20), is_end=True) == (
        "Service shop:8080 overflowed for 12 s: 340 requests, 300 to east, 40 to north; "
        "at most 20 in flight here, capacity 20."
    )
    assert sentence("shop:8080", figures(20, 20), is_end=False) == (
        "Service shop:8080 overflows: 20 in flight here, capacity 20; 300 to east, 40 to north."
    )


def test_of_fullness_between_two_looks_it_is_said_that_the_figure_is_of_a_look() -> None:
    assert "0 in flight here when looked at, capacity 2;" in (
        sentence("shop:8080", figures(0, 2), is_end=False)
    )
    assert sentence("shop:8080", figures(1, 2), is_end=True).endswith(
        "at most 1 in flight here when looked at, capacity 2."
    )


def test_without_a_stated_capacity_there_is_nothing_to_compare_with() -> None:
    assert sentence("shop:8080", figures(3, None), is_end=True).endswith(
        "at most 3 in flight here, no capacity stated."
    )
