"""Ends of connections to a tcp target, and the target's outcome for each."""

import pytest

from router.model import limits
from router.model.ids import ServiceKey
from router.model.requests import Request
from router.net.ports import Loss
from router.service.ports import TargetConfig
from router.service.targets.target_answers import TargetAnswers
from router.service.targets.target_tcp import TcpWay
from router.service.targets.ways import Way
from tests.unit.exchange.fakes_http import FakeNetwork
from tests.unit.exchange.taken import RecordingTaker

SOON_S = limits.EJECT_TCP_RESET_S
RESET = "target-reset"


class World:
    """One connection to a target."""

    def __init__(self) -> None:
        self.network = FakeNetwork()
        self.answers = TargetAnswers()
        config = TargetConfig(connector="main")
        way: Way = TcpWay(self.network, "10.0.0.1:80", config, None, 1.0, self.answers)
        self.taker = RecordingTaker()
        request = Request(key=ServiceKey("db", 1), protocol="tcp")
        assert way.take(request, self.taker, from_client=True) is None
        way.dial(request, self.taker, from_client=True)
        self.connection = self.network.connect()
        assert way.shed_idle() == 0, "none is kept"

    def play(self, steps: str) -> None:
        """Letter by letter: a client Sends, Finishes or Aborts, a target Answers or Ends."""
        for step in steps:
            if step == "S":
                self.taker.send(b"question")
            elif step == "F":
                self.taker.finish()
            elif step == "A":
                self.taker.abort()
            elif step == "a":
                self.connection.deliver(b"answer")
            else:
                self.connection.end()
        self.network.turn()


@pytest.mark.parametrize(
    ("steps", "after_s", "code", "blames"),
    [
        ("S", 0.0, RESET, True),
        ("S", SOON_S / 2, RESET, True),
        ("S", SOON_S, RESET, True),
        ("S", SOON_S + 0.1, RESET, False),
        ("Sa", 0.0, RESET, False),
        ("Saa", 0.0, RESET, False),
        ("SE", 0.0, RESET, False),
        ("SF", 0.0, RESET, True),
        ("SaF", 0.0, "client-gone", False),
        ("SF", SOON_S + 0.1, RESET, False),
    ],
)
def test_a_reset_speaks_against_a_target_if_it_comes_soon_and_before_a_byte(
    steps: str, after_s: float, code: str, blames: bool
) -> None:
    world = World()
    world.play(steps)
    world.network.advance(after_s)
    world.connection.lose(Loss("reset"))
    assert world.taker.last() == ("done", code)
    assert world.taker.blames_target == blames
    assert world.answers.answered == (1 if "a" in steps else 0)
    assert world.answers.silent == 0, "the target ended it"


def test_a_connection_that_both_ends_finish_is_complete() -> None:
    world = World()
    world.play("SaEF")
    assert world.taker.last() == ("done", None)


@pytest.mark.parametrize(
    ("steps", "after_s", "silent"),
    [
        ("S", limits.SILENT_WAIT_S, 1),
        ("S", limits.SILENT_WAIT_S - 0.1, 0),
        ("", limits.SILENT_WAIT_S, 0),
        ("Sa", limits.SILENT_WAIT_S, 0),
        ("SE", limits.SILENT_WAIT_S, 0),
    ],
)
def test_a_target_was_silent_if_a_client_asked_and_waited_in_vain(
    steps: str, after_s: float, silent: int
) -> None:
    world = World()
    world.play(steps)
    world.network.advance(after_s)
    world.play("A")
    assert world.taker.last() == ("done", "cancelled")
    assert world.answers.silent == silent


def test_a_target_that_answered_another_client_meanwhile_was_not_silent() -> None:
    world = World()
    world.play("S")
    world.network.advance(limits.SILENT_WAIT_S)
    world.answers.answered += 1
    world.play("A")
    assert world.answers.silent == 0
