"""Users of the console as files: read again when they change, validated before use."""

import socket
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


def problems(files: UserFiles) -> list[tuple[str, str, str]]:
    found = files.problems("users", lambda user: f"new password of {user}")
    return [(one.code, one.message, one.hint) for one in found]


def test_without_the_folder_there_is_nobody(tmp_path: Path) -> None:
    files = UserFiles(tmp_path / "none", b"k" * 32)
    assert len(files.now()) == 0 and files.troubles == ()
    message = "No user can log in to the console, it has no user."
    assert problems(files) == [("SW0209", message, "new password of admin")]


def test_a_password_that_others_may_read_does_not_count_and_is_named(folder: Path) -> None:
    write(folder, "eve", "one", 0o644)
    write(folder, "adam", "two")
    files = UserFiles(folder, b"k" * 32)
    assert not files.now().admits("eve", "one") and files.now().admits("adam", "two")
    message = "User eve cannot log in to the console: users/eve may be used by others (mode 0644)."
    assert problems(files) == [("SW0210", message, f"Run: chmod 0600 {folder / 'eve'}")]
    (folder / "eve").chmod(0o600)
    assert files.now().admits("eve", "one") and problems(files) == []


def test_a_socket_among_the_users_hides_none_that_come_after_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All users after it in the alphabet were locked out, and no line named it."""
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("bob")
    write(folder, "eve", "one")
    files = UserFiles(folder, b"k" * 32)
    assert files.now().admits("eve", "one")
    ((code, message, hint),) = problems(files)
    assert (code, hint) == ("SW0210", f"See what is there: ls -ld {folder}")
    assert message.startswith("User bob cannot log in to the console: users/bob cannot be read: ")


def test_of_many_bad_users_some_are_named(folder: Path) -> None:
    write(folder, "good", "one")
    for number in range(5):
        write(folder, f"u{number}", "")
    found = problems(UserFiles(folder, b"k" * 32))
    assert [hint for _, _, hint in found] == [f"new password of u{number}" for number in range(3)]


def test_what_is_being_written_is_nobody(folder: Path) -> None:
    write(folder, ".eve.0123456789ab.tmp", "one")
    assert len(UserFiles(folder, b"k" * 32).now()) == 0


def test_a_password_at_the_limit_counts_and_one_byte_more_does_not(folder: Path) -> None:
    most = limits.CONSOLE_PASSWORD_BYTES_MAX
    write(folder, "fits", "x" * most)
    write(folder, "long", "x" * (most + 1))
    files = UserFiles(folder, b"k" * 32)
    assert files.now().admits("fits", "x" * most)
    assert len(files.now()) == 1
    message = f"User long cannot log in to the console: users/long is longer than {most} bytes."
    assert problems(files) == [("SW0210", message, "new password of long")]


def test_one_user_too_many_does_not_count(folder: Path) -> None:
    for number in range(limits.CONSOLE_USERS_MAX + 1):
        write(folder, f"u{number:03}", "x")
    files = UserFiles(folder, b"k" * 32)
    found, last = files.now(), f"u{limits.CONSOLE_USERS_MAX:03}"
    assert len(found) == limits.CONSOLE_USERS_MAX
    assert not found.admits(last, "x")
    ((_, message, hint),) = problems(files)
    assert f"users/{last} is one more than the 64 users" in message and hint == "Remove a user"


@pytest.mark.parametrize("content", ["", "\n", "\r\n"])
def test_a_file_without_a_password_is_named(content: str, folder: Path) -> None:
    write(folder, "eve", content)
    files = UserFiles(folder, b"k" * 32)
    assert len(files.now()) == 0
    message = "No user can log in to the console, it has no user: users/eve has no password in it."
    assert problems(files) == [("SW0209", message, "new password of eve")]
