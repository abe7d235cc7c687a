"""How fast a lane's connection carries the bytes written to it, and whether it stalls."""

from router.model import limits
from router.net.ports import Connection


class WriteFlow:
    """How much may be handed to the connection ahead of what it carries; measured now and then.

    Nothing overtakes bytes handed over: no small request, no sign of life. While the connection has
    a backlog, it gets no more than it carries in `limits.LANE_AHEAD_S`: ``turn_bytes`` in one turn,
    and as much unsent in the kernel, whose buffer keeps the size that a faster time has given it.
    Until that is measured, the kernel gets `limits.LANE_UNSENT_BYTES_START`.
    """

    __slots__ = (
        "_ahead_bytes",
        "_connection",
        "_left_bytes",
        "_looked_at",
        "_moved_at",
        "_sent_bytes",
        "_unsent_bytes",
        "carried_at",
        "is_full",
        "turn_bytes",
    )

    def __init__(self, connection: Connection, now: float) -> None:
        self._connection = connection
        self.is_full = False
        """The connection refused more, and has not called `writable` since."""
        self.carried_at = now
        """After that moment the peer's host took something of a backlog."""
        self._ahead_bytes = self.turn_bytes = limits.LANE_TURN_BYTES_MAX
        self._unsent_bytes = limits.LANE_UNSENT_BYTES_START  # The kernel may hold so many.
        self._looked_at = self._moved_at = now
        self._sent_bytes = 0
        self._left_bytes = 0  # Of these, not delivered at the last check.
        connection.set_high_mark(0)
        connection.bound_unsent(self._unsent_bytes)

    def filled(self, now: float, sent_bytes: int) -> None:
        """The connection takes no more for now. ``sent_bytes``: all bytes handed to it so far."""
        self.is_full = True
        self._measure(now, sent_bytes)

    def emptied(self, now: float, sent_bytes: int) -> None:
        """The connection has taken everything."""
        self.is_full = False
        self._measure(now, sent_bytes)

    def look(self, now: float, sent_bytes: int) -> bool:
        """Whether it stalls: it is full, and carried nothing for `limits.LANE_WRITE_STALL_S`."""
        self._measure(now, sent_bytes)
        return now - self._moved_at >= limits.LANE_WRITE_STALL_S

    def woke(self, now: float) -> None:
        """Time in which this process slept is no stall, and says nothing about the connection."""
        self._looked_at = self._moved_at = now
        self._left_bytes = 0

    def _measure(self, now: float, sent_bytes: int) -> None:
        seconds = now - self._looked_at
        if seconds < limits.LANE_MEASURE_S:
            return
        before = self._left_bytes
        may_be_left = self.is_full or before or sent_bytes != self._sent_bytes
        left = self._connection.undelivered_bytes if may_be_left else 0
        carried = sent_bytes - self._sent_bytes + before - left
        if carried > 0 or not self.is_full:
            self._moved_at = now
        if carried > 0 and before and left:
            self.carried_at = self._looked_at
        least, most = limits.LANE_TURN_BYTES_MIN, limits.LANE_AHEAD_BYTES_MAX
        if min(before, left) > least:
            # A segment that TCP repeats blocks all behind it: a moment without progress is no slow
            # path.
            fading = self._ahead_bytes * 0.5 ** (seconds / limits.LANE_MEASURE_S)
            ahead = max(carried / seconds * limits.LANE_AHEAD_S, fading)
            self._ahead_bytes = min(max(int(ahead), least), most)
            is_fast = self._ahead_bytes == most
            unsent_bytes = limits.LANE_UNSENT_BYTES_MAX if is_fast else self._ahead_bytes
        else:
            self._ahead_bytes = min(2 * self._ahead_bytes, limits.LANE_TURN_BYTES_MAX)
            unsent_bytes = limits.LANE_UNSENT_BYTES_START
        self.turn_bytes = min(self._ahead_bytes, limits.LANE_TURN_BYTES_MAX)
        if unsent_bytes != self._unsent_bytes:
            self._unsent_bytes = unsent_bytes
            self._connection.bound_unsent(unsent_bytes)
        self._looked_at, self._sent_bytes, self._left_bytes = now, sent_bytes, left
