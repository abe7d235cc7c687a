"""Modeled targets and the rules that choose among them, in virtual time.

A target works on ``true`` requests at once, each ``slower`` times as long as it needs; more wait in
it, first come first served. Its router gives it ``stated`` at most (None: any number). Who finds no
target with a slot goes to another site, which is ``RTT_S`` away and never full.
"""

from collections import deque
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from math import exp, floor, inf, log
from random import Random

import msgspec

from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Slot
from router.model.capacity import TargetTerms

SERVICE_S = 0.02
RTT_S = 0.005
WARM_S, END_S = 8.0, 24.0
EWMA_S = 10.0  # As in Linkerd and Finagle.
QUANTILE = 0.84  # Prequal's, of requests in flight: more is hot.
RECENT = 0.1  # Of an answer, in Prequal's latency at that many in flight.


class ModelTarget(msgspec.Struct):
    """One target as its router sees it, and how it really is."""

    name: str
    true: int
    stated: int | None = None
    slower: float = 1.0
    working: int = 0
    in_flight: int = 0
    waiting: deque[tuple[float, float, int]] = msgspec.field(default_factory=deque)
    latency_s: dict[int, float] = msgspec.field(default_factory=dict)
    """By doublings of in flight, or of all (0), as far as the rule keeps it."""
    answered_at: float = 0.0

    @property
    def has_room(self) -> bool:
        return self.stated is None or self.in_flight < self.stated

    @property
    def used(self) -> float:
        return self.in_flight / (self.stated or 1)


class ChoiceRule:
    """Which of the targets with room is next. `heard`: an answer took so long."""

    def __init__(self, targets: Sequence[ModelTarget], rng: Random) -> None:
        self.targets, self.rng = targets, rng

    def choose(self, now: float) -> ModelTarget | None:
        roomy = [one for one in self.targets if one.has_room]
        return self.pick(roomy, now) if roomy else None

    def pick(self, roomy: Sequence[ModelTarget], now: float) -> ModelTarget:
        raise NotImplementedError

    def heard(self, one: ModelTarget, latency_s: float, in_flight: int, now: float) -> None: ...

    def ended(self, one: ModelTarget, now: float) -> None: ...


class Ideal(ChoiceRule):
    """Knows the true slots and speeds: the soonest that can work on it at once, else none."""

    def choose(self, now: float) -> ModelTarget | None:
        free = [one for one in self.targets if one.working < one.true]
        return min(free, key=lambda one: (one.slower, one.working / one.true), default=None)


class LeastInFlight(ChoiceRule):
    """Least in flight over configured capacity; the former rule, but for the turns of equals."""

    def pick(self, roomy: Sequence[ModelTarget], now: float) -> ModelTarget:
        least = min(one.used for one in roomy)
        return self.rng.choice([one for one in roomy if one.used == least])


class TwoChoices(ChoiceRule):
    """The less used of two at random (P2C)."""

    def pick(self, roomy: Sequence[ModelTarget], now: float) -> ModelTarget:
        two = self.rng.sample(roomy, min(2, len(roomy)))
        return min(two, key=lambda one: self.cost(one, now))

    def cost(self, one: ModelTarget, now: float) -> float:
        return one.used


class PeakEwma(TwoChoices):
    """Of two at random the one with less (peak of recent latencies) x (in flight + 1)."""

    def cost(self, one: ModelTarget, now: float) -> float:
        known = one.latency_s.get(0)
        if known is None:
            return 0.0 if not one.in_flight else 1e9 + one.in_flight
        return known * exp(-(now - one.answered_at) / EWMA_S) * (one.in_flight + 1)

    def heard(self, one: ModelTarget, latency_s: float, in_flight: int, now: float) -> None:
        known = one.latency_s.get(0, 0.0)
        share = exp(-(now - one.answered_at) / EWMA_S)
        is_peak = latency_s > known
        one.latency_s[0] = latency_s if is_peak else known * share + latency_s * (1 - share)
        one.answered_at = now


class HotCold(ChoiceRule):
    """Prequal's: of those below the quantile of in flight the least latency at as many."""

    def pick(self, roomy: Sequence[ModelTarget], now: float) -> ModelTarget:
        used = sorted(one.used for one in roomy)
        at = QUANTILE * (len(used) - 1)
        low, high = used[floor(at)], used[min(floor(at) + 1, len(used) - 1)]
        mark = low + (high - low) * (at - floor(at))
        cold = [one for one in roomy if one.used <= mark]
        return min(cold or roomy, key=lambda one: (self._at(one), one.used))

    def _at(self, one: ModelTarget) -> float:
        level, known = _doublings(one.in_flight + 1), one.latency_s
        lower = [at for at in known if at <= level]
        return known[max(lower)] if lower else known[min(known)] if known else 0.0

    def heard(self, one: ModelTarget, latency_s: float, in_flight: int, now: float) -> None:
        level = _doublings(in_flight)
        known = one.latency_s.get(level, latency_s)
        one.latency_s[level] = known + RECENT * (latency_s - known)


