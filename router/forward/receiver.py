"""What its attempts tell one request: passed on to its session, counted, or another attempt."""

from abc import abstractmethod

from router.forward import account
from router.forward.counters import HTTP_CLASSES, SERVED_NOWHERE
from router.forward.exchange import NOT_STOPPED, OVER, Exchange
from router.forward.observers import Watch
from router.forward.ports import LegFailure, LegHandler
from router.forward.recent_requests import RequestRecord
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

    def opened(self, held_at: float | None = None) -> None:
        now = self._service.now() if held_at is None else held_at
        self._hold()
        self.record.held_at = now
        if self._wait is not None:
            self._wait.opened(now)
        if self._given_up is not None:
            return
        if not self._told_opened:
            self._told_opened = True
            if self.request.protocol == "tcp":
                self._note_spill()
                if self.request.session:
                    self._note_session(b"")
            self._caller.opened()
        if self._stopped is not NOT_STOPPED:
            self._let_go_on()

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
        self, head: bytes, body_bytes: int, body: Buffer, held_at: float | None = None
    ) -> None:
        """With ``held_at`` it stands for `opened` as well, of which it tells its handler nothing:
        bytes that were sent need a word only if they were too many."""
        service, record, slot = self._service, self.record, self._slot
        now = service.now()
        if slot is not None:
            if self._timing is not None and self._leg is not None:
                self._timing.answered(self._leg.status)
            self._give_back(slot, is_complete=True)
        elif held_at is not None:
            if self._stopped is not NOT_STOPPED or self._wait is not None:
                self.opened(held_at)
            else:
                record.held_at = held_at
                self._told_opened = True
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
        if self._wait is not None:
            self._wait.attempt_ended(now, is_busy=False)
        self._end(None, now)
        self._caller.whole(head, body_bytes, body)
        room = service.room
        if room.line:
            room.reconsider()

    def trailers(self, block: bytes) -> None:
        self._caller.trailers(block)

    def _attempt_over(self, failure: LegFailure | None) -> None:
        if self._wait is not None:
            is_busy = failure is not None and failure.code == "busy"
            self._wait.attempt_ended(self._service.now(), is_busy=is_busy)
        if self._given_up is not None:
            self._finish(self._given_up)
        elif failure is not None and self._in_hand and self._may_repeat(failure):
            self._try_again(failure)
        else:
            self._finish(failure)
        room = self._service.room
        if room.line:
            room.reconsider()

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

    def _finish(self, failure: LegFailure | None) -> None:
        if self._state is not OVER:
            self._end(failure, self._service.now())
            self._caller.done(failure)

    def _end(self, failure: LegFailure | None, now: float) -> None:
        """Count it and tell of it: once per request, here and nowhere else.

        The handler hears next that it is done.
        """
        is_of_attempt = failure is None or self._is_of_attempt(failure)
        self._state = OVER
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
        if self._told_opened and site is not None and is_of_attempt:
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
        """Whether the last attempt, which is over, came to ``failure``; else it is this site's own
        answer: no other attempt followed, for want of room, of a way or of time."""
        if self.has_target:
            return True
        last = self.tries.last if self.tries is not None else None
        return last is not None and failure == last and not last.untouched
