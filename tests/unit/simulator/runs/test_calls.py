"""Calls of one request, without a network."""

from collections.abc import Callable

from simulator.runs.calls import Calls
from simulator.scenarios.scenario import ServiceCall


def call(service: str, count: int = 1, *, parallel: bool = False) -> ServiceCall:
    return ServiceCall(service=service, count=count, parallel=parallel)


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
