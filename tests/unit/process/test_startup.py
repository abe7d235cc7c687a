"""The lock of a site: who holds it, and whether who held it came to an end."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from router.model.errors import ConfigError, RouterError
from router.model.lock_text import process_in
from router.process.startup import WORKER_RUNS, site_lock

_HOLDER = """
import sys, time
from pathlib import Path
from router.model.lock_text import process_in
from router.process.startup import WORKER_RUNS, site_lock
with site_lock(Path(sys.argv[1])) as lock:
    print(lock.died, flush=True)
    sys.stdin.read()
"""


def holder(lock: Path) -> "subprocess.Popen[str]":
    held = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert held.stdout is not None
    assert held.stdout.readline()
    return held


def test_who_was_killed_leaves_its_process_id(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with holder(lock) as held:
        with (
            pytest.raises(RouterError, match=rf"runs already \(process {held.pid}\)"),
            site_lock(lock),
        ):
            raise AssertionError("two hold it")
        os.kill(held.pid, signal.SIGKILL)
    with site_lock(lock) as ours:
        assert ours.died == held.pid
        assert process_in(lock.read_text()) == os.getpid()
    assert lock.read_text() == ""


def test_a_worker_whose_predecessor_lives_does_not_say_that_the_router_runs_already(
    tmp_path: Path,
) -> None:
    """The first worker was killed, and the others finish their requests beside the new router."""
    lock = tmp_path / "lock"
    with holder(lock) as held:
        text = f"the one before it, process {held.pid}, still finishes its requests"
        with pytest.raises(RouterError, match=f"^{text}$"), site_lock(lock, WORKER_RUNS):
            raise AssertionError("two hold it")
        os.kill(held.pid, signal.SIGKILL)


def test_a_command_that_checks_whether_a_router_runs_stops_none_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds the lock for a moment (`run_lock.is_locked`)."""
    with (tmp_path / "lock").open("w") as checking:
        fcntl.flock(checking, fcntl.LOCK_EX)
        monkeypatch.setattr(time, "sleep", lambda seconds: checking.close())
        with site_lock(tmp_path / "lock") as ours:
            assert ours.died is None


def test_who_came_to_an_end_leaves_nothing(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with holder(lock):
        pass  # Its input ends.
    assert lock.read_text() == ""
    with pytest.raises(ConfigError), site_lock(lock) as ours:
        assert ours.died is None
        raise ConfigError("site.yaml", "$.spec", "it cannot start, and says why")
    assert lock.read_text() == ""


def test_the_lock_of_a_copied_folder_tells_of_no_death_there(tmp_path: Path) -> None:
    """A copy said that the router of the original was killed, which ran."""
    lock, copy = tmp_path / "lock", tmp_path / "copy"
    with holder(lock) as held:
        shutil.copy2(lock, copy)
        with site_lock(copy) as copied:
            assert copied.died is None
            assert process_in(copy.read_text()) == os.getpid()
        os.kill(held.pid, signal.SIGKILL)
    with site_lock(lock) as ours:
        assert ours.died == held.pid


def test_a_lock_of_an_older_version_tells_of_a_death(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.write_text("4711\n")
    with site_lock(lock) as ours:
        assert ours.died == 4711


def test_a_fault_of_ours_is_no_end(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with pytest.raises(KeyError), site_lock(lock):
        raise KeyError
    with site_lock(lock) as ours:
        assert ours.died == os.getpid()


def test_what_others_wrote_is_no_process(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.write_text("not a number")
    with site_lock(lock) as ours:
        assert ours.died is None
