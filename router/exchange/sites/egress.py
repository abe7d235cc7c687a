"""The exchange of a request that another site sent here: admission, a target, the answer back.

An egress never sends a request on to another site: it has a slot, waits for one as long as the OPEN
allows, or refuses. So two full sites cannot pass a request to and fro.
"""

from router.balance.site.fair_queue import WaitingPlace, line_of, line_within
from router.balance.site.lending import BY_OTHER_ROUTERS, Lending
from router.balance.site.slots import Denied, Slot
from router.exchange.active_exchanges import ActiveExchanges
from router.exchange.exchange import Exchange
from router.exchange.exchange_states import CHOOSING, OVER
from router.exchange.linger import Linger
from router.exchange.upload import NOT_STOPPED
from router.http.http1.canonical import STATUS_AT, check_trailers
from router.link.ports import OfferedStream, Refusal, ResetCode
from router.model import limits
from router.model.ids import SiteId
from router.model.requests import Request
from router.net.ports import Buffer
from router.service.ports import OVERLOADED, LegCode, LegFailure
from router.service.service import Service
from router.service.sites.answer_timing import IN_PARTS_AGAIN

_REFUSALS: dict[LegCode, Refusal] = {
    "busy": "busy",
    "all-full": "busy",
    "overloaded": "busy",
    "exhausted": "busy",
    "no-target": "no-target",
    "connect-failed": "connect-failed",
    "draining": "draining",
    "not-allowed": "not-allowed",
    "no-route": "no-route",
}

_RESETS: dict[LegCode, ResetCode] = {
    "target-reset": "target-reset",
    "client-gone": "target-reset",
    "target-timeout": "target-timeout",
    "bad-response": "bad-response",
    "cancelled": "cancelled",
    "stalled": "stalled",
}

UNTOLD = SiteId("")
SWITCHING_PROTOCOLS = b"101"


