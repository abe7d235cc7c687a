"""Notifies the owner of a ledger that the requests in flight, or the queue, have changed."""

from collections.abc import Callable


class LedgerNews:
    """Notifies once, then not until the owner calls `listen`."""

    __slots__ = ("_changed", "is_told")

    def __init__(self) -> None:
        self.is_told = False
        self._changed: Callable[[], None] = _nothing

    def follow(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` at the next change: once, until `listen`."""
        self._changed = changed

    def listen(self) -> None:
        """Notify at the next change, too."""
        self.is_told = False

    def note(self) -> None:
        """Something changed."""
        if not self.is_told:
            self.is_told = True
            self._changed()


def _nothing() -> None:
    pass
