"""What one request sends, to whichever attempt is under way, kept as long as it may be needed.

Kept until a target is held, for idempotent requests, and those over HTTP/2 to a target of this
site, until something of the response came; at most
`limits.REPLAY_BYTES_MAX` once a target is held, and before that one piece more than it: the sender
is stopped there. What is no longer all here is not sent again.
"""

from abc import ABC

from router.forward.ports import Leg, LegFailure, LegHandler, Request
from router.forward.pressure import Pressure
from router.forward.recent_requests import RequestRecord
from router.forward.replay import Replay
from router.model import limits
from router.net.ports import Buffer


class Sender(ABC):
    """The half of a `Dispatch` that faces what its session sends.

    It has no constructor: `Dispatch` sets all of it in its own, which saves a call per request.
    """

    __slots__ = (
        "_given_up",
        "_handler",
        "_in_hand",
        "_is_finished",
        "_kept",
        "_leg",
        "_leg_full",
        "_opened",
        "_over",
        "_owes_writable",
        "_paused",
        "_pressure",
        "record",
        "request",
    )

    request: Request
    """As it goes on."""
    record: RequestRecord
    """What is kept of it."""
    _pressure: Pressure
    _handler: LegHandler
    _leg: Leg | None  # The attempt under way.
    _opened: bool  # It holds a target.
    _in_hand: bool  # All that was sent is still here: in ``_kept``, or there was nothing yet.
    _kept: Replay | None  # Most requests send nothing.
    _is_finished: bool
    _leg_full: bool
    _owes_writable: bool
    _paused: bool
    _given_up: LegFailure | None  # Its attempt is aborted and has not ended yet.
    _over: bool

    def send(self, data: Buffer) -> bool:
        if self._over:
            return True
        kept, leg = self._kept, self._leg
        if self._in_hand:
            if kept is None:
                kept = self._kept = Replay(self._pressure, self)
            if self._opened and kept.size_bytes + len(data) > limits.REPLAY_BYTES_MAX:
                self._forget_sent()
            else:
                data = kept.add(data)
        if leg is not None and not leg.send(data):
            self._leg_full = self._owes_writable = True
            return False
        if not self._opened and kept is not None and kept.size_bytes >= limits.REPLAY_BYTES_MAX:
            self._owes_writable = True  # `_is_full`, in place.
            return False
        return True

    def relieve(self) -> None:
        """Memory is short: let go of what was sent."""
        self._forget_sent()

    def send_trailers(self, block: bytes) -> None:
        if self._over:
            return
        if self._in_hand:
            if self._kept is None:
                self._kept = Replay(self._pressure, self)
            self._kept.add_trailers(block)
        if self._leg is not None:
            self._leg.send_trailers(block)

    def pause(self) -> None:
        self._paused = True
        if self._leg is not None:
            self._leg.pause()

    def resume(self) -> None:
        self._paused = False
        if self._leg is not None:
            self._leg.resume()

    def writable(self) -> None:
        self._leg_full = False
        self._repay_writable()

    def _catch_up(self, leg: Leg) -> None:
        """Give a fresh attempt what was sent so far."""
        assert self._in_hand, "an attempt without the request in hand"
        self._leg_full = self._kept is not None and not self._kept.play(leg)
        if self._is_finished:
            leg.finish()
        if self._paused:
            leg.pause()

    def _forget_sent(self) -> None:
        """From here on it cannot be sent again."""
        self._in_hand = False
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.drop()

    def _repay_writable(self) -> None:
        if not self._owes_writable or self._leg_full or self._given_up or self._over:
            return
        if not self._opened and self._is_full():
            return
        self._owes_writable = False
        self._handler.writable()

    def _is_full(self) -> bool:
        """What is kept, of a request that has no target yet, is enough."""
        kept = self._kept
        return kept is not None and kept.size_bytes >= limits.REPLAY_BYTES_MAX

    def is_gone(self) -> bool:
        """A tcp client that finished without ever sending a byte: nobody waits."""
        if self.request.protocol != "tcp" or not (self._in_hand and self._is_finished):
            return False
        return self._kept is None or not self._kept.size_bytes
