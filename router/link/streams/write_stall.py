"""How long the peer of a lane has taken nothing of what waits for it."""

from router.model import limits


class WriteStall:
    """As it looks each second."""

    __slots__ = ("_moved_at", "_unsent_bytes")

    def __init__(self, now: float) -> None:
        self._unsent_bytes: int | None = None
        self._moved_at = now

    def lasts(self, unsent_bytes: int | None, now: float) -> bool:
        """With so much unsent, None: all has left, nothing left for
        `limits.LANE_WRITE_STALL_S`."""
        if unsent_bytes is None or unsent_bytes != self._unsent_bytes:
            self._unsent_bytes = unsent_bytes
            self._moved_at = now
        return now - self._moved_at >= limits.LANE_WRITE_STALL_S

    def woke(self, now: float) -> None:
        """Time in which we slept is nobody's stall."""
        self._moved_at = now
