"""Scenarios beside the router: a separate process, one at a time, low priority, ended in time."""

import asyncio
import functools
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, ParamSpec

import pytest

from router.admin.endpoints.simulation import RunFailed, SimulationBusy, SimulationOrder
from router.model import limits
from router.operate.simulation_process import SimulationProcess

ROOT = Path(__file__).resolve().parents[3]
BURST = (ROOT / "examples" / "burst.yaml").read_text()
P = ParamSpec("P")
ORDER = SimulationOrder(scenarios=(BURST,), requests_max=1_000, rivals=False)


def looped(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run the test in a separate event loop."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


def said(source: str) -> SimulationProcess:
    """In place of the simulator, a process of ``source``."""
    return SimulationProcess((sys.executable, "-c", source))


def shell(script: str) -> SimulationProcess:
    """A shell, for what must have begun within a time: of all of these it starts the soonest."""
    return SimulationProcess(("/bin/sh", "-c", script))


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulator comes after everything else, and so after other tests, too."""
    monkeypatch.setattr(limits, "SIMULATION_S", 300.0)


@pytest.mark.usefixtures("unhurried")
@looped
async def test_a_scenario_is_run_and_its_figures_come_back_whole() -> None:
    ran = await SimulationProcess().run(ORDER)
    assert ran.errors == []
    assert b'"scenario":"burst"' in bytes(ran.outcomes[0])


@pytest.mark.usefixtures("unhurried")
@looped
async def test_what_is_wrong_with_a_scenario_comes_back_too() -> None:
    ran = await SimulationProcess().run(SimulationOrder(scenarios=("kind: [",), requests_max=1))
    assert ran.outcomes == []
    assert ran.errors


@pytest.mark.usefixtures("unhurried")
@looped
async def test_a_second_order_is_refused_while_the_first_runs_and_taken_after_it() -> None:
    simulating = SimulationProcess()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(simulating.run(ORDER))
        await asyncio.sleep(0)
        with pytest.raises(SimulationBusy):
            await simulating.run(ORDER)
    assert first.result().outcomes
    assert (await simulating.run(ORDER)).outcomes


@looped
async def test_it_comes_after_everything_else_and_dies_first() -> None:
    source = (
        "import os, resource, sys, json; sys.stdin.read();"
        "own = [os.getpriority(os.PRIO_PROCESS, 0), resource.getrlimit(resource.RLIMIT_AS)[0],"
        "resource.getrlimit(resource.RLIMIT_CPU)[0], int(open('/proc/self/oom_score_adj').read())];"
        "print(json.dumps({'outcomes': own}))"
    )
    before = os.getpriority(os.PRIO_PROCESS, 0), resource.getrlimit(resource.RLIMIT_AS)
    ran = await said(source).run(ORDER)
    assert list(map(bytes, ran.outcomes)) == [
        b"%d" % max(10, before[0]),
        b"%d" % limits.SIMULATION_MEMORY_BYTES_MAX,
        b"%d" % (2 * limits.SIMULATION_S),
        b"1000",
    ]
    assert (os.getpriority(os.PRIO_PROCESS, 0), resource.getrlimit(resource.RLIMIT_AS)) == before


def test_a_router_that_is_humble_itself_limits_it_all_the_same() -> None:
    """A niceness may only grow without a permission, and a limit only fall."""
    most = limits.SIMULATION_MEMORY_BYTES_MAX // 2
    inner = (
        "import os, resource, sys, json; sys.stdin.read();"
        "print(json.dumps({'outcomes': [os.getpriority(os.PRIO_PROCESS, 0),"
        "*resource.getrlimit(resource.RLIMIT_AS), resource.getrlimit(resource.RLIMIT_CPU)[0],"
        "int(open('/proc/self/oom_score_adj').read())]}))"
    )
    outer = (
        "import asyncio, ctypes, os, resource, sys\n"
        "from router.admin.endpoints.simulation import SimulationOrder\n"
        "from router.operate.simulation_process import SimulationProcess\n"
        "os.nice(19)\n"
        f"resource.setrlimit(resource.RLIMIT_AS, ({most}, {most}))\n"
        "if os.getuid() == 0: os.setresuid(65534, 65534, 65534)\n"
        # PR_SET_DUMPABLE, which a process that starts as this user has. Without it /proc shows its
        # children as root's until they execute their program.
        "ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)\n"
        f"simulating = SimulationProcess(('/usr/bin/env', 'python3', '-c', {inner!r}))\n"
        "order = SimulationOrder(scenarios=(), requests_max=1)\n"
        "print(*(bytes(one).decode() for one in asyncio.run(simulating.run(order)).outcomes))\n"
    )
    done = subprocess.run([sys.executable, "-c", outer], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split() == [
        *("19", str(most), str(most), str(int(2 * limits.SIMULATION_S)), "1000")
    ], done.stderr


@looped
async def test_it_finds_nothing_of_our_environment_that_may_be_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_ROUTER", "x")
    source = (
        "import os, sys, json; sys.stdin.read(); print(json.dumps({'notes': list(os.environ)}))"
    )
    ran = await said(source).run(ORDER)
    assert "PATH" in ran.notes
    assert "SECRET_OF_THE_ROUTER" not in ran.notes


@looped
async def test_a_process_that_dies_is_an_error_and_the_next_order_is_taken() -> None:
    simulating = said("import sys; sys.exit(3)")
    for _ in range(2):
        with pytest.raises(RunFailed, match="exit 3"):
            await simulating.run(ORDER)


@looped
async def test_more_memory_than_it_may_have_ends_it_and_not_us() -> None:
    most = limits.SIMULATION_MEMORY_BYTES_MAX
    with pytest.raises(RunFailed, match="exit 1"):
        await said(f"import sys; sys.stdin.read(); b'x' * {most}").run(ORDER)


@looped
async def test_a_program_that_is_not_there_is_an_error() -> None:
    with pytest.raises(RunFailed, match="No such file"):
        await SimulationProcess(("/nowhere/python",)).run(ORDER)


@looped
async def test_out_of_time_it_is_asked_to_end_and_what_it_has_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = (
        """trap 'kill $!; echo "{\\"notes\\": [\\"asked\\"]}"; exit' TERM\n"""
        "sleep 60 >/dev/null & wait"
    )
    monkeypatch.setattr(limits, "SIMULATION_S", 2.0)
    assert (await shell(script).run(ORDER)).notes == ["asked"]


@looped
async def test_one_that_will_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SIMULATION_S", 1.0)
    monkeypatch.setattr(limits, "SIMULATION_END_S", 0.1)
    with pytest.raises(RunFailed, match="longer than"):
        await shell("trap '' TERM; exec sleep 60").run(ORDER)


@looped
async def test_who_gives_up_ends_it_and_leaves_the_place_free(tmp_path: Path) -> None:
    pipe, begun = tmp_path / "pipe", tmp_path / "begun"
    os.mkfifo(pipe)
    simulating = said(
        "import os, pathlib, signal\n"
        f"if os.path.exists({str(begun)!r}): print('{{}}'); raise SystemExit\n"
        f"pathlib.Path({str(begun)!r}).touch()\n"
        f"kept = open({str(pipe)!r}, 'w')\n"
        "kept.write('!'); kept.flush(); signal.pause()"
    )
    task = asyncio.get_running_loop().create_task(simulating.run(ORDER))
    with await asyncio.to_thread(pipe.open) as listening:
        assert await asyncio.to_thread(listening.read, 1) == "!"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(listening.read) == ""  # It has ended.
    assert (await simulating.run(ORDER)).outcomes == []
