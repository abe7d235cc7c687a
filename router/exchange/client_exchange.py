"""The exchange of a client's request, and its reports to the client and to this router.

Selected site → attempt (at a target here, or a `RemoteLeg`: `client_attempts`) → done, or another
attempt with the request still in hand (`exchange`). `attempts` decides whether and when there is
another one. Objects that only some requests need are created on demand: `Attempts` when the first
attempt is not enough, `Replay` for a body.
"""

from functools import partial

from router.balance.deciding.decisions import PLAIN, Asked, Decision
from router.exchange import account
from router.exchange.attempts import NEVER_TAKEN, TOO_LATE
from router.exchange.client_attempts import ClientAttempts
from router.exchange.exchange import Exchange
from router.exchange.exchange_states import OVER
from router.exchange.sites.remote import RemoteLeg
from router.exchange.upload import NOT_STOPPED
from router.http.http1.canonical import STATUS_CLASS_AT
from router.http.http2 import grpc_status
from router.model.port_reading import SERVED_NOWHERE
from router.model.requests import Request
from router.net.ports import Buffer
from router.service.counters import (
    CLASS_OF_DIGIT,
    FAILED,
    HTTP_CLASSES,
    CallerCounts,
    CodeClass,
)
from router.service.histograms import bucket_of
from router.service.observers import Watch
from router.service.ports import CLIENT_GONE, OVERLOADED, LegFailure, LegHandler
from router.service.recent_requests import UNANSWERED, RequestRecord
from router.service.service import Service


