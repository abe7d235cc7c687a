"""The reason of each decision for another site."""

import pytest

from router.balance.balancer import ServiceBalancer
from router.balance.deciding.decisions import Asked, Decision
from router.balance.site.spills import LocalTargets
from router.model.ids import SiteId
from router.model.specs import PolicyName
from tests.unit.balance.builders import HERE, balancer_of, ledger_of, load, remote, take


def spill_of(balancer: ServiceBalancer, *excluded: SiteId) -> str:
    """The reason of the next decision, which `explain` says too."""
    explained = balancer.explain(0.0, frozenset(excluded)).decision
    decision = balancer.select(0.0, frozenset(excluded))
    assert isinstance(decision, Decision) and isinstance(explained, Decision)
    assert explained.spill_reason == decision.spill_reason
    assert (decision.spill_reason == "") == decision.local
    return decision.spill_reason


def test_a_request_that_stays_has_no_reason() -> None:
    assert spill_of(balancer_of(ledger_of(2), remote("a"))) == ""


def test_a_full_site_spills_because_it_is_full() -> None:
    ledger = ledger_of(1)
    balancer = balancer_of(ledger, remote("a"))
    take(ledger)
    assert spill_of(balancer) == "full"


def test_without_a_configured_capacity_more_load_here_than_elsewhere_is_a_reason() -> None:
    ledger = ledger_of(None)
    balancer = balancer_of(ledger, remote("a", capacity=None))
    for _ in range(3):
        take(ledger)
    assert spill_of(balancer) == "higher-level"


@pytest.mark.parametrize("sites", [1, 2])
@pytest.mark.parametrize("paths", [1, 2])
@pytest.mark.parametrize("policy", ["fill", "balanced", "spread", "failover"])
def test_targets_that_fail_and_return(policy: PolicyName, paths: int, sites: int) -> None:
    ledger = ledger_of(1, 1)
    remotes = [remote(chr(ord("a") + n), n + 1, paths=paths) for n in range(sites)]
    balancer = balancer_of(ledger, *remotes, policy=policy)
    for n in range(2):
        ledger.set_ready(f"t{n}:80", False)
    assert spill_of(balancer) == "no-target"
    ledger.set_ready("t0:80", False, ejected=True)
    assert spill_of(balancer) == "ejected"
    ledger.set_ready("t0:80", False)
    assert spill_of(balancer) == "no-target"
    ledger.set_ready("t0:80", True)
    assert spill_of(balancer) in ("", "policy")


def test_a_site_that_was_drained_is_the_reason_and_not_its_targets() -> None:
    ledger = ledger_of(1)
    balancer = balancer_of(ledger, remote("a"))
    ledger.set_drained(True)
    ledger.set_ready("t0:80", False)
    assert spill_of(balancer) == "drained"
    (here, _) = balancer.explain(0.0).candidates
    assert (here.verdict, here.reason) == (
        "draining",
        "it is drained and takes nothing new of this service",
    )
    ledger.set_drained(False)
    assert spill_of(balancer) == "no-target"


def test_without_targets_here_a_full_cheaper_site_is_not_the_reason() -> None:
    near = remote("a", 1)
    balancer = balancer_of(ledger_of(), near, remote("b", 2))
    load(balancer, near, 10)
    decision = balancer.select(0.0)
    assert isinstance(decision, Decision)
    assert (decision.overflow_reason, decision.spill_reason) == ("full", "no-target")


def test_a_site_that_was_tried_in_vain_fails_over() -> None:
    assert spill_of(balancer_of(ledger_of(2), remote("a")), HERE) == "failover"


def test_the_policy_sends_some_elsewhere() -> None:
    balancer = balancer_of(ledger_of(9), remote("a"), policy="split", weights={"site-a": 1})
    assert spill_of(balancer) == "policy"


def test_a_session_stays_elsewhere_while_this_site_has_room() -> None:
    ledger = ledger_of(1)
    balancer = balancer_of(ledger, remote("a"))
    decision = balancer.select(0.0, asked=Asked(SiteId("a")))
    assert isinstance(decision, Decision) and decision.spill_reason == "session"
    ledger.set_ready("t0:80", False)
    decision = balancer.select(0.0, asked=Asked(SiteId("a")))
    assert isinstance(decision, Decision) and decision.spill_reason == "no-target"


@pytest.mark.parametrize(
    ("targets", "state", "shown"),
    [
        (LocalTargets(0, 0, 0), "none", "0 of 0 targets are ready here"),
        (LocalTargets(1, 0, 0), "down", "0 of 1 target is ready here"),
        (LocalTargets(3, 0, 2), "down", "0 of 3 targets are ready here (2 ejected)"),
        (LocalTargets(3, 2, 0), "some", "2 of 3 targets are ready here"),
        (LocalTargets(3, 3, 0), "all", "3 of 3 targets are ready here"),
    ],
)
def test_how_targets_stand(targets: LocalTargets, state: str, shown: str) -> None:
    assert (targets.state, targets.shown) == (state, shown)


def test_the_ledger_counts_wanted_targets() -> None:
    ledger = ledger_of(1, 1, 1)
    ledger.set_ready("t1:80", False, ejected=True)
    assert ledger.local_targets == LocalTargets(3, 2, 1)
    ledger.set_targets({})
    assert ledger.local_targets == LocalTargets(0, 0, 0)
