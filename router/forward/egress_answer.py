"""The target's side of a stream that ends here: what the leg answers goes into the stream."""

from collections.abc import Callable

import msgspec

from router.balance.ledger import LocalLedger
from router.forward.ports import Leg, LegCode, LegFailure
from router.link.ports import Refusal, ResetCode, Stream
from router.net.ports import Buffer

_REFUSALS: dict[LegCode, Refusal] = {
    "busy": "busy",
    "all-full": "busy",
    "overloaded": "busy",
    "no-target": "no-target",
    "connect-failed": "connect-failed",
    "draining": "draining",
    "not-allowed": "not-allowed",
    "no-route": "no-route",
}

_RESETS: dict[LegCode, ResetCode] = {
    "target-reset": "target-reset",
    "target-timeout": "target-timeout",
    "bad-response": "bad-response",
    "cancelled": "cancelled",
    "stalled": "stalled",
}

IN_PARTS_AGAIN = 16
"""Requests that are taken to be answered late or in parts after one was."""

SWITCHING_PROTOCOLS = b"101"
STATUS_AT = slice(len(b"HTTP/1.1 "), len(b"HTTP/1.1 101"))


class AnswerHabit:
    """How the targets of one service port answered lately: whether ACCEPTED had better wait, to
    leave with the whole answer. What came late or in parts speaks against it for a while.

    ``in_parts``: how many more requests are taken to be answered so.
    """

    __slots__ = ("in_parts",)

    def __init__(self) -> None:
        self.in_parts = 0


class EgressAnswer(msgspec.Struct, eq=False):
    """A `LegHandler` that writes to ``stream``. A struct: one for each stream, made in C.

    ACCEPTED once a target is held, or with the answer where that is expected at once and whole. For
    http the end is told when the slot is given back, with the count without it; for tcp with the
    target's own end. ``raw``: bytes both ways are no longer a
    message (tcp, or after 101). ``over``: the leg is done. ``outlived`` is called then if it
    outlived its stream. ``_habit`` None: no whole answer may come, or its ACCEPTED is waited for.
    """

    _stream: Stream
    _ledger: LocalLedger
    _habit: AnswerHabit | None
    raw: bool
    _accepted: bool = False
    leg: Leg | None = None
    over: bool = False
    stream_lost: bool = False
    outlived: Callable[[], None] | None = None

    def opened(self) -> None:
        self._accepted = True
        habit = self._habit
        if habit is not None and not habit.in_parts:
            self._stream.accept_soon(self._came_in_parts)
            return
        if habit is not None:
            habit.in_parts -= 1
        self._stream.accept(self._ledger.load)

    def _came_in_parts(self) -> int:
        assert self._habit is not None, "ACCEPTED was held back"
        self._habit.in_parts = IN_PARTS_AGAIN
        return self._ledger.load

    def head(self, head: bytes, body_bytes: int) -> None:
        if head[STATUS_AT] == SWITCHING_PROTOCOLS:
            self.raw = True
        self._stream.send_head(head, body_bytes)

    def received(self, data: memoryview) -> None:
        if not self._stream.send(data) and self.leg is not None:
            self.leg.pause()

    def trailers(self, block: bytes) -> None:
        self._stream.send_trailers(block)

    def ended(self) -> None:
        if self.raw:
            self._stream.finish()

    def whole(self, head: bytes, body_bytes: int, body: Buffer) -> None:
        self.over = True  # As in `done`.
        self._ledger.lent -= 1
        self.leg = None
        if self.stream_lost:
            self._tell_outlived()
            return
        self._stream.answer(head, body_bytes, body, self._ledger)
        if self._habit is None:
            self._stream.resume()  # As in `done`.

    def writable(self) -> None:
        self._stream.resume()

    def done(self, failure: LegFailure | None) -> None:
        self.over = True
        self._ledger.lent -= 1
        self.leg = None  # It holds us: let no cycle wait for the collector.
        if self.stream_lost:
            self._tell_outlived()
            return
        if failure is None:
            if not self.raw:
                self._stream.finish(self._ledger)
            self._stream.resume()  # What still comes of a request nobody reads is dropped.
            return
        refusal = None if self._accepted else _REFUSALS.get(failure.code)
        if refusal is not None:
            self._stream.refuse(refusal, self._ledger.load)
        elif self.raw:
            self._stream.reset(_RESETS.get(failure.code, "internal"))
        else:
            self._stream.break_off(_RESETS.get(failure.code, "internal"))
            self._stream.resume()  # As above.

    def _tell_outlived(self) -> None:
        outlived, self.outlived = self.outlived, None  # It holds us.
        if outlived is not None:
            outlived()
