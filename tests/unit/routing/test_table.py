"""The route table as several sites see it: sites, names, candidates, declarations."""

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import pytest

from router.model.ids import ServiceKey
from router.model.limits import LSA_MAX_AGE_S, OWNER_WITHDRAWN_S, SERVICE_SYNC_TTL_S
from router.model.messages.adverts import Declaration
from router.model.messages.exports import ExportedPort, ExportTerms
from router.model.specs import ServiceProtocol
from router.routing.events import TableChanged
from tests.unit.routing.fakes import FakeIdentity, SameSiteIdentity, advert, declare
from tests.unit.routing.network import Network

pytestmark = pytest.mark.usefixtures("both_orders")

X80 = ServiceKey("x", 80)


def line(*names: str) -> Network:
    network = Network(names)
    for one, other in pairwise(names):
        network.connect(one, other)
    network.run(1.0)
    return network


def shown(network: Network, name: str) -> dict[str, int | None]:
    return {route.name: route.path_cost for route in network.table(name).sites.values()}


def test_the_first_table_knows_this_site_alone() -> None:
    table = Network(["west"]).table("west")
    (own,) = table.sites.values()
    assert (own.path_cost, own.paths, own.next_hops, own.reachable) == (0, ((),), (), True)


def test_each_site_is_there_with_its_path_and_its_neighbours() -> None:
    network = line("west", "hub", "east")
    west, hub, east = (network.identities[name] for name in ("west", "hub", "east"))
    route = network.table("west").sites[east.site]
    assert (route.path_cost, route.paths) == (2, ((hub.router, east.router),))
    assert route.next_hops == (hub.router,)
    assert route.neighbours == ((hub.site, 1),)
    hub_route = network.table("west").sites[hub.site]
    assert hub_route.neighbours == tuple(sorted([(west.site, 1), (east.site, 1)]))
    assert network.table("west").next_hop_is_cheapest(east.router, hub.router)
    assert not network.table("west").next_hop_is_cheapest(east.router, east.router)


def test_generations_grow_by_one_and_only_with_a_difference() -> None:
    network = line("west", "hub", "east")
    network.run(1000.0)
    generations = [
        event.table.generation
        for name, event in network.events
        if name == "west" and isinstance(event, TableChanged)
    ]
    assert generations == list(range(2, 2 + len(generations)))
    assert len(generations) < 6


def test_candidates_are_sorted_by_cost_and_then_site() -> None:
    network = Network(["west", "near", "far", "also-far"])
    for name, cost in (("near", 1), ("far", 5), ("also-far", 5)):
        network.serve(name, [], [advert("x", capacity=cost)])
        network.connect("west", name, cost)
    network.run(1.0)
    candidates = network.table("west").candidates[X80]
    assert [candidate.path_cost for candidate in candidates] == [1, 5, 5]
    assert candidates[0].site_name == "near"
    assert candidates[1].site < candidates[2].site
    assert [candidate.capacity for candidate in candidates] == [1, 5, 5]


def test_a_draining_router_keeps_its_services_marked_and_carries_no_transit() -> None:
    network = line("west", "hub", "east")
    network.serve("hub", [], [advert("x")])
    network.run(1.0)
    network.take("hub", network.cores["hub"].set_draining(True, network.now))
    network.run(0.1)
    hub = network.identities["hub"]
    assert network.table("west").sites[hub.site].draining
    assert network.table("west").candidates[X80][0].draining
    assert network.table("hub").sites[hub.site].draining
    assert shown(network, "west") == {"west": 0, "hub": 1, "east": None}


def test_equal_declarations_of_different_age_are_no_conflict() -> None:
    network = line("west", "east")
    network.serve("west", [declare("x", at=20.0)])
    network.serve("east", [declare("x", at=10.0)])
    network.run(1.0)
    declared = network.table("west").declarations["x"]
    assert (declared.conflicts, len(declared.alike)) == ((), 1)
    assert declared.site not in declared.alike


def test_a_site_that_declares_another_protocol_is_not_used_where_that_does_not_count() -> None:
    network = line("west", "east", "south")
    network.serve("west", [declare("x", protocol="http")], [advert("x")])
    network.serve("east", [declare("x", protocol="tcp")], [advert("x")])
    network.serve("south", (), [advert("x")])
    network.run(1.0)
    west, east = network.table("west"), network.table("east")
    assert {one.site_name: one.unused for one in west.candidates[X80]} == {
        "east": "east declares it as tcp, and http counts here",
        "south": "",
    }
    assert {one.site_name: one.unused for one in east.candidates[X80]} == {
        "west": "west declares it as http, and tcp counts here",
        "south": "",
    }
    network.serve("east", [declare("x", protocol="http")], [advert("x")])
    network.run(1.0)
    assert not any(one.unused for one in network.table("west").candidates[X80])


