"""What was made of a head, kept for the next one of exactly the same bytes."""

from collections import deque
from collections.abc import Mapping
from typing import Generic, TypeVar

from router.model.limits import (
    HEAD_REMEMBERED_BYTES_MAX,
    HEADS_REMEMBERED_BYTES_MAX,
    HEADS_REMEMBERED_MAX,
    HEADS_SEEN_SLOTS,
)

_Value = TypeVar("_Value")


class BytesCache(Generic[_Value]):
    """Values by the exact bytes they were made of: a look into ``known`` is all that a hit costs.

    Who is in a hurry asks with `in` and takes a subscript: no call, and none of the KeyError that
    each head of its own would raise.

    Worth a place is what is seen twice: heads that never come again (an id in each) displace
    nobody and take no room. Bounded in entries and in bytes of keys; the oldest goes first. Whoever
    judges by settings of its own says in the value by which, and looks.
    """

    __slots__ = ("_key_bytes", "_oldest_first", "_seen", "_values", "known")

    def __init__(self) -> None:
        self._values: dict[bytes, _Value] = {}  # A plain one: the interpreter knows it best.
        # Apart: a dict finds its first key ever later, the more came before it and are gone.
        self._oldest_first: deque[bytes] = deque()
        self._key_bytes = 0
        self._seen = [0] * HEADS_SEEN_SLOTS  # The hash of what came last, by that hash.
        self.known: Mapping[bytes, _Value] = self._values

    def __len__(self) -> int:
        return len(self._values)

    @property
    def key_bytes(self) -> int:
        """Of all that is remembered. The values are not much larger."""
        return self._key_bytes

    def forget(self) -> None:
        """All of it. What comes again is remembered at once: that it was seen is not forgotten."""
        self._values.clear()  # In place: ``known`` is the same.
        self._oldest_first.clear()
        self._key_bytes = 0

    def is_wanted(self, text: bytes) -> bool:
        """``text`` is not known, or not in this way: what is made of it is worth keeping."""
        number = hash(text)
        slot = number % HEADS_SEEN_SLOTS
        if self._seen[slot] == number:
            return len(text) <= HEAD_REMEMBERED_BYTES_MAX
        self._seen[slot] = number
        return False

    def note(self, text: bytes, value: _Value) -> None:
        """`keep` it if it `is_wanted`: for who has made the value anyway."""
        number = hash(text)  # `is_wanted`, in place: for each head that does not come again.
        slot = number % HEADS_SEEN_SLOTS
        if self._seen[slot] != number:
            self._seen[slot] = number
        elif len(text) <= HEAD_REMEMBERED_BYTES_MAX:
            self.keep(text, value)

    def keep(self, text: bytes, value: _Value) -> None:
        """Remember what `is_wanted`."""
        values = self._values
        if text not in values:
            self._key_bytes += len(text)
            self._oldest_first.append(text)
        values[text] = value
        while len(values) > HEADS_REMEMBERED_MAX or self._key_bytes > HEADS_REMEMBERED_BYTES_MAX:
            oldest = self._oldest_first.popleft()
            del values[oldest]
            self._key_bytes -= len(oldest)
