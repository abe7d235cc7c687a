"""Deadlines for the peer of an HTTP/2 connection: for its settings, for a head, for a sign of
life."""

from math import inf

from router.model import limits


class PeerDeadlines:
    """When the peer's messages came, and which are late. All times are absolute seconds."""

    __slots__ = ("_has_agreed", "_head_since", "_heard_at", "_pinged_at", "_started_at")

    def __init__(self, now: float) -> None:
        self._started_at = self._heard_at = now
        self._has_agreed = False  # To our settings.
        self._head_since = inf  # The peer owes the rest of a header block.
        self._pinged_at = -inf

    def heard(self, now: float, *, in_head: bool) -> None:
        """Bytes came. ``in_head``: they end within a header block."""
        self._heard_at = now
        if not in_head:
            self._head_since = inf
        elif self._head_since == inf:
            self._head_since = now

    def agreed(self) -> None:
        """The peer acknowledged our settings."""
        self._has_agreed = True

    def delivers(self, now: float) -> None:
        """The peer takes data sent before a ping: it gets the full time to answer again."""
        if self.awaits_answer:
            self._pinged_at = now

    @property
    def awaits_answer(self) -> bool:
        """Nothing came since a ping."""
        return self._pinged_at > self._heard_at

    def is_late(self, now: float, ack_s: float) -> bool:
        """For more than ``ack_s`` the peer owes its acknowledgement, or the rest of a header
        block."""
        late_with_head = now - self._head_since >= ack_s
        return late_with_head or (not self._has_agreed and now - self._started_at >= ack_s)

    def is_silent(self, now: float) -> bool:
        """Nothing came since a ping that should have been answered."""
        return self.awaits_answer and now - self._pinged_at >= limits.HTTP2_PING_ANSWER_S

    def take_ping(self, now: float, moved_at: float) -> bool:
        """Whether the caller must send a ping now. ``moved_at``: when a stream last moved.

        Servers count pings against us while they send nothing on a stream themselves.
        """
        if self.awaits_answer or now - self._heard_at < limits.HTTP2_PING_AFTER_S:
            return False
        if moved_at <= self._pinged_at and now - self._pinged_at < limits.HTTP2_PING_AGAIN_S:
            return False
        self._pinged_at = now
        return True
