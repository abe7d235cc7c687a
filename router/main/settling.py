"""After the start: pages of libraries that only the start touched leave this process again.

Importing and setting up touches some 17 MiB of libraries' code and tables, those of two OpenSSLs
among them, of which a router at rest touches 4 again. They are clean pages of files: what is needed
after all comes back from the page cache, in a microsecond or so for sixteen pages. They never were
private, so beside other processes with the same libraries the machine gains nothing by this; but
what is mapped, and what `ps` says, is then what is in use.
"""

import asyncio
import ctypes
import mmap
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from router.model import limits

SMAPS = Path("/proc/self/smaps")
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ [1-9]\d* +(/.*)\n")
_WRITTEN = re.compile(r"Anonymous: +(\d+) kB\n")


class Mapping(msgspec.Struct, frozen=True):
    """Of a file, in this process. ``written_kb``: no longer what is in the file."""

    start: int
    end: int
    flags: str
    path: str
    written_kb: int


async def settle() -> None:
    """A few times after the start; in a thread, since the kernel counts every page: some 10 ms.

    More than once, because first links are made by hand a little later, with certificates.
    """
    for pause_s in (limits.SETTLE_FIRST_S, limits.SETTLE_AGAIN_S, limits.SETTLE_LAST_S):
        await asyncio.sleep(pause_s)
        await asyncio.to_thread(unmap_untouched)


def unmap_untouched() -> None:
    """Let the clean pages of libraries go. Nothing happens where the kernel is another."""
    madvise = getattr(ctypes.CDLL(None), "madvise", None)
    dont_need = getattr(mmap, "MADV_DONTNEED", None)
    if madvise is None or dont_need is None:
        return
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    try:
        with SMAPS.open(errors="replace") as lines:  # 200 KB, so line by line.
            found = droppable(mappings(lines))
    except OSError:
        return
    for one in found:
        madvise(one.start, one.end - one.start, dont_need)


def mappings(lines: Iterable[str]) -> Iterator[Mapping]:
    """Those of files, out of `smaps` (proc(5))."""
    found: re.Match[str] | None = None
    for line in lines:
        if written := _WRITTEN.fullmatch(line):
            if found is not None:
                start, end, flags, path = found.groups()
                yield Mapping(int(start, 16), int(end, 16), flags, path, int(written[1]))
            found = None
        elif "-" in line.partition(" ")[0]:
            found = _MAPPING.fullmatch(line)


def droppable(found: Iterable[Mapping]) -> list[Mapping]:
    """Those that hold nothing but what is in their file, and of which this stays so.

    Of libraries only, which have code: these are never unmapped, while a thread might put something
    else where another file was.
    """
    all_ = list(found)
    libraries = {one.path for one in all_ if one.flags == "r-xp"}
    return [
        one
        for one in all_
        if one.path in libraries and one.flags in ("r-xp", "r--p") and not one.written_kb
    ]
