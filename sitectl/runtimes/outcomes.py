"""Failures of starting and stopping a router: the same words for every runtime."""

from collections.abc import Sequence
from typing import Final

from sitectl.base.failure import Exit, Failure, timed_out

LOG_LINES: Final = 5


def not_ready(site: str, timeout_s: float, log_hint: str, log: Sequence[str] = ()) -> Failure:
    """Out of time while the router starts."""
    return timed_out(
        f"the router of {site!r} is not ready after {timeout_s:g} s",
        f"Look at its log: {log_hint}",
        code="not-ready",
        detail=_end_of(log),
    )


def start_failed(site: str, why: str, hint: str, log: Sequence[str] = ()) -> Failure:
    """The router ended before it was ready; ``why``: its last output."""
    return Failure(
        Exit.FAILED,
        "start-failed",
        f"the router of {site!r} ended at once{why}",
        hint,
        detail=_end_of(log),
    )


def still_draining(site: str, timeout_s: float, which: str = "") -> Failure:
    """Out of time while the router still drains. ``which``: its process or unit."""
    named = f" ({which})" if which else ""
    return timed_out(
        f"the router of {site!r}{named} still drains after {timeout_s:g} s",
        "Wait longer with --timeout, or end it now: sitectl stop --now",
        code="still-draining",
    )


def paused(site: str, timeout_s: float, process_id: int) -> Failure:
    """Out of time since the router's process does nothing at all; another order changes that."""
    return timed_out(
        f"the router of {site!r} (process {process_id}) did not stop within {timeout_s:g} s: a "
        "signal (SIGSTOP) or a debugger has paused it",
        f"Have it go on, so that it ends: kill -CONT {process_id}; or kill it: kill -KILL "
        f"{process_id}",
        code="paused",
    )


def still_running(site: str, timeout_s: float, process_id: int) -> Failure:
    """Out of time after the second order to end: the router hangs, so nothing gentler is left."""
    return timed_out(
        f"the router of {site!r} (process {process_id}) still runs {timeout_s:g} s after "
        "the order to end at once",
        f"Wait longer with --timeout, or kill it: kill -KILL {process_id}",
        code="still-running",
    )


def _end_of(log: Sequence[str]) -> str:
    return "\n".join(f"  {line}" for line in log[-LOG_LINES:])
