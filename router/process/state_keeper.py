"""The state that a router must remember, on a disk that may be full."""

from pathlib import Path

from router.model import limits
from router.model.events import Tell
from router.model.wording.file_trouble import next_step
from router.net.ports import Timer, Timers
from router.process.state import FileKeeper


class StateKeeper:
    """Reports when the state cannot be written and when it can be again, and retries until then."""

    def __init__(self, path: Path, timers: Timers, tell: Tell, shared: Path | None = None) -> None:
        """``shared`` as in `FileKeeper`."""
        self._timers, self._tell = timers, tell
        self._pause_s = limits.STATE_RETRY_S
        self._timer: Timer | None = None
        self.keeper = FileKeeper(path, self._troubled, shared)
        self._try_later()

    def _troubled(self, reason: str) -> None:
        """``reason``: from `FileKeeper`."""
        self._pause_s = limits.STATE_HEALS_S if reason else limits.STATE_RETRY_S
        self._try_later()
        if not reason:
            self._tell("info", "state-saved", "state", "What must be remembered is written again.")
            return
        self._tell(
            "error",
            "state-unsaved",
            "state",
            f"What this router must remember could not be written: {reason}.",
            next_step(reason, "Free space on that disk and check its permissions; serving goes on"),
        )

    def _try_later(self) -> None:
        """Schedule a retry: a full disk will have space again some time."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._timers.call_at(self._timers.now() + self._pause_s, self._try_again)

    def _try_again(self) -> None:
        self._try_later()
        self.keeper.retry()
