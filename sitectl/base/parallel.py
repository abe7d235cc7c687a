"""Work beside each other: what a command waits for most of its time."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from router.model.built_types import build_types

AT_ONCE: Final = 8
"""Objects or sites that are asked beside each other."""

Word = TypeVar("Word")
Found = TypeVar("Found")


def in_parallel(work: Callable[[Word], Found], words: Sequence[Word]) -> list[Found]:
    """What ``work`` gives for each word, in order, several at a time.

    What it raises is raised here, for the first of ``words``, once all have ended.
    """
    build_types()
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return list(pool.map(work, words))
