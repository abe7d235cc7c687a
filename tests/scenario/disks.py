"""Disks of a test's own, small enough to be full."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import needs


class Disk:
    """A mounted file system in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    def fill(self) -> None:
        """Take all the space there is."""
        with self._filler.open("wb", buffering=0) as file:
            try:
                while file.write(b"\0" * 4096):
                    pass
            except OSError:
                return

    def free(self) -> None:
        """Give it back."""
        self._filler.unlink()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """For all who open a file within."""
        _run("mount", "--bind", str(self.path), str(self.path))
        try:
            _run("mount", "-o", "remount,bind,ro", str(self.path))
            yield
        finally:
            _run("umount", "-l", str(self.path))


def _run(*words: str) -> None:
    subprocess.run(words, check=True, timeout=30)


@contextmanager
def small_disk(path: Path) -> Iterator[Disk]:
    """A disk of 2 MiB at ``path``, gone afterwards."""
    needs.root("mount a file system")
    path.mkdir()
    _run("mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "spillway-test", str(path))
    try:
        yield Disk(path)
    finally:
        _run("umount", "-l", str(path))
