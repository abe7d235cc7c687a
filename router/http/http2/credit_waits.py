"""How long what is queued may wait for the peer's windows, by the credit that it gives."""

from math import inf


class CreditWaits:
    """Since when each window is used up; what leaves by new credit moves that time on.

    A peer may take little at a time, but steadily, and say so by windows alone: its kernel takes
    all at once. Windows are named by their streams.
    """

    __slots__ = ("times",)

    def __init__(self) -> None:
        self.times: dict[int, float] = {}
        """Empty, nearly always: then nobody need ask for more."""

    def begin(self, window: int, now: float) -> None:
        """It is used up. Nothing new if it was before, and something waits still."""
        self.times.setdefault(window, now)

    def took(self, window: int, sent_bytes: int, now: float, rate_min: float) -> None:
        """So much left by new credit. ``rate_min`` bytes buy a second; 0: any buy all of them."""
        at = self.times.get(window)
        if at is not None:
            self.times[window] = min(now, at + sent_bytes / rate_min) if rate_min else now

    def end(self, window: int) -> None:
        """Nothing waits for it any more."""
        self.times.pop(window, None)

    def at(self, window: int) -> float:
        """Until when there was credit enough; -inf: nothing waits."""
        return self.times.get(window, -inf)

    def clear(self) -> None:
        """The connection is lost."""
        self.times.clear()
