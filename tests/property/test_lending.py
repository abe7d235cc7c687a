"""Laws of lending: own clients get each free slot, and no neighbor more than its share."""

from dataclasses import dataclass, field
from math import floor

from hypothesis import given, settings
from hypothesis import strategies as st

from router.balance.site.fair_queue import LOCAL_LINK, WaitingPlace
from router.balance.site.ledger import LocalLedger
from router.balance.site.lending import part_of
from router.balance.site.slots import Denied, Slot
from router.documents import Wanted
from router.documents.division import Division, divided
from router.model.capacity import LendingTerms, TargetTerms
from router.model.ids import SiteId
from router.model.specs import ConnectorSpec, SitePolicySpec, SiteSpec, TargetSpec
from router.node.services.plan import Planner
from router.service.admission import SlotAdmission
from tests.examples import examples, histories
from tests.unit.exchange.fakes import FakeNetwork
from tests.unit.node.test_plan import SHOP, declaration

OWN = SiteId("here")
NEIGHBORS = tuple(SiteId(f"neighbor-{number}") for number in range(3))
TARGETS = ("t1:1", "t2:1")
LINKS = (LOCAL_LINK, OWN, *NEIGHBORS)
SHARES = st.sampled_from([0.05, 0.1, 0.25, 0.3, 1 / 3, 0.5, 0.7, 0.9, 0.99])
RESERVES, MOST = st.one_of(st.just(0.0), SHARES), st.one_of(st.just(1.0), SHARES)


def lent(reserve: float, slots: int) -> int:
    """By hand: rounded down, but for what floats make of 0.7 x 10."""
    return floor((1 - reserve) * slots + 1e-9)


def for_one(share: float, slots: int) -> int:
    return max(1, floor(share * slots + 1e-9))


@given(share=SHARES, parts=st.lists(st.integers(0, 9), min_size=1, max_size=8))
def test_parts_of_routers_make_up_the_whole_and_none_lends_more_than_it_has(
    share: float, parts: list[int]
) -> None:
    for least in (0, 1):
        each = [part_of(share, own, sum(parts[:at]), least=least) for at, own in enumerate(parts)]
        whole = max(least if sum(parts) else 0, floor(share * sum(parts) + 1e-9))
        assert sum(each) == whole
        assert all(0 <= lends <= own for lends, own in zip(each, parts, strict=True))


@dataclass(eq=False)
class Asker:
    line: WaitingPlace
    session: int = 0
    is_sheddable: bool = False
    slot: Slot | None = None
    waits: bool = False

    @property
    def is_own(self) -> bool:
        return self.line.link in (LOCAL_LINK, OWN)

    def granted(self, slot: Slot) -> None:
        assert self.waits
        self.waits, self.slot = False, slot

    def expired(self) -> None:
        self.waits = False

    displaced = expired


class Router:
    """One router of the site, with its part of the slots."""

    def __init__(self, network: FakeNetwork) -> None:
        self.ledger = LocalLedger()
        self.admission = SlotAdmission(self.ledger, lambda: 100, network)
        self.network = network
        self.askers: list[Asker] = []

    def capacity(self, slots: int) -> None:
        self.ledger.set_targets({one: TargetTerms(name="x", capacity=slots) for one in TARGETS})
        self.admission.serve()

    def ready(self, mask: int) -> None:
        for bit, target in enumerate(TARGETS):
            self.ledger.set_ready(target, bool(mask & (1 << bit)))
        self.admission.serve()

    def move(self, at: int) -> None:
        holders = [one for one in self.askers if one.slot is not None]
        if holders:
            mover = holders[at % len(holders)]
            assert mover.slot is not None
            other = self.admission.move(mover.slot, frozenset({mover.slot.target}), 0)
            mover.slot = other or mover.slot

    def ask(self, number: int) -> None:
        link = LINKS[number]
        load, was_free = self.ledger.load, not self.ledger.is_full
        asker = Asker(WaitingPlace(link, link))
        self.askers.append(asker)
        slot = self.admission.admit(asker, self.network.now() + 1000.0)
        asker.waits = slot is None
        if type(slot) is Slot:
            asker.slot = slot
            lending = self.ledger.lending
            assert asker.is_own or lending is None or load < lending.limit, "the reserve was lent"
        elif asker.is_own:
            assert not was_free or slot is Denied.NO_TARGET, "refused beside a free slot"

    def release(self, at: int) -> None:
        holders = [one for one in self.askers if one.slot is not None]
        if holders:
            one = holders[at % len(holders)]
            slot, one.slot = one.slot, None
            assert slot is not None
            self.askers.remove(one)
            self.ledger.give_back(slot)

    def held(self, link: SiteId) -> int:
        return sum(one.slot is not None and one.line.link == link for one in self.askers)

    def check(self) -> None:
        ledger, lending = self.ledger, self.ledger.lending
        assert ledger.in_flight == sum(one.slot is not None for one in self.askers)
        if lending is not None:
            assert lending.borrowers() == {n: held for n in NEIGHBORS if (held := self.held(n))}
        for one in self.askers:
            if one.waits and ledger.targets_ready and not ledger.is_full:
                assert lending is not None and not one.is_own, "waits beside a free slot"
                assert lending.denial(ledger.load, one.line.link) is not None


STEPS = st.one_of(
    st.tuples(st.just("ask"), st.integers(0, len(LINKS) - 1)),
    st.tuples(st.just("ask"), st.integers(2, len(LINKS) - 1)),
    st.tuples(st.just("release"), st.integers(0, 20)),
    st.tuples(st.just("capacity"), st.integers(0, 6)),
    st.tuples(st.just("ready"), st.integers(0, 3)),
    st.tuples(st.just("move"), st.integers(0, 20)),
)


