"""The rows of `sitectl access`: who may declare, offer and call what, by whose word."""

import msgspec

from router.admin.endpoints.access import AccessRow
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import Declaration
from router.model.rights.grants import CALL, OFFER, OWN, REDECLARE, ServiceGrant
from router.model.rights.owners import Owner
from router.model.rights.sharing import ALL, Sharing, SharingRules, Terms
from router.node.time_text import utc_of
from router.operate.access import AccessFacts, rows
from router.routing.bars import BarRow
from router.routing.declared import Claim, Declared
from router.routing.table import RouteTable
from tests.unit.node.test_bar_news import TABLE, route
from tests.unit.node.test_new_offers import candidate
from tests.unit.routing.fakes import declare

WEST, MID, EAST = (SiteId(letter * 32) for letter in "ade")
SHOP = "shop"
END = 1_798_761_599
NOBODY_YET = "north"
STRICT = SharingRules(strict=True)

Told = tuple[str, str, str, str, str]


def told(facts: AccessFacts, service: str | None = SHOP) -> list[Told]:
    found = rows(facts, service)
    return [(row.service, row.site, row.may, row.by, row.state) for row in found]


def one(facts: AccessFacts, may: str, site: str) -> AccessRow:
    (found,) = [row for row in rows(facts, SHOP) if (row.may, row.site) == (may, site)]
    return found


def owned(
    *grants: ServiceGrant,
    by: SiteId = MID,
    offering: tuple[SiteId, ...] = (EAST,),
    barred: str = "",
) -> RouteTable:
    """A service that mid declares; this site is west."""
    return msgspec.structs.replace(
        TABLE,
        site=WEST,
        sites={WEST: route(WEST, "west"), MID: route(MID, "mid"), EAST: route(EAST, "east")},
        candidates={ServiceKey(SHOP, 80): tuple(candidate(site, barred) for site in offering)},
        declarations=declared(MID),
        owners={SHOP: Owner((by,), "", grants)},
    )


def rules(sharing: Sharing, *, service: str = SHOP, strict: bool = False) -> SharingRules:
    return SharingRules({service: sharing}, strict)


def declared(site: SiteId, **others: tuple[SiteId, ...]) -> dict[str, Declared]:
    conflicts = others.get("conflicts", ())
    return {
        SHOP: Declared(
            declaration=declare(SHOP),
            site=site,
            reachable=True,
            conflicts=conflicts,
            alike=others.get("alike", ()),
        )
    }


def test_in_open_mode_all_sites_may_do_what_no_rule_forbids() -> None:
    assert told(AccessFacts(table=owned(), targets_of={SHOP}), None) == [
        (ALL, ALL, "declare", "open mode", "allowed"),
        (ALL, ALL, "offer", "open mode", "allowed"),
        (SHOP, "mid", "declare", "owns the name", "in use"),
        (SHOP, "east", "offer", "open mode", "in use"),
        (SHOP, "west", "offer", "own targets", "in use"),
        (SHOP, ALL, "call", "open mode", "allowed"),
        (SHOP, ALL, "call", "open mode of east", "allowed"),
    ]


def test_a_site_that_was_put_out_is_no_site_that_may_do_what_no_rule_forbids() -> None:
    """Its rows stood nowhere, beside "all sites: declare, offer: allowed"."""
    table = msgspec.structs.replace(
        owned(), put_out=frozenset({EAST}), bars=(BarRow(EAST, WEST, END), BarRow(MID, EAST, END))
    )
    found = [row for row in rows(AccessFacts(table=table), SHOP) if row.state == "barred"]
    assert [(row.service, row.site, row.may, row.by) for row in found] == [
        (ALL, "east", "declare", "barred by west"),
        (ALL, "east", "offer", "barred by west"),
    ]
    assert {row.until for row in found} == {utc_of(END)}


def calls(facts: AccessFacts) -> list[Told]:
    return [row for row in told(facts) if row[2] == "call"]


