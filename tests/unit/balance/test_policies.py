"""What the docstrings of spread, split and failover say, sentence by sentence."""

from collections import Counter
from typing import get_args

import pytest

from router.balance.deciding.decisions import Asked, Decision, NoChoice, RemoteWait
from router.balance.deciding.policies import POLICIES, check_policy
from router.model import limits
from router.model.ids import SiteId
from router.model.specs import PolicyName, PolicySpec
from tests.unit.balance.builders import HERE, balancer_of, ledger_of, load, remote, site_of, take

A, B = SiteId("a"), SiteId("b")


def test_every_policy_that_can_be_named_runs() -> None:
    assert tuple(POLICIES) == get_args(PolicyName)


def test_policies_that_cannot_be_run_say_why() -> None:
    assert check_policy(PolicySpec("spread")) is None
    assert check_policy(PolicySpec("split", {"a": 1, "b": 0})) is None
    assert "not in this version, which runs fill, balanced" in (
        check_policy(PolicySpec("of-tomorrow")) or ""
    )
    most = {f"s{number}": limits.SPLIT_WEIGHT_MAX for number in range(limits.SPLIT_SITES_MAX)}
    assert check_policy(PolicySpec("split", most)) is None
    too_much = {"a": limits.SPLIT_WEIGHT_MAX + 1}
    for weights in ({}, {"a": 0}, {"a": -1}, too_much, {**most, "more": 1}):
        assert "needs weights" in (check_policy(PolicySpec("split", weights)) or "")


# spread


def test_spread_gives_every_ready_target_its_turn_whatever_the_way_costs() -> None:
    balancer = balancer_of(ledger_of(9), remote("a", 50, 2), remote("b", 4), policy="spread")
    served = Counter(site_of(balancer.select(0.0)) for _ in range(40))
    assert served == {HERE: 10, "a": 20, "b": 10}


def test_spread_passes_full_sites_over_and_what_they_miss_is_shared_alike() -> None:
    ledger, near, far = ledger_of(1), remote("a", 1, 2), remote("b", 4)
    balancer = balancer_of(ledger, near, far, policy="spread")
    take(ledger)
    answers = [balancer.select(0.0) for _ in range(30)]
    assert Counter(map(site_of, answers)) == {"a": 20, "b": 10}
    assert all(isinstance(one, Decision) and one.overflow_reason == "full" for one in answers)


def test_spread_sends_any_number_to_targets_without_a_stated_capacity() -> None:
    ledger = ledger_of(None)
    balancer = balancer_of(ledger, remote("a", 9), policy="spread")
    for _ in range(50):
        take(ledger)
    assert [site_of(balancer.select(0.0)) for _ in range(4)] == [HERE, "a", HERE, "a"]


def test_spread_waits_when_all_are_full() -> None:
    ledger, near, far = ledger_of(1), remote("a", 1), remote("b", 4)
    balancer = balancer_of(ledger, near, far, policy="spread")
    take(ledger)
    load(balancer, near, 10)
    load(balancer, far, 10)
    answer = balancer.select(0.0)
    assert isinstance(answer, NoChoice) and answer.local_waitable
    assert [(wait.site, wait.overflow) for wait in answer.waitable] == [("a", True), ("b", True)]


# split


def test_split_goes_by_weight_whatever_the_way_costs_and_however_many_targets() -> None:
    weights = {"here": 1, "site-a": 3}
    balancer = balancer_of(ledger_of(9, 9), remote("a", 50), policy="split", weights=weights)
    assert Counter(site_of(balancer.select(0.0)) for _ in range(40)) == {HERE: 10, "a": 30}


@pytest.mark.parametrize("how", ["empty", "draining", "full", "gone"])
def test_the_share_of_one_that_cannot_take_it_goes_to_the_others_in_proportion(how: str) -> None:
    out = remote("c", 3, targets_ready=0 if how == "empty" else 1, draining=how == "draining")
    adverts = [remote("a", 1), remote("b", 2)] + ([] if how == "gone" else [out])
    weights = {"site-a": 1, "site-b": 2, "site-c": 5}
    balancer = balancer_of(ledger_of(9), *adverts, policy="split", weights=weights)
    if how == "full":
        load(balancer, out, 10)
    assert Counter(site_of(balancer.select(0.0)) for _ in range(30)) == {"a": 10, "b": 20}


def test_those_without_a_weight_yield_to_each_other_only() -> None:
    """Here 3 are under way; b with a weight is full, and near; c, where it could go, is not."""
    ledger, b, c = ledger_of(None), remote("b", 1), remote("c", 9)
    balancer = balancer_of(ledger, b, c, policy="split", weights={"site-b": 1})
    load(balancer, b, 10)
    for _ in range(3):
        take(ledger)
    assert site_of(balancer.select(0.0)) == HERE


def test_when_no_weighted_site_takes_it_the_others_do_in_the_order_of_fill() -> None:
    ledger, a, b, c = ledger_of(1), remote("a", 1), remote("b", 2), remote("c", 3)
    weights = {"site-b": 1, "here": 0}
    balancer = balancer_of(ledger, a, b, c, policy="split", weights=weights)
    assert site_of(balancer.select(0.0)) == "b"
    load(balancer, b, 10)
    assert site_of(balancer.select(0.0)) == HERE
    take(ledger)
    assert site_of(balancer.select(0.0)) == "a"
    load(balancer, a, 10)
    answer = balancer.select(0.0)
    assert isinstance(answer, Decision)
    assert (answer.site, answer.overflow_reason) == ("c", "full")
    load(balancer, c, 10)
    waits = balancer.select(0.0)
    assert isinstance(waits, NoChoice)
    assert [wait.site for wait in waits.waitable] == ["b", "a", "c"]  # Who has a weight first.