def test_a_site_that_follows_the_owner_is_not_used_where_another_protocol_counts() -> None:
    network = line("west", "east", "south")
    network.serve("west", [declare("x", protocol="http")], [advert("x")])
    network.serve("south", (), [advert("x")])
    network.run(1.0)
    network.serve("east", [declare("x", protocol="tcp")], [advert("x")])
    network.run(1.0)
    assert {one.site_name: one.unused for one in network.table("east").candidates[X80]} == {
        "west": "west declares it as http, and tcp counts here",
        "south": "south serves it as http, since west owns the name, and tcp counts here",
    }
    assert {one.site_name: one.unused for one in network.table("west").candidates[X80]} == {
        "east": "east declares it as tcp, and http counts here",
        "south": "",
    }
    network.serve("east", [declare("x", ports=(80, 81))], [advert("x")])
    network.run(1.0)
    assert not any(one.unused for one in network.table("east").candidates[X80])


@pytest.mark.parametrize(
    ("serves", "unused"),
    [
        ("tcp", "south serves it as tcp, and http counts here"),
        *((word, "") for word in ("", "http", "later")),
    ],
)
def test_a_site_that_follows_another_owner_says_so_itself(serves: str, unused: str) -> None:
    network = line("west", "east", "south")
    network.serve("west", [declare("x", protocol="http")], [advert("x")])
    network.run(1.0)
    network.serve("east", [declare("x", protocol="tcp")], [advert("x")])
    network.serve("south", (), [msgspec.structs.replace(advert("x"), serves=serves)])
    network.run(1.0)
    (found,) = [one for one in network.table("west").candidates[X80] if one.site_name == "south"]
    assert (found.unused, found.serves) == (unused, "" if serves == "later" else serves)


@pytest.mark.parametrize(
    ("protocol", "unused"),
    [("tcp", ""), ("http", "one declares it as http, and tcp counts here")],
)
def test_a_router_serves_what_another_router_of_its_site_declares(
    protocol: ServiceProtocol, unused: str
) -> None:
    network = Network(["west", "east", "one", "two"])
    network.identities["two"] = SameSiteIdentity(network.identities["one"], "77" * 8)
    network.cores["two"] = network.make_core("two")
    for here, there in (("west", "east"), ("east", "one"), ("east", "two"), ("one", "two")):
        network.connect(here, there)
    network.serve("west", [declare("x", protocol="http")], [advert("x")])
    network.run(1.0)
    network.serve("east", [declare("x", protocol="tcp")], [advert("x")])
    network.serve("one", [declare("x", protocol=protocol)], [advert("x")])
    network.serve("two", (), [advert("x")])
    network.run(1.0)
    assert network.table("two").declarations["x"].declaration.spec.protocol == protocol
    found = network.table("east").candidates[X80]
    assert [one.unused for one in found if one.site_name == "one"] == [unused] * 2


def test_a_site_that_declares_another_port_is_used_whatever_other_services_it_declares() -> None:
    network = line("west", "east")
    network.serve("west", [declare("x")], [advert("x")])
    others = [declare(name, protocol="tcp") for name in ("a", "y")]
    network.serve("east", [declare("x", ports=(80, 81)), *others], [advert("x")])
    network.run(1.0)
    assert network.table("west").declarations["x"].conflicts
    assert [one.unused for one in network.table("west").candidates[X80]] == [""]


def test_an_own_declaration_is_in_the_table_at_once() -> None:
    network = Network(["west"])
    network.serve("west", [declare("x")])
    declared = network.table("west").declarations["x"]
    assert (declared.site, declared.reachable) == (network.identities["west"].site, True)


def test_a_withdrawn_declaration_goes_at_once() -> None:
    network = line("west", "east")
    network.serve("east", [declare("x")])
    network.run(1.0)
    assert "x" in network.table("west").declarations
    network.serve("east")
    network.run(0.2)
    assert "x" not in network.table("west").declarations


def test_an_unreachable_declarer_is_believed_for_the_ttl_and_not_longer() -> None:
    network = line("west", "east")
    network.serve("east", [declare("x")], [advert("x")])
    network.run(1.0)
    network.cut("west", "east")
    assert X80 not in network.table("west").candidates
    network.run(SERVICE_SYNC_TTL_S - 1)
    assert not network.table("west").declarations["x"].reachable
    network.run(2.0)
    assert "x" not in network.table("west").declarations


