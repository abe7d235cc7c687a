"""Where lines are written: a file of bounded size, or standard output. For one writing thread."""

import os
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from router.model import limits


class Sink(Protocol):
    """A destination for lines, used only by the writing thread."""

    def write(self, lines: bytes) -> None:
        """Write whole lines. Raises OSError if that fails."""

    def reopen(self) -> None:
        """Close the file, because a log rotation may have moved it; the next line opens it
        again. Raises OSError if lines are lost."""

    def close(self) -> None:
        """Raises OSError if lines are lost."""


class RotatedFile:
    """A file of at most ``bytes_max`` and its predecessors ``.1``, ``.2``…, readable only by us.

    It is opened at the first write, so that an unused log leaves no file.
    """

    def __init__(
        self,
        path: Path,
        bytes_max: int = limits.ACCESS_LOG_BYTES_MAX,
        files: int = limits.ACCESS_LOG_FILES,
    ) -> None:
        self._path = path
        self._bytes_max = bytes_max
        self._files = files
        self._descriptor = -1
        self._bytes = 0

    def write(self, lines: bytes) -> None:
        """Write whole lines. The file is rotated before it would grow too large."""
        self._open()
        if self._bytes and self._bytes + len(lines) > self._bytes_max:
            self._rotate()
        _write(self._descriptor, lines)
        self._bytes += len(lines)

    def reopen(self) -> None:
        """The next line opens the file that is then at the path."""
        self.close()

    def close(self) -> None:
        """Idempotent. A network file system may report only here that it lost lines."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)  # Closed even if it fails: the number may be of another file then.

    def _open(self) -> None:
        if self._descriptor >= 0:
            return
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self._path, flags, 0o600)
        os.fchmod(self._descriptor, 0o600)  # Another program may have created it first.
        self._bytes = os.fstat(self._descriptor).st_size

    def _rotate(self) -> None:
        self.close()
        names = [self._path, *(Path(f"{self._path}.{n}") for n in range(1, self._files))]
        for newer, older in reversed(list(pairwise(names))):
            if newer.exists():
                os.replace(newer, older)
        self._open()


class StandardOutput:
    """Standard output, which a supervisor collects together with the router's own log.

    Not by `sys.stdout`: a thread that hangs in a write would hold its lock, and the interpreter
    aborts if it cannot have it at the end.
    """

    def write(self, lines: bytes) -> None:
        """Whole lines at once."""
        _write(1, lines)

    def reopen(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do: this process does not own it."""


def _write(descriptor: int, lines: bytes) -> None:
    written = os.write(descriptor, lines)
    while written < len(lines):  # On a full disk the second try raises the error.
        written += os.write(descriptor, lines[written:])
