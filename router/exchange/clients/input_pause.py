"""Why a client's connection is not read for now."""

from collections.abc import Callable

from router.net.ports import Connection


class InputPause:
    """Pauses ``connection`` for two reasons: a later request waits, or the leg takes no more."""

    __slots__ = ("_connection", "_leg_is_full", "holds", "is_on")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._leg_is_full = False
        self.holds = False
        """Bytes of a later request wait in the parser."""
        self.is_on = False

    def hold(self, ended_unread: Callable[[], None]) -> None:
        """Bytes of a later request wait. ``ended_unread``: the client finished meanwhile."""
        self.holds = True
        self._begin(ended_unread)

    def wait_for_leg(self, ended_unread: Callable[[], None]) -> None:
        """The leg takes no more for now. ``ended_unread`` likewise."""
        self._leg_is_full = True
        self._begin(ended_unread)

    def leg_takes(self) -> None:
        """The leg takes more, or is gone."""
        self._leg_is_full = False
        self.end()

    def release(self) -> None:
        """Nothing is waited for any more; `end` follows, unless something is again by then."""
        self.holds = self._leg_is_full = False

    def end(self) -> None:
        """Read on, if nothing is waited for."""
        if self.is_on and not (self.holds or self._leg_is_full):
            self.is_on = False
            self._connection.resume()

    def _begin(self, ended_unread: Callable[[], None]) -> None:
        if not self.is_on:
            self.is_on = True
            self._connection.pause(ended_unread)
