"""Whether the peer of a connection takes what was sent to it, though the kernel wants no more."""

from router.net.ports import Connection


class Uptake:
    """What the peer's kernel took of what waits for it, from one `look` to the next.

    Ours holds up to MiBs, and says `writable` in large steps: to a peer that reads little at a
    time, but steadily, perhaps once a minute. Until then it answers no ping either, which stands
    behind those bytes.
    """

    __slots__ = ("_connection", "at", "is_full", "sent_bytes", "taken_bytes")

    def __init__(self, connection: Connection, now: float) -> None:
        self._connection = connection
        self.sent_bytes = 0
        """All that was ever sent; who sends more adds it: hot."""
        self.taken_bytes = 0
        """Of these, what it had taken at the last look."""
        self.is_full = False
        """The connection said no, and has not said `writable` since."""
        self.at = now
        """Until then it took enough."""

    def begin(self, now: float) -> None:
        """The connection said no; it is measured."""
        self.is_full = True
        self.at = now

    def measure(self) -> None:
        """From here on counts what it takes."""
        self.taken_bytes = self.sent_bytes - self._connection.undelivered_bytes

    def end(self, now: float) -> None:
        """It said `writable`."""
        self.is_full = False
        self.at = now

    def look(self, now: float, rate_min: float) -> bool:
        """Whether it took something since the last look.

        For each second that it should go on it has to take ``rate_min`` bytes; 0: any will do.
        """
        before = self.taken_bytes
        self.measure()
        taken = self.taken_bytes - before
        if taken <= 0:
            return False
        self.at = min(now, self.at + taken / rate_min) if rate_min else now
        return True
