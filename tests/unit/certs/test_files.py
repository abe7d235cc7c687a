import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from certs import files
from certs.ca import rotation
from certs.errors import CertError
from certs.joining import claims
from certs.links import register, revocation


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_secret_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    for mask in (0o000, 0o022, 0o777):
        before = os.umask(mask)
        try:
            files.write_secret(tmp_path / "key", b"secret")
            files.make_private_directory(tmp_path / f"dir{mask}")
        finally:
            os.umask(before)
        assert mode_of(tmp_path / "key") == 0o600
        assert mode_of(tmp_path / f"dir{mask}") == 0o700


def test_a_secret_file_is_private_before_its_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    real_write = os.write

    def watching_write(descriptor: int, data: bytes) -> int:
        seen.extend(mode_of(path) for path in tmp_path.iterdir())
        return real_write(descriptor, data[:2])  # A short write is legal.

    monkeypatch.setattr(os, "write", watching_write)
    before = os.umask(0)
    try:
        files.write_secret(tmp_path / "key", b"secret")
    finally:
        os.umask(before)
    assert seen == [0o600] * 3
    assert (tmp_path / "key").read_bytes() == b"secret"


def test_a_secret_file_is_private_from_the_moment_it_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else another user could open it while it is empty, and read it later."""
    seen: list[int] = []
    real_open = os.open

    def watching_open(
        path: Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None
    ) -> int:
        descriptor = real_open(path, flags, mode, dir_fd=dir_fd)
        seen.extend(mode_of(entry) for entry in tmp_path.iterdir())
        return descriptor

    monkeypatch.setattr(os, "open", watching_open)
    before = os.umask(0)
    try:
        files.write_secret(tmp_path / "key", b"secret")
    finally:
        os.umask(before)
    assert set(seen) == {0o600}


def test_a_failed_write_leaves_the_old_file_and_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key"
    files.write_secret(path, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_secret(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_writing_replaces_a_symbolic_link_instead_of_following_it(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    (tmp_path / "key").symlink_to(victim)
    files.write_secret(tmp_path / "key", b"secret")
    assert victim.read_bytes() == b"untouched"
    assert not (tmp_path / "key").is_symlink()


def test_an_existing_file_is_kept_when_it_must_not_be_replaced(tmp_path: Path) -> None:
    files.write_secret(tmp_path / "key", b"first", replace=False)
    with pytest.raises(FileExistsError):
        files.write_secret(tmp_path / "key", b"second", replace=False)
    assert files.read_secret(tmp_path / "key") == b"first"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o601, 0o620])
def test_a_file_that_others_may_use_is_refused_with_the_chmod(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    files.write_secret(path, b"secret")
    path.chmod(mode)
    with pytest.raises(CertError) as refused:
        files.read_secret(path)
    assert refused.value.hint == f"Run: chmod 0600 {path}"
    assert refused.value.subject == str(path)


def test_a_stricter_mode_is_fine(tmp_path: Path) -> None:
    files.write_secret(tmp_path / "key", b"secret")
    (tmp_path / "key").chmod(0o400)
    assert files.read_secret(tmp_path / "key") == b"secret"


def test_a_file_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write_secret(tmp_path / "key", b"secret")
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(CertError, match=f"belongs to user {owner}"):
        files.read_secret(tmp_path / "key")


def test_symbolic_links_fifos_directories_and_long_files_are_not_read(tmp_path: Path) -> None:
    files.write_secret(tmp_path / "key", b"secret")
    (tmp_path / "link").symlink_to(tmp_path / "key")
    os.mkfifo(tmp_path / "fifo", 0o600)
    (tmp_path / "dir").mkdir(mode=0o700)
    with pytest.raises(CertError, match="symbolic link"):
        files.read_secret(tmp_path / "link")
    with pytest.raises(CertError, match="no regular file"):
        files.read_secret(tmp_path / "fifo")
    with pytest.raises(CertError, match="no regular file"):
        files.read_secret(tmp_path / "dir")
    with pytest.raises(CertError, match="longer than 5 bytes"):
        files.read_secret(tmp_path / "key", 5)


def test_an_open_directory_is_refused_with_the_chmod(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets").chmod(0o755)
    with pytest.raises(CertError, match="chmod 0700"):
        files.make_private_directory(tmp_path / "secrets")
    (tmp_path / "file").touch()
    with pytest.raises(CertError, match="not a directory"):
        files.make_private_directory(tmp_path / "file")


def test_the_lock_excludes_threads(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def enter() -> None:
        for _ in range(50):
            with files.locked(tmp_path / "lock"):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 200
    assert max(most) == 1
    assert mode_of(tmp_path / "lock") == 0o600


def test_what_a_crash_left_is_swept_and_what_is_being_written_stays(tmp_path: Path) -> None:
    inner = tmp_path / "secrets" / "links"
    inner.mkdir(parents=True)
    old, young = inner / ".ca.crt.0123456789ab.tmp", tmp_path / ".a.yaml.0123456789ab.tmp"
    users = [tmp_path / ".a.yaml.tmp", tmp_path / "a.yaml.0123456789ab.tmp"]
    future = tmp_path / ".b.yaml.0123456789ab.tmp"
    for path in (old, young, future, *users):
        path.write_text("half")
        os.utime(path, (1_000.0, 1_000.0))
    os.utime(young, (9_900.0, 9_900.0))
    os.utime(future, (99_000.0, 99_000.0))
    files.sweep_temporaries(tmp_path, 10_000.0, "a.yaml", deep=False)
    assert old.exists()
    files.sweep_temporaries(tmp_path, 10_000.0)
    assert not old.exists() and not future.exists()
    assert young.exists() and all(path.exists() for path in users)


def test_a_write_that_fails_names_the_file_that_was_meant(tmp_path: Path) -> None:
    target = tmp_path / "taken"
    target.mkdir()
    (target / "inside").touch()
    with pytest.raises(OSError) as failed:
        files.write_secret(target, b"x")
    assert failed.value.filename == str(target)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize(
    ("called", "path"),
    [
        (files.make_directory, Path("/proc/spillway")),
        (files.make_private_directory, Path("/proc/spillway/secrets")),
        (files.open_directory, Path("/proc/self/spillway")),
        (files.open_file, Path("/proc/self/spillway")),
        (files.read_secret, Path("/proc/self/spillway")),
    ],
)
def test_an_error_of_the_file_system_names_the_whole_path(
    called: Callable[[Path], object], path: Path
) -> None:
    with pytest.raises(OSError) as failed:
        called(path)
    assert failed.value.filename == str(path).removesuffix("/secrets")


@pytest.mark.parametrize(
    ("decode", "data"),
    [
        (claims.decode, b'{"name":"\xff"}'),
        (register.decode, b'{"name":"\xff"}'),
        (revocation.decode, b'{"serials":["\xff"]}'),
        (rotation.decode, b'{"phase":"announced","old":"\xff"}'),
    ],
)
def test_bytes_that_are_no_text_within_a_text_are_damage(
    decode: Callable[[bytes, str], object], data: bytes
) -> None:
    with pytest.raises(CertError, match="file: is damaged"):
        decode(data, "file")


def test_the_same_error_is_raised_beforehand_and_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "renewed.json"
    path.write_bytes(b"before")
    files.require_room(path, b"after")
    assert [one.name for one in tmp_path.iterdir()] == ["renewed.json"]
    assert path.read_bytes() == b"before"
    gone = tmp_path / "gone" / "renewed.json"
    with pytest.raises(FileNotFoundError) as raised:
        files.require_room(gone, b"after")
    assert raised.value.filename == str(gone)
