"""Whether the peer of a connection takes the data sent to it, while the kernel accepts no more."""

from router.net.ports import Connection


class Uptake:
    """How much waiting data the peer's kernel took, from one `look` to the next.

    Our kernel holds up to MiBs, and reports `writable` in large steps: for a peer that reads little
    at a time, but steadily, perhaps once a minute. Until then the peer answers no ping either,
    since it waits behind those bytes.
    """

    __slots__ = ("_connection", "at", "is_full", "sent_bytes", "taken_bytes")

    def __init__(self, connection: Connection, now: float) -> None:
        self._connection = connection
        self.sent_bytes = 0
        """All bytes ever sent; the sender adds to it directly: hot."""
        self.taken_bytes = 0
        """Those of them that it had taken at the last check."""
        self.is_full = False
        """The connection refused more, and has not called `writable` since."""
        self.at = now
        """The time until which it took enough."""

    def begin(self, now: float) -> None:
        """The connection refused more; measuring begins."""
        self.is_full = True
        self.at = now

    def measure(self) -> None:
        """Start counting its uptake from here."""
        self.taken_bytes = self.sent_bytes - self._connection.undelivered_bytes

    def end(self, now: float) -> None:
        """The connection called `writable`."""
        self.is_full = False
        self.at = now

    def look(self, now: float, rate_min: float) -> bool:
        """Whether it took anything since the last check.

        For each second of patience it must take ``rate_min`` bytes; 0: any number will do.
        """
        before = self.taken_bytes
        self.measure()
        taken = self.taken_bytes - before
        if taken <= 0:
            return False
        self.at = min(now, self.at + taken / rate_min) if rate_min else now
        return True
