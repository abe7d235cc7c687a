"""The wait of a request for a slot, here or elsewhere; created only then."""

from collections.abc import Mapping
from typing import Final, Protocol

from router.balance.deciding.decisions import Asked, Decision, NoChoice, Outlook, RemoteWait
from router.balance.site.fair_queue import WaitingPlace
from router.balance.site.slots import Slot
from router.exchange.account import note_waited
from router.exchange.attempt_history import AttemptHistory
from router.model import limits
from router.model.requests import Request
from router.service.ports import CLIENT_GONE, LegCode, LegFailure
from router.service.recent_requests import Grounds, RequestRecord
from router.service.service import Service


class Queued(Protocol):
    """The exchange of the request."""

    asked: Asked
    record: RequestRecord
    request: Request

    def begin(self, decision: Decision, now: float) -> bool:
        """Start an attempt; False: it could not even start."""

    def serve_here(self, slot: Slot, place: str, now: float) -> None:
        """An attempt at this site with ``slot``."""

    def open_remote(self, to: Decision | RemoteWait, wait_ms: int, now: float) -> bool:
        """Start an attempt that may wait there; False: it could not."""

    def fail(self, failure: LegFailure) -> None:
        """The request is over, at the end of the turn."""

    def is_gone(self) -> bool:
        """No client waits."""


class Course(Protocol):
    """The `Attempts` of the request."""

    history: AttemptHistory

    def go_on(self, now: float) -> None:
        """Try the best candidate left."""

    def note_unbegun(self, decision: Decision) -> None:
        """`Queued.begin` returned False for ``decision``."""

    def look_at(self, when: float) -> None:
        """Check the deadline at ``when``."""


_LATE: Final = "no slot came free in time"
_NO_QUEUE: Final = "no request may wait: the queue of the service is 0"
_LONGEST: Final = "the queue is full, and its line is the longest"
_DISPLACED: Final = "the queue is full, and a request that is not sheddable has its place"
_NOT_WAITING: Final[Mapping[Outlook, str]] = {
    "waits": "",
    "full": "the queue is full",
    "too-long": "as many wait as can be served in time",
}


