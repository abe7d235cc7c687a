import msgspec
import pytest

from router.balance.deciding.decision_evidence import DecisionReplay
from router.balance.deciding.decisions import Asked, NoChoice
from router.model.ids import RouterId, SiteId
from router.model.messages.adverts import RemoteCandidate
from router.model.specs import PolicyName
from tests.unit.balance.builders import balancer_of, ledger_of, load, remote, take


def test_every_candidate_is_named_with_figures_and_a_verdict() -> None:
    ledger = ledger_of(1)
    busy, free, same = remote("a", 1), remote("b", 2), remote("c", 2)
    down, leaving, tried = remote("d", 3, 0), remote("e", 3, draining=True), remote("f", 3)
    lost = RemoteCandidate(
        site=SiteId("g"),
        site_name="site-g",
        router=RouterId("rg"),
        path_cost=4,
        paths=(),
        targets_ready=1,
        capacity=1,
        draining=False,
    )
    far, far_full = remote("h", 9), remote("i", 9)
    adverts = (busy, free, same, down, leaving, tried, lost, far, far_full)
    balancer = balancer_of(ledger, *adverts)
    take(ledger)
    load(balancer, busy, 10)
    load(balancer, far_full, 10)
    explanation = balancer.explain(2.0, frozenset({tried.site}))
    assert [(one.site, one.verdict) for one in explanation.candidates] == [
        ("00", "full"),
        ("a", "full"),
        ("b", "chosen"),
        ("c", "not-chosen"),
        ("d", "no-target"),
        ("e", "draining"),
        ("f", "excluded"),
        ("g", "unreachable"),
        ("h", "dearer"),
        ("i", "full"),
    ]
    assert explanation.policy == "fill"
    assert explanation.candidates[1].age_s == 2.0
    assert explanation.candidates[2].free == 10
    assert [one.reason for one in explanation.candidates] == [
        "1 in flight, its capacity is 1",
        "10 in flight, its capacity is 10",
        "cheapest site with room (10 of 10 free)",
        "as good as site-b, whose turn it is",
        "no target is ready there",
        "it is draining and takes nothing new",
        "it was tried for this request already",
        "no path leads there now",
        "path cost 9, and site-b at 2 takes the request",
        "10 in flight, its capacity is 10",
    ]


def test_this_site_without_a_ready_target_is_here_and_others_are_there() -> None:
    own, other = balancer_of(ledger_of(), remote("b", 3, 0)).explain(0.0).candidates
    assert own.site == "00"
    assert (own.verdict, own.reason) == ("no-target", "no target is ready here")
    assert (other.verdict, other.reason) == ("no-target", "no target is ready there")


def test_of_another_site_without_ready_targets_it_is_not_claimed_that_all_of_it_drains() -> None:
    """A drain of one service puts its targets there out of use; a site that stops keeps them."""
    drained, stopping = remote("a", 1, 0, draining=True), remote("b", 2, draining=True)
    balancer = balancer_of(ledger_of(), drained, stopping, remote("c", 3))
    told = balancer.explain(0.0).candidates
    assert [(one.site, one.verdict, one.reason) for one in told[1:3]] == [
        ("a", "draining", "it takes nothing new of this service: drained there, or the site stops"),
        ("b", "draining", "it is draining and takes nothing new"),
    ]


@pytest.mark.parametrize(
    ("drained", "reason"),
    [
        (True, "it is drained and takes nothing new of this service"),
        (False, "it is draining and takes nothing new"),
        (None, "it takes nothing new of this service: drained there, or the site stops"),
    ],
)
def test_of_another_site_that_takes_nothing_it_is_told_why_where_that_is_known(
    drained: bool | None, reason: str
) -> None:
    there = msgspec.structs.replace(remote("a", 1, 0, draining=True), drained=drained)
    told = balancer_of(ledger_of(), there).explain(0.0).candidates
    assert (told[1].verdict, told[1].reason) == ("draining", reason)


def test_explaining_moves_no_turn_and_agrees_with_select() -> None:
    balancer = balancer_of(ledger_of(), remote("a", paths=2), remote("b"))
    for _ in range(5):
        first = balancer.explain(0.0)
        assert balancer.explain(0.0) == first
        assert balancer.select(0.0) == first.decision


def test_no_choice_is_explained_too() -> None:
    ledger = ledger_of(1)
    take(ledger)
    explanation = balancer_of(ledger).explain(0.0)
    assert isinstance(explanation.decision, NoChoice)
    assert [one.verdict for one in explanation.candidates] == ["full"]


def test_what_runs_at_a_target_that_is_down_takes_no_slot() -> None:
    """IN FLIGHT is above CAPACITY then, and slots are free all the same."""
    ledger = ledger_of(4, 4)
    slots = [take(ledger) for _ in range(8)]
    ledger.set_ready(slots[0].target, False)
    (here,) = balancer_of(ledger).explain(0.0).candidates
    assert (here.verdict, here.in_flight, here.capacity) == ("full", 8, 4)
    for slot in slots:
        if slot.target != slots[0].target:
            slot.release(0.0)
    (here,) = balancer_of(ledger).explain(0.0).candidates
    assert (here.in_flight, here.capacity, here.free) == (4, 4, 4)
    assert here.reason == "local site has room (4 of 4 free; 4 more in flight take no slot)"