class EgressExchange(Exchange):
    """A `Waiter` for a slot, and the `StreamLeg` of ``stream``, to which it writes its answer.

    It begins in the constructor. The request body must have the length declared in the OPEN;
    otherwise nothing more reaches the target and the stream is reset ``bad-message``.

    It sends ACCEPTED once a target is held, or with the answer where the answer is expected at once
    and whole. A stream of http ends when the slot is given back, with the count without it; one of
    tcp with the target's own end. The exchange leaves ``exchanges`` when the stream is gone and the
    target has all of its data. A neighbor may take the rest of an answer as slowly as it likes, but
    a stream on which nothing moves for the time-out of a tunnel is then reset.
    """

    __slots__ = (
        "_accepted",
        "_answer_timing",
        "_brought_by",
        "_exchanges",
        "_is_raw",
        "_linger",
        "_stream",
        "_stream_lost",
        "is_sheddable",
        "session",
    )

    _FROM_CLIENT = False

    def __init__(
        self,
        stream: OfferedStream,
        request: Request,
        service: Service,
        exchanges: ActiveExchanges,
        ingress: SiteId,
        wait_ms: int,
        brought_by: SiteId,
    ) -> None:
        """``ingress``, ``wait_ms`` and ``brought_by`` as in `BroughtRequest`."""
        Exchange.__init__(self, request, service, ingress)
        self._stream = stream
        self.session = request.session
        """As in `Waiter`, like `is_sheddable`."""
        rule = service.sheddable
        self.is_sheddable = rule is not None and rule.covers(request.head)
        self._brought_by = brought_by
        self._accepted = False
        self._stream_lost = False
        self._linger: Linger | None = None  # While either outlives the other.
        self._is_raw = request.protocol == "tcp"  # Or after 101: no longer a message.
        upload = self._upload
        # None: more follows the head, so ACCEPTED is needed first.
        self._answer_timing = service.answer_timing if upload is None else None
        self._exchanges = exchanges
        exchanges.egress[self] = None
        stream.lead_to(self)  # First: the stream's end must also end this, in any case.
        if exchanges.on_activity is not None:
            exchanges.on_activity()
        wait_until = None
        if wait_ms > 0:
            wait_s = min(wait_ms / 1000, limits.OPEN_WAIT_S_MAX)
            wait_until = service.timers.now() + wait_s
        if service.ledger.rated:
            now = service.timers.now()
            service.ledger.ask(now)
            if ingress == service.site:
                service.ledger.hand(now)
        slot = service.admission.admit(self, wait_until)
        if type(slot) is Slot:
            self.granted(slot)
        elif isinstance(slot, Denied):
            self._refuse("no-target" if slot is Denied.NO_TARGET else "busy")
        if upload is not None and stream.is_complete and self._state is not OVER:
            self.finish()

    @property
    def service(self) -> Service:
        return self._service

    # Waiter

    @property
    def line(self) -> WaitingPlace:
        service, link, ingress = self._service, self._stream.neighbour_site, self.ingress
        if link != service.site or ingress == link:
            holder = self._stream.neighbour_holder if link != service.site else ""
            return line_of(link, ingress, service.branch_to, holder)
        brought_by = self._brought_by or BY_OTHER_ROUTERS
        return line_within(brought_by, ingress, service.branch_to(link, ingress))

    def borrows(self, lending: Lending) -> None:
        """From now on count the slot that it holds for its neighbor."""
        if self._slot is not None:
            self._slot.lend(lending, self.line.link)

    def granted(self, slot: Slot) -> None:
        service = self._service
        service.demand.brought += 1
        service.ledger.lent += 1
        if self._begin_here(slot):
            self.opened()

    def expired(self) -> None:
        self._refuse("busy")

    displaced = expired

    # Called by this site.

    def dismiss(self) -> None:
        """The site drains, or the service is removed: a request that only waits is refused."""
        if self._leave_queue():
            self._refuse("draining")

    def stop(self) -> None:
        """Reset the exchange."""
        if not self._leave_queue():
            self.abort()
        self._stream.reset("internal")

    def relieve(self) -> None:
        """Memory is short: a waiting request should go to another site."""
        if self._leave_queue():
            self._refuse("busy")
        elif self.has_target:
            self._forget_sent()
        else:
            self.give_up(OVERLOADED)

    # Called by its stream: `StreamLeg`.

    def send_trailers(self, block: bytes) -> None:
        if self.request.protocol == "tcp" or not check_trailers(block):
            self._misused()
        else:
            Exchange.send_trailers(self, block)

    def finish(self) -> None:
        upload = self._upload
        if upload is None or self._state is OVER:
            return  # Complete with its head, or its data is dropped.
        if upload.body_left:
            self._misused()
            return
        Exchange.finish(self)
        if self._state is CHOOSING and self.is_gone():
            self._leave_queue()
            self._stream.reset("cancelled")

    def _misused(self) -> None:
        if not self._leave_queue():
            self.abort()
        service = self._service
        service.refused_messages.note(
            "request-refused-here", service.key, self._stream.neighbour_site, self.ingress
        )
        self._stream.reset("bad-message")

    def lost(self, cause: ResetCode | None) -> None:
        self._stream_lost = True
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        if self._state is OVER or self._leave_queue():
            self._exchanges.egress_finished(self)
        elif cause is not None:
            self.abort()
            self._exchanges.egress_finished(self)
        else:  # Bytes that the target has not taken yet still go there.
            service = self._service
            self._linger = Linger(
                service.timers,
                service.config.timeouts.half_closed_s,
                lambda: self.undelivered_bytes,
                self.abort,
            )

    # LegHandler

    def opened(self) -> None:
        self._hold()
        if not self._accepted:
            self._accepted = True
            timing = self._answer_timing
            if timing is not None and not timing.in_parts:
                self._stream.accept_soon(self._came_in_parts)
            else:
                if timing is not None:
                    timing.in_parts -= 1
                self._stream.accept(self._service.ledger.load)
        if self._upload is not None and self._upload.stopped is not NOT_STOPPED:
            self._let_go_on()

    def _came_in_parts(self) -> int:
        assert self._answer_timing is not None, "ACCEPTED was held back"
        self._answer_timing.in_parts = IN_PARTS_AGAIN
        return self._service.ledger.load

    def head(self, head: bytes, body_bytes: int) -> None:
        self._answer_began()
        if head[STATUS_AT] == SWITCHING_PROTOCOLS:
            self._is_raw = True
            if self._upload is not None:
                self._upload.goes_on()
        self._stream.send_head(head, body_bytes)

    def received(self, data: memoryview) -> None:
        if not self._stream.send(data):
            self.pause()

    def trailers(self, block: bytes) -> None:
        self._stream.send_trailers(block)

    def ended(self) -> None:
        if self._is_raw:
            self._stream.finish()

    def whole(self, head: bytes, body_bytes: int, body: Buffer) -> None:
        slot, ledger = self._slot, self._service.ledger
        assert slot is not None, "it is served here"
        if self._upload is not None or self._timing is not None:
            self._answer_began()
        self._give_back(slot, is_complete=True)
        self._state = OVER
        ledger.lent -= 1
        if self._stream_lost:
            self._outlived()
            return
        if self._stream.answer(head, body_bytes, body, ledger):
            self._exchanges.egress_finished(self)
        else:
            self._let_stream_end()

    # Exchange

    def _attempt_over(self, failure: LegFailure | None) -> None:
        self._state = OVER
        ledger, stream = self._service.ledger, self._stream
        ledger.lent -= 1
        if self._upload is not None and self._upload.in_hand:
            self._upload.forget()
        if self._stream_lost:
            self._outlived()
            return
        if failure is None:
            if not self._is_raw:
                stream.finish(ledger)
            self._let_stream_end()
            return
        code = failure.code if self._given_up is None else self._given_up.code
        refusal = None if self._accepted else _REFUSALS.get(code)
        if refusal is not None:
            stream.refuse(refusal, ledger.load)
        elif self._is_raw:
            stream.reset(_RESETS.get(code, "internal"))
        else:
            stream.break_off(_RESETS.get(code, "internal"))
            self._let_stream_end()

    def _tell_writable(self) -> None:
        self._stream.resume()

    # Steps

    def _refuse(self, reason: Refusal) -> None:
        self._state = OVER
        self._forget_sent()
        self._stream.refuse(reason, self._service.ledger.load)

    def _leave_queue(self) -> bool:
        """Stop waiting for a slot; False: it did not wait."""
        if self._state is not CHOOSING:
            return False
        self._state = OVER
        self._service.admission.leave(self)
        self._forget_sent()
        return True

    def _let_stream_end(self) -> None:
        """Drop the rest of the request, and let the rest of the answer be sent."""
        service, stream = self._service, self._stream
        stream.resume()
        self._linger = Linger(
            service.timers,
            service.config.timeouts.tunnel_s,
            lambda: stream.queued_bytes,
            lambda: stream.reset("stalled"),
            at_first=stream.queued_bytes,
        )

    def _outlived(self) -> None:
        """The stream was gone before."""
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
            self._exchanges.egress_finished(self)
