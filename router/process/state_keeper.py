"""What a router must remember, on a disk that may be full."""

from pathlib import Path

from router.model import limits
from router.model.events import Tell
from router.model.wording.file_trouble import next_step
from router.net.ports import Timers
from router.process.state import FileKeeper


class Keeping:
    """Tells when it cannot be written, and tries again until it is."""

    def __init__(self, path: Path, timers: Timers, tell: Tell, shared: Path | None = None) -> None:
        """``shared`` as of `FileKeeper`."""
        self._timers, self._tell = timers, tell
        self.keeper = FileKeeper(path, self._unsaved, shared)
        self._try_later()

    def _unsaved(self, reason: str) -> None:
        self._tell(
            "error",
            "state-unsaved",
            "state",
            f"What this router must remember could not be written: {reason}.",
            next_step(reason, "Free space on that disk and check its permissions; serving goes on"),
        )

    def _try_later(self) -> None:
        """A disk that was full has space again some time."""
        self._timers.call_at(self._timers.now() + limits.STATE_RETRY_S, self._try_again)

    def _try_again(self) -> None:
        self._try_later()
        if self.keeper.retry():
            self._tell("info", "state-saved", "state", "What must be remembered is written again.")
