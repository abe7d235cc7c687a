"""Secret files: private from the first byte, replaced atomically, read with suspicion."""

import errno
import fcntl
import fnmatch
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from shlex import quote
from typing import Final, TypeVar

import msgspec

from certs import limits
from certs.errors import CertError

Lock = AbstractContextManager[None]

STATE_VERSION = 1
"""Format of `revoked.json` and of grants.

It grows when the previous version would misread the new format. An unknown field in a grant is
ignored, but any in the revocation list is refused, so that a typing error readmits no site.
"""

ROOM_BYTES = 65_536
"""Documents of a site and its router's state need less, but not much."""
_FILE_MODE = 0o600
_DIRECTORY_MODE = 0o700


@contextmanager
def named(path: Path) -> Iterator[None]:
    """An `OSError` in the block names ``path``: relative to a descriptor it has the last part only,
    a write has no name, and a temporary file a name that is soon gone."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def open_directory(path: Path) -> int:
    """A descriptor of the directory ``path``, to be closed by the caller.

    Root follows a symbolic link only where root alone could have put it: the owner of a site's
    directory must not redirect root's writes. Raises `CertError` for any other symbolic link.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    if os.geteuid() != 0:
        return os.open(path, flags)
    with named(path):
        return _open_as_root(path, flags)


def _open_as_root(path: Path, flags: int) -> int:
    parts = path.absolute().parts[1:]
    here = os.open("/", flags)
    try:
        for index, name in enumerate(parts, 1):
            found = os.stat(name, dir_fd=here, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode) and (found.st_uid or os.fstat(here).st_uid):
                reason = f"lies behind a symbolic link of user {found.st_uid} ({name})"
                raise CertError(str(path), reason, "Put the directory itself in its place")
            step = flags if index == len(parts) else flags | os.O_PATH
            step |= 0 if stat.S_ISLNK(found.st_mode) else os.O_NOFOLLOW
            inner = os.open(name, step, dir_fd=here)
            os.close(here)
            here = inner
    except BaseException:
        os.close(here)
        raise
    return here


def open_file(path: Path) -> int:
    """A descriptor of the regular file ``path`` for reading, to be closed by the caller.

    Root follows a symbolic link as `open_directory` does, also in the last step. Never waits for a
    FIFO. Raises `CertError` if it is no regular file, and the system's `OSError`.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
    directory = open_directory(path.parent)
    try:
        with named(path):
            if os.geteuid() == 0:
                found = os.stat(path.name, dir_fd=directory, follow_symlinks=False)
                if not stat.S_ISLNK(found.st_mode):
                    flags |= os.O_NOFOLLOW
                elif found.st_uid or os.fstat(directory).st_uid:
                    reason = f"is a symbolic link of user {found.st_uid}"
                    raise CertError(str(path), reason, "Put the file itself in its place")
            descriptor = os.open(path.name, flags, dir_fd=directory)
    finally:
        os.close(directory)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise CertError(str(path), "is no regular file", "Move it away")
    return descriptor


def read_whole(path: Path, bytes_max: int) -> bytes:
    """The contents of ``path``, opened by `open_file`. `CertError`: longer than ``bytes_max``."""
    with open(open_file(path), "rb") as file:
        data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise CertError(str(path), f"is longer than {bytes_max} bytes", "It is not one of ours")
    return data


def lacking(place: Path) -> str:
    """The missing resource of the disk of ``place``: ``space`` or ``inodes``; empty: none.

    Some blocks are reserved for root. A single write of a site needs less than `ROOM_BYTES`.
    """
    disk = os.statvfs(place)
    blocks = disk.f_bavail if os.geteuid() else disk.f_bfree
    if blocks * disk.f_frsize < ROOM_BYTES:
        return "space"
    return "inodes" if disk.f_files and not disk.f_favail else ""


def is_foreign_directory(directory: Path) -> bool:
    """Whether we are root and ``directory`` belongs to another user, who controls its contents.

    Then its contents must not decide what root does.
    """
    return os.geteuid() == 0 and directory.stat().st_uid != 0


def _give_to_owner(descriptor: int, directory: int) -> None:
    """Give a file that root made in ``directory`` to the directory's owner, who must use it."""
    if os.geteuid() == 0:
        owner = os.fstat(directory)
        if (owner.st_uid, owner.st_gid) != (0, 0):
            os.fchown(descriptor, owner.st_uid, owner.st_gid)


