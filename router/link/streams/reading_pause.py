"""A pause in reading a lane: its peer sends too much, or other lanes have their turn."""

from router.net.ports import Connection, Timer, Timers


class ReadingPause:
    """Pauses reading. Data that has arrived is still delivered."""

    __slots__ = ("_connection", "_is_held", "_timer", "_timers")

    def __init__(self, connection: Connection, timers: Timers) -> None:
        self._connection = connection
        self._timers = timers
        self._timer: Timer | None = None
        self._is_held = False

    def begin(self, pause_s: float) -> None:
        """Read nothing for ``pause_s``; does not extend a pause that is under way."""
        if self._timer is None:
            self._pause()
            self._timer = self._timers.call_at(self._timers.now() + pause_s, self.end)

    def end(self) -> None:
        """End the pause, if there is one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._resume()

    def hold(self) -> None:
        """Read nothing until `let_go`. Idempotent."""
        if not self._is_held:
            self._pause()
            self._is_held = True

    def let_go(self) -> None:
        """Read again, if it was held and no pause is under way."""
        if self._is_held:
            self._is_held = False
            self._resume()

    def _pause(self) -> None:
        if self._timer is None and not self._is_held:
            self._connection.pause(reads_last=True)  # A neighbor that stops says why, last.

    def _resume(self) -> None:
        if self._timer is None and not self._is_held:
            self._connection.resume()