class ClientExchange(ClientAttempts):
    """A `ClientLeg` for a session. It begins in the constructor.

    `done` of its caller is never called from within a call of the caller to it: attempts fail later
    by contract, and own refusals are reported at the turn's end.
    """

    __slots__ = ("_caller", "_watch", "ended", "received")

    def __init__(
        self,
        request: Request,
        caller: LegHandler,
        service: Service,
        watch: Watch | None,
        origin: CallerCounts | None,
    ) -> None:
        now = service.now()
        Exchange.__init__(self, request, service, service.site)
        self._caller = caller
        self._watch = watch
        code_class: CodeClass = "ok" if request.protocol == "tcp" else UNANSWERED
        self.record = record = RequestRecord(now, request.session, code_class, origin)
        self._attempts = None
        self._told_opened = False
        self.asked = PLAIN
        rule = service.sheddable
        if rule is not None or request.session or request.preferred is not None:
            is_sheddable = rule is not None and rule.covers(request.head)
            self.asked = Asked(request.preferred, request.session, is_sheddable)
        # Hot: calls that need no work here go straight through.
        self.received = caller.received
        self.ended = caller.ended
        pressure = service.pressure
        # Begin.
        service.recent_requests.begun(record)
        service.counters.unfinished += 1
        if pressure.is_refusing:
            pressure.refused_total += 1
            self.fail(OVERLOADED)
            return
        service.retries.requests += 1
        if service.ledger.rated:
            service.ledger.ask(now)
        choice = service.balancer.select(now, asked=self.asked)
        if type(choice) is not Decision:
            self._more(0).go_on(now)
            return
        service.counters.chosen += 1
        if not self.begin(choice, now):
            attempts = self._more()
            attempts.note_unbegun(choice)
            attempts.go_on(now)

    # Called by the session: `ClientLeg`.

    def finish(self) -> None:
        if self._state is OVER:
            return
        leg, attempts, upload = self._leg, self._attempts, self._upload
        if upload is not None and upload.finished_at is None:
            upload.finished_at = self._service.now()
        wait = attempts.wait if attempts is not None else None
        waits = (leg is None and self._dial is None) or (wait is not None and wait.is_near)
        if waits and self.is_gone():
            self.client_gone()
        elif leg is not None:
            Exchange.finish(self)

    @property
    def complete_at(self) -> float | None:
        """When all of the request had come; None: more will follow."""
        upload = self._upload
        if upload is None or not self.request.body_bytes:
            return self.record.started_at
        return upload.finished_at

    def client_gone(self) -> None:
        self.give_up(CLIENT_GONE)

    def overdue(self) -> LegFailure:
        is_untaken = isinstance(self._leg, RemoteLeg) and not self.has_target
        failure = NEVER_TAKEN if is_untaken else TOO_LATE
        self.give_up(failure)
        return failure

    def relieve(self) -> None:
        """Memory is short: drop the stored data, or give up the request."""
        if self.has_target:
            self._forget_sent()
        else:
            self.give_up(OVERLOADED)

    def give_up(self, failure: LegFailure) -> None:
        """Try no more: `done` with ``failure`` follows once the attempt under way is over."""
        if self._state is OVER or self._given_up is not None:
            return
        self._given_up = failure
        if isinstance(self._leg, RemoteLeg) and self._is_overdue():
            self._leg.overdue()
        if self._stop_attempt():
            return
        if self._attempts is not None:
            self._attempts.leave()
        self.fail(failure)

    def fail(self, failure: LegFailure) -> None:
        """The request is over, at the end of the turn."""
        self._service.timers.at_turn_end(partial(self._finish, failure))

    # Attempts

    def _attempt_over(self, failure: LegFailure | None) -> None:
        if self._attempts is not None:
            is_busy = failure is not None and failure.code == "busy"
            self._attempts.ended(self._service.now(), is_busy=is_busy)
        if self._given_up is not None:
            self._finish(self._given_up)
        elif failure is not None and self._in_hand and self._may_repeat(failure):
            self._repeat(failure)
        else:
            self._finish(failure)
        queue = self._service.queue
        if queue.line:
            queue.reconsider()

    # Called by an attempt: `RemoteHandler`.

    def opened(self, held_at: float | None = None) -> None:
        self._opens(held_at)
        if self._given_up is None and self.request.protocol != "tcp":
            self._note_spill(is_pending=True)

    def _opens(self, held_at: float | None) -> None:
        now = self._service.now() if held_at is None else held_at
        self._hold()
        self.record.held_at = now
        if self._attempts is not None:
            self._attempts.opened(now)
        if self._given_up is not None:
            return
        if not self._told_opened:
            self._told_opened = True
            if self.request.protocol == "tcp":
                self._note_spill()
                if self.request.session:
                    self._note_session(b"")
            self._caller.opened()
        if self._upload is not None and self._upload.stopped is not NOT_STOPPED:
            self._let_go_on()

    def head(self, head: bytes, body_bytes: int) -> None:
        if self._given_up is not None:
            return
        self._answer_began()
        self._note_spill()
        if self._attempts is not None:
            self._attempts.answer_began()
        self._caller.head(self._for_client(head), body_bytes)

    def whole(
        self, head: bytes, body_bytes: int, body: Buffer, held_at: float | None = None
    ) -> None:
        """With ``held_at`` it also replaces `opened`: a caller that has sent everything with the
        head does not need that call.
        """
        service, record, slot = self._service, self.record, self._slot
        now = service.now()
        if slot is not None:
            if self._timing is not None and self._leg is not None:
                self._timing.answered(self._leg.status)
            self._give_back(slot, is_complete=True)
        elif held_at is not None:
            if self._upload is not None or self._attempts is not None:
                self._opens(held_at)
            else:
                record.held_at = held_at
                self._told_opened = True
        if self._given_up is not None:
            self._attempt_over(None)
            return
        # As in `_answer_began`.
        if self._upload is not None:
            self._upload.forget()
        record.code_class = CLASS_OF_DIGIT[head[STATUS_CLASS_AT]]
        if self.request.protocol == "http2" and grpc_status.FIELD in head:
            self._note_grpc(head)
        if self.request.session:
            head = self._note_session(head)
        if self._attempts is not None:
            self._attempts.ended(now, is_busy=False)
            head = self._with_held(head)
        self._end(None, now)
        self._caller.whole(head, body_bytes, body)
        queue = service.queue
        if queue.line:
            queue.reconsider()

    def trailers(self, block: bytes) -> None:
        if self.request.protocol == "http2":
            self._note_grpc(block)
        self._caller.trailers(block)

    def _tell_writable(self) -> None:
        self._caller.writable()

    def _note_spill(self, *, is_pending: bool = False) -> None:
        """If another site has the request, count it now: its answer may take long, or last.

        ``is_pending``: the answer has not begun.
        """
        service, record = self._service, self.record
        site, grounds = record.site, record.grounds
        if site is None or site == service.site:
            return
        if record.is_pending:
            account.give_back(record, service)
        if record.spill is None:
            record.spill = spill = site, grounds.spill_reason, grounds.overflow_reason
            record.is_pending = is_pending
            counters = service.counters
            (counters.spill_pends if is_pending else counters.spill_begins)(spill)

    def _for_client(self, head: bytes) -> bytes:
        """``head`` as its client must see it, about to be passed on."""
        self.record.code_class = CLASS_OF_DIGIT[head[STATUS_CLASS_AT]]
        if self.request.protocol == "http2" and grpc_status.FIELD in head:
            self._note_grpc(head)
        if self.request.session:
            head = self._note_session(head)
        return head if self._attempts is None else self._with_held(head)

    def _with_held(self, head: bytes) -> bytes:
        """``head`` with the time that the request was held for a site that was woken."""
        record = self.record
        held_s = record.waited_s - self._service.config.queue_wait_s
        if not record.held_by or held_s <= 0:
            return head
        return head + b"Spillway-Held: %.1f\r\n" % held_s

    def _note_grpc(self, block: bytes) -> None:
        """A head or trailers may have a gRPC status: it is the answer's, not that of HTTP."""
        status = grpc_status.http_status(block)
        if status:
            self.record.code_class = HTTP_CLASSES[status // 100 - 1]

    def _note_session(self, head: bytes) -> bytes:
        """``head`` as the session's client must see it, now that the serving site is known."""
        service, site = self._service, self.record.site
        sessions = service.sessions
        if sessions is None or site is None:  # The affinity was removed meanwhile.
            return head
        return sessions.answered(self.request, site, head, service.now())

    # The end

    def _finish(self, failure: LegFailure | None) -> None:
        if self._state is not OVER:
            self._end(failure, self._service.now())
            self._caller.done(failure)

    def _end(self, failure: LegFailure | None, now: float) -> None:
        """Count and report the request: once, here and nowhere else. The figures that all requests
        have are counted at the end of the turn.

        The caller is notified next.
        """
        service, record = self._service, self.record
        counters, site = service.counters, record.site
        if not self._told_opened or (failure is not None and not self._is_of_attempt(failure)):
            record.site = site = None
        self._state = OVER
        self._leg = None
        if self._attempts is not None:
            self._attempts.over()
            self._attempts = None
        if self._upload is not None and self._upload.in_hand:
            self._upload.forget()
        if site is not None and site != service.site and record.spill is None:
            grounds = record.grounds
            counters.spilled[site, grounds.spill_reason, grounds.overflow_reason] += 1
        record.outcome = "ok"
        record.total_s = now - record.started_at
        if failure is not None or record.spill is not None or record.waited_since is not None:
            account.close(record, service, self.request, failure, now)
        code_class = record.code_class
        if code_class in FAILED and (failure is None or not failure.untouched):
            service.recent_requests.failed(record)
        if record.held_by:
            account.note_held(record, service, failure)
        if not counters.ended:
            service.timers.at_turn_end(service.count_ended)
        counters.unfinished -= 1
        counters.ended[site or SERVED_NOWHERE, code_class].append(record.times(now))
        origin = record.origin
        if origin is not None:
            record.origin = None
            failed = failure is not None or code_class == "5xx"
            if failed and site is not None and record.outcome == "client-gone":
                failed = self.request.protocol != "tcp"  # Its client may have had all it wanted.
            origin.count(service.key, site or SERVED_NOWHERE, failed, bucket_of(record.total_s))
        if self._watch is not None:
            watch, self._watch = self._watch, None
            target = "" if site is None else self._target
            watch.counted(account.passage(record, service, failure, target, now))
