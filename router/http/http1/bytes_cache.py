"""A cache of values made from heads, by the exact bytes of each head."""

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
    """Values by the exact bytes they were made of: a hit costs only a look-up in ``known``.

    Hot code tests with `in` and subscripts: no call, and no KeyError for each head that is unique.
    Only bytes that are seen twice get a place: heads that never come again (an id in each) displace
    no others and take no room. Bounded in entries and in bytes of keys; the oldest goes first. A
    caller whose verdict depends on its settings stores these in the value, and compares them.
    """

    __slots__ = ("_key_bytes", "_oldest_first", "_seen", "_values", "known")

    def __init__(self) -> None:
        # A plain dict, which the interpreter handles fastest.
        self._values: dict[bytes, _Value] = {}
        # A separate deque: finding the first key of a dict slows down as entries before it are
        # deleted.
        self._oldest_first: deque[bytes] = deque()
        self._key_bytes = 0
        self._seen = [0] * HEADS_SEEN_SLOTS  # The hash of the last bytes seen, by slot.
        self.known: Mapping[bytes, _Value] = self._values

    def __len__(self) -> int:
        return len(self._values)

    @property
    def key_bytes(self) -> int:
        """Total size of the remembered keys. The values are not much larger."""
        return self._key_bytes

    def forget(self) -> None:
        """Forget all values. Bytes seen before are remembered again the first time they return."""
        self._values.clear()  # In place: ``known`` is the same object.
        self._oldest_first.clear()
        self._key_bytes = 0

    def is_wanted(self, text: bytes) -> bool:
        """``text`` was seen before but is not known in this way: its value is worth caching."""
        number = hash(text)
        slot = number % HEADS_SEEN_SLOTS
        if self._seen[slot] == number:
            return len(text) <= HEAD_REMEMBERED_BYTES_MAX
        self._seen[slot] = number
        return False

    def note(self, text: bytes, value: _Value) -> None:
        """`keep` the value if `is_wanted`: for a caller that has made it anyway."""
        number = hash(text)  # `is_wanted` inlined: for each head that does not come again.
        slot = number % HEADS_SEEN_SLOTS
        if self._seen[slot] != number:
            self._seen[slot] = number
        elif len(text) <= HEAD_REMEMBERED_BYTES_MAX:
            self.keep(text, value)

    def keep(self, text: bytes, value: _Value) -> None:
        """Remember a value whose key `is_wanted`."""
        values = self._values
        if text not in values:
            self._key_bytes += len(text)
            self._oldest_first.append(text)
        values[text] = value
        while len(values) > HEADS_REMEMBERED_MAX or self._key_bytes > HEADS_REMEMBERED_BYTES_MAX:
            oldest = self._oldest_first.popleft()
            del values[oldest]
            self._key_bytes -= len(oldest)
