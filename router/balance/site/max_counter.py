"""Counts per name, with constant-time access to a name with the largest."""

from collections.abc import Hashable
from typing import Generic, TypeVar

NameT = TypeVar("NameT", bound=Hashable)


class MaxCounter(Generic[NameT]):
    """How many items each name has. A name without any is forgotten. All operations O(1).

    Counts change by one, so the largest does too, and one bucket of names per count is enough.
    """

    __slots__ = ("_buckets", "_counts", "count")

    def __init__(self) -> None:
        self._counts: dict[NameT, int] = {}
        self._buckets: dict[int, dict[NameT, None]] = {}  # Of each count that some name has.
        self.count = 0
        """The largest; 0: there are no items."""

    @property
    def name(self) -> NameT:
        """A name with the largest count, the last that reached it; there must be items."""
        return next(reversed(self._buckets[self.count]))

    def add(self, name: NameT) -> None:
        """``name`` has one more."""
        count = self._counts.get(name, 0)
        self._move(name, count, count + 1)
        self.count = max(self.count, count + 1)

    def remove(self, name: NameT) -> None:
        """``name``, which has some, has one less."""
        count = self._counts[name]
        self._move(name, count, count - 1)
        if count == self.count and count not in self._buckets:
            self.count = count - 1  # At least this name's.

    def _move(self, name: NameT, before: int, after: int) -> None:
        if before:
            bucket = self._buckets[before]
            del bucket[name]
            if not bucket:
                del self._buckets[before]
        if after:
            self._counts[name] = after
            self._buckets.setdefault(after, {})[name] = None
        else:
            del self._counts[name]
