"""Stored decisions, which share their unchanged parts, explain each decision in a row just as
a full explanation at that moment did."""

from typing import Any, get_args

from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from router.balance.deciding.candidates import SENDS_AWAY
from router.balance.deciding.decision_evidence import DecisionReplay, SeenDecision
from router.balance.deciding.decisions import Asked, CandidateReport, Decision
from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Slot
from router.model.capacity import Rate, SiteCap, TargetTerms
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import RateLoad, RemoteCandidate
from router.model.specs import PolicyName, PolicySpec
from tests.examples import examples, histories
from tests.unit.balance.builders import ToldBalancer

HERE = SiteId("here")
SITES = [SiteId(name) for name in ("a", "b", "c")]
TARGET = "t:1"
NAMES: tuple[PolicyName, ...] = get_args(PolicyName)
CAP = SiteCap(rate=Rate(per_s=2.0, resume_per_s=1.0, window_s=1.0, stay_s=1.0))
EXCLUDED = st.frozensets(st.sampled_from([HERE, *SITES]), max_size=2)

OTHER = st.sampled_from(SITES)
FEW, WAYS = st.integers(0, 4), st.integers(1, 2)
RATES = st.none() | st.builds(RateLoad, st.just(2.0), st.integers(0, 2), st.integers(0, SENDS_AWAY))
EVENTS = st.one_of(
    st.tuples(
        st.just("decide"), EXCLUDED, st.none() | st.sampled_from([HERE, *SITES]), st.booleans()
    ),
    st.tuples(st.just("open"), OTHER),
    st.tuples(st.just("end"), OTHER, st.integers(-1, 4)),
    st.tuples(st.just("count"), OTHER, FEW),
    st.tuples(st.just("refuse"), OTHER, FEW),
    st.tuples(st.just("report"), OTHER, FEW, st.integers(0, 2), st.none() | FEW, RATES),
    st.tuples(st.just("adverts"), st.lists(st.tuples(OTHER, st.integers(1, 4), WAYS), max_size=4)),
    st.tuples(st.just("slots"), st.none() | FEW, st.booleans(), st.booleans()),
    st.tuples(st.just("take")),
    st.tuples(st.just("give")),
    st.tuples(st.just("cap"), st.booleans()),
    st.tuples(st.just("policy"), st.sampled_from(NAMES)),
    st.tuples(st.just("share"), st.none() | st.sampled_from([0.2, 0.5])),
    st.tuples(st.just("time"), st.sampled_from([0.01, 0.3, 5.0])),
)


class World:
    """One balancer, and what happens to it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.ledger = LocalLedger()
        self.slots: list[Slot] = []
        self.balancer = ToldBalancer(
            ServiceKey("web", 80), HERE, "here", self.ledger, PolicySpec("fill")
        )

        self.kept: list[tuple[SeenDecision, tuple[CandidateReport, ...]]] = []

    def happens(self, name: str, *arguments: Any) -> None:
        getattr(self, f"_{name}")(*arguments)

    def _decide(
        self, excluded: frozenset[SiteId], preferred: SiteId | None, sheddable: bool
    ) -> None:
        balancer, asked = self.balancer, Asked(preferred, sheddable=sheddable)
        then = balancer.explain(self.now, excluded, asked)
        choice = balancer.select(self.now, excluded, asked)
        assert choice == then.decision
        kept = balancer.seen(self.now, choice, excluded, asked)
        assert (kept.chosen is not None) == isinstance(choice, Decision)
        self.kept.append((kept, then.candidates))

    def _open(self, site: SiteId) -> None:
        self.balancer.opened(site)

    def _end(self, site: SiteId, in_flight: int) -> None:
        self.balancer.ended(site, in_flight, self.now)

    def _count(self, site: SiteId, in_flight: int) -> None:
        self.balancer.report_count(site, in_flight, self.now)

    def _refuse(self, site: SiteId, in_flight: int) -> None:
        self.balancer.refused(site, in_flight, self.now)

    def _report(
        self, site: SiteId, in_flight: int, ready: int, capacity: int | None, rate: RateLoad | None
    ) -> None:
        self.balancer.report_load(site, in_flight, ready, capacity, self.now, rate)

    def _adverts(self, adverts: list[tuple[SiteId, int, int]]) -> None:
        """Of a site named twice there are two routers."""
        self.balancer.set_remotes(
            [
                RemoteCandidate(
                    site=site,
                    site_name=site,
                    router=RouterId(f"{site}{number}"),
                    path_cost=cost,
                    paths=((RouterId(f"{site}{number}"),), (RouterId("x"), RouterId("y")))[:ways],
                    targets_ready=1,
                    capacity=3,
                    draining=False,
                )
                for number, (site, cost, ways) in enumerate(adverts)
            ]
        )

    def _slots(self, capacity: int | None, ready: bool, auto: bool) -> None:
        self.ledger.set_targets({TARGET: TargetTerms(name="t", capacity=capacity, auto=auto)})
        self.ledger.set_ready(TARGET, ready)

    def _take(self) -> None:
        slot = self.ledger.try_acquire(self.now)
        if isinstance(slot, Slot):
            self.slots.append(slot)

    def _give(self) -> None:
        if self.slots:
            self.slots.pop().release(self.now)

    def _cap(self, is_set: bool) -> None:
        self.ledger.set_site_cap(CAP if is_set else None)

    def _policy(self, name: PolicyName) -> None:
        weights = {"here": 1, "a": 2} if name == "split" else {}
        self.balancer.set_policy(PolicySpec(name, weights=weights))

    def _share(self, share: float | None) -> None:
        self.ledger.set_sheddable_share(share)
        self.balancer.set_sheddable_share(share)

    def _time(self, seconds: float) -> None:
        self.now += seconds


# One of two routers of a site has more in flight than its slots: these are none of the other's.
_BEYOND = [
    ("end", SITES[2], 4),
    ("adverts", [(SITES[0], 1, 1), (SITES[2], 1, 1), (SITES[2], 1, 1)]),
]


@settings(max_examples=examples(400))
@example(events=_BEYOND)
@example(events=[*_BEYOND, ("slots", 0, True, False)])
@example(events=[*_BEYOND, ("share", 0.5), ("decide", frozenset(), None, True)])
@given(events=histories(EVENTS, 40))
def test_decisions_that_share_what_does_not_change_are_told_as_they_were(
    events: list[tuple[Any, ...]],
) -> None:
    world = World()
    world.happens("slots", 3, True, False)
    world.happens("adverts", [(SITES[0], 1, 1), (SITES[1], 2, 2), (SITES[2], 2, 1)])
    for event in events:
        world.happens(*event)
        world.happens("decide", frozenset(), None, False)
    for kept, then in world.kept:
        # The turn of paths may have moved on where a session or a tie had looked.
        told = [replace(one, path=()) for one in DecisionReplay(kept).reports()]
        # How many wait is not kept.
        assert told == [replace(one, path=(), waiting=None) for one in then]
        chosen = [one.path for one in then if one.verdict == "chosen"]
        assert [
            one.path for one in DecisionReplay(kept).reports() if one.verdict == "chosen"
        ] == chosen
