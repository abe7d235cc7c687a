"""Users of the console as files: ``secrets/console-users/NAME`` holds the password of NAME."""

import os
from pathlib import Path

from certs.errors import CertError
from certs.files import read_secret
from router.admin.console.auth import Users
from router.model import limits
from router.model.wording.system_errors import text_of

FOLDER = "console-users"


class UserFiles:
    """Reads the files again when one has changed. ``trouble``: why one does not count; empty: all
    do.
    """

    __slots__ = ("_directory", "_key", "_stamp", "_users", "trouble")

    def __init__(self, directory: Path, key: bytes) -> None:
        """``key``: random, of this process."""
        self._directory, self._key = directory, key
        self._stamp: object = None
        self._users = Users(key, {})
        self.trouble = ""

    def now(self) -> Users:
        """The users as on disk; some 10 µs if nothing has changed."""
        stamp = self._look()
        if stamp != self._stamp:
            self._users = Users(self._key, self._read())
            self._stamp = stamp
        return self._users

    def _names(self) -> list[str]:
        """Names of the user files, without temporary files and those that Kubernetes mounts beside
        them.
        """
        names = sorted(name for name in os.listdir(self._directory) if not name.startswith("."))
        return names[: limits.CONSOLE_USERS_MAX]

    def _look(self) -> object:
        """A value that changes whenever a user file does."""
        try:
            return tuple(
                (name, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)
                for name in self._names()
                for found in (os.lstat(self._directory / name),)
            )
        except OSError as error:
            return text_of(error)

    def _read(self) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        self.trouble = ""
        try:
            for name in self._names():
                try:
                    data = read_secret(self._directory / name, limits.CONSOLE_PASSWORD_BYTES_MAX)
                except CertError as error:
                    self.trouble = str(error)
                    continue
                found[name] = data.removesuffix(b"\n").removesuffix(b"\r")
                if not found[name]:
                    self.trouble = f"{self._directory / name} has no password in it"
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                self.trouble = text_of(error)
        return found
