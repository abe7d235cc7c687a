"""Calls in parallel: reading a namespace costs about one round trip, not one for each kind."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from router.model.built_types import build_types

AT_ONCE: Final = 8
"""Objects or sites that are asked in parallel."""

Word = TypeVar("Word")
Found = TypeVar("Found")


def in_parallel(work: Callable[[Word], Found], words: Sequence[Word]) -> list[Found]:
    """Call ``work`` with each word, several at a time; the results in the order of ``words``.

    Raises the exception of the first failed word, after all calls have ended.
    """
    build_types()
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return list(pool.map(work, words))
