"""Waiting for a condition with a deadline; the only place of these tests that sleeps."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

Found = TypeVar("Found")

POLL_S = 0.02
POLL_S_MAX: Final = 0.5
LATE_SHARE: Final = 0.05
"""Of the time that a condition has taken so far: the pause until the next look."""
LATE_S_MAX: Final = 0.25
WAIT_S = 15.0
SLOWEST: Final = 5.0
"""By so much, at most, other work on this machine stretches the times that tests allow."""
STOOD_STILL_S: Final = 0.5
"""A pause so much longer than it should be: the whole machine stood still, and routers with it."""
_PRESSURE: Final = Path("/proc/pressure/cpu")


def own_time() -> float:
    """Seconds on a clock that runs more slowly while processes wait for a processor here.

    For bounds that a time must not exceed: on an idle machine these are exact, on one that is busy
    all the time up to `SLOWEST` times as long. Never for "at least".
    """
    now = time.monotonic()
    try:
        some = _PRESSURE.read_text().split("\n", 1)[0]
    except OSError:  # This kernel does not tell.
        return now
    waited_s = int(some.rpartition("total=")[2]) / 1e6
    return now - waited_s * (1 - 1 / SLOWEST)


def until(look: Callable[[], Found], what: str, timeout_s: float = WAIT_S) -> Found:
    """What ``look`` gives as soon as it is true; AssertionError naming ``what`` when it is late.

    ``timeout_s`` is by `own_time`, without the time for which the machine stood still. Commands
    that are asked again and again get a third of the time; the system under test has the rest.
    """
    first = time.monotonic()
    deadline = own_time() + timeout_s
    while True:
        began = time.monotonic()
        if found := look():
            return found
        now = own_time()
        if now >= deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what}; last seen: {found!r}")
        time.sleep(pause_s(began - first, time.monotonic() - began))
        deadline += max(0.0, own_time() - now - STOOD_STILL_S)


def pause_s(waited_s: float, look_s: float) -> float:
    """Until the next look: each costs a router as much as a request, and there are many waits."""
    late_s = min(LATE_SHARE * waited_s, LATE_S_MAX)
    return min(max(POLL_S, 2 * look_s, late_s), POLL_S_MAX)


def stays(look: Callable[[], object], what: str, for_s: float) -> None:
    """AssertionError naming ``what`` as soon as ``look`` is not true within ``for_s``, or then."""
    first = time.monotonic()
    while True:
        began = time.monotonic()
        if not look():
            raise AssertionError(f"did not stay for {for_s:g} s: {what}")
        if began >= first + for_s:
            return
        time.sleep(pause_s(began - first, time.monotonic() - began))
