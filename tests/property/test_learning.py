"""`Learner` beside the rule of its module, kept as lists of answers and reckoned afresh."""

import random
from itertools import accumulate
from math import inf, log, sqrt
from statistics import fmean
from typing import Final, NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from router.balance.learning import capacity_learning as rule
from router.balance.learning.capacity_learning import Learner, LearntTarget
from router.model import limits
from tests.examples import examples


class Answer(NamedTuple):
    latency_s: float
    in_flight: int
    at: float


class Dip(NamedTuple):
    limit: float
    in_flight: float
    latency_s: float


class Reckoned:
    """What a `Learner` is to do, plainly."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed).random
        self.exact = float(limits.LEARN_SLOTS_FIRST)
        self.known: float | None = None
        self.latency: float | None = None
        self.is_sure, self.worth, self.clip_s = False, 0.0, inf
        self.spread = rule.SPREAD_FIRST
        self.starting = True
        self.calm: list[Answer] = []
        self.busy: list[Answer] = []
        self.others = 0  # That are not calm, since calm ones are counted.
        self.seen: list[bool] = []  # Since ``judged_at``: whether it was an answer.
        self.judged_at = self.settles_at = self.heard_at = self.dip_at = 0.0
        self.dip: Dip | None = None

    @property
    def limit(self) -> int:
        return round(self.exact)

    def heard(self, now: float) -> None:
        if now - self.heard_at > limits.LEARN_IDLE_S and self.known is not None:
            self.forget()
        self.heard_at = now
        if now - self.judged_at > limits.LEARN_WINDOW_S_MAX:
            self.seen, self.judged_at = [], now

    def forget(self) -> None:
        self.is_sure, self.known, self.dip, self.clip_s = False, None, None, inf
        self.calm, self.busy, self.others = [], [], 0

    def answered(self, latency_s: float, in_flight: int, now: float) -> None:
        self.heard(now)
        self.seen.append(True)
        if now < self.settles_at:
            return
        counted_s = min(max(latency_s, limits.LEARN_LATENCY_S_MIN), self.clip_s)
        answer = Answer(counted_s, in_flight, now)
        if self.dip is not None and in_flight > self.limit:
            return
        if self.dip is not None or in_flight <= self.limit / 2:
            self.calm.append(answer)
            self.judge_calm(now)
            return
        self.others += 1
        if in_flight >= 3 * self.limit / 4:
            self.busy.append(answer)
            self.judge_busy(now)

    def failed(self, now: float) -> None:
        self.heard(now)
        self.seen.append(False)
        seen = self.seen
        if len(seen) >= limits.LEARN_SAMPLES_MIN and now - self.judged_at >= limits.LEARN_WINDOW_S:
            self.seen, self.judged_at = [], now
            if seen.count(False) > len(seen) * rule.FAILED_SHARE and now >= self.settles_at:
                self.starting, self.dip = False, None
                self.set(self.exact / 2, now)

    def returned(self, now: float) -> None:
        self.forget()
        self.starting = True
        self.set(max(self.exact / 2, min(self.exact, float(limits.LEARN_SLOTS_FIRST))), now)

    def error(self, answers: list[Answer]) -> float:
        return sqrt(max(spread(answers), self.spread) / len(answers))

    def judge_calm(self, now: float) -> None:
        if not is_enough(self.calm, now):
            is_whole = False
        elif (error := self.error(self.calm)) <= rule.PRECISION / sqrt(self.exact):
            is_whole = True
        else:
            found = mean_s(self.calm)
            is_whole = (
                self.dip is not None
                and self.known is not None
                and error <= rule.ROUGH
                and abs(log(found / self.known)) > rule.EARLY * error
            )
        calm, others = self.calm, self.others
        if is_whole or is_stale(calm, now):
            self.calm, self.others = [], 0
        if is_whole and others <= len(calm):
            self.take(calm, now)
        elif not is_whole and is_stale(calm, now) and self.dip is not None:
            self.end_dip(limits.LEARN_DIP_S, now)

    def take(self, calm: list[Answer], now: float) -> None:
        found, known = mean_s(calm), self.known
        error = max(self.error(calm), limits.LEARN_SAME)
        if known is None or not self.is_sure or abs(log(found / known)) > rule.SURPRISE * error:
            is_new, self.known, self.worth = True, found, float(len(calm))
        else:
            before = min(self.worth, rule.MEMORY * len(calm))
            is_new, self.worth = False, before + len(calm)
            self.known = known + (found - known) * len(calm) / self.worth
        self.clip_s = rule.CLIP * self.known
        self.spread = max(spread(calm), self.spread * rule.SPREAD_KEPT)
        self.is_sure = True
        if self.dip is None:
            self.dip_at = now + self.until_dip(limits.LEARN_DIP_S)
            return
        lasted_s = limits.LEARN_DIP_EVERY * (now - calm[0].at)
        self.end_dip(limits.LEARN_DIP_S if is_new else max(limits.LEARN_DIP_S, lasted_s), now)

    def end_dip(self, next_s: float, now: float) -> None:
        assert self.dip is not None
        dip, self.dip = self.dip, None
        self.dip_at = now + self.until_dip(next_s)
        works_on = dip.in_flight / max(1.0, dip.latency_s / (self.known or dip.latency_s))
        most = dip.limit + sqrt(dip.limit)
        self.set(max(min(works_on + sqrt(works_on), most), dip.limit / 2), now)

    def judge_busy(self, now: float) -> None:
        busy = self.busy
        if not self.says_limit(busy, now):
            self.busy = [] if is_stale(busy, now) else busy
            return
        self.busy, self.latency = [], mean_s(busy)
        in_flight = sum(one.in_flight for one in busy) / len(busy)
        last_slot = sum(one.in_flight >= self.limit for one in busy) / len(busy)
        if self.known is None:
            self.known, self.clip_s = self.latency, rule.CLIP * self.latency
            self.dip_at = now + self.until_dip(limits.LEARN_FIRST_DIP_S)
        ratio, root = self.latency / self.known, sqrt(self.exact)
        works_on = in_flight / max(1.0, ratio)
        is_crowded = last_slot >= rule.CROWDED_SHARE
        if ratio > 1 + rule.WAITING / root:
            self.starting = False
            to = works_on + sqrt(works_on)
        else:
            to = 2 * self.exact if self.starting and is_crowded else self.exact + root
        if is_crowded and (to <= rule.DROP * self.exact or now >= self.dip_at):
            self.dip = Dip(self.exact, in_flight, self.latency)
            self.calm, self.others = [], 0
            self.clip_s = rule.CLIP * self.latency
            self.set(max(works_on / 2, self.exact / 4), now)
        elif to < self.exact or last_slot >= rule.USED_SHARE:
            self.set(max(to, self.exact / 2), now)

    def says_limit(self, busy: list[Answer], now: float) -> bool:
        if not is_enough(busy, now):
            return False
        error, precise = self.error(busy), rule.PRECISION / sqrt(self.exact)
        if error <= precise or self.known is None:
            return error <= precise
        ratio = mean_s(busy) / self.known
        return error <= 2 * precise if ratio <= 1 else ratio - ratio * 4 * error > rule.DOUBLED

    def until_dip(self, seconds: float) -> float:
        return seconds * (0.75 + self.chance() / 2)

    def set(self, exact: float, now: float) -> None:
        self.exact = min(max(exact, limits.LEARN_SLOTS_MIN), limits.LEARN_SLOTS_MAX)
        self.busy = []
        latencies = min(2 + 3 * sqrt(self.spread), rule.CLIP)
        settling_s = latencies * (self.latency or self.known or 0.0)
        self.settles_at = now + min(settling_s, limits.LEARN_SETTLE_S_MAX)


def mean_s(answers: list[Answer]) -> float:
    *_, total = accumulate(one.latency_s for one in answers)  # In order, as floats are added up.
    return total / len(answers)


def spread(answers: list[Answer]) -> float:
    mean = mean_s(answers)
    return fmean((one.latency_s - mean) ** 2 for one in answers) / mean**2


def is_enough(answers: list[Answer], now: float) -> bool:
    long_enough = now - answers[0].at >= limits.LEARN_WINDOW_S
    return long_enough and len(answers) >= limits.LEARN_SAMPLES_MIN


def is_stale(answers: list[Answer], now: float) -> bool:
    lasts_s = max(limits.LEARN_WINDOW_S_MAX, limits.LEARN_WINDOW_LATENCIES_MAX * mean_s(answers))
    return now - answers[0].at > lasts_s


class Phase(NamedTuple):
    """So many answers of a target that works on ``knee`` at once, ``used`` of the limit there."""

    answers: int
    used: float
    knee: int
    latency_s: float
    jitter: float
    gap_s: float
    failing: float
    before: str


GAPS: Final = st.sampled_from((1 / 1024, 1 / 128, 1 / 64, 1 / 16, 0.5, 4.0))
PHASES: Final = st.builds(
    Phase,
    answers=st.integers(1, 400),
    used=st.sampled_from((0.1, 0.5, 0.6, 0.75, 1.0, 1.0, 1.25)),
    knee=st.sampled_from((1, 4, 20, 1000)),
    latency_s=st.sampled_from((0.0, 1 / 64, 1 / 64, 1 / 32, 1.0)),
    jitter=st.sampled_from((0.0, 0.0, 0.1, 1.0, 3.0)),
    gap_s=GAPS,
    failing=st.sampled_from((0.0, 0.0, 0.0, 0.05, 0.5)),
    before=st.sampled_from(("", "", "", "returned", "idle")),
)


CALM, BUSY = (Phase(400, used, 9_999, 1 / 64, 0.0, 1 / 16, 0.0, "") for used in (0.1, 1.0))


@settings(max_examples=examples(60))
@example(seed=1, phases=[CALM, BUSY, BUSY])  # A target that is used up long after it was calm.
@given(seed=st.integers(0, 99), phases=st.lists(PHASES, min_size=3, max_size=12))
def test_it_learns_by_its_rule_whatever_a_target_answers(seed: int, phases: list[Phase]) -> None:
    learner, plain, chance = Learner(random.Random(seed).random), Reckoned(seed), random.Random(7)
    now = 0.0
    for phase in phases:
        before = learner.limit
        if phase.before == "returned":
            assert learner.returned(now) == (learner.limit != before)
            plain.returned(now)
        now += limits.LEARN_IDLE_S if phase.before == "idle" else 0.0
        for _ in range(phase.answers):
            now += phase.gap_s
            before = learner.limit
            if chance.random() < phase.failing:
                changed = learner.failed(now)
                plain.failed(now)
            else:
                in_flight = max(1, round(phase.used * before))
                waits = max(1.0, in_flight / phase.knee)
                latency_s = phase.latency_s * waits * chance.lognormvariate(0.0, phase.jitter)
                changed = learner.answered(latency_s, in_flight, now)
                plain.answered(latency_s, in_flight, now)
            assert learner.limit == plain.limit
            assert changed == (learner.limit != before)
            assert limits.LEARN_SLOTS_MIN <= learner.limit <= limits.LEARN_SLOTS_MAX
    found = learner.learnt
    assert found.slots == plain.limit
    assert is_about(found.baseline_s, plain.known)
    assert is_about(found.latency_s, plain.latency)
    assert isinstance(found, LearntTarget)


def is_about(found: float | None, wanted: float | None) -> bool:
    if found is None or wanted is None:
        return found is wanted
    return abs(found - wanted) <= 1e-9 * wanted


@given(latencies=st.lists(st.floats(0.001, 0.0011), min_size=100, max_size=400))
def test_one_request_at_a_time_never_lowers_the_limit(latencies: list[float]) -> None:
    learner = Learner(random.Random(1).random)
    for index, latency_s in enumerate(latencies):
        learner.answered(latency_s, 1, index * 0.05)
        assert learner.limit == limits.LEARN_SLOTS_FIRST


@settings(max_examples=examples(8))
@given(seed=st.integers(0, 99))
def test_probing_halves_at_most_what_a_target_works_on_and_seldom(seed: int) -> None:
    """Always used up, by a target with a knee: nothing but dips goes below it."""
    knee, learner = 10, Learner(random.Random(seed).random)
    now, low, least = 0.0, 0, knee
    for step in range(20_000):
        now += 0.005
        before = learner.limit
        learner.answered(0.02 * max(1.0, before / knee), before, now)
        if step > 2000:
            low += learner.limit < knee
            least = min(least, learner.limit)
    assert least >= knee // 2 - 1
    assert low <= 0.1 * 20_000
