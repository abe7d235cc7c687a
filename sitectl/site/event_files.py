"""Events out of `run/events.log` of a site on this host, when its router does not answer."""

import json
import os
import stat
from pathlib import Path
from typing import Any, Final

NAMES: Final = ("events.log.2", "events.log.1", "events.log")  # Oldest first.
BYTES_MAX: Final = 4 * 1024 * 1024  # Of each: what one page of the past needs.


def events_of(run: Path) -> list[dict[str, Any]]:
    """All events that can be read, oldest first. A line that is none is left out."""
    found: list[dict[str, Any]] = []
    for name in NAMES:
        for line in tail(run / name, BYTES_MAX).splitlines():
            try:
                event = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(event, dict) and isinstance(event.get("at"), str):
                event.pop("n", None)
                found.append(event)
    return found


def tail(path: Path, size_bytes: int) -> bytes:
    """The last whole lines of a regular file; empty: there is none, or we may not read it.

    The owner of the directory may put a link or a pipe there.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags)
    except OSError:
        return b""
    with open(descriptor, "rb") as file:
        known = os.fstat(descriptor)
        if not stat.S_ISREG(known.st_mode):
            return b""
        file.seek(max(0, known.st_size - size_bytes))
        text = file.read(size_bytes)
    return text if known.st_size <= size_bytes else text.partition(b"\n")[2]
