"""Commands that hang, print for ever, or leave others behind: ended in time, told in a line."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from router.control.bursts import Firing, HookOutcome, command
from router.documents.templates import NAMES
from tests.scenario.harness import is_alive
from tests.scenario.waiting import own_time

FIRING = Firing(
    id="id-1",
    event="saturated",
    is_test=False,
    values=dict.fromkeys(NAMES, "x") | {"site": "a b;c"},
)

STUBBORN = (
    "import os, signal, time\n"
    "def stay(*_):\n"
    "    open('new', 'w').write(str(os.getpid()))\n"
    "    os.rename('new', 'told')\n"
    "signal.signal(signal.SIGTERM, stay)\n"
    "while True: time.sleep(60)\n"
)


def ran(*words: str, timeout_s: float = 5.0, directory: Path = Path("/")) -> HookOutcome:
    return asyncio.run(command.run(words, FIRING, timeout_s, directory))


def test_what_is_put_in_is_one_word_and_no_shell_reads_it() -> None:
    outcome = ran("/bin/echo", "{{site}}", "$(id)")
    assert outcome == HookOutcome(ok=True, text="a b;c $(id)")


def test_one_that_prints_for_ever_costs_little_and_is_ended() -> None:
    before = time.process_time()
    outcome = ran("/usr/bin/yes", timeout_s=2.0)
    used_s = time.process_time() - before
    assert not outcome.ok
    assert outcome.text.startswith("was ended after 2 s, having said: y y y")
    assert used_s < 0.5


def test_a_child_that_ignores_sigterm_and_holds_the_pipe_is_ended_with_its_group(
    tmp_path: Path,
) -> None:
    program = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "open('pid', 'w').write(str(os.getpid()))\n"
        "time.sleep(60)\n"
    )
    (tmp_path / "child.py").write_text(program)
    script = f"{sys.executable} child.py & while [ ! -s pid ]; do sleep 0.05; done; sleep 60"
    outcome = ran("/bin/sh", "-c", script, timeout_s=4.0, directory=tmp_path)
    assert outcome.text == "was ended after 4 s"
    child = int((tmp_path / "pid").read_text())
    deadline = own_time() + 5.0
    while is_alive(child):
        assert own_time() < deadline, "the child of an ended hook runs on"
        os.sched_yield()


def test_one_that_ends_while_its_child_holds_the_pipe_has_ended() -> None:
    began = own_time()
    outcome = ran("/bin/sh", "-c", "sleep 3 & echo done")
    assert outcome == HookOutcome(ok=True, text="done")
    assert own_time() - began < 2.5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("/no/such/{{site}}",), "/no/such/a b;c cannot be run: No such file or directory"),
        (("/bin/echo", "a\x00b"), "/bin/echo cannot be run: embedded null byte"),
        (("/etc/passwd",), "/etc/passwd cannot be run: Permission denied"),
        (("/bin/sh", "-c", "kill -9 $$"), "ended by signal 9"),
        (("/bin/sh", "-c", "printf '\\033[2Jx' >&2; exit 3"), "exit 3: ?[2Jx"),
        (("/bin/echo", "x" * 3_000_000), "/bin/echo cannot be run: Argument list too long"),
    ],
)
def test_what_cannot_be_run_or_fails_is_told(words: tuple[str, ...], said: str) -> None:
    outcome = ran(*words)
    assert (outcome.ok, outcome.text) == (False, said)


def is_gone(told: Path) -> bool:
    """Nothing is left of the process that wrote its number: it was waited for, too."""
    return not Path("/proc", told.read_text().strip()).exists()


async def until(true: Callable[[], bool], what: str) -> None:
    deadline = own_time() + 10
    while not true():
        assert own_time() < deadline, what
        await asyncio.sleep(0.01)


def test_a_run_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    begun = tmp_path / "begun"

    async def cancelled() -> None:
        words = ("/bin/sh", "-c", f"echo $$ > {begun}.new; mv {begun}.new {begun}; sleep 60")
        async with asyncio.TaskGroup() as tasks:
            run = tasks.create_task(command.run(words, FIRING, 60.0, tmp_path))
            await until(begun.is_file, "it runs")
            run.cancel()
        assert run.cancelled()
        assert is_gone(begun)

    asyncio.run(cancelled())


def test_a_run_that_is_cancelled_while_its_command_is_being_ended_leaves_nothing(
    tmp_path: Path,
) -> None:
    told = tmp_path / "told"

    async def cancelled_in_its_grace() -> None:
        words = (sys.executable, "-c", STUBBORN)
        async with asyncio.TaskGroup() as tasks:
            run = tasks.create_task(command.run(words, FIRING, 1.0, tmp_path))
            await until(told.is_file, "it was told to end")
            run.cancel()
        assert run.cancelled()
        assert is_gone(told)

    try:
        asyncio.run(cancelled_in_its_grace())
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(told.read_text()), signal.SIGKILL)
