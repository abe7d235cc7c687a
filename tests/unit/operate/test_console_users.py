"""Users of the console as files: read again when they change, validated before use."""

from pathlib import Path

import pytest

from router.model import limits
from router.operate.consoles.console_users import UserFiles


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "console-users"
    made.mkdir(mode=0o700)
    return made


def write(folder: Path, user: str, password: str, mode: int = 0o600) -> None:
    path = folder / user
    path.unlink(missing_ok=True)
    path.write_text(password)
    path.chmod(mode)


def test_a_user_comes_changes_and_goes_with_the_file(folder: Path) -> None:
    files = UserFiles(folder, b"k" * 32)
    assert len(files.now()) == 0
    write(folder, "eve", "one\n")
    assert files.now().admits("eve", "one")
    write(folder, "eve", "two")
    assert files.now().admits("eve", "two") and not files.now().admits("eve", "one")
    (folder / "eve").unlink()
    assert not files.now().admits("eve", "two")


def test_without_the_folder_there_is_nobody(tmp_path: Path) -> None:
    files = UserFiles(tmp_path / "none", b"k" * 32)
    assert len(files.now()) == 0 and files.trouble == ""


def test_a_password_that_others_may_read_does_not_count_and_is_named(folder: Path) -> None:
    write(folder, "eve", "one", 0o644)
    write(folder, "adam", "two")
    files = UserFiles(folder, b"k" * 32)
    assert not files.now().admits("eve", "one") and files.now().admits("adam", "two")
    assert "eve" in files.trouble and "one" not in files.trouble
    (folder / "eve").chmod(0o600)
    assert files.now().admits("eve", "one") and files.trouble == ""


def test_what_is_being_written_is_nobody(folder: Path) -> None:
    write(folder, ".eve.0123456789ab.tmp", "one")
    assert len(UserFiles(folder, b"k" * 32).now()) == 0


def test_a_password_at_the_limit_counts_and_one_byte_more_does_not(folder: Path) -> None:
    most = limits.CONSOLE_PASSWORD_BYTES_MAX
    write(folder, "fits", "x" * most)
    write(folder, "long", "x" * (most + 1))
    files = UserFiles(folder, b"k" * 32)
    assert files.now().admits("fits", "x" * most)
    assert len(files.now()) == 1 and files.trouble


def test_one_user_too_many_does_not_count(folder: Path) -> None:
    for number in range(limits.CONSOLE_USERS_MAX + 1):
        write(folder, f"u{number:03}", "x")
    found = UserFiles(folder, b"k" * 32).now()
    assert len(found) == limits.CONSOLE_USERS_MAX
    assert not found.admits(f"u{limits.CONSOLE_USERS_MAX:03}", "x")


@pytest.mark.parametrize("content", ["", "\n", "\r\n"])
def test_a_file_without_a_password_is_named(content: str, folder: Path) -> None:
    write(folder, "eve", content)
    files = UserFiles(folder, b"k" * 32)
    assert len(files.now()) == 0
    assert files.trouble == f"{folder / 'eve'} has no password in it"
