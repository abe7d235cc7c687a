"""Stored figures of decisions."""

from router.balance.deciding.decision_evidence import DecisionReplay, SeenDecision
from router.balance.deciding.decisions import PLAIN, Decision
from router.balance.site.ledger import LocalLedger
from router.model import limits
from router.model.ids import SiteId
from router.model.specs import PolicySpec
from tests.unit.balance.builders import ToldBalancer, balancer_of, remote


def among(count: int) -> ToldBalancer:
    """No local target, and ``count`` other sites with a slot each, each costlier than the last."""
    sites = [remote(f"s{cost:02}", cost, capacity=1) for cost in range(1, count + 1)]
    return balancer_of(LocalLedger(), *sites)


def test_what_has_not_changed_is_kept_once() -> None:
    balancer = among(2)
    first = balancer.seen(1.0, balancer.select(1.0))
    balancer.opened(SiteId("s01"))
    second = balancer.seen(2.0, balancer.select(2.0))
    same = [a is b for a, b in zip(first.candidates, second.candidates, strict=True)]
    assert same == [True, False, True]
    assert (first.further, second.further) == (0, 0)


def test_requests_that_are_sent_the_same_way_in_a_moment_share_the_figures_of_the_first() -> None:
    balancer = balancer_of(LocalLedger(), remote("near", 1, capacity=2), remote("far", 2))
    at = 1.0

    def seen() -> SeenDecision:
        choice = balancer.select(at)
        assert isinstance(choice, Decision)
        balancer.opened(choice.site)
        return balancer.seen_lately(at, choice, PLAIN)

    first = seen()
    assert seen() is first
    farther = seen()
    assert (first.chosen, farther.chosen) == ("near", "far"), "another way has its own"
    assert seen() is farther
    at += limits.SEEN_ALIKE_S
    later = seen()
    assert (later.chosen, later.at) == ("far", at)
    balancer.set_policy(PolicySpec(name="spread"))
    assert seen().policy.name == "spread"


def test_of_many_sites_the_nearest_are_kept_and_the_one_chosen() -> None:
    count = limits.DECISION_CANDIDATES_MAX + 5
    balancer = among(count)
    for number in range(1, count):
        balancer.opened(SiteId(f"s{number:02}"))
    choice = balancer.select(1.0)
    assert isinstance(choice, Decision)
    assert choice.site == f"s{count}"
    kept = balancer.seen(1.0, choice)
    assert kept.further == count + 1 - limits.DECISION_CANDIDATES_MAX
    reports = DecisionReplay(kept).reports()
    assert len(reports) == limits.DECISION_CANDIDATES_MAX
    assert (reports[-1].site, reports[-1].verdict) == (choice.site, "chosen")
    assert {one.verdict for one in reports[1:-1]} == {"full"}
