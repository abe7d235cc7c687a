"""Refusals of the operating system, as `sitectl` and a router that cannot start write them."""

import errno
import os
from pathlib import Path

import pytest

from router.model.wording.system_errors import step_after, text_of
from router.process.main import main


@pytest.mark.parametrize(
    ("number", "step"),
    [
        (errno.EROFS, "Mount it for writing, and type the same again"),
        (errno.ENOSPC, "Free space or inodes there (df -h, df -i), and type the same again"),
        (
            errno.EACCES,
            "Run as the user that owns it. "
            "If you are that user, see which mode is why: namei -l /site/run",
        ),
        (errno.ENOENT, "See what is there: ls -ld /site"),
    ],
)
def test_a_refusal_names_the_place_and_the_next_step(number: int, step: str) -> None:
    error = OSError(number, os.strerror(number), "/site/run")
    assert text_of(error) == f"/site/run: {os.strerror(number)}"
    assert step_after(error) == step


def test_a_refusal_without_a_place_has_its_reason_alone() -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert text_of(full) == "No space left on device"
    assert step_after(full).startswith("Free space or inodes where this writes to")
    for number in (errno.EINVAL, errno.EACCES):  # The latter: a port below 1024.
        assert step_after(OSError(number, os.strerror(number))) == ""
    another_user = OSError(errno.EPERM, os.strerror(errno.EPERM))  # Of a process.
    assert step_after(another_user) == "Run as the user that owns it"


def test_a_router_that_cannot_use_its_directory_says_where_and_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run" / "lock").mkdir(parents=True)
    assert main(["--site-dir", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"spillway-router: {tmp_path}/run/lock: Is a directory. "
        f"See what is there: ls -ld {tmp_path}/run\n"
    )
