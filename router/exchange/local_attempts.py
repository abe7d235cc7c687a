"""Attempts of one request at targets of this site, one after another.

An attempt owns a slot. `_begin_here` takes it over, and `_give_back` gives it back, however the
attempt ended: before the caller is notified, or, for an abandoned request, only when the target is
done with it (`Lingering`). While connecting fails, the attempt moves to other targets of this site;
a stream that the target did not process (RFC 9113, 8.7) is sent again.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import ClassVar

from router.balance.site.slots import Slot
from router.exchange.exchange_states import ANSWERING, ASKING, CHOOSING, HELD, OVER
from router.exchange.upload import LENGTH_NOT_KNOWN, Upload
from router.model import limits
from router.model.ids import SiteId
from router.model.requests import Request
from router.net.ports import Buffer
from router.service.admission import NO_TARGETS
from router.service.observers import TargetCounts
from router.service.ports import CANCELLED, LegFailure, PendingLeg, ServerLeg
from router.service.service import Service
from router.service.targets.outcomes import LAST_STATUS_GOOD
from router.service.targets.target_tcp import Received
from router.service.targets.target_timing import TargetTiming

FIRST_SERVER_ERROR = 500


class LocalFailures:
    """Failures of an attempt at this site so far; created at the first one."""

    __slots__ = ("refusals", "targets")

    def __init__(self) -> None:
        self.targets = NO_TARGETS
        self.refusals = 0
        """Streams that targets did not process."""


class LocalAttempts(ABC):
    """Owns the slot and the leg to its target; it is the leg's `LegTaker`.

    ``_leg`` may lead to another site instead: the subclass begins such an attempt.
    """

    __slots__ = (
        "_dial",
        "_era",
        "_given_up",
        "_leg",
        "_service",
        "_slot",
        "_state",
        "_target",
        "_timing",
        "_tried_here",
        "_upload",
        "ingress",
        "request",
    )

    _FROM_CLIENT: ClassVar[bool]  # Its caller is a client of this site; else another site.

    _target: str
    """The target of ``_slot`` in the last attempt; empty: the attempt was elsewhere."""
    _era: int
    """`Outcomes.era` when an attempt here began."""

    received: Received
    """As in `LegHandler`, like `ended`; some exchanges pass both straight through."""
    ended: Callable[[], None]

    def __init__(self, request: Request, service: Service, ingress: SiteId) -> None:
        self.request = request
        """The request as it is sent to targets and other sites."""
        self.ingress = ingress
        """The site of the request's client."""
        self._service = service
        self._state = CHOOSING
        # Of the attempt under way.
        self._leg: ServerLeg | None = None  # Takes the data that the caller sends.
        self._dial: PendingLeg | None = None  # A target is being connected, and becomes ``_leg``.
        self._slot: Slot | None = None  # Held while the attempt is at a target of this site.
        self._tried_here: LocalFailures | None = None
        self._timing: TargetTiming | None = None
        # The data sent. None: the request is complete with its head.
        self._upload: Upload | None = None
        if request.body_bytes or request.upgrade:
            is_judged = self._FROM_CLIENT or request.body_bytes == LENGTH_NOT_KNOWN
            self._upload = Upload(None if is_judged else request.body_bytes)
        self._given_up: LegFailure | None = None  # Its attempt is aborted and has not ended yet.

    @abstractmethod
    def opened(self) -> None:
        """The attempt holds a target: `_hold` follows."""

    @abstractmethod
    def _attempt_over(self, failure: LegFailure | None) -> None:
        """The attempt is over, and its slot is given back."""

    @abstractmethod
    def head(self, head: bytes, body_bytes: int) -> None:
        """As in `LegHandler`, like the three below."""

    @abstractmethod
    def trailers(self, block: bytes) -> None: ...

    @abstractmethod
    def whole(self, head: bytes, body_bytes: int, body: Buffer) -> None: ...

    @abstractmethod
    def writable(self) -> None: ...

    @property
    @abstractmethod
    def _in_hand(self) -> bool:
        """Everything sent is still here, so that it can be sent again."""

    @abstractmethod
    def _catch_up(self, leg: ServerLeg) -> None:
        """Send a new attempt everything that was sent so far."""

    @property
    def has_target(self) -> bool:
        """A byte of it may have reached a target, in the last attempt."""
        return self._state is HELD or self._state is ANSWERING

    @property
    def target(self) -> str:
        """The target of this site that has it now; empty: none."""
        return self._target if self._slot is not None else ""

    # Called by an attempt: `LegTaker`.

    def connected(self, leg: ServerLeg) -> None:
        """The target of the slot is connected."""
        self._dial = None
        self._leg = leg
        self._catch_up(leg)
        if self._timing is not None:
            self._timing.held()
        self.opened()

    def connect_failed(self, failure: LegFailure) -> None:
        """The connection failed: no byte reached the target."""
        self._dial = None
        self.done(failure)

    def done(self, failure: LegFailure | None) -> None:
        slot = self._slot
        if slot is None:
            self._leg = None
        else:
            if failure is not None:
                failure = self._failed_here(slot, failure)
                if failure is None:
                    return
                self._tried_here = None
                self._give_back(slot, is_complete=False)
            else:
                self._give_back(slot, is_complete=True)
        self._attempt_over(failure)

    # An attempt at a target of this site.

    def _begin_here(self, slot: Slot) -> bool:
        """Begin the attempt, which now owns ``slot``. True: its target is held already, and has the
        head; else `opened` or `done` follows.
        """
        service, request = self._service, self.request
        self._state = ASKING
        self._slot = slot
        self._target = target = slot.target
        self._era = service.outcomes.era
        if service.timings.wanted is not None:
            self._timing = service.timings.begin(slot, request)
        way = service.target_ways.by_protocol[request.protocol][target]
        leg = way.take(request, self, from_client=self._FROM_CLIENT)
        if leg is None:
            self._leg = None
            self._dial = way.dial(request, self, from_client=self._FROM_CLIENT)
            return False
        self._leg = leg
        if self._upload is not None:
            self._catch_up(leg)
        if self._timing is not None:
            self._timing.held()
        return True

    def _give_back(self, slot: Slot, *, is_complete: bool) -> None:
        """The attempt at its target is over."""
        service = self._service
        leg, self._leg = self._leg, None
        counting = service.observing.callers
        if counting is not None:
            if is_complete:
                failed = leg is not None and leg.status >= FIRST_SERVER_ERROR
            else:  # Where a tcp client ends its connection, it may have had all it wanted.
                is_cut = self._given_up is not None and self.request.protocol == "tcp"
                failed = leg is None or not is_cut
            self._count_target(counting.targets, slot, failed=failed)
        self._slot = None
        if leg is not None:
            if self._timing is not None:
                self._timing.ended(leg.status)
            if is_complete:
                outcomes, status = service.outcomes, leg.status
                if status > LAST_STATUS_GOOD or outcomes.suspects:
                    outcomes.completed(slot.target, status, self._era)
            elif leg.lingers is not None:
                by_client = self._given_up is not None
                service.admission.release_after(leg.lingers, slot, by_client=by_client)
                return
        if self._given_up is not None and not is_complete:
            slot.held_of.give_up(by_client=True)
        service.ledger.give_back(slot)

    def _count_target(self, targets: TargetCounts, slot: Slot, *, failed: bool) -> None:
        """The target of ``slot`` is done with the request: once per slot."""
        service, name = self._service, slot.held_of.name
        held_s = service.now() - slot.since
        targets.count(service.key, slot.target, name, self.ingress, failed, held_s)

    def _failed_here(self, slot: Slot, failure: LegFailure) -> LegFailure | None:
        """Judge the target by ``failure``. Returns the failure to report; None: this site tries
        again.
        """
        leg, code, outcomes = self._leg, failure.code, self._service.outcomes
        blames = leg is not None and leg.blames_target and self._given_up is None
        if self._timing is not None:
            self._timing.failed(code, blames=blames)
            self._timing = None
        if code == "connect-failed":
            outcomes.connect_failed(slot.target, failure.reason, self._era)
        elif blames:
            outcomes.broke_off(slot.target, code, self._era)
        if self._given_up is not None:
            return failure
        if code == "not-processed":
            if self._send_again(slot):
                return None
        elif (code == "connect-failed" or code == "busy") and self._move_on(slot):
            return None
        tried = self._tried_here
        if tried is not None and tried.refusals and (code == "not-processed" or failure.untouched):
            # A target was held: other sites have dropped their copy of a request that must not run
            # twice.
            code = "not-processed" if self._FROM_CLIENT else "target-reset"
            return LegFailure(code, failure.reason, is_of_site=self._is_refused_too_often())
        return failure

    def _move_on(self, slot: Slot) -> bool:
        """Try another target of this site with everything sent; False: none has room."""
        if not self._in_hand:
            return False
        tried = self._remember_tried()
        tried.targets |= {slot.target}
        service = self._service
        other = service.admission.move(slot, tried.targets, self.request.session)
        if other is None:
            return False
        if service.observing.callers is not None:
            self._count_target(service.observing.callers.targets, slot, failed=True)
        self._begin_here_again(other)
        return True

    def _send_again(self, slot: Slot) -> bool:
        """Try the same target once, over another connection, then another one that has room.

        False: not all of the request is in hand, or it was refused too often.
        """
        tried, outcomes, era = self._remember_tried(), self._service.outcomes, self._era
        is_first = tried.targets <= {slot.target}
        tried.refusals += 1
        if self._is_refused_too_often():
            outcomes.refused(slot.target, era)
            return False
        if not self._in_hand:
            return False
        if not slot.is_good:
            return self._move_on(slot)
        if tried.refusals > 1 and self._move_on(slot):
            if is_first:  # It refused twice; any other one once.
                outcomes.refused(slot.target, era)
        else:
            self._begin_here_again(slot)
        return True

    def _is_refused_too_often(self) -> bool:
        tried = self._tried_here
        return tried is not None and tried.refusals > limits.HTTP2_REFUSED_TRIES_MAX

    def _begin_here_again(self, slot: Slot) -> None:
        if self._begin_here(slot):  # Data sent until it is held is stored for it.
            self.opened()

    def _remember_tried(self) -> LocalFailures:
        tried = self._tried_here
        if tried is None:
            tried = self._tried_here = LocalFailures()
        return tried

    def give_up(self, failure: LegFailure) -> None:
        """Try no more: `done` follows once the attempt under way is over."""
        if self._state is not OVER and self._given_up is None:
            self._given_up = failure
            self._stop_attempt()

    def _stop_attempt(self) -> bool:
        """Stop the attempt under way; `done` follows. False: there is none."""
        dial, self._dial = self._dial, None
        if self._leg is not None:
            self._leg.abort()
        elif self._slot is not None:  # It is being connected, or raised at its start.
            if dial is not None:
                dial.cancel()
            self._service.timers.at_turn_end(partial(self.done, CANCELLED))
        else:
            return False
        return True
