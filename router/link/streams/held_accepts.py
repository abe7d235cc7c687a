"""Streams of a lane whose ACCEPTED is held back, since an ANSWER usually replaces it."""

from typing import Protocol

from router.link.streams.stream_states import Sending
from router.model import limits
from router.net.ports import Timer, Timers


class HeldAccept(Protocol):
    """A stream whose ACCEPTED was held back."""

    sending: Sending
    """HELD: ACCEPTED was not sent yet."""

    def tell_accepted(self) -> None:
        """Send ACCEPTED, since no answer came in time."""


class HeldAccepts:
    """One timer for all: each ACCEPTED is held for once to twice `limits.ACCEPT_HELD_S`."""

    __slots__ = ("_longer", "_timer", "_timers", "waiting")

    def __init__(self, timers: Timers) -> None:
        self.waiting: list[HeldAccept] = []
        """Added since the timer last ran. The stream that adds itself first calls `start`."""
        self._longer: list[HeldAccept] = []  # Added in the period before.
        self._timer: Timer | None = None
        self._timers = timers

    def start(self) -> None:
        """Start the timer: a stream is about to wait."""
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
