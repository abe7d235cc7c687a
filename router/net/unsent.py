"""Bytes given to a connection that the kernel has not taken yet."""

import socket
from collections import deque
from collections.abc import Sequence

from router.model.limits import WRITE_PARTS_MAX
from router.net.poller import Poller
from router.net.ports import Buffer


class UnsentBytes:
    """Parts in order of arrival, ``size_bytes`` in all. The poller's sum includes them.

    A connection has one only while something waits: its deque alone takes 600 bytes.
    """

    __slots__ = ("_parts", "_poller", "size_bytes")

    def __init__(self, poller: Poller) -> None:
        self._poller = poller
        self._parts: deque[bytes | memoryview] = deque()
        self.size_bytes = 0

    def add(self, parts: Sequence[Buffer], sent: int = 0) -> None:
        """Append copies of ``parts``, without their first ``sent`` bytes."""
        for part in parts:
            size = len(part)
            if sent < size:
                self._parts.append(bytes(memoryview(part)[sent:]) if sent else bytes(part))
                self.size_bytes += size - sent
                self._poller.unsent_bytes += size - sent
                sent = 0
            else:
                sent -= size

    def send(self, sock: socket.SocketType) -> None:
        """Write once to ``sock``, as much as it takes. OSError: from the write."""
        parts = self._parts
        head = [parts[index] for index in range(min(len(parts), WRITE_PARTS_MAX))]
        sent = sock.send(head[0]) if len(head) == 1 else sock.sendmsg(head)
        poller = self._poller
        poller.bytes_out += sent
        poller.unsent_bytes -= sent
        self.size_bytes -= sent
        while sent:
            size = len(parts[0])
            if sent < size:
                parts[0] = memoryview(parts[0])[sent:]
                break
            sent -= size
            parts.popleft()

    def drop(self) -> None:
        """Drop the bytes, which will not be sent."""
        self._poller.unsent_bytes -= self.size_bytes
        self._parts.clear()
        self.size_bytes = 0
