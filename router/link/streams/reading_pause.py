"""A pause in reading a lane whose peer sends too much for the control plane."""

from router.net.ports import Connection, Timer, Timers


class ReadingPause:
    """What came already is still delivered."""

    __slots__ = ("_connection", "_timer", "_timers")

    def __init__(self, connection: Connection, timers: Timers) -> None:
        self._connection = connection
        self._timers = timers
        self._timer: Timer | None = None

    def begin(self, pause_s: float) -> None:
        """Read nothing for so long; one that is under way is not made longer."""
        if self._timer is None:
            self._connection.pause()
            self._timer = self._timers.call_at(self._timers.now() + pause_s, self.end)

    def end(self) -> None:
        """Read again, if there is one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._connection.resume()
