"""Connections that exist, and where the policy would place them now."""

import pytest
from msgspec.structs import replace

from router.balance.deciding.placement import NOTHING_TO_MOVE, Placement
from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Denied
from router.model import limits
from router.model.capacity import Rate, SiteCap
from router.model.ids import RouterId, SiteId
from router.model.messages.adverts import RemoteCandidate
from router.model.specs import PolicyName, PolicySpec
from tests.unit.balance.builders import (
    HERE,
    WEB,
    ToldBalancer,
    balancer_of,
    ledger_of,
    load,
    remote,
    take,
)

FAR, FARTHER = SiteId("a"), SiteId("b")


def placement(
    ledger: LocalLedger,
    placed: dict[SiteId, int],
    *remotes: RemoteCandidate,
    policy: PolicyName = "fill",
    weights: dict[str, int] | None = None,
    spill_at: float | None = None,
    coming: int = 0,
    now: float = 0.0,
) -> Placement:
    """The placement if exactly the ``placed`` connections are in flight."""
    balancer = balancer_of(ledger, *remotes, policy=policy, weights=weights, spill_at=spill_at)
    for one in remotes:
        load(balancer, one, placed.get(one.site, 0))
    for _ in range(placed.get(HERE, 0)):
        take(ledger)
    return balancer.placement(now, placed, coming)


def test_after_a_failback_all_that_have_room_here_come_back() -> None:
    found = placement(ledger_of(10), {FAR: 12}, remote("a", capacity=20))
    assert found == Placement({FAR: 10}, {HERE: 10})


def test_what_is_where_it_belongs_stays() -> None:
    found = placement(ledger_of(4), {HERE: 4, FAR: 3}, remote("a", capacity=20))
    assert found == NOTHING_TO_MOVE


def test_the_dearest_give_first() -> None:
    found = placement(
        ledger_of(3), {FAR: 4, FARTHER: 4}, remote("a", cost=2), remote("b", cost=9, capacity=20)
    )
    # 3 come here; of the others all 5 find room at the nearer site.
    assert found == Placement({FARTHER: 4}, {HERE: 3, FAR: 1})


def test_others_keep_their_slots() -> None:
    ledger = ledger_of(10)
    for _ in range(7):
        take(ledger)  # Of other sites.
    found = placement(ledger, {FAR: 12}, remote("a", capacity=20))
    assert found == Placement({FAR: 3}, {HERE: 3})


def test_who_is_coming_back_has_its_slot_already() -> None:
    found = placement(ledger_of(10), {FAR: 12}, remote("a", capacity=20), coming=4)
    assert found == Placement({FAR: 6}, {HERE: 6})


def test_a_lowered_capacity_sends_the_excess_on_and_nobody_where_there_is_no_room() -> None:
    ledger = ledger_of(2, None)
    ledger.set_ready("t1:80", False)
    assert placement(ledger, {HERE: 2, FAR: 5}, remote("a", capacity=5)) == NOTHING_TO_MOVE


def test_a_rate_that_is_used_up_keeps_no_connection_from_coming_back() -> None:
    ledger = ledger_of(10)
    ledger.set_site_cap(SiteCap(rate=Rate(per_s=1.0, resume_per_s=0.5, window_s=1.0, stay_s=1.0)))
    take(ledger).release(0.0)
    assert isinstance(ledger.try_acquire(0.0), Denied)
    found = placement(ledger, {FAR: 12}, remote("a", capacity=20))
    assert found == Placement({FAR: 10}, {HERE: 10})


def test_split_brings_each_site_to_its_share() -> None:
    found = placement(
        ledger_of(None),
        {FAR: 10},
        remote("a", capacity=None),
        policy="split",
        weights={"here": 7, "site-a": 3},
    )
    assert found == Placement({FAR: 7}, {HERE: 7})


def test_failover_leaves_the_standby_when_the_nearest_is_back_however_full_that_gets() -> None:
    found = placement(ledger_of(5), {FAR: 8}, remote("a", capacity=20), policy="failover")
    assert found == Placement({FAR: 5}, {HERE: 5})


def test_a_mark_is_kept() -> None:
    found = placement(ledger_of(10), {FAR: 12}, remote("a", capacity=20), spill_at=0.5)
    assert found == Placement({FAR: 5}, {HERE: 5})


def test_an_unreachable_site_is_left_when_another_one_has_room() -> None:
    found = placement(ledger_of(5), {FAR: 3, SiteId("gone"): 2}, remote("a", capacity=20))
    assert found == Placement({SiteId("gone"): 2, FAR: 3}, {HERE: 5})


@pytest.mark.parametrize("policy", ["balanced", "spread"])
def test_what_such_a_policy_has_placed_it_would_place_again(policy: PolicyName) -> None:
    ledger, advert = ledger_of(None), remote("a", capacity=None)
    found = placement(ledger, {HERE: 20}, advert, policy=policy)
    moved = found.leave.get(HERE, 0)
    assert moved
    again = placement(ledger_of(None), {HERE: 20 - moved, FAR: moved}, advert, policy=policy)
    assert again == NOTHING_TO_MOVE


def test_thousands_are_placed_in_few_steps_and_to_the_last_slot() -> None:
    found = placement(ledger_of(3_333), {FAR: 10_000}, remote("a", capacity=20_000))
    assert found == Placement({FAR: 3_333}, {HERE: 3_333})


def test_routers_of_one_site_fill_a_part_of_its_room_each() -> None:
    own = replace(remote("a", cost=0, capacity=10), site=HERE, router=RouterId("zz"))
    found = placement(ledger_of(11), {FAR: 30}, own, remote("a", capacity=50))
    assert found == Placement({FAR: 11}, {HERE: 11})  # Of 21 slots; the first has the odd one,
    later = placement(
        ledger_of(11), {FAR: 30}, own, remote("a", capacity=50), now=limits.REBALANCE_RETURN_S / 2
    )
    assert later == Placement({FAR: 10}, {HERE: 10})  # and each is that in turn.


@pytest.mark.parametrize("moment", range(8))
def test_at_any_moment_routers_of_one_site_divide_all_of_its_free_slots(moment: int) -> None:
    slots = {"x": 10, "y": 11, "z": 10}
    own = {
        name: replace(remote("a", cost=0, capacity=count), site=HERE, router=RouterId(name))
        for name, count in slots.items()
    }
    filled = 0
    for name, count in slots.items():
        balancer = ToldBalancer(WEB, HERE, "here", ledger_of(count), PolicySpec(), RouterId(name))
        siblings = [one for sibling, one in own.items() if sibling != name]
        balancer.set_remotes([*siblings, remote("a", capacity=90)])
        found = balancer.placement(moment * limits.REBALANCE_RETURN_S / 4, {FAR: 40})
        filled += found.come[HERE]
    assert filled == 31