def test_a_lost_router_exports_nothing_that_its_successor_does_not() -> None:
    """A ServiceImport named an export for minutes after it was deleted, if the router of the
    exporting namespace had been replaced just before."""
    exports = [exported("x"), exported("y")]
    network = with_two_routers_of_one_site(exports, [], common=True)
    network.cut("west", "one")
    network.run(1.0)
    assert set(network.table("west").declarations) == {"x", "y"}
    network.serve("two", exports)
    network.connect("west", "two")
    network.run(1.0)
    assert set(network.table("west").declarations) == {"x", "y"}
    network.serve("two", exports[:1])
    network.run(0.2)
    assert set(network.table("west").declarations) == {"x"}


def test_a_lost_router_of_a_host_site_declares_its_own_documents_for_the_ttl() -> None:
    """They are separate: the service that it alone declares must not go with each restart of it."""
    network = with_two_routers_of_one_site([declare("x"), declare("y")], [declare("x")])
    lose_the_first(network)
    network.run(SERVICE_SYNC_TTL_S)
    assert set(network.table("west").declarations) == {"x"}


def test_a_lost_router_of_a_namespace_declares_nothing_that_another_one_does_not() -> None:
    """A service that was deleted was listed for minutes more, here and at other sites, if a router
    of the namespace had just been replaced."""
    both = [declare("x"), declare("y")]
    network = with_two_routers_of_one_site(both, both, common=True)
    lose_the_first(network)
    network.serve("two", [declare("x")])
    network.run(0.2)
    for name in ("west", "two"):
        assert set(network.table(name).declarations) == {"x"}


@pytest.mark.parametrize("common", [True, False])
def test_a_lost_router_keeps_a_name_that_only_it_may_declare(common: bool) -> None:
    """Other routers of a namespace read the same documents, those of a host have separate ones."""
    network = with_two_routers_of_one_site([declare("x")], [declare("x")], common=common)
    network.connect("west", "two")
    network.run(1.0)
    network.cut("west", "one")
    network.run(SERVICE_SYNC_TTL_S + 1.0)
    owner = network.identities["two"].site
    assert network.table("west").owners["x"].sites == (owner,)
    network.serve("two", [])
    network.run(OWNER_WITHDRAWN_S + 1.0)
    assert ("x" in network.table("west").owners) is not common
    assert network.table("west").partly == (frozenset() if common else {owner})
    network.run(LSA_MAX_AGE_S)
    assert "x" not in network.table("west").owners
    assert not network.table("west").partly


def test_a_router_that_declares_too_much_is_not_out_of_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("router.routing.adverts.budgets.LSA_SITE_NAMES_MAX", 2)
    network = with_two_routers_of_one_site([declare("x")], [declare("y")])
    network.connect("west", "two")
    network.run(1.0)
    network.serve("two", [declare("y"), declare("z")])
    network.run(1.0)
    network.serve("west", [declare("w")])  # Its next table.
    assert set(network.table("west").declarations) == {"w", "x", "y"}
    assert not network.table("west").partly
    network.cut("west", "two")
    network.run(1.0)
    assert network.table("west").partly == {network.identities["two"].site}


def with_two_routers_of_one_site(
    one: Sequence[Declaration], two: Sequence[Declaration], *, common: bool = False
) -> Network:
    """Router "one" is linked to "west", router "two" to none yet; ``common``: documents."""
    network = Network(["west", "one", "two"])
    network.identities["two"] = SameSiteIdentity(network.identities["one"], "88" * 8)
    for name in ("one", "two"):
        network.cores[name] = network.make_core(name, common=common)
    network.serve("one", one)
    network.serve("two", two)
    network.connect("west", "one")
    network.run(1.0)
    return network


def lose_the_first(network: Network) -> None:
    """Link all three, then cut "one" off; what both declared is in force at the others."""
    network.connect("west", "two")
    network.connect("one", "two")
    network.run(1.0)
    network.cut("west", "one")
    network.cut("one", "two")
    network.run(1.0)
    for name in ("west", "two"):
        assert set(network.table(name).declarations) == {"x", "y"}


def exported(name: str) -> Declaration:
    terms = ExportTerms(namespace="shop", service=name, ports=(ExportedPort(port=80),))
    return msgspec.structs.replace(declare(name), export=terms)


def test_a_router_that_was_busy_at_the_end_of_the_ttl_makes_up_for_it_afterwards() -> None:
    network = line("west", "east")
    network.serve("east", [declare("x")])
    network.run(1.0)
    network.cut("west", "east")
    network.run(SERVICE_SYNC_TTL_S - 1)
    network.cores["west"].handle_timeout(network.now + 3.0)
    assert "x" not in network.table("west").declarations


