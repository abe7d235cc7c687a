"""How many requests of a service may be tried again after a failure: a bucket of permits."""

from router.model import limits


class RetryBudget:
    """Permits: so many a second, and so many per request (Finagle's RetryBudget has both).

    They are saved up for `limits.RETRY_WINDOW_S` at the recent rate of requests, and up to
    `limits.RETRIES_SAVED_MIN` in any case; the budget starts with that many. So requests lost with
    a dying link are retried at once, while a permanent failure does not double the load for long.
    In T seconds with R requests it gives at most saved + T x `limits.RETRIES_PER_S` + R x percent /
    100.
    """

    __slots__ = (
        "_at",
        "_percent",
        "_rate",
        "_saved",
        "_seen",
        "_window_at",
        "_window_seen",
        "requests",
    )

    def __init__(self, percent: int, now: float) -> None:
        """``percent`` of the requests; 0: no retry is ever permitted."""
        self._percent = percent
        self._saved: float = limits.RETRIES_SAVED_MIN
        self._at = self._window_at = now
        self._rate = 0.0  # Requests a second, over the last window.
        self._seen = self._window_seen = 0
        self.requests = 0
        """The caller increments it when a request begins."""

    def set_percent(self, percent: int) -> None:
        """Change the percentage from now on; saved permits stay."""
        self._percent = percent

    def take(self, now: float) -> bool:
        """Take a permit to retry one request now; False: there is none."""
        if not self._percent:
            return False
        self._save(now)
        if self._saved < 1.0:
            return False
        self._saved -= 1.0
        return True

    def _save(self, now: float) -> None:
        requests, share = self.requests, self._percent / 100
        window_s = now - self._window_at
        if window_s >= limits.RETRY_WINDOW_S:
            self._rate = (requests - self._window_seen) / window_s
            self._window_at, self._window_seen = now, requests
        most = limits.RETRY_WINDOW_S * (limits.RETRIES_PER_S + share * self._rate)
        earned = (now - self._at) * limits.RETRIES_PER_S + (requests - self._seen) * share
        self._saved = min(self._saved + earned, max(most, limits.RETRIES_SAVED_MIN))
        self._at, self._seen = now, requests
