"""What operators hear of services of other sites that are not known here any more."""

from typing import cast

import msgspec

from router.model.ids import SiteId
from router.model.limits import GONE_SERVICES_MAX, SERVICE_EVENTS_BURST
from router.node.news.withdrawn_services import WithdrawnServices
from router.routing.declared import Declared
from router.routing.names import Names
from router.routing.table import RouteTable
from tests.unit.journal import Journal
from tests.unit.node.test_bar_news import EAST, MID, TABLE, WEST
from tests.unit.routing.fakes import declare


class NamesOf:
    """As the tables have them."""

    def site(self, site: SiteId) -> str:
        return TABLE.sites[site].name


def table(site: SiteId, *names: str, deleted: frozenset[SiteId] = frozenset()) -> RouteTable:
    """In which ``site`` declares services of these ``names``."""
    declared = {
        name: Declared(declaration=declare(name), site=site, reachable=True, conflicts=())
        for name in names
    }
    return msgspec.structs.replace(TABLE, declarations=declared, deleted=deleted)


def life(*tables: RouteTable, leads: bool = True) -> Journal:
    journal = Journal()
    news = WithdrawnServices(journal.tell, cast(Names, NamesOf()), leads=leads)
    for one in tables:
        news.table_changed(one, 0.0)
    return journal


def test_a_service_that_its_site_withdraws_is_an_event_and_its_return_another() -> None:
    assert life(table(MID, "shop"), table(MID), table(MID, "shop")).messages == [
        (
            "service-gone",
            "Service shop is not known here any more: mid does not declare it for this site any "
            "more.",
        ),
        ("service-back", "Service shop of mid is known here again."),
    ]


def test_services_of_a_site_that_is_not_reached_or_deleted_say_so_at_once() -> None:
    names = ("a", "b", "c", "d", "e")
    ((_, text),) = life(table(EAST, *names), table(EAST)).messages
    assert text.startswith(
        "Services a, b, c and 2 more are not known here any more: east, which declared them, is "
        "not reached."
    )
    deleted = table(MID, deleted=frozenset({MID}))
    ((_, text),) = life(table(MID, "a"), deleted).messages
    assert text.startswith("Service a is not known here any more: mid was deleted.")


def test_services_of_a_site_that_was_put_out_are_not_blamed_on_the_way_there() -> None:
    barred = msgspec.structs.replace(table(EAST), barred={"shop": (EAST,)})
    ((_, text),) = life(table(EAST, "shop"), barred).messages
    assert text.endswith("any more: east, which declared it, is barred.")


def test_services_of_this_site_new_ones_and_those_that_it_takes_over_are_no_news() -> None:
    assert not life(table(WEST, "shop"), table(WEST)).messages
    assert not life(table(MID), table(MID, "shop"), table(WEST, "shop")).messages
    refused = msgspec.structs.replace(table(MID), refused={"shop": (MID,)})
    assert not life(table(MID, "shop"), refused).messages
    assert not life(table(MID, "shop"), table(MID), leads=False).messages


def test_a_site_that_withdraws_and_declares_all_the_time_is_told_so_often_and_no_more() -> None:
    tables = [table(MID, "shop"), table(MID)] * (3 * SERVICE_EVENTS_BURST)
    gone = [code for code, _ in life(*tables).messages if code == "service-gone"]
    assert len(gone) == SERVICE_EVENTS_BURST


def test_a_bounded_number_of_services_is_waited_for() -> None:
    names = [f"s{number:05}" for number in range(GONE_SERVICES_MAX + 1)]
    first, last = names[0], names[-1]
    declared, withdrawn = table(MID, *names), table(MID)
    assert len(life(declared, withdrawn, table(MID, first)).messages) == 1
    assert len(life(declared, withdrawn, table(MID, last)).messages) == 2
