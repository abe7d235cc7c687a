"""Streams of a lane whose ACCEPTED is held back, since an ANSWER most often says the same."""

from typing import Protocol

from router.link.streams.stream_states import Sending
from router.model import limits
from router.net.ports import Timer, Timers


class HeldAccept(Protocol):
    """A stream whose ACCEPTED was held back."""

    sending: Sending
    """HELD: it was not told yet."""

    def tell_accepted(self) -> None:
        """Nothing came that would have told it."""


class HeldAccepts:
    """One timer for all: each is held for once to twice `limits.ACCEPT_HELD_S`."""

    __slots__ = ("_longer", "_timer", "_timers", "waiting")

    def __init__(self, timers: Timers) -> None:
        self.waiting: list[HeldAccept] = []
        """Since the timer last ran. Who adds the first one calls `start`."""
        self._longer: list[HeldAccept] = []  # Since the time before.
        self._timer: Timer | None = None
        self._timers = timers

    def start(self) -> None:
        """Somebody is going to wait."""
        if self._timer is None:
            self._timer = self._timers.call_at(
                self._timers.now() + limits.ACCEPT_HELD_S, self._tell_due
            )

    def stop(self) -> None:
        """The lane is over: no ACCEPTED is sent any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.waiting.clear()
        self._longer.clear()

    def _tell_due(self) -> None:
        self._timer = None
        due, self._longer, self.waiting = self._longer, self.waiting, []
        for stream in due:
            if stream.sending is Sending.HELD:
                stream.tell_accepted()
        if self._longer:
            self.start()
