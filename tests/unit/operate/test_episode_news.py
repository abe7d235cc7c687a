"""What is said of overflow: figures that do not seem to contradict each other."""

from msgspec.structs import replace

from router.balance.spills import LocalTargets
from router.model.events import Refusals, Spill
from router.operate.record.episode_news import (
    begun_sentence,
    ended_sentence,
    mark_sentence,
    overflow_sentence,
    refused_sentence,
)


def figures(in_flight: int, capacity: int | None) -> Spill:
    return Spill(
        began="2026-01-01T00:00:00Z",
        lasted_s=12.0,
        requests=340,
        to={"east": 300, "north": 40},
        in_flight_max=in_flight,
        capacity=capacity,
    )


def test_a_full_site_is_told_with_its_figures() -> None:
    assert overflow_sentence("shop:8080", figures(20, 20), is_end=True) == (
        "Service shop:8080 overflowed for 12 s: 340 requests, 300 to east, 40 to north; "
        "at most 20 in flight here, capacity 20."
    )
    assert overflow_sentence("shop:8080", figures(20, 20), is_end=False) == (
        "Service shop:8080 overflows: 20 in flight here, capacity 20; 300 to east, 40 to north."
    )


def test_a_mark_below_full_is_named() -> None:
    assert mark_sentence(0.8) == "Requests leave from 80% of its slots on."
    assert mark_sentence(None) == ""


def test_of_fullness_between_two_looks_it_is_said_that_the_figure_is_of_a_look() -> None:
    assert "0 in flight here when looked at, capacity 2;" in (
        overflow_sentence("shop:8080", figures(0, 2), is_end=False)
    )
    assert overflow_sentence("shop:8080", figures(1, 2), is_end=True).endswith(
        "at most 1 in flight here when looked at, capacity 2."
    )


def test_without_a_stated_capacity_there_is_nothing_to_compare_with() -> None:
    told = overflow_sentence(
        "shop:8080", figures(3, None), is_end=True, unstated=", no capacity configured"
    )
    assert told.endswith("at most 3 in flight here, no capacity configured.")


def test_while_no_target_is_ready_nothing_is_said_of_capacity() -> None:
    told = overflow_sentence("shop:8080", figures(3, None), is_end=True)
    assert told.endswith("at most 3 in flight here.")


def test_without_a_ready_target_it_is_said_who_serves_instead() -> None:
    first = "0 of 2 targets are ready here (1 ejected); other sites serve its requests"
    assert begun_sentence("shop:8080", figures(0, 2), LocalTargets(2, 0, 1)) == (
        f"Service shop:8080: {first}: 300 to east, 40 to north."
    )
    assert ended_sentence("shop:8080", figures(0, 2)) == (
        "Service shop:8080: for 12 s other sites served 340 requests because no target was ready "
        "here: 300 to east, 40 to north."
    )


def test_of_one_request_the_noun_is_singular() -> None:
    one = replace(figures(1, 1), requests=1, to={"east": 1})
    assert "served 1 request because" in ended_sentence("shop:8080", one)
    assert "12 s: 1 request, 1 to east" in overflow_sentence("shop:8080", one, is_end=True)


def test_a_target_that_is_back_when_it_is_told_is_not_said_to_be_down() -> None:
    assert "no target was ready here;" in (
        begun_sentence("shop:8080", figures(0, 2), LocalTargets(2, 1))
    )


def test_refusals_for_one_reason_in_other_words_are_one() -> None:
    figures = Refusals(
        began="2026-01-01T00:00:00Z",
        lasted_s=0.0,
        requests=172,
        reasons={"no-target": 171, "no-route": 1},
        in_flight_max=0,
        capacity=None,
    )
    told = refused_sentence("shop:8080", figures, is_end=False)
    assert (
        "refuses requests: 172 found no ready target at any site that may serve them; 0 in flight"
        in told
    )


def test_refusals_are_told_with_their_reasons() -> None:
    figures = Refusals(
        began="2026-01-01T00:00:00Z",
        lasted_s=34.0,
        requests=340,
        reasons={"all-full": 300, "no-route": 40},
        in_flight_max=2,
        capacity=2,
    )
    reasons = (
        "300 found every site that may serve them full, "
        "40 found no ready target at any site that may serve them"
    )
    assert refused_sentence("shop:8080", figures, is_end=False) == (
        f"Service shop:8080 refuses requests: {reasons}; 2 in flight here, capacity 2."
    )
    assert refused_sentence("shop:8080", figures, is_end=True) == (
        f"Service shop:8080 refused 340 requests within 34 s: {reasons}; "
        "at most 2 in flight here, capacity 2."
    )
