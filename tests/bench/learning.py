"""``python -m tests.bench.learning``: the capacity learned of modeled targets, beside the truth.

Prints the tables of docs/design/capacity-auto.md. The constants were chosen on seeds 0 to 4; the
tables use others, 100 and up. The published rules run beside `Learner`, with their published
defaults (`learning_rules`).
"""

import argparse
import random
from collections.abc import Callable
from functools import partial
from math import inf
from multiprocessing import get_context

import msgspec

from router.balance.learning.capacity_learning import Learner
from tests.bench.learning_rules import Fixed, Gradient2, Rule, Vegas, Windowed
from tests.bench.learning_targets import SHAPES, TICK_S, Change, Tick, run

ALL_SHAPES = (*SHAPES, "sharing-exponential")
KNEES = (3, 5, 10, 20, 100)
PEER_KNEES = (5, 20)
MANY, FEW = 100, 1
"""Of so large knees, and of the peers, so few seeds: they take long."""
HELD_OUT, TUNED_ON = 100, 0
"""First seeds."""
BURST_S, LATE_S, END_S = 5.0, 15.0, 40.0
"""Half load until then; from when on a burst is judged; its end."""
CHANGE_S = 15.0
NEAR = (0.9, 2.0)
"""Limits over the knee that count as learnt: nothing idles, and latency has not doubled."""
STAYS = 28
"""Ticks for which it is to stay near."""


def learner(seed: int) -> Learner:
    """Ours."""
    return Learner(random.Random(seed).random)


RULES: dict[str, Callable[[int], Rule]] = {
    "ours": learner,
    "Vegas": lambda seed: Vegas(random.Random(seed)),
    "Gradient2": lambda _: Gradient2(),
    "Gradient2 from 4": lambda _: Gradient2(4.0),
    "Envoy-like": lambda seed: Windowed(random.Random(seed)),
}


def mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else inf


def settled_at(ticks: list[Tick], low: float, high: float, since: float = 0.0) -> float:
    """Seconds after ``since`` from which on the limit, in the mean over 2 s, is within the bounds.

    And stays so for 5 s more. inf: never, or not for so long.
    """
    width = round(2 / TICK_S)
    coming = [float(tick.limit) for tick in ticks if tick.at_s > since]
    good = 0
    for first in range(len(coming) - width + 1):
        good = good + 1 if low <= mean(coming[first : first + width]) <= high else 0
        if good == STAYS - width + 1:
            return (first + 1 - good) * TICK_S
    return inf


def served(ticks: list[Tick]) -> float:
    return sum(len(tick.latencies) for tick in ticks) / (TICK_S * len(ticks))


def spilled(ticks: list[Tick]) -> float:
    return sum(tick.spilled for tick in ticks) / max(1, sum(tick.offered for tick in ticks))


def after(ticks: list[Tick], at_s: float) -> list[Tick]:
    return [tick for tick in ticks if tick.at_s > at_s]


class Figures(msgspec.Struct, frozen=True):
    """Of one rule, shape, knee and seed."""

    limit: float
    limit_least: float
    limit_most: float
    overflow: dict[float, float]
    """Latency of the request that took the last slot over the unloaded one, by load, from a burst's
    begin.
    """
    goodput: dict[float, float]
    """Over that of a limit at the knee, by load."""
    spilled: float
    spilled_stated: float
    learnt_s: float
    halved_s: float
    doubled_s: float
    slower_s: float


def burst(load: float, now: float) -> float:
    return 0.5 if now < BURST_S else load


