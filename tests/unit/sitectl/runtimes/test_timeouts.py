"""`--timeout`: commands that wait for a router that is mute end when they say."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from sitectl.runtimes import presence
from sitectl.site.admin import CALL_TIMEOUT_S
from tests.scenario.waiting import own_time
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FAKE_ROUTER
from tests.unit.sitectl.runtimes.test_process import plays

ASKED_S = 0.3
MOST_S = 2.0
"""Far less than `CALL_TIMEOUT_S`, and time for a busy machine."""
assert MOST_S < CALL_TIMEOUT_S


@pytest.fixture
def mute(here: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    """A command line over a site whose router is there and says nothing."""
    plays(monkeypatch, FAKE_ROUTER)
    here.ok("start")
    pid = int((here.state / "here" / "run" / "lock").read_text())
    os.kill(pid, signal.SIGSTOP)
    yield here
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("status",), 8, "did not answer within 0.3 s"),
        (("health",), 8, "did not answer within 0.3 s"),
        (("start",), 6, "is not ready after 0.3 s"),
    ],
    ids=lambda one: one[0] if isinstance(one, tuple) else "",
)
def test_a_mute_router_is_waited_for_as_long_as_timeout_says(
    mute: CommandLine, words: tuple[str, ...], code: int, said: str
) -> None:
    began = own_time()
    done = mute("--timeout", str(ASKED_S), *words)
    assert own_time() - began < MOST_S
    assert done.exit_code == code, done.output
    assert said in done.stderr


def test_a_wait_ends_with_its_time_however_seldom_it_asks() -> None:
    asked: list[float] = []

    def never() -> bool:
        asked.append(time.monotonic())
        return False

    began, own = time.monotonic(), own_time()
    assert not presence.wait_until(never, ASKED_S, poll_s=60.0)
    assert own_time() - own < MOST_S
    assert len(asked) == 2 and asked[1] - began >= ASKED_S, "once more when time is up"


def test_a_wait_that_is_over_asks_once() -> None:
    assert presence.wait_until(lambda: True, 0.0)
    assert not presence.wait_until(lambda: False, 0.0)
