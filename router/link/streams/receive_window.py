"""What the peer may still send of one stream, and when it gets more."""

from collections.abc import Callable

from router.model import limits

_WINDOW_INITIAL = limits.STREAM_WINDOW_BYTES_INITIAL
_RETURN_INITIAL = _WINDOW_INITIAL // 2  # One number for all streams, who live by the thousand.


class ReceiveWindow:
    """Made with the first data, or when the stream is paused: most requests bring none.

    ``deliver`` takes the data; False: no more for now, until the stream is resumed.
    ``granted_bytes`` is what the peer may still send. At ``return_at_bytes`` credit goes back:
    ``credit_due_bytes``, by the next WINDOW frame.
    """

    __slots__ = (
        "_grew_at",
        "_paused_s",
        "_size_bytes",
        "credit_due_bytes",
        "deliver",
        "granted_bytes",
        "is_paused",
        "return_at_bytes",
    )

    def __init__(self, deliver: Callable[[memoryview], bool | None], now: float) -> None:
        self.deliver = deliver
        self.granted_bytes = _WINDOW_INITIAL
        self.return_at_bytes = _RETURN_INITIAL
        self.credit_due_bytes = 0
        self.is_paused = False
        self._size_bytes = _WINDOW_INITIAL
        self._grew_at = now
        self._paused_s = 0.0  # Since credit was returned; while paused, less when that began.

    @property
    def uncredited_bytes(self) -> int:
        """Received, and no credit was given back for it."""
        return self._size_bytes - self.granted_bytes

    def pause(self, now: float) -> None:
        self.is_paused = True
        self._paused_s -= now

    def resume(self, now: float) -> None:
        self.is_paused = False
        self._paused_s += now

    def return_credit(self, now: float, grows_within_s: float, *, may_grow: bool) -> None:
        """Once half the window was read; a reader that keeps up gets a larger one.

        Of one that grows no more in smaller steps: what comes over a long way comes at once, and of
        a second half that stays just below its mark nothing would go back for a round trip.
        """
        before = self.granted_bytes
        took_s = now - self._grew_at
        # What comes in bursts, as over a long way, may well have to wait a little.
        keeps_up = self._paused_s <= took_s * limits.WINDOW_GROWS_PAUSED_SHARE
        if took_s <= grows_within_s and keeps_up and may_grow:
            self._size_bytes = size = min(self._size_bytes * 2, limits.STREAM_WINDOW_BYTES_MAX)
            is_largest = size == limits.STREAM_WINDOW_BYTES_MAX
            step_bytes = limits.STREAM_CREDIT_STEP_BYTES if is_largest else size // 2
            self.return_at_bytes = size - step_bytes
        self._grew_at = now
        self._paused_s = 0.0
        self.granted_bytes = self._size_bytes
        self.credit_due_bytes += self._size_bytes - before
