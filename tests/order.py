"""The order of test files, what one test process takes at a time, and how many there are.

A file that starts processes waits for half of its time, one that computes never. Side by side they
use a processor up; room after room, as directories sort, it idles first and is short later.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

Item = TypeVar("Item")

ROOT: Final = Path(__file__).resolve().parents[1]
WAITING: Final = ("truth", "kubernetes", "browser", "hostile", "scenario")
"""Rooms of `tests` whose files start processes, those with the longest files first."""
PER_PROCESSOR: Final = 3
"""Test processes: one that waits, for half of its time or more, leaves its processor to others."""
MEMORY_BYTES: Final = 900 << 20
"""Of one test process, with its child processes, at most: a database and a browser among them."""
WAITING_SHARE: Final = 0.85
"""The part of the run in which these begin: some take a minute, and none is to end it alone."""


def processes(processors: int, memory_bytes: int) -> int:
    """How many test processes a machine has of so many processors, with so much memory."""
    return max(2, min(PER_PROCESSOR * processors, memory_bytes // MEMORY_BYTES))


def is_waiting(path: str) -> bool:
    """Whether the file at ``path``, from the root of the project, is one of those."""
    return _room(path) in WAITING


def part(name: str) -> str:
    """The part that one test process runs in one go together with the test of this name.

    That is its file. Of a waiting file it is a test function with all its parameters, unless its
    tests share the fixtures they wait for; those of `truth` share one cluster or one browser.
    """
    path, _, test = name.partition("::")
    if _room(path) == "truth":
        return f"{path}::[namespace]" if "[namespace" in test else path
    if is_waiting(path) and not _shares(path):
        return f"{path}::{test.partition('[')[0]}"
    return path


def interleaved(items: Sequence[Item], file_of: Callable[[Item], str]) -> list[Item]:
    """Both kinds of files evenly spread; the order within a room and within a file stays."""
    paths = list(dict.fromkeys(map(file_of, items)))
    waiting = sorted(filter(is_waiting, paths), key=lambda path: WAITING.index(_room(path)))
    places = {
        **_places(waiting, WAITING_SHARE),
        **_places([path for path in paths if not is_waiting(path)], 1.0),
    }
    return sorted(items, key=lambda item: places[file_of(item)])


def _room(path: str) -> str:
    return (path.split("/")[1:2] or [""])[0]


@cache
def _shares(path: str) -> bool:
    """Whether fixtures of the file are there for all of its tests."""
    return _room(path) == "browser" or 'scope="module"' in (ROOT / path).read_text("utf-8")


def _places(paths: Iterable[str], share: float) -> dict[str, tuple[float, str]]:
    """Where in the run each of these files begins; no two at the same place."""
    found = list(paths)
    return {path: (share * number / len(found), path) for number, path in enumerate(found)}
