"""Waiting for a condition with a deadline; the only place of these tests that sleeps."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

POLL_S = 0.02
WAIT_S = 15.0


def until(look: Callable[[], Found], what: str, timeout_s: float = WAIT_S) -> Found:
    """What ``look`` gives as soon as it is true; AssertionError naming ``what`` when it is late."""
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what}; last seen: {found!r}")
        time.sleep(POLL_S)
    return found


def stays(look: Callable[[], object], what: str, for_s: float) -> None:
    """AssertionError naming ``what`` as soon as ``look`` is not true within ``for_s``."""
    deadline = time.monotonic() + for_s
    while time.monotonic() < deadline:
        if not look():
            raise AssertionError(f"did not stay for {for_s:g} s: {what}")
        time.sleep(POLL_S)
