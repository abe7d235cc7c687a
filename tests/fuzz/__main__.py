"""``python -m tests.fuzz``: see the package."""

import faulthandler
import logging
import os
import resource
import sys
import time

from tests.fuzz.running import NAMES, BrokenLawError, Errors, series_of

ROUND_S = 1.0
HANG_S = 30.0
GROWTH_KIB_MAX = 64 * 1024  # Over the whole run, after a first round of each.


def main() -> int:
    """0: no law was broken."""
    seconds = float(os.environ.get("FUZZ_SECONDS", "60"))
    seed = int(os.environ.get("FUZZ_SEED", "0")) or time.time_ns() % 10**9
    names = os.environ.get("FUZZ_TARGETS", " ".join(NAMES)).split()
    print(f"FUZZ_SEED={seed}  {seconds:g} s  {' '.join(names)}", flush=True)
    errors = Errors()
    logging.getLogger().addHandler(errors)
    all_series = [series_of(name, seed) for name in names]
    spent_s = dict.fromkeys(names, 0.0)
    ends = time.monotonic() + seconds
    growth_from = 0
    while time.monotonic() < ends:
        for series in all_series:
            began = time.monotonic()
            faulthandler.dump_traceback_later(HANG_S, exit=True)
            try:
                while time.monotonic() - began < ROUND_S:
                    for _ in range(20):
                        series.step(errors)
            except BrokenLawError as error:
                print(f"{error}\n  because: {error.__cause__!r}")
                raise
            spent_s[series.name] += time.monotonic() - began
        faulthandler.cancel_dump_traceback_later()
        growth_from = growth_from or peak_kib()
    for series in all_series:
        rate = series.count / max(spent_s[series.name], 0.001)
        print(f"{series.name:10} {series.count:9} inputs {rate:9.0f} a second")
    grown = peak_kib() - growth_from
    print(f"memory grew by {grown} KiB")
    return 1 if grown > GROWTH_KIB_MAX else 0


def peak_kib() -> int:
    """The most memory this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    sys.exit(main())
