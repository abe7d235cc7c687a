"""Hours by hand; 0 when nothing false was said in any."""

import argparse
import logging
import sys
import time

from tests.simulation.hours.hour import Hour

MINUTES_S = 200.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.hours", description=__doc__)
    parser.add_argument("--hours", type=int, default=20, help=f"of {MINUTES_S:.0f} virtual seconds")
    parser.add_argument("--seed", type=int, default=1, help="of the first one")
    parser.add_argument("--all", action="store_true", help="every finding, not one of each kind")
    given = parser.parse_args()
    logging.disable()  # Of events.
    began, found, kinds = time.monotonic(), 0, set()
    for seed in range(given.seed, given.seed + given.hours):
        for finding in Hour(seed).play(MINUTES_S):
            found += 1
            kind = "".join(char for char in finding.text + finding.wrong if not char.isdigit())
            if given.all or kind not in kinds:
                print(finding, flush=True)
            kinds.add(kind)
    print(
        f"{given.hours} hours in {time.monotonic() - began:.0f} s, {found} false", file=sys.stderr
    )
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
