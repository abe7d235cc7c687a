"""``python -m tests.bench.learning``: what is learnt of modelled targets, beside the truth.

A target has a *knee*: as many requests at once as it works on without being slower. Below it the
latency is the service time and some noise of loopback; beyond it either they queue, first come
first served, or all get slower together (processor sharing). Requests come as a Poisson stream;
who finds the limit used up goes elsewhere, as it would to another site. Beside `Learner` run the
published rules that it is compared with, written anew from their descriptions.
"""

import argparse
import heapq
import random
from collections import deque
from collections.abc import Callable
from math import ceil, inf, log, log10
from typing import Protocol

import msgspec

from router.balance.learning import Learner

SERVICE_S = 0.02
NOISE_S = 0.0003
SHAPES = ("constant", "exponential", "lognormal", "bimodal", "sharing")


class Rule(Protocol):
    """A rule that learns a limit."""

    @property
    def limit(self) -> int: ...

    def answered(self, latency_s: float, in_flight: int, now: float) -> bool: ...


class Vegas:
    """Netflix's VegasLimit: one step for each answer; minimum latency, probed anew by chance."""

    def __init__(self, rng: random.Random) -> None:
        self._rng, self._at, self._least, self._seen = rng, 4.0, 0.0, 0
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
    """Netflix's Gradient2Limit over windows of a second: short latency against a long average."""

    def __init__(self, rng: random.Random) -> None:
        self._at, self._long, self._count = 4.0, 0.0, 0
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
        gradient = max(0.5, min(1.0, self._long / short))
        self._at = 0.8 * self._at + 0.2 * (self._at * gradient + 4)
        self._at = max(1.0, min(self._at, 1000.0))
        return True


class Windowed:
    """As Envoy's gradient controller: every 60 s three at once, until 50 answers are measured."""

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
    """A perfectly stated capacity."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def answered(self, latency_s: float, in_flight: int, now: float) -> bool:
        return False


def service_s(shape: str, rng: random.Random) -> float:
    """A service time with a mean of `SERVICE_S`."""
    if shape == "exponential":
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
    step_s: float = 0.25,
) -> list[Tick]:
    """Ticks of ``step_s``. ``load``: requests a second over what ``knee`` serves, by time."""
    rng = random.Random(seed)
    target = _Sharing(knee) if shape == "sharing" else _Queue(knee)
    began: dict[int, tuple[float, int]] = {}
    ticks: list[Tick] = []
    latencies: list[float] = []
    offered = spilled = number = 0
    now, tick_at, pending = 0.0, step_s, list(changes)
    arrives_at = rng.expovariate(max(load(0.0), 1e-9) * knee / SERVICE_S)
    while now < seconds:
        now = min(arrives_at, target.next_at(), tick_at)
        if pending and now >= pending[0][0]:
            _, target.knee, target.slow = pending.pop(0)
        if now == tick_at:
            ticks.append(Tick(now, rule.limit, offered, spilled, tuple(latencies)))
            offered = spilled = 0
            latencies, tick_at = [], tick_at + step_s
        elif now == arrives_at:
            offered += 1
            if len(began) >= rule.limit:
                spilled += 1
            else:
                number += 1
                began[number] = now, len(began) + 1
                target.add(number, service_s(shape, rng), now)
            arrives_at = now + rng.expovariate(max(load(now), 1e-9) * knee / SERVICE_S)
        else:
            began_at, in_flight = began.pop(target.pop(now))
            latency_s = now - began_at + rng.expovariate(1 / NOISE_S)
            latencies.append(latency_s)
            rule.answered(latency_s, in_flight, now)
    return ticks


def learner(seed: int) -> Learner:
    """Ours."""
    return Learner(random.Random(seed).random)


def mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else inf


def settled_at(ticks: list[Tick], low: float, high: float, since: float = 0.0) -> float:
    """Seconds after ``since`` until the limit's mean over 2 s is within the bounds; inf: never."""
    for index, tick in enumerate(ticks):
        if tick.at_s > since:
            coming = [float(one.limit) for one in ticks[index : index + 8]]
            if len(coming) == 8 and low <= mean(coming) <= high:
                return tick.at_s - since
    return inf


