"""How many of our requests another site was seen to serve at once lately."""

from math import inf

from router.model import limits


class RecentConcurrency:
    """Covers the last `limits.EJECT_SERVED_S`, and at most as long before that."""

    __slots__ = ("_before", "at_once", "until")

    at_once: int
    """The least number served at once of late; unset before the first `note` or `most`."""
    _before: int

    def __init__(self) -> None:
        self.until = -inf
        """Then the current figures become the earlier ones."""

    def most(self, now: float) -> int:
        """The most, at least 1."""
        if now >= self.until:
            self._begin(now)
        return max(self.at_once, self._before)

    def note(self, others: int, now: float) -> None:
        """A request was served besides ``others``. The figure grows by at most one each time."""
        if now >= self.until:
            self._begin(now)
        if others >= self.at_once:
            self.at_once += 1

    def _begin(self, now: float) -> None:
        lapsed = now - self.until >= limits.EJECT_SERVED_S
        self._before = 1 if lapsed else self.at_once
        self.at_once = 1
        self.until = now + limits.EJECT_SERVED_S
