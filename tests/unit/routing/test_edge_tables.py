"""Messages to an edge, one by one, and how it handles lies."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from router.model import limits
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages import packed
from router.model.messages.adverts import Declaration, LoadReport
from router.model.messages.edges import CandidateRow, HaveMessage, ServiceRow, SiteRow, TableMessage
from router.model.messages.edges import WishMessage as Wish
from router.model.rights.grants import OFFER, ServiceGrant
from router.model.rights.sharing import ALL, Party, Sharing, SharingRules, Terms
from router.model.specs import ServiceSpec
from router.routing.adverts.lsa import Bar, LsaFault, Topology, decode_lsa
from router.routing.core import RoutingCore
from router.routing.declared import Claim
from router.routing.edges import edge as edges
from router.routing.edges.attached import AttachedEdges
from router.routing.edges.edge import EdgeRouting
from router.routing.edges.edge_rows import EdgeRows
from router.routing.edges.edge_updates import RowChanges, Rows, messages
from router.routing.edges.edge_view import edge_table
from router.routing.edges.offers import (
    NOTHING,
    EdgeOffer,
    EdgeOffers,
    EdgeTableSource,
    make_offers,
    seen_by,
)
from router.routing.events import (
    EdgeCaughtUp,
    LsaRejected,
    RoutingEvent,
    SendAck,
    SendEdge,
    SendLsa,
    TableChanged,
    ack_of,
)
from router.routing.names import Names
from router.routing.table import RouteTable
from tests.unit.routing.fakes import FakeIdentity, advert, declare, make_lsa, signed
from tests.unit.routing.network import Network

pytestmark = pytest.mark.usefixtures("both_orders")

EDGE, NEAR, FAR = FakeIdentity("edge"), FakeIdentity("near"), FakeIdentity("far")
SHOP = ServiceKey("shop", 80)


def edge_routing() -> EdgeRouting:
    return EdgeRouting(EDGE, epoch=1, boot_nonce=b"n", version="1", now=0.0)


def attached(*wishes: str) -> EdgeRouting:
    edge = edge_routing()
    edge.set_wishes(frozenset(wishes), 0.0)
    edge.adjacency_up(NEAR.router, NEAR.site, 2, 0.0)
    return edge


def site_row(who: FakeIdentity = NEAR, cost: int = 0, name: str = "") -> SiteRow:
    return SiteRow(who.router, who.site, name or who.name, "1", cost, 1)


def message(**changes: object) -> TableMessage:
    told = TableMessage(
        series=1, base=0, version=1, wish=2, is_last=True, left_out=0, draining=False
    )
    return msgspec.structs.replace(told, **changes)


def service_row(name: str = "shop", **changes: object) -> ServiceRow:
    encoded = msgspec.msgpack.encode(declare(name))
    row = ServiceRow(name, encoded, NEAR.site, True, ())
    return msgspec.structs.replace(row, **changes)


def candidate_row(port: int) -> CandidateRow:
    return CandidateRow("shop", port, NEAR.router, 1, None, False)


def sent(events: list[RoutingEvent]) -> list[object]:
    return [event.message for event in events if isinstance(event, SendEdge)]


def wishes_of(events: list[RoutingEvent]) -> list[Wish]:
    return [one for one in sent(events) if isinstance(one, Wish)]


def hear(edge: EdgeRouting, told: TableMessage, now: float = 1.0) -> list[RoutingEvent]:
    return edge.receive_edge(NEAR.router, told, now)


# The edge.


def strict_edge(row: ServiceRow, clock: list[float]) -> EdgeRouting:
    """An edge that knows targets at far for the service in ``row``."""
    edge = EdgeRouting(EDGE, epoch=1, boot_nonce=b"n", version="1", now=0.0, unix=lambda: clock[0])
    edge.set_rules(SharingRules({ALL: Sharing((ALL,), (ALL,))}, strict=True), 0.0)
    edge.set_wishes(frozenset({"shop"}), 0.0)
    edge.adjacency_up(NEAR.router, NEAR.site, 2, 0.0)
    targets = CandidateRow("shop", 80, FAR.router, 3, 100, False)
    rows = {"sites": (site_row(), site_row(FAR, 5)), "services": (row,), "candidates": (targets,)}
    hear(edge, message(wish=1, **rows))
    return edge


def approved(edge: EdgeRouting) -> tuple[bool, int | None]:
    (candidate,) = edge.table.candidates[SHOP]
    return not candidate.barred, candidate.capacity


def test_a_strict_edge_goes_by_the_owner_and_not_by_who_stands_in_for_it() -> None:
    lie = msgspec.structs.replace(declare("shop"), grants=(ServiceGrant(FAR.site, (OFFER,)),))
    row = service_row(declaration=msgspec.msgpack.encode(lie), site=FAR.site, owners=(NEAR.site,))
    assert approved(strict_edge(row, [0.0])) == (False, 100)
    mine = msgspec.structs.replace(row, owners=(FAR.site,))
    assert approved(strict_edge(mine, [0.0])) == (True, 100)
    nobodys = msgspec.structs.replace(row, owners=())
    assert approved(strict_edge(nobodys, [0.0])) == (False, 100)
    older = msgspec.structs.replace(row, site=NEAR.site, owners=None)
    assert approved(strict_edge(older, [0.0])) == (True, 100), "an older neighbor tells no owners"


def test_an_edge_names_the_site_of_every_router_on_a_path() -> None:
    edge = attached("shop")
    second = RouterId("ff" * 8)
    row = msgspec.structs.replace(site_row(FAR, 5), router=second)
    hear(edge, message(wish=1, sites=(site_row(), site_row(FAR, 5), row)))
    names = Names(edge, EDGE.site)
    names.table_changed(edge.table)
    for router in (FAR.router, second):
        assert names.sites((NEAR.router, router)) == (NEAR.name, FAR.name)


def test_a_grant_ends_at_an_edge_by_its_own_clock() -> None:
    clock = [0.0]
    grants = (ServiceGrant(FAR.site, (OFFER,), 7, until=50),)
    edge = strict_edge(service_row(owners=(NEAR.site,), grants=grants), clock)
    assert approved(edge) == (True, 7)
    assert edge.table.grants_end == 50
    clock[0] = 50.0
    (event,) = edge.grants_ended(50.0)
    assert isinstance(event, TableChanged)
    assert approved(edge) == (False, 100)
    assert edge.table.grants_end is None


def test_an_edge_is_told_who_owns_a_name_and_what_that_granted() -> None:
    network = Network(("near", "far"))
    network.connect("near", "far")
    network.run(limits.OWNER_MET_S + 1)
    granting = msgspec.structs.replace(declare("shop"), grants=(ServiceGrant(EDGE.site, (OFFER,)),))
    network.serve("far", [granting])
    network.run(1.0)
    network.serve("near", [declare("shop")])
    teller = EdgeTableSource(router=NEAR.router, site=NEAR.site, version="1", epoch=1, adverts=())
    offer = make_offers(teller, network.table("near"), None, NOTHING).services["shop"]
    assert offer.service is not None
    assert (offer.service.owners, offer.service.grants) == ((FAR.site,), granting.grants)


def test_an_edge_says_what_it_wants_when_it_is_attached_and_until_that_is_fulfilled() -> None:
    edge = edge_routing()
    assert sent(edge.set_wishes(frozenset({"shop", "cart"}), 0.0)) == []
    up = edge.adjacency_up(NEAR.router, NEAR.site, 2, 0.0)
    assert sent(up) == [Wish(1, 1, ("cart", "shop"))]
    assert sent(edge.handle_timeout(limits.EDGE_RETRANSMIT_S)) == sent(up)
    hear(edge, message(wish=1), 1.5)
    again = 1.5 + limits.EDGE_WISH_REFRESH_S
    assert sent(edge.handle_timeout(again - 1)) == []
    assert sent(edge.handle_timeout(again)) == sent(up)


def test_an_answer_to_an_earlier_wish_leaves_the_next_one_open() -> None:
    edge = attached("shop")
    (wish,) = sent(edge.set_wishes(frozenset({"cart"}), 0.5))
    hear(edge, message(wish=1), 0.6)
    assert sent(edge.handle_timeout(0.5 + limits.EDGE_RETRANSMIT_S)) == [wish]
    hear(edge, message(base=1, version=2, wish=2), 1.6)
    assert sent(edge.handle_timeout(1.6 + limits.EDGE_RETRANSMIT_S)) == []


def test_an_edge_builds_a_table_for_each_change_of_its_own() -> None:
    edge = attached()
    edge.handle_timeout(0.5)  # Its way to the neighbor is in it.
    before = edge.tables_built
    for number in range(3):
        edge.set_services([declare(f"s{number}")], [], 1.0 + number)
    assert edge.tables_built == before + 3


def test_more_names_than_a_wish_holds_are_a_wish_for_all() -> None:
    edge = edge_routing()
    names = frozenset(f"s{number}" for number in range(limits.EDGE_WISHES_MAX + 1))
    edge.set_wishes(names - {"s0"}, 0.0)
    (wish,) = sent(edge.adjacency_up(NEAR.router, NEAR.site, 2, 0.0))
    assert isinstance(wish, Wish) and wish.services is not None
    (wish,) = sent(edge.set_wishes(names, 0.0))
    assert isinstance(wish, Wish) and wish.services is None


def test_a_table_counts_once_it_is_whole() -> None:
    edge = attached("shop")
    first = message(is_last=False, sites=(site_row(), site_row(FAR, 5)))
    assert sent(hear(edge, first)) == [HaveMessage(1, 1)]
    assert edge.table.sites.keys() == {EDGE.site}
    row = CandidateRow("shop", 80, FAR.router, 3, 10, False)
    rest = message(base=1, version=2, candidates=(row,), services=(service_row(),))
    events = hear(edge, rest)
    assert isinstance(events[-1], TableChanged)
    (candidate,) = edge.table.candidates[SHOP]
    assert (candidate.path_cost, candidate.paths) == (7, ((NEAR.router, FAR.router),))
    assert edge.table.declarations["shop"].declaration == declare("shop")
    assert hear(edge, rest)[-1] == SendEdge(NEAR.router, HaveMessage(1, 2)), "told again: acked"


def test_what_is_missing_in_between_makes_an_edge_ask_anew() -> None:
    edge = attached("shop")
    hear(edge, message())
    (wish,) = sent(hear(edge, message(base=2, version=3)))
    assert isinstance(wish, Wish)
    assert wish.since == wish.number


@pytest.mark.parametrize(
    "lie",
    [
        message(sites=(msgspec.structs.replace(site_row(), version="\x1b[31mred"),)),
        message(candidates=(CandidateRow("../x", 80, NEAR.router, 1, None, False),)),
    ],
)
def test_a_table_with_bad_values_changes_nothing(lie: TableMessage) -> None:
    edge = attached("shop")
    before = edge.table
    events = hear(edge, lie)
    assert edge.table is before
    assert not [m for m in sent(events) if isinstance(m, HaveMessage) and m.version]


ODD_SITE, ODD_ROUTER = SiteId("\x1b[31mred"), RouterId("A" * 16)


def test_rows_with_ids_that_no_router_or_site_makes_are_left_out() -> None:
    """A hub of an older version passes on what a liar says: the others count."""
    edge = attached("shop", "web")
    odd = service_row("web", site=ODD_SITE)
    shop = service_row(conflicts=(ODD_SITE, FAR.site), owners=(ODD_SITE, NEAR.site))
    one = site_row()
    hear(
        edge,
        message(
            sites=(
                one,
                msgspec.structs.replace(site_row(FAR), site=ODD_SITE),
                msgspec.structs.replace(site_row(FAR), router=ODD_ROUTER),
            ),
            services=(odd, shop),
            candidates=(
                CandidateRow("shop", 80, ODD_ROUTER, 3, 100, False),
                CandidateRow("shop", 80, NEAR.router, 3, 100, False),
            ),
        ),
    )
    table = edge.table
    assert not {ODD_SITE, SiteId(ODD_ROUTER)} & {*table.sites}
    assert [found.site for found in table.candidates[SHOP]] == [NEAR.site]
    assert "\x1b" not in repr(table) and ODD_ROUTER not in repr(table)
    assert {*table.declarations} == {"shop"}


def test_a_table_that_never_ends_is_refused() -> None:
    edge = attached("shop")
    rejected: list[RoutingEvent] = []
    for number in range(40):
        rows = tuple(
            CandidateRow("shop", port, RouterId(f"{number:016x}"), 1, None, False)
            for port in range(1, 1001)
        )
        told = message(base=number, version=number + 1, is_last=False, candidates=rows)
        rejected += [e for e in hear(edge, told) if isinstance(e, LsaRejected)]
    assert {e.code for e in rejected if isinstance(e, LsaRejected)} == {"bad-table"}
    assert edge.rows_held <= 2 * limits.EDGE_ROWS_MAX


@pytest.mark.parametrize(
    ("gone", "more"),
    [
        (lambda: {"gone_sites": (FAR.router,)}, lambda: {"sites": (site_row(EDGE),)}),
        (lambda: {"gone_services": ("cart",)}, lambda: {"services": (service_row("news"),)}),
        (
            lambda: {"gone_candidates": (("shop", 1, NEAR.router),)},
            lambda: {"candidates": (candidate_row(9),)},
        ),
    ],
    ids=["sites", "services", "candidates"],
)
def test_a_full_table_takes_a_row_of_each_kind_for_one_that_is_gone_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
    gone: Callable[[], dict[str, object]],
    more: Callable[[], dict[str, object]],
) -> None:
    monkeypatch.setattr("router.routing.edges.edge_rows.EDGE_ROWS_MAX", 4)
    rows = EdgeRows()
    full = message(
        sites=(site_row(NEAR), site_row(FAR)),
        services=(service_row("shop"), service_row("cart")),
        candidates=tuple(candidate_row(port) for port in (1, 2, 3, 4)),
    )
    assert not isinstance(rows.receive(full), LsaFault)
    assert isinstance(rows.receive(message(base=1, version=2, **more())), LsaFault)
    assert not isinstance(rows.receive(message(base=1, version=2, **gone(), **more())), LsaFault)
    assert len(rows) == 8


@pytest.mark.parametrize("rows", [(2, 2, 2), (6, 0, 0), (0, 6, 0), (0, 0, 6), (1, 2, 3)])
@pytest.mark.parametrize("gone", [(0, 0, 0), (2, 0, 0), (0, 2, 0), (0, 0, 2), (1, 1, 1)])
@pytest.mark.parametrize("more", [0, 1])
def test_a_message_brings_as_many_rows_as_fit_and_as_it_takes_away(
    monkeypatch: pytest.MonkeyPatch,
    rows: tuple[int, int, int],
    gone: tuple[int, int, int],
    more: int,
) -> None:
    monkeypatch.setattr("router.routing.edges.edge_rows.EDGE_ROWS_MAX", 3)
    sites, services, candidates = rows[0], rows[1], rows[2] + sum(gone) + more
    told = message(
        sites=tuple(site_row(FakeIdentity(f"{number}")) for number in range(sites)),
        services=tuple(service_row(f"s{number}") for number in range(services)),
        candidates=tuple(candidate_row(1 + number) for number in range(candidates)),
        gone_sites=tuple(FakeIdentity(f"gone-{number}").router for number in range(gone[0])),
        gone_services=tuple(f"gone-{number}" for number in range(gone[1])),
        gone_candidates=tuple(("shop", 99 + number, NEAR.router) for number in range(gone[2])),
    )
    assert isinstance(EdgeRows().receive(told), LsaFault) == bool(more)


@pytest.mark.parametrize("held", range(4))
@pytest.mark.parametrize("wanted", range(4))
@pytest.mark.parametrize("others", range(3))
def test_a_service_has_room_if_it_does_not_grow_or_all_rows_fit(
    held: int, wanted: int, others: int
) -> None:
    def offer(count: int) -> EdgeOffer:
        return EdgeOffer(service_row(), tuple(candidate_row(port) for port in range(count)))

    def rows_with(count: int) -> Rows:
        rows = Rows()
        if others:
            rows.set_offer("other", offer(others - 1), EDGE.router, RowChanges())
        if count:
            rows.set_offer("shop", offer(count - 1), EDGE.router, RowChanges())
        return rows

    for most in range(9):
        fits = wanted < held or len(rows_with(wanted + 1)) <= most
        assert rows_with(held).has_room("shop", offer(wanted), most) == fits


@pytest.mark.parametrize("ports", [(80, 81), (81, 80)])
def test_the_last_declaration_that_an_edge_was_told_counts(ports: tuple[int, int]) -> None:
    edge = attached("shop")
    for version, port in enumerate(ports):
        declared = msgspec.msgpack.encode(declare("shop", ports=(port,)))
        row = service_row(declaration=declared)
        hear(edge, message(base=version, version=1 + version, sites=(site_row(),), services=(row,)))
        assert edge.table.declarations["shop"].declaration.spec.ports == (port,)


def test_a_declaration_that_this_version_cannot_read_costs_its_own_service_only() -> None:
    edge = attached("shop", "cart")
    newer = service_row("cart", declaration=msgspec.msgpack.encode({"name": "cart", "spec": 1}))
    other = service_row("mail", declaration=msgspec.msgpack.encode(declare("shop")))
    hear(edge, message(sites=(site_row(),), services=(service_row(), newer, other)))
    assert edge.table.declarations.keys() == {"shop"}


def test_rows_of_the_edge_itself_or_of_unknown_routers_are_no_candidates() -> None:
    edge = attached("shop")
    rows = (
        CandidateRow("shop", 80, EDGE.router, 3, None, False),
        CandidateRow("shop", 80, FAR.router, 3, None, False),
    )
    hear(edge, message(sites=(site_row(), site_row(EDGE, 2)), candidates=rows))
    assert edge.table.candidates == {}
    assert edge.table.sites[EDGE.site].path_cost == 0


def test_only_the_neighbour_that_it_is_attached_to_tells_an_edge_its_table() -> None:
    edge = attached("shop")
    edge.adjacency_up(FAR.router, FAR.site, 1, 0.5)
    told = message(sites=(site_row(FAR),), services=(service_row(),))
    assert edge.receive_edge(FAR.router, told, 1.0) == []
    assert edge.table.declarations == {}


def test_who_stands_by_is_shown_that_it_does() -> None:
    """It may hold an older LSA, by which this edge is attached to it."""
    edge = attached("shop")
    (event,) = edge.adjacency_up(FAR.router, FAR.site, 1, 0.5)
    assert isinstance(event, SendLsa) and event.to == FAR.router
    said = decode_lsa(event.signed)
    assert not isinstance(said, LsaFault) and isinstance(said.lsa.body, Topology)
    assert [one.router for one in said.lsa.body.adjacencies] == [NEAR.router]


def test_lsas_of_others_are_nothing_that_an_edge_is_told() -> None:
    edge = attached("shop")
    (event,) = edge.receive_lsa(NEAR.router, signed(make_lsa(FAR), FAR), 1.0)
    assert isinstance(event, LsaRejected)
    edge.adjacency_up(FAR.router, FAR.site, 1, 0.5)
    (event,) = edge.receive_lsa(FAR.router, signed(make_lsa(EDGE), EDGE), 1.0)
    assert isinstance(event, SendAck), "who stands by may hold our own"


def test_the_lsa_of_an_edge_has_one_adjacency_and_is_stub() -> None:
    edge = attached()
    edge.adjacency_up(FAR.router, FAR.site, 1, 0.5)
    events = edge.set_services([declare("shop")], [advert("shop")], 2.0)
    lsas = []
    for event in events:
        if isinstance(event, SendLsa):
            received = decode_lsa(event.signed)
            assert not isinstance(received, LsaFault)
            lsas.append(received.lsa)
    assert {event.to for event in events if isinstance(event, SendLsa)} == {NEAR.router}
    edge.adjacency_down(NEAR.router, 3.0)
    assert edge.table.adjacencies == (FAR.router,)


def test_an_edge_shows_which_sites_stop() -> None:
    edge = attached("shop")
    far = msgspec.structs.replace(site_row(FAR, 5), draining=True)
    hear(edge, message(sites=(site_row(), far)))
    assert {site.name for site in edge.table.sites.values() if site.draining} == {FAR.name}
    hear(edge, message(base=1, version=2, sites=(site_row(FAR, 5),)))
    assert not any(site.draining for site in edge.table.sites.values())


def test_that_its_neighbor_stops_an_edge_does_not_show_of_other_sites() -> None:
    edge = attached("shop")
    stopping: list[set[str]] = []
    for version, draining in enumerate((False, True, False), start=1):
        sites = (site_row(), site_row(FAR, 5))
        hear(edge, message(base=version - 1, version=version, draining=draining, sites=sites))
        stopping.append({site.name for site in edge.table.sites.values() if site.draining})
    assert stopping == [set(), {NEAR.name}, set()]


def reached_sites(edge: EdgeRouting) -> dict[str, bool]:
    """Other sites than the edge, and whether they are reached."""
    sites = edge.table.sites.values()
    return {site.name: site.reachable for site in sites if site.site != EDGE.site}


def test_an_edge_knows_the_sites_behind_a_neighbor_that_stops_until_they_expire() -> None:
    edge = attached("shop")
    hear(edge, message(sites=(site_row(), site_row(FAR, 5))))
    hear(edge, message(base=1, version=2, draining=True, gone_sites=(FAR.router,)))
    hear(edge, message(base=2, version=3, draining=True))
    assert reached_sites(edge) == {"near": True, "far": False}
    far = edge.table.sites[FAR.site]
    assert (far.path_cost, far.paths, far.next_hops, far.neighbours) == (None, (), (), ())
    assert edge.table.routers == {NEAR.router: NEAR.site}
    edge.adjacency_down(NEAR.router, 2.0)
    assert reached_sites(edge) == {"near": False, "far": False}
    edge.adjacency_up(NEAR.router, NEAR.site, 2, 3.0)
    hear(edge, message(sites=(site_row(),)), 3.1)
    assert reached_sites(edge) == {"near": True, "far": False}
    edge.handle_timeout(limits.SERVICE_SYNC_TTL_S + 1.0)
    assert reached_sites(edge) == {"near": True}


def test_a_lost_site_is_forgotten_at_the_deadline_whatever_its_rounding() -> None:
    """A timer that is due and changes nothing would be due again at once."""
    edge, now = attached("shop"), 0.0
    hear(edge, message(sites=(site_row(), site_row(FAR, 5))))
    for number in range(1, 200, 2):
        lost_at = now + 0.1
        hear(edge, message(base=number, version=number + 1, gone_sites=(FAR.router,)), lost_at)
        while edge.table.sites.get(FAR.site) is not None:
            deadline = edge.next_deadline()
            assert deadline is not None and deadline > now, f"lost at {lost_at!r}"
            now = deadline
            edge.handle_timeout(now)
        back = message(base=number + 1, version=number + 2, sites=(site_row(FAR, 5),))
        hear(edge, back, now)


def test_the_sites_behind_a_neighbor_that_stopped_are_forgotten_with_its_table() -> None:
    edge = attached("shop")
    hear(edge, message(sites=(site_row(), site_row(FAR, 5)), services=(service_row(),)))
    hear(edge, message(base=1, version=2, draining=True, gone_sites=(FAR.router,)))
    edge.adjacency_down(NEAR.router, 2.0)
    edge.handle_timeout(2.0 + limits.SERVICE_SYNC_TTL_S)
    assert reached_sites(edge) == {}


def test_a_site_that_is_deleted_or_this_one_is_not_lost_behind_a_neighbor_that_stops() -> None:
    edge = attached("shop")
    own = SiteRow(FakeIdentity("second").router, EDGE.site, "edge", "1", 3, 1)
    hear(edge, message(sites=(site_row(), site_row(FAR, 5), own)))
    gone = (FAR.router, own.router)
    hear(
        edge,
        message(base=1, version=2, draining=True, gone_sites=gone, deleted=(FAR.site,)),
    )
    assert reached_sites(edge) == {"near": True}
    assert edge.table.sites[EDGE.site].path_cost == 0


def test_an_unused_site_that_finds_no_room_any_more_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("router.routing.edges.edge_rows.EDGE_UNUSED_SITES_MAX", 2)
    edge = attached("shop")
    first, second, third = map(FakeIdentity, ("first", "second", "third"))
    hear(edge, message(sites=(site_row(), site_row(first, 5), site_row(second, 5))))
    later = message(base=1, version=2, sites=(site_row(third, 5),))
    hear(edge, msgspec.structs.replace(later, gone_sites=(first.router,)))
    assert reached_sites(edge) == {"near": True, "second": True, "third": True}
    hear(edge, message(base=2, version=3, gone_sites=(second.router,)))
    assert reached_sites(edge) == {"near": True, "second": False, "third": True}


def test_lost_sites_are_bounded_and_the_last_ones_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.routing.edges.lost_sites.EDGE_ROWS_MAX", 3)
    edge = attached("shop")
    hear(edge, message(sites=(site_row(),)))
    for number in range(5):
        site = FakeIdentity(f"site-{number}")
        version = 2 * number + 1
        row = site_row(site, 5)
        hear(edge, message(base=version, version=version + 1, draining=True, sites=(row,)))
        away = message(base=version + 1, version=version + 2, draining=True)
        hear(edge, msgspec.structs.replace(away, gone_sites=(site.router,)))
    lost = {f"site-{number}": False for number in (2, 3, 4)}
    assert reached_sites(edge) == {"near": True, **lost}


def test_an_edge_leaves_a_neighbour_that_stops_for_one_that_stands_by() -> None:
    edge = attached("shop")
    edge.adjacency_up(FAR.router, FAR.site, 9, 0.5)
    hear(edge, message(sites=(site_row(),)))
    events = hear(edge, message(base=1, version=2, draining=True))
    told = [(event.to, event.message) for event in events if isinstance(event, SendEdge)]
    assert told == [
        (NEAR.router, HaveMessage(1, 2)),
        (FAR.router, Wish(2, 2, ("shop",), (NEAR.site,))),
    ]
    assert edge.table.adjacencies == (FAR.router,)


def test_an_edge_overtakes_the_lsa_of_its_former_life() -> None:
    edge = attached("shop")
    former = make_lsa(EDGE, epoch=7, sequence=50, boot_epoch=7, boot_nonce=b"former", stub=True)
    events = edge.receive_lsa(NEAR.router, signed(former, EDGE), 1.0)
    (said,) = [decode_lsa(event.signed) for event in events if isinstance(event, SendLsa)]
    assert not isinstance(said, LsaFault)
    assert said.lsa.newness > former.newness
    assert edge.epoch == said.lsa.epoch


@pytest.mark.parametrize("is_ours_too", [False, True])
def test_a_declaration_that_a_rule_refuses_is_named_unless_we_declare_the_service(
    is_ours_too: bool,
) -> None:
    edge = attached("cart", "shop", "site")
    edge.set_rules(SharingRules({"shop": Sharing((), ())}), 0.0)
    if is_ours_too:
        edge.set_services([declare("shop", at=2.0)], [], 0.0)
    told = tuple(service_row(name) for name in ("cart", "shop", "site"))
    hear(edge, message(sites=(site_row(),), services=told))
    assert edge.table.declarations.keys() - {"shop"} == {"cart", "site"}, "no rule refuses these"
    assert ("shop" in edge.table.declarations) == is_ours_too
    assert edge.table.refused == ({} if is_ours_too else {"shop": (NEAR.site,)})


def test_our_own_declaration_counts_at_once_and_however_old_another_is() -> None:
    edge = attached("shop")
    older = Declaration(name="shop", spec=ServiceSpec(ports=(99,)), declared_at_s=-5.0)
    theirs = service_row(declaration=msgspec.msgpack.encode(older))
    edge.set_services([declare("shop")], [], 0.5)
    assert edge.table.declarations["shop"].site == EDGE.site
    hear(edge, message(sites=(site_row(),), services=(theirs,)))
    entry = edge.table.declarations["shop"]
    assert (entry.site, entry.declaration, entry.conflicts) == (
        EDGE.site,
        declare("shop"),
        (NEAR.site,),
    )


def test_the_table_of_a_lost_neighbour_counts_until_another_has_told_its_own() -> None:
    edge = attached("shop")
    row = CandidateRow("shop", 80, FAR.router, 3, 10, False)
    rows = {"sites": (site_row(), site_row(FAR, 5)), "candidates": (row,)}
    hear(edge, message(**rows, services=(service_row(),)))
    other = FakeIdentity("other")
    edge.adjacency_up(other.router, other.site, 1, 2.0)
    edge.adjacency_down(NEAR.router, 3.0)
    (candidate,) = edge.table.candidates[SHOP]
    assert candidate.paths == ((other.router, FAR.router),)
    edge.adjacency_down(other.router, 4.0)
    assert edge.table.candidates == {}
    assert not edge.table.declarations["shop"].reachable
    edge.handle_timeout(3.0 + limits.SERVICE_SYNC_TTL_S)
    assert edge.table.declarations == {}


def test_the_table_of_an_edge_whose_neighbor_is_lost_for_long_is_built_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    edge = attached("shop")
    hear(edge, message(sites=(site_row(),), services=(service_row(),)))
    edge.adjacency_down(NEAR.router, 2.0)
    built = []

    def counted(*told: Any, **more: Any) -> RouteTable:
        built.append(told)
        return edge_table(*told, **more)

    monkeypatch.setattr(edges, "edge_table", counted)
    late = 2.0 + limits.SERVICE_SYNC_TTL_S
    for later in range(9):
        edge.handle_timeout(late + later)
        edge.set_services((), (), late + later)
    assert len(built) == 1
    edge.set_service_ttl(2 * limits.SERVICE_SYNC_TTL_S, late)
    assert set(edge.table.declarations) == {"shop"}, "it counts for longer"


def returned(edge: EdgeRouting, told: TableMessage) -> None:
    """At 3.0 the neighbor is there again, and has told that much at 3.1."""
    edge.adjacency_down(NEAR.router, 2.0)
    edge.adjacency_up(NEAR.router, NEAR.site, 2, 3.0)
    hear(edge, told, 3.1)


def owner_reached(edge: EdgeRouting) -> dict[str, bool]:
    return {name: known.reachable for name, known in edge.table.declarations.items()}


@pytest.mark.parametrize("late_s", [0.0, 0.5])
def test_a_neighbour_that_has_just_started_takes_no_service_from_an_edge(late_s: float) -> None:
    """Its listener was closed, and clients were refused, until the neighbor knew of far again."""
    edge = attached("shop", "cart")
    edge.set_rules(SharingRules({"shop": Sharing((), ("far",))}), 0.0)
    own = CandidateRow("shop", 80, NEAR.router, 1, 4, False)
    shop = service_row(site=FAR.site)
    sites = (site_row(), site_row(FAR, 5))
    hear(edge, message(sites=sites, services=(shop, service_row("cart")), candidates=(own,)))
    returned(edge, message(sites=(site_row(),), services=(), candidates=(own,)))
    assert owner_reached(edge) == {"shop": False, "cart": False}
    assert [one.router for one in edge.table.candidates[SHOP]] == [NEAR.router]
    hear(edge, message(base=1, version=2, services=(shop,), sites=(site_row(FAR, 5),)), 3.5)
    assert owner_reached(edge) == {"shop": True, "cart": False}
    hear(edge, message(base=2, version=3, gone_services=("shop",)), 3.6)
    assert owner_reached(edge) == {"cart": False}, "shop was taken back"
    until = 3.0 + limits.EDGE_FORMER_S
    while (at := edge.next_deadline()) is not None and at < until:
        edge.handle_timeout(at)
    assert owner_reached(edge) == {"cart": False}
    edge.handle_timeout(until + late_s)
    assert edge.table.declarations == {}


def test_what_an_edge_lost_long_ago_is_not_held_for_the_next_neighbour() -> None:
    edge = attached("shop")
    hear(edge, message(sites=(site_row(),), services=(service_row(),)))
    edge.adjacency_down(NEAR.router, 2.0)
    late = 2.0 + limits.SERVICE_SYNC_TTL_S
    edge.handle_timeout(late)
    edge.adjacency_up(NEAR.router, NEAR.site, 2, late)
    hear(edge, message(sites=(site_row(),)), late)
    assert edge.table.declarations == {}


# The router that it is attached to.


class Told:
    """An interior core with an edge; its messages to that edge."""

    def __init__(self) -> None:
        self.network = Network(["near", "far"])
        self.network.connect("near", "far", 5)
        self.edges = AttachedEdges()
        self.edges.up(EDGE.router, 0.0, EDGE.site)

    def update(self) -> list[object]:
        core = self.network.cores["near"]
        who = self.network.identities["near"]
        teller = EdgeTableSource(
            router=who.router,
            site=who.site,
            version="1",
            epoch=1,
            adverts=core.adverts,
        )
        return sent(self.edges.update(teller, core.table, self.network.now))

    def wish(
        self, number: int, *names: str, since: int = 1, met: tuple[SiteId, ...] = ()
    ) -> list[object]:
        told = self.edges.receive_edge(
            EDGE.router, Wish(since, number, names or None, met), self.network.now
        )
        return sent(told)

    def ack(self, told: TableMessage) -> list[RoutingEvent]:
        have = HaveMessage(told.series, told.version)
        return self.edges.receive_edge(EDGE.router, have, self.network.now)


def serving(count: int) -> Told:
    told = Told()
    names = [f"s{number}" for number in range(count)]
    told.network.serve("far", map(declare, names), map(advert, names))
    told.network.run(2)
    told.update()
    return told


def table_of(messages: list[object]) -> TableMessage:
    (told,) = messages
    assert isinstance(told, TableMessage)
    return told


def test_one_service_of_a_thousand_is_told_as_one() -> None:
    told = serving(1000)
    first = table_of(told.wish(1, "s7"))
    assert [row.name for row in first.services] == ["s7"]
    assert [row.service for row in first.candidates] == ["s7"]
    assert {row.name for row in first.sites} == {"near", "far"}
    assert told.edges.rows_held == 4
    assert told.ack(first) == [EdgeCaughtUp(EDGE.router, frozenset({"s7"}))]


def test_a_thousand_services_are_told_in_bounded_pieces_one_after_the_other() -> None:
    told = serving(1000)
    first = table_of(told.wish(1))
    pieces = [first]
    while not pieces[-1].is_last:
        assert len(msgspec.msgpack.encode(pieces[-1])) < 1.1 * limits.EDGE_TABLE_BYTES_MAX
        pieces.append(table_of(sent(told.ack(pieces[-1]))))
    assert sum(len(piece.candidates) for piece in pieces) == 1000
    assert [piece.base for piece in pieces] == list(range(len(pieces)))


def test_each_piece_continues_the_one_before_it_from_any_version() -> None:
    changes = RowChanges()
    changes.services += [service_row(f"s{number}") for number in range(2000)]
    pieces = messages(message(base=5, version=6), changes)
    assert len(pieces) > 3
    assert [piece.base for piece in pieces] == [5, *(piece.version for piece in pieces[:-1])]
    assert [piece.version for piece in pieces] == [6 + number for number in range(len(pieces))]


@pytest.mark.parametrize(
    ("most", "pieces"), [(7, [7]), (6, [6, 1]), (3, [3, 3, 1]), (1, [1] * 7), (0, [1] * 7)]
)
def test_a_piece_is_filled_up_to_its_bound_and_never_empty(
    monkeypatch: pytest.MonkeyPatch, most: int, pieces: list[int]
) -> None:
    changes = RowChanges()
    changes.services += [service_row(f"s{number}") for number in range(7)]
    size = len(packed.pack(changes.services[0]))
    bound = most * size or 1  # Each row is larger than that.
    monkeypatch.setattr("router.routing.edges.edge_updates.EDGE_TABLE_BYTES_MAX", bound)
    assert [len(piece.services) for piece in messages(message(), changes)] == pieces


def test_another_path_cost_is_one_row_however_many_services_it_concerns() -> None:
    told = serving(100)
    piece = table_of(told.wish(1))
    while not piece.is_last:
        piece = table_of(sent(told.ack(piece)))
    told.ack(piece)
    told.network.cores["near"].adjacency_cost(
        told.network.identities["far"].router, 9, told.network.now
    )
    told.network.run(2)
    change = table_of(told.update())
    assert [(row.name, row.path_cost) for row in change.sites] == [("far", 9)]
    assert (change.candidates, change.services) == ((), ())
    assert len(msgspec.msgpack.encode(change)) < 120


def deleted_far(told: Told) -> SiteId:
    """``far`` says that it is deleted, and goes."""
    core, site = told.network.cores["far"], told.network.identities["far"].site
    told.network.take("far", core.set_draining(True, told.network.now, deleted=True))
    told.network.run(0.5)
    return site


def all_told(told: Told, messages: list[object]) -> list[TableMessage]:
    """``messages`` and what follows, each acknowledged."""
    found: list[TableMessage] = []
    while messages:
        found.append(table_of(messages))
        messages = sent(told.ack(found[-1]))
        told.network.run(1)
        messages = messages or sent(told.edges.handle_timeout(told.network.now))
    return found


def withdrawn(told: Told) -> None:
    """``far`` declares and offers nothing more."""
    told.network.serve("far", [], [])
    told.network.run(2)


def test_a_site_that_offers_an_edge_nothing_more_is_a_row_while_it_is_reached() -> None:
    told = serving(1)
    all_told(told, told.wish(1, "s0"))
    withdrawn(told)
    (change,) = all_told(told, told.update())
    assert (len(change.gone_services), len(change.gone_candidates)) == (1, 1)
    assert (change.sites, change.gone_sites) == ((), ())
    far = told.network.identities["far"].router
    told.network.cores["near"].adjacency_cost(far, 9, told.network.now)
    told.network.run(2)
    (change,) = all_told(told, told.update())
    assert [(row.name, row.path_cost) for row in change.sites] == [("far", 9)]
    told.network.cut("near", "far")
    told.network.run(0.5)
    (change,) = all_told(told, told.update())
    assert change.gone_sites == (far,)


def test_an_edge_that_attaches_again_is_told_which_sites_that_it_knows_are_reached() -> None:
    told = serving(1)
    withdrawn(told)
    told.update()
    far = told.network.identities["far"]
    (first,) = all_told(told, told.wish(1, "s0", met=(FakeIdentity("gone").site, far.site)))
    assert {row.name for row in first.sites} == {"near", "far"}
    (first,) = all_told(told, told.wish(2, "s0", since=2))
    assert {row.name for row in first.sites} == {"near"}


def test_a_site_that_an_edge_knows_is_a_row_again_once_it_is_reached() -> None:
    told = serving(1)
    withdrawn(told)
    told.network.cut("near", "far")
    told.network.run(0.5)
    told.update()
    far = told.network.identities["far"]
    (first,) = all_told(told, told.wish(1, "s0", met=(far.site,)))
    assert {row.name for row in first.sites} == {"near"}
    told.network.connect("near", "far", 5)
    told.network.run(2)
    (change,) = all_told(told, told.update())
    assert [row.router for row in change.sites] == [far.router]


def test_an_edge_says_which_sites_it_knows_until_its_neighbor_has_told_it_of_the_table() -> None:
    edge = attached("shop")
    hear(edge, message(sites=(site_row(NEAR), site_row(FAR))))
    edge.adjacency_down(NEAR.router, 2.0)
    (wish,) = wishes_of(edge.adjacency_up(NEAR.router, NEAR.site, 2, 3.0))
    assert set(wish.met) == {NEAR.site, FAR.site}
    (again,) = wishes_of(edge.handle_timeout(3.0 + limits.EDGE_RETRANSMIT_S))
    assert again == wish
    hear(edge, message(wish=wish.number, sites=(site_row(NEAR),)), 5.0)
    (other,) = wishes_of(edge.set_wishes(frozenset({"cart"}), 6.0))
    assert other.met == ()


def test_an_edge_names_the_last_sites_that_it_was_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.routing.edges.edge_rows.EDGE_UNUSED_SITES_MAX", 2)
    rows = EdgeRows()
    sites = [FakeIdentity(f"site-{number}") for number in range(4)]
    rows.receive(message(sites=tuple(map(site_row, sites[:3]))))
    rows.receive(message(base=1, version=2, sites=(site_row(sites[3]),)))
    assert rows.met == (sites[2].site, sites[3].site)
    rows.receive(message(base=2, version=3, sites=(site_row(sites[2], 5),)))
    rows.receive(message(base=3, version=4, sites=(site_row(sites[0]),)))
    assert rows.met == (sites[2].site, sites[0].site), "the most recently reported ones"


def test_of_the_sites_that_an_edge_knows_those_count_that_it_was_told_of_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("router.routing.edges.edge_updates.EDGE_DELETED_MAX", 2)
    silent = FakeIdentity("silent")
    rows = Rows(met=(NEAR.site, silent.site))
    offers = EdgeOffers({}, {one.router: site_row(one) for one in (NEAR, FAR)})
    for teller in (NEAR, FAR):
        rows.set_sites(offers, teller.router, EDGE.router, RowChanges())
    assert [rows.has_met({one.site}) for one in (NEAR, FAR, silent)] == [True, True, False]


def test_an_edge_is_told_of_targets_that_are_for_others_until_they_are_for_it_or_gone() -> None:
    told = Told()
    far = told.network.identities["far"].router

    def change(*export_to: str) -> tuple[list[RouterId], list[RouterId], list[RouterId]]:
        rule = None if export_to == ("all",) else export_to
        adverts = [msgspec.structs.replace(advert("s0"), export_to=rule)] if export_to else []
        told.network.serve("far", [declare("s0")], adverts)
        told.network.run(2)
        (one,) = all_told(told, told.update()) or [message()]
        return (
            [row.router for row in one.candidates],
            [row_id[2] for row_id in one.withheld],
            [row_id[2] for row_id in one.gone_candidates],
        )

    all_told(told, told.wish(1, "s0"))
    assert change("all") == ([far], [], [])
    assert change("other") == ([], [far], [far])
    assert change("other", "more") == ([], [], [])
    assert change(EDGE.site) == ([far], [], [])
    assert change("other") == ([], [far], [far])
    assert change() == ([], [], [far])
    assert told.edges.rows_held == 3


def test_an_edge_is_told_of_the_site_whose_targets_are_all_for_others() -> None:
    """Else `why` at the edge could not name it."""
    told = Told()
    far = told.network.identities["far"].router
    rule = msgspec.structs.replace(advert("s0"), export_to=("other",))
    all_told(told, told.wish(1, "s0"))
    told.network.serve("far", [], [rule])
    told.network.run(2)
    (one,) = all_told(told, told.update())
    assert [row_id[2] for row_id in one.withheld] == [far]
    assert far in [row.router for row in one.sites]


def test_an_edge_holds_which_targets_are_for_others_and_uses_none_of_them() -> None:
    edge = attached("shop")
    hear(edge, message(sites=(site_row(),), candidates=(candidate_row(80),)))
    there = (("shop", 80, NEAR.router),)
    unknown = (("shop", 80, FAR.router), ("shop", 80, RouterId("no id")))
    hear(edge, message(base=1, version=2, gone_candidates=there, withheld=there + unknown))
    assert (set(edge.table.candidates), set(edge.table.withheld)) == (set(), {SHOP})
    assert [one.site for one in edge.table.withheld[SHOP]] == [NEAR.site]
    hear(edge, message(base=2, version=3, candidates=(candidate_row(80),)))
    assert (set(edge.table.candidates), set(edge.table.withheld)) == ({SHOP}, set())
    hear(edge, message(base=3, version=4, gone_candidates=there, withheld=there))
    hear(edge, message(base=4, version=5, gone_candidates=there))
    assert (set(edge.table.candidates), set(edge.table.withheld)) == (set(), set())
    hear(edge, message(base=5, version=6, withheld=there))
    edge.adjacency_down(NEAR.router, 2.0)
    assert edge.table.withheld == {}


def test_targets_for_others_take_room_in_an_edges_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.routing.edges.edge_rows.EDGE_ROWS_MAX", 3)
    for count in (6, 7):
        withheld = tuple(("shop", port, NEAR.router) for port in range(1, 1 + count))
        rows = EdgeRows()
        heard = rows.receive(message(withheld=withheld))
        assert isinstance(heard, LsaFault) == (count == 7)
        assert len(rows) == (count if count == 6 else 0)


def test_of_sites_that_offer_an_edge_nothing_more_the_last_ones_are_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("router.routing.edges.edge_updates.EDGE_UNUSED_SITES_MAX", 0)
    told = serving(1)
    all_told(told, told.wish(1, "s0"))
    withdrawn(told)
    (change,) = all_told(told, told.update())
    assert change.gone_sites == (told.network.identities["far"].router,)


def test_a_site_that_a_service_names_is_a_row_again_when_it_is_reached_again() -> None:
    told = Told()
    other = msgspec.structs.replace(declare("s0"), spec=ServiceSpec(protocol="tcp", ports=(81,)))
    told.network.serve("near", [declare("s0")], [advert("s0")])
    told.network.run(2)
    told.network.serve("far", [other], [])
    told.network.run(2)
    told.update()
    far = told.network.identities["far"]
    (first,) = all_told(told, told.wish(1, "s0"))
    assert [row.conflicts for row in first.services] == [(far.site,)]
    assert far.router in [row.router for row in first.sites]
    told.network.cut("near", "far")
    told.network.run(0.5)
    (change,) = all_told(told, told.update())
    assert change.gone_sites == (far.router,) and not change.services
    told.network.connect("near", "far", 5)
    told.network.run(2)
    (change,) = all_told(told, told.update())
    assert [row.router for row in change.sites] == [far.router]


def test_an_edge_is_told_that_a_site_which_it_knew_was_deleted() -> None:
    told = serving(1)
    all_told(told, told.wish(1, "s0"))
    site = deleted_far(told)
    before = all_told(told, told.update())
    assert not any(one.deleted for one in before), "it is reached yet"
    told.network.cut("near", "far")
    told.network.run(0.5)
    after = all_told(told, told.update())
    assert [one.deleted for one in after] == [(site,)]
    assert all_told(told, told.update()) == []


def test_an_edge_that_did_not_know_a_site_is_not_told_that_it_was_deleted() -> None:
    told = serving(1)
    all_told(told, told.wish(1, "other"))
    deleted_far(told)
    told.network.cut("near", "far")
    told.network.run(0.5)
    assert not any(one.deleted for one in all_told(told, told.update()))
    anew = all_told(told, told.wish(2, "other", since=2))
    assert [len(one.deleted) for one in anew] == [1], "another router may have told it of the site"


def test_a_deleted_site_is_one_at_an_edge_until_it_is_told_of_again() -> None:
    edge = attached("shop")
    hear(edge, message(sites=(site_row(), site_row(FAR, 5)), services=(service_row(),)))
    assert FAR.site in edge.table.sites and not edge.table.deleted
    gone = message(base=1, version=2, gone_sites=(FAR.router,), deleted=(FAR.site, SiteId("no id")))
    hear(edge, gone)
    assert FAR.site not in edge.table.sites
    assert edge.table.deleted == {FAR.site}
    hear(edge, message(base=2, version=3, sites=(site_row(FAR, 5),)))
    assert FAR.site in edge.table.sites and not edge.table.deleted
    hear(edge, message(base=3, version=4, deleted=(EDGE.site, FAR.site)))
    assert {EDGE.site, FAR.site} <= edge.table.sites.keys()
    assert not edge.table.deleted, "who is there was not"


def test_a_deleted_site_is_one_also_long_after_the_neighbor_that_said_so_was_lost() -> None:
    edge = attached("shop")
    hear(edge, message(sites=(site_row(), site_row(FAR, 5)), services=(service_row(),)))
    hear(edge, message(base=1, version=2, gone_sites=(FAR.router,), deleted=(FAR.site,)))
    edge.adjacency_down(NEAR.router, 3.0)
    edge.handle_timeout(10_000.0)
    assert not edge.table.declarations, "all else that it told counts no more"
    assert edge.table.deleted == {FAR.site}


def test_a_table_in_which_nothing_is_other_for_an_edge_is_not_told() -> None:
    told = serving(3)
    told.ack(table_of(told.wish(1)))
    assert told.update() == [] and told.edges.next_deadline() is None
    network = told.network
    for is_draining in (True, False):
        network.take("near", network.cores["near"].set_draining(is_draining, network.now))
        network.run(2)
        stops = table_of(told.update())
        assert stops.draining == is_draining
        told.ack(stops)
        assert told.update() == [] and told.edges.next_deadline() is None


def test_an_edge_is_told_that_a_site_further_away_stops_and_that_it_no_longer_does() -> None:
    told = serving(1)
    told.ack(table_of(told.wish(1)))
    network = told.network
    for is_draining in (True, False):
        network.take("far", network.cores["far"].set_draining(is_draining, network.now))
        network.run(2)
        update = table_of(told.update())
        assert not update.draining
        assert [(row.name, row.draining) for row in update.sites] == [("far", is_draining)]
        told.ack(update)
        assert told.update() == []


def test_an_edge_knows_of_services_without_room_once_its_table_is_whole() -> None:
    edge = attached("shop")
    assert edge.left_out == 0
    hear(edge, message(sites=(site_row(),), left_out=3, is_last=False))
    assert edge.left_out == 0
    hear(edge, message(base=1, version=2, left_out=4))
    assert edge.left_out == 4


def test_an_edge_whose_name_another_site_has_is_told_apart_by_its_id() -> None:
    edge = attached("shop")
    for name, shown in (("far", "edge"), ("edge@1234", f"edge@{EDGE.site[:8]}")):
        hear(edge, message(version=2, sites=(site_row(), site_row(FAR, 5, name))))
        assert edge.table.sites[EDGE.site].name == shown
        edge.adjacency_down(NEAR.router, 2.0)
        edge.adjacency_up(NEAR.router, NEAR.site, 2, 2.0)


def test_of_neighbors_an_edge_shows_what_a_router_does_that_is_alone() -> None:
    edge = edge_routing()
    core = RoutingCore(EDGE, epoch=1, boot_nonce=b"n", version="1", now=0.0)
    lists = ("held", "held_by", "full_neighbours", "unstated", "tokens", "owners")
    for name in ("without_room", "crowd", *lists):
        shown, alone = getattr(edge, name), getattr(core, name)
        assert shown == alone or (not shown and not alone)


def test_what_an_edge_does_not_want_any_more_is_taken_back() -> None:
    told = serving(3)
    told.ack(table_of(told.wish(1, "s0", "s1")))
    told.network.run(1)
    change = table_of(told.wish(2, "s1", "s2"))
    assert change.gone_services == ("s0",)
    assert [row.service for row in change.candidates] == ["s2"]
    assert change.wish == 2


def test_changes_wait_for_the_acknowledgement_and_are_joined() -> None:
    told = serving(1)
    first = table_of(told.wish(1, "s0"))
    for ready in range(2, 6):
        told.network.serve("far", [declare("s0")], [advert("s0", ready=ready)])
        told.network.run(0.5)
        assert told.update() == []
    change = table_of(sent(told.ack(first)))
    assert [row.targets_ready for row in change.candidates] == [5]


def test_another_target_of_the_neighbour_itself_is_told_although_its_table_is_the_same() -> None:
    told = serving(1)
    told.ack(table_of(told.wish(1, "s0")))
    told.network.run(1)
    before = told.network.table("near")
    told.network.serve("near", [], [advert("s0")])
    assert told.network.table("near") is before
    change = table_of(told.update())
    assert [row.router for row in change.candidates] == [NEAR.router]


def test_only_what_was_sent_is_acknowledged() -> None:
    told = serving(1000)
    first = table_of(told.wish(1))
    for other in ({"series": first.series + 1}, {"version": first.version + 1}, {"version": 0}):
        assert told.ack(msgspec.structs.replace(first, **other)) == []
    assert table_of(sent(told.ack(first))).base == first.version


def test_an_edge_takes_over_what_the_link_to_its_neighbor_costs_now() -> None:
    edge, other = attached("shop"), FakeIdentity("other")
    hear(edge, message(sites=(site_row(), site_row(FAR, 5))))
    edge.adjacency_up(other.router, other.site, 3, 1.0)
    for router, cost, costs in ((other.router, 50, (2, 7)), (NEAR.router, 4, (4, 9))):
        edge.adjacency_cost(router, cost, 1.0)
        assert tuple(edge.table.sites[who.site].path_cost for who in (NEAR, FAR)) == costs
    edge.adjacency_down(NEAR.router, 2.0)
    edge.adjacency_down(other.router, 2.0)
    assert edge.adjacency_cost(other.router, 5, 2.0) == []


def test_what_was_not_acknowledged_is_told_again_and_no_more() -> None:
    told = serving(1)
    first = table_of(told.wish(1, "s0"))
    due = told.edges.next_deadline()
    assert due is not None
    assert due == pytest.approx(told.network.now + limits.EDGE_RETRANSMIT_S)
    assert told.edges.handle_timeout(due - 0.01) == []
    assert sent(told.edges.handle_timeout(due)) == [first]
    told.ack(first)
    assert told.edges.next_deadline() is None


def test_wishes_beyond_the_budget_are_not_looked_at() -> None:
    told = serving(1)
    answered = 0
    for number in range(1, 10 * limits.EDGE_WISHES_BURST):
        answered += len(told.wish(number, "s0", since=number))
        told.edges.handle_timeout(told.network.now)
    assert answered <= limits.EDGE_WISHES_BURST


def test_each_edge_of_one_token_has_its_table_and_few_others_in_a_burst() -> None:
    told = serving(1)
    fleet = [FakeIdentity(f"fleet-{number}") for number in range(5 * limits.EDGE_WISHES_BURST)]
    for one in fleet:
        told.edges.up(one.router, 0.0, one.site, token="fleet")
    other = FakeIdentity("other")
    told.edges.up(other.router, 0.0, other.site)

    def answered(number: int, *edges: FakeIdentity) -> int:
        wish, now = Wish(number, number, ("s0",)), told.network.now
        asked = [told.edges.receive_edge(one.router, wish, now) for one in edges]
        told.network.run(limits.EDGE_TABLE_INTERVAL_S)
        again = told.edges.handle_timeout(told.network.now)
        answers = [*(one for events in asked for one in events), *again]
        for answer in answers:
            assert isinstance(answer, SendEdge) and isinstance(answer.message, TableMessage)
            have = HaveMessage(answer.message.series, answer.message.version)
            told.edges.receive_edge(answer.to, have, told.network.now)
        return len(answers)

    assert answered(1, *fleet) == len(fleet)
    assert answered(1, *fleet) == len(fleet), "the same wish again is no other table"
    assert answered(2, *fleet) == 0
    assert answered(1, other) == 1
    assert answered(2, other) == 1


def test_services_that_find_no_room_are_counted_and_told_when_there_is_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("router.routing.edges.attached.EDGE_ROWS_MAX", 8)
    told = serving(6)
    first = table_of(told.wish(1))
    assert first.left_out > 0
    kept = {row.service for row in first.candidates}
    told.ack(first)
    told.network.serve("far", [declare("s5")], [advert("s5")])
    told.network.run(2)
    change = table_of(told.update())
    assert set(change.gone_services) == kept - {"s5"}
    assert [row.service for row in change.candidates] == ["s5"]
    assert change.left_out == 0


def test_a_service_gets_the_room_of_a_later_one_by_name_that_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("router.routing.edges.attached.EDGE_ROWS_MAX", 8)
    told = serving(1)
    told.ack(table_of(told.wish(1)))
    for names, left_out in (("s1 s2 s9", 0), ("s1 s2 s3 s9", 1), ("s1 s2 s3", 0)):
        each = names.split()
        told.network.serve("far", [declare(name) for name in each], [advert(n) for n in each])
        told.network.run(2)
        change = table_of(told.update())
        told.ack(change)
        assert change.left_out == left_out
    assert (change.gone_services, [row.service for row in change.candidates]) == (("s9",), ["s3"])


def test_an_edge_that_talks_like_a_router_and_a_router_that_talks_like_an_edge_are_told_of() -> (
    None
):
    told = serving(1)
    (event,) = told.edges.receive_edge(EDGE.router, message(), 1.0)
    assert isinstance(event, LsaRejected)
    (event,) = told.edges.receive_edge(FAR.router, Wish(1, 1, None), 1.0)
    assert isinstance(event, LsaRejected)
    (event,) = attached().receive_edge(NEAR.router, Wish(1, 1, None), 1.0)
    assert isinstance(event, LsaRejected)


def test_what_an_edge_sends_while_its_link_drains_is_no_fault() -> None:
    told = serving(1)
    (table,) = told.wish(1)
    assert isinstance(table, TableMessage)
    told.edges.drain(EDGE.router)
    assert told.ack(table) == []
    assert told.wish(2) == []
    (event,) = told.edges.receive_edge(EDGE.router, message(), 1.0)
    assert isinstance(event, LsaRejected), "no edge sends a table"
    told.edges.down(EDGE.router)
    (event,) = told.edges.receive_edge(EDGE.router, Wish(1, 3, None), 1.0)
    assert isinstance(event, LsaRejected), "its link is down"


def test_an_edge_that_links_again_while_its_old_link_drains_has_its_table() -> None:
    told = serving(1)
    told.wish(1)
    told.edges.drain(EDGE.router)
    told.edges.up(EDGE.router, told.network.now, EDGE.site)
    assert told.wish(2, since=2)


def test_a_path_for_an_edge_leads_to_candidates_of_its_service_only() -> None:
    told = serving(1)
    far = told.network.identities["far"].router
    assert told.edges.path_to(ServiceKey("s0", 80), far) == (far,)
    assert told.edges.path_to(ServiceKey("s9", 80), far) is None
    assert told.edges.path_to(ServiceKey("s0", 80), EDGE.router) is None


def test_whether_an_offer_is_for_an_edge_is_said_by_the_rules_of_that_router_alone() -> None:
    whos = [FakeIdentity(name) for name in "abc"]
    rows = tuple(CandidateRow("x", 80, who.router, 1, 1, False) for who in whos)
    for chosen in whos:
        rules = tuple((EDGE.site,) if who is chosen else () for who in whos)
        offer = EdgeOffer(None, rows, rules)
        named = [offer.names(Party(EDGE.site, "edge"), who.router) for who in whos]
        assert named == [who is chosen for who in whos]


def test_of_several_declarations_of_a_name_an_edge_is_told_its_own_if_it_has_one() -> None:
    whos = [FakeIdentity(name) for name in "abc"]
    claims = tuple(
        Claim(declare("x", ports=(80 + number,)), who.site, who.router, 1)
        for number, who in enumerate(whos)
    )
    offer = EdgeOffer(service_row("x"), (), claims=claims)
    for who in (*whos, EDGE):
        told = seen_by(offer, Party(who.site, who.name)).service
        assert told is not None
        assert told.site == (whos[0] if who is EDGE else who).site


@pytest.mark.parametrize("asks", ["a", "b", "c"])
def test_a_declaration_that_is_for_some_sites_is_told_to_those_and_to_its_own(asks: str) -> None:
    whos = {name: FakeIdentity(name) for name in "abc"}
    for owner, who in whos.items():
        for named in whos:
            claim = Claim(
                msgspec.structs.replace(declare("x"), export_to=(whos[named].site,)),
                who.site,
                who.router,
                1,
            )
            offer = EdgeOffer(service_row("x"), (), claims=(claim,))
            told = seen_by(offer, Party(whos[asks].site, asks)).service
            sees_it = told is not None and told.declaration != b""
            assert sees_it == (asks in (owner, named)), (owner, named)


def test_loads_go_to_edges_that_use_the_service_and_to_all_other_routers() -> None:
    told = serving(2)
    told.wish(1, "s0")
    reports = [LoadReport(FAR.router, 1, name, 80, 1, 1, None) for name in ("s0", "s1")]
    assert [r.service for r in told.edges.wanted(EDGE.router, reports)] == ["s0"]
    assert len(told.edges.wanted(FAR.router, reports)) == 2
    own = [LoadReport(EDGE.router, 1, "s0", 80, 1, 1, None)]
    assert told.edges.wanted(EDGE.router, own) == ()
    told.wish(2, "s0", "later")
    early = [LoadReport(FAR.router, 1, "later", 80, 1, 1, None)]
    assert told.edges.wanted(EDGE.router, early) == tuple(early), "its targets are told of soon"


# LSAs at the router that it is attached to.


def test_an_edge_speaks_of_itself_as_an_edge_and_of_nobody_else() -> None:
    network = Network(["near", "far"])
    near = network.cores["near"]
    near.adjacency_up(EDGE.router, EDGE.site, 1, 0.0, is_edge=True)
    who = network.identities["near"]
    honest = make_lsa(EDGE, neighbours=((who, 1),), stub=True)
    (ack, *_) = near.receive_lsa(EDGE.router, signed(honest, EDGE), 0.0)
    assert isinstance(ack, SendAck)
    for lie, signer in (
        (make_lsa(FAR, neighbours=((who, 1),), stub=True), FAR),
        (make_lsa(who, neighbours=((EDGE, 1),)), who),
        (make_lsa(EDGE, neighbours=((who, 1),), sequence=2), EDGE),
        (make_lsa(EDGE, neighbours=((who, 1), (FAR, 1)), sequence=2, stub=True), EDGE),
    ):
        (event,) = near.receive_lsa(EDGE.router, signed(lie, signer), 0.0)
        assert isinstance(event, LsaRejected)
        assert event.code in ("not-its-own", "not-an-edge")


def test_an_edge_is_sent_what_is_held_of_itself_and_nothing_of_others() -> None:
    network = Network(["near", "far"])
    network.connect("near", "far")
    network.serve("far", [declare("shop")], [advert("shop")])
    network.run(2)
    near = network.cores["near"]
    up = near.adjacency_up(EDGE.router, EDGE.site, 1, 2.0, is_edge=True)
    assert EDGE.router not in {event.to for event in up if isinstance(event, SendLsa)}
    lsa = make_lsa(EDGE, neighbours=((network.identities["near"], 1),), stub=True, sequence=9)
    near.receive_lsa(EDGE.router, signed(lsa, EDGE), 2.0)
    near.adjacency_down(EDGE.router, 3.0)
    again = near.adjacency_up(EDGE.router, EDGE.site, 1, 4.0, is_edge=True)
    sends = [event for event in again if isinstance(event, SendLsa) and event.to == EDGE.router]
    assert [event.signed for event in sends] == [signed(lsa, EDGE)]
    assert SiteId(EDGE.site) in near.table.sites


# An edge says of itself what any router would.

VERBS: dict[str, Callable[[EdgeRouting | RoutingCore], list[RoutingEvent]]] = {
    "services": lambda one: one.set_services([declare("own")], [advert("own")], 1.0),
    "another cost": lambda one: one.adjacency_cost(NEAR.router, 7, 1.0),
    "drains": lambda one: one.set_draining(True, 1.0),
    "is deleted": lambda one: one.set_draining(True, 1.0, deleted=True),
    "bars": lambda one: one.set_bars((Bar(FAR.site, 9),), frozenset(), 1.0),
    "hears a former life": lambda one: one.receive_lsa(
        NEAR.router, signed(make_lsa(EDGE, epoch=5, boot_nonce=b"former"), EDGE), 1.0
    ),
    "is silent": lambda one: [],
}


@pytest.mark.parametrize("verb", VERBS)
def test_an_edge_says_of_itself_what_a_router_says_that_is_never_crossed(verb: str) -> None:
    edge = edge_routing()
    core = RoutingCore(EDGE, epoch=1, boot_nonce=b"n", version="1", now=0.0, stub=True)
    for one in (edge, core):
        one.adjacency_up(NEAR.router, NEAR.site, 2, 0.0)
    heard: list[list[bytes]] = []
    for one in (edge, core):
        events = VERBS[verb](one)
        for at in (2.0, 4.0, 8.0, 16.0):  # Unacknowledged messages are sent again.
            events += one.handle_timeout(at)
        sent_to_near = [event for event in events if isinstance(event, SendLsa)]
        assert all(event.to == NEAR.router for event in sent_to_near)
        heard.append([event.signed for event in sent_to_near])
    assert heard[0] == heard[1] != []
    assert (edge.adverts, edge.epoch) == (core.adverts, core.epoch)
    assert edge.lsas_received == core.lsas_received == ("hears" in verb)


def test_an_edge_that_is_told_that_its_word_came_does_not_repeat_it() -> None:
    edge = edge_routing()
    (lsa,) = [
        event
        for event in edge.adjacency_up(NEAR.router, NEAR.site, 2, 0.0)
        if isinstance(event, SendLsa)
    ]
    received = decode_lsa(lsa.signed)
    assert not isinstance(received, LsaFault)
    assert edge.receive_ack(NEAR.router, ack_of(received, NEAR.router).ack, 0.5) == []
    assert not [one for one in edge.handle_timeout(9.0) if isinstance(one, SendLsa)]


def test_further_neighbors_stand_by_until_the_one_it_is_attached_to_is_gone() -> None:
    edge = attached("shop")
    edge.adjacency_up(FAR.router, FAR.site, 1, 1.0)
    routers = (NEAR.router, FAR.router, EDGE.router)
    assert [edge.stands_by(router) for router in routers] == [False, True, False]
    edge.adjacency_down(NEAR.router, 2.0)
    assert [edge.stands_by(router) for router in routers] == [False, False, False]
    core = RoutingCore(NEAR, epoch=1, boot_nonce=b"n", version="1", now=0.0)
    core.adjacency_up(FAR.router, FAR.site, 1, 1.0)
    assert not core.stands_by(FAR.router), "an interior router uses each"


def test_terms_mean_nothing_to_an_edge_and_no_table_leaves_without_one() -> None:
    edge = attached("shop")
    assert edge.set_terms(NEAR.router, Terms(), 1.0) == []
    assert edge.left_out == 0
    assert len(AttachedEdges()) == 0


@pytest.mark.parametrize("beyond", [0, 1, 3])
def test_of_deleted_sites_an_edge_holds_the_last_ones(beyond: int) -> None:
    edge = attached("shop")
    sites = [FakeIdentity(f"gone-{at}").site for at in range(limits.EDGE_DELETED_MAX + beyond)]
    hear(edge, message(sites=(site_row(),), deleted=tuple(sites)))
    assert edge.table.deleted == set(sites[beyond:])
    again = (sites[beyond], FakeIdentity("gone-last").site)
    hear(edge, message(base=1, version=2, deleted=again))
    assert edge.table.deleted == {*sites[beyond:], *again} - {sites[beyond + 1]}


def test_a_site_that_offers_nothing_more_is_told_of_while_it_is_reached() -> None:
    told = serving(2)
    all_told(told, told.wish(1))
    gone: list[tuple[tuple[str, ...], tuple[RouterId, ...]]] = []
    for names in (["s0"], []):
        told.network.serve("far", map(declare, names), map(advert, names))
        told.network.run(2)
        (change,) = all_told(told, told.update())
        gone.append((change.gone_services, change.gone_sites))
    assert gone == [(("s1",), ()), (("s0",), ())]
    assert told.edges.rows_held == 2, "its neighbor's and that of the site"
    told.network.cut("near", "far")
    told.network.run(2)
    (change,) = all_told(told, told.update())
    assert change.gone_sites == (told.network.identities["far"].router,)
    assert told.edges.rows_held == 1, "its neighbor's"


def test_a_change_continues_the_last_of_several_pieces() -> None:
    told = serving(1000)
    pieces = all_told(told, told.wish(1))
    assert len(pieces) > 1 and pieces[-1].is_last
    names = [f"s{number}" for number in range(999)]
    told.network.serve("far", map(declare, names), map(advert, names))
    told.network.run(2)
    (change,) = all_told(told, told.update())
    assert (change.base, change.gone_services) == (pieces[-1].version, ("s999",))


def test_each_table_of_an_edge_is_a_generation_of_its_own() -> None:
    edge = attached("shop")
    generations = [edge.table.generation]
    for version, cost in enumerate((3, 4, 5, 6), start=1):
        told = message(base=version - 1, version=version, sites=(site_row(), site_row(FAR, cost)))
        hear(edge, told)
        generations.append(edge.table.generation)
    assert generations == [generations[0] + step for step in range(5)]
