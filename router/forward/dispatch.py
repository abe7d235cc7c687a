"""One request on its way to where it is served: selection, retries, waiting; one `Leg` outside.

Selected site → attempt (`LocalLeg` or `RemoteLeg`) → done, or another attempt with the request
still in hand (`sender`). The rules for another attempt (PROTOCOL, Admission and retries):

- A failure that promises that no byte reached a target: always, each site once. A site whose way
  was lost may be tried again when routes have followed (`again`).
- One that a target of this site had taken and says it did not process (HTTP/2): likewise, at most
  `limits.REPEATS_MAX` times.
- Otherwise only if the method is idempotent, nothing of a response was passed on, and all that was
  sent is still here, at most `limits.REPEATS_MAX` times.
- After a failure other than a refusal only within the service's budget (`balance.retries`);
  refusals are how requests spill, and cost nothing.
- Never past the deadline, which is one over all attempts: ``timeouts.response_s`` from when the
  request is complete, and the queue's ``queue_wait_s`` more for one that had to wait. No attempt
  begins after it; one that began after another had failed is given up at it, one that waits at a
  site which falls silent `limits.STAND_S` after the queue's deadline. Only these two have a timer
  here: a first attempt is timed by its target's leg and by the session. Giving up resets the stream
  of a remote attempt, so that its egress needs no deadline of its own. A tcp connection that need
  not wait has none: connecting is bounded by the time-outs of its attempts.
"""

from functools import partial
from math import inf

from router.balance.decisions import Decision, NoChoice, RemoteWait
from router.balance.ledger import Slot
from router.forward.account import Account
from router.forward.admission import NO_TARGETS
from router.forward.again import Again
from router.forward.counters import HTTP_CLASSES
from router.forward.local import LocalLeg
from router.forward.observing import Watch
from router.forward.past import Record
from router.forward.ports import LegFailure, LegHandler, Request
from router.forward.remote import RemoteLeg
from router.forward.sender import Sender
from router.forward.service import Service
from router.forward.target_tcp import Received
from router.forward.tries import CHARGED, Tries
from router.model import limits
from router.model.ids import SiteId
from router.net.ports import Buffer, Connection

STATUS_CLASS_AT = len(b"HTTP/1.1 ")

CANCELLED = LegFailure("cancelled")
TOO_LATE = LegFailure("target-timeout", "its time was up before an attempt had succeeded")


