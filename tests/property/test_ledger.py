"""The ledger under any order of acquire, release, removal, readiness and changed limits."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from router.balance.ledger import Denied, LocalLedger, Slot
from router.model.capacity import TargetTerms

ADDRESSES = ["a:1", "b:1", "c:1"]
CAPACITIES = st.sampled_from([None, 0, 1, 2, 4])
TARGETS = st.dictionaries(st.sampled_from(ADDRESSES), CAPACITIES)
EXCLUDED = st.frozensets(st.sampled_from(ADDRESSES), max_size=2)


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.ledger = LocalLedger()
        self.wanted: dict[str, int | None] = {}
        self.ready: set[str] = set()
        self.slots: list[Slot] = []

    def held(self, address: str) -> int:
        return sum(slot.target == address for slot in self.slots)

    def has_room(self, address: str) -> bool:
        capacity = self.wanted[address]
        return capacity is None or self.held(address) < capacity

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
            self.slots.pop(which % len(self.slots)).release(0.0)

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
        stated = [self.wanted[one] for one in self.ready]
        limits = [capacity for capacity in stated if capacity is not None]
        assert self.ledger.targets_ready == len(self.ready)
        assert self.ledger.capacity == (sum(limits) if limits else None)
        assert self.ledger.is_full == (bool(self.ready) and not any(map(self.has_room, self.ready)))
        if limits and len(limits) == len(stated):
            free = sum(max(0, (self.wanted[one] or 0) - self.held(one)) for one in self.ready)
            assert sum(limits) - self.ledger.load == free

    def teardown(self) -> None:
        for slot in self.slots:
            slot.release(0.0)
        assert self.ledger.in_flight == 0
        assert self.ledger.load == 0
        assert {state.target for state in self.ledger.targets(0.0)} == self.wanted.keys()


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=200, stateful_step_count=30)
