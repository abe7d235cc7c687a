"""The folder of a router's lock, and what happens to it while the router runs."""

import asyncio
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from router.model import limits
from router.model.errors import RouterError
from router.process.run_folder import RunFolder
from router.process.startup import site_lock


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(limits, "RUN_FOLDER_CHECK_S", 0.01)
    site = tmp_path / "west"
    (site / "run" / "workers" / "1").mkdir(parents=True)
    return site


def after(change: Callable[[], object], site: Path, folder: Path) -> bool:
    """Whether the router, whose lock is in ``folder``, opened its files again after ``change``."""
    reopened: list[bool] = []

    async def story() -> None:
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            watch = RunFolder(site, lock, lambda: reopened.append(True))
            running = tasks.create_task(watch.run())
            await asyncio.sleep(3 * limits.RUN_FOLDER_CHECK_S)
            assert not reopened
            change()
            await asyncio.sleep(10 * limits.RUN_FOLDER_CHECK_S)
            running.cancel()

    with site_lock(folder / "lock") as lock:
        asyncio.run(story())
        if reopened:
            with pytest.raises(RouterError, match="runs already"), site_lock(folder / "lock"):
                raise AssertionError("two hold it")
    return bool(reopened)


@pytest.mark.parametrize("own", ["run", "run/workers/1"])
def test_a_removed_folder_is_made_again_and_is_locked(site: Path, own: str) -> None:
    """No log was written any more, no command reached the router, and a second one could start."""
    folder = site / own
    assert after(lambda: shutil.rmtree(site / "run"), site, folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    with site_lock(folder / "lock") as next_one:
        assert next_one.died is None, "it ended in order"


def test_a_removed_site_stays_removed(site: Path) -> None:
    assert not after(lambda: shutil.rmtree(site), site, site / "run")
    assert not site.exists()


def test_another_site_at_its_place_is_left_alone(site: Path) -> None:
    def move() -> None:
        site.rename(site.with_name("aside"))
        site.mkdir()

    assert not after(move, site, site / "run")
    assert not (site / "run").exists()


def test_a_lock_of_another_router_stays(site: Path) -> None:
    lock, other = site / "run" / "lock", site / "other"
    other.touch()
    assert not after(lambda: other.rename(lock), site, lock.parent)
    assert lock.read_text() == ""


def test_a_worker_that_starts_late_makes_no_removed_site_again(tmp_path: Path) -> None:
    site = tmp_path / "west"
    ours, worker = socket.socketpair()
    with ours, worker:
        told = subprocess.run(
            [
                *(sys.executable, "-m", "router.process.worker", "--site-dir", str(site)),
                *("--index", "1", "--count", "2", "--links", "0"),
                *("--log", "stdout", "--log-level", "info"),
            ],
            stdin=worker.fileno(),
            capture_output=True,
            text=True,
            check=False,
        )
    assert told.returncode == 1
    assert told.stderr == (f"spillway-router, worker 1: {site}/run: No such file or directory\n")
    assert not site.exists()
