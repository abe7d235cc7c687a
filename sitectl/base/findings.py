"""Findings of `check`, each with a stable code and the next step."""

import time
from typing import Literal, NamedTuple

_EXPIRES_SOON_S = 7 * 86_400.0

Level = Literal["ok", "info", "warning", "error"]


class Finding(NamedTuple):
    """The outcome of one check."""

    level: Level
    code: str
    message: str
    hint: str = ""


def expiry(
    what: str, expires_s: float, code: str, renewal: str, soon_s: float = _EXPIRES_SOON_S
) -> Finding:
    """How long ``what`` is still valid, that ends at ``expires_s`` (Unix seconds). ``renewal``: the
    command that renews it, or shows how."""
    left_s = expires_s - time.time()
    if left_s <= 0:
        return Finding("error", code, f"{what} has expired", renewal)
    if left_s < soon_s:
        return Finding("warning", code, f"{what} expires in {_left(left_s)}", renewal)
    return Finding("ok", code, f"{what} is valid for {_left(left_s)}")


def _left(seconds: float) -> str:
    """In days, of less than two in hours, and of less than two of those in minutes."""
    if seconds >= 2 * 86_400:
        return f"{seconds / 86_400:.0f} days"
    if seconds >= 2 * 3_600:
        return f"{seconds / 3_600:.0f} h"
    return f"{max(1.0, seconds / 60):.0f} min"
