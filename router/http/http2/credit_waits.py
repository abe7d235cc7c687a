"""How long queued data may wait for the peer's windows, given what the peer takes meanwhile."""

from math import inf


class _Wait:
    """``credited_at``, ``taken_at``: the time until which the peer did enough, by credit or by
    uptake."""

    __slots__ = ("credited_at", "sent_bytes", "taken_at")

    def __init__(self, now: float) -> None:
        self.credited_at = self.taken_at = now
        self.sent_bytes = 0
        """Bytes handed to the connection until the window was used up."""


class CreditWaits:
    """Since when each window is used up. Data that leaves by new credit moves that time on.

    A peer may take little at a time, but steadily, and show it only by windows: its kernel takes
    all at once. If its kernel does not, the kernel's uptake counts: the peer cannot give credit for
    data that it has yet to read. Windows are named by their streams.
    """

    __slots__ = ("waits",)

    def __init__(self) -> None:
        self.waits: dict[int, _Wait] = {}
        """Usually empty: then the caller need not ask further."""

    def begin(self, window: int, now: float, sent_bytes: int) -> None:
        """The window is used up by the last of ``sent_bytes`` of the connection. If it already was,
        and data still waits, its earlier time stays."""
        wait = self.waits.get(window)
        if wait is None:
            wait = self.waits[window] = _Wait(now)
        wait.sent_bytes = sent_bytes

    def took(self, window: int, sent_bytes: int, now: float, rate_min: float) -> None:
        """``sent_bytes`` left by new credit. ``rate_min`` bytes buy a second; 0: any number buys
        all."""
        wait = self.waits.get(window)
        if wait is not None:
            wait.credited_at = _later(wait.credited_at, sent_bytes, now, rate_min)

    def look(self, before: int, after: int, now: float, rate_min: float) -> None:
        """The peer had taken ``before`` bytes of the connection at the last check, and now
        ``after``."""
        for wait in self.waits.values():
            taken = min(after, wait.sent_bytes) - before
            if taken > 0:
                wait.taken_at = _later(wait.taken_at, taken, now, rate_min)

    def end(self, window: int) -> None:
        """Nothing waits for the window any more."""
        self.waits.pop(window, None)

    def at(self, window: int) -> float:
        """The time until which the peer did enough for the window; -inf: nothing waits."""
        wait = self.waits.get(window)
        return -inf if wait is None else max(wait.credited_at, wait.taken_at)

    def clear(self) -> None:
        """The connection is lost."""
        self.waits.clear()


def _later(at: float, size_bytes: int, now: float, rate_min: float) -> float:
    return min(now, at + size_bytes / rate_min) if rate_min else now
