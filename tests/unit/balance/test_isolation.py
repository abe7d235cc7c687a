"""How far requests may leave their site."""

from msgspec.structs import replace

from router.balance.deciding.decisions import Decision, NoChoice
from router.model.ids import RouterId
from router.model.settings import Isolation
from tests.unit.balance.builders import balancer_of, ledger_of, remote, site_of, take

NEAR, FAR = remote("a", cost=2, capacity=2), remote("b", cost=9, capacity=2)


def order(isolation: Isolation, slots: int = 2) -> list[str]:
    """Where requests go until none has room."""
    ledger = ledger_of(slots)
    balancer = balancer_of(ledger, NEAR, FAR)
    balancer.set_policy(replace(balancer.policy, isolation=isolation))
    found: list[str] = []
    while isinstance(decision := balancer.select(0.0), Decision):
        if decision.local:
            take(ledger)
        else:
            balancer.opened(decision.site, decision.router)
        found.append(decision.site)
    assert decision.reason == "all-full"
    return found


def test_nothing_leaves_or_only_to_the_nearest_or_to_all() -> None:
    assert order("none") == ["00", "00", "a", "a", "b", "b"]
    assert order("nearest") == ["00", "00", "a", "a"]
    assert order("strict") == ["00", "00"]


def test_a_service_may_begin_with_it() -> None:
    ledger = ledger_of(1)
    balancer = balancer_of(ledger, NEAR, FAR, isolation="nearest")
    take(ledger)
    assert site_of(balancer.select(0.0)) == "a"
    why = {one.site: one.verdict for one in balancer.explain(0.0).candidates}
    assert why[FAR.site] == "excluded"


def test_a_full_site_that_is_not_allowed_is_not_waited_for() -> None:
    ledger = ledger_of(1)
    balancer = balancer_of(ledger, remote("a", capacity=0))
    balancer.set_policy(replace(balancer.policy, isolation="strict"))
    take(ledger)
    choice = balancer.select(0.0)
    assert isinstance(choice, NoChoice) and choice.local_waitable and not choice.waitable


def test_the_nearest_is_the_nearest_that_has_targets() -> None:
    ledger = ledger_of()
    balancer = balancer_of(ledger, replace(NEAR, targets_ready=0), FAR)
    balancer.set_policy(replace(balancer.policy, isolation="nearest"))
    assert site_of(balancer.select(0.0)) == "b"
    balancer.set_remotes([NEAR, FAR])
    assert site_of(balancer.select(0.0)) == "a"
    why = {one.site: one for one in balancer.explain(0.0).candidates}
    far = why[FAR.site]
    assert far.verdict == "excluded" and "nearest" in far.reason


def test_it_holds_for_a_site_of_several_routers_and_ends_with_the_policy() -> None:
    ledger = ledger_of()
    two = [remote("a", capacity=2), replace(remote("a", capacity=2), router=RouterId("ra2"))]
    balancer = balancer_of(ledger, *two)
    policy = balancer.policy
    balancer.set_policy(replace(policy, isolation="strict"))
    assert isinstance(balancer.select(0.0), NoChoice)
    assert not balancer.is_served_elsewhere
    balancer.set_policy(policy)
    assert site_of(balancer.select(0.0)) == "a"


def test_the_nearest_is_the_nearest_that_has_targets_by_the_last_load_report() -> None:
    balancer = balancer_of(ledger_of(), NEAR, FAR, isolation="nearest")
    balancer.report_load(NEAR.site, 0, 0, None, 0.1)
    assert site_of(balancer.select(0.1)) == "b"
    balancer.report_load(NEAR.site, 2, 1, 2, 0.2)
    choice = balancer.select(0.2)
    assert isinstance(choice, NoChoice) and [one.site for one in choice.waitable] == ["a"]
