"""One request on its way to where it is served: selection, retries, waiting; one `Leg` outside.

Selected site → attempt (`LocalLeg` or `RemoteLeg`) → done, or another attempt with the request
still in hand. The rules for another attempt (PROTOCOL, Admission and retries):

- A failure that promises that no byte reached a target: always, each site once. A site whose way
  was lost may be tried again when routes have followed, within `limits.REROUTE_WAIT_S`.
- Otherwise only if the method is idempotent, nothing of a response was passed on, and all that was
  sent is still here (at most `limits.REPLAY_BYTES_MAX`), at most `limits.REPEATS_MAX` times.

What was sent is kept until a target is held, for idempotent requests until the response head.
"""

from functools import partial

from router.balance.decisions import Decision, NoChoice, RemoteWait
from router.balance.ledger import Slot
from router.forward.counters import HTTP_CLASSES, SERVED_NOWHERE, CodeClass
from router.forward.local import LocalLeg
from router.forward.ports import Leg, LegFailure, LegHandler, Request
from router.forward.remote import RemoteLeg
from router.forward.replay import Replay
from router.forward.service import Service
from router.forward.target_tcp import Received
from router.forward.tries import Tries
from router.model import limits
from router.model.ids import RouterId, SiteId
from router.net.ports import Buffer, Timer

STATUS_CLASS_AT = len(b"HTTP/1.1 ")