def test_a_full_site_without_a_weight_makes_no_overflow_of_a_weighted_turn() -> None:
    ledger = ledger_of(1)
    balancer = balancer_of(ledger, remote("a"), policy="split", weights={"site-a": 1})
    take(ledger)
    answer = balancer.select(0.0)
    assert isinstance(answer, Decision) and not answer.overflow


def test_a_name_that_two_sites_claim_matches_neither() -> None:
    balancer = balancer_of(ledger_of(9), remote("a"), policy="split", weights={"here": 1})
    balancer.set_site_name("here@00")
    assert balancer.explain(0.0).candidates[0].reason == (
        "no site with a weight takes it; cheapest of the others with room (9 of 9 free)"
    )
    balancer.set_site_name("here")
    assert balancer.explain(0.0).candidates[0].reason == (
        "its turn by weight (weight 1, 9 of 9 free)"
    )


# failover


def test_failover_waits_at_the_nearest_while_that_has_a_ready_target() -> None:
    ledger, near, far = ledger_of(), remote("a", 1), remote("b", 4)
    balancer = balancer_of(ledger, near, far, policy="failover")
    assert site_of(balancer.select(0.0)) == "a"
    load(balancer, near, 10)
    answer = balancer.select(0.0)
    assert isinstance(answer, NoChoice)
    assert answer.waitable == (RemoteWait(A, (near.paths[0])),)
    explained = balancer.explain(0.0)
    assert [(one.site, one.verdict) for one in explained.candidates] == [
        (HERE, "no-target"),
        ("a", "full"),
        ("b", "dearer"),
    ]
    assert explained.candidates[2].reason == (
        "path cost 4: it stands by while a nearer site has a ready target"
    )


def test_failover_goes_farther_when_the_nearest_has_no_target_and_that_is_no_overflow() -> None:
    near, far = remote("a", 1), remote("b", 4)
    balancer = balancer_of(ledger_of(), near, far, policy="failover")
    balancer.report_load(A, 0, 0, None, 0.0)
    answer = balancer.select(0.0)
    assert isinstance(answer, Decision)
    assert (answer.site, answer.overflow, answer.reason) == (
        "b",
        False,
        "nearest site with a ready target",
    )


def test_failover_does_not_go_farther_when_the_nearest_has_just_refused_for_being_full() -> None:
    near, far = remote("a", 1, capacity=None), remote("b", 4)
    balancer = balancer_of(ledger_of(), near, far, policy="failover")
    answer = balancer.select(0.0, frozenset({A}), refused=frozenset({A}))
    assert isinstance(answer, NoChoice) and answer.reason == "all-full"
    assert [wait.site for wait in answer.waitable] == ["a"]
    # One that failed it in another way is not waited for.
    assert site_of(balancer.select(0.0, frozenset({A}))) == "b"


def test_failover_waits_not_at_one_farther_away_that_has_refused() -> None:
    near, far = remote("a", 1), remote("b", 4)
    balancer = balancer_of(ledger_of(), near, far, policy="failover")
    load(balancer, near, 10)
    answer = balancer.select(0.0, frozenset({B}), refused=frozenset({B}))
    assert isinstance(answer, NoChoice)
    assert [wait.site for wait in answer.waitable] == ["a"]


def test_of_equally_near_sites_failover_takes_that_with_most_free_per_target() -> None:
    a, b = remote("a", 1), remote("b", 1, 2)
    balancer = balancer_of(ledger_of(), a, b, policy="failover")
    assert site_of(balancer.select(0.0)) == "a"
    load(balancer, a, 10)
    assert site_of(balancer.select(0.0)) == "b"


def test_failover_never_leaves_targets_without_a_stated_capacity() -> None:
    ledger = ledger_of(None)
    balancer = balancer_of(ledger, remote("a", 1), policy="failover")
    for _ in range(50):
        take(ledger)
    assert site_of(balancer.select(0.0)) == HERE


def test_under_failover_a_session_stays_where_it_is_and_comes_back_when_that_is_full() -> None:
    ledger, far = ledger_of(9), remote("a", 1)
    balancer = balancer_of(ledger, far, policy="failover")
    assert site_of(balancer.select(0.0, asked=Asked(A))) == "a"
    load(balancer, far, 10)
    assert site_of(balancer.select(0.0, asked=Asked(A))) == HERE


# all of them


def test_a_switch_of_policy_inherits_no_turns() -> None:
    balancer = balancer_of(ledger_of(9), remote("a", 1), policy="spread")
    for _ in range(3):
        balancer.select(0.0)
    balancer.set_policy(PolicySpec("split", {"here": 1, "site-a": 1}))
    assert [site_of(balancer.select(0.0)) for _ in range(2)] == [HERE, "a"]


def test_turns_owed_by_many_targets_starve_nobody_when_few_are_left() -> None:
    balancer = balancer_of(ledger_of(), remote("a", 1, 1_000), remote("b", 1), policy="spread")
    for _ in range(600):  # The one of 1,000 has been ahead; b has had its turn and owes 1,000.
        balancer.select(0.0)
    balancer.set_remotes([remote("a", 1), remote("b", 1)])
    assert {site_of(balancer.select(0.0)) for _ in range(8)} == {"a", "b"}
