"""``python -m tests.simulation.fleet --seeds 10000`` runs seeds; ``--seed 7 -v`` replays one."""

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from os import cpu_count

from tests.simulation import chaos
from tests.simulation.fleet.run import Outcome, play, shrunk

CHUNK = 50


def run_chunk(first: int, count: int) -> list[Outcome]:
    return [play(seed) for seed in range(first, first + count)]


def run_seeds(first: int, count: int, workers: int) -> Iterator[list[Outcome]]:
    """All seeds, a chunk at a time, in their order."""
    chunks = [(at, min(CHUNK, first + count - at)) for at in range(first, first + count, CHUNK)]
    if workers == 1:
        for chunk in chunks:
            yield run_chunk(*chunk)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(run_chunk, *zip(*chunks, strict=True))


def many(first: int, count: int, workers: int) -> int:
    began = time.perf_counter()
    done = words = 0
    virtual_s = slowest_s = 0.0
    failed: list[Outcome] = []
    for outcomes in run_seeds(first, count, workers):
        done += len(outcomes)
        failed += [outcome for outcome in outcomes if outcome.rule]
        virtual_s += sum(outcome.virtual_s for outcome in outcomes)
        words += sum(outcome.words for outcome in outcomes)
        slowest_s = max(slowest_s, *(outcome.settled_s for outcome in outcomes))
        took_s = time.perf_counter() - began
        print(
            f"\r{done}/{count} seeds, {done / took_s:.1f} a second, "
            f"{virtual_s / took_s:,.0f} simulated seconds a second, {len(failed)} failed",
            end="" if sys.stdout.isatty() else "\n",
            flush=True,
        )
    print(f"\n{words:,} words; the slowest fleet was at rest {slowest_s:.1f} s after its faults")
    for outcome in failed:
        print(f"seed {outcome.seed}: {outcome.what}")
        print(f"  replay: make simulate SEED={outcome.seed}")
    return 1 if failed else 0


def whole(first: int, count: int) -> int:
    """Whole routers, data path and all; the first seed that fails raises."""
    began = time.perf_counter()
    for done, seed in enumerate(range(first, first + count), start=1):
        try:
            chaos.play(seed)
        except BaseException:
            print(f"seed {seed} failed; replay: make simulate WHOLE=--whole SEED={seed}")
            raise
        rate = done / (time.perf_counter() - began)
        print(f"{done}/{count} networks of whole routers, {rate:.1f} a second")
    return 0


def one(seed: int, *, verbose: bool, shrink: bool) -> int:
    outcome = play(seed, verbose=verbose)
    if outcome.rule and shrink:
        outcome = shrunk(outcome)
        outcome = play(seed, outcome.steps, verbose=verbose)
    for line in outcome.story[-(400 if verbose else 60) :]:
        print(line)
    for step in outcome.steps if outcome.rule else ():
        print(f"step: {step}")
    print(
        f"seed {seed}: {len(outcome.steps)} steps, {outcome.virtual_s:.1f} simulated seconds, "
        f"{outcome.words} words, digest {outcome.digest}"
    )
    print(outcome.what or f"at rest {outcome.settled_s:.1f} s after the last fault")
    return 1 if outcome.rule else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.fleet", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="replay this one")
    parser.add_argument("--workers", type=int, default=cpu_count() or 1)
    parser.add_argument("--no-shrink", action="store_true", help="keep all steps of --seed")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell every word of --seed")
    parser.add_argument("--whole", action="store_true", help="whole routers, not only their cores")
    arguments = parser.parse_args()
    if arguments.whole and arguments.seed is not None:
        return whole(arguments.seed, 1)
    if arguments.whole:
        return whole(arguments.first, arguments.seeds)
    if arguments.seed is not None:
        return one(arguments.seed, verbose=arguments.verbose, shrink=not arguments.no_shrink)
    return many(arguments.first, arguments.seeds, arguments.workers)


if __name__ == "__main__":
    sys.exit(main())
