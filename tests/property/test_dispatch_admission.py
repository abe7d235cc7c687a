"""Laws of admission: every slot has an owner, no request waits beside a free slot, none is lost."""

from hypothesis import given, settings
from hypothesis import strategies as st

from router.balance.site.fair_queue import WaitingPlace
from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Denied, Slot
from router.model.capacity import TargetTerms
from router.model.ids import SiteId
from router.service.admission import SlotAdmission
from tests.examples import examples, histories
from tests.unit.exchange.fakes import FakeNetwork

TARGETS = ("t1:1", "t2:1")
LIMIT = 4

STEPS = st.one_of(
    st.tuples(st.just("ask"), st.integers(0, 2)),
    st.tuples(st.just("leave"), st.integers(0, 9)),
    st.tuples(st.just("release"), st.integers(0, 9)),
    st.tuples(st.just("move"), st.integers(0, 9)),
    st.tuples(st.just("capacity"), st.integers(1, 3)),
    st.tuples(st.just("ready"), st.integers(0, 3)),
    st.tuples(st.just("wait"), st.integers(1, 15)),
)


class Asker:
    is_sheddable = False

    def __init__(self, session: int, line: WaitingPlace) -> None:
        self.session = session
        self.line = line
        self.slot: Slot | None = None
        self.waits = False
        self.told = 0

    def granted(self, slot: Slot) -> None:
        assert self.waits, "granted to somebody who does not wait"
        self.waits = False
        self.told += 1
        self.slot = slot

    def expired(self) -> None:
        assert self.waits, "expired who does not wait"
        self.waits = False
        self.told += 1

    displaced = expired


class World:
    def __init__(self) -> None:
        self.network = FakeNetwork()
        self.ledger = LocalLedger()
        self.changes = 0
        self.ledger.news.follow(self._changed)
        self.admission = SlotAdmission(self.ledger, lambda: LIMIT, self.network)
        self.askers: list[Asker] = []
        self._capacity(1)
        self._ready(3)

    def _changed(self) -> None:
        self.changes += 1
        self.ledger.news.listen()

    def _ask(self, ingress: int) -> None:
        line = WaitingPlace(SiteId(f"link-{ingress // 2}"), SiteId(f"site-{ingress}"))
        asker = Asker(len(self.askers) * (ingress % 2), line)
        self.askers.append(asker)
        slot = self.admission.admit(asker, self.network.now() + 1.0)
        if slot is None:
            asker.waits = True
        elif not isinstance(slot, Denied):
            asker.slot = slot

    def _leave(self, index: int) -> None:
        waiting = [asker for asker in self.askers if asker.waits]
        if waiting:
            asker = waiting[index % len(waiting)]
            asker.waits = False
            assert self.admission.leave(asker)
            assert not self.admission.leave(asker)

    def holders(self) -> list[Asker]:
        return [asker for asker in self.askers if asker.slot is not None]

    def _release(self, index: int) -> None:
        holders = self.holders()
        if holders:
            asker = holders[index % len(holders)]
            slot, asker.slot = asker.slot, None
            assert slot is not None
            self.ledger.give_back(slot)

    def _move(self, index: int) -> None:
        holders = self.holders()
        if holders:
            asker = holders[index % len(holders)]
            assert asker.slot is not None
            other = self.admission.move(asker.slot, frozenset({asker.slot.target}), 0)
            if other is not None:
                asker.slot = other

    def _capacity(self, limit: int) -> None:
        self.ledger.set_targets(
            {target: TargetTerms(name="main", capacity=limit) for target in TARGETS}
        )
        self.admission.serve()

    def _ready(self, mask: int) -> None:
        for bit, target in enumerate(TARGETS):
            self.ledger.set_ready(target, bool(mask & (1 << bit)))
        self.admission.serve()

    def _wait(self, tenths: int) -> None:
        self.network.advance(tenths / 10)

    def check(self) -> None:
        assert self.ledger.in_flight == len(self.holders())
        assert self.admission.waiting == sum(asker.waits for asker in self.askers) <= LIMIT
        assert all(asker.told <= 1 for asker in self.askers)
        if self.admission.waiting and self.ledger.targets_ready:
            assert self.ledger.is_full, "somebody waits beside a free slot"


@settings(max_examples=examples(200))
@given(steps=histories(STEPS, 60))
def test_slots_and_waiters_always_add_up(steps: list[tuple[str, int]]) -> None:
    world = World()
    for action, argument in steps:
        getattr(world, f"_{action}")(argument)
        world.check()
    while world.holders():
        world._release(0)
        world.check()
    world.network.advance(1.1)
    assert world.ledger.in_flight == 0
    assert world.admission.waiting == 0
