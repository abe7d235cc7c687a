"""Calls between services, without a network."""

from collections.abc import Callable

import pytest

from simulator.runs.calls import Calls
from simulator.scenarios.call_graph import asked_per_request, calls_of, circle
from simulator.scenarios.scenario import (
    Arrivals,
    RequestClass,
    Scenario,
    ScenarioService,
    ServiceCall,
)


def call(service: str, count: int = 1, *, parallel: bool = False) -> ServiceCall:
    return ServiceCall(service=service, count=count, parallel=parallel)


SHOP = Scenario(
    duration_s=1.0,
    sites=("a",),
    services=(
        ScenarioService(name="front", calls=(call("cart", 2), call("stock"))),
        ScenarioService(name="cart", calls=(call("database", 3),)),
        ScenarioService(name="stock", calls=(call("database"),)),
        ScenarioService(name="database"),
    ),
    arrivals=(Arrivals(site="a", service="front", kind="poisson", rate=1.0),),
)
REPORT = RequestClass(name="report", calls={"database": 10, "stock": 0})


def test_one_request_makes_those_of_all_that_it_calls() -> None:
    assert asked_per_request(SHOP, "front") == {"front": 1, "cart": 2, "stock": 1, "database": 7}


def test_a_class_calls_in_place_of_what_the_service_says() -> None:
    assert [one.service for one in calls_of(SHOP, "front", REPORT)] == ["cart"]
    assert asked_per_request(SHOP, "front", REPORT) == {"front": 1, "cart": 2, "database": 20}


@pytest.mark.parametrize(
    ("calls", "found"),
    [
        ({"a": ["b"], "b": ["c"], "c": []}, []),
        ({"a": ["b", "c"], "b": ["c"], "c": []}, []),
        ({"a": ["b"], "b": ["c"], "c": ["b"]}, ["b", "c", "b"]),
        ({"a": ["a"]}, ["a", "a"]),
    ],
)
def test_a_circle_of_calls_is_found(calls: dict[str, list[str]], found: list[str]) -> None:
    assert circle(dict(calls)) == found


class Asked:
    """Who was called, and what to tell that the call came to."""

    def __init__(self, *entries: ServiceCall) -> None:
        self.open: list[tuple[str, int, Callable[[bool], None]]] = []
        self.ended: list[bool] = []
        Calls(list(entries), lambda *told: self.open.append(told), self.ended.append)

    def answer(self, *, well: bool = True) -> str:
        service, _, done = self.open.pop(0)
        done(well)
        return service


def test_calls_follow_each_other_and_parallel_ones_are_made_at_once() -> None:
    asked = Asked(call("cart", 2), call("stock", 3, parallel=True))
    assert [asked.answer() for _ in range(2)] == ["cart", "cart"]
    assert [service for service, _, _ in asked.open] == ["stock"] * 3
    assert not asked.ended
    for _ in range(3):
        asked.answer()
    assert asked.ended == [True]


def test_each_call_has_its_number() -> None:
    asked = Asked(call("cart", 3, parallel=True))
    assert [number for _, number, _ in asked.open] == [1, 2, 3]


def test_the_first_call_that_fails_ends_it_once() -> None:
    asked = Asked(call("cart", 2, parallel=True), call("stock"))
    asked.answer(well=False)
    asked.answer(well=False)
    assert asked.ended == [False]
    assert not asked.open
