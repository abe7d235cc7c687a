"""The life of one request, or of one tcp connection, at one site.

An `Exchange` joins its caller with one attempt after another to serve it. `ClientExchange` is for a
client's request, which may go to any site; `EgressExchange` for a request from another site, which
ends here; `trials` has one for a request that the router itself makes.

The caller's data is stored until a target is held, and afterwards as long as it may have to be sent
again. Until a target is held the caller is stopped once `limits.REPLAY_BYTES_MAX` are stored (the
last piece may exceed it). When more comes afterwards, the stored data is dropped, and a request
that is no longer all here is not sent again.

Its attempts at targets of this site, and their slot: `local_attempts`.
"""

from abc import abstractmethod

from router.exchange.exchange_states import ANSWERING, HELD, OVER
from router.exchange.local_attempts import LocalAttempts
from router.exchange.upload import NOT_STOPPED
from router.model import limits
from router.net.ports import Buffer, Connection
from router.service.ports import CANCELLED, ServerLeg


class Exchange(LocalAttempts):
    """A `Leg` for its caller, a `LegTaker` for its attempts."""

    __slots__ = ()

    @abstractmethod
    def relieve(self) -> None:
        """Memory is short: drop the stored data, or give up the request."""

    @abstractmethod
    def _tell_writable(self) -> None:
        """The caller, which was stopped, may send again."""

    # Called by the caller: `Leg`.

    def send(self, data: Buffer) -> bool:
        if self._state is OVER:
            return True
        upload, leg = self._upload, self._leg
        if upload is None or (upload.body_left is not None and not upload.counts(len(data))):
            self._misused()
            return True
        if upload.in_hand:
            data = upload.keep(data, self._service.pressure, self, self._state is HELD)
        if leg is not None and not leg.send(data):
            upload.leg_is_full()
            return False
        return not upload.in_hand or upload.takes_more(self._state is HELD)

    def send_trailers(self, block: bytes) -> None:
        upload = self._upload
        if self._state is OVER or upload is None:
            return
        if upload.in_hand:
            upload.keep_trailers(block, self._service.pressure, self)
        if self._leg is not None:
            self._leg.send_trailers(block)

    def finish(self) -> None:
        if self._state is OVER:
            return
        leg, upload = self._leg, self._upload
        if upload is not None and upload.finished_at is None:
            upload.finished_at = self._service.now()
        if leg is not None:
            if self._timing is not None:
                self._timing.complete()
            leg.finish()

    def pause(self) -> None:
        """Only within an answer, which no other attempt follows."""
        if self._leg is not None:
            self._leg.pause()

    def resume(self) -> None:
        if self._leg is not None:
            self._leg.resume()

    @property
    def wire(self) -> Connection | None:
        leg, upload = self._leg, self._upload
        return leg.wire if leg is not None and upload is not None and not upload.in_hand else None

    @property
    def undelivered_bytes(self) -> int:
        return 0 if self._leg is None else self._leg.undelivered_bytes

    def abort(self) -> None:
        self.give_up(CANCELLED)

    def _misused(self) -> None:
        """The caller sent data that it must not."""
        self.abort()

    def is_gone(self) -> bool:
        """A tcp client that finished without ever sending a byte: no client waits."""
        upload = self._upload
        if upload is None or self.request.protocol != "tcp":
            return False
        return upload.finished_at is not None and upload.is_empty

    @property
    def _in_hand(self) -> bool:
        """Everything sent is still here, so that it can be sent again."""
        upload = self._upload
        return self._state is not ANSWERING if upload is None else upload.in_hand

    # Called by an attempt: `LegTaker`.

    def writable(self) -> None:
        upload = self._upload
        if upload is not None:
            upload.leg_has_room()
            self._let_go_on()

    def _answer_began(self) -> None:
        """A head of the attempt's answer came: nothing is sent again."""
        self._state = ANSWERING
        if self._timing is not None and self._leg is not None:
            self._timing.answered(self._leg.status)
        self._forget_sent()

    # Data sent.

    def _catch_up(self, leg: ServerLeg) -> None:
        """Send a new attempt everything that was sent so far."""
        upload = self._upload
        if upload is not None:
            assert upload.in_hand, "an attempt without the request in hand"
            takes_more = upload.kept is None or upload.kept.play(leg)
            if upload.stopped is not NOT_STOPPED:
                upload.begins_again(takes_more=takes_more)
            if upload.finished_at is not None:
                Exchange.finish(self)

    def _hold(self) -> None:
        """A target is held now: keep the data sent only if it may have to be sent again.

        A target of this site may not process a stream of HTTP/2; another attempt may follow a
        failed one only if the request is idempotent, and at its ingress.
        """
        self._state = HELD
        upload = self._upload
        if upload is not None and upload.in_hand:
            request, kept = self.request, upload.kept
            may_return = self._target != "" and request.protocol == "http2"
            may_repeat = self._FROM_CLIENT and request.idempotent
            too_much = kept is not None and kept.size_bytes > limits.REPLAY_BYTES_MAX
            if too_much or not (may_return or may_repeat):
                upload.in_hand, upload.kept = False, None
                if kept is not None:
                    kept.drop()

    def _forget_sent(self) -> None:
        """From here on the request cannot be sent again."""
        if self._upload is not None:
            self._upload.forget()

    def _let_go_on(self) -> None:
        """Let the caller send on, if it was stopped and need not be any more."""
        upload = self._upload
        if upload is None or self._given_up is not None or self._state is OVER:
            return
        if upload.ceases_to_stop(self._state is HELD):
            self._tell_writable()
