"""Published rules that learn a limit, rewritten from their descriptions, to compare with."""

import random
from math import ceil, log10
from typing import Protocol


class Rule(Protocol):
    """A rule that learns a limit."""

    @property
    def limit(self) -> int: ...

    def answered(self, latency_s: float, in_flight: int, now: float) -> bool: ...


class Vegas:
    """Netflix's VegasLimit: one step for each answer; minimum latency, probed again at random.

    With its defaults: at first 20, at most 1,000, probe multiplier 30, alpha, beta, threshold and
    steps 3, 6, 1 and 1 times log10 of the limit, no smoothing.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng, self._at, self._least, self._seen = rng, 20.0, 0.0, 0
        self._jitter = rng.uniform(0.5, 1)

    @property
    def limit(self) -> int:
        return int(self._at)

    def answered(self, latency_s: float, in_flight: int, now: float) -> bool:
        self._seen += 1
        if self._jitter * 30 * self._at <= self._seen:
            self._seen, self._jitter = 0, self._rng.uniform(0.5, 1)
            self._least = latency_s
            return False
        if not self._least or latency_s < self._least:
            self._least = latency_s
            return False
        if in_flight * 2 < self._at:
            return False
        queue = ceil(self._at * (1 - self._least / latency_s))
        step = max(1, int(log10(self._at)))
        if queue <= step:
            self._at += 6 * step
        elif queue < 3 * step:
            self._at += step
        elif queue > 6 * step:
            self._at -= step
        self._at = max(1.0, min(self._at, 1000.0))
        return True


class Gradient2:
    """Netflix's Gradient2Limit over windows of a second: short latency against a long average.

    With its defaults: at first 20, 20 to 200, queue 4, tolerance 1.5, smoothing 0.2, long window
    600; windows of 1 s and at least 10 answers. ``least``: the first and least limit instead of 20.
    """

    def __init__(self, least: float = 20.0) -> None:
        self._at, self._least, self._long, self._count = least, least, 0.0, 0
        self._sum, self._seen, self._most, self._until = 0.0, 0, 0, 0.0

    @property
    def limit(self) -> int:
        return int(self._at)

    def answered(self, latency_s: float, in_flight: int, now: float) -> bool:
        self._sum += latency_s
        self._seen += 1
        self._most = max(self._most, in_flight)
        if now < self._until or self._seen < 10:
            return False
        short = self._sum / self._seen
        most, self._most, self._sum, self._seen, self._until = self._most, 0, 0.0, 0, now + 1
        self._count += 1
        factor = 1 / self._count if self._count <= 10 else 2 / 601
        self._long += (short - self._long) * factor
        if self._long / short > 2:
            self._long *= 0.9
        if most < self._at / 2:
            return False
        gradient = max(0.5, min(1.0, 1.5 * self._long / short))
        self._at = 0.8 * self._at + 0.2 * (self._at * gradient + 4)
        self._at = max(self._least, min(self._at, 200.0))
        return True


class Windowed:
    """As Envoy's gradient controller: every 60 s three at once, until 50 answers are measured.

    With the values of its documentation: median, update each 0.1 s, 50 requests, buffer 25 %,
    jitter up to 15 %, 3 to 1,000.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng, self._at, self._least = rng, 3.0, 0.0
        self._samples: list[float] = []
        self._measures, self._next, self._until = True, 0.0, 0.0

    @property
    def limit(self) -> int:
        return 3 if self._measures else int(self._at)

    def answered(self, latency_s: float, in_flight: int, now: float) -> bool:
        self._samples.append(latency_s)
        if self._measures:
            if len(self._samples) >= 50:
                self._least = sorted(self._samples)[len(self._samples) // 2]
                self._measures, self._samples, self._until = False, [], now + 0.1
                self._next = now + 60 + self._rng.uniform(0, 9)
            return True
        if now >= self._next:
            self._measures, self._samples = True, []
            return True
        if now >= self._until and self._samples:
            short = sorted(self._samples)[len(self._samples) // 2]
            gradient = max(0.5, min(2.0, 1.25 * self._least / short))
            at = self._at * gradient
            self._at = max(3.0, min(at + at**0.5, 1000.0))
            self._samples, self._until = [], now + 0.1
        return True


class Fixed:
    """A capacity that is configured perfectly."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def answered(self, latency_s: float, in_flight: int, now: float) -> bool:
        return False
