"""How fast the connection of a lane carries what is written, and whether it carries anything."""

from router.model import limits
from router.net.ports import Connection


class WriteFlow:
    """How much may be handed to the connection ahead of what it carries; looked at now and then.

    Nothing overtakes what was handed over: no small request, no sign of life. While it has a
    backlog, no more than it carries in `limits.LANE_AHEAD_S`: ``turn_bytes`` in one turn, and as
    much unsent in the kernel, whose own buffer keeps the size that a faster time has given it.
    """

    __slots__ = (
        "_connection",
        "_left_bytes",
        "_looked_at",
        "_moved_at",
        "_sent_bytes",
        "carried_at",
        "is_full",
        "turn_bytes",
    )

    def __init__(self, connection: Connection, now: float) -> None:
        self._connection = connection
        self.is_full = False
        """The connection said no, and has not said `writable` since."""
        self.carried_at = now
        """The peer's host took something of a backlog after that moment."""
        self.turn_bytes = limits.LANE_TURN_BYTES_MAX
        self._looked_at = self._moved_at = now
        self._sent_bytes = 0
        self._left_bytes = 0  # Of these, what the peer did not have at the last look.
        connection.set_high_mark(0)

    def filled(self) -> None:
        """The connection takes no more for now."""
        self.is_full = True

    def emptied(self) -> None:
        """It has taken everything."""
        self.is_full = False

    def look(self, now: float, sent_bytes: int) -> bool:
        """Whether it stalls: it is full, and carried nothing for `limits.LANE_WRITE_STALL_S`.

        ``sent_bytes``: all that was ever handed to it.
        """
        before = self._left_bytes
        may_be_left = self.is_full or before or sent_bytes != self._sent_bytes
        left = self._connection.undelivered_bytes if may_be_left else 0
        carried = sent_bytes - self._sent_bytes + before - left
        if carried > 0 or not self.is_full:
            self._moved_at = now
        if carried > 0 and before and left:
            self.carried_at = self._looked_at
        least = limits.LANE_TURN_BYTES_MIN
        if min(before, left) > least:
            seconds = max(now - self._looked_at, 1e-3)
            self._go_ahead_by(max(int(carried / seconds * limits.LANE_AHEAD_S), least))
        elif self.turn_bytes < limits.LANE_TURN_BYTES_MAX:
            self._go_ahead_by(2 * self.turn_bytes)
        self._looked_at, self._sent_bytes, self._left_bytes = now, sent_bytes, left
        return now - self._moved_at >= limits.LANE_WRITE_STALL_S

    def woke(self, now: float) -> None:
        """Time in which we slept is nobody's stall, and tells nothing of the connection."""
        self._looked_at = self._moved_at = now
        self._left_bytes = 0

    def _go_ahead_by(self, size_bytes: int) -> None:
        before = self.turn_bytes
        if size_bytes >= limits.LANE_TURN_BYTES_MAX:
            self.turn_bytes = limits.LANE_TURN_BYTES_MAX
            unsent_bytes = limits.LANE_UNSENT_BYTES_MAX
        else:
            self.turn_bytes = unsent_bytes = size_bytes
        if self.turn_bytes != before:
            self._connection.bound_unsent(unsent_bytes)
