"""How much the peer may still send on one stream, and when it gets more."""

from collections.abc import Callable

from router.model import limits

_WINDOW_INITIAL = limits.STREAM_WINDOW_BYTES_INITIAL
# One int object for all streams, of which there are thousands.
_RETURN_INITIAL = _WINDOW_INITIAL // 2


class ReceiveWindow:
    """Made with the first data, or when the stream is paused: most requests bring no data.

    ``deliver`` takes the data; False: no more for now, until the stream is resumed.
    ``granted_bytes`` is how much the peer may still send. At ``return_at_bytes`` credit goes back:
    ``credit_due_bytes``, with the next WINDOW frame.
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
        # Since credit was returned. While paused, minus the time of the pause's start.
        self._paused_s = 0.0

    @property
    def uncredited_bytes(self) -> int:
        """Bytes received for which no credit was given back."""
        return self._size_bytes - self.granted_bytes

    def pause(self, now: float) -> None:
        self.is_paused = True
        self._paused_s -= now

    def resume(self, now: float) -> None:
        self.is_paused = False
        self._paused_s += now

    def return_credit(self, now: float, grows_within_s: float, *, may_grow: bool) -> None:
        """Return credit once half the window was read; a reader that keeps up gets a larger window.

        A window that no longer grows returns credit in smaller steps: over a long path data comes
        at once, and a second half that stops just below its mark would return nothing for a round
        trip.
        """
        before = self.granted_bytes
        took_s = now - self._grew_at
        # Data that comes in bursts, as over a long path, may have to wait a little.
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