def make_directory(path: Path, mode: int | None = None) -> None:
    """Create ``path`` unless it exists, and its parents with ordinary modes.

    ``mode`` holds whatever the umask is. A directory made by root belongs to the owner of its
    parent.
    """
    if path.is_dir():
        return
    if not path.parent.exists():
        make_directory(path.parent)
    parent = open_directory(path.parent)
    try:
        with suppress(FileExistsError), named(path):
            os.mkdir(path.name, 0o777 if mode is None else mode, dir_fd=parent)
            if os.geteuid() == 0:
                _settle(path.name, parent, mode)
            elif mode is not None:
                os.chmod(path.name, mode, dir_fd=parent)  # Undo the umask.
    finally:
        os.close(parent)


def _settle(name: str, parent: int, mode: int | None) -> None:
    """Set owner and mode of a directory that root just made; it may be another's by now."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    made = os.open(name, flags, dir_fd=parent)
    try:
        if mode is not None:
            os.fchmod(made, mode)
        _give_to_owner(made, parent)
    finally:
        os.close(made)


def make_private_directory(path: Path) -> None:
    """Create ``path`` (0700) unless it exists; its parents too, with ordinary modes.

    Raises `CertError` if others may enter it or if it is not a directory of ours.
    """
    with suppress(FileExistsError):
        make_directory(path, _DIRECTORY_MODE)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise CertError(str(path), "is not a directory", "Move it away")
    _check_private(path, found, _DIRECTORY_MODE)


def write_secret(path: Path, data: bytes, *, replace: bool = True) -> None:
    """Put ``data`` into ``path``, whole or not at all, readable only by the owner.

    Like `write_whole`. With ``replace`` False an existing file raises `FileExistsError`, also in a
    race.
    """
    write_whole(path, data, _FILE_MODE, replace=replace)


def write_whole(path: Path, data: bytes, mode: int, *, replace: bool = True) -> None:
    """Put ``data`` into ``path``, whole or not at all, and durably.

    A symbolic link at ``path`` is replaced, not followed. A file written by root belongs to the
    owner of the directory. Errors of the file system pass as `OSError` that names ``path``.
    """
    change = os.rename if replace else os.link  # A link fails if the name is taken.
    with _temporary(path, data, mode) as (directory, temporary):
        change(temporary, path.name, src_dir_fd=directory, dst_dir_fd=directory)


def require_room(path: Path, data: bytes) -> None:
    """Raise the `OSError` that `write_secret` would; ``path`` stays as it is."""
    with _temporary(path, data, _FILE_MODE):
        pass


@contextmanager
def _temporary(path: Path, data: bytes, mode: int) -> Iterator[tuple[int, str]]:
    """A temporary file of ``data`` beside ``path``, and a descriptor of their directory."""
    with named(path):
        directory = open_directory(path.parent)
        try:
            yield from _written(directory, path.name, data, mode)
            os.fsync(directory)
        finally:
            os.close(directory)


def _written(directory: int, name: str, data: bytes, mode: int) -> Iterator[tuple[int, str]]:
    temporary = f".{name}.{secrets.token_hex(6)}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, _FILE_MODE, dir_fd=directory)
    try:
        try:
            _give_to_owner(descriptor, directory)
            os.fchmod(descriptor, mode)  # The umask may have removed our own bits.
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield directory, temporary
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)


def sweep_temporaries(directory: Path, now: float, name: str = "*", *, deep: bool = True) -> None:
    """Remove remains of a crashed `write_whole` in ``directory``, and (``deep``) below it.

    ``name``: a pattern of the written files. Recent remains may be in use and stay; those from the
    future were left by a wrong clock. ``now``: Unix seconds.
    """
    pattern = f".{name}.{'[0-9a-f]' * 12}.tmp"
    for _, inner, files, descriptor in os.fwalk(directory, follow_symlinks=False):
        if not deep:
            inner.clear()
        for file in fnmatch.filter(files, pattern):
            with suppress(FileNotFoundError):  # Its writer was faster.
                found = os.stat(file, dir_fd=descriptor, follow_symlinks=False)
                if abs(now - found.st_mtime) > limits.TEMPORARY_KEPT_S:
                    os.unlink(file, dir_fd=descriptor)


def read_secret(path: Path, bytes_max: int = limits.SECRET_FILE_BYTES_MAX) -> bytes:
    """The contents of a secret file of ours.

    Raises `CertError` if others may read it, another user owns it, it is a symbolic link or no
    regular file, or is longer than ``bytes_max``; `FileNotFoundError` if it does not exist.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # No waiting on a FIFO.
    try:
        directory = open_directory(path.parent)
        try:
            with named(path):
                descriptor = os.open(path.name, flags, dir_fd=directory)
        finally:
            os.close(directory)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise CertError(
                str(path), "is a symbolic link", "Put the file itself in its place"
            ) from error
        if error.errno == errno.EACCES:
            raise CertError(
                str(path),
                "may not be read by this user",
                f"See which owner or mode is why: namei -l {quote(str(path))}",
            ) from error
        raise
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise CertError(str(path), "is no regular file", "Move it away")
        _check_private(path, found, _FILE_MODE)
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(bytes_max + 1)
    finally:
        os.close(descriptor)
    if len(data) > bytes_max:
        raise CertError(str(path), f"is longer than {bytes_max} bytes", "It is not one of ours")
    return data