def test_of_other_sites_the_call_rules_that_they_tell_with_their_targets_are_shown() -> None:
    assert calls(AccessFacts(table=owned())) == [
        (SHOP, ALL, "call", "open mode of east", "allowed")
    ]
    one = msgspec.structs.replace(candidate(EAST), export_to=("branch-*", WEST))
    table = msgspec.structs.replace(owned(), candidates={ServiceKey(SHOP, 80): (one,)})
    assert calls(AccessFacts(table=table)) == [
        (SHOP, "branch-*", "call", "exportTo of east", "allowed"),
        (SHOP, "west", "call", "exportTo of east", "allowed"),
    ]


def test_an_edge_is_told_no_call_rules_of_others() -> None:
    facts = AccessFacts(table=owned(), is_edge=True)
    assert calls(facts) == [(SHOP, ALL, "call", "exportTo of east", "not known")]


def test_a_strict_site_shows_the_offer_that_the_owner_has_not_granted() -> None:
    given = rules(Sharing((), (ALL,)), strict=True)
    facts = AccessFacts(table=owned(barred="not-approved: …"), given=given, rules=given)
    assert told(facts) == [
        (SHOP, "mid", "declare", "owns the name", "in use"),
        (SHOP, ALL, "declare", "this site's importFrom", "allowed"),
        (SHOP, "east", "offer", "no grant of mid", "not-approved"),
        (SHOP, ALL, "call", "open mode of east", "allowed"),
    ]


def test_a_strict_site_without_rules_takes_and_gives_nothing() -> None:
    facts = AccessFacts(
        table=owned(barred="importFrom …"), given=STRICT, rules=STRICT, targets_of={SHOP}
    )
    assert told(facts)[1:] == [
        (SHOP, "west", "offer", "own targets", "in use"),
        (SHOP, "east", "offer", "strict mode", "not-approved"),
        (SHOP, ALL, "call", "open mode of east", "allowed"),
    ]


def test_an_offer_that_an_import_rule_leaves_out_says_so() -> None:
    given = rules(Sharing(None, ("mid",)))
    resolved = rules(Sharing(None, (MID,)))
    facts = AccessFacts(table=owned(barred="…"), given=given, rules=resolved, meant={"mid": MID})
    assert one(facts, "offer", "east").by == "this site's importFrom"
    assert one(facts, "offer", "east").state == "not-approved"
    assert one(facts, "offer", "mid").state == "allowed"


def test_a_grant_of_the_owner_is_shown_with_its_end_and_ceiling_used_or_not() -> None:
    granted = ServiceGrant(EAST, (OFFER, CALL), 20, END)
    used = AccessFacts(table=owned(granted))
    assert one(used, "offer", "east") == AccessRow(
        service=SHOP,
        site="east",
        site_id=EAST,
        may="offer",
        by="grant of mid",
        until="2026-12-31T23:59:59Z",
        capacity=20,
        state="in use",
    )
    unused = AccessFacts(table=owned(granted, offering=()))
    assert one(unused, "offer", "east").state == "allowed"
    assert one(unused, "offer", "east").capacity == 20
    call = one(unused, "call", "east")
    assert (call.by, call.capacity, call.until) == ("grant of mid", None, "2026-12-31T23:59:59Z")


def test_a_grant_that_ended_is_shown_as_such() -> None:
    facts = AccessFacts(table=owned(ServiceGrant(EAST, (OFFER,), until=END)), unix=END)
    states = [(row.by, row.state) for row in rows(facts, SHOP) if row.site == "east"]
    assert states == [("open mode", "in use"), ("grant of mid", "ended")]


def test_own_grants_name_sites_that_are_not_there_yet() -> None:
    pinned = SiteId(f"south@{'5' * 32}")
    grants = (ServiceGrant(SiteId(NOBODY_YET), (CALL,)), ServiceGrant(pinned, (OWN, REDECLARE)))
    given = rules(Sharing(grants=grants), strict=True)
    facts = AccessFacts(
        table=owned(by=WEST, offering=()),
        given=given,
        rules=rules(
            Sharing(grants=(ServiceGrant(SiteId("5" * 32), (OWN, REDECLARE)),)), strict=True
        ),
        meant={NOBODY_YET: ""},
    )
    pending = one(facts, "call", NOBODY_YET)
    assert (pending.site_id, pending.state, pending.by) == ("", "pending name", "grant of west")
    assert one(facts, "own", "south").site_id == "5" * 32
    assert one(facts, "redeclare", "south").state == "allowed"


