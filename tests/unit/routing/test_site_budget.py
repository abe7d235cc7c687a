"""A site whose routers tell too much, as its neighbors meet it."""

import pytest

from router.model import limits
from router.model.ids import RouterId
from router.routing.adverts.lsa import PartRef, Services
from router.routing.core import RoutingCore
from router.routing.events import RoutingEvent, SendAck, SendLsa, SiteOverBudget
from tests.unit.routing.fakes import FakeIdentity, SameSiteIdentity, advert, make_lsa, signed
from tests.unit.routing.test_core import ack_all, beside

pytestmark = pytest.mark.usefixtures("both_orders")

EAST, NORTH = FakeIdentity("east"), FakeIdentity("north")
NAMES = 256
PARTS = 2


def swarm(routers: int) -> list[tuple[FakeIdentity, list[bytes]]]:
    """Routers of one site, each with different names; EAST links to all the others."""
    found = []
    whos = [EAST, *(SameSiteIdentity(EAST, f"{n:016x}") for n in range(1, routers))]
    for who in whos:
        others = [other for other in whos if other is not who]
        near = others if who is EAST else [EAST]
        parts = []
        for part in range(1, PARTS + 1):
            names = [f"{who.router[-2:]}-{part}-{n}" for n in range(NAMES // PARTS)]
            body = Services((), tuple(map(advert, names)))
            parts.append(signed(make_lsa(who, part=part, services=body), who))
        refs = tuple(PartRef(part, 1) for part in range(1, PARTS + 1))
        links = (*((one, 1) for one in near), *(((WEST, 1),) if who is EAST else ()))
        parts.append(signed(make_lsa(who, sequence=2, parts=refs, neighbours=links), who))
        found.append((who, parts))
    return found


WEST = FakeIdentity("west")


def hear(core: RoutingCore, told: list[tuple[FakeIdentity, list[bytes]]]) -> list[RoutingEvent]:
    events: list[RoutingEvent] = []
    for _, parts in told:
        for part in parts:
            events += core.receive_lsa(RouterId(EAST.router), part, 1.0)
    return events


def test_a_site_of_many_routers_is_kept_up_to_its_budget_and_named() -> None:
    core = beside(EAST, NORTH)
    routers = limits.LSA_SITE_NAMES_MAX // NAMES + 3
    events = hear(core, swarm(routers))
    over = [event for event in events if isinstance(event, SiteOverBudget)]
    assert {event.site for event in over} == {EAST.site}
    assert {event.excess for event in over} == {f"more than {limits.LSA_SITE_NAMES_MAX:,} services"}
    assert core.lsas_over_budget == len(over) == 3 * PARTS
    core.handle_timeout(5.0)
    assert len(core.table.candidates) == limits.LSA_SITE_NAMES_MAX


def test_a_refused_part_is_acked_and_not_passed_on() -> None:
    """A neighbor that holds it would send it again and again, in the place of others' parts."""
    core = beside(EAST, NORTH)
    told = swarm(limits.LSA_SITE_NAMES_MAX // NAMES + 1)
    hear(core, told[:-1])
    who, parts = told[-1]
    events = core.receive_lsa(RouterId(EAST.router), parts[0], 1.0)
    (ack,) = [event.ack for event in events if isinstance(event, SendAck)]
    assert (ack.router, ack.part) == (who.router, 1)
    assert not [event for event in events if isinstance(event, SendLsa)]


def test_a_part_is_not_sent_again_to_a_neighbour_whose_own_of_that_number_is_refused() -> None:
    """Two lives of a router told two parts by one number, and its site is at its budget."""
    core = beside(EAST, NORTH)
    ack_all(core, hear(core, swarm(limits.LSA_SITE_NAMES_MAX // NAMES)), 1.0)
    who = SameSiteIdentity(EAST, "f" * 16)
    small, large = (
        signed(make_lsa(who, part=1, services=Services((), tuple(map(advert, names)))), who)
        for names in ([], ["one", "more"])
    )
    assert large > small, "it is the newer of the two"
    assert SendLsa(RouterId(NORTH.router), small) in core.receive_lsa(EAST.router, small, 1.0)
    events = core.receive_lsa(NORTH.router, large, 1.0)
    assert [event.site for event in events if isinstance(event, SiteOverBudget)] == [EAST.site]
    again = core.handle_timeout(1.0 + limits.LSA_RETRANSMIT_S)
    assert not [event for event in again if isinstance(event, SendLsa) and event.signed == small]


def test_a_site_that_came_later_finds_its_place() -> None:
    core = beside(EAST, NORTH)
    hear(core, swarm(limits.LSA_SITE_NAMES_MAX // NAMES + 3))
    body = Services((), (advert("mine"),))
    core.receive_lsa(NORTH.router, signed(make_lsa(NORTH, part=1, services=body), NORTH), 2.0)
    head = make_lsa(NORTH, sequence=2, parts=(PartRef(1, 1),), neighbours=((WEST, 1),))
    core.receive_lsa(NORTH.router, signed(head, NORTH), 2.0)
    core.handle_timeout(5.0)
    core.handle_timeout(9.0)
    assert "mine" in {key.name for key in core.table.candidates}


def test_a_neighbor_that_brings_too_much_of_others_is_named_and_another_one_may_bring_it() -> None:
    core, names = beside(EAST, NORTH), 512
    whos = [FakeIdentity(f"i{n}") for n in range(limits.LSA_NEIGHBOUR_NAMES_MAX // names + 2)]
    events: list[RoutingEvent] = []
    for who in whos:
        body = Services((), tuple(advert(f"{who.name}-{n}") for n in range(names)))
        part = signed(make_lsa(who, part=1, services=body), who)
        events += core.receive_lsa(EAST.router, part, 1.0)
    over = {event for event in events if isinstance(event, SiteOverBudget)}
    assert {(event.site, event.is_relayed) for event in over} == {(EAST.site, True)}
    assert sum(isinstance(event, SendAck) for event in events) == len(whos)
    again = core.receive_lsa(NORTH.router, part, 1.0)
    assert [event for event in again if isinstance(event, SendLsa)]
    assert not [event for event in again if isinstance(event, SiteOverBudget)]


def test_sites_of_one_token_that_tell_too_much_are_named_with_it_and_others_have_room() -> None:
    core, names = beside(NORTH), 512
    whos = [FakeIdentity(f"m{n}") for n in range(limits.LSA_NEIGHBOUR_NAMES_MAX // names + 2)]
    single = FakeIdentity("single")
    for who in whos:
        core.adjacency_up(who.router, who.site, 1, 0.0, token="fleet")
    core.adjacency_up(single.router, single.site, 1, 0.0, token="one")
    events: list[RoutingEvent] = []
    for who in (*whos, single):
        body = Services((), tuple(advert(f"{who.name}-{n}") for n in range(names)))
        part = signed(make_lsa(who, part=1, services=body), who)
        events += core.receive_lsa(who.router, part, 1.0)
    over = [event for event in events if isinstance(event, SiteOverBudget)]
    assert [(event.site, event.token) for event in over] == [(w.site, "fleet") for w in whos[-2:]]
    assert not any(event.is_relayed for event in over)


def test_a_token_of_one_site_is_not_named() -> None:
    """It shares its budget with no other one."""
    core, names = beside(NORTH), 512
    core.adjacency_up(EAST.router, EAST.site, 1, 0.0, token="one")
    events: list[RoutingEvent] = []
    for number in range(limits.LSA_NEIGHBOUR_NAMES_MAX // names + 1):
        who = FakeIdentity(f"i{number}")
        body = Services((), tuple(advert(f"{who.name}-{n}") for n in range(names)))
        part = signed(make_lsa(who, part=1, services=body), who)
        events += core.receive_lsa(EAST.router, part, 1.0)
    over = {event for event in events if isinstance(event, SiteOverBudget)}
    assert {(event.site, event.is_relayed, event.token) for event in over} == {
        (EAST.site, True, "")
    }
