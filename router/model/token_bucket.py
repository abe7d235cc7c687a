"""A token bucket that takes its time from the caller.

Wherever a peer, a client or a fault could make this router work or write without end, a bucket
bounds it: for each link, site, connection, code or token.
"""


class TokenBucket:
    """Holds ``burst`` tokens, refilled at ``per_s``. Starts full."""

    __slots__ = ("_at", "_burst", "_per_s", "_tokens")

    def __init__(self, burst: float, per_s: float, now: float) -> None:
        self._burst, self._per_s = burst, per_s
        self._tokens, self._at = burst, now

    def take(self, now: float) -> bool:
        """Take a token, and return whether there was one."""
        self._refill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def overdraw(self, now: float) -> None:
        """Take a token unconditionally. The debt is at most one burst."""
        self._refill(now)
        self._tokens = max(self._tokens - 1, -self._burst)

    def earn(self, count: float) -> None:
        """Add ``count`` tokens besides the refill, up to the burst."""
        self._tokens = min(self._burst, self._tokens + count)

    def ready_at(self) -> float:
        """When a token is available; in the past if one is available now."""
        if self._tokens >= 1:
            return self._at
        # A little late rather than a little early: a deadline that comes too soon would spin.
        return self._at + (1 - self._tokens) / self._per_s + 1e-6

    def is_full(self, now: float) -> bool:
        """Whether nothing was taken recently."""
        self._refill(now)
        return self._tokens >= self._burst

    def _refill(self, now: float) -> None:
        if now > self._at:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_s)
            self._at = now


class TokenBuckets:
    """A bucket for each key. Beyond ``kept_max``, the bucket unused for longest is dropped, and its
    key restarts with a full one."""

    __slots__ = ("_buckets", "_burst", "_kept_max", "_per_s")

    def __init__(self, burst: float, per_s: float, kept_max: int) -> None:
        self._burst, self._per_s, self._kept_max = burst, per_s, kept_max
        self._buckets: dict[str, TokenBucket] = {}  # Longest unused first.

    def take(self, key: str, now: float) -> bool:
        """Take a token from the bucket of ``key``, and return whether there was one."""
        return self.of(key, now).take(now)

    def of(self, key: str, now: float) -> TokenBucket:
        """The bucket of ``key``, marked as used now."""
        bucket = self._buckets.pop(key, None) or TokenBucket(self._burst, self._per_s, now)
        if len(self._buckets) >= self._kept_max:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[key] = bucket
        return bucket
