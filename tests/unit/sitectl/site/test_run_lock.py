"""A router that runs without its socket, or without its whole ``run`` directory."""

import errno
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from certs import files
from router.model.lock_text import lock_text
from sitectl.base.failure import Exit, Failure
from sitectl.runtimes import presence
from sitectl.site import run_lock
from sitectl.site.directory import DirectorySite
from tests import needs

_HOLD = (
    "import fcntl, os, sys\n"
    "lock = open(sys.argv[3] + '/run/lock', 'w'); fcntl.flock(lock, fcntl.LOCK_EX)\n"
    "print(os.getpid(), file=lock, flush=True)\n"
    "print(flush=True); sys.stdin.read()"
)


@contextmanager
def router(directory: Path) -> Iterator[int]:
    """A process that has the lock and the command line of a router."""
    words = [sys.executable, "-c", _HOLD, "router.process.main", "--site-dir", str(directory)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None and running.stdin is not None
        running.stdout.readline()
        yield running.pid
        running.stdin.close()


@pytest.fixture
def site(tmp_path: Path) -> DirectorySite:
    made = DirectorySite(tmp_path / "west")
    made.run.mkdir(parents=True)
    return made


def refusal(site: DirectorySite) -> Failure:
    with pytest.raises(Failure) as caught:
        site.admin.get("/api/v1/status")
    assert caught.value.exit_code is Exit.UNREACHABLE
    return caught.value


@pytest.mark.parametrize("lost", ["admin.sock", "run"])
def test_a_router_whose_socket_was_removed_is_not_said_to_be_stopped(
    site: DirectorySite, lost: str
) -> None:
    """`status` and `check` said "stopped", with the step to start it, while it served."""
    with router(site.directory) as process_id:
        if lost == "run":
            site.run.rename(site.directory / "aside")
        failure = refusal(site)
        assert "the router of site 'west' runs, but nothing answers at" in failure.message
        assert failure.hint == (
            "If that lasts: sitectl --site west stop, then sitectl --site west start"
        )
        assert site.still_answers() and presence.death_of(site, lambda: "") is None
        assert presence.running_pid(site) == process_id
    assert "is not running" in refusal(site).message
    assert not site.still_answers() and presence.running_pid(site) is None


@pytest.mark.parametrize("how", ["fifo", "no permission"])
def test_a_lock_that_cannot_be_opened_leaves_the_command_line_to_decide(
    site: DirectorySite, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every listing of sites or gateways ended with the error of the one file."""
    if how == "fifo":
        os.mkfifo(site.run / "aside")
    else:

        def forbidden(path: Path) -> int:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

        monkeypatch.setattr(files, "open_file", forbidden)
    with router(site.directory) as process_id:
        if how == "fifo":
            (site.run / "aside").rename(site.run / "lock")
        assert "runs, but nothing answers at" in refusal(site).message
        assert site.still_answers() and presence.running_pid(site) == process_id
    assert "is not running" in refusal(site).message
    assert not site.still_answers() and presence.running_pid(site) is None


def test_two_commands_that_check_at_once_take_each_other_for_no_router(
    site: DirectorySite, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site.run / "lock").touch()
    take, told = fcntl.flock, list[bool]()

    def check_meanwhile(descriptor: int, operation: int) -> None:
        monkeypatch.undo()
        take(descriptor, operation)
        told.append(site.is_locked())

    monkeypatch.setattr(fcntl, "flock", check_meanwhile)
    told.append(site.is_locked())
    assert told == [False, False]


def test_a_copied_folder_tells_of_no_router_that_died_there(
    site: DirectorySite, tmp_path: Path
) -> None:
    """`check` at a copy said that its router was killed: the one of the original, which ran."""
    lock = site.run / "lock"
    lock.touch()
    lock.write_text(lock_text(4711, lock.stat().st_ino))
    death = presence.death_of(site, str)
    assert death is not None and "the router (process 4711) ended" in death.message
    shutil.copytree(site.directory, tmp_path / "copies" / "west")
    assert presence.death_of(DirectorySite(tmp_path / "copies" / "west"), str) is None


def test_a_router_is_that_of_its_own_directory(site: DirectorySite, tmp_path: Path) -> None:
    with router(site.directory) as process_id:
        assert run_lock.process_of(site.directory) == process_id
        assert run_lock.process_of(tmp_path / "wes") is None


def test_a_process_of_another_user_is_no_router_of_a_site_whatever_its_command_line(
    site: DirectorySite,
) -> None:
    """Else any user of the machine could keep another one's site from starting."""
    needs.root("give a site to another user")
    with router(site.directory):
        (site.run / "lock").unlink()
        assert site.is_locked()
        os.chown(site.directory, 65_534, 65_534)
        assert not site.is_locked()
