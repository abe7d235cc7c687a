"""Notes of a strict site to its operator: it shares nothing, or an offer waits for its owner."""

import msgspec
import pytest

from router.model.events import Note
from router.model.ids import ServiceKey
from router.model.limits import UNAPPROVED_NOTES_MAX
from router.model.rights.grants import CALL, ServiceGrant
from router.model.rights.owners import Owner
from router.model.rights.sharing import ALL, Sharing, SharingRules
from router.node.problems.strict_notes import strict_notes
from router.routing.table import RouteTable
from tests.unit.node.test_new_offers import candidate
from tests.unit.operate.test_access import EAST, END, MID, SHOP, WEST, declared, owned

TAKES_ALL = {ALL: Sharing((), (ALL,))}


def notes(
    table: RouteTable, *services: str, given: SharingRules | None = None, unix: float = 0.0
) -> list[Note]:
    rules = SharingRules(strict=True) if given is None else given
    return strict_notes(rules, rules, services, table, unix)


def codes(found: list[Note]) -> list[str]:
    return [one.code for one in found]


def test_an_open_site_has_none() -> None:
    barred = owned(barred="importFrom …")
    assert notes(barred, SHOP, given=SharingRules({SHOP: Sharing(None, ())})) == []


def test_a_strict_site_that_shares_nothing_names_the_command() -> None:
    (note,) = notes(owned(offering=()), "shop", "mail")
    assert (note.code, note.severity) == ("SW0350", "warning")
    assert "any of its 2 services" in note.message
    assert note.hint.startswith("sitectl service grant mail --site SITE --call")


@pytest.mark.parametrize(
    "rule",
    [Sharing((EAST,)), Sharing(()), Sharing(grants=(ServiceGrant(EAST, (CALL,), None, END),))],
)
def test_one_export_rule_or_grant_is_enough(rule: Sharing) -> None:
    given = SharingRules({SHOP: rule}, strict=True)
    assert notes(owned(offering=()), SHOP, given=given) == []
    ended = ["SW0350"] if rule.grants else []
    assert codes(notes(owned(offering=()), SHOP, given=given, unix=END)) == ended


def test_a_site_that_only_takes_services_of_others_still_shares_none_of_its_own() -> None:
    given = SharingRules({SHOP: Sharing(None, (EAST,))}, strict=True)
    assert codes(notes(owned(offering=()), SHOP, given=given)) == ["SW0350"]


def test_a_site_without_services_or_without_others_has_nothing_to_share() -> None:
    table = owned(offering=())
    assert notes(table) == []
    alone = msgspec.structs.replace(table, sites={WEST: table.sites[WEST]})
    assert notes(alone, SHOP) == []


def test_an_offer_that_waits_names_the_owners_command() -> None:
    given = SharingRules(TAKES_ALL, strict=True)
    (note,) = notes(owned(barred="not-approved: …"), SHOP, given=given)
    assert (note.code, note.severity) == ("SW0351", "info")
    assert "Site east offers shop" in note.message and "mid owns shop" in note.message
    assert note.hint == "At mid: sitectl service grant shop --site east --offer"
    table = msgspec.structs.replace(owned(barred="…"), declarations=declared(WEST))
    (note,) = notes(table, given=given)
    assert note.hint == "sitectl service grant shop --site east --offer"


def test_an_offer_that_an_import_rule_leaves_out_waits_for_nobody() -> None:
    given = SharingRules({SHOP: Sharing(None, (MID,))}, strict=True)
    assert notes(owned(barred="importFrom …"), given=given) == []


def test_many_offers_give_a_bounded_number_of_notes() -> None:
    table = owned()
    names = [f"s-{number}" for number in range(UNAPPROVED_NOTES_MAX + 5)]
    many = msgspec.structs.replace(
        table,
        candidates={ServiceKey(name, 80): (candidate(EAST, "…"),) for name in names},
        declarations=dict.fromkeys(names, table.declarations[SHOP]),
        owners=dict.fromkeys(names, Owner((MID,), "")),
    )
    given = SharingRules(TAKES_ALL, strict=True)
    assert codes(notes(many, given=given)) == ["SW0351"] * UNAPPROVED_NOTES_MAX
