"""Pauses in reading an HTTP/2 connection."""

from router.model import limits
from router.net.ports import Connection


class ReadPause:
    """Pauses ``connection`` while frames wait for a later turn, or answers of ours pile up.

    A peer that takes none of our answers to its control frames could make us queue them without
    end: beyond `HTTP2_CONTROL_BYTES_MAX` nothing more is read from it.
    """

    __slots__ = ("_connection", "_control_bytes", "_is_behind", "_is_on")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._control_bytes = 0  # Handed over for sending while the connection was full.
        self._is_behind = False
        self._is_on = False

    def has_read(self, *, is_behind: bool) -> None:
        """``is_behind``: complete frames wait for a later turn."""
        self._is_behind = is_behind
        wanted = is_behind or self._control_bytes > limits.HTTP2_CONTROL_BYTES_MAX
        if wanted != self._is_on:
            self._turn(wanted)

    def piles_up(self, size_bytes: int) -> None:
        """``size_bytes`` more wait in a connection that is full."""
        self._control_bytes += size_bytes
        self.has_read(is_behind=self._is_behind)

    def drained(self) -> None:
        """Everything was sent."""
        self._control_bytes = 0
        self.has_read(is_behind=self._is_behind)

    def _turn(self, on: bool) -> None:
        self._is_on = on
        if on:
            self._connection.pause()
        else:
            self._connection.resume()