def test_soft_candidates_say_what_they_carry() -> None:
    ledger = ledger_of(None)
    balancer = balancer_of(ledger, remote("a", 1), remote("b", 1))
    load(balancer, remote("b", 1), 3)
    take(ledger)
    assert balancer.explain(0.0).candidates[0].reason == (
        "local site has room (1 in flight, no capacity configured)"
    )
    take(ledger)
    local, chosen, other = balancer.explain(0.0).candidates
    assert (local.verdict, local.free, local.level) == ("higher-level", None, 2.0)
    assert local.reason == "level 2: 2 in flight at 1 ready target; site-a is at level 1"
    assert (chosen.verdict, chosen.level) == ("chosen", 1.0)
    assert chosen.reason == "lowest level of path cost + in flight per target (10 of 10 free)"
    assert other.reason == "same path cost as site-a, and more in use per target"
    assert other.verdict == "not-chosen"


def test_a_costlier_site_loses_by_its_load_where_it_would_win_idle_and_else_by_its_cost() -> None:
    ledger = ledger_of(None, None)
    near, far = remote("a", 1, 3, None), remote("b", 3, 1, None)
    balancer = balancer_of(ledger, near, far)
    load(balancer, near, 4)
    for _ in range(3):
        take(ledger)
    chosen, busy, dear = balancer.explain(0.0).candidates
    assert (chosen.verdict, chosen.level) == ("chosen", 1.5)
    assert chosen.reason == "local site has room (3 in flight, no capacity configured)"
    assert busy.verdict == "higher-level"
    assert busy.reason == (
        "level 2.333: path cost 1 + 4 in flight at 3 ready targets; here is at level 1.5"
    )
    assert (dear.verdict, dear.level) == ("dearer", 3.0)
    assert dear.reason == "path cost 3, and here at 0 takes the request"


def test_levels_are_told_only_where_fill_decides() -> None:
    balancer = balancer_of(ledger_of(None), remote("a", 1), policy="balanced")
    assert [one.level for one in balancer.explain(0.0).candidates] == [None, None]
    weights = {"site-a": 1}
    balancer = balancer_of(ledger_of(None), remote("a", 1), policy="split", weights=weights)
    assert [one.level for one in balancer.explain(0.0).candidates] == [None, None]
    load(balancer, remote("a", 1), 10)
    assert [one.level for one in balancer.explain(0.0).candidates] == [0.0, None]


def test_a_site_that_loses_by_another_rule_than_cost_is_not_called_costlier() -> None:
    policies: tuple[tuple[PolicyName, dict[str, int]], ...] = (
        ("split", {"here": 1, "site-a": 3}),
        ("spread", {}),
        ("fill", {}),
    )
    for policy, weights in policies:
        balancer = balancer_of(ledger_of(9), remote("a", 5), policy=policy, weights=weights)
        lost = set()
        for _ in range(8):
            rows = balancer.explain(0.0).candidates
            lost |= {(one.site, one.verdict) for one in rows if one.verdict != "chosen"}
            balancer.select(0.0)
        both = {("00", "not-chosen"), ("a", "not-chosen")}
        assert lost == ({("a", "dearer")} if policy == "fill" else both)


def test_balanced_compares_in_flight_plus_cost() -> None:
    ledger = ledger_of(9)
    balancer = balancer_of(ledger, remote("a", 2), remote("b", 1), policy="balanced")
    take(ledger)
    assert [one.reason for one in balancer.explain(0.0).candidates] == [
        "least in flight + path cost (8 of 9 free)",
        "as good as here, which is the local site",
        "in flight + path cost is 2, at here it is 1",
    ]


def test_balanced_says_that_of_several_targets_here_each_counts_for_itself() -> None:
    ledger = ledger_of(9, 9)
    balancer = balancer_of(ledger, remote("a", 5), policy="balanced")
    for _ in range(4):
        take(ledger)
    here, there = balancer.explain(0.0).candidates
    assert (here.in_flight, here.path_cost) == (4, 0)
    assert there.reason == "in flight + path cost is 5, at here it is 2 per target"
    for _ in range(8):
        take(ledger)
    here, there = balancer.explain(0.0).candidates
    assert there.verdict == "chosen"
    assert here.reason == "in flight per target + path cost is 6, at site-a it is 5"


def test_what_is_free_for_a_sheddable_request_is_within_its_share_of_the_slots() -> None:
    ledger = ledger_of(4, 4)
    ledger.set_sheddable_share(0.5)
    balancer = balancer_of(ledger, remote("a", 1, 1, 10), remote("b", 2, 1, None))
    balancer.set_sheddable_share(0.5)
    sheddable = Asked(None, 0, True)
    for used, verdict, free in ((1, "chosen", 3), (4, "sheddable-share", 0)):
        while ledger.load < used:
            take(ledger)
        own, other, without = balancer.explain(0.0, asked=sheddable).candidates
        assert (own.verdict, own.free, other.free, without.free) == (verdict, free, 5, None)
        assert balancer.explain(0.0).candidates[0].free == 8 - used, "others may have the rest"
    assert other.reason == "cheapest site with room (5 of 10 free for sheddable requests)"
    decision = balancer.select(0.0, asked=sheddable)
    past = DecisionReplay(balancer.seen(0.0, decision, asked=sheddable)).reports()
    assert [one.free for one in past] == [0, 5, None]