@contextmanager
def locked(path: Path, *, waits: bool = True, within_s: float = 0.0) -> Iterator[None]:
    """Hold the exclusive lock on the file ``path``, against threads and processes alike.

    Waits for the holder, or, if ``waits`` is False, raises `BlockingIOError` after ``within_s``.
    The kernel frees the lock when the holder dies. `flock` rather than POSIX record locks: those do
    not exclude threads of one process.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    directory = open_directory(path.parent)
    try:
        with named(path):
            descriptor = os.open(path.name, flags, _FILE_MODE, dir_fd=directory)
            found = os.fstat(descriptor)
            # A file with a second name may be any file of root's, linked here to change its owner.
            if found.st_uid == 0 and found.st_nlink == 1 and stat.S_ISREG(found.st_mode):
                _give_to_owner(descriptor, directory)
    finally:
        os.close(directory)
    try:
        if waits:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        else:
            lock_within(descriptor, within_s)
        yield
    finally:
        os.close(descriptor)


def lock_within(descriptor: int, within_s: float) -> None:
    """Lock an open file alone. Raises `BlockingIOError` if it is still held after ``within_s``."""
    until = time.monotonic() + within_s
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise
            time.sleep(limits.LOCK_RETRY_S)


def sync_directory(path: Path) -> None:
    """Make renames and removals in ``path`` survive a power loss."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_private(path: Path, found: os.stat_result, mode: int) -> None:
    is_owned = found.st_uid == os.geteuid()
    if not is_owned and os.geteuid() == 0:  # Root also maintains sites of others.
        is_owned = found.st_uid == path.parent.stat().st_uid
    if not is_owned:
        raise CertError(
            str(path),
            f"belongs to user {found.st_uid}, not to {os.geteuid()} who runs this",
            f"Run: chown {os.geteuid()} {quote(str(path))}",
        )
    have = stat.S_IMODE(found.st_mode)
    if have & ~mode & 0o777:
        raise CertError(
            str(path),
            f"may be used by others (mode {have:04o})",
            f"Run: chmod {mode:04o} {quote(str(path))}",
        )


StateT = TypeVar("StateT")
# UnicodeDecodeError is no DecodeError: invalid bytes within a text raise it.
UNREADABLE_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Exceptions of `msgspec.json.decode` for damaged or malicious bytes."""


class _Head(msgspec.Struct, frozen=True):
    version: int = STATE_VERSION


def require_known_version(data: bytes, source: str) -> None:
    """Raise `CertError` for a state file of a format that this version does not know.

    An unreadable file passes: its reader reports it.
    """
    try:
        version = msgspec.json.decode(data, type=_Head).version
    except UNREADABLE_JSON:
        return
    if version > STATE_VERSION:
        raise CertError(
            source,
            f"was written by a newer version (format {version}, known here: {STATE_VERSION})",
            "Update this router, or restore a backup of the state from before the update",
        )


def decode_state(data: bytes, kind: type[StateT], source: str, advice: str) -> StateT:
    """The value that was stored as JSON.

    `CertError` naming ``source``: it is damaged, with ``advice``, or of a newer version.
    """
    require_known_version(data, source)
    try:
        return msgspec.json.decode(data, type=kind)
    except UNREADABLE_JSON as error:
        raise CertError(source, "is damaged", advice) from error