@settings(max_examples=examples(200))
@given(reserve=RESERVES, share=MOST, others=MOST, steps=histories(STEPS, 60), cut=st.booleans())
def test_one_router_keeps_the_reserve_and_the_share_whatever_changes(
    reserve: float, share: float, others: float, steps: list[tuple[str, int]], cut: bool
) -> None:
    router = Router(FakeNetwork())
    ledger = router.ledger
    router.capacity(3)
    router.ready(3)
    ledger.set_lending(LendingTerms(reserve_for_own=reserve, max_share=share), OWN)
    for number, (what, argument) in enumerate(steps):
        if cut and number == len(steps) // 2:
            ledger.set_lending(LendingTerms(reserve_for_own=reserve, max_share=others), OWN)
            router.admission.serve()
        before = {one: router.held(one) for one in NEIGHBORS}
        getattr(router, what)(argument)
        router.check()
        lending = ledger.lending
        assert lending is not None
        for neighbor in NEIGHBORS:
            held = router.held(neighbor)
            assert held <= max(before[neighbor], lending.most), "more than its share"
    while ledger.in_flight:
        router.release(0)
        router.check()
    assert lending_is_idle(ledger)


def lending_is_idle(ledger: LocalLedger) -> bool:
    return ledger.lending is not None and not ledger.lending.borrowers()


@dataclass
class Site:
    """Several routers that divide one site's targets, as under Kubernetes and as workers do."""

    routers: list[Router] = field(default_factory=list)

    def serve(
        self, capacities: list[int], count: int, spec: SitePolicySpec, ready: set[int]
    ) -> None:
        network = FakeNetwork()
        wanted = Wanted(
            name="here",
            site=SiteSpec(),
            connectors={
                "c": ConnectorSpec(
                    service="shop",
                    targets=tuple(
                        TargetSpec(host=f"10.0.0.{number}", port=80, capacity=slots)
                        for number, slots in enumerate(capacities)
                    ),
                )
            },
            policies={"shop": spec},
        )
        for index in range(count):
            by = Division(count=count, index=index)
            service = Planner().plan(divided(wanted, by), {"shop": declaration()}).services[SHOP]
            router = Router(network)
            router.ledger.set_targets(
                {
                    address: TargetTerms(name="x", capacity=one.capacity, before=one.before)
                    for address, one in service.targets.items()
                }
            )
            router.ledger.set_site_cap(service.cap)
            for number, address in enumerate(service.targets):
                router.ledger.set_ready(address, number in ready)
            router.ledger.set_lending(service.lending, OWN)
            self.routers.append(router)


@settings(max_examples=examples(150))
@given(
    capacities=st.lists(st.integers(1, 7), min_size=1, max_size=4),
    count=st.integers(1, 4),
    reserve=RESERVES,
    share=MOST,
    takes=st.sampled_from([1.0, 1.0, 0.5]),
    cap=st.one_of(st.none(), st.integers(1, 9)),
    out=st.integers(0, 4),
    steps=histories(st.tuples(st.integers(0, 3), st.integers(-1, len(LINKS) - 1)), 80),
)
def test_routers_together_lend_what_one_would(
    capacities: list[int],
    count: int,
    reserve: float,
    share: float,
    takes: float,
    cap: int | None,
    out: int,
    steps: list[tuple[int, int]],
) -> None:
    """``out``: that target is not ready, at any router."""
    spec = SitePolicySpec(
        service="shop", reserve_for_own=reserve, max_share=share, takes=takes, site_capacity=cap
    )
    site = Site()
    site.serve(capacities, count, spec, set(range(len(capacities))) - {out})
    whole = sum(router.ledger.capacity or 0 for router in site.routers)
    ready = sum(slots for number, slots in enumerate(capacities) if number != out)
    stated = [sum(capacities)] if cap is None else [sum(capacities), cap]
    lends = min(ready, max(1, floor(min(stated) * takes)) if takes < 1 else min(stated))
    for at, link in steps:
        router = site.routers[at % count]
        if link < 0:
            router.release(at)
        else:
            router.ask(link)
        router.check()
        assert sum(one.ledger.load for one in site.routers) <= whole
        for neighbor in NEIGHBORS:
            assert sum(one.held(neighbor) for one in site.routers) <= for_one(share, lends)
        others = sum(one.held(neighbor) for one in site.routers for neighbor in NEIGHBORS)
        assert others <= lent(reserve, lends)


@given(
    capacities=st.lists(st.integers(1, 7), min_size=1, max_size=4),
    count=st.integers(1, 4),
    reserve=RESERVES,
    share=MOST,
)
def test_a_lone_neighbor_gets_all_that_it_may_from_all_routers_and_own_clients_the_rest(
    capacities: list[int], count: int, reserve: float, share: float
) -> None:
    spec = SitePolicySpec(service="shop", reserve_for_own=reserve, max_share=share)
    site, whole = Site(), sum(capacities)
    site.serve(capacities, count, spec, set(range(len(capacities))))
    for router in site.routers:
        for _ in range(whole):
            router.ask(2)
    lends = lent(reserve, whole)
    held = sum(router.held(NEIGHBORS[0]) for router in site.routers)
    assert held <= min(lends, for_one(share, whole))
    if reserve == 0 or share == 1:  # Else each router applies the smaller of its two parts.
        assert held == min(lends, for_one(share, whole))
    for router in site.routers:
        for _ in range(whole):
            router.ask(0)
    assert sum(router.ledger.load for router in site.routers) == whole
