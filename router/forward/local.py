"""A leg to this site's own targets: one slot held, moved on when a target does not answer."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from router.balance.ledger import Slot
from router.forward.admission import NO_TARGETS, SlotAdmission
from router.forward.outcomes import Outcomes
from router.forward.ports import Leg, LegFailure, LegHandler, Request, TargetLeg
from router.forward.pressure import Pressure
from router.forward.replay import Replay
from router.forward.target_tcp import Received
from router.model import limits
from router.net.ports import Buffer, Connection


class SlotLeg(Leg, Protocol):
    """A leg to a target of this site. It owns a slot from the first, and gives it back once."""

    @property
    def target(self) -> str:
        """Where it is, or was last."""

    @property
    def is_opened(self) -> bool:
        """A target is connected. If so at once, the handler is not told `opened`."""

    def relieve(self) -> None:
        """Memory is short: do without what was sent, or without the request."""


TargetLegOpener = Callable[[Request, LegHandler, str, bool], tuple[TargetLeg, bool]]
"""Builds and starts a leg to a target (``host:port``); the flag as in `LocalLeg`.

True beside it: a connection is held already, and the leg will not tell `opened`.
"""


_COUNTED_ELSEWHERE = Pressure()


class LocalParts(msgspec.Struct, frozen=True):
    """Of one service port, what every leg to its targets here needs."""

    admission: SlotAdmission
    open_target: TargetLegOpener
    outcomes: Outcomes
    pressure: Pressure


class LocalLeg:
    """Relays to the target of ``slot``; while connecting fails, to the site's other targets.

    It owns the slot from construction on and gives it back in one place, when its target leg is
    done, before its handler hears of it; of a request that was given up, when its target has it no
    longer (`Lingering`). What is sent is kept until a target is connected, for the
    next one (bounded by its sender: a target leg that is not connected says no); for http2 until
    the response begins or it is more than `REPLAY_BYTES_MAX`, since a target may say later that it
    did not process the request (RFC 9113, 8.7).
    ``via_local``: the request comes from a client of this site.
    """

    __slots__ = (
        "_aborted",
        "_era",
        "_handler",
        "_held",
        "_leg",
        "_owes_writable",
        "_parts",
        "_paused",
        "_refusals",
        "_relieved",
        "_replayed_with_room",
        "_request",
        "_slot",
        "_tried",
        "_via_local",
        "is_opened",
        "received",
    )

    def __init__(
        self,
        request: Request,
        handler: LegHandler,
        slot: Slot,
        parts: LocalParts,
        via_local: bool,
    ) -> None:
        self._request = request
        self._handler = handler
        self._slot = slot
        self._parts = parts
        self._era = parts.outcomes.era
        self._via_local = via_local
        self._tried = NO_TARGETS
        self._held: Replay | None = None
        self._owes_writable = False  # Matters only when moving on to another target.
        self._replayed_with_room = False
        self._paused = False
        self._aborted = False
        self._relieved = False  # For want of memory, before a target was held.
        self._refusals = 0  # Streams that targets did not process.
        self._leg: TargetLeg | None = None
        self.is_opened = False
        """A target is connected. If so after `start`, the handler is not told `opened`."""
        # Hot: what needs nothing of us goes straight through.
        self.received: Received = handler.received

    def ended(self) -> None:
        self._handler.ended()

    @property
    def target(self) -> str:
        """Where it is, or was last."""
        return self._slot.target

    def start(self) -> None:
        self._leg, self.is_opened = self._parts.open_target(
            self._request, self, self._slot.target, self._via_local
        )
        if not self.is_opened or self._request.protocol == "http2":
            # Of a client of ours, `Dispatch` holds the same bytes, and counts and drops them.
            self._held = Replay(
                _COUNTED_ELSEWHERE if self._via_local else self._parts.pressure, self
            )

    # Leg

    def send(self, data: Buffer) -> bool:
        held, leg = self._held, self._leg
        if held is not None:
            if self.is_opened and held.size_bytes + len(data) > limits.REPLAY_BYTES_MAX:
                self._forget_held()
            else:
                data = held.add(data)
        if leg is None or leg.send(data):
            return True
        self._owes_writable = True
        return False

    def send_trailers(self, block: bytes) -> None:
        if self._held is not None:
            self._held.add_trailers(block)
        if self._leg is not None:
            self._leg.send_trailers(block)

    def finish(self) -> None:
        if self._held is not None:
            self._held.finish()
        if self._leg is not None:
            self._leg.finish()

    def abort(self) -> None:
        if self._leg is not None and not self._aborted:
            self._aborted = True
            self._leg.abort()

    def relieve(self) -> None:
        """Memory is short: do without what was sent, or without the request."""
        if self.is_opened:
            self._forget_held()
        else:
            self._relieved = True
            self.abort()

    def pause(self) -> None:
        self._paused = True
        if self._leg is not None:
            self._leg.pause()

    def resume(self) -> None:
        self._paused = False
        if self._leg is not None:
            self._leg.resume()

    @property
    def wire(self) -> Connection | None:
        return self._leg.wire if self._leg is not None and self._held is None else None

    # LegHandler of the target leg

    def opened(self) -> None:
        if self._request.protocol != "http2":
            self._forget_held()
        if not self.is_opened:
            self.is_opened = True
            self._handler.opened()
        if self._replayed_with_room and self._owes_writable:
            self._handler.writable()

    def head(self, head: bytes, body_bytes: int) -> None:
        if self._held is not None:
            self._forget_held()  # From here on nothing may be sent again.
        self._handler.head(head, body_bytes)

    def trailers(self, block: bytes) -> None:
        self._handler.trailers(block)

    def whole(self, head: bytes, body_bytes: int, body: Buffer) -> None:
        leg, self._leg = self._leg, None
        assert leg is not None, "it is the last call"
        parts, status = self._parts, leg.status
        if status > parts.outcomes.judged_above or parts.outcomes.suspects:
            parts.outcomes.completed(self._slot.target, status, self._era)
        if self._held is not None:
            self._forget_held()
        parts.admission.release(self._slot)
        self._handler.whole(head, body_bytes, body)

    def writable(self) -> None:
        self._handler.writable()

    def done(self, failure: LegFailure | None) -> None:
        leg, self._leg = self._leg, None
        assert leg is not None, "done is the last call"
        if failure is None:
            outcomes, status = self._parts.outcomes, leg.status
            if status > outcomes.judged_above or outcomes.suspects:
                outcomes.completed(self._slot.target, status, self._era)
        elif self._goes_on(leg, failure):
            return
        elif self._relieved:
            failure = LegFailure("overloaded", "this router is short of memory")
        elif self.is_opened and (failure.untouched or failure.code == "not-processed"):
            # We have told already that a target is held. Of a client of ours, `Dispatch` has all of
            # the request as long as we do; other sites have forgotten what may not be repeated.
            few = self._refusals <= limits.HTTP2_REFUSED_TRIES_MAX
            returns = few and self._via_local and self._held is not None
            failure = LegFailure("not-processed" if returns else "target-reset", failure.reason)
        if self._held is not None:
            self._forget_held()
        if leg.lingers is not None:
            self._parts.admission.release_after(leg.lingers, self._slot)
        else:
            self._parts.admission.release(self._slot)
        self._handler.done(failure)

    def _goes_on(self, leg: TargetLeg, failure: LegFailure) -> bool:
        """Tell what ``failure`` says of the target. True: another leg has begun."""
        target, code = self._slot.target, failure.code
        if code == "connect-failed":
            self._parts.outcomes.connect_failed(target, failure.reason, self._era)
        elif leg.blames_target and not self._aborted:
            self._parts.outcomes.broke_off(target, code, self._era)
        if self._aborted:
            return False
        if code == "not-processed":
            return self._try_again()
        return (code == "connect-failed" or code == "busy") and self._move_on()

    def _forget_held(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.drop()

    def _move_on(self) -> bool:
        """Try another target of this site with all that was sent; False: none has room."""
        held = self._held
        if held is None:
            return False
        self._tried |= {self._slot.target}
        slot = self._parts.admission.move(self._slot, self._tried, self._request.session)
        if slot is None:
            return False
        self._slot = slot
        self._replay(held)
        return True

    def _try_again(self) -> bool:
        """The same target, over another connection, or another one if that is not ready any more.

        False: not all is in hand, or often enough.
        """
        held = self._held
        self._refusals += 1
        if self._refusals > limits.HTTP2_REFUSED_TRIES_MAX:
            self._parts.outcomes.broke_off(self._slot.target, "target-reset", self._era)
            return False
        if held is None:
            return False
        if not self._slot.is_good:
            return self._move_on()
        self._replay(held)
        return True

    def _replay(self, held: Replay) -> None:
        self._era = self._parts.outcomes.era
        leg, is_opened = self._parts.open_target(
            self._request, self, self._slot.target, self._via_local
        )
        self._leg = leg
        self._replayed_with_room = held.play(leg)
        if self._paused:
            leg.pause()
        if is_opened:
            self.opened()