def served(ticks: list[Tick]) -> float:
    return sum(len(tick.latencies) for tick in ticks) / (0.25 * len(ticks))


class Figures(msgspec.Struct, frozen=True):
    """Of one rule and shape; medians over seeds would hide the worst, so means and extremes."""

    limit: float
    limit_least: int
    limit_most: int
    latency_ratio: float
    goodput: float
    learnt_s: float
    halved_s: float
    doubled_s: float
    slower_s: float
    spilled_at_half: float
    least_at_half: int


def measure(shape: str, make: Callable[[int], Rule], *, knee: int, seed: int) -> Figures:
    """Everything of one rule for one shape."""
    over = 2.0

    def burst(now: float) -> float:
        return 0.5 if now < 5 else over

    plain = run(shape, Fixed(10**9), lambda _: 0.3, 30, knee=knee, seed=seed)
    unloaded_s = mean([one for tick in plain for one in tick.latencies])
    stated = run(shape, Fixed(knee), burst, 65, knee=knee, seed=seed)
    ticks = run(shape, make(seed), burst, 65, knee=knee, seed=seed)
    late = [tick for tick in ticks if tick.at_s > 25]
    halves = run(shape, make(seed), burst, 60, knee=knee, seed=seed, changes=((30, knee // 2, 1),))
    doubles = run(
        shape, make(seed), lambda _: 4.0, 60, knee=knee, seed=seed, changes=((30, 2 * knee, 1),)
    )
    slower = run(shape, make(seed), burst, 60, knee=knee, seed=seed, changes=((30, knee, 3),))
    half = run(shape, make(seed), lambda _: 0.5, 100, knee=knee, seed=seed)
    later = [tick for tick in half if tick.at_s > 10]
    return Figures(
        limit=mean([float(tick.limit) for tick in late]) / knee,
        limit_least=min(tick.limit for tick in late),
        limit_most=max(tick.limit for tick in late),
        latency_ratio=mean([one for tick in late for one in tick.latencies]) / unloaded_s,
        goodput=served(late) / served([tick for tick in stated if tick.at_s > 25]),
        learnt_s=settled_at(ticks, 0.9 * knee, 1.6 * knee, 5.0),
        halved_s=settled_at(halves, 0.4 * knee, 0.8 * knee, 30.0),
        doubled_s=settled_at(doubles, 1.8 * knee, 3.2 * knee, 30.0),
        slower_s=settled_at(slower, 0.9 * knee, 1.6 * knee, 33.0) + 3,
        spilled_at_half=sum(t.spilled for t in later) / sum(t.offered for t in later),
        least_at_half=min(tick.limit for tick in later),
    )


RULES: dict[str, Callable[[int], Rule]] = {
    "ours": learner,
    "vegas": lambda seed: Vegas(random.Random(seed)),
    "gradient2": lambda seed: Gradient2(random.Random(seed)),
    "minRTT windows": lambda seed: Windowed(random.Random(seed)),
}


def main() -> None:
    """Print the table of docs/capacity-auto.md."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--knee", type=int, default=20)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--rule", choices=[*RULES], action="append")
    given = options.parse_args()
    print(
        "| shape | rule | limit / knee (least to most) | latency / unloaded | goodput / stated |"
        " learnt | knee x0.5 | knee x2 | 3x slower | spilled at half load |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for shape in SHAPES:
        for name in given.rule or RULES:
            one = measure(shape, RULES[name], knee=given.knee, seed=given.seed)
            times = (one.learnt_s, one.halved_s, one.doubled_s, one.slower_s)
            told = " | ".join("never" if time == inf else f"{time:.1f} s" for time in times)
            print(
                f"| {shape} | {name} | {one.limit:.2f} ({one.limit_least}-{one.limit_most}) "
                f"| {one.latency_ratio:.2f} | {one.goodput:.1%} | {told} "
                f"| {one.spilled_at_half:.2%} (least {one.least_at_half}) |",
                flush=True,
            )


if __name__ == "__main__":
    main()
