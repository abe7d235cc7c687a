"""Whether a client whose connection is to end still takes what was sent to it last."""

from router.model import limits
from router.net.ports import Connection


class LastBytes:
    """Of ``connection``, once it is finished. Whoever takes some has time to take more."""

    __slots__ = ("_connection", "_left_bytes", "_stalls_at")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._left_bytes = -1  # At the last look; there was none yet.
        self._stalls_at = 0.0

    def are_taken(self, now: float) -> bool:
        """Some are left, and within `limits.CLOSING_STALL_S` the client took of them."""
        left = self._connection.undelivered_bytes
        if left != self._left_bytes:
            self._left_bytes = left
            self._stalls_at = now + limits.CLOSING_STALL_S
        return left > 0 and now < self._stalls_at
