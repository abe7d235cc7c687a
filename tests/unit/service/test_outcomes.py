"""Each end of an exchange counts for or against its target, and some ends eject it."""

from typing import get_args

import pytest

from router.http.http2.grpc_status import StatusOfGrpc
from router.model import limits
from router.model.settings import EjectOn, Health
from router.service.ports import LegCode, TargetConfig
from router.service.targets.health import HealthChecks
from router.service.targets.outcomes import Outcomes
from tests.unit.exchange.fakes import FakeNetwork

TARGET, OTHER = "10.0.0.1:80", "10.0.0.2:80"


class Checks(HealthChecks):
    """All targets are good, until one is put out."""

    def __init__(self) -> None:
        self.ejected: dict[str, str] = {}
        self.refused: list[str] = []

    def is_ready(self, target: str) -> bool:
        return target not in self.ejected

    def eject(self, target: str, seconds: float, reason: str) -> None:
        self.ejected[target] = reason

    def connect_failed(self, target: str, reason: str) -> None:
        self.refused.append(target)


class World:
    """Two targets; one failure puts one out."""

    def __init__(self, eject_on: EjectOn = "gateway", after: int = 1) -> None:
        self.network = FakeNetwork()
        self.health = Checks()
        self.outcomes = Outcomes(self.health, self.network, lambda: 0.5, lambda: True)
        health = Health(eject_after=after, eject_on=eject_on)
        config = TargetConfig(connector="main", health=health)
        self.outcomes.set_targets({TARGET: config, OTHER: config})

    def is_out(self) -> bool:
        return TARGET in self.health.ejected


GATEWAY = {502, 503, 504}
OF_GRPC = {503, 504}


@pytest.mark.parametrize("is_grpc", [False, True])
@pytest.mark.parametrize("eject_on", get_args(EjectOn))
@pytest.mark.parametrize("status", [101, 200, 404, 499, 500, 501, 502, 503, 504, 599, 600])
def test_answers_of_5xx_are_counted_and_those_that_say_it_cannot_serve_put_it_out(
    status: int, eject_on: EjectOn, is_grpc: bool
) -> None:
    world = World(eject_on)
    world.outcomes.completed(TARGET, StatusOfGrpc(status) if is_grpc else status, 0)
    is_error = 500 <= status < 600
    assert world.outcomes.errors == ({TARGET: 1} if is_error else {})
    ejects = status in (OF_GRPC if is_grpc else GATEWAY) or (eject_on == "5xx" and is_error)
    assert world.is_out() == ejects
    assert not world.outcomes.breaks


@pytest.mark.parametrize("code", get_args(LegCode))
def test_an_exchange_that_breaks_by_the_targets_fault_is_counted_and_puts_it_out(
    code: LegCode,
) -> None:
    world = World()
    world.outcomes.broke_off(TARGET, code, 0)
    is_break = code in {"target-reset", "target-timeout", "bad-response"}
    assert (world.outcomes.breaks, world.is_out()) == ({TARGET: 1} if is_break else {}, is_break)


@pytest.mark.parametrize("how", ["connect", "refused"])
def test_a_target_that_refuses_is_put_out(how: str) -> None:
    world = World()
    if how == "connect":
        world.outcomes.connect_failed(TARGET, "refused", 0)
    else:
        world.outcomes.refused(TARGET, 0)
    assert world.is_out()
    assert world.health.refused == ([TARGET] if how == "connect" else [])
    assert not world.outcomes.breaks and not world.outcomes.errors


@pytest.mark.parametrize("status", [200, 404, 499, 500])
def test_each_answer_that_is_no_failure_begins_the_row_again(status: int) -> None:
    world = World(after=2)
    for _ in range(5):
        world.outcomes.completed(TARGET, 503, 0)
        assert not world.is_out()
        for _ in range(3):  # Else more than half of the answers fail.
            world.outcomes.completed(TARGET, status, 0)
    assert world.outcomes.errors == {TARGET: 5 + 15 * (status == 500)}
    for _ in range(2):
        world.outcomes.completed(TARGET, 503, 0)
    assert world.is_out()


def test_what_began_before_a_target_came_back_says_nothing_of_it() -> None:
    world = World()
    outcomes = world.outcomes
    outcomes.returned(TARGET)
    assert outcomes.era == 0, "nothing was known against it"
    outcomes.completed(TARGET, 503, 0)
    assert world.is_out()
    world.health.ejected.clear()
    outcomes.returned(TARGET)
    assert outcomes.era == 1
    outcomes.completed(TARGET, 503, 0)
    assert not world.is_out()
    outcomes.completed(OTHER, 503, 0)
    assert OTHER in world.health.ejected, "it was never out"
    outcomes.completed(TARGET, 503, 1)
    assert world.is_out()


def test_what_began_after_a_target_came_back_clears_it_whichever_came_back_since() -> None:
    world = World()
    outcomes = world.outcomes
    for target in (TARGET, OTHER):
        outcomes.completed(target, 503, 0)
        world.health.ejected.clear()
        outcomes.returned(target)
    assert outcomes.era == 2
    for began_in in (0, 1, 2):
        world.network.time += 2 * limits.EJECT_FORGET_S
        outcomes.completed(TARGET, 200, began_in)
        assert (TARGET in outcomes.suspects) == (began_in == 0)
    outcomes.completed(TARGET, 503, 2)
    assert world.is_out()


def test_of_a_target_that_is_removed_or_down_nothing_is_kept_or_said() -> None:
    world = World()
    outcomes = world.outcomes
    outcomes.completed(TARGET, 500, 0)
    outcomes.broke_off(TARGET, "target-reset", 0)
    outcomes.completed(OTHER, 500, 0)
    config = TargetConfig(connector="main", health=Health(eject_after=1))
    outcomes.set_targets({OTHER: config})
    assert (outcomes.errors, outcomes.breaks, list(outcomes.suspects)) == ({OTHER: 1}, {}, [])
    outcomes.completed(TARGET, 500, 0)
    outcomes.broke_off(TARGET, "target-reset", 0)
    assert (outcomes.errors, outcomes.breaks, list(outcomes.suspects)) == ({OTHER: 1}, {}, [])
