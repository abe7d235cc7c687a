"""How many requests at once a target takes before it answers later: learnt from its answers.

The rule, per target. Answers are taken in two kinds by what was in flight when their request began:
*calm* with at most half of the limit, *busy* with three quarters of it or more. The mean latency of
calm ones is the *baseline*: what the target needs while nobody waits, measured by ordinary traffic.
By Little's law a target that has n in flight, and answers in r times its baseline, works on n / r
of them at once; the others wait. When a window of busy answers is whole, the limit becomes

    k + sqrt(k)    with k = n / r,    or, while nobody waits and the limit is used up, k = limit

The root is room for those that come unevenly: as in square-root staffing, the target hardly ever
idles while requests overflow, and latency is 1 + 1/sqrt(k) of its baseline then, below double from
two on. The same root is the step by which the limit grows.

A window is whole when it knows its mean to a quarter of that root, so that what is decided is more
than chance: few answers where all take the same time, thousands where they differ a hundredfold.
Means and no percentiles, since only of means Little's law speaks; each answer counts for at most
`CLIP` baselines, in both kinds alike, lest one decides.

A lower limit is also an experiment. If latency does not fall with it, nobody waited: the target is
slower than it was, and what it needs now is the baseline. While a target is used up all the time
nothing is calm; then the limit is halved for one window, once in `LEARN_DIP_S`.

Sources: J. D. C. Little (1961); S. Halfin, W. Whitt (1981), 2; Envoy's gradient controller, whose
formula this is, with another way to measure; Netflix concurrency-limits. See docs/capacity-auto.md.
"""

from collections.abc import Callable
from math import inf, log, sqrt

import msgspec

from router.model import limits

CLIP = 8.0
"""Baselines that one answer counts for at most: one in a hundred is not to decide for all."""
PRECISION = 0.25
"""Of the root: a window's standard error. Four of them lie between nobody waits and the goal."""
CALM = 0.5
"""Of the limit in flight is calm, and the depth of a dip. With d in place of a half, a baseline
that was measured too high would confirm itself up to a limit of d / (1 - d)**2: here 2 slots."""
CUT = 0.5
"""At most so much at once: whatever was measured, the next window knows more."""
ELASTIC = 0.5
"""Latency that follows the limit by less than its root: nobody waited, the target is slower."""
WEIGHT = 0.25
"""Of a calm window in the baseline, if it does not contradict it."""
SURPRISE = 3.0
"""Standard errors that contradict: once in four hundred windows by chance."""
FAILED_SHARE = 0.1
"""Of failures among answers, from which they are the target's trouble and not a request's."""
USED_SHARE = 0.125
"""Of busy answers that took the last slot, from which the limit was in use."""
CROWDED_SHARE = 0.5
"""From so many on there is more than it takes: the limit may double while nobody waits."""


class Learnt(msgspec.Struct, frozen=True):
    """What is known of one target. None: nothing yet."""

    slots: int
    baseline_s: float | None
    latency_s: float | None


class _Window:
    """Latencies of one kind, until their mean is known well enough."""

    __slots__ = ("began_at", "count", "in_flight", "others", "squares", "sum", "used")

    def __init__(self) -> None:
        self.count = self.in_flight = self.used = self.others = 0
        self.sum = self.squares = 0.0
        self.began_at = 0.0

    def add(self, latency_s: float, in_flight: int, is_used: bool, now: float) -> None:
        if not self.count:
            self.began_at = now
        self.count += 1
        self.sum += latency_s
        self.squares += latency_s * latency_s
        self.in_flight += in_flight
        self.used += is_used

    def is_whole(self, now: float, root: float, spread: float) -> bool:
        """Its mean is known to `PRECISION` of ``root``, the root's share of the limit.

        ``spread`` is the variance over the square of the mean that was seen before: few answers
        may lack the rare ones.
        """
        count, lasted_s = self.count, now - self.began_at
        if count < limits.LEARN_SAMPLES_MIN or lasted_s < limits.LEARN_WINDOW_S:
            return False
        return max(self.spread, spread) <= count * (PRECISION * root) ** 2

    def is_stale(self, now: float) -> bool:
        """Its answers are of different times, and still say too little."""
        lasts_s = max(limits.LEARN_WINDOW_S_MAX, limits.LEARN_WINDOW_LATENCIES_MAX * self.mean_s)
        return now - self.began_at > lasts_s

    @property
    def mean_s(self) -> float:
        return self.sum / self.count if self.count else 0.0

    @property
    def error(self) -> float:
        """The standard error of the mean, over the mean."""
        return sqrt(self.spread / self.count)

    @property
    def spread(self) -> float:
        """The variance over the square of the mean."""
        return max(0.0, self.squares * self.count / (self.sum * self.sum) - 1)


