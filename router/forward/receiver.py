"""What its attempts tell one request: passed on to its session, counted, or another attempt."""

from abc import abstractmethod

from router.forward import account
from router.forward.counters import HTTP_CLASSES, SERVED_NOWHERE
from router.forward.local import SlotLeg
from router.forward.observers import Watch
from router.forward.ports import LegFailure
from router.forward.refused_messages import BY_FAILURE, Refusal
from router.forward.remotes import SMOOTHING
from router.forward.retry_timer import Again
from router.forward.sender import Sender
from router.forward.service import Service
from router.forward.target_tcp import Received
from router.forward.tries import Tries
from router.forward.wait import Wait
from router.model import limits
from router.net.ports import Buffer

STATUS_CLASS_AT = len(b"HTTP/1.1 ")
_FIRST_CLASS = ord("1")
_CLASSES = len(HTTP_CLASSES)


class Receiver(Sender):
    """The half of a `Dispatch` that faces its attempts: their `LegHandler`.

    As of `Sender`, it has no constructor.
    """

    __slots__ = (
        "_again",
        "_asked_at",
        "_away",
        "_local",
        "_service",
        "_told_opened",
        "_wait",
        "_watch",
        "ended",
        "is_reusable",
        "received",
        "tries",
    )

    _service: Service
    _watch: Watch | None
    _local: SlotLeg | None  # The attempt, if it is at this site.
    _again: Again | None  # Another attempt or way was needed.
    _wait: Wait | None  # It had to wait.
    _away: bool  # The attempt is elsewhere for want of room here: `Demand.overflowed`.
    _asked_at: float | None  # An OPEN is unanswered that may not wait.
    _told_opened: bool
    is_reusable: bool
    """It was served by its first attempt, at once and whole: no other attempt, timer or queue has
    heard of it."""
    tries: Tries | None  # One has failed.
    received: Received
    """As `ended`, hot: what needs nothing of us goes straight through."""

    @property
    def target(self) -> str:
        """Of this site, that has it now; empty: none."""
        return self._local.target if self._local is not None else ""

    @abstractmethod
    def _may_repeat(self, failure: LegFailure) -> bool:
        """Whether there may be another attempt, as all of the request is here."""

    @abstractmethod
    def _try_again(self, failure: LegFailure) -> None:
        """The attempt failed, and there may be another one."""

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
            self._handler.opened()
        if self._owes_writable:
            self._repay_writable()

    def head(self, head: bytes, body_bytes: int) -> None:
        if self._given_up is None:
            self._handler.head(self._answer_began(head), body_bytes)

    def _answer_began(self, head: bytes) -> bytes:
        """``head`` is passed on: nothing is sent again. As its client must see it."""
        self._note_spill()
        if self._in_hand:
            self._forget_sent()
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
        service, record = self._service, self.record
        now = service.now()
        if held_s is not None:
            if self._owes_writable or self._wait is not None or self._given_up is not None:
                self.opened(held_s)
            else:  # As `opened`, but for what ends with this.
                held_at = now - held_s
                if held_at < record.begun_at:
                    held_at = record.begun_at
                record.held_at = held_at
                self._told_opened = True
                asked_at, site = self._asked_at, record.site
                if asked_at is not None and site is not None:
                    service.remotes.note_round_trip(site, held_at - asked_at)
        if self._given_up is not None:
            self.done(None)
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
        was_simple = self._wait is None and self._again is None and self.tries is None
        self._end(None, now)
        self._handler.whole(head, body_bytes, body)
        self.is_reusable = was_simple
        room = service.room
        if room.line:
            room.reconsider()

    def trailers(self, block: bytes) -> None:
        self._handler.trailers(block)

    def done(self, failure: LegFailure | None) -> None:
        self._attempt_ended(failure)
        if self._given_up is not None:
            self._finish(self._given_up)
        elif failure is not None and self._in_hand and self._may_repeat(failure):
            self._try_again(failure)
        elif not self._over:  # `_finish`, in place.
            self._end(failure, self._service.now())
            self._handler.done(failure)
        room = self._service.room
        if room.line:
            room.reconsider()

    def _attempt_ended(self, failure: LegFailure | None) -> None:
        self._leg = None
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
        if self._in_hand:
            request, kept = self.request, self._kept
            # A target of ours may say later that it has not processed it: see `LocalLeg`.
            may_return = self._local is not None and request.protocol == "http2"
            if not (request.idempotent or may_return) or (
                kept is not None and kept.size_bytes > limits.REPLAY_BYTES_MAX
            ):
                self._forget_sent()
        asked_at, site = self._asked_at, self.record.site
        if asked_at is not None and site is not None:  # `_note_answer`, in place.
            self._asked_at = None
            self._service.remotes.note_round_trip(site, now - asked_at)
        if self._wait is not None:
            self._wait.opened(now)

    def _finish(self, failure: LegFailure | None) -> None:
        if not self._over:
            self._end(failure, self._service.now())
            self._handler.done(failure)

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
        local, self._local = self._local, None
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
            target = local.target if local is not None and served_at else ""
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
