"""Laws of sheddable requests: none is served while another waits, or beyond its share of slots."""

from dataclasses import dataclass
from math import floor

from hypothesis import example, given, settings
from hypothesis import strategies as st

from router.balance.site.fair_queue import LOCAL_LINK, WaitingPlace
from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Slot
from router.model.capacity import TargetTerms
from router.model.ids import SiteId
from router.service.admission import SlotAdmission
from tests.examples import examples, histories
from tests.unit.exchange.fakes import FakeNetwork

OWN = WaitingPlace(LOCAL_LINK, SiteId("here"))
NEXT = WaitingPlace(SiteId("next"), SiteId("next"))
TARGETS = ("t1:1", "t2:1")
QUEUE = 4


@dataclass(eq=False)
class Asker:
    site: "Site"
    line: WaitingPlace
    is_sheddable: bool
    session: int = 0
    slot: Slot | None = None
    waits: bool = False
    was_displaced: bool = False

    def granted(self, slot: Slot) -> None:
        assert self.waits
        self.waits, self.slot = False, slot
        self.site.judge_grant(self)

    def expired(self) -> None:
        self.waits = False

    def displaced(self) -> None:
        assert self.is_sheddable or not self.site.waiting(sheddable=True), "displaced out of order"
        self.waits, self.was_displaced = False, True


class Site:
    """One router, and an oracle that counts slots by hand."""

    def __init__(self) -> None:
        self.network = FakeNetwork()
        self.ledger = LocalLedger()
        self.admission = SlotAdmission(self.ledger, lambda: QUEUE, self.network)
        self.askers: list[Asker] = []
        self.slots, self.up, self.share = 0, 0, 0.5

    def waiting(self, *, sheddable: bool) -> list[Asker]:
        return [one for one in self.askers if one.waits and one.is_sheddable is sheddable]

    @property
    def all_slots(self) -> int:
        return self.slots * self.up

    @property
    def most(self) -> int:
        """Slots in use up to which a sheddable request gets one."""
        return max(1, floor(self.all_slots * self.share + 1e-9)) if self.all_slots else 0

    def set(self, slots: int, mask: int, share: float) -> None:
        self.slots, self.up, self.share = slots, mask.bit_count(), share
        self.ledger.set_targets({one: TargetTerms(name="x", capacity=slots) for one in TARGETS})
        for bit, target in enumerate(TARGETS):
            self.ledger.set_ready(target, bool(mask & (1 << bit)))
        self.ledger.set_sheddable_share(share)
        self.admission.serve()

    def judge_grant(self, one: Asker) -> None:
        if one.is_sheddable:
            assert not self.waiting(sheddable=False), "served while another one waits"
            assert self.ledger.load <= self.most, "beyond its share"

    def ask(self, is_sheddable: bool, line: WaitingPlace) -> None:
        asker = Asker(self, line, is_sheddable)
        self.askers.append(asker)
        load, others_waited = self.ledger.load, self.waiting(sheddable=True)
        had_room = self.up > 0 and not self.ledger.is_full
        until = self.network.now() + 1000.0
        got = self.admission.admit(asker, until)
        asker.waits = got is None
        if type(got) is Slot:
            asker.slot = got
            self.judge_grant(asker)
        elif not is_sheddable:
            assert not had_room, "refused or waits beside a free slot"
            assert asker.waits or not others_waited or not self.up, "a sheddable one had its place"
        else:
            assert not (had_room and load < self.most), "refused within its share"

    def release(self, at: int) -> None:
        holders = [one for one in self.askers if one.slot is not None]
        if holders:
            one = holders[at % len(holders)]
            slot, one.slot = one.slot, None
            assert slot is not None
            self.askers.remove(one)
            self.ledger.give_back(slot)

    def leave(self, at: int) -> None:
        waiting = [one for one in self.askers if one.waits]
        if waiting:
            one = waiting[at % len(waiting)]
            one.waits = False
            assert self.admission.leave(one)

    def check(self) -> None:
        assert self.ledger.in_flight == sum(one.slot is not None for one in self.askers)
        assert self.admission.waiting == sum(one.waits for one in self.askers)
        if self.up and not self.ledger.is_full:
            assert not self.waiting(sheddable=False), "waits beside a free slot"
            if self.ledger.load < self.most:
                assert not self.waiting(sheddable=True), "waits within its share"


STEPS = st.one_of(
    st.tuples(st.just("ask"), st.integers(0, 3)),
    st.tuples(st.just("ask"), st.integers(0, 3)),
    st.tuples(st.just("release"), st.integers(0, 20)),
    st.tuples(st.just("leave"), st.integers(0, 20)),
    st.tuples(st.just("set"), st.integers(0, 255)),
)


@settings(max_examples=examples(300))
@example(steps=[("ask", 0)] * 9 + [("ask", 1)])  # The queue is full of others.
@given(steps=histories(STEPS, 60))
def test_sheddable_requests_wait_behind_all_others_and_within_their_share(
    steps: list[tuple[str, int]],
) -> None:
    site = Site()
    site.set(2, 3, 0.5)
    for step, number in steps:
        if step == "ask":
            site.ask(bool(number & 1), NEXT if number & 2 else OWN)
        elif step == "release":
            site.release(number)
        elif step == "leave":
            site.leave(number)
        else:
            site.set(number & 7, (number >> 3) & 3, ((number >> 5) + 1) / 8)
        site.check()