def test_a_site_cannot_give_away_a_name_of_another() -> None:
    given = rules(Sharing(grants=(ServiceGrant(EAST, (OWN, OFFER)),)))
    facts = AccessFacts(table=owned(offering=()), given=given, rules=given)
    assert one(facts, "own", "east").state == "not-approved"
    assert one(facts, "offer", "east").state == "allowed"


def test_a_transfer_that_took_effect_is_in_use_at_the_former_owner() -> None:
    given = rules(Sharing(grants=(ServiceGrant(MID, (OWN,)),)))
    facts = AccessFacts(table=owned(offering=()), given=given, rules=given)
    assert [(row.site, row.by, row.state) for row in rows(facts, SHOP) if row.may == "own"] == [
        ("mid", "grant of west", "in use")
    ]


def test_declarations_that_do_not_count_and_those_that_say_the_same() -> None:
    found = msgspec.structs.replace(
        owned(offering=()), declarations=declared(MID, conflicts=(WEST,), alike=(EAST,))
    )
    assert told(AccessFacts(table=found))[2:5] == [
        (SHOP, "mid", "declare", "owns the name", "in use"),
        (SHOP, "east", "declare", "its own word", "allowed"),
        (SHOP, "west", "declare", "its own word", "conflicts"),
    ]


def test_an_offer_with_another_protocol_is_not_in_use() -> None:
    """The router sends it nothing, and the row said "in use"."""
    differing = msgspec.structs.replace(
        candidate(EAST), differs="east declares it as tcp, and http counts here", serves="tcp"
    )
    key = ServiceKey(SHOP, 80)
    table = msgspec.structs.replace(owned(), candidates={key: (differing,)})
    row = one(AccessFacts(table=table), "offer", "east")
    assert (row.by, row.state) == ("serves it as tcp", "conflicts")
    alike = msgspec.structs.replace(candidate(EAST), serves="http")
    table = msgspec.structs.replace(owned(), candidates={key: (differing, alike)})
    assert one(AccessFacts(table=table), "offer", "east").state == "in use", "of another router"


def test_at_a_site_that_declares_the_name_itself_only_its_own_grants_count() -> None:
    given = SharingRules({SHOP: Sharing(None, (ALL,))}, strict=True)
    found = msgspec.structs.replace(
        owned(ServiceGrant(EAST, (OFFER,)), barred="not-approved: …"), declarations=declared(WEST)
    )
    facts = AccessFacts(table=found, given=given, rules=given)
    offers = [(row.by, row.state) for row in rows(facts, SHOP) if row.may == "offer"]
    assert offers == [("grant of mid", "conflicts"), ("no grant of west", "not-approved")]


def test_of_several_owners_the_word_of_the_one_in_force_counts() -> None:
    told = msgspec.structs.replace(declare(SHOP), grants=(ServiceGrant(EAST, (OFFER,), 3),))
    entry = Declared(declaration=told, site=MID, reachable=True, conflicts=(), rivals=())
    table = msgspec.structs.replace(
        owned(), owners={SHOP: Owner((MID, EAST), "")}, declarations={SHOP: entry}
    )
    row = one(AccessFacts(table=table), "offer", "east")
    assert (row.by, row.capacity, row.state) == ("grant of mid", 3, "in use")


def test_who_stands_in_for_the_owner_does_so_by_its_grant() -> None:
    found = msgspec.structs.replace(
        owned(ServiceGrant(EAST, (REDECLARE,)), offering=()), declarations=declared(EAST)
    )
    facts = AccessFacts(table=found)
    assert one(facts, "declare", "east").by == "grant of mid"
    assert one(facts, "own", "mid").by == "owns the name"


