"""Limits for useless frames from a peer: beyond them the lane ends."""

from router.link.frames import LaneViolation
from router.model import limits
from router.model.token_bucket import TokenBucket


class PeerFloods:
    """Budgets of a lane for frames that an honest peer seldom sends. A used-up budget raises
    LaneViolation."""

    __slots__ = ("_glitches", "_pings", "_pings_in_turn", "_resets")

    def __init__(self, now: float) -> None:
        self._resets = TokenBucket(limits.RESETS_BURST, limits.RESETS_PER_S, now)
        self._glitches = TokenBucket(limits.GLITCHES_MAX, limits.GLITCHES_PER_S, now)
        self._pings = 0
        self._pings_in_turn = -1

    def reset(self, now: float) -> None:
        """The peer resets a stream that it opened."""
        if not self._resets.take(now):
            raise LaneViolation("reset-flood", "too many streams were opened and reset")

    def glitch(self, now: float) -> None:
        """Count a useless frame."""
        if not self.allows_glitch(now):
            raise LaneViolation("glitches", "too many empty frames or tiny windows")

    def allows_glitch(self, now: float) -> bool:
        """As `glitch`, outside of reading. False: there were too many."""
        return self._glitches.take(now)

    def ping(self, turn: int) -> None:
        """Count a PING. The answers of one ``turn`` wait in the outbox together."""
        if turn != self._pings_in_turn:
            self._pings_in_turn, self._pings = turn, 0
        self._pings += 1
        if self._pings > limits.PING_QUEUE_MAX:
            raise LaneViolation("ping-flood", "more PINGs than answers can be sent")
