"""A target that becomes ready among loaded ones gets few slots at first, and twice as many soon.

Else all that waits comes at once: it has nothing in flight, so it is the least loaded, and what is
cold (caches, connections, code) is asked for everything in the same moment. So it begins with
`limits.SLOW_START_SLOTS`, and has twice as many after each `limits.SLOW_START_STEP_S` in which it
completed a request, and after `limits.SLOW_START_S` in any case: a long request or a stream
completes later than that. It ends with all configured slots. It never causes a refusal: a request
that would be refused ends it.
"""

from router.model import limits


class SlowStart:
    """Of one target: how many slots it has for now. O(1)."""

    __slots__ = ("_completed", "_grown_at", "slots")

    def __init__(self, completed: int, now: float) -> None:
        """``completed``: how many requests it has completed so far."""
        self.slots = limits.SLOW_START_SLOTS
        self._completed = completed
        self._grown_at = now

    def grow(self, completed: int, now: float) -> bool:
        """To be asked each `limits.SLOW_START_STEP_S`; True: ``slots`` are twice as many."""
        if completed == self._completed and now - self._grown_at < limits.SLOW_START_S:
            return False
        self._completed, self._grown_at = completed, now
        self.slots *= 2
        return True
