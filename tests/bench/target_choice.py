"""``python -m tests.bench.target_choice``: how rules choose among the targets of a site.

Prints the tables of docs/design/targets.md: the 99th percentile of each rule over that of an ideal
that knows the true numbers, and the share served here over the ideal's.
"""

import argparse
from copy import deepcopy

from tests.bench.target_models import RULES, SERVICE_S, Ideal, ModelTarget, run

SHAPES = ("constant", "exponential", "lognormal")
LOADS = (0.5, 0.7, 0.85)
SEED = 100


def site(*shapes: tuple[int, int | None, float]) -> list[ModelTarget]:
    """A site of targets, each given by true slots, configured slots, and how much slower it is."""
    return [
        ModelTarget(f"t{number}:1", true, stated, slower)
        for number, (true, stated, slower) in enumerate(shapes)
    ]


GOOD = (10, 10, 1.0)
CASES: dict[str, list[ModelTarget]] = {
    "right": site(*[GOOD] * 4),
    "right, unequal": site((4, 4, 1.0), GOOD, (20, 20, 1.0), (40, 40, 1.0)),
    "one twice too high": site((10, 20, 1.0), *[GOOD] * 3),
    "all twice too high": site(*[(10, 20, 1.0)] * 4),
    "one half": site((10, 5, 1.0), *[GOOD] * 3),
    "all half": site(*[(10, 5, 1.0)] * 4),
    "one three times slower": site((10, 10, 3.0), *[GOOD] * 3),
    "one of eight slower": site((10, 10, 3.0), *[GOOD] * 7),
    "none stated": site(*[(10, None, 1.0)] * 4),
    "none stated, unequal": site((4, None, 1.0), (10, None, 1.0), (20, None, 1.0), (40, None, 1.0)),
    "none stated, one slower": site((10, None, 3.0), *[(10, None, 1.0)] * 3),
}


def row(case: str, shape: str, load: float, seed: int) -> str:
    """One row: the ideal's 99th percentile, then of each rule two ratios."""
    per_s = load * sum(one.true / one.slower for one in CASES[case]) / SERVICE_S
    best = run(Ideal, deepcopy(CASES[case]), per_s, shape, seed)
    cells = [case, f"{shape}, {load:g}", f"{best.p99_s * 1000:.0f} ms"]
    for make in RULES.values():
        found = run(make, deepcopy(CASES[case]), per_s, shape, seed)
        cells.append(f"{found.p99_s / best.p99_s:.2f} · {100 * found.here / best.here:.0f} %")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.target_choice", description=__doc__
    )
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--only", help="of cases whose name has this")
    given = parser.parse_args()
    print(f"| targets | times, load | ideal | {' | '.join(RULES)} |", flush=True)
    print(f"|{'---|' * (3 + len(RULES))}")
    for case in CASES:
        for shape in SHAPES:
            for load in LOADS:
                if given.only is None or given.only in case:
                    print(row(case, shape, load, given.seed), flush=True)


if __name__ == "__main__":
    main()
