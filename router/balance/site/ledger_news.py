"""Whether the owner of a ledger knows that what is in flight changed, or who waits."""

from collections.abc import Callable


class LedgerNews:
    """Told once, until the owner says that it has looked."""

    __slots__ = ("_changed", "is_told")

    def __init__(self) -> None:
        self.is_told = False
        self._changed: Callable[[], None] = _nothing

    def follow(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` when something is new: once, until `listen`."""
        self._changed = changed

    def listen(self) -> None:
        """Tell of the next change, too."""
        self.is_told = False

    def note(self) -> None:
        """Something changed."""
        if not self.is_told:
            self.is_told = True
            self._changed()


def _nothing() -> None:
    pass
