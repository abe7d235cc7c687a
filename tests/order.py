"""The order of test files: those that wait among those that compute, for all of a run.

A file that starts processes waits for half of its time, one that computes never. Side by side they
use a processor up; room after room, as directories sort, it idles first and is short later.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

Item = TypeVar("Item")

WAITING: Final = frozenset({"browser", "hostile", "kubernetes", "scenario", "truth"})
"""Rooms of `tests` whose files start processes."""
WAITING_SHARE: Final = 0.85
"""The part of the run in which these begin: some take a minute, and none is to end it alone."""


def is_waiting(path: str) -> bool:
    """Whether the file at ``path``, from the root of the project, is one of those."""
    return bool(WAITING.intersection(path.split("/")[1:2]))


def interleaved(items: Sequence[Item], file_of: Callable[[Item], str]) -> list[Item]:
    """Both kinds of files evenly spread; the order within a kind and within a file stays."""
    paths = list(dict.fromkeys(map(file_of, items)))
    places = {
        **_places([path for path in paths if is_waiting(path)], WAITING_SHARE),
        **_places([path for path in paths if not is_waiting(path)], 1.0),
    }
    return sorted(items, key=lambda item: places[file_of(item)])


def _places(paths: Iterable[str], share: float) -> dict[str, tuple[float, str]]:
    """Where in the run each of these files begins; no two at the same place."""
    found = list(paths)
    return {path: (share * number / len(found), path) for number, path in enumerate(found)}
