"""How many requests at once a target takes before its latency rises, learned from its answers.

The rule, per target. Answers are of two kinds, by the number in flight when their request began:
*calm* with at most half of the limit, *busy* with three quarters of it or more. The mean latency of
calm answers is the *baseline*: the time that the target needs while no request waits, measured by
ordinary traffic. By Little's law a target that has n in flight, and answers in r times its
baseline, works on n / r of them at once; the others wait. When a window of busy answers is
complete, the limit becomes

    k + sqrt(k)    with k = n / r,    or, while none waits and the limit is used up, k = limit

The root is room for uneven arrivals. As in square-root staffing, the target hardly ever idles while
requests overflow, and latency is then 1 + 1/sqrt(k) of its baseline: less than double from two on.
The same root is the step by which the limit grows.

A window is complete when it knows its mean to a quarter of that root, so that a change of the limit
is more than chance: few answers where all take the same time, thousands where they differ a
hundredfold. The rule uses means, not percentiles, since Little's law is about means. Each answer
counts for at most `CLIP` baselines, in both kinds alike, so that no single answer decides.

Busy answers cannot show whether latency rose because too many requests are there or because the
target became slower, and a target that is used up most of the time gives no calm answers. So in
that state, before the limit falls by a quarter or more, and once in `LEARN_DIP_S`, there is a
*dip*: for one window the limit is half of k, and its answers are calm. The rule probes in no other
way.

Sources: J. D. C. Little (1961); S. Halfin, W. Whitt (1981), 2; Envoy's gradient controller, whose
formula this is, with another way to measure; Netflix concurrency-limits. Figures:
docs/design/capacity-auto.md.
"""

from collections.abc import Callable
from math import inf, log, sqrt

import msgspec

from router.model import limits

CLIP = 8.0
"""Baselines that one answer counts for at most: one in a hundred must not decide for all."""
PRECISION = 0.25
"""Standard error of a complete window, as a part of the root. Four of them lie between "none waits"
and the goal.
"""
CALM = 0.5
"""Calm: at most this part of the limit in flight. A dip uses this part of k, so a baseline measured
too high, among waiting requests, is halved with every dip and never confirms itself.
"""
BUSY = 0.75
"""Busy: at least this part of the limit in flight. That gives enough answers, all near
the limit.
"""
WAITING = 0.5
"""Requests wait from this part of the root on: two standard errors above "none waits", two below
the goal.
"""
DOUBLED = 2.0
"""Latency over the baseline that is judged at once, however precise the window is: beyond doubt."""
ROUGH = 0.15
"""Standard error of a baseline that is clearly different: precise enough to begin with."""
DROP = 0.75
"""A dip comes before the limit falls below this part of itself, for whatever reason."""
CUT = 0.5
"""One judgment leaves at least this part of the limit: the next one knows more."""
MEMORY = 3.0
"""Past windows that the baseline is worth at most, compared with a new one that fits it."""
SPREAD_FIRST, SPREAD_KEPT = 1.0, 0.75
"""Variance over the square of the mean: that of exponential times until known; and the part of an
older value that remains.
"""
SURPRISE = 3.0
"""Standard errors that contradict: by chance, once in four hundred windows."""
EARLY = 4.0
"""Standard errors that are beyond doubt even with a check after each answer."""
FAILED_SHARE = 0.1
"""Share of failures among answers, above which the target is at fault and not a request."""
USED_SHARE = 0.03
"""Share of busy answers that took the last slot, from which on requests overflow although the
target could take them.
"""
CROWDED_SHARE = 0.5
"""Share of those from which on there is more demand than the target takes: the limit may double
while none waits, and dips are needed, since there will be no calm.
"""


class LearntTarget(msgspec.Struct, frozen=True):
    """The values learned for one target. None: not known yet."""

    slots: int
    baseline_s: float | None
    latency_s: float | None


class _Window:
    """Latencies of one kind, until their mean is known well enough."""

    __slots__ = ("began_at", "count", "in_flight", "others", "squares", "sum", "used")

    began_at: float
    """Of its first answer."""

    def __init__(self) -> None:
        self.count = self.in_flight = self.used = self.others = 0
        self.sum = self.squares = 0.0

    def add(self, latency_s: float, in_flight: int, is_used: bool, now: float) -> None:
        if not self.count:
            self.began_at = now
        self.count += 1
        self.sum += latency_s
        self.squares += latency_s * latency_s
        self.in_flight += in_flight
        self.used += is_used

    def says_something(self, now: float) -> bool:
        """The window has enough answers, over a long enough time, to know how much they differ."""
        enough = self.count >= limits.LEARN_SAMPLES_MIN
        return enough and now - self.began_at >= limits.LEARN_WINDOW_S

    def error(self, spread: float) -> float:
        """The standard error of the mean, over the mean.

        ``spread`` is the variance over the square of the mean that was seen before: a few answers
        may lack the rare ones.
        """
        return sqrt(max(self.spread, spread) / self.count)

    def is_stale(self, now: float) -> bool:
        """The window's answers span too long a time, and are still too few."""
        lasts_s = max(limits.LEARN_WINDOW_S_MAX, limits.LEARN_WINDOW_LATENCIES_MAX * self.mean_s)
        return now - self.began_at > lasts_s

    @property
    def mean_s(self) -> float:
        return self.sum / self.count

    def contradicts(self, mean_s: float, spread: float) -> bool:
        """More than chance separates its mean from ``mean_s``."""
        error = max(self.error(spread), limits.LEARN_SAME)
        return abs(log(self.mean_s / mean_s)) > SURPRISE * error

    @property
    def spread(self) -> float:
        """The variance over the square of the mean."""
        return max(0.0, self.squares * self.count / (self.sum * self.sum) - 1)


