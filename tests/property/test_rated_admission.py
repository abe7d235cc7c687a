"""Laws of admission while slots, rates, a site's cap, learnt slots and readiness all change.

For any events in any order: slots and waiters add up, no waiter gets two answers, and none
waits longer than a moment beside a slot and a permit that are both free.
"""

from math import inf

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from router.balance.site.fair_queue import WaitingPlace
from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Slot
from router.model import limits
from router.model.capacity import Rate, SiteCap, TargetTerms
from router.model.ids import SiteId
from router.service.admission import SlotAdmission
from tests.examples import examples
from tests.unit.exchange.fakes import FakeNetwork

LIMIT = 5
WAITS_S = 3.0
ADDRESSES = ("t1:1", "t2:1")

RATES = st.builds(
    lambda per_s, resume, window_s, stay_s: Rate(
        per_s=per_s, resume_per_s=per_s * resume, window_s=window_s, stay_s=stay_s
    ),
    st.sampled_from((1.0, 2.5, 1e6)),
    st.sampled_from((0.01, 2 / 3, 1.0)),
    st.sampled_from((1.0, 1.7)),
    st.sampled_from((0.0, 1.0, 86_400.0)),
)
TERMS = st.builds(
    TargetTerms,
    name=st.just("t"),
    capacity=st.none() | st.integers(1, 3),
    rate=RATES | st.none(),
    auto=st.booleans(),
)
CAPS = st.none() | st.builds(
    SiteCap,
    slots=st.none() | st.integers(1, 4),
    rate=RATES | st.none(),
    spill=st.sampled_from(("excess", "all")),
)


class Asker:
    """Holds a slot, waits, or neither."""

    is_sheddable = False

    def __init__(self, session: int, line: WaitingPlace) -> None:
        self.session = session
        self.line = line
        self.slot: Slot | None = None
        self.waits = False

    def granted(self, slot: Slot) -> None:
        assert self.waits, "granted to somebody who does not wait"
        self.waits, self.slot = False, slot

    def expired(self) -> None:
        assert self.waits, "expired who does not wait"
        self.waits = False

    displaced = expired


class AdmissionMachine(RuleBasedStateMachine):
    """As `service.service` uses it: after every change of terms the admission serves."""

    def __init__(self) -> None:
        super().__init__()
        self.network = FakeNetwork()
        self.ledger = LocalLedger()
        self.admission = SlotAdmission(self.ledger, lambda: LIMIT, self.network)
        self.askers: list[Asker] = []

    def holders(self) -> list[Asker]:
        return [one for one in self.askers if one.slot is not None]

    @rule(terms=st.dictionaries(st.sampled_from(ADDRESSES), TERMS))
    def set_targets(self, terms: dict[str, TargetTerms]) -> None:
        self.ledger.set_targets(terms)
        for address in terms:
            self.ledger.set_ready(address, True)
        self.admission.serve()

    @rule(cap=CAPS)
    def set_cap(self, cap: SiteCap | None) -> None:
        self.ledger.set_site_cap(cap)
        self.admission.serve()

    @rule(address=st.sampled_from(ADDRESSES), ready=st.booleans())
    def set_ready(self, address: str, ready: bool) -> None:
        self.ledger.set_ready(address, ready)
        self.admission.serve()

    @rule(address=st.sampled_from(ADDRESSES), slots=st.integers(1, 4))
    def learn(self, address: str, slots: int) -> None:
        self.ledger.set_slots(address, slots)
        self.admission.serve()

    @rule(count=st.integers(1, 6), ingress=st.sampled_from("ab"), session=st.sampled_from((0, 7)))
    def ask(self, count: int, ingress: str, session: int) -> None:
        for _ in range(count):
            self._ask(ingress, session)

    def _ask(self, ingress: str, session: int) -> None:
        now = self.network.now()
        asker = Asker(session, WaitingPlace(SiteId(ingress), SiteId(ingress)))
        self.askers.append(asker)
        if self.ledger.rated:
            self.ledger.ask(now)
        taken = self.admission.admit(asker, now + WAITS_S)
        if isinstance(taken, Slot):
            asker.slot = taken
        asker.waits = taken is None

    @rule(index=st.integers(0, 9))
    def release(self, index: int) -> None:
        holders = self.holders()
        if holders:
            asker = holders[index % len(holders)]
            slot, asker.slot = asker.slot, None
            assert slot is not None
            self.ledger.give_back(slot)

    @rule(index=st.integers(0, 9))
    def move(self, index: int) -> None:
        holders = self.holders()
        if holders:
            asker = holders[index % len(holders)]
            assert asker.slot is not None
            other = self.admission.move(asker.slot, frozenset({asker.slot.target}), 0)
            asker.slot = other or asker.slot

    @rule(index=st.integers(0, 9))
    def leave(self, index: int) -> None:
        waiting = [one for one in self.askers if one.waits]
        if waiting:
            asker = waiting[index % len(waiting)]
            asker.waits = False
            assert self.admission.leave(asker)

    @rule(seconds=st.sampled_from((0.4, 1.0, 1.7, 0.0, 1e-9, 2.9, 86_400.0)))
    def wait(self, seconds: float) -> None:
        self.network.advance(seconds)

    @invariant()
    def all_adds_up(self) -> None:
        ledger = self.ledger
        now = self.network.now()
        assert ledger.in_flight == len(self.holders())
        assert self.admission.waiting == sum(one.waits for one in self.askers) <= LIMIT
        states = [one for one in ledger.targets(now) if one.ready]
        assert ledger.targets_ready == len(states)
        held = sum(
            one.in_flight if one.capacity is None else min(one.in_flight, one.capacity)
            for one in states
        )
        cap = ledger.site_cap
        most = inf if cap is None or cap.slots is None else cap.slots
        assert ledger.load == min(held, most)
        capped = ledger.load >= most
        full = all(one.capacity is not None and one.in_flight >= one.capacity for one in states)
        assert ledger.is_full == (bool(states) and (full or capped))
        if ledger.is_full or not states:
            assert not ledger.has_room_at(now)
            assert ledger.next_room_at(now) == inf

    @invariant()
    def nobody_waits_beside_room(self) -> None:
        if self.admission.waiting and self.ledger.has_room_at(self.network.now()):
            # A permit that has come since: the timer brings it.
            self.network.advance(2 * limits.PERMIT_TIMER_S_MIN)
            now = self.network.now()
            assert not (self.admission.waiting and self.ledger.has_room_at(now))

    def teardown(self) -> None:
        while self.holders():
            self.release(0)
        self.network.advance(WAITS_S + 0.1)
        assert self.admission.waiting == 0
        while self.holders():
            self.release(0)
        assert self.ledger.in_flight == self.ledger.load == 0
        self.ledger.set_targets({})
        assert self.ledger.targets(self.network.now()) == []


TestAdmissionUnderChange = AdmissionMachine.TestCase
TestAdmissionUnderChange.settings = settings(max_examples=examples(150), stateful_step_count=30)
