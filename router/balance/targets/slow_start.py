"""A target that becomes ready among loaded ones gets few slots at first, and soon twice as many.

Otherwise all waiting requests would come at once: with nothing in flight it is the least loaded,
and its cold caches, connections and code would all be needed at the same moment. So it begins with
`limits.SLOW_START_SLOTS`, and has twice as many after each `limits.SLOW_START_STEP_S` in which it
completed a request, and after `limits.SLOW_START_S` in any case: a long request or a stream
completes later than that. It ends with all configured slots. It never causes a refusal: a request
that would be refused ends it.
"""

from router.model import limits


class SlowStart:
    """The current slots of one target. O(1)."""

    __slots__ = ("_completed", "_grown_at", "slots")

    def __init__(self, completed: int, now: float) -> None:
        """``completed``: how many requests the target has completed so far."""
        self.slots = limits.SLOW_START_SLOTS
        self._completed = completed
        self._grown_at = now

    def grow(self, completed: int, now: float) -> bool:
        """Call each `limits.SLOW_START_STEP_S`; True: ``slots`` has doubled."""
        if completed == self._completed and now - self._grown_at < limits.SLOW_START_S:
            return False
        self._completed, self._grown_at = completed, now
        self.slots *= 2
        return True
