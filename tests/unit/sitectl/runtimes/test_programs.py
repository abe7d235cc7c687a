"""Programs of the host: each with a deadline, all found and spoken to alike."""

import os
import sys
from pathlib import Path

import pytest

from sitectl.base.failure import Exit, Failure
from sitectl.runtimes import programs
from sitectl.runtimes.containers import generator

SLEEPER = (sys.executable, "-c", "import time; time.sleep(60)")


def test_a_program_that_hangs_is_ended_and_named() -> None:
    with pytest.raises(Failure, match="did not end within") as caught:
        programs.run(SLEEPER, 0.2, code="SW0611", hint="podman info")
    assert caught.value.exit_code is Exit.TIMED_OUT
    assert caught.value.retryable


def test_a_program_may_go_on_when_our_time_is_over(tmp_path: Path) -> None:
    done = tmp_path / "done"
    text = f"import time; time.sleep(0.3); open({str(done)!r}, 'w').close()"
    assert programs.run_on((sys.executable, "-c", text), 0.05) is None
    ended = programs.run_on((sys.executable, "-c", "import sys; sys.exit('no')"), 10)
    assert ended is not None
    assert (ended.returncode, ended.stderr) == (1, "no\n")
    assert (
        programs.run_on(
            (sys.executable, "-c", f"while not __import__('os').path.exists({str(done)!r}): pass"),
            10,
        )
        is not None
    )


def test_who_came_by_su_has_the_bus_of_a_login(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = tmp_path / str(os.geteuid())
    own.mkdir()
    monkeypatch.setattr(programs, "RUN_DIRECTORIES", tmp_path)
    text = "import os; print(os.environ['XDG_RUNTIME_DIR'], os.environ['LC_ALL'], os.getcwd())"
    for given in ("", None):
        monkeypatch.setenv("XDG_RUNTIME_DIR", "")
        if given is None:
            monkeypatch.delenv("XDG_RUNTIME_DIR")
        done = programs.run((sys.executable, "-c", text), 10, code="x", hint="")
        assert done.stdout.split() == [str(own), "C.UTF-8", "/"]
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/elsewhere")
    done = programs.run((sys.executable, "-c", text), 10, code="x", hint="")
    assert done.stdout.split()[0] == "/elsewhere"


def test_a_generator_that_hangs_is_an_error_with_a_next_step(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hanging = tmp_path / "quadlet"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    monkeypatch.setattr(generator, "GENERATOR_TIMEOUT_S", 0.2)
    with pytest.raises(Failure, match="did not end") as caught:
        generator.refuse_bad_quadlet(str(hanging), "user", "spillway-a", "[Container]\n")
    assert caught.value.code == "SW0615"
