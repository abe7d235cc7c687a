"""`fill` over a run of requests keeps the promises of its one formula, with any sites."""

from collections import Counter
from fractions import Fraction

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from router.balance.deciding.decisions import Decision, NoChoice
from router.balance.deciding.local_site import LocalSite
from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Slot
from router.model.capacity import TargetTerms
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import RemoteCandidate
from router.model.specs import PolicySpec
from tests.examples import examples
from tests.unit.balance.builders import ToldBalancer

HERE = SiteId("here")
REQUESTS = 60
QUICK = settings(max_examples=examples(200))


class Place(msgspec.Struct, frozen=True):
    """One site. ``slots``: of each of its targets; None: no configured capacity."""

    site: SiteId
    cost: int
    targets: int
    slots: int | None

    @property
    def capacity(self) -> int | None:
        return None if self.slots is None else self.slots * self.targets

    def level(self, in_flight: int) -> Fraction | None:
        """None: it is full."""
        if self.capacity is None:
            return self.cost + Fraction(in_flight, self.targets)
        return Fraction(self.cost) if in_flight < self.capacity else None


@st.composite
def places(draw: st.DrawFn) -> list[Place]:
    slots = st.none() | st.none() | st.integers(1, 6)
    here = Place(HERE, 0, draw(st.integers(0, 4)), draw(slots))
    others = [
        Place(SiteId(f"s{number}"), draw(st.integers(1, 6)), draw(st.integers(1, 4)), draw(slots))
        for number in range(draw(st.integers(0, 4)))
    ]
    return [here, *others]


class Run:
    """Requests that come and none that ends: at any time all that were sent are in flight."""

    def __init__(self, known: list[Place]) -> None:
        here, *others = known
        self.places = {one.site: one for one in known if one.targets}
        self.ledger = LocalLedger()
        targets = [f"t{number}:1" for number in range(here.targets)]
        terms = TargetTerms(name="web", capacity=here.slots)
        self.ledger.set_targets(dict.fromkeys(targets, terms))
        for target in targets:
            self.ledger.set_ready(target, True)
        self.balancer = ToldBalancer(ServiceKey("web", 80), HERE, HERE, self.ledger, PolicySpec())
        self.balancer.set_remotes(
            [
                RemoteCandidate(
                    site=one.site,
                    site_name=one.site,
                    router=RouterId(one.site),
                    path_cost=one.cost,
                    paths=((RouterId(one.site),),),
                    targets_ready=one.targets,
                    capacity=one.capacity,
                    draining=False,
                )
                for one in others
            ]
        )
        self.in_flight: Counter[SiteId] = Counter()

    def levels(self) -> dict[SiteId, Fraction]:
        """Of the sites that are not full."""
        found = {site: one.level(self.in_flight[site]) for site, one in self.places.items()}
        return {site: level for site, level in found.items() if level is not None}

    def send(self) -> SiteId | None:
        decision = self.balancer.select(0.0)
        if isinstance(decision, NoChoice):
            return None
        assert isinstance(decision, Decision)
        if decision.local:
            assert isinstance(self.ledger.try_acquire(0.0), Slot)
        else:
            self.balancer.opened(decision.site)
        self.in_flight[decision.site] += 1
        return decision.site


@QUICK
@given(known=places())
def test_each_request_goes_to_the_lowest_level_and_of_equals_to_the_cheapest(
    known: list[Place],
) -> None:
    run = Run(known)
    for _ in range(REQUESTS):
        levels = run.levels()
        site = run.send()
        if site is None:
            assert not levels
            return
        ranks = {one: (level, run.places[one].cost) for one, level in levels.items()}
        assert ranks[site] == min(ranks.values())


@QUICK
@given(known=places())
def test_no_soft_site_is_above_another_by_more_than_a_request_per_target(
    known: list[Place],
) -> None:
    run = Run(known)
    for _ in range(REQUESTS):
        if run.send() is None:
            return
        soft = [one for one in run.places.values() if one.capacity is None]
        used = [one for one in soft if run.in_flight[one.site]]
        for one in used:
            level = one.level(run.in_flight[one.site])
            assert level is not None
            for other in soft:
                least = other.level(run.in_flight[other.site])
                assert least is not None
                assert level - Fraction(1, one.targets) <= least


@QUICK
@given(known=places())
def test_a_configured_capacity_is_full_before_anything_costlier_is_used(
    known: list[Place],
) -> None:
    run = Run(known)
    for _ in range(REQUESTS):
        if run.send() is None:
            return
        for one in run.places.values():
            if one.capacity is not None and run.in_flight[one.site] < one.capacity:
                dearer = [two for two in run.places.values() if two.cost > one.cost]
                assert not any(run.in_flight[two.site] for two in dearer)


@QUICK
@given(
    targets=st.integers(1, 5),
    slots=st.none() | st.integers(1, 5),
    in_flight=st.integers(0, 40),
    rival_cost=st.integers(1, 12),
)
def test_what_the_balancer_works_out_once_is_what_the_level_says_each_time(
    targets: int, slots: int | None, in_flight: int, rival_cost: int
) -> None:
    ledger = LocalLedger()
    terms = TargetTerms(name="web", capacity=slots)
    ledger.set_targets({f"t{number}:1": terms for number in range(targets)})
    for number in range(targets):
        ledger.set_ready(f"t{number}:1", True)
    for _ in range(in_flight):
        ledger.try_acquire(0.0)
    here = LocalSite(HERE, "here", ledger, RouterId("own"))
    here.refresh(0.0)
    below = here.in_flight < here.unrivalled_below(rival_cost)
    if here.hard_full:
        assert not below
        return
    assert below == (here.unrivalled_from <= rival_cost)
    assert below == (Fraction(*here.level) <= rival_cost)
