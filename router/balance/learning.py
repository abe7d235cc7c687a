"""How many requests at once a target takes before it answers later: learnt from its answers.

The rule, per target. Latency is compared with what the target needs while it has little to do, the
*baseline*. Both are geometric means over a window: single answers say nothing when service times
differ by a factor of a hundred, and the least of them still less. Samples are of two kinds:

- *calm*: began with at most half of the limit in flight. They make the baseline, so that ordinary
  traffic measures it and nothing is held back for it;
- *busy*: began with three quarters of the limit or more. Their latency over the baseline is the
  *ratio*. By Little's law in flight / ratio is what the target really works on at once; a ratio
  above `BUSY` lowers the limit towards a little more than that, at most to a half, and below
  `CALM` it grows by a quarter, if it was used up at all. In between it rests: just busy.

A lower limit is also an experiment. If latency does not fall with it, nobody queued there: the
target has become slower, and what it needs now is the baseline. While a target is used up all the
time there are no calm samples; then the limit is lowered by a quarter for one window, once in
`limits.LEARN_DIP_S`. That, and a growth that turns out too much, is all the probing there is.

Sources: L. S. Brakmo, L. L. Peterson, "TCP Vegas" (1995); N. Cardwell et al., "BBR" (2016);
J. D. C. Little (1961); Netflix concurrency-limits and Envoy's adaptive concurrency filter, whose
trouble with minima of single samples and with windows of a few requests is described in
docs/capacity-auto.md.
"""

from collections.abc import Callable
from math import exp, log

import msgspec

from router.model import limits

CALM = 1.1
"""Below this ratio nobody queues at the target."""
BUSY = 1.35
"""Above it too many do. Latency doubles at 2."""
HEADROOM = 1.2
"""A lowered limit is this much above what the target works on at once: none of it is idle."""
GROWTH, FIRST_GROWTH = 1.25, 2.0
DIP = 0.75
WEIGHT = 0.5
"""Of a window of calm samples in the baseline."""
SETTLED = 1.05
"""A first baseline is believed when a dip changes it by no more than that."""
FAILED_SHARE = 0.1
"""Of failures among answers, from which they are the target's trouble and not a request's."""
USED_SHARE = 0.125
"""Of busy samples that took the last slot, from which the limit was in use."""


class Learnt(msgspec.Struct, frozen=True):
    """What is known of one target. None: nothing yet."""

    slots: int
    baseline_s: float | None
    latency_s: float | None


class _Window:
    """Samples of one kind: as many as it takes to know their mean to `limits.LEARN_PRECISION`."""

    __slots__ = ("began_at", "count", "failures", "in_flight", "logs", "others", "squares", "used")

    def __init__(self) -> None:
        self.count = self.failures = self.in_flight = self.used = self.others = 0
        self.logs = self.squares = 0.0
        self.began_at = 0.0

    def add(self, log_s: float, in_flight: int, is_used: bool, now: float) -> None:
        self._touch(now)
        self.count += 1
        self.logs += log_s
        self.squares += log_s * log_s
        self.in_flight += in_flight
        self.used += is_used

    def add_failure(self, now: float) -> None:
        self._touch(now)
        self.failures += 1

    def is_whole(self, now: float, enough: int) -> bool:
        """It says what it can; at least ``enough`` samples."""
        seen = self.count + self.failures
        if seen < enough or now - self.began_at < limits.LEARN_WINDOW_S:
            return False
        if seen >= limits.LEARN_SAMPLES_MAX or not self.count:
            return True
        mean = self.logs / self.count
        variance = max(0.0, self.squares / self.count - mean * mean)
        return self.count * limits.LEARN_PRECISION**2 >= variance

    @property
    def latency_s(self) -> float:
        return exp(self.logs / self.count)

    def _touch(self, now: float) -> None:
        """What lies too far apart is no window: nobody asked, or hardly anybody."""
        if now - self.began_at > limits.LEARN_WINDOW_S_MAX:
            self.count = self.failures = self.in_flight = self.used = self.others = 0
            self.logs = self.squares = 0.0
        if not self.count and not self.failures:
            self.began_at = now


