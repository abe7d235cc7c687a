"""Requests that cannot be served in time, judged by the speed of the queue, before they wait."""

from collections import deque
from math import sqrt

from router.model import limits

_DEVIATIONS = 2.0
"""Slots come free at random: of n expected, n - 2 sqrt(n) are nearly certain (Poisson)."""


class QueueSpeed:
    """How many requests of one line were served lately, while any waited.

    A rule that holds for any service time: a request with as many before it as were served in the
    time that it may wait will not be served either. A margin for chance is subtracted: under
    overload no slot stays empty for it, and an admitted request is served. Until the line has
    existed for that long, ``promised_per_s`` is used instead (slots / service time: more never come
    free), without the margin, so that no request is refused on a guess. O(1), amortized; bounded
    memory.
    """

    __slots__ = ("_began_at", "_served")

    def __init__(self) -> None:
        self._began_at: float | None = None
        self._served: deque[float] = deque(maxlen=limits.LINE_SERVED_MAX)

    def began(self, now: float) -> None:
        """No request waited until now."""
        self._began_at = now
        self._served.clear()

    def served(self, now: float) -> None:
        """A waiting request got a slot."""
        self._served.append(now)

    def is_hopeless(self, ahead: int, patience_s: float, promised_per_s: float, now: float) -> bool:
        """Whether a request behind ``ahead`` others would wait ``patience_s`` in vain.

        ``promised_per_s`` 0: not known.
        """
        began_at = self._began_at
        if began_at is None:
            return False
        if now - began_at < patience_s:
            promised = promised_per_s * patience_s
            return promised > 0.0 and ahead + 1 > promised
        served = self._served
        while served and served[0] <= now - patience_s:
            served.popleft()
        expected: float = len(served)
        if len(served) == served.maxlen:  # Those before them are forgotten.
            expected *= patience_s / max(now - served[0], 1e-9)
        return ahead + 1 > expected - _DEVIATIONS * sqrt(expected)
