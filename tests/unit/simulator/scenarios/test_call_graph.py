"""Calls between services, as a scenario states them."""

import pytest

from simulator.scenarios.call_graph import asked_per_request, calls_of, circle
from simulator.scenarios.scenario import (
    Arrivals,
    RequestClass,
    Scenario,
    ScenarioService,
    ServiceCall,
)

SHOP = Scenario(
    duration_s=1.0,
    sites=("a",),
    services=(
        ScenarioService(
            name="front", calls=(ServiceCall(service="cart", count=2), ServiceCall(service="stock"))
        ),
        ScenarioService(name="cart", calls=(ServiceCall(service="database", count=3),)),
        ScenarioService(name="stock", calls=(ServiceCall(service="database"),)),
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