class Learner:
    """Learns the slots of one target. ``limit``: 1 to `limits.LEARN_SLOTS_MAX`, read at any time.

    ``chance`` (0 to 1) spreads the dips of targets that are used up together; with the same one
    and the same calls it learns the same. O(1) per answer.
    """

    __slots__ = (
        "_at",
        "_baseline_s",
        "_busy",
        "_calm",
        "_chance",
        "_dip_at",
        "_dips_from",
        "_grew",
        "_grow_at",
        "_heard_at",
        "_is_sure",
        "_latency_s",
        "_patience_s",
        "_settles_at",
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
        self._is_sure = False  # The baseline was measured in calm.
        self._starting = True  # No latency has risen yet: double.
        self._calm, self._busy = _Window(), _Window()
        self._trial: tuple[float, float] | None = None  # In flight and latency before it was cut.
        self._dips_from: float | None = None
        self._dip_at: float | None = None
        self._grew = False  # By the last change.
        self._grow_at = 0.0
        self._patience_s = limits.LEARN_PATIENCE_S
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
        if now < self._settles_at:
            return False  # Most of them began under another limit.
        log_s = log(max(latency_s, limits.LEARN_LATENCY_S_MIN))
        at, before = self._at, self.limit
        dips = self._dips_from is not None
        if dips or 2 * in_flight <= at or in_flight == 1:
            self._calm.add(log_s, in_flight, False, now)
            if self._calm.is_whole(now, limits.LEARN_SAMPLES_MIN):
                self._take_baseline(now)
        if not dips and 4 * in_flight < 3 * before:
            self._busy.others += 1  # Good ones too: failures are judged among all.
        elif not dips:
            self._busy.add(log_s, in_flight, in_flight >= before, now)
            self._look(now)
        return self.limit != before

    def failed(self, now: float) -> bool:
        """No answer, or one that says that it is too busy. True: `limit` is another now."""
        before = self.limit
        self._heard(now)
        if now >= self._settles_at and self._dips_from is None:
            self._busy.add_failure(now)
            self._look(now)
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

    def _forget_baseline(self) -> None:
        """The next window is believed whole."""
        self._is_sure = False
        self._baseline_s = self._trial = self._dip_at = None
        self._calm, self._busy = _Window(), _Window()

    def _take_baseline(self, now: float) -> None:
        """A window of calm samples is whole."""
        found, self._calm = self._calm.latency_s, _Window()
        known, sure = self._baseline_s, self._is_sure
        if known is None or not sure:
            self._baseline_s = found
        else:
            self._baseline_s = known ** (1 - WEIGHT) * found**WEIGHT
        came_from, self._dips_from = self._dips_from, None
        self._dip_at = None
        self._is_sure = came_from is None or known is None or known / found <= SETTLED
        if came_from is not None:
            self._set(came_from, now)

    def _look(self, now: float) -> None:
        """Judge the busy window if it is whole."""
        window = self._busy
        enough = limits.LEARN_SAMPLES_FIRST if self._starting else limits.LEARN_SAMPLES_MIN
        if not window.is_whole(now, enough):
            return
        self._busy = _Window()
        if window.failures > FAILED_SHARE * (window.count + window.failures + window.others):
            self._starting = False
            self._cut(max(self._at / 2, 1.0), now)
            return
        if not window.count:
            return
        latency_s, in_flight = window.latency_s, window.in_flight / window.count
        self._latency_s = latency_s
        if self._baseline_s is None:
            self._baseline_s = latency_s  # For want of a better one, until the first dip.
        if self._trial is not None:
            self._end_trial(in_flight, latency_s)
        ratio = latency_s / self._baseline_s
        works_on = in_flight / ratio
        if ratio > BUSY:
            self._starting = False
            if self._trial is None:
                self._trial = (in_flight, latency_s)
            least = self._at * max(0.5, ratio**-0.5)  # Short answers wait out of proportion.
            self._cut(max(least, min(works_on * HEADROOM, self._at - 1), 1.0), now)
        elif window.used >= USED_SHARE * window.count:
            self._trial = None
            self._in_use(ratio, now)

    def _in_use(self, ratio: float, now: float) -> None:
        """The limit is used up, and the target bears it."""
        if self._dip_at is None:
            every_s = limits.LEARN_DIP_S if self._is_sure else limits.LEARN_FIRST_DIP_S
            self._dip_at = now + every_s * (0.75 + 0.5 * self._chance())
        if self._grew and ratio <= BUSY:
            self._grew = False
            self._patience_s = limits.LEARN_PATIENCE_S
        if now >= self._dip_at and self.limit > 1:
            self._dips_from = self._at
            self._calm = _Window()
            self._set(min(self._at * DIP, self.limit - 1.0), now)
        elif ratio < CALM and now >= self._grow_at:
            factor = FIRST_GROWTH if self._starting else GROWTH
            self._set(max(self._at * factor, self.limit + 1.0), now)
            self._grew = True

    def _end_trial(self, in_flight: float, latency_s: float) -> None:
        """Did latency fall with the limit? If not, that is what the target needs now."""
        assert self._trial is not None, "a trial that was begun"
        before, slow_s = self._trial
        if in_flight > limits.LEARN_TRIAL_SHARE * before:
            return  # Too little to tell.
        self._trial = None
        if log(slow_s / latency_s) < log(before / in_flight) / 4:
            self._baseline_s = latency_s
            worked_on = before * min(1.0, latency_s / slow_s)
            self._at = max(self._at, worked_on)
            self._grow_at = 0.0

    def _cut(self, to: float, now: float) -> None:
        if self._grew:
            self._grew = False
            self._patience_s = min(2 * self._patience_s, limits.LEARN_PATIENCE_S_MAX)
        self._grow_at = now + self._patience_s
        self._set(to, now)

    def _set(self, at: float, now: float) -> None:
        self._at = min(max(at, 1.0), float(limits.LEARN_SLOTS_MAX))
        self.limit = int(self._at)
        self._busy = _Window()
        settling_s = self._latency_s or self._baseline_s or 0.0
        self._settles_at = now + min(settling_s, limits.LEARN_SETTLE_S_MAX)
