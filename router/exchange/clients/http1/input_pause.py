"""Pauses reading from a client's connection, and stores the reasons."""

from collections.abc import Callable

from router.net.ports import Connection


class InputPause:
    """Pauses ``connection`` for two reasons: a later request waits, or the leg takes no more."""

    __slots__ = ("_connection", "holds", "is_on", "leg_full_at")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.leg_full_at: float | None = None
        """When the leg began to take no more; None: it takes."""
        self.holds = False
        """Bytes of a later request wait in the parser."""
        self.is_on = False

    def hold(self, ended_unread: Callable[[], None]) -> None:
        """Bytes of a later request wait. ``ended_unread``: the client finished meanwhile."""
        self.holds = True
        self._begin(ended_unread)

    def wait_for_leg(self, now: float, ended_unread: Callable[[], None]) -> None:
        """The leg takes no more for now. ``ended_unread`` likewise."""
        if self.leg_full_at is None:
            self.leg_full_at = now
        self._begin(ended_unread)

    def leg_takes(self) -> None:
        """The leg takes more, or is gone."""
        self.leg_full_at = None
        self.end()

    def release(self) -> None:
        """Clear both reasons; `end` follows, unless there is a new one by then."""
        self.holds = False
        self.leg_full_at = None

    def end(self) -> None:
        """Read on, if there is no reason left to pause."""
        if self.is_on and not self.holds and self.leg_full_at is None:
            self.is_on = False
            self._connection.resume()

    def _begin(self, ended_unread: Callable[[], None]) -> None:
        if not self.is_on:
            self.is_on = True
            self._connection.pause(ended_unread)
