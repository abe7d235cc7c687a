"""Waiting for a condition with a deadline; the only place of these tests that sleeps."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

Found = TypeVar("Found")

POLL_S = 0.02
POLL_S_MAX: Final = 0.5
WAIT_S = 15.0
SLOWEST: Final = 5.0
"""By so much, at most, other work on this machine stretches the times that tests allow."""
STOOD_STILL_S: Final = 0.5
"""A pause so much longer than it should be: the whole machine stood still, and routers with it."""
_PRESSURE: Final = Path("/proc/pressure/cpu")


def own_time() -> float:
    """Seconds on a clock that runs more slowly while somebody waits for a processor here.

    For bounds that a time must not exceed: on a machine with nothing else to do they are as
    stated, on one that is busy all the time up to `SLOWEST` times as long. Never for "at least".
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
    that are asked again and again get half of the time; the system under test has the other half.
    """
    deadline = own_time() + timeout_s
    while True:
        began = time.monotonic()
        if found := look():
            return found
        now = own_time()
        if now >= deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what}; last seen: {found!r}")
        time.sleep(min(max(POLL_S, time.monotonic() - began), POLL_S_MAX))
        deadline += max(0.0, own_time() - now - STOOD_STILL_S)


def stays(look: Callable[[], object], what: str, for_s: float) -> None:
    """AssertionError naming ``what`` as soon as ``look`` is not true within ``for_s``."""
    deadline = time.monotonic() + for_s
    while time.monotonic() < deadline:
        if not look():
            raise AssertionError(f"did not stay for {for_s:g} s: {what}")
        time.sleep(POLL_S)
