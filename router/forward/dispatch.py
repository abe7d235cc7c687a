"""One request on its way to where it is served: selection, retries, waiting; one `Leg` outside.

Selected site → attempt (at a target here, or a `RemoteLeg`) → done, or another attempt with the
request still in hand (`exchange`). The rules for another attempt (docs/retries.md):

- A failure that promises that no byte reached a target: always, each site once. A site whose way
  was lost may be tried again when routes have followed (`retry_timer`).
- One that a target of this site had taken and says it did not process (HTTP/2): likewise, at most
  `limits.REPEATS_MAX` times.
- Otherwise only if the method is idempotent, nothing of a response was passed on, and all that was
  sent is still here, at most `limits.REPEATS_MAX` times.
- After a failure other than a refusal only within the service's budget (`balance.retries`);
  refusals are how requests spill, and cost nothing.
- Never past the deadline, which is one over all attempts: ``timeouts.response_s`` from when the
  request is complete, and the queue's ``queue_wait_s`` more for one that had to wait. No attempt
  begins after it; one that began after another had failed is given up at it, one that waits at a
  site which falls silent `limits.STAND_S` after the queue's deadline, and a round trip later if the
  site is far. Only these two have a timer here: a first attempt is timed by its target's leg and by
  the session. Giving up resets the stream of a remote attempt, so that its egress needs no deadline
  of its own. A tcp connection that need not wait has none: connecting is bounded by the time-outs
  of its attempts.

What only some requests need is made when they do: `Tries` after a failure, `Again` for another
attempt or way, `Wait` in a queue, `Replay` for a body.
"""

from collections.abc import Set
from functools import partial
from math import inf

from router.balance.decisions import Decision, NoChoice, RemoteWait
from router.balance.ledger import Slot
from router.forward.admission import NO_TARGETS
from router.forward.exchange import ASKING, CHOOSING, NOT_STOPPED, OVER
from router.forward.observers import Watch
from router.forward.ports import (
    CLIENT_GONE,
    OVERLOADED,
    LegFailure,
    LegHandler,
    Request,
)
from router.forward.receiver import Receiver
from router.forward.recent_requests import RequestRecord
from router.forward.remote import RemoteLeg
from router.forward.retry_timer import Again
from router.forward.service import Service
from router.forward.tries import CHARGED, NO_SITES, Tries
from router.forward.wait import Wait
from router.model.ids import SiteId

TOO_LATE = LegFailure("target-timeout", "its time was up before an attempt had succeeded")
NEVER_TAKEN = LegFailure("unanswered", "its time was up before a site had taken it")
SILENT = LegFailure("unanswered", "the site where it waited for a slot fell silent")


