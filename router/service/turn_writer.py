"""Small writes of one turn, joined into one send."""

from router.model import limits
from router.net.ports import Buffer, Connection, Timers


class TurnWriter:
    """Sends over ``connection``: small writes wait for more until the turn ends.

    A head and the first bytes of its body thus cost one system call. Order is kept; anything above
    `COALESCE_BYTES_MAX` is sent at once and uncopied.
    """

    __slots__ = ("_armed", "_connection", "_timers", "is_full", "untaken_bytes", "waiting")

    def __init__(self, connection: Connection, timers: Timers) -> None:
        self._connection = connection
        self._timers = timers
        self.waiting = bytearray()
        """While it is empty, a caller with a whole message may send it over the connection itself,
        and calls `filled` if that returned False: hot.
        """
        self._armed = False
        self.is_full = False
        """The connection refused more: wait for its `writable`, then call `drained`."""
        self.untaken_bytes = 0
        """Sent bytes that the peer had not taken at the last check; 0 unless ``is_full``."""

    def write(self, *parts: Buffer) -> bool:
        """Send in this turn. The data is taken in any case; False: wait for `writable`."""
        waiting = self.waiting
        size_bytes = len(waiting)
        for part in parts:
            size_bytes += len(part)
        if size_bytes > limits.COALESCE_BYTES_MAX:
            return self.flush(*parts)
        for part in parts:
            waiting += part
        if not self._armed:
            self._armed = True
            self._timers.at_turn_end(self._turn_ended)
        return not self.is_full

    def flush(self, *parts: Buffer) -> bool:
        """Send the waiting bytes, and ``parts`` after them, now."""
        waiting = self.waiting
        if waiting:
            self.waiting = bytearray()
            if not self._connection.send(waiting, *parts):
                self.filled()
        elif parts and not self._connection.send(*parts):
            self.filled()
        return not self.is_full

    def filled(self) -> None:
        """The connection refused more: from here on the bytes that the peer takes are measured."""
        self.is_full = True
        self.untaken_bytes = self._connection.undelivered_bytes

    def taken_bytes(self) -> int:
        """Bytes that the peer took since the last call, while it is full.

        The kernel holds MiBs for it and signals `writable` in steps of that: for a peer that takes
        little at a time, but steadily, perhaps once a minute.
        """
        left = self._connection.undelivered_bytes
        taken, self.untaken_bytes = self.untaken_bytes - left, left
        return taken

    def drained(self) -> None:
        """The connection is `writable` again."""
        self.is_full = False
        self.untaken_bytes = 0

    def drop(self) -> None:
        """Forget the waiting bytes: the connection is being aborted."""
        self.waiting = bytearray()

    def _turn_ended(self) -> None:
        self._armed = False
        if self.waiting:
            self.flush()
