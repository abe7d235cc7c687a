import pytest

from router.balance.deciding.decisions import Decision, NoChoice
from router.model.specs import PolicySpec
from tests.unit.balance.builders import balancer_of, ledger_of, load, remote, site_of, take


@pytest.mark.parametrize(
    ("cost", "targets", "first_remote", "local_of_40"),
    [(1, 1, 3, 21), (1, 3, 7, 31), (5, 1, 7, 23), (10, 1, 12, 25), (10, 3, 34, 38)],
)
def test_held_connections_split_as_measured_on_skupper(
    cost: int, targets: int, first_remote: int, local_of_40: int
) -> None:
    ledger = ledger_of(*[None] * targets)
    balancer = balancer_of(ledger, remote("a", cost, capacity=None), policy="balanced")
    served = []
    for _ in range(40):
        answer = balancer.select(0.0)
        assert isinstance(answer, Decision)
        served.append(answer.site)
        if answer.local:
            take(ledger)
        else:
            balancer.opened(answer.site)
    assert served.index(remote("a").site) + 1 == first_remote
    assert len([site for site in served if site == "00"]) == local_of_40


def test_full_sites_are_left_out_and_counted_as_overflow() -> None:
    ledger = ledger_of(1)
    balancer = balancer_of(ledger, remote("a", 50), policy="balanced")
    take(ledger)
    answer = balancer.select(0.0)
    assert isinstance(answer, Decision)
    assert (answer.site, answer.overflow_reason) == ("a", "full")


def test_a_dearer_load_here_is_no_overflow() -> None:
    ledger = ledger_of(9)
    balancer = balancer_of(ledger, remote("a", 1), policy="balanced")
    take(ledger)
    take(ledger)
    answer = balancer.select(0.0)
    assert isinstance(answer, Decision)
    assert (answer.site, answer.overflow) == ("a", False)


def test_all_full_is_no_choice() -> None:
    ledger, near = ledger_of(1), remote("a")
    balancer = balancer_of(ledger, near, policy="balanced")
    take(ledger)
    load(balancer, near, 10)
    answer = balancer.select(0.0)
    assert isinstance(answer, NoChoice)
    assert answer.local_waitable


def test_equally_good_remote_sites_take_turns() -> None:
    balancer = balancer_of(ledger_of(), remote("a"), remote("b"), policy="balanced")
    assert [site_of(balancer.select(0.0)) for _ in range(4)] == ["a", "b", "a", "b"]


def test_a_policy_changes_live() -> None:
    ledger = ledger_of(9)
    balancer = balancer_of(ledger, remote("a", 1))
    take(ledger)
    take(ledger)
    assert site_of(balancer.select(0.0)) == "00"
    balancer.set_policy(PolicySpec("balanced"))
    assert site_of(balancer.select(0.0)) == "a"
