"""The targets of one ledger: the count of each, and which of those with room takes the next
request.
"""

from collections.abc import Sequence
from math import inf

import msgspec

from router.balance.rate import Gate
from router.balance.site_gate import RateState, state_of
from router.balance.targets.rotation import next_in_turn, take_turn
from router.balance.targets.sessions import score, seed_of
from router.balance.targets.slow_start import SlowStart
from router.balance.targets.target_latency import LatencyCurve, TimingPace
from router.balance.targets.target_states import LEAVING, READY, UNREADY, TargetAvailability
from router.model import limits
from router.model.capacity import TargetTerms


class TargetState(msgspec.Struct, frozen=True):
    """One target as it is now. ``name``: its own or its connector's; ``capacity`` None: none.

    ``leaving``: it is no longer a target, and finishes its requests in flight.
    """

    target: str
    name: str
    ready: bool
    in_flight: int
    capacity: int | None
    requests_total: int
    rate: RateState | None
    leaving: bool = False


class Target:
    """The count of one target.

    ``capacity``: the slots that it has now, of the ``configured`` or learned ones; fewer while it
    is ``starting``.

    ``latency``, ``pace``: its latency, as far as known, and which requests are timed.
    ``has_trial``: it gets one request to show whether it is still slower than others. Its last
    answer, or trial, was at ``tried_at``, when all targets together had had ``tried_after``
    requests.
    """

    __slots__ = (
        "auto",
        "availability",
        "before",
        "capacity",
        "configured",
        "gate",
        "given_up",
        "has_trial",
        "in_flight",
        "latency",
        "left_unanswered",
        "name",
        "pace",
        "requests_total",
        "seed",
        "starting",
        "target",
        "tried_after",
        "tried_at",
        "turn",
        "was_busy",
        "weight",
    )

    def __init__(self, target: str) -> None:
        self.target = target
        self.seed = seed_of(target)
        self.name = ""
        self.capacity: int | None = None
        self.configured: int | None = None
        self.starting: SlowStart | None = None
        self.availability = UNREADY
        self.auto = False
        self.before = 0  # Slots of it that belong to routers of this site before this one.
        self.gate: Gate | None = None
        self.given_up = 0  # Requests that their clients left before it had completed them.
        self.left_unanswered = 0  # Requests whose time was up before.
        self.in_flight = 0
        self.requests_total = 0
        self.turn = 0
        self.weight = 1
        self.forget_latency()

    def set_terms(self, terms: TargetTerms, gate: Gate | None) -> None:
        """Make it a target, on ``terms``; ``gate``: of its rate. Learned values stay."""
        if self.availability is LEAVING:
            self.availability = UNREADY
        self.name = terms.name
        if not (terms.auto and self.auto):
            self.set_capacity(terms.capacity)
        self.auto = terms.auto
        self.before = terms.before
        self.gate = gate

    def leave(self) -> None:
        """Mark it as no longer a target."""
        self.availability = LEAVING
        self.starting = None  # As for one that is not ready.

    def judge(self, found: TargetAvailability) -> bool:
        """Apply the result ``found`` by checks and failed requests; a removed target ignores it.

        Returns whether the availability changed.
        """
        before = self.availability
        if before is found or before is LEAVING:
            return False
        if found is READY:
            self.forget_latency()
        else:
            self.end_slow_start()
        self.availability = found
        return True

    def forget_latency(self) -> None:
        """Forget its latency: it may be another one now."""
        self.latency = LatencyCurve()
        self.pace = TimingPace(self.requests_total)
        self.has_trial = False
        self.was_busy = False
        """The last timed request was answered "too busy"."""
        self.tried_at = 0.0
        self.tried_after = 0

    @property
    def ended(self) -> int:
        """How many requests ended, those aside that clients left."""
        return self.requests_total - self.in_flight - self.given_up

    @property
    def completed(self) -> int:
        """As `ended`, without those that it left unanswered until their time was up."""
        return self.ended - self.left_unanswered

    def give_up(self, *, by_client: bool) -> None:
        """A request ends in this turn before the target had completed it: its client left, or its
        time was up."""
        if by_client:
            self.given_up += 1
        else:
            self.left_unanswered += 1

    def tried(self, now: float, granted: int) -> None:
        """The target has just answered, or will have its trial; ``granted``: as ``tried_after``."""
        self.tried_at, self.tried_after = now, granted

    def offer_trial(self, now: float, granted: int) -> None:
        """Make the next request a trial, if the last answer or trial was long enough ago."""
        waited_s = now - self.tried_at
        if waited_s > limits.TARGET_TRIAL_S and (
            granted - self.tried_after >= limits.TARGET_TRIAL_REQUESTS
            or waited_s > limits.TARGET_TRIAL_S_MAX
        ):
            self.has_trial = bool(self.latency.expected)
            self.tried(now, granted)

    def start_slowly(self, now: float) -> bool:
        """The target has just become ready: few of its slots at first. False: it has so
        few anyway.
        """
        self.starting = SlowStart(self.completed, now)
        self.set_capacity(self.configured)
        return self.starting is not None

    def grow(self, now: float) -> bool:
        """True: it starts slowly, and has more slots now."""
        if self.starting is None or not self.starting.grow(self.completed, now):
            return False
        self.set_capacity(self.configured)
        return True

    def end_slow_start(self) -> None:
        """The target has all of its slots from now on."""
        self.starting = None
        self.capacity = self.configured

    def set_capacity(self, configured: int | None) -> None:
        """Set its slots; it may not have all of them yet."""
        self.configured = self.capacity = configured
        if self.starting is not None:
            if configured is None or self.starting.slots >= configured:
                self.starting = None
            else:
                self.capacity = self.starting.slots

    def state(self, now: float) -> TargetState:
        """The state that users see."""
        return TargetState(
            target=self.target,
            name=self.name,
            ready=self.availability is READY,
            in_flight=self.in_flight,
            capacity=self.configured,
            requests_total=self.requests_total,
            rate=None if self.gate is None else state_of(self.gate, now),
            leaving=self.availability is LEAVING,
        )

    def has_room(self) -> bool:
        """The target has a free slot, rates apart."""
        return self.capacity is None or self.in_flight < self.capacity

    def takes_one(self, now: float) -> bool:
        """The target has a free slot, and its rate admits one more."""
        if self.capacity is not None and self.in_flight >= self.capacity:
            return False
        return self.gate is None or self.gate.free(now) > 0

    def used(self, now: float) -> float:
        """The used part of its capacity: the greater of slots and rate."""
        of_slots = self.in_flight / self.capacity if self.capacity else 0.0
        return of_slots if self.gate is None else max(of_slots, self.gate.used(now))


