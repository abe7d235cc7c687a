"""Which unit or container a control group (cgroup v2) is of: by its path under ``/sys/fs/cgroup``.

systemd.unit(5) has the names of units, podman and docker name the scopes of containers by ID.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from router.callers.names import CallerName

ROOT: Final = Path("/sys/fs/cgroup")
GROUPS_MAX: Final = 20_000  # Of a large host; what is beyond has no name.
_SCAN_EVERY_S: Final = 5.0
_CONTAINER: Final = re.compile(r"(?:libpod|docker|crio|cri-containerd)-([0-9a-f]{12,64})\.scope\Z")
_UNIT: Final = re.compile(r".+\.service\Z")
_OF_A_MANAGER: Final = re.compile(r"user@[0-9]+\.service\Z")
_STORAGES: Final = (
    Path("/var/lib/containers/storage"),
    Path("~/.local/share/containers/storage"),
)


class ControlGroups:
    """The tree is walked when a group is met that was not there before, at most each 5 s."""

    def __init__(self, now: Callable[[], float], root: Path = ROOT) -> None:
        self._now, self._root = now, root
        self._paths: dict[int, str] = {}
        self._walked = -_SCAN_EVERY_S

    def name(self, group: int) -> CallerName | None:
        """Its unit or container; None: it is of neither, or not to be seen from here."""
        if group not in self._paths and self._now() - self._walked >= _SCAN_EVERY_S:
            self._walk()
        return named(self._paths.get(group, ""), container_name)

    def _walk(self) -> None:
        self._walked = self._now()
        found: dict[int, str] = {}
        for directory, _, _ in os.walk(self._root):  # What ends meanwhile is left out.
            if len(found) >= GROUPS_MAX:
                break
            try:
                inode = os.stat(directory).st_ino
            except OSError:
                continue
            found[inode] = directory[len(str(self._root)) :]
        self._paths = found


def named(path: str, name_of: Callable[[str], str]) -> CallerName | None:
    """What a path of control groups is of. ``name_of`` a container by ID; empty: unknown. Pure."""
    parts = [part for part in path.split("/") if part]
    for part in reversed(parts):
        if found := _CONTAINER.search(part):
            return CallerName("container", name_of(found[1]) or found[1][:12])
    units = [part for part in parts if _UNIT.match(part) and not _OF_A_MANAGER.match(part)]
    return CallerName("unit", units[-1]) if units else None


class _Stored(msgspec.Struct):
    id: str
    names: tuple[str, ...] = ()


def container_name(container: str) -> str:
    """As podman calls it, by its storage; empty: not readable, or not podman's."""
    for storage in _STORAGES:
        path = storage.expanduser() / "overlay-containers" / "containers.json"
        try:
            known = msgspec.json.decode(path.read_bytes(), type=list[_Stored])
        except (OSError, msgspec.DecodeError):
            continue
        for one in known:
            if one.id.startswith(container) and one.names:
                return one.names[0]
    return ""
