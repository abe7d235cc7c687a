"""Selection among sites of several routers: what is said of it is what is done."""

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from router.balance.deciding.decision_evidence import DecisionReplay
from router.balance.deciding.decisions import Asked, Decision, NoChoice
from router.balance.site.ledger import LocalLedger
from router.model.capacity import TargetTerms
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import RemoteCandidate
from router.model.specs import PolicySpec
from tests.examples import examples
from tests.property.test_selection import HERE, MARKS, NAMES, RATES
from tests.unit.balance.builders import ToldBalancer

SITES = [HERE, SiteId("a"), SiteId("b")]
ROUTERS = [RouterId(f"{site}-{number}") for site in SITES for number in (1, 2)]
LATER = 0.05


@st.composite
def routers(draw: st.DrawFn) -> list[RemoteCandidate]:
    found = []
    for router in draw(st.lists(st.sampled_from(ROUTERS), min_size=3, unique=True)):
        site = SiteId(router.split("-")[0])
        capacity = draw(st.sampled_from([6, 2, None, 0]))
        lends = capacity is not None and site != HERE
        found.append(
            RemoteCandidate(
                site=site,
                site_name=site,
                router=router,
                path_cost=draw(st.sampled_from([0, 0, 2] if site == HERE else [1, 1, 2, 3])),
                paths=((router,),),
                targets_ready=draw(st.sampled_from([1, 2, 2, 0])),
                capacity=capacity,
                draining=draw(st.sampled_from([False] * 7 + [True])),
                reserved=draw(st.sampled_from([0, 0, 1])) if lends else 0,
                most_for_one=draw(st.sampled_from([None, None, 1, 2])) if lends else None,
            )
        )
    return found


@st.composite
def balancers(draw: st.DrawFn) -> ToldBalancer:
    """Any routers, loads, refusals and streams of ours."""
    ledger = LocalLedger()
    capacity = draw(st.sampled_from([4, 1, None, 0]))
    targets = [f"t{n}:1" for n in range(draw(st.sampled_from([2, 1, 0])))]
    ledger.set_targets({target: TargetTerms(name="web", capacity=capacity) for target in targets})
    for target in targets:
        ledger.set_ready(target, True)
    for _ in range(draw(st.integers(0, 6))):
        ledger.try_acquire(0.0)
    name = draw(st.sampled_from(["fill", *NAMES]))
    weights = {"a": 1, "b": 2} if name == "split" else {}
    spec = PolicySpec(name, weights)
    if name != "failover":
        spec = replace(spec, spill_at=draw(st.sampled_from([0.5, *MARKS])))
    balancer = ToldBalancer(ServiceKey("web", 80), HERE, HERE, ledger, spec)
    adverts = draw(routers())
    balancer.set_remotes(adverts)
    if draw(st.booleans()):
        ledger.set_sheddable_share(0.5)
        balancer.set_sheddable_share(0.5)
    for one in adverts:
        balancer.report_load(
            one.site,
            draw(st.just(0) | st.integers(0, 8)),
            draw(st.sampled_from([one.targets_ready] * 3 + [0])),
            one.capacity,
            0.0,
            draw(st.none() | st.none() | RATES),
            router=one.router,
            reserved=one.reserved,
            most_for_one=one.most_for_one,
        )
        for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
            balancer.opened(one.site, one.router)
        if draw(st.integers(0, 4)) == 0:
            balancer.refused(one.site, draw(st.integers(0, 8)), 0.0, one.router)
    for target in targets:
        ledger.set_ready(target, draw(st.sampled_from([True, True, False])))
    return balancer


EXCLUDED = st.frozensets(st.sampled_from([*SITES, *ROUTERS]), max_size=2)
ASKED = st.builds(
    Asked,
    st.none() | st.none() | st.sampled_from(SITES),
    st.sampled_from([0, 0, 7]),
    st.sampled_from([False, False, True]),
)
WITHIN = settings(max_examples=examples(300))


class Request(NamedTuple):
    """One that comes after another one, which left out ``before``."""

    balancer: ToldBalancer
    before: frozenset[str]
    asked: Asked
    excluded: frozenset[str]
    refused: frozenset[str]

    def select(self) -> Decision | NoChoice:
        return self.balancer.select(LATER, self.excluded, self.asked, self.refused)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """After the one before. Some are sheddable, where the service says which are."""
    balancer, before, asked = draw(balancers()), draw(EXCLUDED), draw(ASKED)
    is_sheddable = asked.sheddable and balancer.sheddable_share is not None
    excluded = draw(EXCLUDED)
    balancer.select(LATER, before)
    return Request(
        balancer,
        before,
        replace(asked, sheddable=is_sheddable),
        excluded,
        draw(EXCLUDED) & excluded,
    )


@WITHIN
@given(requests())
def test_explain_agrees_with_select_whoever_was_left_out_before(one: Request) -> None:
    explained = one.balancer.explain(LATER, one.excluded, one.asked, one.refused)
    choice = one.select()
    assert _site(choice) == _site(explained.decision)
    chosen = [report.site for report in explained.candidates if report.verdict == "chosen"]
    assert chosen == [site for site in (_site(choice),) if site]


@WITHIN
@given(requests())
def test_a_choice_does_not_depend_on_when_the_routers_were_grouped(one: Request) -> None:
    explained = one.balancer.explain(LATER, one.excluded, one.asked, one.refused)
    one.balancer.regroup()
    regrouped = one.balancer.explain(LATER, one.excluded, one.asked, one.refused)
    assert _site(regrouped.decision) == _site(explained.decision)
    assert {*regrouped.candidates} == {*explained.candidates}


@WITHIN
@given(requests())
def test_a_kept_decision_is_explained_later_as_it_was_then(one: Request) -> None:
    choice = one.select()
    kept = one.balancer.seen(LATER, choice, one.excluded, one.asked, one.refused)
    one.balancer.select(LATER, one.before)
    replay = DecisionReplay(kept)
    if not kept.stays:
        assert (kept.chosen in replay.tied) == isinstance(choice, Decision)
    chosen = [report.site for report in replay.reports() if report.verdict == "chosen"]
    assert chosen == [site for site in (_site(choice),) if site]


def _site(choice: Decision | NoChoice) -> SiteId | None:
    return choice.site if isinstance(choice, Decision) else None