def measure(shape: str, name: str, knee: int, seed: int) -> Figures:
    """Everything of one rule for one target."""
    make = RULES[name]

    def runs(rule: Rule, load: float, *changes: Change, seconds: float = END_S) -> list[Tick]:
        arrivals = partial(burst, load)
        return run(shape, rule, arrivals, seconds, knee=knee, seed=seed, changes=changes)

    def found_s(load: float, there: int, slower: float) -> float:
        ticks = runs(make(seed), load, (CHANGE_S, there, slower))
        return settled_at(ticks, NEAR[0] * there, NEAR[1] * there, CHANGE_S)

    plain = run(shape, Fixed(10**9), lambda _: 0.2, 60, knee=10**6 // 5000, seed=seed)
    unloaded_s = mean([one for tick in plain for one in tick.latencies])
    overflow, goodput = {}, {}
    for load in (1.0, 1.5, 3.0):
        ticks = runs(make(seed), load)
        stated = runs(Fixed(knee), load)
        overflow[load] = mean([s for t in after(ticks, BURST_S) for s in t.last]) / unloaded_s
        goodput[load] = served(after(ticks, LATE_S)) / served(after(stated, LATE_S))
        if load == 1.5:
            slots = sorted(tick.limit / knee for tick in after(ticks, LATE_S))
    cold = run(shape, make(seed), lambda _: 1.5, 25, knee=knee, seed=seed)
    half = [
        spilled(after(run(shape, rule, lambda _: 0.5, 60, knee=knee, seed=seed), 10))
        for rule in (make(seed), Fixed(knee))
    ]
    return Figures(
        limit=mean(slots),
        limit_least=slots[len(slots) // 20],
        limit_most=slots[-1 - len(slots) // 20],
        overflow=overflow,
        goodput=goodput,
        spilled=half[0],
        spilled_stated=half[1],
        learnt_s=settled_at(cold, NEAR[0] * knee, NEAR[1] * knee),
        halved_s=found_s(1.5, (knee + 1) // 2, 1.0),
        doubled_s=found_s(4.0, 2 * knee, 1.0),
        slower_s=found_s(1.5, knee, 3.0),
    )


def _job(what: tuple[str, str, int, int]) -> Figures:
    return measure(*what)


def _of(values: list[float], form: str, worst: Callable[[list[float]], float] = max) -> str:
    """The median over seeds, and the worst."""
    middle = sorted(values)[len(values) // 2]
    said = ["never" if one == inf else format(one, form) for one in (middle, worst(values))]
    return f"{said[0]} ({said[1]})"


def table(title: str, rows: list[list[str]]) -> None:
    print(f"\n**{title}**\n\n| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
    for row in rows[1:]:
        print("| " + " | ".join(row) + " |")


Column = tuple[str, Callable[[list[Figures]], str]]

COLUMNS: dict[str, Column] = {
    "limit": (
        "Limit / knee at 1.5x: mean (5th to 95th percentile of all moments)",
        lambda many: (
            f"{mean([one.limit for one in many]):.2f} "
            f"({min(one.limit_least for one in many):.2f}-"
            f"{max(one.limit_most for one in many):.2f})"
        ),
    ),
    "overflow": (
        "Latency / unloaded of who takes the last slot, from a burst's begin, 1.5x and 3x",
        lambda many: " · ".join(
            _of([one.overflow[load] for one in many], ".2f") for load in (1.5, 3.0)
        ),
    ),
    "goodput": (
        "Goodput / perfectly stated at 1x, 1.5x and 3x",
        lambda many: " · ".join(
            _of([one.goodput[load] for one in many], ".0%", min) for load in (1.0, 1.5, 3.0)
        ),
    ),
    "spilled": (
        "Spilled at half load, and by a perfectly stated capacity",
        lambda many: (
            f"{_of([one.spilled for one in many], '.1%')}, "
            f"{_of([one.spilled_stated for one in many], '.1%')}"
        ),
    ),
    "learnt": (
        "Seconds to learn from nothing, at 1.5x",
        lambda many: _of([one.learnt_s for one in many], ".1f"),
    ),
    "again": (
        "Seconds to learn again: knee x0.5, x2, 3x slower",
        lambda many: " · ".join(
            _of([getattr(one, name) for one in many], ".1f")
            for name in ("halved_s", "doubled_s", "slower_s")
        ),
    ),
}


def main() -> None:
    """Print all tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--knee", type=int, action="append", help="of ours; default: all")
    options.add_argument("--shape", choices=ALL_SHAPES, action="append")
    options.add_argument("--seeds", type=int, default=10, help="how many; default: 10")
    options.add_argument("--first-seed", type=int, default=HELD_OUT)
    options.add_argument("--no-peers", action="store_true", help="ours alone")
    given = options.parse_args()
    knees, shapes = given.knee or KNEES, given.shape or ALL_SHAPES
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    jobs = [
        (shape, name, knee, seed)
        for name in (["ours"] if given.no_peers else RULES)
        for knee in (knees if name == "ours" else [one for one in PEER_KNEES if one in knees])
        for shape in shapes
        for seed in (seeds if name == "ours" and knee < MANY else seeds[:FEW])
    ]
    found: dict[tuple[str, str, int], list[Figures]] = {}
    with get_context("spawn").Pool(2) as pool:
        for job, figures in zip(jobs, pool.imap(_job, jobs, chunksize=2), strict=True):
            found.setdefault(job[:3], []).append(figures)
    print(f"Seeds {seeds[0]} to {seeds[-1]}: the median, in brackets the worst of them.")
    for title, tell in COLUMNS.values():
        rows = [["rule, knee", *shapes]]
        for name, knee in dict.fromkeys((job[1], job[2]) for job in jobs):
            cells = [tell(found[shape, name, knee]) for shape in shapes]
            rows.append([f"{name}, {knee}", *cells])
        table(title, rows)


if __name__ == "__main__":
    main()
