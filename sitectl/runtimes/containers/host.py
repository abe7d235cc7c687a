"""Facts of this host for routers in containers, and the user of a router's process."""

import os
import pwd
from pathlib import Path
from typing import Final

import msgspec

from sitectl.runtimes.account import account, hand_over
from sitectl.runtimes.manager import Manager, user_name

ROUTER_UID: Final = 65_521
"""The user ID of root's containers if the state is root's: in a range that systemd leaves unused
(UIDS-GIDS: 65520-65533) and no distribution assigns, so no other account has it."""
_CGROUPS = Path("/sys/fs/cgroup/cgroup.controllers")
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
    user = user_name()
    return Host(
        uid=uid,
        user=user,
        manager=has_manager(uid),
        unified=_CGROUPS.exists(),
        lingers=uid == 0 or Manager("user").lingers() is not False,
        has_subordinate_ids=uid == 0 or all(_names(path, user, uid) for path in _SUBORDINATE),
    )


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

    A tree that root owns is given to the account of system units where there is one, else to
    `ROUTER_UID`; nothing is followed out of it.
    """
    status = directory.stat()
    if status.st_uid:
        return status.st_uid, status.st_gid
    owner = account() or pwd.struct_passwd(
        ("spillway", "x", ROUTER_UID, ROUTER_UID, "", "/", "/sbin/nologin")
    )
    hand_over(directory, owner)
    return owner.pw_uid, owner.pw_gid
