"""A mark below full: each site takes requests up to it, and keeps the rest in reserve."""

import pytest

from router.balance.deciding.decisions import Decision, NoChoice
from router.balance.deciding.policies import check_policy
from router.balance.site.ledger import LocalLedger
from router.model.ids import SiteId
from router.model.messages.adverts import RemoteCandidate
from router.model.specs import PolicyName, PolicySpec
from tests.unit.balance.builders import balancer_of, ledger_of, remote, take


def spilled(slots: int, *remotes: RemoteCandidate, spill_at: float = 0.8) -> list[str]:
    """Where one request after another goes until all is full, and why: ``SITE REASON``."""
    ledger = ledger_of(slots)
    balancer = balancer_of(ledger, *remotes, spill_at=spill_at)
    found: list[str] = []
    while isinstance(decision := balancer.select(0.0), Decision):
        if decision.local:
            take(ledger)
        else:
            balancer.opened(decision.site, decision.router)
        found.append(f"{decision.site} {decision.overflow_reason}".strip())
    return found


def test_the_nearest_fills_to_its_mark_then_the_next_then_the_reserves_in_order_of_cost() -> None:
    near, far = remote("a", cost=1, capacity=5), remote("b", cost=9, capacity=5)
    assert spilled(10, near, far) == (
        ["00"] * 8 + ["a above-mark"] * 4 + ["b above-mark"] * 4 + ["00"] * 2 + ["a full", "b full"]
    )


def test_the_marks_of_other_sites_hold_where_this_one_has_no_target() -> None:
    near, far = remote("a", cost=1, capacity=5), remote("b", cost=9, capacity=5)
    balancer = balancer_of(LocalLedger(), near, far, spill_at=0.8)
    found: list[str] = []
    while isinstance(decision := balancer.select(0.0), Decision):
        balancer.opened(decision.site, decision.router)
        found.append(decision.site)
    assert found == ["a"] * 4 + ["b"] * 4 + ["a", "b"]


def test_a_site_that_states_no_slots_has_no_mark() -> None:
    ledger = ledger_of(None)
    balancer = balancer_of(ledger, remote("a", cost=50), spill_at=0.5)
    for _ in range(20):
        decision = balancer.select(0.0)
        assert isinstance(decision, Decision) and decision.local
        take(ledger)


def test_one_slot_is_always_below_the_mark() -> None:
    assert spilled(1, remote("a", capacity=1)) == ["00", "a full"]


def test_alone_a_site_is_used_until_it_is_full() -> None:
    assert spilled(5, spill_at=0.2) == ["00"] * 5


def test_why_names_the_mark() -> None:
    ledger = ledger_of(10)
    balancer = balancer_of(ledger, remote("a"), spill_at=0.3)
    for _ in range(3):
        take(ledger)
    here, there = balancer.explain(0.0).candidates
    assert (here.verdict, there.verdict) == ("above-mark", "chosen")
    assert here.reason == (
        "3 of 10 in flight; above its mark it is used while no other site is below its own"
    )
    assert there.reason == "cheapest site with room, of those below the mark (10 of 10 free)"
    decision = balancer.select(0.0)
    assert isinstance(decision, Decision)
    assert (decision.overflow, decision.spill_reason) == (True, "above-mark")


@pytest.mark.parametrize("policy", ["balanced", "spread"])
def test_other_policies_choose_among_those_below_the_mark(policy: PolicyName) -> None:
    ledger = ledger_of(10)
    balancer = balancer_of(ledger, remote("a", capacity=10), policy=policy, spill_at=0.5)
    for _ in range(5):
        take(ledger)
    for _ in range(5):
        decision = balancer.select(0.0)
        assert isinstance(decision, Decision) and decision.site == SiteId("a")
        balancer.opened(decision.site, decision.router)
    assert isinstance(balancer.select(0.0), Decision), "the reserve of both is left"


def test_nothing_is_refused_that_has_room() -> None:
    ledger: LocalLedger = ledger_of(2)
    balancer = balancer_of(ledger, remote("a", capacity=0), spill_at=0.5)
    take(ledger)
    decision = balancer.select(0.0)
    assert isinstance(decision, Decision) and decision.local
    take(ledger)
    assert isinstance(balancer.select(0.0), NoChoice)


@pytest.mark.parametrize(
    ("policy", "share"), [("fill", 0.0), ("fill", 1.0), ("fill", float("nan")), ("failover", 0.5)]
)
def test_a_mark_that_means_nothing_is_refused(policy: PolicyName, share: float) -> None:
    assert check_policy(PolicySpec(policy, {}, share))
