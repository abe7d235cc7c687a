"""How many events of one kind one site may cause, whatever it does."""

from router.model.limits import EVENT_BUDGETS_MAX
from router.model.token_bucket import TokenBucket


class EventBudgets:
    """A token bucket for each site, in handed-in time."""

    __slots__ = ("_buckets", "_burst", "_per_s")

    def __init__(self, burst: float, per_s: float) -> None:
        self._burst, self._per_s = burst, per_s
        self._buckets: dict[str, TokenBucket] = {}  # Longest not asked for first.

    def take(self, site: str, now: float) -> bool:
        """Whether one more of ``site`` is to be told."""
        bucket = self._buckets.pop(site, None) or TokenBucket(self._burst, self._per_s, now)
        if len(self._buckets) >= EVENT_BUDGETS_MAX:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[site] = bucket
        return bucket.take(now)
