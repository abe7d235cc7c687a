"""The account that routers of system units run as, and handing a site over to it.

A static account rather than DynamicUser: the state may lie in any directory (``--state``), root's
sitectl and a container of the same site share it, and a file has the owner of its directory. All of
that needs a constant user ID. ``systemd-sysusers`` makes the account from one line.
"""

import contextlib
import grp
import os
import pwd
import stat
from pathlib import Path
from typing import Final, NamedTuple

from certs.files import open_directory
from sitectl.base.failure import Exit, Failure
from sitectl.base.folders import GATEWAYS
from sitectl.runtimes import programs
from sitectl.runtimes.programs import last_line
from sitectl.runtimes.systemd.unit_file import ACCOUNT

_GECOS: Final = "Spillway routers (sitectl)"
"""By this the account is known as made here; one of a package's or an administrator's stays."""
_TIMEOUT_S: Final = 30.0


class RouterAccount(NamedTuple):
    """Whom a router runs as, by name where there is one, and by number."""

    user: str
    group: str
    uid: int
    gid: int


def owner_of(directory: Path) -> RouterAccount | None:
    """Whose the site is, and so whom its router runs as. None: root's, until it is handed over."""
    found = directory.stat()
    if found.st_uid == 0:
        return None
    try:
        user = pwd.getpwuid(found.st_uid).pw_name
    except KeyError:
        user = str(found.st_uid)
    try:
        group = grp.getgrgid(found.st_gid).gr_name
    except KeyError:
        group = str(found.st_gid)
    return RouterAccount(user, group, found.st_uid, found.st_gid)


def own_site(directory: Path) -> None:
    """See that the site is not root's: that of another user stays theirs, root's is handed over."""
    owner = owner_of(directory)
    if owner is None or owner.user == ACCOUNT:
        hand_over(directory, make_account())


def account() -> pwd.struct_passwd | None:
    """The account; None: it is not there."""
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        return None


def make_account() -> pwd.struct_passwd:
    """The account, made unless it is there. Failure: it cannot be."""
    found = account()
    if found is None:
        _run("systemd-sysusers", "--inline", f'u {ACCOUNT} - "{_GECOS}"')
        found = account()
    if found is None:
        raise Failure(
            Exit.FAILED,
            "SW0609",
            f"systemd-sysusers made no user {ACCOUNT!r}",
            f"useradd --system --user-group --shell /sbin/nologin {ACCOUNT}, then again",
        )
    return found


def remove_account(site: Path, state: Path) -> None:
    """Take back what `make_account` made, if it did, and no other site below ``state`` is its.

    ``site``, which it leaves, is root's again: the next account may get the same number.
    """
    found = account()
    if found is None or found.pw_gecos != _GECOS:
        return
    others = [path for path in (*state.glob("*"), *state.glob(f"{GATEWAYS}/*")) if path != site]
    if any(path.lstat().st_uid == found.pw_uid for path in others):
        return
    if site.stat().st_uid == found.pw_uid:
        hand_over(site, pwd.getpwuid(0))
    _run("userdel", ACCOUNT)


def hand_over(directory: Path, owner: pwd.struct_passwd) -> None:
    """Make ``directory`` and everything in it ``owner``'s. Failure: it holds another's file.

    Nothing is followed out of it: neither a symbolic link nor a second name of a file elsewhere.
    """
    top = open_directory(directory)
    try:
        _hand_over(top, directory, owner)
    finally:
        os.close(top)


def _hand_over(here: int, path: Path, owner: pwd.struct_passwd) -> None:
    for name in os.listdir(here):
        try:
            found = os.stat(name, dir_fd=here, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                inner = os.open(name, flags, dir_fd=here)
                try:
                    _hand_over(inner, path / name, owner)
                finally:
                    os.close(inner)
            else:
                _give(here, path / name, owner)
        except FileNotFoundError:
            continue  # A temporary file of another running command.
    if os.fstat(here).st_uid != owner.pw_uid:
        os.fchown(here, owner.pw_uid, owner.pw_gid)


def _give(here: int, path: Path, owner: pwd.struct_passwd) -> None:
    """Judge and give away one and the same file, whatever takes its name meanwhile."""
    held = os.open(path.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
    try:
        found = os.fstat(held)
        if found.st_uid == owner.pw_uid or stat.S_ISLNK(found.st_mode):
            return  # The owner of the directory can follow or remove a link, whatever its owner.
        if found.st_nlink > 1:
            raise Failure(
                Exit.FAILED,
                "SW0609",
                f"{path} has a second name elsewhere, it is not given away",
                f"Put a copy of it in its place, or remove it: {path}",
            )
        os.chown(f"/proc/self/fd/{held}", owner.pw_uid, owner.pw_gid)
    finally:
        os.close(held)


def _run(*command: str) -> None:
    hint = f"useradd --system --user-group --shell /sbin/nologin {ACCOUNT}, then again"
    try:
        done = programs.run(command, _TIMEOUT_S, code="SW0609", hint=hint)
    except OSError as error:
        said = str(error)
    else:
        if done.returncode == 0:
            return
        said = last_line(done.stderr)
    raise Failure(Exit.FAILED, "SW0609", f"{' '.join(command)}: {said}", hint)


def open_the_way(directory: Path, below: Path) -> None:
    """Let others pass through the parents of ``directory`` that are ours: ``below`` and inside."""
    for parent in directory.parents:
        if parent.is_relative_to(below):
            with contextlib.suppress(FileNotFoundError):
                mode = stat.S_IMODE(parent.stat().st_mode)
                if not mode & stat.S_IXOTH:
                    parent.chmod(mode | stat.S_IXGRP | stat.S_IXOTH)
