"""A stream of another site that ends here: admission, a target of this site, the answer back.

An egress never sends a request on to another site: it has a slot, waits for one as long as the
OPEN allows, or refuses. So two full sites cannot pass a request to and fro.
"""

from typing import TYPE_CHECKING

from router.balance.ledger import Denied, Slot
from router.balance.waiting_room import WaitingPlace, line_of
from router.forward.egress_answer import EgressAnswer
from router.forward.http1.canonical import check_trailers
from router.forward.local import SlotLeg
from router.forward.ports import Request
from router.forward.replay import Replay
from router.forward.service import Service
from router.link.ports import Refusal, ResetCode, Stream
from router.model import limits
from router.model.ids import SiteId
from router.net.ports import Timer

if TYPE_CHECKING:
    from router.forward.under_way import UnderWay

LENGTH_NOT_KNOWN = -1


class EgressStream:
    """The stream's side: a `StreamHandler` that feeds the leg, and a `Waiter` for a slot.

    What arrives before there is a slot is held, bounded by the stream's window. The request body
    must be as long as the OPEN says; otherwise nothing more reaches the target and the stream is
    reset ``bad-message``. ``under_way`` is told once, when the stream is gone.
    """

    __slots__ = (
        "_answer",
        "_body_left",
        "_held",
        "_ingress",
        "_is_whole",
        "_leg",
        "_request",
        "_service",
        "_stream",
        "_timer",
        "_under_way",
        "_waiting",
        "session",
    )

    def __init__(
        self,
        stream: Stream,
        request: Request,
        service: Service,
        under_way: "UnderWay",
        ingress: SiteId,
        wait_ms: int,
    ) -> None:
        """It begins as it is made: takes a slot, or waits for one, or refuses. ``ingress`` and
        ``wait_ms`` as in `OpenRequest`."""
        self._stream = stream
        self._request = request
        self.session = request.session
        """Of `Waiter`."""
        self._service = service
        self._ingress = ingress
        self._held: Replay | None = None  # While there is no leg.
        self._leg: SlotLeg | None = None
        self._waiting = False
        self._timer: Timer | None = None
        self._body_left = request.body_bytes
        is_http = request.protocol != "tcp"
        # It has no body to wait for, and its leg knows.
        self._is_whole = is_whole = is_http and not request.body_bytes and not request.upgrade
        self._under_way = under_way
        under_way.egress.add(self)
        if under_way.stirred is not None:
            under_way.stirred()
        habit = service.answer_habit if is_whole else None
        self._answer = answer = EgressAnswer(stream, service.ledger, habit, not is_http)
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
        if type(slot) is Slot:  # The commonest: `_serve`, in place, with nothing held.
            service.demand.brought += 1
            service.ledger.lent += 1
            leg = service.make_leg(request, answer, slot, service.local, False)
            self._leg = answer.leg = leg
            if leg.is_opened:
                answer.opened()
        elif slot is None:
            self._waiting = True
            self._held = Replay(service.pressure, self)
        elif isinstance(slot, Denied):
            self._refuse("no-target" if slot is Denied.NO_TARGET else "busy")

    @property
    def ingress(self) -> SiteId:
        """The site whose client it is."""
        return self._ingress

    @property
    def service(self) -> Service:
        return self._service

    # Waiter

    @property
    def line(self) -> WaitingPlace:
        return line_of(self._stream.neighbour_site, self._ingress, self._service.branch_to)

    def granted(self, slot: Slot) -> None:
        self._waiting = False
        self._serve(slot)

    def expired(self) -> None:
        self._waiting = False
        self._refuse("busy")

    displaced = expired

    def dismiss(self) -> None:
        """The site drains, or the service goes: who only waits is refused."""
        if self._leave_queue():
            self._refuse("draining")

    def abort(self) -> None:
        """The site stops: reset what is under way."""
        if not self._leave_queue() and self._leg is not None:
            self._leg.abort()
        self._stream.reset("internal")

    # StreamHandler

    def accepted(self, in_flight: int) -> None:
        self._misused()

    def refused(self, reason: Refusal, in_flight: int) -> None:
        self._misused()

    def head(self, head: bytes, body_bytes: int, ended: bool) -> None:
        self._misused()

    def received(self, data: memoryview) -> None:
        left = self._body_left
        if left != LENGTH_NOT_KNOWN and not self._answer.raw:
            left -= len(data)
            if left < 0:
                self._misused()
                return
            self._body_left = left
        if self._leg is not None:
            if not self._leg.send(data):
                self._stream.pause()
        elif self._held is not None:
            self._held.add(data)
            if self._held.size_bytes >= limits.REPLAY_BYTES_MAX:
                self._stream.pause()

    def trailers(self, block: bytes) -> None:
        if self._request.protocol == "tcp" or not check_trailers(block):
            self._misused()
        elif self._leg is not None:
            self._leg.send_trailers(block)
        elif self._held is not None:
            self._held.add_trailers(block)

    def ended(self, in_flight: int) -> None:
        if self._is_whole:
            return
        if self._body_left > 0 and not self._answer.raw:
            self._misused()
        elif self._leg is not None:
            self._leg.finish()
        elif self._held is not None:
            self._held.finish()
            if self._request.protocol == "tcp" and self._held.finished_empty:
                self._leave_queue()  # A client that sent nothing and went.
                self._stream.reset("cancelled")

    def answered(self, head: bytes, body_bytes: int, body: memoryview, in_flight: int) -> None:
        self._misused()

    def writable(self) -> None:
        if self._leg is not None:
            self._leg.resume()

    def lost(self, cause: ResetCode | None) -> None:
        answer, leg = self._answer, self._leg
        answer.stream_lost = True
        if self._held is not None:
            self._forget_held()
        if answer.over or self._leave_queue() or leg is None:
            under_way = self._under_way  # `egress_finished`, in place: nearly all end here.
            under_way.egress.discard(self)
            if under_way.is_draining:
                under_way.check_drained()
        elif cause is not None:
            leg.abort()
            self._under_way.egress_finished(self)
        else:
            # Both ends finished; what the target has not taken yet still goes there.
            timers = self._service.timers
            self._timer = timers.call_at(
                timers.now() + self._service.config.timeouts.half_closed_s, leg.abort
            )
            self._answer.outlived = self._delivered

    def _delivered(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._under_way.egress_finished(self)

    def _serve(self, slot: Slot) -> None:
        held, self._held = self._held, None
        service = self._service
        service.demand.brought += 1
        service.ledger.lent += 1
        leg = service.make_leg(self._request, self._answer, slot, service.local, False)
        self._leg = self._answer.leg = leg
        if leg.is_opened:
            self._answer.opened()
        if held is not None:
            if held.play(leg):
                self._stream.resume()
            else:
                self._stream.pause()
            held.drop()

    def _refuse(self, reason: Refusal) -> None:
        self._forget_held()
        self._stream.refuse(reason, self._service.ledger.load)

    def relieve(self) -> None:
        """Memory is short: who waits had better go to another site."""
        if self._leave_queue():
            self._refuse("busy")

    def _forget_held(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.drop()

    def _leave_queue(self) -> bool:
        if not self._waiting:
            return False
        self._waiting = False
        self._service.admission.leave(self)
        return True

    def _misused(self) -> None:
        """The stream brought what it must not."""
        self._forget_held()
        if not self._leave_queue() and self._leg is not None and not self._answer.over:
            self._leg.abort()
        service = self._service
        service.refused_messages.note(
            "request-refused-here", service.key, self._stream.neighbour_site, self._ingress
        )
        self._stream.reset("bad-message")
