"""Figures that a balancer caches between decisions equal freshly computed ones."""

from collections.abc import Callable
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from router.balance.deciding.candidates import SENDS_AWAY
from router.balance.deciding.decisions import PLAIN, Asked, Decision
from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Slot
from router.model.capacity import TargetTerms
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import RateLoad, RemoteCandidate
from router.model.settings import Isolation
from router.model.specs import PolicyName, PolicySpec
from tests.examples import examples
from tests.unit.balance.builders import ToldBalancer

OWN = SiteId("own")
SITES = [OWN, SiteId("a"), SiteId("b")]
ROUTERS = [RouterId(f"{site}-{number}") for site in SITES for number in range(3)]
TARGETS = ("t0:1", "t1:1")
QUICK = settings(max_examples=examples(100))
RATES = st.none() | st.builds(
    RateLoad, st.sampled_from([0.5, 32.0]), st.integers(0, 3), st.integers(0, SENDS_AWAY)
)
CAPACITIES = st.none() | st.sampled_from([0, 2, 4])
LENT = st.tuples(st.sampled_from([0, 0, 1]), st.none() | st.sampled_from([0, 1, 3]))
"""Slots reserved for the site's own clients, and the most that clients of one site get."""
LEFT_OUT = st.frozensets(st.sampled_from([*SITES, *ROUTERS]), max_size=3)


def site_of(router: RouterId) -> SiteId:
    return SiteId(router.partition("-")[0])


@st.composite
def adverts(draw: st.DrawFn) -> list[RemoteCandidate]:
    shared = draw(st.booleans())
    routers = draw(st.lists(st.sampled_from(ROUTERS), unique=True, min_size=2))
    lent = [draw(LENT) for _ in routers]
    return [
        RemoteCandidate(
            site=site_of(router),
            site_name=site_of(router),
            router=router,
            path_cost=0 if site_of(router) == OWN else draw(st.integers(1, 3)),
            paths=draw(
                st.sampled_from([((router,),), ((router,), (RouterId("x"), router)), ()])
                if draw(st.integers(0, 3)) == 0
                else st.just(((router,),))
            ),
            targets_ready=draw(st.integers(0, 2)),
            capacity=draw(CAPACITIES),
            draining=draw(st.integers(0, 7)) == 0,
            shares_targets=shared,
            reserved=reserved,
            most_for_one=most,
        )
        for router, (reserved, most) in zip(routers, lent, strict=True)
    ]


class Two:
    """Two balancers with the same history. The second caches nothing: it gets its candidates
    again before each question."""

    def __init__(self, policy: PolicySpec, remotes: list[RemoteCandidate], slots: int) -> None:
        self.ledger = LocalLedger()
        self.ledger.set_targets({one: TargetTerms(name="t", capacity=slots) for one in TARGETS})
        self.remotes = remotes
        self.kept, self.fresh = (
            ToldBalancer(ServiceKey("db", 1), OWN, "own", self.ledger, policy) for _ in range(2)
        )
        self.tell(lambda one: one.set_remotes(remotes))
        self.now = 0.0
        self.slots: list[Slot] = []

    def tell(self, news: Callable[[ToldBalancer], None]) -> None:
        """Both of them."""
        news(self.kept)
        news(self.fresh)

    def ask(self, excluded: frozenset[str], refused: frozenset[str], session: int) -> None:
        """The next request: both answer alike, and it begins there."""
        self.fresh.set_remotes(self.remotes)
        told = [
            one.explain(self.now, excluded, Asked(session=session), refused) for one in self.both
        ]
        assert told[0] == told[1]
        self.fresh.set_remotes(self.remotes)
        kept, fresh = [
            one.select(self.now, excluded, Asked(session=session), refused) for one in self.both
        ]
        assert kept == fresh
        seen = [one.seen(self.now, kept, excluded, PLAIN, refused) for one in self.both]
        assert seen[0] == seen[1]
        if not isinstance(kept, Decision):
            return
        if not kept.local:
            self.tell(lambda one: one.opened(kept.site, kept.path[-1]))
        elif isinstance(slot := self.ledger.try_acquire(self.now), Slot):
            self.slots.append(slot)

    @property
    def both(self) -> tuple[ToldBalancer, ToldBalancer]:
        return self.kept, self.fresh


def happen(two: Two, data: st.DataObject) -> None:
    """Anything that changes a figure."""
    draw = data.draw
    router, load = draw(st.sampled_from(two.remotes)).router, draw(st.integers(0, 5))
    site = site_of(router)
    match draw(st.integers(0, 9)):
        case 0:
            two.now += draw(st.sampled_from([0.125, 4.0]))
        case 1:
            two.tell(lambda one: one.opened(site, router))
        case 2:
            two.tell(lambda one: one.ended(site, load - 1, two.now, router))
        case 3:
            two.tell(lambda one: one.report_count(site, load, two.now, router))
        case 4:
            two.tell(lambda one: one.refused(site, load, two.now, router))
        case 5 | 6:
            figures = load, draw(st.integers(0, 2)), draw(CAPACITIES), two.now, draw(RATES)
            reserved, most = draw(LENT)
            more: dict[str, Any] = {"reserved": reserved, "most_for_one": most}
            more["refuses"] = draw(st.booleans())
            two.tell(lambda one: one.report_load(site, *figures, router, **more))
        case 7:
            two.ledger.set_ready(draw(st.sampled_from(TARGETS)), draw(st.booleans()))
        case 8:
            policy = draw(policies())
            two.tell(lambda one: one.set_policy(policy))
        case _ if two.slots:
            two.slots.pop().release(two.now)


@st.composite
def policies(draw: st.DrawFn) -> PolicySpec:
    name: PolicyName = draw(st.sampled_from(get_args(PolicyName)))
    weights = st.dictionaries(st.sampled_from(list(map(str, SITES))), st.integers(1, 3), min_size=1)
    isolation: Isolation = draw(st.sampled_from(["none", "strict", "nearest", "nearest"]))
    return PolicySpec(name, draw(weights) if name == "split" else {}, isolation=isolation)


@QUICK
@given(st.data())
def test_sums_over_routers_and_what_is_decided_by_them_are_those_made_anew(
    data: st.DataObject,
) -> None:
    two = Two(data.draw(policies()), data.draw(adverts()), data.draw(st.integers(1, 2)))
    for _ in range(data.draw(st.integers(1, 12))):
        for _ in range(data.draw(st.integers(0, 3))):
            happen(two, data)
        excluded = data.draw(st.just(frozenset()) | LEFT_OUT)
        refused = data.draw(LEFT_OUT) & excluded
        two.ask(excluded, refused, data.draw(st.sampled_from([0, 0, 7])))
