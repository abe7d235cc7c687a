"""The steps after an insufficient first attempt of a request: other attempts, the line, or the end.

The rules for another attempt (docs/retries.md):

- After a failure that promises that no byte reached a target: always, each site once. A site whose
  way was lost may be tried again when routes have followed (`retry_timer`).
- After a target of this site had taken the request and reports that it did not process it (HTTP/2):
  likewise, at most `limits.REPEATS_MAX` times.
- Otherwise only if the method is idempotent, nothing of a response was passed on, and everything
  sent is still here, at most `limits.REPEATS_MAX` times.
- After a failure other than a refusal only within the service's budget (`balance.retries`);
  refusals are how requests spill, and cost nothing.
- Never past the deadline, which covers all attempts: ``timeouts.response_s`` from when the request
  is complete, and the queue's ``queue_wait_s`` more for a request that had to wait. No attempt
  begins after it. An attempt that began after another had failed is given up at it. One that waits
  at a full site which falls silent is given up `limits.STAND_S` and the time of a connect after the
  queue's deadline, and a round trip later if the site is far. A far site that seemed to have room
  is left then for another that has some, or waited for. Only these have a timer here: a first
  attempt is timed by its target's leg and by the session. Giving up resets the stream of a remote
  attempt, so its egress needs no separate deadline. A tcp connection that need not wait has none:
  the time-outs of its attempts bound connecting.
"""

from math import inf
from typing import Protocol

from router.balance.deciding.decision_evidence import SeenDecision
from router.balance.deciding.decisions import Asked, Decision, NoChoice
from router.exchange.attempt_history import CHARGED, AttemptHistory
from router.exchange.retry_timer import RetryTimer
from router.exchange.wait import Queued, Wait
from router.service.counters import Verdict
from router.service.ports import LegFailure
from router.service.service import Service

TOO_LATE = LegFailure("target-timeout", "its time was up before an attempt had succeeded")
NEVER_TAKEN = LegFailure("unanswered", "its time was up before a site had taken it")
SILENT = LegFailure("unanswered", "the site where it waited for a slot fell silent")


class Attempted(Queued, Protocol):
    """The exchange of the request."""

    @property
    def complete_at(self) -> float | None:
        """When all of the request had come; None: more will follow."""

    @property
    def has_target(self) -> bool:
        """The attempt under way, or the last one, held a target."""

    def unanswered(self) -> None:
        """The asked site is silent: leave it, if another one has room."""

    def give_up(self, failure: LegFailure) -> None:
        """Try no more: `done` with ``failure`` follows once the attempt under way is over."""


