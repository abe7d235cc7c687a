"""On the path of routers that `tests.bench.profiles` starts: a signal begins and ends a profile.

It is written where SPILLWAY_PROFILES says, as ``PID.prof``.
"""

import cProfile
import os
import signal
from pathlib import Path

_running: list[cProfile.Profile] = []


def _flip(*_: object) -> None:
    if not _running:
        _running.append(cProfile.Profile())
        _running[0].enable()
        return
    profile = _running.pop()
    profile.disable()
    written = Path(os.environ["SPILLWAY_PROFILES"]) / f"{os.getpid()}.prof"
    profile.dump_stats(written.with_suffix(".new"))
    written.with_suffix(".new").replace(written)


if "SPILLWAY_PROFILES" in os.environ:
    signal.signal(signal.SIGRTMIN, _flip)