class Dispatch(Receiver):
    """A `ClientLeg` for a session, the `Exchange` of its request. It begins as it is made.

    `done` of its caller is never called from within a call of the caller to it: attempts fail
    later by contract, and own refusals are told at the turn's end.
    """

    __slots__ = (
        "_begun",
        "_complete_at",
        "_place",
    )

    _FROM_CLIENT = True

    def __init__(
        self,
        request: Request,
        caller: LegHandler,
        service: Service,
        watch: Watch | None = None,
    ) -> None:
        now = service.now()
        Receiver.__init__(self, request, service)
        self._caller = caller
        self._watch = watch
        is_tcp = request.protocol == "tcp"
        self.record = record = RequestRecord(now, request.session, "ok" if is_tcp else "5xx")
        self._again = None
        self._wait = None
        self._told_opened = False
        self.tries = None
        # Hot: what needs nothing of us goes straight through.
        self.received = caller.received
        self.ended = caller.ended
        self._begun = 0  # Attempts, while there are no `Tries`.
        self._place = ""  # Of the last attempt: `Decision.place`.
        self._complete_at = now if request.body_bytes == 0 else None
        pressure = service.pressure
        # And it begins.
        service.past.begun(record)
        if pressure.is_refusing:
            pressure.refused_total += 1
            self.fail(OVERLOADED)
            return
        service.retries.requests += 1
        if service.ledger.rated:
            service.ledger.ask(now)
        # The first turn of `go_on`, in place: for nearly all requests there is no other.
        choice = service.balancer.select(
            now, NO_SITES, request.preferred, NO_SITES, request.session
        )
        if type(choice) is Decision:
            self._begun = 1
            service.counters.chosen += 1
            if self.begin(choice, now):
                return
            self.note_unbegun(choice)
        self.go_on(now)

    # Leg

    def finish(self) -> None:
        if self._state is OVER:
            return
        if self._complete_at is None:
            self._complete_at = self._service.now()
        self._is_finished = True
        leg, wait = self._leg, self._wait
        waits = (leg is None and self._dial is None) or (wait is not None and wait.is_near)
        if waits and self.is_gone():
            self.client_gone()
        elif leg is not None:
            self._finish_leg(leg)

    def client_gone(self) -> None:
        self._give_up(CLIENT_GONE)

    def relieve(self) -> None:
        """Memory is short: do without what was sent, or without the request."""
        if self.has_target:
            self._forget_sent()
        else:
            self._give_up(OVERLOADED)

    # When its time is up, or ways change

    def rerouted(self) -> None:
        """Routes changed while it waited for that, or may have."""
        self.repeating().leave_way()
        self._begun = 0
        if self.tries is not None:
            self.tries.reroute()
        now = self._service.now()
        if now >= self._late_at():
            self.fail(self._too_late())
        else:
            self.go_on(now)

    def look(self) -> None:
        """The deadline may have come of a request that failed once or stands elsewhere."""
        late_at, wait, failure = self._late_at(), self._wait, self._too_late()
        if wait is not None and wait.standing is not None:
            late_at, failure = wait.silent_at, SILENT
        if self._service.now() >= late_at:
            self._give_up(failure)
        else:
            self.repeating().look_at(late_at)

    def _late_at(self) -> float:
        """When its time is up; infinite: it has not begun to run."""
        if self._complete_at is None or self.request.protocol == "tcp":
            return inf
        config = self._service.config
        late_at = self._complete_at + config.timeouts.response_s
        return late_at if self._wait is None else late_at + config.queue_wait_s

    def _too_late(self) -> LegFailure:
        """What ends it then. No target is at fault while sites do not even take the request."""
        never_taken = self.record.retried_for == "unanswered" and not self.has_target
        return NEVER_TAKEN if never_taken else TOO_LATE

    # Steps

    def _may_repeat(self, failure: LegFailure) -> bool:
        tries, idempotent = self._remembering(), self.request.idempotent
        if failure.code == "unanswered" and self._is_unsent():
            idempotent = True
        return tries.may_repeat(failure, idempotent=idempotent)

    def _is_unsent(self) -> bool:
        """A tcp client that has said nothing: no target can have done anything for it.

        Of http the head alone may have been enough for a target to run the request.
        """
        return self.request.protocol == "tcp" and self._kept is None and not self._is_finished

    # RemoteHandler

    def can_leave(self) -> bool:
        may_run_again = self._in_hand and (self.request.idempotent or self._is_unsent())
        return may_run_again and self._may_leave(self._place, self._service.now())

    def _remembering(self) -> Tries:
        tries = self.tries
        if tries is None:
            tries = self.tries = Tries(self._begun)
        return tries

    def _try_again(self, failure: LegFailure) -> None:
        """The attempt failed, and all of the request is here."""
        self._state = CHOOSING  # What is sent meanwhile is kept for the next one.
        self.record.held_at = inf
        self.record.retried_for = failure.code
        if failure.code == "draining":  # What came of the decision, unless another one follows.
            self.record.reason = "the site that was asked began to drain"
        self._remembering().note(failure, self._place, self._target or None)
        now, late_at = self._service.now(), self._late_at()
        if now >= late_at:
            self.fail(self._too_late())
            return
        if failure.code in CHARGED:
            again = self.repeating()
            again.owe(failure)
            again.look_at(late_at)
        self.go_on(now)

    def go_on(self, now: float) -> None:
        """Try the best candidate left; else wait; else fail."""
        service, request = self._service, self.request
        while True:
            tries, excluded, refused = self.tries, NO_SITES, NO_SITES
            if tries is None:  # Nothing has failed yet.
                self._begun += 1
            elif tries.begin():
                excluded, refused = tries.excluded, tries.refused
            else:
                break
            choice = service.balancer.select(
                now, excluded, request.preferred, refused, request.session
            )
            if type(choice) is not Decision:  # `isinstance` is slow for their kind of class.
                assert isinstance(choice, NoChoice)
                if tries is not None and tries.forgive():
                    continue
                self._keep(choice, now)
                service.counters.decided(service.config.policy.name, choice.reason)
                if self._may_wait_for(choice):
                    if self._again is None or self._is_permitted(now):
                        self._wait_for(choice, now)
                    return
                break
            if self._again is not None and not self._is_permitted(now):
                return
            service.counters.chosen += 1
            if self.begin(choice, now):
                return
            self.note_unbegun(choice)
        if not self._may_go_on(now) or self.is_gone() or not self._await_way(now):
            self.fail(self._remembering().verdict())

    def _keep(self, choice: Decision | NoChoice, now: float) -> None:
        """What ``choice`` was made by. Before anything of it happens."""
        tries = self.tries
        excluded, refused = NO_SITES, NO_SITES
        if tries is not None:
            excluded, refused = tries.excluded, tries.refused
        self.record.seen = self._service.balancer.seen(
            now, choice, excluded, self.request.preferred, refused
        )

    def _may_go_on(self, now: float) -> bool:
        """Whether a way may appear: one was lost, this site has just started, or a site that was
        busy when it was asked is not so any more, as far as is known."""
        tries = self.tries
        if tries is not None and (tries.way_lost or tries.excluded - tries.out):
            return True
        return now < self._service.routes.settles_until

    def _is_permitted(self, now: float) -> bool:
        """Another attempt may begin; else the last failure is the answer."""
        failure = self.repeating().pay(now)
        if failure is not None:
            self.fail(failure)
        return failure is None

    def repeating(self) -> Again:
        """Made when it is needed first."""
        again = self._again
        if again is None:
            again = self._again = Again(self._service, self)
        return again

    def note_unbegun(self, decision: Decision) -> None:
        """`begin` of it said False."""
        if decision.local:
            self._remembering().exclude(decision.place)
        else:
            self._remembering().lose_way(decision.place)

    def _await_way(self, now: float) -> bool:
        if not self.repeating().wait_for_way(now):
            return False
        self.record.rest()
        return True

    def _give_up(self, failure: LegFailure) -> None:
        """Try no more: `done` with ``failure`` follows once the attempt under way is over."""
        if self._state is OVER or self._given_up is not None:
            return
        self._given_up = failure
        if isinstance(self._leg, RemoteLeg) and self._is_overdue():
            self._leg.overdue()
        if self._stop_attempt():
            return
        if self._wait is not None:
            self._service.room.leave(self._wait)
        if self._again is not None:
            self._again.leave_way()
        self.fail(failure)

    def _is_overdue(self) -> bool:
        """The attempt under way had all of the request for as long as an answer may take, or was
        to be let in or refused by now."""
        wait = self._wait
        if wait is not None and wait.standing is not None:
            return self._service.now() >= wait.silent_at
        if self._complete_at is None or self.request.protocol == "tcp":
            return False
        service, asked_at = self._service, max(self._complete_at, self.record.begun_at)
        return service.now() - asked_at >= service.config.timeouts.response_s

    def begin(self, decision: Decision, now: float) -> bool:
        """Start an attempt; False: it could not even start."""
        record, service, tries = self.record, self._service, self.tries
        if not decision.local:  # Another site, or router: full here, no target here, or cheaper.
            if tries is None:  # `_keep`, in place.
                record.seen = service.balancer.seen(
                    now, decision, NO_SITES, self.request.preferred, NO_SITES
                )
            else:
                self._keep(decision, now)
            if decision.site in service.remotes.far and self._begin_far(decision, now):
                record.overflow_reason = decision.overflow_reason
                record.spill_reason = decision.spill_reason
                record.reason = decision.reason
                return True
            if not self.open_remote(decision, 0, now):
                return False
        else:
            session = self.request.session
            if record.attempts or record.seen is not None:
                self._keep(decision, now)
            else:  # The commonest: this site's own figures say it all.
                ledger = service.ledger
                record.in_flight = ledger.in_flight
                record.capacity = ledger.capacity
            avoid = NO_TARGETS if tries is None else tries.avoid
            slot = service.admission.take(now, avoid, session)
            if avoid and type(slot) is not Slot and not self._may_leave(decision.place, now):
                # Rather the same one than none.
                slot = service.admission.take(now, NO_TARGETS, session)
            if type(slot) is not Slot:
                return False
            record.site = decision.site
            self.serve_here(slot, decision.router or decision.site, now)  # `place`, in place.
        record.overflow_reason = decision.overflow_reason
        record.spill_reason = decision.spill_reason
        record.reason = decision.reason
        return True

    def _begin_far(self, decision: Decision, now: float) -> bool:
        """Start an attempt that may wait at a far site; False: it may not, or could not start.

        To be refused there costs a round trip, so it is worth that only if another site has room.
        """
        service, tries = self._service, self.tries
        excluded = NO_SITES if tries is None else tries.excluded
        beside = service.balancer.beside(decision, now, excluded)
        if beside == "room" or service.config.queue == 0:
            return False
        wait = self._wait
        if wait is None:
            wait = Wait(self, service, now)
        if service.room.stand(wait, decision, wait.deadline, is_only=beside == "nobody"):
            self._wait = wait
            return True
        if self._wait is None:
            self.record.waited_since = None  # It never did.
        return False

    def _may_leave(self, place: str, now: float) -> bool:
        """Another site, or router of this one, has room: better than a target that broke off this
        very request.

        Not for a policy that goes farther only when the nearest has no target at all.
        """
        tries, left = self._remembering(), {place}
        choice = self._service.balancer.select(
            now, tries.excluded | left, None, tries.refused | left, self.request.session
        )
        return type(choice) is Decision

    def serve_here(self, slot: Slot, place: str, now: float) -> None:
        """An attempt at this site: ``slot`` is its own. ``place`` as of `Decision`."""
        self._place = place
        record = self.record
        record.attempts += 1
        record.begun_at = now
        if self._begin_here(slot):  # We may stand in the caller's call: it hears of the head next.
            self._hold()
            record.held_at = now
            if self._wait is not None:
                self._wait.opened(now)
            self._told_opened = True
            if self._stopped is not NOT_STOPPED:
                self._service.timers.at_turn_end(self._let_go_on)

    def open_remote(self, to: Decision | RemoteWait, wait_ms: int, now: float) -> bool:
        """An attempt elsewhere; False: there is no adjacency that way."""
        service, record, path, site = self._service, self.record, to.path, to.site
        balancer = service.balancer
        egress = balancer.routers.get(path[-1]) or balancer.egress(site, path)
        spills = to.spills if type(to) is RemoteWait else False
        if type(to) is Decision:
            spills = to.overflow_reason != ""
        # Not where another router of this site takes it: there it is demand.
        is_demand = site != service.site and (spills or not service.ledger.targets_ready)
        leg = RemoteLeg(self.request, self, service, egress, path, wait_ms, now, is_demand)
        if not leg.is_begun:
            return False
        record.site = site
        self._place = to.router or site  # Likewise.
        self._target = ""
        self._leg = leg
        self._state = ASKING
        record.attempts += 1
        record.begun_at = now
        if self._kept is not None or self._is_finished or self._paused:
            self._catch_up(leg)
        return True

    def break_off(self, sites: Set[SiteId]) -> None:
        """See `ClientLeg`."""
        if self.record.site in sites and isinstance(self._leg, RemoteLeg):
            self._leg.break_off()

    def _wait_for(self, choice: NoChoice, now: float) -> None:
        self.record.rest()
        wait = self._wait
        returns = wait is not None
        if wait is None:
            wait = self._wait = Wait(self, self._service, now)
        self.rest()
        wait.enter(choice, now, returns=returns)

    def rest(self) -> None:
        """It waits: what was tried counts anew afterwards."""
        self._begun = 0
        if self.tries is not None:
            self.tries.rest()

    def _may_wait_for(self, choice: NoChoice) -> bool:
        """Some full site has not failed this request in another way."""
        out = NO_SITES if self.tries is None else self.tries.out
        if choice.local_waitable and self._service.balancer.own_place not in out:
            return True
        return any(wait.place not in out for wait in choice.waitable)

    def fail(self, failure: LegFailure) -> None:
        """It is over, at the end of the turn."""
        self._service.timers.at_turn_end(partial(self._finish, failure))
