"""Grants: when they hold, their additions to rules, and how much of an offer counts."""

from router.model.ids import SiteId
from router.model.rights.grants import (
    CALL,
    OFFER,
    ServiceGrant,
    ceiling,
    first_end,
    granted,
    in_force,
)
from router.model.rights.sharing import ALL, Sharing, SharingRules

EAST, WEST = SiteId("e" * 32), SiteId("w" * 32)


def test_a_grant_holds_until_its_end() -> None:
    grants = (ServiceGrant(EAST, (OFFER,), until=10), ServiceGrant(WEST, (OFFER,)))
    assert granted(in_force(grants, 9.9), OFFER) == (EAST, WEST)
    assert granted(in_force(grants, 10.0), OFFER) == (WEST,)
    assert (first_end(grants, 9.9), first_end(grants, 10.0)) == (10, None)


def test_of_several_grants_the_largest_ceiling_counts_and_none_is_no_limit() -> None:
    grants = (
        ServiceGrant(EAST, (OFFER,), 5),
        ServiceGrant(EAST, (OFFER, CALL), 9),
        ServiceGrant(EAST, (CALL,)),
    )
    assert ceiling(grants, EAST) == 9
    assert ceiling((*grants, ServiceGrant(EAST, (OFFER,))), EAST) is None
    assert ceiling(grants, WEST) is None


def test_strict_without_rules_shares_nothing() -> None:
    rules = SharingRules(strict=True)
    assert not rules.limits_nothing
    assert rules.of("shop") == Sharing((), ())
    assert SharingRules().of("shop") == Sharing()


def test_rules_and_grants_of_one_service_add_up() -> None:
    grants = (ServiceGrant(EAST, (CALL, OFFER)),)
    given = {ALL: Sharing((WEST,), None), "shop": Sharing(grants=grants)}
    assert SharingRules(given, strict=True).of("shop") == Sharing((WEST, EAST), (EAST,), grants)
    assert SharingRules(given).of("shop") == Sharing((WEST, EAST), None, grants)
    assert SharingRules(given, strict=True).of("bank") == Sharing((WEST,), ())


def test_whoever_was_granted_anything_knows_the_service_and_callers_alone_may_use_it() -> None:
    grants = (ServiceGrant(EAST, (OFFER,)), ServiceGrant(WEST, (CALL,)))
    shared = SharingRules({"shop": Sharing(grants=grants)}, strict=True).of("shop")
    assert (shared.told_to, shared.export_to) == ((WEST, EAST), (WEST,))
    assert Sharing(grants=grants).told_to is None


def test_all_by_rule_is_all_in_strict_mode_too() -> None:
    rules = SharingRules({ALL: Sharing((ALL,), (ALL,))}, strict=True)
    assert rules.of("shop") == Sharing((ALL,), (ALL,))