class Attempts:
    """All but the first attempt of one request; created on demand, gone with the request.

    ``history`` remembers failed attempts; ``wait`` exists once the request had to wait.
    """

    __slots__ = ("_again", "_exchange", "_service", "history", "wait")

    def __init__(self, exchange: Attempted, service: Service, begun: int) -> None:
        """``begun``: how many attempts were made before."""
        self._exchange = exchange
        self._service = service
        self._again: RetryTimer | None = None
        self.history = AttemptHistory(begun)
        self.wait: Wait | None = None

    # Results of the attempt under way.

    def opened(self, now: float) -> None:
        """The attempt holds a target."""
        if self.wait is not None:
            self.wait.opened(now)

    def answer_began(self) -> None:
        """No other attempt follows, so the deadline of this one is its target's."""
        if self._again is not None:
            self._again.cancel_timer()

    def ended(self, now: float, *, is_busy: bool) -> None:
        """The attempt is over; ``is_busy``: refused for lack of a slot."""
        if self.wait is not None:
            self.wait.attempt_ended(now, is_busy=is_busy)

    def follow(self, failure: LegFailure, place: str, local_target: str | None) -> None:
        """The attempt at ``place`` failed and all of the request is here: try again, wait or fail.

        ``place``, ``local_target`` as in `AttemptHistory.note`.
        """
        self.history.note(failure, place, local_target)
        now, late_at = self._service.now(), self._late_at()
        if now >= late_at:
            self._exchange.fail(self._too_late())
            return
        if failure.code in CHARGED:
            self._repeating().owe(failure)
            self.look_at(late_at)
        self.go_on(now)

    def leave(self) -> None:
        """The request is given up while no attempt is under way."""
        if self.wait is not None:
            self._service.queue.leave(self.wait)
        if self._again is not None:
            self._again.leave_way()

    def over(self) -> None:
        """The request is over."""
        if self._again is not None:
            self._again.cancel_timer()
        self._again = self.wait = None  # They refer to this object: break the cycle.

    # Another attempt.

    def go_on(self, now: float) -> None:
        """Try the best candidate left; else wait; else fail."""
        service, exchange, history = self._service, self._exchange, self.history
        while history.begin():
            choice = service.balancer.select(now, history.excluded, exchange.asked, history.refused)
            if type(choice) is not Decision:  # `isinstance` is slow for this kind of class.
                assert isinstance(choice, NoChoice)
                if history.forgive():
                    continue
                exchange.record.seen = self.seen(choice, now)
                # A site that refused for lack of a slot is full, whatever its figures are.
                is_full = choice.reason == "all-full" or bool(history.refused)
                # A sheddable request is counted once it is shed.
                if not is_full or not exchange.asked.sheddable:
                    verdict: Verdict = "all-full" if is_full else "no-route"
                    service.counters.decided(service.config.policy.name, verdict)
                if self._may_wait_for(choice) or self._may_be_held():
                    if self._is_permitted(now):
                        self._wait_for(choice, now)
                    return
                break
            if not self._is_permitted(now):
                return
            service.counters.chosen += 1
            if exchange.begin(choice, now):
                return
            self.note_unbegun(choice)
        if not self._may_go_on(now) or exchange.is_gone() or not self._await_way(now):
            exchange.fail(history.verdict(sheddable=exchange.asked.sheddable))

    def seen(self, choice: Decision | NoChoice, now: float) -> SeenDecision:
        """The figures by which ``choice`` was made. Call it before the choice is carried out."""
        history = self.history
        return self._service.balancer.seen(
            now, choice, history.excluded, self._exchange.asked, history.refused
        )

    def note_unbegun(self, decision: Decision) -> None:
        """`ClientExchange.begin` returned False for ``decision``."""
        if decision.local:
            self.history.exclude(decision.place)
        else:
            self.history.lose_way(decision.place)

    def may_leave(self, place: str, now: float) -> bool:
        """Another site, or router of this one, has room: better than a target that broke off this
        very request.

        Not for a policy that goes farther only when the nearest has no target at all.
        """
        history, exchange, left = self.history, self._exchange, {place}
        asked = Asked(None, exchange.asked.session, exchange.asked.sheddable)
        choice = self._service.balancer.select(
            now, history.excluded | left, asked, history.refused | left
        )
        return type(choice) is Decision

    def begin_far(self, decision: Decision, now: float) -> bool:
        """Start an attempt that may wait at a far site; False: it may not, or could not start.

        A refusal there costs a round trip, which is worth it only if another site has room.
        """
        service = self._service
        beside = service.balancer.beside(decision, now, self.history.excluded, self._exchange.asked)
        if beside == "room" or service.config.queue == 0:
            return False
        wait = self.wait
        if wait is None:
            wait = Wait(self._exchange, self, service, now)
        if service.queue.stand(wait, decision, wait.deadline, is_only=beside == "nobody"):
            self.wait = wait
            return True
        if self.wait is None:
            self._exchange.record.never_waited()
        return False

    def rest(self) -> None:
        """The request waits: earlier attempts do not count afterwards."""
        self.history.rest()

    def _may_go_on(self, now: float) -> bool:
        """Whether a way may appear: one was lost, this site has just started, or a site that was
        busy when it was asked has room again, as far as is known.
        """
        history = self.history
        if history.way_lost or history.excluded - history.out:
            return True
        return now < self._service.routes.settles_until

    def _is_permitted(self, now: float) -> bool:
        """Another attempt may begin; else the last failure is the answer."""
        failure = self._again.pay(now) if self._again is not None else None
        if failure is not None:
            self._exchange.fail(failure)
        return failure is None

    def _await_way(self, now: float) -> bool:
        if not self._repeating().wait_for_way(now):
            return False
        self._exchange.record.rest()
        return True

    def _wait_for(self, choice: NoChoice, now: float) -> None:
        self._exchange.record.rest()
        wait = self.wait
        returns = wait is not None
        if wait is None:
            wait = self.wait = Wait(self._exchange, self, self._service, now)
        self.rest()
        wait.enter(choice, now, returns=returns)

    def _may_wait_for(self, choice: NoChoice) -> bool:
        """Some full site has not failed this request in another way."""
        out = self.history.out
        if choice.local_waitable and self._service.balancer.own_place not in out:
            return True
        return any(wait.place not in out for wait in choice.waitable)

    def _may_be_held(self) -> bool:
        """A site is being woken that may serve the request; not after a failure, which a wake does
        not fix.
        """
        return not self.history.out and self._service.wake_state.is_held()

    # Deadlines and changes of routes.

    def rerouted(self) -> None:
        """Routes changed while the request waited for that, or may have."""
        self._repeating().leave_way()
        self.history.reroute()
        now = self._service.now()
        if now >= self._late_at():
            self._exchange.fail(self._too_late())
        else:
            self.go_on(now)

    def look(self) -> None:
        """Check the deadline of a request that failed once or waits elsewhere."""
        wait, now = self.wait, self._service.now()
        if wait is None or wait.standing is None or wait.is_silent:
            late_at = self._late_at()
            if now >= late_at:
                self._exchange.give_up(self._too_late())
            elif late_at != inf:
                self.look_at(late_at)
        elif now < wait.silent_at:
            self.look_at(wait.silent_at)
        elif not wait.may_stay:
            self._exchange.record.note_reason("the site that was asked fell silent")
            self._exchange.give_up(SILENT)
        else:
            wait.hears_nothing()
            if (late_at := self._late_at()) != inf:
                self.look_at(late_at)
            self._exchange.unanswered()

    def look_at(self, when: float) -> None:
        """Call `look` at ``when``, and not before."""
        self._repeating().look_at(when)

    def _repeating(self) -> RetryTimer:
        """Created on first use."""
        again = self._again
        if again is None:
            again = self._again = RetryTimer(self._service, self)
        return again

    def _late_at(self) -> float:
        """When its time is up; infinite: the time has not begun to run."""
        complete_at = self._exchange.complete_at
        if complete_at is None or self._exchange.request.protocol == "tcp":
            return inf
        config = self._service.config
        late_at = complete_at + config.timeouts.response_s
        wait = self.wait
        return late_at if wait is None else late_at + config.queue_wait_s + wait.held_s

    def _too_late(self) -> LegFailure:
        """The failure at the deadline. No target is at fault while sites do not even take the
        request.
        """
        exchange, wait = self._exchange, self.wait
        is_silent = wait is not None and wait.standing is not None and wait.is_silent
        never_taken = is_silent or exchange.record.retried_for == "unanswered"
        return NEVER_TAKEN if never_taken and not exchange.has_target else TOO_LATE
