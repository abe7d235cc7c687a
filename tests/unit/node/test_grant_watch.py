"""Each grant that ends is reported once, so that the requests that rely on it can end."""

from collections.abc import ItemsView

import msgspec

from router.model.ids import SiteId
from router.model.rights.grants import CALL, OFFER, ServiceGrant
from router.model.rights.owners import Owner
from router.model.rights.sharing import Sharing, SharingRules
from router.node.services.grant_watch import GrantWatch, Withdrawn
from router.routing.table import RouteTable
from tests.unit.node.test_bar_news import EAST, MID, WEST
from tests.unit.node.test_new_offers import table

NOTHING = Withdrawn(frozenset(), frozenset())
OFFERED = frozenset({("shop-0", EAST)})


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def granted(*grants: ServiceGrant, barred: str = "") -> RouteTable:
    """By mid, which owns the service; east has targets of it."""
    return msgspec.structs.replace(
        table(EAST, barred=barred), owners={"shop-0": Owner((MID,), "", grants)}
    )


def test_an_offer_that_is_used_no_more_ends_what_is_under_way_there() -> None:
    watch, rules = GrantWatch(Clock()), SharingRules(strict=True)
    assert watch.look(granted(ServiceGrant(EAST, (OFFER,))), rules) == NOTHING
    assert watch.look(granted(barred="not-approved"), rules) == Withdrawn(OFFERED, frozenset())
    assert watch.look(granted(barred="not-approved"), rules) == NOTHING


def test_an_offer_that_needs_no_grant_goes_on_without() -> None:
    watch, rules = GrantWatch(Clock()), SharingRules()
    watch.look(granted(ServiceGrant(EAST, (OFFER,))), rules)
    assert watch.look(granted(), rules) == NOTHING


def test_an_end_is_a_withdrawal() -> None:
    clock = Clock()
    watch, rules = GrantWatch(clock), SharingRules(strict=True)
    watch.look(granted(ServiceGrant(EAST, (OFFER,), until=10)), rules)
    clock.now = 10.0
    told = granted(ServiceGrant(EAST, (OFFER,), until=10), barred="not-approved")
    assert watch.look(told, rules).offers == OFFERED


class Owners(dict[str, Owner]):
    """Counts how often all of them are read."""

    reads = 0

    def items(self) -> ItemsView[str, Owner]:  # type: ignore[override]
        self.reads += 1
        return super().items()


def test_owners_are_read_when_they_change_and_when_a_grant_ends() -> None:
    clock = Clock()
    watch, rules = GrantWatch(clock), SharingRules(strict=True)
    owners = Owners(granted(ServiceGrant(EAST, (OFFER,), until=10)).owners)
    told = msgspec.structs.replace(granted(), owners=owners)
    for clock.now in (0.0, 5.0, 9.0):
        watch.look(told, rules)
    assert owners.reads == 1
    for clock.now in (10.0, 11.0):
        watch.look(told, rules)
    assert owners.reads == 2
    clock.now = 9.0  # The clock was set back: it holds again.
    watch.look(told, rules)
    assert owners.reads == 3
    clock.now = 10.0
    ended = msgspec.structs.replace(granted(barred="not-approved"), owners=owners)
    assert watch.look(ended, rules).offers == OFFERED


def test_in_strict_mode_all_that_was_approved_ends_when_it_is_barred() -> None:
    watch, strict = GrantWatch(Clock()), SharingRules(strict=True)
    watch.look(granted(), strict)
    assert watch.look(granted(barred="not-approved"), strict).offers == OFFERED
    assert watch.look(granted(barred="not-approved"), strict) == NOTHING
    watch.look(granted(), strict)
    gone = msgspec.structs.replace(granted(), candidates={})
    assert watch.look(gone, strict) == NOTHING, "no targets now: what is under way goes on"
    loose = GrantWatch(Clock())
    loose.look(granted(), SharingRules())
    assert loose.look(granted(barred="importFrom"), SharingRules()) == NOTHING


def calls(*sites: SiteId, export_to: tuple[str, ...] | None) -> SharingRules:
    grants = tuple(ServiceGrant(site, (CALL,)) for site in sites)
    return SharingRules({"shop-0": Sharing(export_to, None, grants)})


def test_who_may_call_no_more_loses_what_it_has_open() -> None:
    watch = GrantWatch(Clock())
    watch.look(granted(), calls(EAST, WEST, export_to=()))
    found = watch.look(granted(), calls(EAST, export_to=()))
    assert found == Withdrawn(frozenset(), frozenset({("shop-0", WEST)}))


def test_whom_a_rule_lets_call_loses_nothing_with_a_grant() -> None:
    watch = GrantWatch(Clock())
    watch.look(granted(), calls(EAST, export_to=None))
    assert watch.look(granted(), calls(export_to=None)) == NOTHING
