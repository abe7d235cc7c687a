"""Cases of `make bench WHAT=bursts` in virtual time: ``python -m tests.simulation.burst_table``.

No machine's noise is in these figures, and no machine's speed: routers take no time at all.
"""

import sys

from tests.bench.burst_figures import Order, orders
from tests.bench.bursts import CASES, HERE, NEAR, WARM_S, Case, Row, show
from tests.simulation.bursts import SLOTS, Scene

SECONDS, CALM_S, DRAIN_S = 8.0, 4.0, 5.0


def ran(case: Case, policy: str, seed: int) -> list[Row]:
    """One case under one policy: a row for each site where it was asked."""
    scene = Scene(seed, case.targets, cost=case.cost, policy=policy, keep_alive=case.keep_alive)
    seconds = case.seconds or SECONDS
    rate = SLOTS / case.service_s
    begin = scene.world.internet.now
    for number, at in enumerate(case.at):
        asked = orders(
            seed + number,
            case.times * rate,
            seconds,
            case.service_s,
            arrivals=case.arrivals,
            services=case.services,
        )
        if case.calm_after:
            calm = orders(seed, rate / 2, CALM_S, case.service_s, arrivals="even")
            asked += [Order(seconds + one.at_s, one.service_s) for one in calm]
        scene.burst(asked, at)
    scene.world.run(seconds / 3)
    if case.fault == "target":
        scene.targets[HERE][0].stop()
    elif case.fault == "router":
        scene.world[NEAR].kill()
    scene.world.run(2 * seconds / 3 + CALM_S + DRAIN_S)
    span = (begin + seconds + 1.0, begin + seconds + CALM_S) if case.calm_after else None
    rows = []
    for at in case.at:
        first, last = span or (begin, begin + seconds)
        found = scene.figures(first, last, 0.0 if span else WARM_S, at)
        rows.append(
            Row(
                case=case.name,
                policy=policy,
                at=at,
                figures=found,
                missed=case.judge(found),
                starved_s=0.0,
                is_noisy=False,
            )
        )
    return rows


def main() -> int:
    """0 when `fill` meets every goal."""
    policies = ("fill", "balanced")
    rows = [row for case in CASES for policy in policies for row in ran(case, policy, 1)]
    show(rows)
    return int(any(row.missed and row.policy == "fill" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
