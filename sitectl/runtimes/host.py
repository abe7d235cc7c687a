"""What this host offers to routers in containers, and whose a router's process is."""

import os
import pwd
from pathlib import Path
from typing import Final

import msgspec

ROUTER_UID: Final = 65_521
"""Whom root's containers run as when the state is root's: in a range that systemd leaves unused
(UIDS-GIDS: 65520-65533) and that no distribution gives away, so that it is nobody else."""
_CGROUPS = Path("/sys/fs/cgroup/cgroup.controllers")
_LINGER = Path("/var/lib/systemd/linger")
_SUBORDINATE = (Path("/etc/subuid"), Path("/etc/subgid"))


class Host(msgspec.Struct, frozen=True):
    """Facts, gathered once per command. ``manager``: a systemd that starts our units runs."""

    uid: int
    user: str
    manager: bool
    unified: bool
    lingers: bool
    has_subordinate_ids: bool

    @property
    def is_root(self) -> bool:
        """Whether containers are the system's."""
        return self.uid == 0


def this_host() -> Host:
    """As it is now."""
    uid = os.geteuid()
    user = user_name(uid)
    return Host(
        uid=uid,
        user=user,
        manager=has_manager(uid),
        unified=_CGROUPS.exists(),
        lingers=uid == 0 or (_LINGER / user).exists(),
        has_subordinate_ids=uid == 0 or all(_names(path, user, uid) for path in _SUBORDINATE),
    )


def user_name(uid: int) -> str:
    """The account's name, else the number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def has_manager(uid: int) -> bool:
    """Whether the systemd that this user's units belong to runs (sd_booted(3))."""
    if uid == 0:
        return Path("/run/systemd/system").is_dir()
    run = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
    return Path(run, "systemd", "private").exists()


def _names(path: Path, user: str, uid: int) -> bool:
    """Whether subuid(5) gives the user a range."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    return any(line.startswith((f"{user}:", f"{uid}:")) for line in lines)


def own_state(directory: Path) -> tuple[int, int]:
    """Whom the router of root's site runs as: who owns the directory, made ours to give if root.

    A tree that root owns is given to `ROUTER_UID`; links in it are not followed.
    """
    status = directory.stat()
    if status.st_uid:
        return status.st_uid, status.st_gid
    for folder, _, files in os.walk(directory):
        for name in ("", *files):
            os.chown(Path(folder, name), ROUTER_UID, ROUTER_UID, follow_symlinks=False)
    return ROUTER_UID, ROUTER_UID
