"""Targets at a distance, for which a small receive buffer would slow down their data."""

import socket

from router.model.limits import TARGET_FAR_S, TARGETS_FAR_MAX
from router.net.sockets import bound_unread, round_trip_s


class FarTargets:
    """Remembers which addresses are far, by how long connections to them took."""

    __slots__ = ("_addresses",)

    def __init__(self) -> None:
        self._addresses: set[str] = set()

    def prepare(self, sock: socket.SocketType, address: str) -> None:
        """Before ``sock`` connects: bound the unread data, unless ``address`` is far."""
        if address not in self._addresses:
            bound_unread(sock)

    def learn(self, sock: socket.SocketType, address: str, took_s: float) -> None:
        """``sock`` is connected, after ``took_s``."""
        if took_s <= TARGET_FAR_S or round_trip_s(sock) <= TARGET_FAR_S:
            self._addresses.discard(address)
        elif len(self._addresses) < TARGETS_FAR_MAX:
            self._addresses.add(address)
