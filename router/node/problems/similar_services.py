"""Declared services that a document with an unknown name may have meant."""

from collections.abc import Set
from typing import Final

from router.model.wording.suggestions import nearest

NAMES_MAX: Final = 500
"""More are not compared with a name: a thousand would take up to 15 ms."""
WORDS_MAX: Final = 3


class SimilarServices:
    """Remembers what it found while the declared names stay the same: `status` is read each second.

    Only the first `WORDS_MAX` unknown names are looked up.
    """

    __slots__ = ("_found", "_names")

    def __init__(self) -> None:
        self._names: Set[str] = frozenset()
        self._found: dict[str, str] = {}

    def to(self, word: str, names: Set[str]) -> str:
        """The one of ``names`` that is most like ``word``; empty: none is, or there are too many
        to compare."""
        if self._names != names:
            self._names, self._found = frozenset(names), {}
        if word not in self._found:
            if len(self._found) >= WORDS_MAX or len(names) > NAMES_MAX:
                return ""
            self._found[word] = nearest(word, names)
        return self._found[word]
