"""What a peer may do for nothing: a bucket that fills with time, and with what is of use."""


class PeerBudget:
    """At most ``burst`` at once and ``per_s`` in the long run."""

    __slots__ = ("_burst", "_left", "_per_s", "_seen_at")

    def __init__(self, burst: int, per_s: float, now: float) -> None:
        self._burst = float(burst)
        self._per_s = per_s
        self._left = float(burst)
        self._seen_at = now

    def spend(self, now: float) -> bool:
        """One more; False: that was too many."""
        left = self._left + (now - self._seen_at) * self._per_s
        self._seen_at = now
        self._left = min(left, self._burst) - 1.0
        return self._left >= 0.0

    def earn(self, count: int) -> None:
        """``count`` more are allowed, up to the burst."""
        self._left = min(self._left + count, self._burst)
