"""The ledger under any order of acquire, release, removal, readiness, slow start, new limits."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Denied, Slot
from router.model import limits
from router.model.capacity import TargetTerms
from tests.examples import examples

ADDRESSES = ["a:1", "b:1", "c:1"]
CAPACITIES = st.sampled_from([None, 0, 1, 2, 4, 9])
TARGETS = st.dictionaries(st.sampled_from(ADDRESSES), CAPACITIES)
EXCLUDED = st.frozensets(st.sampled_from(ADDRESSES), max_size=2)


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.ledger = LocalLedger()
        self.wanted: dict[str, int | None] = {}
        self.ready: set[str] = set()
        self.slots: list[Slot] = []
        self.now = 0.0
        self.completed: dict[str, int] = {}
        self.starting: dict[str, tuple[int, int, float]] = {}
        """Slots for now, of how many completed requests, since when."""

    def slots_of(self, address: str) -> int | None:
        """That it has now."""
        capacity = self.wanted[address]
        if capacity is not None and address in self.starting:
            return min(capacity, self.starting[address][0])
        return capacity

    def note_over(self) -> None:
        """A slow start is over with all that is configured, or the target's readiness."""
        for address in list(self.starting):
            capacity = self.wanted.get(address)
            over = capacity is None or self.starting[address][0] >= capacity
            if over or address not in self.ready:
                del self.starting[address]
        for address in self.completed.keys() - self.wanted.keys():
            if not self.held(address):
                del self.completed[address]

    def held(self, address: str) -> int:
        return sum(slot.target == address for slot in self.slots)

    def has_room(self, address: str) -> bool:
        slots = self.slots_of(address)
        return slots is None or self.held(address) < slots

    @rule(wanted=TARGETS)
    def renew_targets(self, wanted: dict[str, int | None]) -> None:
        self.change_targets(wanted)
        for address in wanted:
            self.change_readiness(address, True)

    @rule(wanted=TARGETS)
    def change_targets(self, wanted: dict[str, int | None]) -> None:
        self.ledger.set_targets(
            {one: TargetTerms(name="web", capacity=capacity) for one, capacity in wanted.items()}
        )
        self.wanted = wanted
        self.ready &= wanted.keys()
        self.note_over()

    @rule(capacity=CAPACITIES)
    def change_limits(self, capacity: int | None) -> None:
        self.change_targets(dict.fromkeys(self.wanted, capacity))

    @rule(address=st.sampled_from(ADDRESSES), ready=st.sampled_from([True, True, False]))
    def change_readiness(self, address: str, ready: bool) -> None:
        self.ledger.set_ready(address, ready)
        if address in self.wanted and ready:
            self.ready.add(address)
        else:
            self.ready.discard(address)
        self.note_over()

    @rule(address=st.sampled_from(ADDRESSES))
    def start_slowly(self, address: str) -> None:
        is_starting = self.ledger.start_slowly(address, self.now)
        if address in self.ready and self.wanted[address] is not None:
            completed = self.completed.get(address, 0)
            self.starting[address] = limits.SLOW_START_SLOTS, completed, self.now
            self.note_over()
        assert is_starting == (address in self.starting)

    @rule(later_s=st.sampled_from([0.0, limits.SLOW_START_STEP_S, limits.SLOW_START_S]))
    def grow(self, later_s: float) -> None:
        self.now += later_s
        grown = False
        for address, (slots, completed, since) in list(self.starting.items()):
            now_completed = self.completed.get(address, 0)
            if now_completed != completed or self.now - since >= limits.SLOW_START_S:
                self.starting[address] = 2 * slots, now_completed, self.now
                grown = True
        self.note_over()
        assert self.ledger.grow(self.now) == grown

    @rule()
    def end_slow_starts(self) -> None:
        self.ledger.end_slow_starts()
        self.starting = {}

    @rule(times=st.integers(1, 6))
    def acquire_some(self, times: int) -> None:
        for _ in range(times):
            self.acquire(frozenset())

    @rule(exclude=EXCLUDED)
    def acquire(self, exclude: frozenset[str]) -> None:
        outcome = self.ledger.try_acquire(0.0, exclude)
        usable = self.ready - exclude
        if isinstance(outcome, Slot):
            assert outcome.target in usable
            assert self.has_room(outcome.target), "admitted above the capacity"
            self.slots.append(outcome)
        elif outcome is Denied.FULL:
            assert usable
            assert not any(map(self.has_room, usable)), "a free slot was denied"
        else:
            assert outcome is Denied.NO_TARGET
            assert not usable

    @rule(which=st.integers(0, 1_000))
    def release(self, which: int) -> None:
        if self.slots:
            slot = self.slots.pop(which % len(self.slots))
            slot.release(0.0)
            self.completed[slot.target] = self.completed.get(slot.target, 0) + 1
            self.note_over()

    @invariant()
    def counts_are_those_of_the_slots_held(self) -> None:
        assert self.ledger.in_flight == len(self.slots)
        states = {state.target: state for state in self.ledger.targets(0.0)}
        assert states.keys() == self.wanted.keys() | {slot.target for slot in self.slots}
        for address, state in states.items():
            assert state.in_flight == self.held(address)
            assert state.ready == (address in self.ready)

    @invariant()
    def sums_are_those_of_the_ready_targets(self) -> None:
        slots = [self.slots_of(one) for one in self.ready]
        known = [capacity for capacity in slots if capacity is not None]
        assert self.ledger.targets_ready == len(self.ready)
        is_limited = bool(known) and len(known) == len(slots)
        assert self.ledger.capacity == (sum(known) if is_limited else None)
        configured = sum(self.wanted[one] or 0 for one in self.ready)
        assert self.ledger.configured_capacity == (configured if is_limited else None)
        assert self.ledger.sums.is_starting == bool(self.starting)
        assert self.ledger.is_full == (bool(self.ready) and not any(map(self.has_room, self.ready)))
        if is_limited:
            free = sum(max(0, (self.slots_of(one) or 0) - self.held(one)) for one in self.ready)
            assert sum(known) - self.ledger.load == free

    def teardown(self) -> None:
        for slot in self.slots:
            slot.release(0.0)
        assert self.ledger.in_flight == 0
        assert self.ledger.load == 0
        assert {state.target for state in self.ledger.targets(0.0)} == self.wanted.keys()


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=examples(200), stateful_step_count=30)
