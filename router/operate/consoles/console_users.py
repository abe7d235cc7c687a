"""Users of the console as files: ``secrets/console-users/NAME`` holds the password of NAME."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from certs.errors import CertError
from certs.files import read_secret
from router.admin.console.auth import Users
from router.model import limits
from router.model.events import Problem
from router.model.wording.system_errors import step_after, text_of

FOLDER = "console-users"
_FIRST_USER: Final = "admin"
_USERS_NAMED: Final = 3  # One problem each; the next ones follow when these are corrected.


class UserTrouble(msgspec.Struct, frozen=True):
    """A user who does not count. ``name``: empty for the whole folder. ``step``: the next one;
    empty: another password."""

    name: str
    reason: str
    step: str = ""

    def shown(self, place: str) -> str:
        """``reason`` with the file, or the key, in ``place``."""
        return f"{place}/{self.name} {self.reason}" if self.name else f"{place} {self.reason}"


class UserFiles:
    """Reads the files again when one has changed. ``troubles``: the users that do not count, by
    name, as read last."""

    __slots__ = ("_directory", "_key", "_stamp", "_users", "troubles")

    def __init__(self, directory: Path, key: bytes) -> None:
        """``key``: random, of this process."""
        self._directory, self._key = directory, key
        self._stamp: object = None
        self._users = Users(key, {})
        self.troubles: tuple[UserTrouble, ...] = ()

    def now(self) -> Users:
        """The users as on disk; some 10 µs if nothing has changed."""
        stamp = self._look()
        if stamp != self._stamp:
            self._users = Users(self._key, self._read())
            self._stamp = stamp
        return self._users

    def problems(self, place: str, new_password: Callable[[str], str]) -> list[Problem]:
        """No user counts, or some do not. ``place``: their name for the operator.
        ``new_password``: the command that sets one."""
        if len(self.now()):
            return [
                Problem(
                    code="SW0210",
                    message=f"User {one.name} cannot log in to the console: {one.shown(place)}.",
                    hint=one.step or new_password(one.name),
                )
                for one in self.troubles[:_USERS_NAMED]
            ]
        why, hint = "", new_password(_FIRST_USER)
        for one in self.troubles[:1]:
            why, hint = f": {one.shown(place)}", one.step or new_password(one.name)
        message = f"No user can log in to the console, it has no user{why}."
        return [Problem(code="SW0209", message=message, hint=hint)]

    def _names(self) -> list[str]:
        """Names of the user files, without temporary files and those that Kubernetes mounts beside
        them; one more than count.
        """
        names = sorted(name for name in os.listdir(self._directory) if not name.startswith("."))
        return names[: limits.CONSOLE_USERS_MAX + 1]

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
        troubles: list[UserTrouble] = []
        try:
            names = self._names()
        except OSError as error:
            names = []
            if not isinstance(error, FileNotFoundError):
                troubles.append(_unread("", error))
        for name in names[: limits.CONSOLE_USERS_MAX]:
            password = self._password(name)
            if isinstance(password, bytes):
                found[name] = password
            elif password is not None:
                troubles.append(password)
        for name in names[limits.CONSOLE_USERS_MAX :]:
            most = f"is one more than the {limits.CONSOLE_USERS_MAX} users that there may be"
            troubles.append(UserTrouble(name, most, "Remove a user"))
        self.troubles = tuple(troubles)
        return found

    def _password(self, name: str) -> bytes | UserTrouble | None:
        """None: the file has just gone."""
        try:
            data = read_secret(self._directory / name)
        except FileNotFoundError:
            return None
        except CertError as error:
            return UserTrouble(name, error.reason, error.hint)
        except OSError as error:
            return _unread(name, error)
        if len(data) > limits.CONSOLE_PASSWORD_BYTES_MAX:
            return UserTrouble(name, f"is longer than {limits.CONSOLE_PASSWORD_BYTES_MAX} bytes")
        password = data.removesuffix(b"\n").removesuffix(b"\r")
        return password or UserTrouble(name, "has no password in it")


def _unread(name: str, error: OSError) -> UserTrouble:
    reason = f"cannot be read: {error.strerror or error}"
    return UserTrouble(name, reason, step_after(error) or "sitectl status")