def test_a_ttl_made_shorter_counts_for_those_lost_already() -> None:
    network = line("west", "east")
    network.serve("east", [declare("x")], [advert("x")])
    network.run(1.0)
    network.cut("west", "east")
    network.run(5.0)
    core = network.cores["west"]
    network.take("west", core.set_service_ttl(10.0, network.now))
    assert "x" in network.table("west").declarations
    network.take("west", core.set_service_ttl(3.0, network.now))
    assert "x" not in network.table("west").declarations


def test_the_ttl_starts_anew_with_each_time_it_was_reachable() -> None:
    network = line("west", "east")
    network.serve("east", [declare("x")])
    network.run(1.0)
    for _ in range(3):
        network.cut("west", "east")
        network.run(SERVICE_SYNC_TTL_S - 10)
        assert "x" in network.table("west").declarations
        network.connect("west", "east")
        network.run(1.0)
    assert network.table("west").declarations["x"].reachable


def test_two_live_sites_of_one_name_both_show_with_their_id() -> None:
    network = Network(["west", "hub", "twin"])
    network.identities["twin"] = SameSiteIdentity(FakeIdentity("other"), "77" * 8, name="west")
    network.cores["twin"] = network.make_core("twin")
    network.connect("west", "hub")
    network.connect("hub", "twin")
    network.run(1.0)
    sites = [network.identities[name].site for name in ("west", "twin")]
    for name in ("west", "hub", "twin"):
        table = network.table(name)
        assert table.name_conflicts == ("west",)
        assert [table.sites[site].name for site in sites] == [f"west@{s[:8]}" for s in sites]
    network.cut("hub", "twin")
    network.run(0.5)
    table = network.table("hub")
    assert table.name_conflicts == ()
    assert [table.sites[site].name for site in sites] == ["west", f"west@{sites[1][:8]}"]


def test_routers_of_one_site_are_one_site_and_several_candidates() -> None:
    network = Network(["west", "one", "two"])
    one = network.identities["one"]
    network.identities["two"] = SameSiteIdentity(one, "77" * 8)
    network.cores["two"] = network.make_core("two")
    network.serve("one", [declare("x")], [advert("x", capacity=1)])
    network.serve("two", [declare("x")], [advert("x", capacity=2)])
    network.connect("one", "two", 0)
    network.connect("west", "one", 4)
    network.run(1.0)
    table = network.table("west")
    assert table.sites[one.site].path_cost == 4
    assert table.sites[one.site].router == min(one.router, "77" * 8), "of two as near as each other"
    assert {c.capacity: c.path_cost for c in table.candidates[X80]} == {1: 4, 2: 4}
    assert {c.capacity: len(c.paths[0]) for c in table.candidates[X80]} == {1: 1, 2: 2}
    own = network.table("two").candidates[X80]
    assert [(c.site, c.path_cost) for c in own] == [(one.site, 0)]
    assert list(network.table("two").sites) == [one.site, network.identities["west"].site]
    for name in ("one", "two", "west"):
        beside = network.table(name).sites[one.site].neighbours
        assert beside == ((network.identities["west"].site, 4),), "of all routers of the site"


def test_a_site_drains_when_all_of_its_routers_do() -> None:
    network = Network(["west", "one", "two"])
    site = network.identities["one"].site
    network.identities["two"] = SameSiteIdentity(network.identities["one"], "77" * 8)
    network.cores["two"] = network.make_core("two")
    network.connect("one", "two", 0)
    network.connect("west", "one", 4)
    network.connect("west", "two", 4)
    network.run(1.0)
    shown = []
    for name in ("one", "two"):
        network.take(name, network.cores[name].set_draining(True, network.now))
        network.run(0.1)
        shown.append(network.table("west").sites[site].draining)
    assert shown == [False, True]


def test_a_site_that_cannot_be_reached_drains_only_if_it_said_so() -> None:
    for drains in (False, True):
        network = Network(["west", "east"])
        network.connect("west", "east", 4)
        network.run(1.0)
        if drains:
            network.take("east", network.cores["east"].set_draining(True, network.now))
            network.run(0.1)
        network.cut("west", "east")
        network.run(0.1)
        east = network.table("west").sites[network.identities["east"].site]
        assert (east.reachable, east.draining) == (False, drains)


def test_more_services_than_a_site_may_have_are_an_error_of_ours() -> None:
    network = Network(["west"])
    with pytest.raises(ValueError, match="more than"):
        network.serve("west", [], [advert(f"{number}") for number in range(1_025)])