class Learner:
    """Learns the slots of one target.

    ``limit``: `limits.LEARN_SLOTS_MIN` to `limits.LEARN_SLOTS_MAX`, read at any time. ``chance`` (0
    to 1) spreads the dips of targets that are used up together; the same values and the same calls
    learn the same. O(1) per answer.
    """

    __slots__ = (
        "_answers",
        "_at",
        "_baseline_s",
        "_busy",
        "_calm",
        "_chance",
        "_clip_s",
        "_dip",
        "_dip_at",
        "_failures",
        "_heard_at",
        "_is_sure",
        "_judged_at",
        "_latency_s",
        "_settles_at",
        "_spread",
        "_starting",
        "_worth",
        "limit",
    )

    _worth: float
    """Answers that the baseline is made of, while there is one."""
    _dip_at: float
    """From then on, while there is a baseline."""
    _heard_at: float
    """The last answer or failure."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self.limit = limits.LEARN_SLOTS_FIRST
        self._at = float(self.limit)  # The limit before rounding.
        self._chance = chance
        self._baseline_s: float | None = None
        self._latency_s: float | None = None
        self._clip_s = inf
        self._spread = SPREAD_FIRST  # Of calm answers.
        self._is_sure = False  # The baseline was measured in calm.
        self._starting = True  # No request has waited yet.
        self._calm, self._busy = _Window(), _Window()
        self._answers = self._failures = 0  # Since `_judged_at`.
        self._judged_at = 0.0
        self._dip: tuple[float, float, float] | None = None
        """During a dip: limit, in flight and latency before it."""
        self._settles_at = 0.0

    @property
    def learnt(self) -> LearntTarget:
        """The learned values, for display."""
        return LearntTarget(self.limit, self._baseline_s, self._latency_s)

    def answered(self, latency_s: float, in_flight: int, now: float) -> bool:
        """A good answer began after ``latency_s``; ``in_flight`` requests were there when it was
        asked for.

        The request itself is included. True: `limit` has changed.
        """
        self._heard(now)
        self._answers += 1
        if now < self._settles_at:
            return False  # Most of them began under another limit.
        counted_s = min(max(latency_s, limits.LEARN_LATENCY_S_MIN), self._clip_s)
        before = self.limit
        if self._dip is not None:
            if in_flight <= before:
                self._hear_calm(counted_s, in_flight, now)
        elif in_flight <= CALM * before:
            self._hear_calm(counted_s, in_flight, now)
        else:
            self._calm.others += 1
            if in_flight >= BUSY * before:
                self._hear_busy(counted_s, in_flight, now)
        return self.limit != before

    def failed(self, now: float) -> bool:
        """A request got no answer, or one that says the target is too busy. True: `limit` has
        changed.
        """
        before = self.limit
        self._heard(now)
        self._failures += 1
        seen = self._failures + self._answers
        lasted_s = now - self._judged_at
        if seen >= limits.LEARN_SAMPLES_MIN and lasted_s >= limits.LEARN_WINDOW_S:
            fails = self._failures > FAILED_SHARE * seen
            self._failures = self._answers = 0
            self._judged_at = now
            if fails and now >= self._settles_at:
                self._starting = False
                self._dip = None
                self._set(self._at * CUT, now)
        return self.limit != before

    def returned(self, now: float) -> bool:
        """The target was down: it may be another one now, or cold. True: `limit` has changed.

        Restarts with half of the limit, and grows as fast as at the start.
        """
        before = self.limit
        self._forget_baseline()
        self._starting = True
        self._dip = None
        self._set(max(self._at / 2, min(self._at, float(limits.LEARN_SLOTS_FIRST))), now)
        return self.limit != before

    def _heard(self, now: float) -> None:
        if self._baseline_s is not None and now - self._heard_at > limits.LEARN_IDLE_S:
            self._forget_baseline()  # The limit stays: nothing contradicts it.
        self._heard_at = now
        if now - self._judged_at > limits.LEARN_WINDOW_S_MAX:
            self._failures = self._answers = 0
            self._judged_at = now

    def _hear_calm(self, latency_s: float, in_flight: int, now: float) -> None:
        window = self._calm
        window.add(latency_s, in_flight, False, now)
        if self._says_baseline(window, now):
            if window.others <= window.count:
                self._take_baseline(now)
            else:
                self._calm = _Window()  # Lulls: most answers were not calm.
        elif window.is_stale(now):
            self._calm = _Window()
            if self._dip is not None:  # Hardly any request comes now.
                self._end_dip(limits.LEARN_DIP_S, now)

    def _hear_busy(self, latency_s: float, in_flight: int, now: float) -> None:
        window = self._busy
        window.add(latency_s, in_flight, in_flight >= self.limit, now)
        if self._says_limit(window, now):
            self._judge(now)
        elif window.is_stale(now):
            self._busy = _Window()

    def _forget_baseline(self) -> None:
        """Forget the baseline: the next window replaces it."""
        self._is_sure = False
        self._baseline_s = self._dip = None
        self._clip_s = inf
        self._calm, self._busy = _Window(), _Window()

    def _says_baseline(self, window: _Window, now: float) -> bool:
        """The window is precise; in a dip, precise enough for a baseline that is
        clearly different.
        """
        if not window.says_something(now):
            return False
        error, known = window.error(self._spread), self._baseline_s
        if error <= PRECISION / sqrt(self._at):
            return True
        if self._dip is None or known is None or error > ROUGH:
            return False
        return abs(log(window.mean_s / known)) > EARLY * error

    def _says_limit(self, window: _Window, now: float) -> bool:
        """The window is precise, or as precise as its result needs."""
        if not window.says_something(now):
            return False
        error, root = window.error(self._spread), 1 / sqrt(self._at)
        if error <= PRECISION * root:
            return True
        if self._baseline_s is None:
            return False
        ratio = window.mean_s / self._baseline_s
        if ratio <= 1.0:  # No request waits. At the goal this would happen once in forty times.
            return error <= 2 * PRECISION * root
        return ratio * (1 - EARLY * error) > DOUBLED

    def _believe(self, baseline_s: float) -> None:
        self._baseline_s = baseline_s
        self._clip_s = CLIP * baseline_s

    def _take_baseline(self, now: float) -> None:
        """A window of calm answers is complete."""
        window, self._calm = self._calm, _Window()
        known, found = self._baseline_s, window.mean_s
        is_new = known is None or not self._is_sure or window.contradicts(known, self._spread)
        if is_new or known is None:
            self._believe(found)
            self._worth = window.count
        else:
            worth = min(self._worth, MEMORY * window.count)
            self._worth = worth + window.count
            self._believe(known + (found - known) * window.count / self._worth)
        self._spread = max(window.spread, self._spread * SPREAD_KEPT)
        self._is_sure = True
        if self._dip is not None:
            lasted_s = now - window.began_at
            every_s = max(limits.LEARN_DIP_S, limits.LEARN_DIP_EVERY * lasted_s)
            self._end_dip(limits.LEARN_DIP_S if is_new else every_s, now)
        else:
            self._dip_at = now + self._until_dip(limits.LEARN_DIP_S)

    def _judge(self, now: float) -> None:
        """A window of busy answers is complete."""
        window, self._busy = self._busy, _Window()
        latency_s, in_flight = window.mean_s, window.in_flight / window.count
        self._latency_s = latency_s
        if self._baseline_s is None:
            self._believe(latency_s)  # For lack of a better one, until the first dip.
            self._dip_at = now + self._until_dip(limits.LEARN_FIRST_DIP_S)
        ratio = latency_s / (self._baseline_s or latency_s)
        works_on = in_flight / max(1.0, ratio)
        crowded = window.used >= CROWDED_SHARE * window.count
        if ratio > 1 + WAITING / sqrt(self._at):
            self._starting = False
            to = works_on + sqrt(works_on)
        else:
            to = self._at * 2 if self._starting and crowded else self._at + sqrt(self._at)
        if crowded and (to <= DROP * self._at or now >= self._dip_at):
            self._dip = (self._at, in_flight, latency_s)
            self._calm = _Window()
            self._clip_s = CLIP * latency_s  # It may be the new baseline.
            self._set(max(works_on * CALM, self._at * CUT * CALM), now)
        elif to < self._at or window.used >= USED_SHARE * window.count:
            self._set(max(to, self._at * CUT), now)

    def _end_dip(self, next_s: float, now: float) -> None:
        """Judge the values from before the dip by the current baseline."""
        assert self._dip is not None, "a dip that was begun"
        (at, in_flight, latency_s), self._dip = self._dip, None
        works_on = in_flight / max(1.0, latency_s / (self._baseline_s or latency_s))
        self._dip_at = now + self._until_dip(next_s)
        self._set(max(min(works_on + sqrt(works_on), at + sqrt(at)), at * CUT), now)

    def _until_dip(self, seconds: float) -> float:
        return seconds * (0.75 + 0.5 * self._chance())

    def _set(self, at: float, now: float) -> None:
        """Set the limit, and ignore answers until slow ones can have arrived too.

        The fast ones alone would make a window of short latencies.
        """
        self._at = min(max(at, float(limits.LEARN_SLOTS_MIN)), float(limits.LEARN_SLOTS_MAX))
        self.limit = round(self._at)
        self._busy = _Window()
        latencies = min(2 + 3 * sqrt(self._spread), CLIP)
        settling_s = latencies * (self._latency_s or self._baseline_s or 0.0)
        self._settles_at = now + min(settling_s, limits.LEARN_SETTLE_S_MAX)