class Wait:
    """A `waiting_lines.Waiting`: the request in the line, or waiting at the egress of another site.

    Its ``deadline`` covers all moves.
    """

    __slots__ = (
        "_course",
        "_queued",
        "_service",
        "_stand_ends_at",
        "_stood_half_at",
        "_travel_s",
        "_tried_newcomers",
        "deadline",
        "held_s",
        "is_silent",
        "may_stay",
        "patient_until",
        "standing",
    )

    is_silent: bool
    """Where it waits it got no answer by `silent_at`, and stays."""
    may_stay: bool
    """The site where it waits seemed to have room: a silent site may have admitted it."""
    _stood_half_at: float
    """A refusal before then means that it was not allowed to wait."""
    _stand_ends_at: float

    def __init__(self, queued: Queued, course: Course, service: Service, now: float) -> None:
        self._queued = queued
        self._course = course
        self._service = service
        self.patient_until = now + service.config.queue_wait_s
        self.held_s = held_s = service.wake_state.held_s(now)
        """The extra time that it may wait, since a hook wakes a site or would."""
        if held_s:
            assert service.wake_state.wake is not None, "who holds it"
            queued.record.held_by = service.wake_state.wake.hook
        self.deadline = self.patient_until + held_s
        self.standing: str | None = None
        """Where it waits, as `Decision.place`."""
        self._tried_newcomers = False
        self._travel_s = 0.0  # Of its last wait, there and back, if that site is far.
        queued.record.waits(now)

    @property
    def is_near(self) -> bool:
        """The request waits where it gets news of a slot at once."""
        return self.standing is not None and not self._travel_s

    @property
    def silent_at(self) -> float:
        """By then a wait is answered, and its target connected. However long the request may be
        held, it does not wait for a silent site longer than for a slot.
        """
        ends_at = max(self.patient_until, self._stand_ends_at)
        connect_s = self._service.config.timeouts.connect_s
        return min(self.deadline, ends_at) + connect_s + self._travel_s + limits.STAND_S

    def hears_nothing(self) -> None:
        """`silent_at` has come, and it stays where it waits."""
        self.is_silent = True

    def enter(self, choice: NoChoice, now: float, *, returns: bool) -> None:
        """Wait for one of the full sites of ``choice``, or fail. ``returns``: it did before."""
        queued = self._queued
        record = queued.record
        had_slot = record.waited_since is None  # And its attempt failed.
        if had_slot:
            record.waits(now)
        if queued.is_gone():
            queued.fail(CLIENT_GONE)
        elif why := self._why_not(choice, now, returns=returns):
            if had_slot or not returns:
                record.never_waited()
            if self._tries_newcomers(now):
                return
            queued.fail(self._turned_away(why))

    def _why_not(self, choice: NoChoice, now: float, *, returns: bool) -> str:
        """Why it may not wait; empty: it does."""
        if now >= self.deadline:
            return _LATE
        service = self._service
        outlook = service.queue.enter(self, choice, self.deadline, returns=returns)
        if outlook == "full" and service.config.queue == 0:
            return _NO_QUEUE
        return _NOT_WAITING[outlook]

    def opened(self, now: float) -> None:
        """A target is held."""
        queued, service = self._queued, self._service
        record = queued.record
        stood, travel_s = self.standing is not None, self._travel_s
        if stood:
            assert record.site is not None, "it stands somewhere"
            if travel_s:
                service.remotes.note_stand(record.site, now - record.begun_at)
            # It waited there: of that time the network took at most a usual round trip.
            travelled_s = service.remotes.round_trip_s(record.site)
            record.begun_at = max(record.begun_at, now - travelled_s)
            self._end_stand(turned_away=False)
        waited_since = record.waited_since
        if waited_since is None:
            return
        on_arrival_s = limits.STAND_MIN_S + travel_s / 10
        if stood and travel_s and (self.is_silent or now - waited_since <= on_arrival_s):
            record.never_waited()  # It had a slot on arrival, or the delay was on the way.
            return
        if stood and not (travel_s and self.may_stay):  # The way may have been slow, too.
            is_own = record.site == service.site
            record.note_reason(
                "waited until a slot was free here, at another of its routers or workers"
                if is_own
                else "waited until a slot was free there"
            )
        note_waited(record, service, now)
        service.queue.served(sheddable=queued.asked.sheddable)

    def attempt_ended(self, now: float, *, is_busy: bool) -> None:
        """An attempt that may have waited is over."""
        if self.standing is not None:
            self._end_stand(turned_away=is_busy and now < self._stood_half_at)

    def _end_stand(self, *, turned_away: bool) -> None:
        assert self.standing is not None
        self._service.queue.stand_ended(self, self.standing, turned_away=turned_away)
        self.standing = None

    # Waiting

    @property
    def line(self) -> WaitingPlace:
        return self._service.queue.own_line

    @property
    def is_sheddable(self) -> bool:
        return self._queued.asked.sheddable

    @property
    def session(self) -> int:
        return self._queued.request.session

    @property
    def asked(self) -> Asked:
        return self._queued.asked

    @property
    def out(self) -> frozenset[str]:
        return self._course.history.out

    def forget_lost_ways(self) -> None:
        self._course.history.reroute()

    def granted(self, slot: Slot) -> None:
        service, record = self._service, self._queued.record
        service.queue.left(self)
        record.site = service.site
        record.grounds = Grounds("waited until a slot was free here")
        self._queued.serve_here(slot, service.balancer.own_place, service.now())

    def expired(self) -> None:
        service = self._service
        service.queue.left(self)
        now = service.now()
        if not self._tries_newcomers(now):
            self._queued.fail(self._turned_away(_LATE))

    def _tries_newcomers(self, now: float) -> bool:
        """Instead of being refused, once: sites that start small take more than they otherwise
        would.
        """
        if self._tried_newcomers or not self._service.balancer.ejections.make_room(now):
            return False
        self._tried_newcomers = True
        self._course.go_on(now)
        return True

    def displaced(self) -> None:
        self._service.queue.left(self)
        reason = _LONGEST
        if self._queued.asked.sheddable:
            reason = _DISPLACED
        self._queued.fail(self._turned_away(reason))

    def _turned_away(self, reason: str) -> LegFailure:
        retry_s = self._service.wake_state.retry_s(self._service.now())
        code: LegCode = "shed" if self._queued.asked.sheddable else "all-full"
        self._queued.record.note_turned_away(reason)
        return LegFailure(code, reason, min(retry_s, limits.HOLD_RETRY_S_MAX))

    def proceed(self, decision: Decision) -> None:
        now = self._service.now()
        if not self._queued.begin(decision, now):
            self._course.note_unbegun(decision)
            self._course.go_on(now)

    def stand(self, to: Decision | RemoteWait, wait_s: float, travel_s: float) -> bool:
        now, queued = self._service.now(), self._queued
        if not queued.open_remote(to, round(wait_s * 1000), now):
            return False
        record = queued.record
        self.standing = to.place
        self._stood_half_at = now + travel_s + wait_s / 2
        self._stand_ends_at = now + wait_s
        self._travel_s = travel_s
        self.may_stay = type(to) is Decision
        self.is_silent = False
        record.travels(travel_s)
        self._course.look_at(self.silent_at)
        if type(to) is RemoteWait:
            reason = "looked full from here, and may wait there"
            if to.site == self._service.site:  # Another router or worker of it: no spill.
                record.grounds = Grounds(reason)
            else:
                away = self._service.balancer.writer.why_away()
                record.grounds = Grounds(reason, "full" if to.overflow else "", away)
        return True

    def dismiss(self) -> None:
        """The service goes away while it waits."""
        reason = "the service was removed here"
        self._queued.record.note_reason(reason)
        self._queued.fail(LegFailure("draining", reason))
