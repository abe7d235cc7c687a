"""Who else could take a request, if the site that it is sent to is full when it arrives."""

import msgspec
import pytest

from router.balance.deciding.decisions import Beside, Decision
from router.model.ids import RouterId
from router.model.messages.adverts import RemoteCandidate
from router.model.specs import PolicyName
from tests.unit.balance.builders import balancer_of, ledger_of, load, remote, take

FIRST = remote("a", 1)


def beside(
    *others: RemoteCandidate,
    policy: PolicyName = "fill",
    full: tuple[RemoteCandidate, ...] = (),
    excluded: frozenset[str] = frozenset(),
    first: RemoteCandidate = FIRST,
    own_slots: int = 1,
) -> Beside:
    """Of a request that is sent to ``first``, since the only slot here is taken."""
    ledger = ledger_of(own_slots)
    balancer = balancer_of(ledger, first, *others, policy=policy)
    take(ledger)
    for one in full:
        load(balancer, one, 10)
    chosen = Decision(first.site, False, first.paths[0], "", True, "full")
    return balancer.beside(chosen, 0.0, excluded)


DEARER = remote("b", 2)


def test_this_site_is_full_and_others_have_room_or_are_full_too() -> None:
    assert beside() == "full"
    assert beside(DEARER) == "room"
    assert beside(DEARER, full=(DEARER,)) == "full"
    assert beside(own_slots=2) == "room"


@pytest.mark.parametrize(
    "other",
    [remote("b", 2, 0), remote("b", 2, draining=True), remote("b", 2, paths=0)],
    ids=["no target", "draining", "no path"],
)
def test_a_site_that_takes_nothing_is_nobody(other: RemoteCandidate) -> None:
    assert beside(other) == "full", "as this one is"


def test_a_site_without_slots_is_nobody_though_it_looks_full() -> None:
    ledger = ledger_of(0)
    balancer = balancer_of(ledger, FIRST, remote("b", 2, capacity=0))
    chosen = balancer.select(0.0)
    assert isinstance(chosen, Decision)
    assert balancer.beside(chosen, 0.0, frozenset()) == "nobody"


def test_a_site_has_the_slots_of_those_of_its_routers_that_take_requests() -> None:
    full = remote("b", 2, capacity=1)
    one, other = (msgspec.structs.replace(full, router=RouterId(name)) for name in ("b1", "b2"))
    none = msgspec.structs.replace(other, capacity=0)
    for first, second, found in (
        (one, none, "full"),
        (msgspec.structs.replace(one, capacity=0), none, "nobody"),
        (msgspec.structs.replace(one, draining=True), none, "nobody"),
    ):
        balancer = balancer_of(ledger_of(0), FIRST, first, second)
        balancer.report_load(first.site, 10, 1, first.capacity, 0.0, router=first.router)
        chosen = balancer.select(0.0)
        assert isinstance(chosen, Decision) and chosen.site == FIRST.site
        assert balancer.beside(chosen, 0.0, frozenset()) == found


def test_a_site_that_was_tried_is_not_tried_again() -> None:
    assert beside(DEARER, excluded=frozenset({DEARER.site})) == "full"


def test_a_site_without_a_limit_is_never_full() -> None:
    assert beside(first=remote("a", 1, capacity=None)) == "room"


@pytest.mark.parametrize(("cost", "told"), [(1, "room"), (2, "full")])
def test_under_failover_it_stays_where_it_costs_as_much_for_being_full(
    cost: int, told: Beside
) -> None:
    assert beside(remote("b", cost), policy="failover") == told
    assert beside(remote("b", cost), policy="fill") == "room"