def test_an_owner_out_of_reach_still_owns_a_name_that_another_declares() -> None:
    claim = Claim(
        Declaration(name=SHOP, spec=declare(SHOP).spec, declared_at_s=0.0), EAST, RouterId("e"), 1
    )
    found = msgspec.structs.replace(owned(offering=()), declarations={}, idle={SHOP: (claim,)})
    facts = AccessFacts(table=found)
    assert one(facts, "declare", "east").state == "conflicts"
    assert one(facts, "own", "mid").state == "allowed"


def test_export_rules_show_patterns_as_they_are_and_sites_by_name() -> None:
    given = rules(Sharing(("branch-*", f"east@{EAST}", NOBODY_YET), None))
    facts = AccessFacts(table=owned(offering=()), given=given, rules=given, meant={NOBODY_YET: ""})
    found = [row for row in rows(facts, SHOP) if row.may == "call"]
    assert {(row.site, row.site_id, row.state) for row in found} == {
        ("branch-*", "", "allowed"),
        ("east", EAST, "allowed"),
        (NOBODY_YET, "", "pending name"),
    }
    assert {row.by for row in found} == {"this site's exportTo"}


def test_rules_for_all_services_hold_for_those_without_their_own() -> None:
    given = rules(Sharing((EAST,), (MID,)), service=ALL)
    facts = AccessFacts(table=owned(offering=()), given=given, rules=given, targets_of={SHOP})
    assert one(facts, "call", "east").service == SHOP
    found = told(facts, None)
    assert (ALL, "mid", "declare", "this site's importFrom", "allowed") in found
    assert (ALL, "east", "call", "this site's exportTo", "allowed") in found
    own = SharingRules({**given.services, SHOP: Sharing(None, (EAST,))})
    offers = [row for row in rows(AccessFacts(table=owned(), given=own, rules=own), SHOP)]
    assert {row.service for row in offers} == {SHOP}


def test_terms_of_a_token_are_rows_by_pattern() -> None:
    terms = {EAST: Terms((), ("shop-*",), None)}
    facts = AccessFacts(table=owned(offering=()), terms=terms)
    found = [row for row in told(facts, None) if row[3] == "terms of its token"]
    assert found == [
        (ALL, "east", "declare", "terms of its token", "not-approved"),
        (ALL, "east", "call", "terms of its token", "allowed"),
        ("shop-*", "east", "offer", "terms of its token", "allowed"),
    ]
    only = AccessFacts(table=owned(offering=()), terms={EAST: Terms(None, None, ("bank",))})
    assert one(only, "call", "east").state == "not-approved"
    assert one(only, "call", "east").service == SHOP


def test_an_edge_takes_the_site_whose_declaration_counts_for_the_owner() -> None:
    spec = msgspec.structs.replace(declare(SHOP), grants=(ServiceGrant(EAST, (OFFER,), 7),))
    entry = Declared(declaration=spec, site=MID, reachable=True, conflicts=())
    found = msgspec.structs.replace(owned(), owners={}, declarations={SHOP: entry})
    row = one(AccessFacts(table=found), "offer", "east")
    assert (row.by, row.capacity, row.state) == ("grant of mid", 7, "in use")


def test_an_offer_nobody_uses_at_one_port_is_in_use_by_another() -> None:
    first, second = owned(), owned(barred="…")
    keys = [*first.candidates]
    again = msgspec.structs.replace(keys[0], port=81)
    found = msgspec.structs.replace(
        first, candidates={**first.candidates, again: second.candidates[keys[0]]}
    )
    assert one(AccessFacts(table=found), "offer", "east").state == "in use"


def test_an_offer_at_a_port_that_the_declaration_here_lacks_is_not_in_use() -> None:
    """Two sites declared one name with different ports: neither sends the other a request."""
    (candidates,) = owned().candidates.values()
    elsewhere = {ServiceKey(SHOP, 8098): candidates, ServiceKey(SHOP, 8097): candidates}
    table = msgspec.structs.replace(owned(), candidates=elsewhere)
    row = one(AccessFacts(table=table), "offer", "east")
    assert (row.by, row.state) == ("serves it at port 8097, 8098", "conflicts")
    both = msgspec.structs.replace(owned(), candidates={**elsewhere, **owned().candidates})
    assert one(AccessFacts(table=both), "offer", "east").state == "in use"
