"""What was sent of a request so far, kept so that it can be sent again."""

from router.forward.ports import Leg
from router.net.ports import Buffer


class Replay:
    """The bytes, trailers and end of one request direction, in order.

    It bounds nothing by itself: whoever adds asks for ``size_bytes`` and pushes back or drops.
    """

    __slots__ = ("_finished", "_parts", "_trailers", "_whole", "size_bytes")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._trailers = b""
        self._finished = False
        self._whole = True
        self.size_bytes = 0

    @property
    def whole(self) -> bool:
        """Everything sent is still here: sending it again gives the same request."""
        return self._whole

    @property
    def finished_empty(self) -> bool:
        """The end came and not a byte before it."""
        return self._finished and self._whole and not self.size_bytes

    def add(self, data: Buffer) -> bytes:
        """Keep ``data``; the copy is returned, so that it is made once. `bytes` are not copied."""
        kept = bytes(data)
        self._parts.append(kept)
        self.size_bytes += len(kept)
        return kept

    def add_trailers(self, block: bytes) -> None:
        self._trailers = block

    def finish(self) -> None:
        self._finished = True

    def drop(self) -> None:
        """Forget it: from here on it can not be sent again."""
        self._parts.clear()
        self._whole = False

    def play(self, leg: Leg) -> bool:
        """Send all of it to ``leg``; False when that is above its mark."""
        room = True
        for part in self._parts:
            room = leg.send(part)
        if self._trailers:
            leg.send_trailers(self._trailers)
        if self._finished:
            leg.finish()
        return room
