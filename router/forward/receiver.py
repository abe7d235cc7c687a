"""What its attempts tell one request: passed on to its session, counted, or another attempt."""

from abc import abstractmethod

from router.forward import account
from router.forward.counters import HTTP_CLASSES, SERVED_NOWHERE
from router.forward.exchange import Exchange
from router.forward.observers import Watch
from router.forward.ports import LegFailure, LegHandler
from router.forward.recent_requests import RequestRecord
from router.forward.refused_messages import BY_FAILURE, Refusal
from router.forward.remotes import SMOOTHING
from router.forward.retry_timer import Again
from router.forward.tries import Tries
from router.forward.wait import Wait
from router.net.ports import Buffer

STATUS_CLASS_AT = len(b"HTTP/1.1 ")
_FIRST_CLASS = ord("1")
_CLASSES = len(HTTP_CLASSES)


class Receiver(Exchange):
    """The half of a `Dispatch` that faces its attempts. The other half makes all of it."""

    __slots__ = (
        "_again",
        "_asked_at",
        "_away",
        "_caller",
        "_told_opened",
        "_wait",
        "_watch",
        "ended",
        "received",
        "record",
        "tries",
    )

    _caller: LegHandler
    _watch: Watch | None
    record: RequestRecord
    """What is kept of it."""
    _again: Again | None  # Another attempt or way was needed.
    _wait: Wait | None  # It had to wait.
    _away: bool  # The attempt is elsewhere for want of room here: `Demand.overflowed`.
    _asked_at: float | None  # An OPEN is unanswered that may not wait.
    _told_opened: bool
    tries: Tries | None  # One has failed.

    @abstractmethod
    def _may_repeat(self, failure: LegFailure) -> bool:
        """Whether there may be another attempt, as all of the request is here."""

    @abstractmethod
    def _try_again(self, failure: LegFailure) -> None:
        """The attempt failed, and there may be another one."""

    def _tell_writable(self) -> None:
        self._caller.writable()

    # LegHandler of the attempt

    def opened(self, held_s: float = 0.0) -> None:
        now = self._service.now()
        if held_s:  # The past that another site tells of is not before we asked it.
            now = max(now - held_s, self.record.begun_at)
        self._now_opened(now)
        if self._given_up is not None:
            return
        if not self._told_opened:
            self._told_opened = True
            if self.request.protocol == "tcp":
                self._note_spill()
                if self.request.session:
                    self._note_session(b"")
            self._caller.opened()
        if self._owes_writable:
            self._repay_writable()

    def head(self, head: bytes, body_bytes: int) -> None:
        if self._given_up is None:
            self._answer_began()
            self._caller.head(self._note_head(head), body_bytes)

    def _note_head(self, head: bytes) -> bytes:
        """``head`` as its client must see it: it is about to be passed on."""
        self._note_spill()
        if self._again is not None:
            self._again.look_no_more()
        number = head[STATUS_CLASS_AT] - _FIRST_CLASS
        self.record.code_class = HTTP_CLASSES[number % _CLASSES]
        if self.request.session:
            head = self._note_session(head)
        return head

    def whole(
        self, head: bytes, body_bytes: int, body: Buffer, held_s: float | None = None
    ) -> None:
        """With ``held_s`` it stands for `opened` as well, of which it tells its handler nothing:
        bytes that were sent need a word only if they were too many."""
        service, record, slot = self._service, self.record, self._slot
        now = service.now()
        if slot is not None:
            if self._timing is not None and self._leg is not None:
                self._timing.answered(self._leg.status)
            self._give_back(slot, is_complete=True)
        elif held_s is not None:
            self._opened_with_answer(now, held_s)
        if self._given_up is not None:
            self._attempt_over(None)
            return
        # `_answer_began`, in place.
        if self._in_hand:
            self._in_hand = False
            if self._kept is not None:
                self._forget_sent()
        number = head[STATUS_CLASS_AT] - _FIRST_CLASS
        record.code_class = HTTP_CLASSES[number % _CLASSES]
        if self.request.session:
            head = self._note_session(head)
        # `_attempt_ended`, in place.
        if self._away:
            self._away = False
            service.demand.overflowed -= 1
        if self._wait is not None:
            self._wait.attempt_ended(now, is_busy=False)
        self._end(None, now)
        self._caller.whole(head, body_bytes, body)
        room = service.room
        if room.line:
            room.reconsider()

    def _opened_with_answer(self, now: float, held_s: float) -> None:
        """As `opened`, but for what ends with the answer."""
        if self._owes_writable or self._wait is not None or self._given_up is not None:
            self.opened(held_s)
            return
        record = self.record
        held_at = now - held_s
        if held_at < record.begun_at:
            held_at = record.begun_at
        record.held_at = held_at
        self._told_opened = True
        asked_at, site = self._asked_at, record.site
        if asked_at is not None and site is not None:
            self._service.remotes.note_round_trip(site, held_at - asked_at)

    def trailers(self, block: bytes) -> None:
        self._caller.trailers(block)

    def _attempt_over(self, failure: LegFailure | None) -> None:
        self._attempt_ended(failure)
        if self._given_up is not None:
            self._finish(self._given_up)
        elif failure is not None and self._in_hand and self._may_repeat(failure):
            self._try_again(failure)
        elif not self._over:  # `_finish`, in place.
            self._end(failure, self._service.now())
            self._caller.done(failure)
        room = self._service.room
        if room.line:
            room.reconsider()

    def _attempt_ended(self, failure: LegFailure | None) -> None:
        if self._away:
            self._away = False
            self._service.demand.overflowed -= 1
        is_busy = failure is not None and failure.code == "busy"
        if failure is not None and failure.code in BY_FAILURE:
            self._note_refused(BY_FAILURE[failure.code])
        if self._wait is not None:
            self._wait.attempt_ended(self._service.now(), is_busy=is_busy)
        if is_busy and self._asked_at is not None:
            self._note_answer(self._service.now())

    def _note_refused(self, refusal: Refusal) -> None:
        site, service = self.record.site, self._service
        if site is not None:
            service.refused_messages.note(refusal, service.key, site)

    def _note_spill(self) -> None:
        """It is served now, by another site if one is its site: it may last."""
        service, record = self._service, self.record
        site = record.site
        if site is not None and site != service.site and record.spill is None:
            record.spill = spill = site, record.spill_reason, record.overflow_reason
            service.counters.spill_begins(spill)

    def _note_session(self, head: bytes) -> bytes:
        """``head`` as the session's client must see it, now that we know who serves it."""
        service, site = self._service, self.record.site
        sessions = service.sessions
        if sessions is None or site is None:  # The affinity was taken off meanwhile.
            return head
        return sessions.answered(self.request, site, head, service.now())

    def _now_opened(self, now: float) -> None:
        """The attempt holds a target: from here on a byte may have reached it."""
        self._opened = True
        self.record.held_at = now
        self._forget_unneeded()
        asked_at, site = self._asked_at, self.record.site
        if asked_at is not None and site is not None:  # `_note_answer`, in place.
            self._asked_at = None
            self._service.remotes.note_round_trip(site, now - asked_at)
        if self._wait is not None:
            self._wait.opened(now)

    def _finish(self, failure: LegFailure | None) -> None:
        if not self._over:
            self._end(failure, self._service.now())
            self._caller.done(failure)

    def _end(self, failure: LegFailure | None, now: float) -> None:
        """Count it and tell of it: once per request, here and nowhere else.

        The handler hears next that it is done.
        """
        self._over = True
        self._leg = None
        # They hold us: no cycle waits for the collector.
        if self._again is not None:
            self._again.look_no_more()
            self._again = None
        self._wait = None
        if self._in_hand:
            self._forget_sent()
        service, record, code_class = self._service, self.record, self.record.code_class
        counters, started_at, held_at = service.counters, record.started_at, record.held_at
        record.total_s = seconds = now - started_at
        if record.waited_since is not None:
            account.note_waited(record, service, now)
        spill = record.spill
        if spill is not None:
            record.spill = None
            counters.spill_ends(spill)
        served_at, site = SERVED_NOWHERE, record.site
        if (
            self._told_opened
            and site is not None
            and (failure is None or self._is_of_attempt(failure))
        ):
            remotes, served_at = service.remotes, site
            took_s, known_s = now - held_at if held_at < now else 0.0, remotes.service_time_s
            remotes.service_time_s = known_s + SMOOTHING * (took_s - known_s) if known_s else took_s
            if site != service.site and spill is None:
                counters.spilled[served_at, record.spill_reason, record.overflow_reason] += 1
        else:
            record.site = None
        if failure is None:
            record.outcome = "ok"
        else:
            code_class = account.note_failure(record, service, self.request, failure)
        if held_at == started_at:  # The commonest have a target at once.
            counters.request(served_at, code_class, seconds)
        else:
            begun_at = record.begun_at  # `Record.phases`, in place.
            if begun_at > now:
                begun_at = now
            if held_at > now:
                held_at = now
            counters.request_in_phases(
                served_at,
                code_class,
                seconds,
                begun_at - started_at,
                held_at - begun_at,
                now - held_at,
            )
        watch, self._watch = self._watch, None
        if watch is not None:
            target = self._target if served_at else ""
            watch.counted(account.passage(record, failure, service.name_of(served_at), target, now))

    def _is_of_attempt(self, failure: LegFailure) -> bool:
        """Whether the last attempt came to ``failure``; else it is this site's own answer: no other
        attempt followed, for want of room, of a way or of time."""
        if self._opened:
            return True
        last = self.tries.last if self.tries is not None else None
        return last is not None and failure == last and not last.untouched

    def _note_answer(self, now: float) -> None:
        """The first answer of another site that did not have to wait: about a round trip."""
        site, asked_at = self.record.site, self._asked_at
        if asked_at is not None and site is not None:
            self._service.remotes.note_round_trip(site, now - asked_at)
            self._asked_at = None
