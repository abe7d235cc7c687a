"""What one request sends, to whichever attempt is under way, kept as long as it may be needed.

Kept until a target is held, for idempotent requests, and those over HTTP/2 to a target of this
site, until something of the response came; at most
`limits.REPLAY_BYTES_MAX` once a target is held, and before that one piece more than it: the sender
is stopped there. What is no longer all here is not sent again.
"""

from router.forward.account import Account
from router.forward.ports import Leg, LegFailure, LegHandler, Request
from router.forward.pressure import Pressure
from router.forward.replay import Replay
from router.model import limits
from router.net.ports import Buffer


class Sender:
    """The half of a `Dispatch` that faces what its session sends."""

    __slots__ = (
        "_account",
        "_given_up",
        "_handler",
        "_leg",
        "_leg_full",
        "_opened",
        "_over",
        "_owes_writable",
        "_paused",
        "_replay",
        "_request",
    )

    def __init__(
        self, request: Request, handler: LegHandler, pressure: Pressure, account: Account
    ) -> None:
        self._request = request
        self._handler = handler
        self._account = account
        self._leg: Leg | None = None  # The attempt under way.
        self._opened = False  # It holds a target.
        # None: what was sent is no longer all here.
        self._replay: Replay | None = Replay(pressure, self)
        self._leg_full = False
        self._owes_writable = False
        self._paused = False
        self._given_up: LegFailure | None = None  # Its attempt is aborted and has not ended yet.
        self._over = False

    def send(self, data: Buffer) -> bool:
        if self._over:
            return True
        replay, leg = self._replay, self._leg
        if replay is not None:
            if self._opened and replay.size_bytes + len(data) > limits.REPLAY_BYTES_MAX:
                replay = None
                self._forget_sent()
            else:
                data = replay.add(data)
        if leg is not None and not leg.send(data):
            self._leg_full = self._owes_writable = True
            return False
        if not self._opened and replay is not None and _is_full(replay):
            self._owes_writable = True
            return False
        return True

    def relieve(self) -> None:
        """Memory is short: let go of what was sent."""
        self._forget_sent()

    def send_trailers(self, block: bytes) -> None:
        if self._over:
            return
        if self._replay is not None:
            self._replay.add_trailers(block)
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

    def _launch(self, leg: Leg, now: float) -> None:
        """Give a fresh attempt what was sent so far."""
        self._leg = leg
        account = self._account
        account.attempts += 1
        account.begun_at = now
        replay = self._replay
        assert replay is not None, "an attempt without the request in hand"
        self._leg_full = not replay.play(leg)
        if self._paused:
            leg.pause()

    def _holds_target(self, now: float) -> None:
        """From here on a byte may have reached a target."""
        self._opened = True
        self._account.held_at = now
        replay = self._replay
        if replay is not None and (
            not (self._request.idempotent or self._may_be_returned)
            or replay.size_bytes > limits.REPLAY_BYTES_MAX
        ):
            self._forget_sent()

    @property
    def _may_be_returned(self) -> bool:
        """A target may say later that it has not processed it: see `LocalLeg`."""
        return False

    def _forget_sent(self) -> None:
        """From here on it cannot be sent again."""
        replay, self._replay = self._replay, None
        if replay is not None and replay.size_bytes:
            replay.drop()

    def _repay_writable(self) -> None:
        if not self._owes_writable or self._leg_full or self._given_up or self._over:
            return
        if not self._opened and self._replay is not None and _is_full(self._replay):
            return
        self._owes_writable = False
        self._handler.writable()

    def _is_gone(self) -> bool:
        """A tcp client that finished without ever sending a byte: nobody waits."""
        replay = self._replay
        return self._request.protocol == "tcp" and replay is not None and replay.finished_empty


def _is_full(replay: Replay) -> bool:
    return replay.size_bytes >= limits.REPLAY_BYTES_MAX