class Dispatch(Sender):
    """A `Leg` for a session, a `LegHandler` for its attempts, a `Waiting` for the queue.

    `done` of its handler is never called from within a call of the handler to it: attempts fail
    later by contract, and own refusals are told at the turn's end.
    """

    __slots__ = (
        "_again",
        "_asked_at",
        "_away",
        "_complete_at",
        "_deadline",
        "_local",
        "_place",
        "_service",
        "_standing",
        "_stood_half_at",
        "_told_opened",
        "_tries",
        "ended",
        "received",
    )

    def __init__(
        self,
        request: Request,
        handler: LegHandler,
        service: Service,
        watch: Watch | None = None,
    ) -> None:
        now = service.timers.now()
        account = Account(request, watch, now)
        # `super` costs a call more.
        Sender.__init__(self, request, handler, service.pressure, account)
        self._service = service
        self._local: LocalLeg | None = None
        self._tries = Tries()
        self._again: Again | None = None
        self._deadline: float | None = None  # Of waiting in the queue.
        self._away = False  # The attempt is elsewhere for want of room here: `Demand.left`.
        self._place = ""  # Of the last attempt: `Decision.place`.
        self._standing: str | None = None  # As `_place`.
        self._stood_half_at = 0.0  # A stand refused before then was not let stand.
        self._asked_at: float | None = None  # An OPEN is unanswered that may not wait.
        self._told_opened = False
        self._complete_at = now if request.body_bytes == 0 else None
        # Hot: what needs nothing of us goes straight through.
        self.received: Received = handler.received
        self.ended = handler.ended

    def start(self) -> None:
        """Once, before any other call."""
        service = self._service
        service.past.begun(self._account)
        pressure = service.pressure
        if pressure.is_refusing:
            pressure.refused_total += 1
            self._fail(LegFailure("overloaded", "this router is short of memory"))
            return
        service.retries.requests += 1
        if service.ledger.rated:
            service.ledger.ask(self._account.started_at)
        self._next(self._account.started_at)

    @property
    def record(self) -> Record:
        """What is kept of it."""
        return self._account

    @property
    def request(self) -> Request:
        """As it goes on."""
        return self._request

    @property
    def target(self) -> str:
        """Of this site, that has it now; empty: none."""
        return self._local.target if self._local is not None else ""

    # Leg

    def finish(self) -> None:
        if self._over:
            return
        if self._complete_at is None:
            self._complete_at = self._service.timers.now()
        if self._replay is not None:
            self._replay.finish()
        leg = self._leg
        if (leg is None or self._standing is not None) and self._is_gone():
            self.abort()
        elif leg is not None:
            leg.finish()

    def abort(self) -> None:
        self._give_up(CANCELLED)

    def relieve(self) -> None:
        """Memory is short: do without what was sent, or without the request."""
        if self._opened:
            self._forget_sent()
            if self._local is not None:
                self._local.relieve()
        else:
            self._give_up(LegFailure("overloaded", "this router is short of memory"))

    @property
    def wire(self) -> Connection | None:
        return self._local.wire if self._local is not None and self._replay is None else None

    # LegHandler of the attempt

    def opened(self, held_s: float = 0.0) -> None:
        now = self._service.timers.now()
        if held_s:  # The past that another site tells of is not before we asked it.
            now = max(now - held_s, self._account.begun_at)
        self._now_opened(now)
        if self._given_up is not None:
            return
        if not self._told_opened:
            self._told_opened = True
            if self._request.session and self._request.protocol == "tcp":
                self._note_session(b"")
            self._handler.opened()
        if self._owes_writable:
            self._repay_writable()

    def head(self, head: bytes, body_bytes: int) -> None:
        if self._given_up is None:
            self._handler.head(self._answer_began(head), body_bytes)

    def _answer_began(self, head: bytes) -> bytes:
        """``head`` is passed on: nothing is sent again. As its client must see it."""
        replay = self._replay
        if replay is not None:  # `_forget_sent`, in place.
            self._replay = None
            if replay.size_bytes:
                replay.drop()
        if self._again is not None:
            self._again.look_no_more()
        number = head[STATUS_CLASS_AT] - ord("1")
        self._account.code_class = HTTP_CLASSES[number % len(HTTP_CLASSES)]
        if self._request.session:
            head = self._note_session(head)
        return head

    def whole(self, head: bytes, body_bytes: int, body: Buffer) -> None:
        if self._given_up is not None:
            self.done(None)
            return
        head = self._answer_began(head)
        self._attempt_ended(None)
        self._end(None)
        self._handler.whole(head, body_bytes, body)
        self._service.room.reconsider()

    def trailers(self, block: bytes) -> None:
        self._handler.trailers(block)

    def done(self, failure: LegFailure | None) -> None:
        self._attempt_ended(failure)
        if self._given_up is not None:
            self._finish(self._given_up)
        elif (
            failure is not None
            and self._replay is not None
            and self._tries.may_repeat(failure, idempotent=self._request.idempotent)
        ):
            self._try_again(failure)
        else:
            self._finish(failure)
        self._service.room.reconsider()

    def _attempt_ended(self, failure: LegFailure | None) -> None:
        self._leg = None
        if self._away:
            self._away = False
            self._service.demand.returned()
        busy = failure is not None and failure.code == "busy"
        if self._standing is not None:
            early = self._service.timers.now() < self._stood_half_at
            self._end_stand(turned_away=busy and early)
        elif busy:
            self._note_answer(self._service.timers.now())

    @property
    def _may_be_returned(self) -> bool:
        return self._local is not None and self._request.protocol == "http2"

    def _note_session(self, head: bytes) -> bytes:
        """``head`` as the session's client must see it, now that we know who serves it."""
        service, site = self._service, self._account.site
        sessions = service.sessions
        if sessions is None or site is None:  # The affinity was taken off meanwhile.
            return head
        return sessions.answered(self._request, site, head, service.timers.now())

    def _now_opened(self, now: float) -> None:
        """The attempt holds a target."""
        self._holds_target(now)
        account = self._account
        if self._asked_at is not None:
            self._note_answer(now)
        if self._standing is not None:
            # It waited there: of that time the network had no more than a usual round trip.
            assert account.site is not None, "it stands somewhere"
            travelled_s = self._service.remotes.round_trip_s(account.site)
            account.begun_at = max(account.begun_at, now - travelled_s)
            self._end_stand(turned_away=False)
            self._leave(account.site, account.overflow_reason)
        if account.waited_since is not None:
            account.note_waited(self._service, now)
            self._service.room.served()

    # Waiting

    @property
    def session(self) -> int:
        return self._request.session

    @property
    def preferred(self) -> SiteId | None:
        return self._request.preferred

    @property
    def out(self) -> frozenset[str]:
        return self._tries.out

    def forget_lost_ways(self) -> None:
        self._tries.reroute()

    def granted(self, slot: Slot) -> None:
        self._service.room.left(self)
        self._account.site = self._service.site
        self._place = self._service.balancer.own_place
        self._account.overflow_reason = ""
        self._account.reason = "waited until a slot was free here"
        self._serve_here(slot, self._service.timers.now())

    def expired(self) -> None:
        self._service.room.left(self)
        self._fail(LegFailure("all-full", "no slot became free in time"))

    def proceed(self, decision: Decision) -> None:
        now = self._service.timers.now()
        if not self._begin(decision, now):
            self._note_unbegun(decision)
            self._next(now)

    def stand(self, wait: RemoteWait, until: float) -> bool:
        now = self._service.timers.now()
        wait_ms = max(1, int((until - now) * 1000))
        if not self._open_remote(wait, wait_ms, now):
            return False
        self._account.reason = "waited until a slot was free there"
        self._standing = wait.place
        self._stood_half_at = (now + until) / 2
        assert self._deadline is not None, "it waits"
        self._repeating().look_at(self._deadline + limits.STAND_S)  # It may fall silent.
        self._account.overflow_reason = "full" if wait.spills else ""
        return True

    def rerouted(self) -> None:
        """Routes changed while it waited for that, or may have."""
        self._repeating().leave_way()
        self._tries.reroute()
        now = self._service.timers.now()
        if now >= self._late_at():
            self._fail(TOO_LATE)
        else:
            self._next(now)

    def look(self) -> None:
        """The deadline may have come of a request that failed once or stands elsewhere."""
        late_at = self._late_at()
        if self._standing is not None and self._deadline is not None:
            late_at = self._deadline + limits.STAND_S
        if self._service.timers.now() >= late_at:
            self._give_up(TOO_LATE)
        else:
            self._repeating().look_at(late_at)

    def dismiss(self) -> None:
        """The service goes away while it waits."""
        self._fail(LegFailure("draining", "the service was removed here"))

    # Steps

    def _try_again(self, failure: LegFailure) -> None:
        """The attempt failed, and all of the request is here."""
        self._opened = False  # What is sent meanwhile is kept for the next one.
        self._account.held_at = inf
        self._account.retried_for = failure.code
        local_target = self._local.target if self._local is not None else None
        self._tries.note(failure, self._place, local_target)
        now, late_at = self._service.timers.now(), self._late_at()
        if now >= late_at:
            self._fail(TOO_LATE)
            return
        if failure.code in CHARGED:
            again = self._repeating()
            again.owe(failure)
            again.look_at(late_at)
        self._next(now)

    def _next(self, now: float) -> None:
        """Try the best candidate left; else wait; else fail."""
        service, tries = self._service, self._tries
        preferred, session = self._request.preferred, self._request.session
        while tries.begin():
            choice = service.balancer.select(now, tries.excluded, preferred, tries.refused, session)
            if type(choice) is not Decision:  # `isinstance` is slow for their kind of class.
                assert isinstance(choice, NoChoice)
                if tries.forgive():
                    continue
                self._keep(choice, now)
                service.counters.decided(service.config.policy.name, choice.reason)
                if self._may_wait_for(choice):
                    if self._again is None or self._is_permitted(now):
                        self._wait(choice, now)
                    return
                break
            if self._again is not None and not self._is_permitted(now):
                return
            service.counters.decided(service.config.policy.name, "chosen")
            if self._begin(choice, now):
                return
            self._note_unbegun(choice)
        if not self._may_go_on(now) or self._is_gone() or not self._await_way(now):
            self._fail(tries.verdict())

    def _keep(self, choice: Decision | NoChoice, now: float) -> None:
        """What ``choice`` was made by. Before anything of it happens."""
        tries, preferred = self._tries, self._request.preferred
        self._account.seen = self._service.balancer.seen(
            now, choice, tries.excluded, preferred, tries.refused
        )

    def _may_go_on(self, now: float) -> bool:
        """Whether a way may appear: one was lost, this site has just started, or a site that was
        busy when it was asked is not so any more, as far as is known."""
        tries = self._tries
        was_busy = tries.excluded - tries.out
        return bool(tries.way_lost or was_busy) or now < self._service.routes.settles_until

    def _is_permitted(self, now: float) -> bool:
        """Another attempt may begin; else the last failure is the answer."""
        failure = self._repeating().pay(now)
        if failure is not None:
            self._fail(failure)
        return failure is None

    def _repeating(self) -> Again:
        again = self._again
        if again is None:
            again = self._again = Again(self._service, self)
        return again

    def _note_unbegun(self, decision: Decision) -> None:
        if decision.local:
            self._tries.exclude(decision.place)
        else:
            self._tries.lose_way(decision.place)

    def _await_way(self, now: float) -> bool:
        if not self._repeating().wait_for_way(now):
            return False
        self._account.rest()
        return True

    def _late_at(self) -> float:
        """When its time is up; infinite: it has not begun to run."""
        if self._complete_at is None or self._request.protocol == "tcp":
            return inf
        config = self._service.config
        late_at = self._complete_at + config.timeouts.response_s
        return late_at if self._deadline is None else late_at + config.queue_wait_s

    def _give_up(self, failure: LegFailure) -> None:
        """Try no more: `done` with ``failure`` follows once the attempt under way is over."""
        if self._over or self._given_up is not None:
            return
        self._given_up = failure
        if self._leg is not None:
            self._leg.abort()
            return
        self._service.room.leave(self)
        if self._again is not None:
            self._again.leave_way()
        self._fail(failure)

    def _begin(self, decision: Decision, now: float) -> bool:
        """Start an attempt; False: it could not even start."""
        account = self._account
        if not decision.local:
            self._keep(decision, now)
            if not self._open_remote(decision, 0, now):
                return False
            self._leave(decision.site, decision.overflow_reason)
        else:
            service, avoid = self._service, self._tries.avoid
            if account.attempts or account.seen is not None:
                self._keep(decision, now)
            else:  # The commonest: this site's own figures say it all.
                ledger = service.ledger
                account.in_flight = ledger.load
                account.capacity = ledger.capacity
            session = self._request.session
            slot = service.admission.take(now, avoid, session)
            if avoid and type(slot) is not Slot and not self._may_leave(decision.place, now):
                # Rather the same one than none.
                slot = service.admission.take(now, NO_TARGETS, session)
            if type(slot) is not Slot:
                return False
            account.site = decision.site
            self._place = decision.place
            self._serve_here(slot, now)
        account.overflow_reason = decision.overflow_reason
        account.reason = decision.reason
        return True

    def _may_leave(self, place: str, now: float) -> bool:
        """Another site, or router of this one, has room: better than a target that broke off this
        very request.

        Not for a policy that goes farther only when the nearest has no target at all.
        """
        tries, left = self._tries, {place}
        choice = self._service.balancer.select(
            now, tries.excluded | left, None, tries.refused | left, self._request.session
        )
        return type(choice) is Decision

    def _serve_here(self, slot: Slot, now: float) -> None:
        self._local = leg = self._service.local_leg(self._request, self, slot, via_local=True)
        self._launch(leg, now)
        if leg.is_opened:  # We may stand in the handler's call: it hears of the head next.
            self._now_opened(now)
            self._told_opened = True
            if self._owes_writable:
                self._service.timers.at_turn_end(self._repay_writable)

    def _open_remote(self, to: Decision | RemoteWait, wait_ms: int, now: float) -> bool:
        service = self._service
        leg = RemoteLeg(
            self._request,
            self,
            service,
            site=to.site,
            path=to.path,
            wait_ms=wait_ms,
        )
        if not leg.start(service.streams, service.site):
            return False
        self._asked_at = None if wait_ms else now
        self._account.site = to.site
        self._place = to.place
        self._local = None
        self._launch(leg, now)
        return True

    def _leave(self, site: SiteId, overflow_reason: str) -> None:
        """A remote attempt is under way; with a reason, or for want of targets, it is demand.

        Not of this router where another one of this site takes it: there it is.
        """
        service = self._service
        if site == service.site:
            return
        if overflow_reason or not service.ledger.targets_ready:
            self._away = True
            service.demand.left()

    def _wait(self, choice: NoChoice, now: float) -> None:
        service = self._service
        self._account.rest()
        returns = self._deadline is not None
        if self._deadline is None:
            self._deadline = now + service.config.queue_wait_s
            self._account.waited_since = now
        self._tries.rest()
        if self._is_gone():
            self._fail(CANCELLED)
        elif now >= self._deadline or not service.room.enter(
            self, choice, self._deadline, returns=returns
        ):
            if not returns:
                self._account.waited_since = None  # It never did.
            self._fail(LegFailure("all-full", "every site that has targets is full"))

    def _may_wait_for(self, choice: NoChoice) -> bool:
        """Some full site has not failed this request in another way."""
        out = self._tries.out
        if choice.local_waitable and self._service.balancer.own_place not in out:
            return True
        return any(wait.place not in out for wait in choice.waitable)

    def _fail(self, failure: LegFailure) -> None:
        self._service.timers.at_turn_end(partial(self._finish, failure))

    def _finish(self, failure: LegFailure | None) -> None:
        if not self._over:
            self._end(failure)
            self._handler.done(failure)

    def _end(self, failure: LegFailure | None) -> None:
        """Count it. The handler hears next that it is done."""
        self._over = True
        if self._again is not None:
            self._again.look_no_more()
            self._again = None
        if self._replay is not None:
            self._forget_sent()
        local, self._local = self._local, None  # It holds us: no cycle waits for the collector.
        site = self._account.site if self._told_opened else None
        self._account.end(self._service, self._request, failure, site, local)

    def _note_answer(self, now: float) -> None:
        """The first answer of another site that did not have to wait: about a round trip."""
        site = self._account.site
        if self._asked_at is not None and site is not None:
            self._service.remotes.note_round_trip(site, now - self._asked_at)
            self._asked_at = None

    def _end_stand(self, *, turned_away: bool) -> None:
        assert self._standing is not None
        self._service.room.stand_ended(self._standing, turned_away=turned_away)
        self._standing = None