def best_for(session: int, ready: Sequence[Target]) -> Target | None:
    """The target of ``session`` among those with room; None: none has."""
    roomy = [one for one in ready if one.has_room()]
    return max(roomy, key=lambda one: score(session, one.seed, one.weight), default=None)


def next_with_room(ready: Sequence[Target]) -> Target | None:
    """The next in turn among those with a free slot; None: none has."""
    roomy = [one for one in ready if one.has_room()]
    return take_turn(roomy) if roomy else None


def least_used(roomy: Sequence[Target], now: float, *, moves: bool = True) -> Target:
    """The least used of those that take one more, by slots and rates. ``moves``: the
    turn is taken.
    """
    if len(roomy) == 1:
        return roomy[0]
    if all(one.capacity is not None or one.gate is not None for one in roomy):
        shares = [one.used(now) for one in roomy]
    else:
        shares = [float(one.in_flight) for one in roomy]
    least = min(shares)
    tied = [one for one, share in zip(roomy, shares, strict=True) if share == least]
    return take_turn(tied) if moves else next_in_turn(tied)


def least_loaded(ready: Sequence[Target], *, relative: bool, moves: bool = True) -> Target | None:
    """The least loaded of those with a free slot; None: none has. ``relative``: each has a number
    of slots. ``moves``: the turn is taken.
    """
    least = inf
    tied: list[Target] = []
    for one in ready:
        capacity = one.capacity
        share: float = one.in_flight
        if capacity is not None:
            if share >= capacity:
                continue
            if relative:
                share /= capacity
        if share < least:
            least = share
            tied = [one]
        elif share == least:
            tied.append(one)
    if not tied:
        return None
    return take_turn(tied) if moves else next_in_turn(tied)