class Dispatch:
    """A `Leg` for a session, a `LegHandler` for its attempts, a `Waiting` for the queue.

    `done` of its handler is never called from within a call of the handler to it: attempts fail
    later by contract, and own refusals are told at the turn's end.
    """

    __slots__ = (
        "_aborted",
        "_asked_at",
        "_code_class",
        "_deadline",
        "_handler",
        "_leg",
        "_leg_full",
        "_local",
        "_opened",
        "_over",
        "_overflow_reason",
        "_owes_writable",
        "_paused",
        "_replay",
        "_request",
        "_reroute_timer",
        "_reroute_until",
        "_service",
        "_site",
        "_standing",
        "_started_at",
        "_stood_half_at",
        "_told_opened",
        "_tries",
        "_waited_since",
        "ended",
        "received",
        "trailers",
    )

    def __init__(self, request: Request, handler: LegHandler, service: Service) -> None:
        self._request = request
        self._handler = handler
        self._service = service
        self._leg: Leg | None = None
        self._local: LocalLeg | None = None
        self._site: SiteId | None = None  # Of the last attempt.
        self._overflow_reason = ""
        # None: what was sent is no longer all here.
        self._replay: Replay | None = Replay(service.pressure, self._relieve)
        self._tries = Tries()
        self._reroute_until: float | None = None
        self._reroute_timer: Timer | None = None
        self._deadline: float | None = None
        self._waited_since: float | None = None
        self._standing: SiteId | None = None
        self._stood_half_at = 0.0  # A stand refused before then was not let stand.
        self._asked_at: float | None = None  # An OPEN is unanswered that may not wait.
        self._opened = False
        self._told_opened = False
        self._leg_full = False
        self._owes_writable = False
        self._paused = False
        self._aborted: LegFailure | None = None  # Why it was given up.
        self._over = False
        self._code_class: CodeClass = "5xx" if request.protocol != "tcp" else "ok"
        self._started_at = service.timers.now()
        # Hot: what needs nothing of us goes straight through.
        self.received: Received = handler.received
        self.trailers = handler.trailers
        self.ended = handler.ended

    def start(self) -> None:
        """Once, before any other call."""
        pressure = self._service.pressure
        if pressure.is_refusing:
            pressure.refused_total += 1
            self._fail(LegFailure("overloaded", "this router is short of memory"))
        else:
            self._next(self._started_at)

    # Leg

    def send(self, data: Buffer) -> bool:
        if self._over:
            return True
        replay, leg = self._replay, self._leg
        if replay is not None:
            if self._opened and replay.size_bytes + len(data) > limits.REPLAY_BYTES_MAX:
                replay = None
                self._forget_sent()
            else:
                data = replay.add(data)
        if leg is not None and not leg.send(data):
            self._leg_full = self._owes_writable = True
            return False
        if not self._opened and replay is not None and self._is_held_full(replay):
            self._owes_writable = True
            return False
        return True

    def send_trailers(self, block: bytes) -> None:
        if self._over:
            return
        if self._replay is not None:
            self._replay.add_trailers(block)
        if self._leg is not None:
            self._leg.send_trailers(block)

    def finish(self) -> None:
        if self._over:
            return
        if self._replay is not None:
            self._replay.finish()
        leg = self._leg
        if (leg is None or self._standing is not None) and self._is_gone():
            self.abort()
        elif leg is not None:
            leg.finish()

    def abort(self) -> None:
        self._give_up(LegFailure("cancelled"))

    def pause(self) -> None:
        self._paused = True
        if self._leg is not None:
            self._leg.pause()

    def resume(self) -> None:
        self._paused = False
        if self._leg is not None:
            self._leg.resume()

    # LegHandler of the attempt

    def opened(self) -> None:
        self._now_opened()
        if self._aborted is not None:
            return
        if not self._told_opened:
            self._told_opened = True
            self._handler.opened()
        if self._owes_writable:
            self._repay_writable()

    def head(self, head: bytes, body_bytes: int) -> None:
        if self._replay is not None:
            self._forget_sent()
        self._code_class = HTTP_CLASSES[(head[STATUS_CLASS_AT] - ord("1")) % len(HTTP_CLASSES)]
        self._handler.head(head, body_bytes)

    def writable(self) -> None:
        self._leg_full = False
        self._repay_writable()

    def done(self, failure: LegFailure | None) -> None:
        self._leg = None
        busy = failure is not None and failure.code == "busy"
        if self._standing is not None:
            early = self._service.timers.now() < self._stood_half_at
            self._end_stand(turned_away=busy and early)
        elif busy:
            self._note_answer()
        if self._aborted is not None:
            self._finish(self._aborted)
        elif (
            failure is not None
            and self._replay is not None
            and self._tries.may_repeat(failure, idempotent=self._request.idempotent)
        ):
            assert self._site is not None, "an attempt had a site"
            local_target = self._local.target if self._local is not None else None
            self._tries.note(failure, self._site, local_target)
            self._next(self._service.timers.now())
        else:
            self._finish(failure)
        self._service.room.reconsider()

    def _now_opened(self) -> None:
        """The attempt holds a target."""
        self._opened = True
        if self._asked_at is not None:
            self._note_answer()
        if self._standing is not None:
            self._end_stand(turned_away=False)
        if self._waited_since is not None:
            service = self._service
            service.counters.queue_wait.observe(service.timers.now() - self._waited_since)
            self._waited_since = None
        if not self._request.idempotent:
            self._forget_sent()

    # Waiting

    @property
    def out(self) -> frozenset[SiteId]:
        return self._tries.out

    def forget_lost_ways(self) -> None:
        self._tries.reroute()

    def granted(self, slot: Slot) -> None:
        self._service.room.left(self)
        self._site = self._service.site
        self._overflow_reason = ""
        self._serve_here(slot)

    def expired(self) -> None:
        self._service.room.left(self)
        self._fail(LegFailure("all-full", "no slot became free in time"))

    def proceed(self, decision: Decision) -> None:
        now = self._service.timers.now()
        if not self._begin(decision, now):
            self._note_unbegun(decision)
            self._next(now)

    def stand(self, wait: RemoteWait, until: float, *, spills: bool) -> bool:
        now = self._service.timers.now()
        wait_ms = max(1, int((until - now) * 1000))
        if not self._open_remote(wait.site, wait.path, wait_ms):
            return False
        self._standing = wait.site
        self._stood_half_at = (now + until) / 2
        self._overflow_reason = "full" if spills else ""
        return True

    def rerouted(self) -> None:
        """Routes changed while it waited for that, or may have."""
        self._leave_stranded()
        self._tries.reroute()
        self._next(self._service.timers.now())

    def dismiss(self) -> None:
        """The service goes away while it waits."""
        self._fail(LegFailure("draining", "the service was removed here"))

    # Steps

    def _next(self, now: float) -> None:
        """Try the best candidate left; else wait; else fail."""
        service, tries = self._service, self._tries
        while tries.begin():
            choice = service.balancer.select(now, tries.excluded)
            if type(choice) is not Decision:  # `isinstance` is slow for their kind of class.
                assert isinstance(choice, NoChoice)
                service.counters.decided(service.config.policy.name, choice.reason)
                if self._may_wait_for(choice):
                    self._wait(choice, now)
                    return
                break
            service.counters.decided(service.config.policy.name, "chosen")
            if self._begin(choice, now):
                return
            self._note_unbegun(choice)
        if not tries.way_lost or not self._await_reroute(now):
            self._fail(tries.verdict())

    def _note_unbegun(self, decision: Decision) -> None:
        if decision.local:
            self._tries.exclude(decision.site)
        else:
            self._tries.lose_way(decision.site)

    def _await_reroute(self, now: float) -> bool:
        """Wait for another way: routes will change, or another lane of the same link may do.

        False: it has waited long enough, or too many do.
        """
        service = self._service
        if self._reroute_until is None:
            self._reroute_until = now + limits.REROUTE_WAIT_S
        if now >= self._reroute_until or self._is_gone() or not service.strand(self):
            return False
        again_at = min(now + limits.REROUTE_S, self._reroute_until)
        self._reroute_timer = service.timers.call_at(again_at, self.rerouted)
        return True

    def _leave_stranded(self) -> None:
        if self._reroute_timer is not None:
            self._reroute_timer.cancel()
            self._reroute_timer = None
            self._service.unstrand(self)

    def _begin(self, decision: Decision, now: float) -> bool:
        """Start an attempt; False: it could not even start."""
        if not decision.local:
            if not self._open_remote(decision.site, decision.path, 0):
                return False
        else:
            admission, avoid = self._service.admission, self._tries.avoid
            slot = admission.take(now, avoid)
            if avoid and type(slot) is not Slot:
                slot = admission.take(now)  # Rather the same target than none.
            if type(slot) is not Slot:
                return False
            self._site = decision.site
            self._serve_here(slot)
        self._overflow_reason = decision.overflow_reason
        return True

    def _serve_here(self, slot: Slot) -> None:
        self._local = leg = self._service.local_leg(self._request, self, slot, via_local=True)
        self._launch(leg)
        if leg.is_opened:  # We may stand in the handler's call: it hears of the head next.
            self._now_opened()
            self._told_opened = True
            if self._owes_writable:
                self._service.timers.at_turn_end(self._repay_writable)

    def _open_remote(self, site: SiteId, path: tuple[RouterId, ...], wait_ms: int) -> bool:
        service = self._service
        leg = RemoteLeg(
            self._request,
            self,
            service,
            site=site,
            path=path,
            wait_ms=wait_ms,
        )
        if not leg.start(service.streams, service.site):
            return False
        self._asked_at = None if wait_ms else service.timers.now()
        self._site = site
        self._local = None
        self._launch(leg)
        return True

    def _launch(self, leg: Leg) -> None:
        """Give a fresh attempt what was sent so far."""
        self._leg = leg
        self._opened = False
        replay = self._replay
        assert replay is not None, "an attempt without the request in hand"
        self._leg_full = not replay.play(leg)
        if self._paused:
            leg.pause()

    def _wait(self, choice: NoChoice, now: float) -> None:
        service = self._service
        if self._deadline is None:
            self._deadline = now + service.config.queue_wait_s
            self._waited_since = now
        self._tries.rest()
        if self._is_gone():
            self._fail(LegFailure("cancelled"))
        elif now >= self._deadline or not service.room.enter(self, choice, self._deadline):
            self._fail(LegFailure("all-full", "every site that has targets is full"))

    def _may_wait_for(self, choice: NoChoice) -> bool:
        """Some full site has not failed this request in another way."""
        out = self._tries.out
        if choice.local_waitable and self._service.site not in out:
            return True
        return any(wait.site not in out for wait in choice.waitable)

    def _fail(self, failure: LegFailure) -> None:
        self._service.timers.at_turn_end(partial(self._finish, failure))

    def _finish(self, failure: LegFailure | None) -> None:
        if self._over:
            return
        self._over = True
        self._forget_sent()
        self._local = None  # It holds us: let no cycle wait for the collector.
        self._count(failure)
        self._handler.done(failure)

    def _count(self, failure: LegFailure | None) -> None:
        """Once per request, here and nowhere else."""
        service = self._service
        now = service.timers.now()
        seconds = now - self._started_at
        if self._waited_since is not None:
            service.counters.queue_wait.observe(now - self._waited_since)
        served_at = SERVED_NOWHERE
        if self._told_opened and self._site is not None:
            served_at = service.name_of(self._site)
            service.note_service_time(seconds)
            if self._overflow_reason:
                service.counters.overflowed(served_at, self._overflow_reason)
        code_class = self._code_class
        if failure is not None:
            if failure.code == "cancelled":
                code_class = "cancelled"
            else:
                code_class = "error" if self._request.protocol == "tcp" else "5xx"
        service.counters.request(served_at, code_class, seconds)

    def _note_answer(self) -> None:
        """The first answer of another site that did not have to wait: about a round trip."""
        if self._asked_at is not None and self._site is not None:
            self._service.note_round_trip(self._site, self._service.timers.now() - self._asked_at)
            self._asked_at = None

    def _end_stand(self, *, turned_away: bool) -> None:
        assert self._standing is not None
        self._service.room.stand_ended(self._standing, turned_away=turned_away)
        self._standing = None

    def _repay_writable(self) -> None:
        if not self._owes_writable or self._leg_full or self._aborted is not None or self._over:
            return
        if not self._opened and self._replay is not None and self._is_held_full(self._replay):
            return
        self._owes_writable = False
        self._handler.writable()

    def _give_up(self, failure: LegFailure) -> None:
        if self._over or self._aborted is not None:
            return
        self._aborted = failure
        if self._leg is not None:
            self._leg.abort()
        else:
            self._service.room.leave(self)
            self._leave_stranded()
            self._fail(failure)

    def _relieve(self) -> None:
        """Memory is short: do without what was sent, or without the request."""
        if self._opened:
            self._forget_sent()
        else:
            self._give_up(LegFailure("overloaded", "this router is short of memory"))

    def _forget_sent(self) -> None:
        """From here on it cannot be sent again."""
        replay, self._replay = self._replay, None
        if replay is not None and replay.size_bytes:
            replay.drop()

    def _is_held_full(self, replay: Replay) -> bool:
        return replay.size_bytes >= limits.REPLAY_BYTES_MAX

    def _is_gone(self) -> bool:
        """A tcp client that finished without ever sending a byte: nobody waits."""
        replay = self._replay
        return self._request.protocol == "tcp" and replay is not None and replay.finished_empty