def _doublings(in_flight: int) -> int:
    """Four for each."""
    return in_flight if in_flight < 4 else round(4 * log(in_flight / 4, 2)) + 4


class Ours(ChoiceRule):
    """The router's ledger, which times the answers that it asks to time."""

    def __init__(self, targets: Sequence[ModelTarget], rng: Random) -> None:
        super().__init__(targets, rng)
        self._by_name = {one.name: one for one in targets}
        self._ledger = LocalLedger()
        terms = {one.name: TargetTerms(name="model", capacity=one.stated) for one in targets}
        self._ledger.set_targets(terms)
        for name in terms:
            self._ledger.set_ready(name, True)
        self._ledger.follow_choices(self._time_next)
        self._slots: dict[str, list[Slot]] = {name: [] for name in terms}
        self._is_due = False
        self._timed: dict[str, set[float]] = {name: set() for name in terms}
        self.timed = 0

    def _time_next(self) -> None:
        self._is_due = True

    def choose(self, now: float) -> ModelTarget | None:
        slot = self._ledger.try_acquire(now)
        if not isinstance(slot, Slot):
            return None
        self._slots[slot.target].append(slot)
        if self._is_due:
            self._is_due = False
            self.timed += 1
            self._timed[slot.target].add(now)
        return self._by_name[slot.target]

    def heard(self, one: ModelTarget, latency_s: float, in_flight: int, now: float) -> None:
        began = min(self._timed[one.name], key=lambda at: abs(now - latency_s - at), default=inf)
        if abs(now - latency_s - began) < 1e-9:
            self._timed[one.name].discard(began)
            self._ledger.answered(one.name, latency_s, in_flight, now)

    def ended(self, one: ModelTarget, now: float) -> None:
        self._slots[one.name].pop().release(now)


RULES: dict[str, Callable[[Sequence[ModelTarget], Random], ChoiceRule]] = {
    "least in flight": LeastInFlight,
    "P2C": TwoChoices,
    "peak EWMA": PeakEwma,
    "Prequal": HotCold,
    "ours": Ours,
}


def service_s(shape: str, rng: Random) -> float:
    """What one request needs, with a mean of `SERVICE_S`."""
    if shape == "exponential":
        return rng.expovariate(1 / SERVICE_S)
    if shape == "lognormal":
        return rng.lognormvariate(log(SERVICE_S) - 1.5**2 / 2, 1.5)
    return SERVICE_S


class Outcome(msgspec.Struct, frozen=True):
    """Of the requests after `WARM_S`."""

    p99_s: float
    mean_s: float
    here: float
    served: tuple[int, ...]


def run(
    make: Callable[[Sequence[ModelTarget], Random], ChoiceRule],
    targets: Sequence[ModelTarget],
    per_s: float,
    shape: str,
    seed: int,
) -> Outcome:
    """Poisson arrivals; the same requests for each rule of one seed."""
    arrivals, needs = Random(f"{seed} arrivals"), Random(f"{seed} needs")
    rule = make(targets, Random(f"{seed} rule"))
    ends: list[tuple[float, int, float, float, int]] = []
    latencies: list[float] = []
    served = [0] * len(targets)
    away = 0
    now, coming = 0.0, arrivals.expovariate(per_s)
    while now < END_S:
        if ends and ends[0][0] <= coming:
            now, number, began, _, in_flight = heappop(ends)
            one = targets[number]
            one.in_flight -= 1
            if began >= WARM_S:
                latencies.append(now - began)
            rule.heard(one, now - began, in_flight, now)
            rule.ended(one, now)
            if one.waiting:
                later_began, takes_s, had = one.waiting.popleft()
                heappush(ends, (now + takes_s, number, later_began, takes_s, had))
            else:
                one.working -= 1
            continue
        now, coming = coming, coming + arrivals.expovariate(per_s)
        needs_s = service_s(shape, needs)
        chosen = rule.choose(now)
        if chosen is None:
            if now >= WARM_S:
                latencies.append(RTT_S + needs_s)
                away += 1
            continue
        number = targets.index(chosen)
        chosen.in_flight += 1
        served[number] += now >= WARM_S
        takes_s = needs_s * chosen.slower
        if chosen.working < chosen.true:
            chosen.working += 1
            heappush(ends, (now + takes_s, number, now, takes_s, chosen.in_flight))
        else:
            chosen.waiting.append((now, takes_s, chosen.in_flight))
    latencies.sort()
    return Outcome(
        latencies[int(0.99 * len(latencies))],
        sum(latencies) / len(latencies),
        sum(served) / (sum(served) + away),
        tuple(served),
    )
