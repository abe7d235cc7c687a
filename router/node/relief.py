"""Memory that a whole router can give back. Implements `Relief`."""

from router.exchange.forwarder import Forwarder
from router.link.links import Links


class SiteRelief:
    """Relief from clients, targets and links."""

    __slots__ = ("_forwarder", "_links")

    def __init__(self, forwarder: Forwarder, links: Links) -> None:
        self._forwarder, self._links = forwarder, links

    def shed_idle(self) -> int:
        """Close idle connections of clients and to targets."""
        return self._forwarder.memory.shed_idle()

    def refuse_new(self, refuse: bool) -> None:
        """Begin nothing new; streams in transit to other sites go on."""
        self._forwarder.memory.refuse_new(refuse)

    def cap_clients(self, cap: bool) -> None:
        """Accept only a few clients, which get the reason."""
        self._forwarder.memory.cap_clients(cap)

    def drop_slowest(self, size_bytes: int) -> int:
        """Drop the links' longest stalled streams, then the clients that hold most."""
        held_bytes = self._links.buffered_bytes
        dropped = self._links.drop_slowest(size_bytes)
        left_bytes = size_bytes - (held_bytes - self._links.buffered_bytes)
        return dropped + (self._forwarder.memory.drop_slowest(left_bytes) if left_bytes > 0 else 0)
