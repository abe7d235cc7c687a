"""How long a target takes to answer, by its requests in flight, as observed by its router.

Estimates are means of logarithms, so that one slow answer in a hundred decides nothing. Each comes
with its error, which shrinks with more answers. A level of requests in flight without figures
counts as the next lower one that has some, else as the lowest: with fewer it is faster.

Old answers fade: all of a target's answers together are worth `limits.TARGET_ANSWERS_KEPT` at most.
After `limits.TARGET_TRIAL_S` without any, each estimate is worth `KNOWN_BEFORE`, and an answer that
contradicts it beyond chance replaces it.
"""

from math import exp, log

from router.model import limits

LEVEL_MAX = limits.TARGET_LEVEL_IN_FLIGHT_MAX
SURE = 2.0
"""Standard errors between two estimates from which they count as different."""
SURPRISE = 3.0
"""Standard deviations by which one answer contradicts an old estimate."""
KNOWN_BEFORE = 4.0
"""Answers that each estimate is worth at most after a pause."""
VARIANCE_FROM = 8
"""Answers from which their variance is used."""
VARIANCE_UNKNOWN = 1.6
"""Until then it is at least that of the logarithm of exponential times: the square of
pi, over 6.
"""
KNOWN_FROM = 0.5
"""Answers, less those that have faded, from which a level is known."""


def _level_of(in_flight: int) -> int:
    if in_flight < 4:
        return in_flight
    doublings = in_flight.bit_length() - 3
    return 4 * doublings + (in_flight >> doublings)


LEVEL_OF = tuple(_level_of(in_flight) for in_flight in range(LEVEL_MAX + 1))
"""Each up to 7 in flight has a level, then there are four for each doubling."""
LEVELS = LEVEL_OF[-1] + 1


class LatencyCurve:
    """Latency of one target. ``expected``: by level, of log seconds; ``doubt``: the square of
    `SURE` standard errors of it. Both are empty until the first answer, and then have `LEVELS`
    entries.

    Memory is fixed, some 5 KB. An answer costs O(`LEVELS`); `TimingPace` bounds how many are timed.
    """

    __slots__ = ("_counts", "_means", "_seen", "_variance", "answered_at", "doubt", "expected")

    def __init__(self) -> None:
        self._means: list[float] = []
        self._counts: list[float] = []
        self._variance = 0.0
        self._seen = 0.0  # Answers that the variance is made of.
        self.answered_at = 0.0
        self.expected: list[float] = []
        self.doubt: list[float] = []

    def add(self, latency_s: float, in_flight: int, now: float) -> None:
        """An answer began ``latency_s`` after the target got the request, one of ``in_flight``
        there.
        """
        found = log(max(latency_s, limits.LEARN_LATENCY_S_MIN))
        level = LEVEL_OF[min(in_flight, LEVEL_MAX)]
        if not self._counts:
            self._forget()
        elif now - self.answered_at > limits.TARGET_TRIAL_S:
            self._doubt_all(found - self.expected[level])
        else:
            share = 1.0 - 1.0 / limits.TARGET_ANSWERS_KEPT
            self._counts = [count * share for count in self._counts]
        self.answered_at = now
        count, off = self._counts[level], found - self._means[level]
        if count:
            self._seen = min(self._seen + 1.0, float(limits.TARGET_ANSWERS_KEPT))
            self._variance += (off * off * count / (count + 1.0) - self._variance) / self._seen
        self._counts[level] = count + 1.0
        self._means[level] += off / (count + 1.0)
        self._fill()

    def expected_s(self, in_flight: int) -> float | None:
        """The geometric mean of the latency with ``in_flight`` there; None: nothing is known."""
        if not self.expected:
            return None
        return exp(self.expected[LEVEL_OF[min(in_flight, LEVEL_MAX)]])

    def _forget(self) -> None:
        self._means, self._counts = [0.0] * LEVELS, [0.0] * LEVELS

    def _doubt_all(self, off: float) -> None:
        """After a pause an answer came that differs by ``off`` from the expected one."""
        if self._seen >= VARIANCE_FROM and off * off > SURPRISE * SURPRISE * self._variance:
            self._forget()
        else:
            self._counts = [min(count, KNOWN_BEFORE) for count in self._counts]

    def _fill(self) -> None:
        variance = self._variance
        if self._seen < VARIANCE_FROM:
            variance = max(variance, VARIANCE_UNKNOWN)
        known: tuple[float, float] | None = None
        levels: list[tuple[float, float] | None] = []
        for mean, count in zip(self._means, self._counts, strict=True):
            if count >= KNOWN_FROM:
                known = mean, SURE * SURE * variance / count
            levels.append(known)
        lowest = next(level for level in levels if level is not None)
        filled = [level or lowest for level in levels]
        self.expected = [mean for mean, _ in filled]
        self.doubt = [error for _, error in filled]


class TimingPace:
    """Which requests to a target are timed: about one each `limits.TARGET_TIMED_S`, by counting.

    So only those read the clock. Where no request is ever timed to its end, as with tcp, one of
    `limits.TARGET_TIMED_EVERY_MAX` is tried.
    """

    __slots__ = ("_every", "due_at")

    def __init__(self, requests_total: int) -> None:
        """The target has had ``requests_total``: the next one is timed."""
        self._every = 1
        self.due_at = requests_total
        """The number of the target's next request to be timed, counted from its first."""

    def asked(self, requests_total: int) -> None:
        """A request is about to be timed."""
        self.due_at = requests_total + self._every
        self._every = min(2 * self._every, limits.TARGET_TIMED_EVERY_MAX)

    def answered(self, since_s: float) -> None:
        """A timed request was answered; ``since_s``: time since the one before."""
        if since_s > limits.TARGET_TIMED_S:
            self._every = max(1, self._every // 4)
