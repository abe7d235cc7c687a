"""Finds the unit or container of a control group (cgroup v2) by its path.

systemd.unit(5) has the names of units; podman and docker name groups by container ID. A user may
create groups of any name below those of that user's manager, so names there include the user.
"""

import os
import pwd
import re
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec

from router.callers.names import CallerName
from router.model.unreadable import UNREADABLE_JSON

ROOTS: Final = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
"""The second one applies next to version 1, whose IDs have other meanings."""
GROUPS_MAX: Final = 20_000  # Of a large host; groups beyond get no name.
_SCAN_EVERY_S: Final = 5.0
_CONTAINER: Final = re.compile(r"(?:libpod|docker|crio|cri-containerd)-([0-9a-f]{12,64})\.scope\Z")
_PLAIN_CONTAINER: Final = re.compile(r"(?:libpod-)?([0-9a-f]{64})\Z")
_PARENTS: Final = ("docker", "libpod_parent")  # Hosts where systemd does not create the groups.
_MANAGER: Final = re.compile(r"user@([0-9]+)\.service\Z")
_STORAGES: Final = (
    "/var/lib/containers/storage",
    "~/.local/share/containers/storage",
)


class ControlGroups:
    """Walks the tree when it meets an unknown group, at most every 5 s."""

    def __init__(self, now: Callable[[], float], root: Path | None = None) -> None:
        """``root``: the mount point of version 2; None: the usual one, if it exists."""
        self._now = now
        usual = (one for one in ROOTS if (one / "cgroup.controllers").exists())
        self._root = next(usual, None) if root is None else root
        self._paths: dict[int, str] = {}
        self._names: dict[int, CallerName | None] = {}
        self._walked = -_SCAN_EVERY_S

    def name(self, group: int) -> CallerName | None:
        """The unit or container of ``group``; None: neither, or not visible from here."""
        if group not in self._paths and self._now() - self._walked >= _SCAN_EVERY_S:
            self._walked = self._now()
            self._paths = {} if self._root is None else _paths(str(self._root))
            self._names = {}
        path = self._paths.get(group)
        if path is None:
            return None
        if group not in self._names:
            self._names[group] = named(path, container_name, user_name)
        return self._names[group]


def _paths(root: str) -> dict[int, str]:
    """All groups by ID. A group without subgroups has two links and is not read: reading is
    slow."""
    found: dict[int, str] = {}
    unread = [root]
    while unread and len(found) < GROUPS_MAX:
        directory = unread.pop()
        try:
            status = os.stat(directory)
            found[status.st_ino] = directory[len(root) :]
            if status.st_nlink == 2:
                continue
            with os.scandir(directory) as entries:
                unread += [one.path for one in entries if one.is_dir(follow_symlinks=False)]
        except OSError:
            continue  # The group has ended meanwhile.
    return found


def named(
    path: str, name_of: Callable[[str], str], user_of: Callable[[int], str]
) -> CallerName | None:
    """The unit or container of a control group's path. Pure.

    ``name_of`` a container by ID; empty: unknown. The outermost one counts: its owner chose the
    names inside.
    """
    user = ""
    parts = [part for part in path.split("/") if part]
    for part, inner in pairwise([*parts, ""]):
        if part.endswith(".slice"):
            continue
        if manager := _MANAGER.match(part):
            if user:
                return None
            user = user_of(int(manager[1]))
            continue
        if found := _CONTAINER.match(part):
            return _container(found[1], user, name_of)
        if part in _PARENTS and (found := _PLAIN_CONTAINER.match(inner)):
            return _container(found[1], user, name_of)
        if part.endswith(".service"):
            return CallerName("unit", f"{user}/{part}" if user else part)
        return None
    return None


def _container(container: str, user: str, name_of: Callable[[str], str]) -> CallerName:
    if user:  # It is not known here whether that user has such a container.
        return CallerName("container", f"{user}/{container[:12]}")
    return CallerName("container", name_of(container) or container[:12])


@lru_cache(maxsize=256)
def user_name(uid: int) -> str:
    """The user's name in the system; the number, if it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


class _Stored(msgspec.Struct):
    id: str
    names: tuple[str, ...] = ()


def container_name(container: str) -> str:
    """The container's name in podman's storage; empty: not readable, or not podman's."""
    for storage in _STORAGES:
        path = Path(os.path.expanduser(storage), "overlay-containers", "containers.json")
        try:
            known = msgspec.json.decode(path.read_bytes(), type=list[_Stored])
        except (OSError, *UNREADABLE_JSON):
            continue
        for one in known:
            if one.id.startswith(container) and one.names:
                return one.names[0]
    return ""
