"""Attempts of a client's request: at targets of this site, or at other sites."""

from abc import abstractmethod
from collections.abc import Set
from math import inf

from router.balance.deciding.decisions import Asked, Decision, RemoteWait
from router.balance.learning.demand import SpillCause
from router.balance.site.slots import Denied, Slot
from router.exchange import account
from router.exchange.attempts import Attempts
from router.exchange.exchange import Exchange
from router.exchange.exchange_states import ASKING, CHOOSING, RemoteState
from router.exchange.sites.remote import RemoteLeg
from router.exchange.upload import NOT_STOPPED
from router.model.ids import SiteId
from router.net.ports import Buffer
from router.service.admission import NO_TARGETS
from router.service.ports import LegFailure
from router.service.recent_requests import RequestRecord

# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
_NO_DEMAND, _NO_ROOM, _NO_TARGET = SpillCause.NO_DEMAND, SpillCause.NO_ROOM, SpillCause.NO_TARGET
_NOT_BEGUN = RemoteState.NOT_BEGUN


class ClientAttempts(Exchange):
    """Begins attempts, and decides whether another one is allowed; `attempts` decides when it
    follows.

    The subclass passes the results on to the client.
    """

    __slots__ = ("_attempts", "_place", "_told_opened", "asked", "record")

    _FROM_CLIENT = True
    _attempts: Attempts | None
    """Exists once the first attempt was not enough."""
    _place: str
    """`Decision.place` of the last attempt."""
    _told_opened: bool
    """The client was notified, or need not be."""
    asked: Asked
    """The properties of the request that decide where it goes."""
    record: RequestRecord
    """The record of the request."""

    @property
    @abstractmethod
    def complete_at(self) -> float | None:
        """When all of the request had come; None: more will follow."""

    @abstractmethod
    def opened(self, held_at: float | None = None) -> None:
        """See `RemoteHandler`, like `whole`."""

    @abstractmethod
    def whole(
        self, head: bytes, body_bytes: int, body: Buffer, held_at: float | None = None
    ) -> None: ...

    @abstractmethod
    def fail(self, failure: LegFailure) -> None:
        """The request is over, at the end of the turn."""

    def begin(self, decision: Decision, now: float) -> bool:
        """Start an attempt; False: it could not even start."""
        record, service, attempts = self.record, self._service, self._attempts
        if not decision.local:  # Another site, or router: full here, no target here, or cheaper.
            if attempts is None:
                record.seen = service.balancer.seen_lately(now, decision, self.asked)
            else:
                record.seen = attempts.seen(decision, now)
            begun = decision.site in service.remotes.far and self._more().begin_far(decision, now)
            if not begun and not self.open_remote(decision, 0, now):
                return False
        else:
            if attempts is not None and (record.attempts or record.seen is not None):
                record.seen = attempts.seen(decision, now)
            else:  # The most common case: this site's own figures are enough.
                ledger = service.ledger
                record.in_flight = ledger.load  # Requests that take slots, as `capacity` counts.
                record.capacity = ledger.capacity
            if attempts is None:
                slot = service.ledger.try_acquire(now, NO_TARGETS, self.request.session)
            else:
                slot = self._take_slot(attempts, decision, now)
            if type(slot) is not Slot:
                return False
            record.site = decision.site
            self.serve_here(slot, decision.router or decision.site, now)
        record.grounds = decision
        return True

    def _take_slot(self, attempts: Attempts, decision: Decision, now: float) -> Slot | Denied:
        """A slot of a target that has not failed this request; if no other site has room, of any
        target.
        """
        ledger, session = self._service.ledger, self.request.session
        avoid = attempts.history.avoid
        slot = ledger.try_acquire(now, avoid, session)
        if avoid and type(slot) is not Slot and not attempts.may_leave(decision.place, now):
            return ledger.try_acquire(now, NO_TARGETS, session)
        return slot

    def serve_here(self, slot: Slot, place: str, now: float) -> None:
        """Start an attempt at this site, which owns ``slot``. ``place`` as in `Decision`."""
        self._place = place
        record = self.record
        record.attempts += 1
        record.begun_at = now
        if self._begin_here(slot):  # Maybe within the caller's call: its next call is the head.
            self._hold()
            record.held_at = now
            if self._attempts is not None:
                self._attempts.opened(now)
            self._told_opened = True
            if self._upload is not None and self._upload.stopped is not NOT_STOPPED:
                self._service.timers.at_turn_end(self._let_go_on)

    def open_remote(self, to: Decision | RemoteWait, wait_ms: int, now: float) -> bool:
        """Start an attempt elsewhere; False: there is no adjacency that way."""
        service, record, path, site = self._service, self.record, to.path, to.site
        balancer = service.balancer
        routers, last = balancer.routers, path[-1]
        egress = routers[last] if last in routers else balancer.egress(site, path)
        # Not where another router of this site takes it: there it is demand.
        sent_for = _NO_DEMAND
        if site != service.site:
            if not service.ledger.targets_ready:
                sent_for = _NO_TARGET
            elif to.overflow:
                sent_for = _NO_ROOM
        leg = RemoteLeg(self.request, self, service, egress, path, wait_ms, now, sent_for)
        if leg.state is _NOT_BEGUN:
            return False
        record.site = site
        self._place = to.router or site  # Likewise.
        self._target = ""
        self._leg = leg
        self._state = ASKING
        record.attempts += 1
        record.begun_at = now
        if self._upload is not None:
            self._catch_up(leg)
        return True

    def unanswered(self) -> None:
        """See `Attempted`."""
        if isinstance(self._leg, RemoteLeg):
            self._leg.unanswered()

    def break_off(self, sites: Set[SiteId]) -> None:
        """See `ClientLeg`."""
        if self.record.site in sites and isinstance(self._leg, RemoteLeg):
            self._leg.break_off()

    @property
    def awaited_at(self) -> SiteId | None:
        """See `ClientLeg`."""
        leg = self._leg
        return leg.egress_site if isinstance(leg, RemoteLeg) and leg.is_awaited else None

    def _may_repeat(self, failure: LegFailure) -> bool:
        """Whether another attempt is allowed, as all of the request is here."""
        idempotent = self.request.idempotent
        if failure.code == "unanswered" and self._is_unsent():
            idempotent = True
        return self._more().history.may_repeat(failure, idempotent=idempotent)

    def _repeat(self, failure: LegFailure) -> None:
        """The attempt failed, and another one is allowed."""
        account.give_back(self.record, self._service)
        self._state = CHOOSING  # Data sent meanwhile is stored for the next one.
        self.record.held_at = inf
        self.record.retried_for = failure.code
        if failure.code == "draining":  # The result of the decision, unless another one follows.
            self.record.note_reason("the site that was asked began to drain")
        self._more().follow(failure, self._place, self._target or None)

    def can_leave(self) -> bool:
        """See `RemoteHandler`."""
        may_run_again = self._in_hand and (self.request.idempotent or self._is_unsent())
        return may_run_again and self._more().may_leave(self._place, self._service.now())

    def _more(self, begun: int = 1) -> Attempts:
        """Created on first use, after ``begun`` attempts."""
        attempts = self._attempts
        if attempts is None:
            attempts = self._attempts = Attempts(self, self._service, begun)
        return attempts

    def _is_unsent(self) -> bool:
        """A tcp client has sent nothing: no target can have done anything for it.

        With http the head alone may have been enough for a target to run the request.
        """
        upload = self._upload
        if upload is None or self.request.protocol != "tcp":
            return False
        return upload.kept is None and upload.finished_at is None

    def _is_overdue(self) -> bool:
        """The attempt under way had all of the request for as long as an answer may take, or should
        have been admitted or refused by now.
        """
        service, attempts = self._service, self._attempts
        wait = attempts.wait if attempts is not None else None
        if wait is not None and wait.standing is not None and not wait.is_silent:
            return service.now() >= wait.silent_at
        complete_at = self.complete_at
        if complete_at is None:
            return False
        asked_at = max(complete_at, self.record.begun_at)
        return service.now() - asked_at >= service.config.timeouts.response_s

    def _is_of_attempt(self, failure: LegFailure) -> bool:
        """Whether ``failure`` is the result of the last attempt, which is over; else it is this
        site's own answer: no other attempt followed, for lack of room, of a way or of time.
        """
        if self.has_target:
            return True
        last = self._attempts.history.last if self._attempts is not None else None
        return last is not None and failure == last and not last.untouched
