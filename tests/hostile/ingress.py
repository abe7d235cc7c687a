"""A member that opens streams: as many as it likes, under whatever name, with leave to wait."""

import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tests.hostile import wire
from tests.hostile.member import Member
from tests.hostile.wire import Frame

HEAD = b"GET / HTTP/1.1\r\nHost: shop\r\n"
LONGEST_WAIT_MS = 60_000


class RogueIngress(Member):
    """``refused`` and ``served`` count streams that are over."""

    def __init__(self, token_file: Path, name: str = "mallory", onward: Sequence[str] = ()) -> None:
        """``onward``: routers that streams go to from the neighbor on; none: they end there."""
        self._opened, self._onward = 0, onward
        self.refused = self.served = 0
        self.changed = threading.Condition()
        super().__init__(token_file, name)
        self.on_stream = self._count

    def open(self, service: str, port: int, count: int, head: bytes = HEAD) -> None:
        """Open that many, each said to have come in at another site."""
        first = self._opened + 1
        ingresses = [f"{number:032x}" for number in range(first, first + count)]
        self.send(*(self._open(one, service, port, head) for one in ingresses))

    def open_as(self, ingress: str, service: str, port: int, head: bytes = HEAD) -> None:
        """Open one, said to have come in at ``ingress``."""
        self.send(self._open(ingress, service, port, head))

    def _open(self, ingress: str, service: str, port: int, head: bytes) -> Frame:
        self._opened += 1
        path = [self._neighbour[0], *self._onward]
        fields = (path, service, port, "http", ingress, LONGEST_WAIT_MS, 0, 0, head)
        return Frame(wire.OPEN, 2 * self._opened - 1, msgspec.msgpack.encode(fields), ends=True)

    def _count(self, frame: Frame) -> list[Frame]:
        with self.changed:
            self.refused += frame.kind == wire.REFUSED
            self.served += frame.ends
            self.changed.notify_all()
        return []
