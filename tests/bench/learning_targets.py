"""Modeled targets for rules that learn a limit.

A target has a *knee*: as many requests at once as it works on without being slower. Below it the
latency is the service time and some noise of loopback; beyond it either they queue, first come
first served, or all get slower together (processor sharing). Requests come as a Poisson stream;
who finds the limit used up goes elsewhere, as it would to another site.
"""

import heapq
import random
from collections import deque
from collections.abc import Callable
from math import inf, log

import msgspec

from tests.bench.learning_rules import Rule

SERVICE_S = 0.02
NOISE_S = 0.0003
TICK_S = 0.25
SHAPES = ("constant", "exponential", "lognormal", "bimodal", "sharing")


def service_s(shape: str, rng: random.Random) -> float:
    """A service time with a mean of `SERVICE_S`."""
    if shape in ("exponential", "sharing-exponential"):
        return rng.expovariate(1 / SERVICE_S)
    if shape == "lognormal":  # Its 99th percentile is 11 times the mean's half: sigma 1.5.
        return rng.lognormvariate(log(SERVICE_S) - 1.5**2 / 2, 1.5)
    if shape == "bimodal":  # Nine of ten are hits.
        return SERVICE_S * (0.2 if rng.random() < 0.9 else 8.2)
    return SERVICE_S


class Tick(msgspec.Struct, frozen=True):
    """The state at one moment, and counts since the one before."""

    at_s: float
    limit: int
    offered: int
    spilled: int
    latencies: tuple[float, ...]
    last: tuple[float, ...]
    """Of these, latencies of requests that took the last slot: where overflow begins."""


class _Queue:
    """A knee of servers; those beyond wait their turn."""

    def __init__(self, knee: int) -> None:
        self.knee, self.slow = knee, 1.0
        self._running: list[tuple[float, int]] = []
        self._waiting: deque[tuple[int, float]] = deque()

    def next_at(self) -> float:
        return self._running[0][0] if self._running else inf

    def add(self, one: int, needs_s: float, now: float) -> None:
        self._waiting.append((one, needs_s))
        self._start(now)

    def pop(self, now: float) -> int:
        one = heapq.heappop(self._running)[1]
        self._start(now)
        return one

    def _start(self, now: float) -> None:
        while self._waiting and len(self._running) < self.knee:
            one, needs_s = self._waiting.popleft()
            heapq.heappush(self._running, (now + needs_s * self.slow, one))


class _Sharing:
    """All at once, each at knee / n of its speed beyond the knee."""

    def __init__(self, knee: int) -> None:
        self.knee, self.slow = knee, 1.0
        self._done = self._at = 0.0  # Work done for each since the start, and until when.
        self._running: list[tuple[float, int]] = []

    def _speed(self) -> float:
        return min(1.0, self.knee / max(1, len(self._running))) / self.slow

    def _advance(self, now: float) -> None:
        self._done += (now - self._at) * self._speed()
        self._at = now

    def next_at(self) -> float:
        if not self._running:
            return inf
        return self._at + max(0.0, self._running[0][0] - self._done) / self._speed()

    def add(self, one: int, needs_s: float, now: float) -> None:
        self._advance(now)
        heapq.heappush(self._running, (self._done + needs_s, one))

    def pop(self, now: float) -> int:
        self._advance(now)
        return heapq.heappop(self._running)[1]


Change = tuple[float, int, float]
"""When, the knee from then on, and how many times the service time."""


def run(
    shape: str,
    rule: Rule,
    load: Callable[[float], float],
    seconds: float,
    *,
    knee: int,
    seed: int = 1,
    changes: tuple[Change, ...] = (),
    step_s: float = TICK_S,
) -> list[Tick]:
    """Ticks of ``step_s``. ``load``: requests a second over what ``knee`` serves, by time."""
    rng = random.Random(seed)
    target = _Sharing(knee) if shape.startswith("sharing") else _Queue(knee)
    began: dict[int, tuple[float, int, bool]] = {}
    ticks: list[Tick] = []
    latencies: list[float] = []
    last: list[float] = []
    offered = spilled = number = 0
    now, tick_at, pending = 0.0, step_s, list(changes)
    arrives_at = rng.expovariate(max(load(0.0), 1e-9) * knee / SERVICE_S)
    while now < seconds:
        now = min(arrives_at, target.next_at(), tick_at)
        if pending and now >= pending[0][0]:
            _, target.knee, target.slow = pending.pop(0)
        if now == tick_at:
            ticks.append(Tick(now, rule.limit, offered, spilled, tuple(latencies), tuple(last)))
            offered = spilled = 0
            latencies, last, tick_at = [], [], tick_at + step_s
        elif now == arrives_at:
            offered += 1
            if len(began) >= rule.limit:
                spilled += 1
            else:
                number += 1
                began[number] = now, len(began) + 1, len(began) + 1 >= rule.limit
                target.add(number, service_s(shape, rng), now)
            arrives_at = now + rng.expovariate(max(load(now), 1e-9) * knee / SERVICE_S)
        else:
            began_at, in_flight, is_last = began.pop(target.pop(now))
            latency_s = now - began_at + rng.expovariate(1 / NOISE_S)
            latencies.append(latency_s)
            if is_last:
                last.append(latency_s)
            rule.answered(latency_s, in_flight, now)
    return ticks
