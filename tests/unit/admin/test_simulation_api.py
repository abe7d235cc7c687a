"""`/api/v1/simulate` and `/api/v1/what-if` over HTTP; the process that runs them is a stand-in."""

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import msgspec
import pytest

from router.admin.connections import application
from router.admin.endpoints.simulation import (
    Ran,
    RunFailed,
    ScenarioFinding,
    SimulationApi,
    SimulationBusy,
    SimulationOrder,
)
from router.admin.ports import RouterView
from router.admin.views.history import ServiceHistory
from router.model import limits
from simulator.__main__ import RunOrder as Ordered
from simulator.__main__ import answer
from tests.unit.admin.asked import asked
from tests.unit.admin.test_what_if import known


class View:
    """What the routes read of a router."""

    def services(self) -> Any:
        return [known().service]

    def links(self) -> Any:
        return known().links

    def network(self) -> Any:
        return known().network


class Runner:
    """Records the orders. Without a fixed answer it asks the simulator in this process."""

    def __init__(self, answer: Ran | Exception | None = None) -> None:
        self.orders: list[SimulationOrder] = []
        self._answer = answer

    async def run(self, order: SimulationOrder) -> Ran:
        self.orders.append(order)
        if isinstance(self._answer, Exception):
            raise self._answer
        if self._answer is not None:
            return self._answer
        ordered = msgspec.convert(msgspec.to_builtins(order), Ordered)
        return msgspec.json.decode(msgspec.json.encode(answer(ordered)), type=Ran)


def post(
    runner: Runner, path: str, body: bytes, *, recorded: bool = True, declared_at: str = ""
) -> tuple[int, dict[str, Any], str]:
    """Status, body and Retry-After of the answer."""

    async def histories(name: str | None, port: int | None) -> Iterator[ServiceHistory]:
        is_it = recorded and (name, port) == ("shop", 8080)
        return iter([known().history] if is_it else [])

    async def story() -> tuple[int, dict[str, Any], str]:
        app = application()
        view = cast(RouterView, View())
        SimulationApi(runner, view, histories, lambda name: declared_at).add_to(app.router)
        async with asked(app) as client:
            response = await client.post(path, data=body)
            return response.status, await response.json(), response.headers.get("Retry-After", "")

    return asyncio.run(story())


def test_a_scenario_goes_to_the_runner_as_it_is_and_its_outcomes_come_back_whole() -> None:
    runner = Runner(Ran(outcomes=[msgspec.Raw(b'{"figure":0.1}')]))
    status, body, _ = post(runner, "/api/v1/simulate", b"kind: Scenario")
    assert status == 200
    assert body["kind"] == "Simulation"
    assert body["items"] == [{"figure": 0.1}]
    assert runner.orders == [
        SimulationOrder(scenarios=("kind: Scenario",), requests_max=limits.SIMULATION_REQUESTS_MAX)
    ]


def test_all_that_is_wrong_with_a_scenario_is_told_at_once() -> None:
    found = [
        ScenarioFinding(6, 11, "SW0720", "no number", "20"),
        ScenarioFinding(9, 1, "SW0721", "no site", ""),
    ]
    status, body, _ = post(Runner(Ran(errors=found)), "/api/v1/simulate", b"x")
    assert status == 422
    assert body["message"].splitlines() == ["6:11: SW0720 no number", "9:1: SW0721 no site"]
    assert body["hint"] == "20"


@pytest.mark.parametrize("more, status", [(0, 200), (1, 413)])
def test_a_scenario_may_be_so_long_and_no_longer(more: int, status: int) -> None:
    runner = Runner(Ran())
    body = b"#" * (limits.SIMULATION_TEXT_BYTES_MAX + more)
    assert post(runner, "/api/v1/simulate", body)[0] == status
    assert len(runner.orders) == (status == 200)


def test_what_is_no_text_is_no_scenario() -> None:
    status, body, _ = post(Runner(), "/api/v1/simulate", b"\xff")
    assert (status, body["code"]) == (400, "bad-scenario")


@pytest.mark.parametrize(
    "path, asked", [("/api/v1/simulate", b"x"), ("/api/v1/what-if", b'{"service":"shop"}')]
)
def test_who_comes_second_is_told_when_to_come_again(path: str, asked: bytes) -> None:
    status, body, again = post(Runner(SimulationBusy()), path, asked)
    assert (status, body["code"], body["retryable"]) == (429, "busy", True)
    assert again == f"{limits.SIMULATION_AGAIN_S:g}"


def test_a_run_that_gave_no_answer_is_told_with_its_reason() -> None:
    status, body, _ = post(Runner(RunFailed("it took too long")), "/api/v1/simulate", b"x")
    assert (status, body["code"]) == (503, "simulation-failed")
    assert "it took too long" in body["message"]


def test_a_what_if_puts_current_and_proposed_side_by_side() -> None:
    runner = Runner()
    asked = b'{"service":"shop","port":8080,"capacity":{"onprem":40}}'
    status, body, _ = post(runner, "/api/v1/what-if", asked)
    assert status == 200
    assert body["kind"] == "WhatIf"
    assert body["item"]["current"]["overflow"] > body["item"]["proposed"]["overflow"] == 0
    (step,) = body["item"]["commands"]
    assert step["command"] == "sitectl service set shop --capacity 20"
    (order,) = runner.orders
    assert len(order.scenarios) == 2
    assert not order.rivals


@pytest.mark.parametrize(
    "asked, status, code",
    [
        (b"{", 400, "bad-request"),
        (b"[" * 100_000, 400, "bad-request"),
        (b'{"service":"shop","apply":true}', 400, "bad-request"),
        (b'{"service":"shop","capacity":{"onprem":"many"}}', 400, "bad-request"),
        (b'{"service":"shoe"}', 404, "not-found"),
        (b'{"service":"shop","port":1}', 404, "not-found"),
        (b'{"service":"shop","capacity":{"onprem":0}}', 422, "bad-what-if"),
        (b'{"service":"\xff"}', 400, "bad-request"),
        (b'{"service":"shop","policy":"split"}', 422, "bad-what-if"),
    ],
)
def test_a_question_that_cannot_be_answered_runs_nothing(
    asked: bytes, status: int, code: str
) -> None:
    runner = Runner()
    found, body, _ = post(runner, "/api/v1/what-if", asked)
    assert (found, body["code"]) == (status, code)
    assert runner.orders == []


def test_without_a_record_there_is_no_what_if() -> None:
    status, body, _ = post(Runner(), "/api/v1/what-if", b'{"service":"shop"}', recorded=False)
    assert (status, body["code"]) == (409, "nothing-recorded")


def test_half_a_run_is_no_ground_to_compare() -> None:
    half = msgspec.json.encode({"interrupted": True, "sites": []})
    runner = Runner(Ran(outcomes=[msgspec.Raw(half), msgspec.Raw(half)]))
    status, body, _ = post(runner, "/api/v1/what-if", b'{"service":"shop"}')
    assert (status, body["code"]) == (503, "simulation-failed")
