"""Files that are turned over, and standard output."""

import os
import stat
from pathlib import Path

import pytest

from router.operate.record.sinks import RotatedFile, StandardOutput


def test_a_file_is_for_us_alone_and_turned_over_before_it_grows_too_large(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    file = RotatedFile(path, bytes_max=100, files=3)
    assert not path.exists(), "nothing to write, no file"
    for number in range(10):
        file.write(b"%d" % number * 39 + b"\n")
    file.close()
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "access.log",
        "access.log.1",
        "access.log.2",
    ]
    assert all(one.stat().st_size <= 100 for one in tmp_path.iterdir())
    assert path.read_bytes()[:1] == b"8" and path.read_bytes()[-2:-1] == b"9"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_was_there_goes_on_and_becomes_ours_alone(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(b"x" * 90)
    path.chmod(0o644)
    file = RotatedFile(path, bytes_max=100, files=2)
    file.write(b"y\n")
    assert path.read_bytes() == b"x" * 90 + b"y\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    file.write(b"z" * 9 + b"\n")
    file.close()
    assert path.read_bytes() == b"z" * 9 + b"\n"


def test_a_link_in_the_files_place_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"")
    path = tmp_path / "access.log"
    path.symlink_to(other)
    with pytest.raises(OSError, match="symbolic"):
        RotatedFile(path).write(b"x\n")
    assert other.read_bytes() == b""


def test_a_file_that_was_moved_away_is_begun_anew_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    file = RotatedFile(path)
    file.write(b"before\n")
    path.rename(tmp_path / "old")
    file.write(b"still\n")
    file.reopen()
    file.write(b"after\n")
    file.close()
    assert (tmp_path / "old").read_bytes() == b"before\nstill\n"
    assert path.read_bytes() == b"after\n"


def test_under_a_supervisor_lines_go_to_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    StandardOutput().write(b'{"a":1}\n')
    assert capfd.readouterr().out == '{"a":1}\n'


def test_a_file_whose_close_failed_is_closed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number may be that of another file by then."""
    close = os.close

    def fails(descriptor: int) -> None:
        close(descriptor)
        raise OSError(5, "Input/output error")

    path = tmp_path / "access.log"
    file = RotatedFile(path)
    file.write(b"before\n")
    with monkeypatch.context() as patched, pytest.raises(OSError, match="Input"):
        patched.setattr(os, "close", fails)
        file.reopen()
    other = tmp_path / "other"
    with other.open("wb"):
        file.write(b"after\n")
    file.close()
    assert (path.read_bytes(), other.read_bytes()) == (b"before\nafter\n", b"")
