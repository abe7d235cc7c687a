"""Memory use and limits of this process: the kernel's figures and its cgroup's limits."""

import ctypes
import gc
import os
import resource
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

UNLIMITED_ABOVE = 2**60  # Instead of "none" cgroup v1 reports a value near 2**63.
CGROUP_ROOT = Path("/sys/fs/cgroup")
PROC_CGROUP = Path("/proc/self/cgroup")
STATM = "/proc/self/statm"
_STATISTICS_BYTES_MAX = 65_536
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class ResidentMemory:
    """The present memory of this process. Takes some 3 µs; read several times a second.

    Its file stays open: without a free descriptor the router must still see its memory.
    """

    __slots__ = ("_descriptor",)

    def __init__(self) -> None:
        self._descriptor = os.open(STATM, os.O_RDONLY | os.O_CLOEXEC)

    def read(self) -> list[int]:
        """Bytes: mapped first, then resident; data is the last but one."""
        return [int(pages) * PAGE_BYTES for pages in os.pread(self._descriptor, 100, 0).split()]

    def close(self) -> None:
        os.close(self._descriptor)


class MappedLimits:
    """The resident memory that `ulimit -v` and `ulimit -d` allow: they count mapped memory, used or
    not.

    Memory mapped beyond the highest resident size, such as stacks and malloc's arenas, counts as
    lost: freed memory stays mapped and is used again.
    """

    __slots__ = ("_most_resident_bytes",)

    def __init__(self) -> None:
        self._most_resident_bytes = 0

    def most_bytes(self, used: Sequence[int]) -> int | None:
        """``used``: from `ResidentMemory.read`. None: no such limit. Some 2 µs."""
        mapped, resident, data = used[0], used[1], used[-2]
        self._most_resident_bytes = most_resident = max(self._most_resident_bytes, resident)
        found = [
            soft - (counted - most_resident)
            for kind, counted in ((resource.RLIMIT_AS, mapped), (resource.RLIMIT_DATA, data))
            if (soft := resource.getrlimit(kind)[0]) != resource.RLIM_INFINITY
        ]
        return min(found, default=None)


def memory_limit(*, root: Path = CGROUP_ROOT, membership: Path = PROC_CGROUP) -> int:
    """The limit of resident memory: the lowest of control groups, `RLIMIT_RSS` and the machine."""
    found = [os.sysconf("SC_PHYS_PAGES") * PAGE_BYTES]
    soft, _ = resource.getrlimit(resource.RLIMIT_RSS)
    if soft != resource.RLIM_INFINITY:
        found.append(soft)
    found += _cgroup_limits(root, membership)
    return min(found)


def _cgroup_limits(root: Path, membership: Path) -> Iterator[int]:
    """Limits of this process's group and those above it, versions 1 and 2 (cgroups(7))."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:  # Not Linux's proc, or hidden.
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            base, name = root, "memory.max"
        elif "memory" in controllers.split(","):
            base, name = root / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = base / path.lstrip("/")
        for each in (group, *group.parents):
            if not each.is_relative_to(base):
                break
            limit = _read_limit(each / name)
            if limit is not None:
                yield limit


def _read_limit(path: Path) -> int | None:
    """Bytes; None: no such file (a container sees its own group as the root), or no limit."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() and int(text) < UNLIMITED_ABOVE else None


def socket_statistics(*, root: Path = CGROUP_ROOT, membership: Path = PROC_CGROUP) -> Path | None:
    """The file with the socket memory of this process's control group.

    None: no group of version 2 limits the process. Version 1 counts socket buffers apart from the
    memory limit, and without a group they belong to the machine alone.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:  # Not Linux's proc, or hidden.
        return None
    path = next((line[3:] for line in lines if line.startswith("0::")), None)
    if path is None:
        return None
    own = root / path.lstrip("/")
    groups = [each for each in (own, *own.parents) if each.is_relative_to(root)]
    if all(_read_limit(each / "memory.max") is None for each in groups):
        return None
    # A container sees its own group as the root, whatever its path outside.
    files = (each / "memory.stat" for each in groups)
    return next((file for file in files if file.exists()), None)


class SocketMemory:
    """The kernel's present memory for the sockets of a control group; like `ResidentMemory`."""

    __slots__ = ("_descriptor",)

    def __init__(self, statistics: Path | None) -> None:
        """``statistics``: from `socket_statistics`."""
        self._descriptor: int | None = None
        if statistics is not None:
            self._descriptor = os.open(statistics, os.O_RDONLY | os.O_CLOEXEC)

    def read_bytes(self) -> int:
        """Bytes; 0: nothing limits them, or the process has left the group, which is gone."""
        if self._descriptor is None:
            return 0
        try:
            statistics = os.pread(self._descriptor, _STATISTICS_BYTES_MAX, 0)
        except OSError:
            return 0
        for line in statistics.splitlines():
            if line.startswith(b"sock "):
                return int(line.split()[1])
        return 0

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)


def trimmer() -> Callable[[bool], None]:
    """Return a function that gives freed memory back: Python's cycles first if asked, then
    malloc's.
    """
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, musl not.

    def trim(thoroughly: bool) -> None:
        if thoroughly:
            gc.collect()  # Inspects every object: tens of milliseconds.
        if malloc_trim is not None:
            malloc_trim(0)

    return trim
