"""How many of the last answers failed: counts per second over a fixed window."""

from router.model import limits

_SECONDS = limits.EJECT_SHARE_S


class RecentAnswers:
    """Good and failed answers within the last `limits.EJECT_SHARE_S`, to a second.

    Times never decrease. Memory is fixed; each call is O(1) in the number of answers.
    """

    __slots__ = ("_failed", "_good", "_second")

    def __init__(self) -> None:
        self._good = [0] * _SECONDS
        self._failed = [0] * _SECONDS
        self._second = 0

    def good(self, now: float) -> None:
        """Count one complete answer."""
        self._good[self._place(now)] += 1

    def failed(self, now: float) -> None:
        """Count one failed answer."""
        self._failed[self._place(now)] += 1

    def failures(self, now: float) -> int:
        """How many answers failed."""
        self._place(now)
        return sum(self._failed)

    def answers(self, now: float) -> int:
        """How many answers there are."""
        return self.failures(now) + sum(self._good)

    def mostly_failed(self, now: float, least: int) -> bool:
        """More than half of at least ``least`` answers failed, and more than half in several
        seconds.

        A failure at one moment, such as of all requests of one link, touches two seconds at most.
        """
        answers = self.answers(now)
        if answers < least or 2 * sum(self._failed) <= answers:
            return False
        pairs = zip(self._failed, self._good, strict=True)
        return sum(failed > good for failed, good in pairs) >= limits.EJECT_SHARE_SECONDS_MIN

    def _place(self, now: float) -> int:
        """The index of the current second; seconds that left the window are cleared."""
        second = int(now)
        for gone in range(max(self._second, second - _SECONDS) + 1, second + 1):
            self._good[gone % _SECONDS] = self._failed[gone % _SECONDS] = 0
        self._second = max(second, self._second)
        return self._second % _SECONDS