class Learner:
    """Learns the slots of one target.

    ``limit``: `limits.LEARN_SLOTS_MIN` to `limits.LEARN_SLOTS_MAX`, read at any time. ``chance``
    (0 to 1) spreads the dips of targets that are used up together; with the same one and the same
    calls it learns the same. O(1) per answer.
    """

    __slots__ = (
        "_answers",
        "_at",
        "_baseline_s",
        "_busy",
        "_calm",
        "_chance",
        "_clip_s",
        "_dip_at",
        "_dips_from",
        "_failures",
        "_heard_at",
        "_is_sure",
        "_judged_at",
        "_latency_s",
        "_settles_at",
        "_spread",
        "_starting",
        "_trial",
        "limit",
    )

    def __init__(self, chance: Callable[[], float]) -> None:
        self.limit = limits.LEARN_SLOTS_FIRST
        self._at = float(self.limit)  # The limit before rounding.
        self._chance = chance
        self._baseline_s: float | None = None
        self._latency_s: float | None = None
        self._clip_s = inf
        self._spread = 0.0  # Of calm answers.
        self._is_sure = False  # The baseline was measured in calm.
        self._starting = True  # Nobody waited yet.
        self._calm, self._busy = _Window(), _Window()
        self._answers = self._failures = 0  # Since `_judged_at`.
        self._judged_at = 0.0
        self._trial: tuple[float, float] | None = None  # In flight and latency before it was cut.
        self._dips_from: float | None = None
        self._dip_at: float | None = None
        self._settles_at = 0.0
        self._heard_at = 0.0

    @property
    def learnt(self) -> Learnt:
        """For people."""
        return Learnt(self.limit, self._baseline_s, self._latency_s)

    def answered(self, latency_s: float, in_flight: int, now: float) -> bool:
        """A good answer began after ``latency_s``, with ``in_flight`` there when it was asked for.

        Itself included. True: `limit` is another now.
        """
        self._heard(now)
        self._answers += 1
        if now < self._settles_at:
            return False  # Most of them began under another limit.
        counted_s = min(max(latency_s, limits.LEARN_LATENCY_S_MIN), self._clip_s)
        before, dips = self.limit, self._dips_from is not None
        if dips or in_flight <= CALM * before:
            self._calm.add(counted_s, in_flight, False, now)
            if self._is_whole(self._calm, now):
                if self._calm.others <= self._calm.count:
                    self._take_baseline(now)
                else:
                    self._calm = _Window()  # Lulls in a storm: soon there were more of them.
            elif self._calm.is_stale(now):
                self._calm = _Window()
        else:
            self._calm.others += 1
        if not dips and 4 * in_flight >= 3 * before:
            self._busy.add(counted_s, in_flight, in_flight >= before, now)
            if self._is_whole(self._busy, now):
                self._judge(now)
            elif self._busy.is_stale(now):
                self._busy = _Window()
        return self.limit != before

    def failed(self, now: float) -> bool:
        """No answer, or one that says that it is too busy. True: `limit` is another now."""
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
                self._dips_from = self._trial = None
                self._set(self._at * CUT, now)
        return self.limit != before

    def returned(self, now: float) -> bool:
        """It was down: it may be another one now, or cold. True: `limit` is another now.

        Half of what it took, and from there as fast as from the start.
        """
        before = self.limit
        self._forget_baseline()
        self._starting = True
        self._dips_from = None
        self._set(max(self._at / 2, min(self._at, float(limits.LEARN_SLOTS_FIRST))), now)
        return self.limit != before

    def _heard(self, now: float) -> None:
        if now - self._heard_at > limits.LEARN_IDLE_S and self._baseline_s is not None:
            self._forget_baseline()  # The limit stays: nothing speaks against it.
        self._heard_at = now
        if now - self._judged_at > limits.LEARN_WINDOW_S_MAX:
            self._failures = self._answers = 0
            self._judged_at = now

    def _forget_baseline(self) -> None:
        """The next window is believed whole."""
        self._is_sure = False
        self._baseline_s = self._trial = self._dip_at = None
        self._clip_s = inf
        self._calm, self._busy = _Window(), _Window()

    def _is_whole(self, window: _Window, now: float) -> bool:
        return window.is_whole(now, 1 / sqrt(self._at), self._spread)

    def _believe(self, baseline_s: float) -> None:
        self._baseline_s = baseline_s
        self._clip_s = CLIP * baseline_s

    def _take_baseline(self, now: float) -> None:
        """A window of calm answers is whole."""
        window, self._calm = self._calm, _Window()
        known, found = self._baseline_s, window.mean_s
        self._spread = max(window.spread, self._spread * (1 - WEIGHT))
        if (
            known is None
            or not self._is_sure
            or abs(log(found / known)) > SURPRISE * max(window.error, limits.LEARN_SAME)
        ):
            self._believe(found)
        else:
            self._believe(known + WEIGHT * (found - known))
        came_from, self._dips_from = self._dips_from, None
        self._dip_at = None
        self._is_sure = True
        if came_from is not None:
            self._set(came_from, now)

    def _judge(self, now: float) -> None:
        """A window of busy answers is whole."""
        window, self._busy = self._busy, _Window()
        latency_s, in_flight = window.mean_s, window.in_flight / window.count
        self._latency_s = latency_s
        if self._baseline_s is None:
            self._believe(latency_s)  # For want of a better one, until the first dip.
        if self._trial is not None:
            self._end_trial(in_flight, latency_s)
        assert self._baseline_s is not None, "believed above"
        ratio = latency_s / self._baseline_s
        if ratio > 1 + 0.5 / sqrt(self._at):
            self._starting = False
            works_on = in_flight / ratio
            to = works_on + sqrt(works_on)
            if to <= limits.LEARN_TRIAL_SHARE * self._at and self._trial is None:
                self._trial = (in_flight, latency_s)
            if to < self._at:
                self._set(max(to, self._at * CUT), now)
                return
        else:
            crowded = window.used >= CROWDED_SHARE * window.count
            to = self._at * 2 if self._starting and crowded else self._at + sqrt(self._at)
        if window.used >= USED_SHARE * window.count:
            self._in_use(to, now)

    def _in_use(self, to: float, now: float) -> None:
        """The limit is used up, and the target bears it."""
        if self._dip_at is None:
            every_s = limits.LEARN_DIP_S if self._is_sure else limits.LEARN_FIRST_DIP_S
            self._dip_at = now + every_s * (0.75 + 0.5 * self._chance())
        if now >= self._dip_at and self.limit > limits.LEARN_SLOTS_MIN:
            self._dips_from = self._at
            self._calm = _Window()
            self._set(min(self._at * CALM, self.limit - 1.0), now)
        else:
            self._set(to, now)

    def _end_trial(self, in_flight: float, latency_s: float) -> None:
        """Did latency fall with the limit? If not, that is what the target needs now."""
        assert self._trial is not None, "a trial that was begun"
        before, slow_s = self._trial
        if in_flight > limits.LEARN_TRIAL_SHARE * before:
            return  # Too little to tell.
        if log(slow_s / latency_s) < ELASTIC * log(before / in_flight):
            self._trial = None
            self._believe(latency_s)
            self._at = max(self._at, before * min(1.0, latency_s / slow_s))
        elif latency_s <= (1 + 1 / sqrt(self._at)) * (self._baseline_s or 0.0):
            self._trial = None  # It fell as far as it should.

    def _set(self, at: float, now: float) -> None:
        self._at = min(max(at, float(limits.LEARN_SLOTS_MIN)), float(limits.LEARN_SLOTS_MAX))
        self.limit = round(self._at)
        self._busy = _Window()
        settling_s = limits.LEARN_SETTLE * (self._latency_s or self._baseline_s or 0.0)
        self._settles_at = now + min(settling_s, limits.LEARN_SETTLE_S_MAX)
