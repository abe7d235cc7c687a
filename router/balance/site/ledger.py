"""In-flight counts of the targets of one service port at this site, and who may have a slot."""

from collections.abc import Callable, Mapping, Sequence

from router.balance.site.ledger_figures import LedgerFigures
from router.balance.site.slots import Denied, Outcome, Slot
from router.balance.site_gate import gate_for
from router.balance.targets.rotation import forget_turns, next_in_turn, take_turn
from router.balance.targets.target import (
    Target,
    best_for,
    least_loaded,
    least_used,
    next_with_room,
)
from router.balance.targets.target_choice import (
    TargetReport,
    busy_counts_s,
    cold_ones,
    target_reports,
)
from router.balance.targets.target_order import TargetOrder
from router.balance.targets.target_states import EJECTED, LEAVING, READY, UNREADY
from router.model.capacity import TargetTerms

# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
_IN_TURN, _COLD_FIRST = TargetOrder.IN_TURN, TargetOrder.COLD_FIRST


class LocalLedger(LedgerFigures):
    """The ledger of a router that owns all its targets.

    Least in flight relative to capacity first, ties by smooth rotation weighted by capacity. When a
    ready target has no configured capacity, shares cannot be compared: then plain least in flight,
    each in its turn. Targets that answer later than others come after all of these
    (`target_choice`). A session has a fixed target, by `sessions.score`, and the next best one
    while that target has no room. O(ready targets) per slot. After `set_in_turn` those with room
    take turns.

    Rates and the site's cap apply besides slots: a request is admitted by all of them or by none. A
    permit is spent with its slot, and only time brings it back: a request that never reached its
    target has spent one too, so that failures let no more through.
    """

    __slots__ = ()

    def follow_choices(self, time_next: Callable[[], None]) -> None:
        """Call ``time_next`` before the slot of a request that should be timed is given; `answered`
        must follow. The choice of targets uses these times.
        """
        self._time_next = time_next

    def set_targets(self, targets: Mapping[str, TargetTerms]) -> None:
        """Make ``targets`` (by ``host:port``) the wanted ones.

        New ones start not ready. Removed ones admit no more, finish their requests and vanish. A
        limit below the number in flight ends nothing; the target admits again once below it. Room
        may appear: a caller with waiting requests asks for slots afterwards.
        """
        for address, terms in targets.items():
            one = self._targets.get(address)
            if one is None:
                one = self._targets[address] = Target(address)
            one.set_terms(terms, gate_for(terms.rate, one.gate, self._demands))
        for address in self._targets.keys() - targets.keys():
            one = self._targets[address]
            one.leave()
            if not one.in_flight:
                del self._targets[address]
        self._recount()

    def set_ready(self, target: str, ready: bool, *, ejected: bool = False) -> None:
        """Store the result of health checks, or that failed requests ``ejected`` the target.

        The late result of an unknown or removed target is dropped.
        """
        one = self._targets.get(target)
        found = READY if ready else EJECTED if ejected else UNREADY
        if one is not None and one.judge(found):
            self._recount()

    def set_slots(self, target: str, slots: int) -> None:
        """Set the learned slots of ``target``. If there is room now, serve waiting requests."""
        one = self._targets.get(target)
        if one is not None and one.auto and one.availability is not LEAVING:
            one.set_capacity(slots)
            self._recount()

    def start_slowly(self, target: str, now: float) -> bool:
        """``target`` has just become ready: it gets few of its slots at first. False: it has so few
        anyway, or learned or unlimited ones.
        """
        one = self._targets.get(target)
        if one is None or one.availability is not READY or one.auto or one.configured is None:
            return False
        has_few = one.start_slowly(now)
        self._recount()
        return has_few

    def grow(self, now: float) -> bool:
        """Call each `limits.SLOW_START_STEP_S` while `is_starting`; True: there is more room."""
        grown = [one for one in self._ready if one.grow(now)]
        if grown:
            self._recount()
        return bool(grown)

    def end_slow_starts(self) -> None:
        """Give all targets all of their slots; otherwise a request would be refused."""
        for one in self._ready:
            one.end_slow_start()
        self._recount()

    def set_in_turn(self, in_turn: bool) -> None:
        """Whether targets with room serve in turn, all alike, whatever their load (policy
        `spread`).

        Least loaded first would not give each the same: the only idle target would get a request
        out of turn, and where clients and answers keep step that may be the same one forever.
        """
        if in_turn != (self.order is _IN_TURN):
            self.order = _IN_TURN if in_turn else self._least_loaded()
            forget_turns(self._targets.values())
            self._recount()

    def _least_loaded(self) -> TargetOrder:
        """The order while targets do not serve in turn."""
        is_known = any(one.latency.expected for one in self._targets.values())
        return _COLD_FIRST if is_known else TargetOrder.LEAST_LOADED

    def target_of(self, session: int) -> str | None:
        """The target that `try_acquire` would choose for ``session`` now; None: none has room."""
        chosen = best_for(session, self._ready)
        return chosen.target if chosen is not None else None

    def try_acquire(  # noqa: C901 - One path without further calls: once per request.
        self,
        now: float,
        exclude: frozenset[str] = frozenset(),
        session: int = 0,
        *,
        moves: bool = False,
    ) -> Outcome:
        """A slot of the least loaded ready target not in ``exclude`` (``host:port``), or why not.

        ``moves``: for a request that this site has admitted already, and that gives its slot back.
        It spends a permit of its new target; that of the old one stays spent. With a ``session``: a
        slot of the session's target among those with room. Never blocks.
        """
        if self.rated:
            return self._acquire_rated(now, exclude, session, moves=moves)
        ready: Sequence[Target] = self._ready
        chosen = self._sole
        if exclude:
            ready = [one for one in ready if one.target not in exclude]
            chosen = ready[0] if len(ready) == 1 else None
        if not ready:
            return Denied.NO_TARGET
        if not self._roomy:
            return Denied.FULL
        if chosen is not None:
            pass
        elif session:
            chosen = best_for(session, ready)
        elif self.order is _IN_TURN:
            chosen = next_with_room(ready)
        else:
            if self.order is _COLD_FIRST:
                ready = cold_ones(ready)
            chosen = least_loaded(ready, relative=self.sums.all_stated)
            if chosen is not None:
                self._granted += 1
                chosen.has_trial = False
                if chosen.requests_total >= chosen.pace.due_at:
                    chosen.pace.asked(chosen.requests_total)
                    self._time_next()
        if chosen is None:
            return Denied.FULL
        capacity = chosen.capacity
        if capacity is not None and chosen.in_flight >= capacity:
            return Denied.FULL
        chosen.in_flight += 1
        chosen.requests_total += 1
        self.in_flight += 1
        self.load += 1
        if chosen.in_flight == capacity:
            self._roomy -= 1
        if not self.news.is_told:
            self.news.note()
        return Slot(chosen.target, chosen, self, None, now)

    def _acquire_rated(
        self, now: float, exclude: frozenset[str], session: int, *, moves: bool
    ) -> Outcome:
        """As `try_acquire`, where permits count besides slots."""
        ready = [one for one in self._ready if one.target not in exclude]
        if not ready:
            return Denied.NO_TARGET
        site = self._site
        if not moves and not site.has_room(self.load, now):
            return Denied.FULL
        roomy = [one for one in ready if one.takes_one(now)]
        if not roomy:
            return Denied.FULL
        chosen = best_for(session, roomy) if session else None
        if chosen is None:
            if self.order is _IN_TURN:
                chosen = take_turn(roomy)
            else:
                chosen = least_used(cold_ones(roomy) if self.order is _COLD_FIRST else roomy, now)
                self._granted += 1
                chosen.has_trial = False
                if len(ready) > 1 and chosen.requests_total >= chosen.pace.due_at:
                    chosen.pace.asked(chosen.requests_total)
                    self._time_next()
        if chosen.gate is not None:
            chosen.gate.take(now)
        if site.gate is not None and not moves:
            site.gate.take(now)
        chosen.in_flight += 1
        chosen.requests_total += 1
        self.in_flight += 1
        if self.load < site.slots:
            self.load += 1
        else:  # It moves here from another target.
            self._above_cap += 1
            self.recounts += 1
        if chosen.in_flight == chosen.capacity:
            self._roomy -= 1
        if not self.news.is_told:
            self.news.note()
        return Slot(chosen.target, chosen, self, None, now)

    def answered(self, target: str, latency_s: float | None, in_flight: int, now: float) -> None:
        """Record a timed request, as in `LatencyCurve.add`. A removed target's is dropped.

        ``latency_s`` None: the target answered that it is too busy.
        """
        one = self._targets.get(target)
        if one is None or one.availability is not READY:
            return
        curve = one.latency
        one.pace.answered(now - curve.answered_at)
        one.was_busy = latency_s is None
        if latency_s is None:
            latency_s = busy_counts_s(one, self._ready)
            if latency_s is None:
                return
        curve.add(latency_s, in_flight, now)
        one.tried(now, self._granted)
        if self.order is not _IN_TURN:
            self.order = _COLD_FIRST
        for other in self._ready:
            other.offer_trial(now, self._granted)

    def target_reports(self, now: float) -> list[TargetReport]:
        """Which ready target would get the next request now, and why; changes nothing.

        For a request without a session. By the same code as `try_acquire`.
        """
        ready: Sequence[Target] = self._ready
        if self.rated:
            ready = [one for one in ready if one.takes_one(now)]
        chosen: Target | None = None
        if self.order is _IN_TURN:
            roomy = [one for one in ready if one.has_room()]
            chosen = next_in_turn(roomy) if roomy else None
        else:
            if self.order is _COLD_FIRST:
                ready = cold_ones(ready)
            if not self.rated:
                chosen = least_loaded(ready, relative=self.sums.all_stated, moves=False)
            elif ready:
                chosen = least_used(ready, now, moves=False)
        return target_reports(self._ready, ready, chosen)

    def give_back(self, slot: Slot) -> None:
        """The slot's request is over: call once. In the same step the free slot goes to a waiting
        request.
        """
        assert slot.ledger is self, "slot released twice"
        slot.ledger = None
        if slot.borrower is not None:
            slot.borrower.held -= 1
        one = slot.held_of
        held = one.in_flight
        assert held > 0, "release without acquire"
        one.in_flight = held - 1
        self.in_flight -= 1
        if one.availability is READY:
            capacity = one.capacity
            if capacity is None or held <= capacity:
                if self._above_cap:
                    self._above_cap -= 1
                    self.recounts += 1
                else:
                    self.load -= 1
                if held == capacity:
                    self._roomy += 1
            else:  # It was above a lowered limit, and that part is no load.
                self.recounts += 1
        else:
            self.recounts += 1
            if one.availability is LEAVING and held == 1:
                del self._targets[one.target]
        if self._in_line:
            self._serve()
        if not self.news.is_told:
            self.news.note()
