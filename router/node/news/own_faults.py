"""Exceptions that our code did not expect: the router goes on, and `status` shows them."""

import traceback
from collections.abc import Callable
from pathlib import Path

from router.model.events import Problem, Tell

CODE = "SW0692"
_HINT = (
    "Keep what it knows for a report, then start it again: sitectl debug dump FILE, sitectl stop, "
    "sitectl start"
)


class OwnFaults:
    """Shown until the router restarts: the failed code left its work half-done.

    ``now``: monotonic seconds.
    """

    def __init__(self, now: Callable[[], float], tell: Tell) -> None:
        self._now, self._tell = now, tell
        self._count = 0
        self._first_at = 0.0
        self._place = ""

    def happened(self, error: Exception) -> None:
        """Its traceback is in the log; its message is not shown, since it may contain anything."""
        self._place = _place(error)
        if not self._count:
            self._first_at = self._now()
        self._count += 1
        self._tell("error", "internal-error", "router", f"{self._place}.", _HINT)

    def problems(self, utc: Callable[[float], str]) -> list[Problem]:
        """The problem that `status` shows. ``utc``: ISO 8601 of monotonic seconds."""
        if not self._count:
            return []
        errors = "an error" if self._count == 1 else f"{self._count} errors"
        last = self._place if self._count == 1 else f"the last a {self._place}"
        message = (
            f"The router met {errors} of its own: {last}. What that code was to do may be missing, "
            "in what this site serves and in what it shows."
        )
        return [Problem(code=CODE, message=message, hint=_HINT, since=utc(self._first_at))]


def _place(error: Exception) -> str:
    """``NameError in names.py, line 29``."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"
