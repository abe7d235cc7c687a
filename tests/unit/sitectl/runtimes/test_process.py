"""The router as a process, played by a small script."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sitectl.main import VERBS, cli
from sitectl.runtimes import presence, process
from sitectl.site.directory import DirectorySite
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FAKE_ROUTER, FakeAdmin

SOURCE = Path(__file__).parents[4]
END = "    signal.sigwait({signal.SIGTERM})\n"


def plays(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Have `start` run ``script`` instead of a router."""

    def command(site: DirectorySite) -> list[str]:
        return [sys.executable, "-c", script, "--site-dir", str(site.directory), str(SOURCE)]

    monkeypatch.setattr(process, "router_command", command)


def test_start_and_stop_are_repeatable(here: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    plays(monkeypatch, FAKE_ROUTER)
    run = here.state / "here" / "run"
    assert here.json("stop")["change"] == "unchanged"
    try:
        assert here.json("start")["change"] == "started"
        assert here.json("start")["change"] == "unchanged"
        assert here("run").exit_code == 5
    finally:
        assert here.json("stop")["change"] == "stopped"
    pid = int((run / "lock").read_text())
    assert os.waitpid(pid, 0)[0] == pid
    assert not (run / "admin.sock").exists()
    assert here.json("stop")["change"] == "unchanged"


def test_stop_now_does_not_wait_for_what_is_under_way(
    here: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays(monkeypatch, FAKE_ROUTER.replace(END, END * 2))  # Drains until a second signal.
    assert here.json("stop", "--now")["change"] == "unchanged"
    here.ok("start")
    pid = int((here.state / "here" / "run" / "lock").read_text())
    late = here("--timeout", "0.1", "stop")
    assert (late.exit_code, "sitectl stop --now" in late.stderr) == (6, True)
    assert here.json("stop", "--now")["change"] == "stopped"
    assert os.waitpid(pid, 0)[0] == pid
    here.ok("start")
    pid = int((here.state / "here" / "run" / "lock").read_text())
    assert here.json("stop", "--now")["change"] == "stopped"
    assert os.waitpid(pid, 0)[0] == pid


def test_stop_now_of_a_router_that_hangs_does_not_advise_itself(
    here: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays(monkeypatch, FAKE_ROUTER.replace(END, END * 3))  # The second order does not end it.
    here.ok("start")
    pid = int((here.state / "here" / "run" / "lock").read_text())
    hung = here("--timeout", "0.1", "stop", "--now")
    assert hung.exit_code == 6 and "after the order to end at once" in hung.stderr
    assert hung.stderr.endswith(f"or kill it: kill -KILL {pid}\n")
    os.kill(pid, signal.SIGKILL)
    assert os.waitpid(pid, 0)[0] == pid
    assert here.json("stop", "--now")["change"] == "unchanged"


def test_stop_of_a_paused_router_says_that_it_is_and_what_has_it_go_on(
    here: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays(monkeypatch, FAKE_ROUTER)
    here.ok("start")
    pid = int((here.state / "here" / "run" / "lock").read_text())
    os.kill(pid, signal.SIGSTOP)
    for words in (("stop",), ("stop", "--now")):
        late = here("--timeout", "0.1", *words)
        assert late.exit_code == 6 and "a signal (SIGSTOP) or a debugger has" in late.stderr
        assert f"kill -CONT {pid}" in late.stderr and "still drains" not in late.stderr
    os.kill(pid, signal.SIGCONT)
    assert os.waitpid(pid, 0) == (pid, 0)


def test_whoever_runs_a_router_says_of_a_paused_one_that_it_is(
    here: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays(monkeypatch, FAKE_ROUTER)
    here.ok("start")
    site = DirectorySite(here.state / "here")
    pid = int((site.run / "lock").read_text())
    assert "(container c) still drains" in presence.not_ended(site, 1, "container c").message
    os.kill(pid, signal.SIGSTOP)
    assert presence.wait_until(lambda: presence.is_paused(pid), 10)
    assert "(SIGSTOP)" in presence.not_ended(site, 1, "container c").message
    os.kill(pid, signal.SIGCONT)
    here.ok("stop")
    assert os.waitpid(pid, 0) == (pid, 0)


def test_delete_withdraws_stops_and_removes(
    here: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays(monkeypatch, FAKE_ROUTER)
    here.ok("service", "create", "shop", "8080")
    here.ok("start")
    pid = int((here.state / "here" / "run" / "lock").read_text())
    refused = here("delete")
    assert refused.exit_code == 2
    assert "no terminal to ask at" in refused.stderr and "delete --yes" in refused.stderr
    assert (here.state / "here").exists()
    assert here.json("delete", "--yes")["change"] == "deleted"
    assert os.waitpid(pid, 0) == (pid, 0)
    assert not (here.state / "here").exists()


def test_the_router_is_found_wherever_one_stands(
    here: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    site = DirectorySite(here.state / "here")
    (tmp_path / "router.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    command = [*process.router_command(site)[:2], "-c", "import router; print(router.__path__[0])"]
    done = subprocess.run(command, capture_output=True, text=True, env=process.router_environment())
    assert done.stdout.strip() == str(SOURCE / "router")


def test_start_tells_the_last_error_of_a_router_that_ended(
    here: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = '{"level": "error", "message": "port 55671 is taken", "cause": "in use"}'
    plays(monkeypatch, f"import sys; print({line!r}); print('bye'); sys.exit(1)")
    result = here("start")
    assert result.exit_code == 1
    assert "(exit 1): port 55671 is taken: in use" in result.stderr


def test_start_tells_what_ended_the_router_and_no_fault_before_it(
    here: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = '{"level": "error", "message": "Link west is not up: refused."}'
    end = "spillway-router: cannot accept links on 127.0.0.1:1: not now"
    plays(monkeypatch, f"import sys; print({fault!r}); print({end!r}); sys.exit(1)")
    result = here("start")
    assert "(exit 1): cannot accept links on 127.0.0.1:1: not now\n" in result.stderr


def test_start_takes_over_from_a_router_that_was_ending(
    here: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was killed holds its lock until the last of its threads is gone."""
    plays(monkeypatch, FAKE_ROUTER)
    looks: list[DirectorySite] = []

    def is_running(site: DirectorySite) -> bool:
        looks.append(site)
        return len(looks) < 3 or presence.is_running(site)

    monkeypatch.setattr(process, "is_running", is_running)
    try:
        assert here.json("start", "--timeout", "20")["change"] == "started"
    finally:
        assert here.json("stop")["change"] == "stopped"
    os.waitpid(int((here.state / "here" / "run" / "lock").read_text()), 0)


def test_start_gives_up_in_time(here: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    plays(
        monkeypatch, "import sys; sys.stdin.read(); import signal; signal.alarm(2); signal.pause()"
    )
    assert here("start", "--timeout", "0.1").exit_code == 6


def test_a_number_in_a_file_is_no_router(here: CommandLine) -> None:
    (here.state / "here" / "run" / "lock").write_text(str(os.getpid()))
    assert here.json("stop")["change"] == "unchanged"


def test_the_kernel_names_the_process_behind_the_socket(
    admin: FakeAdmin, here: CommandLine
) -> None:
    site = DirectorySite(here.state / "here")
    assert presence.running_pid(site) == os.getpid()


def test_a_socket_deep_in_the_file_system_is_reached(tmp_path: Path) -> None:
    deep = CommandLine(tmp_path / ("d" * 90) / "state")
    deep.ok("init", "here")
    run = deep.state / "here" / "run"
    before = os.getcwd()
    os.chdir(run)
    try:
        server = FakeAdmin(Path("admin.sock"))
    finally:
        os.chdir(before)
    with server:
        assert DirectorySite(deep.state / "here").admin.is_ready()


def test_help_needs_no_heavy_module() -> None:
    program = (
        "import sys\nfrom sitectl.main import main\ntry: main()\nexcept SystemExit: pass\n"
        "print('LOADED', *sorted(m for m in sys.modules if '.' not in m))"
    )
    for words in (["--help"], ["service", "--help"], ["status", "--help"], ["init", "--help"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *words], capture_output=True, text=True, cwd=SOURCE
        )
        assert "Usage:" in done.stdout
        loaded = set(done.stdout.rsplit("LOADED", 1)[1].split())
        assert not loaded & {"aiohttp", "asyncio", "cryptography", "rich", "uvloop"}
        assert not loaded & {"httpx2", "lightkube", "msgpack"}


def test_every_verb_in_the_help_is_there_with_a_help_of_its_own(here: CommandLine) -> None:
    for name in VERBS:
        assert "Usage:" in here.ok(name, "--help").stdout
    shown = [name for name, (_, _, text) in VERBS.items() if text]
    assert all(name in here.ok("--help").stdout for name in shown)
    assert cli.name == "cli"


@pytest.mark.parametrize("variable", ["container", "KUBERNETES_SERVICE_HOST", "JOURNAL_STREAM"])
def test_who_collects_output_gets_the_log(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    for name in ("container", "KUBERNETES_SERVICE_HOST", "JOURNAL_STREAM"):
        monkeypatch.delenv(name, raising=False)
    assert not process.is_supervised()
    output = os.fstat(1)
    monkeypatch.setenv(variable, f"{output.st_dev}:{output.st_ino}")
    assert process.is_supervised()


def test_the_journal_of_somebody_else_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("container", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("JOURNAL_STREAM", "1:1")
    assert not process.is_supervised()
