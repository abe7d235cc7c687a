"""RESETs of streams that this end opened: only as many leave as the peer allows."""

from router.model import limits
from router.model.token_bucket import TokenBucket
from router.net.ports import Buffer

_RESET_FRAME_BYTES = 9


class ResetQueue:
    """RESETs that wait for the peer's budget, by stream, and whether we have sent our end."""

    __slots__ = ("_budget", "_waiting")

    def __init__(self, now: float) -> None:
        self._waiting: dict[int, tuple[bytes, bool]] = {}
        # Slightly below the peer's budget, because its clock starts later.
        self._budget = TokenBucket(limits.RESETS_BURST * 0.9, limits.RESETS_PER_S * 0.9, now)

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, stream_id: int) -> bool:
        return stream_id in self._waiting

    def add(self, stream_id: int, frame: bytes, has_sent_end: bool) -> None:
        """Queue ``frame``; it is dropped if the stream ends by itself before."""
        self._waiting[stream_id] = (frame, has_sent_end)

    def peer_ended(self, stream_id: int, *, wholly: bool) -> None:
        """The peer finished its direction, or ``wholly`` the stream: then nothing is left to
        reset."""
        if wholly or self._waiting[stream_id][1]:
            del self._waiting[stream_id]

    def fill(self, parts: list[Buffer], now: float) -> tuple[int, float | None]:
        """Append the RESETs that may leave; returns their bytes, and when the next may leave if
        some wait."""
        used = 0
        while self._waiting:
            if not self._budget.take(now):
                return used, self._budget.ready_at()
            parts.append(self._waiting.pop(next(iter(self._waiting)))[0])
            used += _RESET_FRAME_BYTES
        return used, None

    def clear(self) -> None:
        """The lane is over."""
        self._waiting.clear()
