"""What other rooms ask a router's routing: copies of a site, who declares what, the way to one."""

import msgspec
import pytest

from router.model.ids import RouterId, SiteId
from router.routing.core import RoutingCore
from router.routing.edges.edge import EdgeRouting
from tests.unit.routing.fakes import FakeIdentity, SameSiteIdentity, declare
from tests.unit.routing.network import Network
from tests.unit.routing.test_edge_tables import message, service_row, site_row

pytestmark = pytest.mark.usefixtures("both_orders")

NOW = 1_000  # Of the copy, which was restored then.


def with_a_copy(restored: int) -> tuple[Network, SiteId, RouterId]:
    """Far away, behind `hub`, are two routers of one site: `original`, restored then or never, and
    `copy`, whose neighbor is `other`. The site and the router of the copy."""
    network = Network(["west", "hub", "original", "other", "copy"])
    original = network.identities["original"]
    network.identities["copy"] = SameSiteIdentity(original, "77" * 8)
    for name, at in (("original", restored), ("copy", NOW)):
        network.cores[name] = RoutingCore(
            *(network.identities[name],), epoch=1, boot_nonce=b"n", version="1", restored=at, now=0
        )
    for one, other in (("west", "hub"), ("hub", "original"), ("hub", "other"), ("other", "copy")):
        network.connect(one, other)
    network.run(1.0)
    return network, original.site, network.identities["copy"].router


@pytest.mark.parametrize(
    ("restored", "is_found"), [(0, True), (NOW - 1, True), (NOW, False), (NOW + 1, False)]
)
def test_a_copy_is_known_by_who_is_there_since_before_it(restored: int, is_found: bool) -> None:
    network, site, copy = with_a_copy(restored)
    core, hub = network.cores["west"], network.identities["hub"].site
    assert core.original_of(copy, site, NOW) == ((hub,) if is_found else ())
    assert core.original_of(copy, FakeIdentity("another").site, NOW) == ()
    network.cut("hub", "original")
    network.run(1.0)
    assert core.original_of(copy, site, NOW) == (), "the original cannot be reached"


def test_sites_that_other_routers_of_this_one_are_linked_to_are_told() -> None:
    network, _, _ = with_a_copy(0)
    hub, other = (network.identities[name].site for name in ("hub", "other"))
    assert network.cores["copy"].linked_elsewhere() == {hub}
    assert network.cores["original"].linked_elsewhere() == {other}
    assert network.cores["west"].linked_elsewhere() == frozenset()


def test_all_sites_that_declare_a_name_are_told_this_one_too() -> None:
    network = Network(["west", "east", "far"])
    network.connect("west", "east")
    network.connect("east", "far")
    network.serve("west", [declare("x")])
    network.serve("far", [declare("x"), declare("y")])
    network.run(1.0)
    west, far = (network.identities[name].site for name in ("west", "far"))
    table = network.table("west")
    told = {name: table.declarers(name) for name in ("x", "y", "z")}
    assert told == {"x": {west, far}, "y": {far}, "z": frozenset()}


def test_a_site_that_declares_a_name_for_others_is_told_apart() -> None:
    network = Network(["west", "east"])
    network.connect("west", "east")
    network.serve("east", [msgspec.structs.replace(declare("x"), export_to=("north",))])
    network.run(1.0)
    east = network.identities["east"].site
    table = network.table("west")
    assert (table.declarers("x"), table.all_declarers("x")) == (frozenset(), frozenset({east}))


def test_a_path_leads_to_a_router_of_another_site_that_is_reached() -> None:
    network = Network(["west", *"abcdef"])
    for before, name in zip("abcde", "bcdef", strict=True):
        network.connect(before, name)
    network.connect("west", "a")
    network.run(1.0)
    routers = [network.identities[name].router for name in "abcdef"]
    for hops, router in enumerate(routers, 1):
        assert network.table("west").path_to(router) == tuple(routers[:hops])
    assert network.table("west").path_to(network.identities["west"].router) is None
    network.cut("a", "b")
    network.run(1.0)
    assert network.table("west").path_to(routers[1]) is None


@pytest.mark.parametrize("others", ["before", "after"])
def test_a_link_costs_something_but_between_routers_of_one_site(others: str) -> None:
    """Whatever their ids are."""
    other, *many = [FakeIdentity(f"{others}-{number}") for number in range(100)]
    edge = next(one for one in many if (one.site < other.site) == (others == "after"))
    for peer, cost in ((other, 1), (SameSiteIdentity(edge, "77" * 8), 0)):
        routing = EdgeRouting(edge, epoch=1, boot_nonce=b"n", version="1", now=0.0)
        routing.adjacency_up(peer.router, peer.site, 0, 0.0)
        rows = {"sites": (site_row(peer),), "services": (service_row(site=peer.site),)}
        routing.receive_edge(peer.router, message(wish=1, **rows), 1.0)
        assert routing.table.sites[peer.site].path_cost == cost
