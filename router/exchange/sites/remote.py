"""A leg over a stream to another site's targets: data from the link is checked here."""

from router.exchange.exchange_states import RemoteState
from router.exchange.sites.answer_check import NO_BODY_STATUS, AnswerCheck
from router.exchange.sites.remote_attempt import RemoteAttempt
from router.exchange.sites.reset_causes import FAILURES
from router.exchange.upload import LENGTH_NOT_KNOWN
from router.http.http1.canonical import check_trailers
from router.link.ports import Refusal, ResetCode
from router.service.ports import CLIENT_GONE, LegFailure

# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
_ASKED = RemoteState.ASKED
_STANDING = RemoteState.STANDING
_HELD = RemoteState.HELD
_ANSWERING = RemoteState.ANSWERING
_RAW = RemoteState.RAW
_RAW_SERVED = RemoteState.RAW_SERVED
_GIVEN_UP = RemoteState.GIVEN_UP
_OVER = RemoteState.OVER


class RemoteLeg(RemoteAttempt):
    """An attempt elsewhere that receives the answer of the site.

    For http a response must be canonical, and its body as long as its head declares; otherwise the
    stream is reset and the failure is ``bad-answer``. An http leg is done with its response. If the
    response came before the end of the request, the stream is reset, so that the rest is not read.
    """

    __slots__ = ("_check",)

    _check: AnswerCheck
    """With http, once it has a target."""

    # StreamHandler: after we have reset the stream only `lost` comes.

    def accepted(self, in_flight: int) -> None:
        stream = self._stream
        assert stream is not None, "it was accepted"
        egress, during, now = self._egress, self._during, self._service.now()
        held_at = self._let_in(now - stream.held_s)
        egress.hear(in_flight, now)
        if self._request.protocol != "tcp":
            self.state = _HELD
            self._check = AnswerCheck(self._request)
        else:
            self.state = _RAW
            if during is not None and during.is_woken:
                egress.ejections.answered(egress.site, during, now)
        self._handler.opened(held_at)
        queue = self._service.queue
        if queue.line:  # There may be more room than was known.
            queue.reconsider()

    def refused(self, reason: Refusal, in_flight: int) -> None:
        egress, service = self._egress, self._service
        now = service.now()
        is_busy = reason == "busy"
        if is_busy and self.state is _ASKED:
            service.remotes.note_round_trip(egress.site, now - self._begun_at)
        self._wait_no_more()
        if is_busy:
            rule = service.sheddable
            if rule is not None and rule.covers(self._request.head):
                egress.refuse_sheddable(in_flight, now)
            else:
                egress.refuse(in_flight, now)
            egress.ejections.answered(egress.site, self._during, now, is_full=True)
        else:
            self._is_counted = False
            egress.end(in_flight, now, False)
            if reason == "connect-failed":
                self._blame("connect")
        self._done(LegFailure(reason))

    def head(self, head: bytes, body_bytes: int, ended: bool) -> None:
        if self.state is not _HELD:
            self._broken("a response head where none may be")
            return
        status = self._service.heads.status_of(head)
        after = self._check.head(status, len(head), body_bytes)
        if isinstance(after, str):
            self._broken(after)
            return
        self.state = after
        if after is not _HELD:
            self._egress.answers += 1
        if self._during is not None:
            self._egress.ejections.answered(self._egress.site, self._during, self._service.now())
        self._handler.head(head, body_bytes)

    def received(self, data: memoryview) -> bool:
        state = self.state
        if state is _ANSWERING:
            if not self._check.takes(len(data)):
                self._broken("body longer than its head says")
                return True
        elif state is _RAW:
            self._goes_raw()
        elif state is not _RAW_SERVED:
            self._broken("body before the response head")
            return True
        self._handler.received(data)
        return True  # Its caller pauses it.

    def _goes_raw(self) -> None:
        """The first raw bytes came. Nothing is left to check: the stream passes the next ones
        directly to the client.
        """
        self.state = _RAW_SERVED
        if self._egress.ejections.suspects:
            self._praise()
        if self._stream is not None:
            self._stream.hand_to(self._handler.received)

    def trailers(self, block: bytes) -> None:
        if self.state is not _ANSWERING or not check_trailers(block):
            self._broken("trailers are not canonical")
            return
        self._handler.trailers(block)

    def ended(self, in_flight: int) -> None:
        state = self.state
        is_raw = state is _RAW or state is _RAW_SERVED
        is_whole = is_raw or (state is _ANSWERING and self._check.may_end)
        if in_flight >= 0:
            self._is_counted = False
            self._egress.end(in_flight, self._service.now(), is_whole)
        if not is_whole:
            self._broken("response shorter than its head says")
            return
        if self._egress.ejections.suspects and state is not _RAW_SERVED:
            self._praise()
        self._handler.ended()
        stream = self._stream
        if self.state is _ANSWERING:
            self._done(None)
            if not self._finished and stream is not None:
                stream.reset("cancelled")

    def answered(self, head: bytes, body_bytes: int, body: memoryview, in_flight: int) -> None:
        stream, state, service = self._stream, self.state, self._service
        now = service.now()
        assert stream is not None, "it was answered"
        held_at = None
        if state is _ASKED or state is _STANDING:
            held_at = self._let_in(now - stream.held_s)
        # As `head`, `received` and `ended`, for a final response.
        fault = ""
        status = service.heads.status_of(head)
        if (
            status is None
            or status < 200
            or (held_at is None and state is not _HELD)
            or body_bytes < LENGTH_NOT_KNOWN
            or self._request.protocol == "tcp"
        ):
            fault = "response head is not canonical"
        else:
            bodiless = self._request.head_only or status in NO_BODY_STATUS
            if len(body) != (0 if bodiless else body_bytes) and (bodiless or body_bytes >= 0):
                fault = "response longer or shorter than its head says"
        egress, during = self._egress, self._during
        self._is_counted = False
        egress.answers += 1
        egress.end(in_flight, now, not fault)
        if fault:
            if held_at is not None:
                self.state = _HELD
                self._handler.opened(held_at)
            self._broken(fault)
            return
        if during is not None:
            self._praise()
            self._during = None
            during.end(now)
        elif egress.ejections.suspects:
            self._praise()
        self.state = _OVER
        service.demand.elsewhere[self._sent_for] -= 1
        if not self._finished and self._request.upgrade:
            self.finish()  # The upgrade was not granted: the request is complete.
        self._handler.whole(head, body_bytes, body, held_at)
        if not self._finished:
            stream.reset("cancelled")

    def writable(self) -> None:
        if self.state is not _OVER:
            self._handler.writable()

    def lost(self, cause: ResetCode | None) -> None:
        self._stream = None
        egress, state = self._egress, self.state
        if state is _ASKED or state is _STANDING:
            self._wait_no_more()
        is_news = state is not _OVER and state is not _GIVEN_UP
        if cause is not None and is_news:
            self._reset_there(cause)
        if self._during is not None:
            self._during.end(self._service.now())
        if self._is_counted:
            self._is_counted = False
            egress.end()
        if state is _GIVEN_UP:
            self._done(LegFailure("cancelled"))
        elif not is_news:
            return
        elif cause == "target-reset" and state is _RAW_SERVED and self._is_left():
            self._done(CLIENT_GONE)
        elif cause is not None:
            self._done(LegFailure(FAILURES[cause], f"reset by the other site: {cause}"))
        elif state is _RAW or state is _RAW_SERVED:
            self._done(None)
        else:  # A clean end without a response is no answer.
            self._done(LegFailure("bad-answer", "the stream ended before the response"))

    def _is_left(self) -> bool:
        """The client has ended: `TcpTargetLeg` explains a target's reset after that."""
        return self._finished and self._request.protocol == "tcp"

    def _broken(self, reason: str) -> None:
        self._blame("malformed")
        stream = self._stream
        self._done(LegFailure("bad-answer", reason))
        if stream is not None:
            stream.reset("bad-message")
