"""In-flight counts of the targets of one service port at this site, and who may have a slot."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from math import inf

import msgspec

from router.balance.lending import Borrower, Lending
from router.balance.rotation import next_in_turn, take_turn
from router.balance.site_gate import Demands, RateState, SiteGate, gate_for, load_of, site_rate
from router.balance.slow_start import SlowStart
from router.balance.spills import LocalTargets
from router.balance.target import (
    Target,
    TargetState,
    best_for,
    least_loaded,
    least_used,
    next_with_room,
)
from router.balance.target_choice import TargetReport, cold_ones, target_reports
from router.model import limits
from router.model.adverts import RateLoad
from router.model.capacity import LendingTerms, SiteCap, TargetTerms
from router.model.ids import SiteId


class Denied(Enum):
    """Why there is no slot."""

    FULL = "full"  # Ready targets exist, none has room.
    NO_TARGET = "no-target"  # No ready target, or none that is not excluded.
    PENDING = "pending"  # A shared ledger is asking its owner; it answers later.


class Slot(msgspec.Struct, eq=False):
    """Leave to have one request or connection at ``target`` (``host:port``).

    One per request, hence a struct: it is made in C.
    """

    target: str
    held_of: Target
    ledger: "LocalLedger | None"
    """Who gave it; None: it is given back."""
    borrower: Borrower | None = None
    """The neighbor that it counts for; None: it counts for none."""

    @property
    def in_flight(self) -> int:
        """Slots held at its target, this one included."""
        return self.held_of.in_flight

    @property
    def is_good(self) -> bool:
        """Its target is ready still: neither down nor removed."""
        return self.held_of.ready

    def release(self, now: float) -> None:
        """Give it back, exactly once; a second time is an AssertionError."""
        ledger = self.ledger
        assert ledger is not None, "slot released twice"
        ledger.give_back(self)


Outcome = Slot | Denied


class LocalLedger:
    """The ledger of a router that owns all its targets.

    Least in flight relative to capacity first, ties by smooth rotation weighted by capacity. When
    a ready target states no capacity, shares cannot be compared: plain least in flight, each in
    its turn. Targets that answer later than others come after all of these (`target_choice`). A
    session has a target of its own, by `sessions.score`, and the next best one while
    that has no room. O(ready targets) per slot. After `set_in_turn` those with room take turns.

    Rates and the site's cap hold beside slots: a request is let in by all of them or by none. A
    permit is spent when its slot is given, and by time alone it comes back: what failed to reach
    its target has spent it too, so that no failure lets more through.
    """

    __slots__ = (
        "_all_stated",
        "_compares",
        "_demands",
        "_granted",
        "_in_turn",
        "_ready",
        "_roomy",
        "_site",
        "_sole",
        "_targets",
        "abandoned",
        "ask",
        "capacity",
        "configured_capacity",
        "hand",
        "in_flight",
        "is_drained",
        "is_starting",
        "learns",
        "lending",
        "lent",
        "load",
        "most_for_one",
        "rated",
        "recounts",
        "reserved",
        "targets_ejected",
        "targets_ready",
        "time_next",
    )

    def __init__(self) -> None:
        self._demands = Demands()
        self._site = SiteGate()
        self.rated = False
        """A rate or a site's cap holds. Then whoever brings a request must `ask` for it first."""
        self.ask = self._demands.ask
        """Told ``now``: a request is asked for, wherever it will be served."""
        self.hand = self._demands.hand
        """Told ``now`` after `ask`: the request came from another router of this site."""
        self._targets: dict[str, Target] = {}
        self._ready: list[Target] = []
        self._sole: Target | None = None  # The one of `_ready`, if it is one.
        self._roomy = 0  # Ready targets with room.
        self._all_stated = True
        self._in_turn = False
        self._granted = 0  # Slots of targets that were chosen among several.
        self._compares = False  # Of some target it is known how soon it answers.
        self.time_next: Callable[[], None] = _nothing
        """Told before a slot is given whose request should be timed, and be `answered`."""
        # Plain attributes, read several times per request; nobody else writes them.
        self.capacity: int | None = None
        """The sum over ready targets; None: none of them states one."""
        self.configured_capacity: int | None = None
        """The same, but for targets that have fewer slots for now, since they start slowly."""
        self.is_starting = False
        """Some ready target does."""
        self.in_flight = 0
        """All slots held."""
        self.lent = 0
        """Of these, those that clients of other sites hold: whoever serves them counts them."""
        self.abandoned = 0
        """Slots held for requests that were given up: targets may still work on them."""
        self.load = 0
        """Slots held of ready targets, of each up to its capacity."""
        self.targets_ready = self.targets_ejected = 0
        self.is_drained = False
        """An operator lets this site take nothing new of the service."""
        self.recounts = 0
        """Another number once anything but ``load`` may have changed; of what rates do apart."""
        self.learns = False
        """Some of `capacity` is learnt, and changes often: it is nothing to bind others to."""
        self.lending: Lending | None = None
        """What clients of other sites may have of the slots; None: each of them, as everyone."""
        self.reserved = 0
        """Of `capacity`, the slots that clients of other sites never get."""
        self.most_for_one: int | None = None
        """How many slots one neighbor holds at once; None: any number."""

    @property
    def beyond(self) -> int:
        """In flight besides `load`: above a lowered capacity, at targets that are down or removed.

        `recounts` is another number whenever it changes.
        """
        return self.in_flight - self.load

    @property
    def is_full(self) -> bool:
        """Ready targets exist, and none has a free slot or the site has none."""
        return bool(self._ready) and (not self._roomy or self.load >= self._site.slots)

    def has_room_at(self, now: float) -> bool:
        """Some ready target takes one more, and so does the site."""
        if not self.rated:
            return self._roomy > 0
        return self._site.has_room(self.load, now) and any(
            one.takes_one(now) for one in self._ready
        )

    def next_room_at(self, now: float) -> float:
        """When, slots apart, the rates let in the next request: ``now`` or later.

        Infinite: only a slot that is given back makes room.
        """
        if not self.rated or self.load >= self._site.slots:
            return inf
        roomy = [one.gate for one in self._ready if one.has_room()]
        at = min((now if gate is None else gate.free_at(now) for gate in roomy), default=inf)
        return at if self._site.gate is None else max(at, self._site.gate.free_at(now))

    def rate_load(self, now: float) -> RateLoad | None:
        """What decisions and other sites need of `rate_state`."""
        if not self.rated:
            return None
        return load_of([one.gate for one in self._ready], self._site, now)

    def rate_state(self, now: float) -> RateState | None:
        """The rate of the whole; None: none is stated, or not of all targets."""
        if not self.rated:
            return None
        return site_rate([one.gate for one in self._ready], self._site, now)

    @property
    def rate_per_s(self) -> float | None:
        """The most that is taken a second; None: no rate is stated of the whole."""
        if not self.rated:
            return None
        gates = [one.gate for one in self._ready]
        sums = [gate.rate.per_s for gate in gates if gate is not None]
        whole = [sum(sums)] if sums and len(sums) == len(gates) else []
        if self._site.gate is not None:
            whole.append(self._site.gate.rate.per_s)
        return min(whole, default=None)

    @property
    def site_cap(self) -> SiteCap | None:
        """As `set_site_cap` was told."""
        return self._site.cap

    def set_site_cap(self, cap: SiteCap | None) -> None:
        """What this site takes over all its targets. Ends nothing that is in flight."""
        self._site.set(cap, self._demands)
        self._recount()

    def set_lending(self, terms: LendingTerms | None, own: SiteId) -> None:
        """What this site, ``own``, lends of its slots; None: all of them. Ends nothing."""
        if terms is None:
            self.lending, self.reserved, self.most_for_one = None, 0, None
            return
        if self.lending is None:
            self.lending = Lending(own, terms)
        self.lending.terms = terms
        self._recount_lending(self.lending)

    def set_drained(self, is_drained: bool) -> None:
        """Whether this site takes nothing new of the service because an operator said so."""
        self.is_drained = is_drained
        self._recount()

    def targets(self, now: float) -> list[TargetState]:
        """All targets, the removed ones that still have requests in flight included."""
        return [one.state(now) for one in self._targets.values()]

    @property
    def local_targets(self) -> LocalTargets:
        """How many there are, removed ones left out, and how they stand."""
        total = sum(one.wanted for one in self._targets.values())
        return LocalTargets(total, self.targets_ready, self.targets_ejected)

    def standing(self) -> dict[str, bool]:
        """Of all `targets`, whether each is ready."""
        return {address: one.ready for address, one in self._targets.items()}

    def full_targets(self) -> Iterator[tuple[str, int]]:
        """Ready targets without a free slot, with how many requests each has completed."""
        for address, one in self._targets.items():
            if one.ready and one.in_flight and not one.has_room():
                yield address, one.completed

    def completed_by(self, address: str) -> int | None:
        """How many requests one target has completed; None: it is not ready."""
        one = self._targets.get(address)
        return one.completed if one is not None and one.ready else None

    def set_targets(self, targets: Mapping[str, TargetTerms]) -> None:
        """Make ``targets`` (by ``host:port``) the wanted ones.

        New ones start not ready. Removed ones admit no more, finish what they have and vanish. A
        limit below what is in flight ends nothing; the target admits again once below it. Room may
        appear: whoever has waiters asks for them afterwards.
        """
        for address, terms in targets.items():
            one = self._targets.get(address)
            if one is None:
                one = self._targets[address] = Target(address)
            one.wanted = True
            one.name = terms.name
            if not (terms.auto and one.auto):  # What is learnt already stays.
                one.set_capacity(terms.capacity)
            one.auto = terms.auto
            one.before = terms.before
            one.gate = gate_for(terms.rate, one.gate, self._demands)
        for address in self._targets.keys() - targets.keys():
            one = self._targets[address]
            one.wanted = one.ready = one.ejected = False
            if not one.in_flight:
                del self._targets[address]
        self._recount()

    def set_ready(self, target: str, ready: bool, *, ejected: bool = False) -> None:
        """What health checks found, or that failed requests ``ejected`` it.

        An unknown or removed target's late result is dropped.
        """
        one = self._targets.get(target)
        if one is not None and one.wanted and (one.ready, one.ejected) != (ready, ejected):
            if ready:
                one.forget_latency()
            else:
                one.starting = None
                one.set_capacity(one.configured)
            one.ready, one.ejected = ready, ejected
            self._recount()

    def set_slots(self, target: str, slots: int) -> None:
        """Set the learned slots of ``target``. If there is room now, serve waiting requests."""
        one = self._targets.get(target)
        if one is not None and one.auto and one.wanted:
            one.set_capacity(slots)
            self._recount()

    def start_slowly(self, target: str, now: float) -> bool:
        """``target`` has just become ready: it gets few of its slots at first. False: it has so few
        anyway, or learned or unlimited ones."""
        one = self._targets.get(target)
        if one is None or not one.ready or one.auto or one.configured is None:
            return False
        one.starting = SlowStart(one.completed, now)
        one.set_capacity(one.configured)
        self._recount()
        return one.starting is not None

    def grow(self, now: float) -> bool:
        """To be asked each `limits.SLOW_START_STEP_S` while `is_starting`; True: there is more
        room."""
        grown = False
        for one in self._ready:
            start = one.starting
            if start is not None and start.grow(one.completed, now):
                one.set_capacity(one.configured)
                grown = True
        if grown:
            self._recount()
        return grown

    def end_slow_starts(self) -> None:
        """All targets get all of their slots: else somebody would be refused."""
        for one in self._ready:
            one.starting = None
            one.set_capacity(one.configured)
        self._recount()

    def set_in_turn(self, in_turn: bool) -> None:
        """Whether targets with room serve in turn, all alike, whatever they have (policy `spread`).

        The least loaded first would not give each the same: whoever was the only idle one has had
        no turn, and where clients and answers keep step that may be the same one for ever.
        """
        if in_turn != self._in_turn:
            self._in_turn = in_turn
            for one in self._targets.values():
                one.turn = 0
            self._recount()

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
        """A slot of the session's or the least loaded ready target, FULL, or NO_TARGET."""
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
        elif self._in_turn:
            chosen = next_with_room(ready)
        else:
            if self._compares:
                ready = cold_ones(ready)
            chosen = least_loaded(ready, relative=self._all_stated)
            if chosen is not None:
                self._granted += 1
                chosen.has_trial = False
                if chosen.requests_total >= chosen.pace.due_at:
                    chosen.pace.asked(chosen.requests_total)
                    self.time_next()
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
        return Slot(chosen.target, chosen, self)

    def _acquire_rated(
        self, now: float, exclude: frozenset[str], session: int, *, moves: bool
    ) -> Outcome:
        """As `try_acquire`, where permits count beside slots."""
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
            if self._in_turn:
                chosen = take_turn(roomy)
            else:
                chosen = least_used(cold_ones(roomy) if self._compares else roomy, now)
                self._granted += 1
                chosen.has_trial = False
                if len(ready) > 1 and chosen.requests_total >= chosen.pace.due_at:
                    chosen.pace.asked(chosen.requests_total)
                    self.time_next()
        if chosen.gate is not None:
            chosen.gate.take(now)
        if site.gate is not None and not moves:
            site.gate.take(now)
        chosen.in_flight += 1
        chosen.requests_total += 1
        self.in_flight += 1
        self.load += 1
        if chosen.in_flight == chosen.capacity:
            self._roomy -= 1
        return Slot(chosen.target, chosen, self)

    def answered(self, target: str, latency_s: float, in_flight: int, now: float) -> None:
        """A request that was timed: as of `LatencyCurve.add`. A removed target's is dropped."""
        one = self._targets.get(target)
        if one is None or not one.ready:
            return
        curve = one.latency
        one.pace.answered(now - curve.answered_at)
        curve.add(latency_s, in_flight, now)
        one.tried_at, one.tried_after = now, self._granted
        self._compares = True
        for other in self._ready:
            waited_s = now - other.tried_at
            if waited_s > limits.TARGET_TRIAL_S and (
                self._granted - other.tried_after >= limits.TARGET_TRIAL_REQUESTS
                or waited_s > limits.TARGET_TRIAL_S_MAX
            ):
                other.has_trial = bool(other.latency.expected)
                other.tried_at, other.tried_after = now, self._granted

    def target_reports(self, now: float) -> list[TargetReport]:
        """Which ready target would get the next request now, and why; changes nothing.

        Of none that belongs to a session. By the same code as `try_acquire`.
        """
        ready: Sequence[Target] = self._ready
        if self.rated:
            ready = [one for one in ready if one.takes_one(now)]
        chosen: Target | None = None
        if self._in_turn:
            roomy = [one for one in ready if one.has_room()]
            chosen = next_in_turn(roomy) if roomy else None
        else:
            if self._compares:
                ready = cold_ones(ready)
            if not self.rated:
                chosen = least_loaded(ready, relative=self._all_stated, moves=False)
            elif ready:
                chosen = least_used(ready, now, moves=False)
        return target_reports(self._ready, ready, chosen)

    def give_back(self, slot: Slot) -> None:
        """Its request is over: once."""
        assert slot.ledger is self, "slot released twice"
        slot.ledger = None
        if slot.borrower is not None:
            slot.borrower.held -= 1
        one = slot.held_of
        assert one.in_flight > 0, "release without acquire"
        one.in_flight -= 1
        self.in_flight -= 1
        if one.ready:
            capacity = one.capacity
            if capacity is None or one.in_flight < capacity:
                self.load -= 1
                if one.in_flight + 1 == capacity:
                    self._roomy += 1
            else:  # It was above a lowered limit, and that part is no load.
                self.recounts += 1
        else:
            self.recounts += 1
            if not one.wanted and not one.in_flight:
                del self._targets[one.target]

    def _recount(self) -> None:
        """Sums over targets, after a change of targets, readiness or capacity."""
        self.recounts += 1
        self._ready = [one for one in self._targets.values() if one.ready]
        self.targets_ready = len(self._ready)
        self.targets_ejected = sum(one.ejected for one in self._targets.values())
        self._sole = self._ready[0] if self.targets_ready == 1 else None
        self.learns = any(one.auto for one in self._ready)
        self.is_starting = any(one.starting is not None for one in self._ready)
        stated = [one.capacity for one in self._ready if one.capacity is not None]
        self._all_stated = len(stated) == len(self._ready)
        is_weighed = self._all_stated and not self._in_turn
        for one in self._ready:
            one.weight = max(1, one.capacity or 1) if is_weighed else 1
        self.capacity = sum(stated) if stated else None
        self.configured_capacity = (
            sum([one.configured or 0 for one in self._ready]) if stated else None
        )
        self.load = sum(
            one.in_flight if one.capacity is None else min(one.in_flight, one.capacity)
            for one in self._ready
        )
        self._roomy = sum(one.has_room() for one in self._ready)
        self._recount_rates()

    def _recount_rates(self) -> None:
        """What each gate is asked for: of the whole demand a share as its rate is."""
        site = self._site
        gates = [one.gate for one in self._ready if one.gate is not None]
        whole = sum(gate.rate.per_s for gate in gates)
        for gate in gates:
            gate.share = gate.rate.per_s / whole
        self.rated = bool(gates) or site.cap is not None
        if site.cap is not None and site.cap.slots is not None and self._ready:
            whole_slots = self.capacity if self._all_stated else None
            slots = site.cap.slots
            self.capacity = slots if whole_slots is None else min(slots, whole_slots)
            if whole_slots is None or self.configured_capacity is None:
                self.configured_capacity = slots
            else:
                self.configured_capacity = min(slots, self.configured_capacity)
        known = [one.gate for one in self._targets.values()]
        if site.gate is not None:
            known.append(site.gate)
        self._demands.keep(gate.rate.window_s for gate in known if gate is not None)
        if self.lending is not None:
            self._recount_lending(self.lending)

    def _recount_lending(self, lending: Lending) -> None:
        """The slots have a number where all targets state one, or the site has a cap of slots."""
        slots, cap = self.capacity, self._site.slots
        parts: list[tuple[int, int]] = []
        if self._all_stated and self._ready:
            of_targets = sum([one.capacity or 0 for one in self._ready])
            parts.append((of_targets, sum([one.before for one in self._ready])))
        if cap < inf and self._ready:
            parts.append((int(cap), lending.terms.capped_before))
        lending.recount(parts)
        self.reserved = 0
        if slots is not None and lending.limit < slots:
            self.reserved = slots - int(lending.limit)
        self.most_for_one = None if lending.most == inf else int(lending.most)


def _nothing() -> None:
    pass
