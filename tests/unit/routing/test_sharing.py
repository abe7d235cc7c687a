"""Rules and terms in one router: limits, stored LSAs, messages to edges."""

import msgspec
import pytest

from router.model import limits
from router.model.messages.adverts import TargetsAdvert
from router.model.rights.sharing import FREE, Sharing, SharingRules, Terms
from router.routing.adverts.lsa import LsaFault, Services, Topology, decode_lsa
from router.routing.events import ForeignLsa
from tests.unit.routing.fakes import (
    FakeIdentity,
    SameSiteIdentity,
    advert,
    declare,
    make_lsa,
    signed,
)
from tests.unit.routing.network import Network
from tests.unit.routing.test_edge_tables import EDGE, serving, table_of

pytestmark = pytest.mark.usefixtures("both_orders")

WEST, EAST = FakeIdentity("west"), FakeIdentity("east")
ON = Terms(declare=("shop",), export=("shop",), import_=("shop",))


def fault(data: bytes) -> str:
    found = decode_lsa(data)
    return found.code if isinstance(found, LsaFault) else ""


def ruled(*patterns: str) -> bytes:
    """A part whose advert is for these."""
    told = TargetsAdvert(name="shop", port=80, targets_ready=1, capacity=None, export_to=patterns)
    return signed(make_lsa(WEST, part=1, services=Services((), (told,))), WEST)


def test_a_rule_of_as_many_and_as_long_patterns_as_may_be_is_believed_and_one_more_is_not() -> None:
    most = tuple(f"s{number}" for number in range(limits.SHARING_PATTERNS_MAX))
    longest = "a" * limits.SHARING_PATTERN_CHARS_MAX
    assert fault(ruled(*most[1:], longest)) == ""
    assert fault(ruled(*most, "one-more")) == "bad-value"
    assert fault(ruled(longest + "a")) == "bad-value"
    spec = msgspec.structs.replace(declare("shop"), export_to=(*most, "one-more"))
    body = Services((spec,), ())
    assert fault(signed(make_lsa(WEST, part=1, services=body), WEST)) == "bad-value"


def stated(number: int, *terms: Terms) -> bytes:
    lsa = make_lsa(WEST, neighbours=((EAST, 1),))
    assert isinstance(lsa.body, Topology)
    (adjacency,) = lsa.body.adjacencies
    on = msgspec.structs.replace(adjacency, terms=number)
    body = msgspec.structs.replace(lsa.body, adjacencies=(on,), terms=terms)
    return signed(msgspec.structs.replace(lsa, body=body), WEST)


def test_an_adjacency_names_terms_that_are_stated() -> None:
    assert fault(stated(1, ON)) == ""
    assert fault(stated(2, ON)) == "bad-value"
    assert fault(stated(1)) == "bad-value"
    assert fault(stated(-1, ON)) == "malformed"
    wide = Terms(tuple(f"s{n}" for n in range(limits.SHARING_PATTERNS_MAX + 1)))
    assert fault(stated(1, wide)) == "bad-value"


def leafy() -> Network:
    """far - near - leaf, which near lets in on terms."""
    network = Network(["far", "near", "leaf"])
    network.connect("far", "near")
    network.connect("near", "leaf", 1, ON)
    network.serve(
        "leaf",
        [declare("shop"), declare("bank")],
        [advert("shop"), advert("bank")],
    )
    network.run(5)
    return network


def test_what_a_site_on_terms_declares_counts_for_no_more_once_it_is_gone() -> None:
    network = leafy()
    for name in ("far", "near"):
        assert set(network.table(name).declarations) == {"shop"}
    network.cut("near", "leaf")
    network.run(5)
    for name in ("far", "near"):
        table = network.table(name)
        assert not table.sites[network.identities["leaf"].site].reachable
        assert set(table.declarations) == {"shop"}, "kept for a while, and no more of it"


def test_another_router_of_its_site_frees_nobody() -> None:
    network = leafy()
    twin = SameSiteIdentity(network.identities["leaf"], "f" * 16)
    network.identities["twin"] = twin
    network.cores["twin"] = network.make_core("twin")
    network.connect("leaf", "twin", 0)
    network.serve("twin", [declare("bank")], [advert("bank"), advert("shop")])
    network.run(5)
    table = network.table("far")
    assert set(table.declarations) == {"shop"}
    assert {key.name: len(found) for key, found in table.candidates.items()} == {"shop": 2}


def test_two_sites_on_terms_do_not_free_each_other() -> None:
    """Each can let the other in as it likes, but cannot grant permissions that it lacks itself."""
    network = leafy()
    network.identities["second"] = FakeIdentity("second")
    network.cores["second"] = network.make_core("second")
    network.connect("near", "second", 1, ON)
    network.connect("leaf", "second")
    network.serve("second", [declare("bank")], [advert("bank"), advert("shop")])
    network.run(5)
    for name in ("far", "near"):
        table = network.table(name)
        assert set(table.declarations) == {"shop"}
        assert {key.name: len(found) for key, found in table.candidates.items()} == {"shop": 2}
    network.cut("near", "far")
    network.cut("near", "leaf")
    network.cut("near", "second")
    network.run(5)
    for name in ("far", "near"):
        assert set(network.table(name).declarations) == {"shop"}, "nor when nobody else is left"


def test_other_terms_count_at_once_and_everywhere() -> None:
    network = leafy()
    leaf = network.identities["leaf"].router
    network.take("near", network.cores["near"].set_terms(leaf, FREE, network.now))
    network.run(1)
    assert set(network.table("far").declarations) == {"bank", "shop"}
    network.take("near", network.cores["near"].set_terms(leaf, ON, network.now))
    network.run(1)
    assert set(network.table("far").declarations) == {"shop"}


@pytest.mark.parametrize("is_before", [False, True])
def test_lsas_of_others_are_acknowledged_and_no_more_from_a_site_on_terms(
    is_before: bool,
) -> None:
    network = leafy()
    leaf = network.identities["leaf"]
    others = (FakeIdentity(f"phantom-{number}") for number in range(100))
    phantom = next(one for one in others if (one.site < leaf.site) == is_before)
    told = signed(make_lsa(phantom, neighbours=((leaf, 1),)), phantom)
    events = network.cores["near"].receive_lsa(leaf.router, told, network.now)
    assert events[1:] == [ForeignLsa(leaf.router, phantom.site)]
    assert len(events) == 2
    assert phantom.site not in {lsa.site for lsa in network.cores["near"].database()}


@pytest.mark.parametrize("terms", [Terms(import_=("s1",)), Terms(import_=("s?",))])
def test_an_edge_on_terms_is_told_of_what_it_may_ask_for(terms: Terms) -> None:
    told = serving(12)
    told.edges.up(EDGE.router, 0.0, EDGE.site, terms)
    first = table_of(told.wish(1))
    expected = {"s1"} if terms.import_ == ("s1",) else {f"s{number}" for number in range(10)}
    assert {row.name for row in first.services} == expected
    assert {row.service for row in first.candidates} == expected
    told.ack(first)
    assert told.edges.set_terms(EDGE.router, FREE, told.network.now) == []
    later = told.edges.handle_timeout(told.network.now + 1.0)
    assert later, "what it may ask for now is told"


def test_an_edge_is_told_of_the_targets_that_are_offered_to_it_alone_or_too() -> None:
    told = serving(0)
    rules = {"mine": ("edge@*",), "theirs": ("near",), "both": ("near", EDGE.site), "all": None}
    told.network.serve(
        "far",
        [declare(name) for name in rules],
        [msgspec.structs.replace(advert(name), export_to=rule) for name, rule in rules.items()],
    )
    told.network.run(2)
    told.update()
    first = table_of(told.wish(1))
    assert {row.name for row in first.services} == rules.keys(), "anybody may see the names"
    assert {row.service for row in first.candidates} == {"both", "all"}
    assert {key.name for key in told.network.table("near").candidates} == {"theirs", "both", "all"}


def guests_of(network: Network) -> list[str]:
    """Those of it, in the order in which LSAs name them."""
    found = (name for name in network.identities if name.startswith("guest"))
    return sorted(found, key=lambda name: network.identities[name].router)


def crowded(*guests: str) -> Network:
    """``hub`` lets all in, last first, on different terms that each fill a fourth of the room."""
    network = Network(["hub", "far", *guests])
    network.connect("hub", "far")
    for guest in reversed(guests_of(network)):
        most = limits.LSA_TERMS_BYTES_MAX // 4 - 100
        filling = tuple(f"{number:060}" for number in range(most // 62))
        network.serve(guest, [declare(f"shop-{guest}")])
        terms = Terms(declare=(f"shop-{guest}", *filling), export=(), import_=())
        network.connect("hub", guest, terms=terms)
    network.run(5.0)
    return network


def test_terms_that_find_no_room_are_known_by_whom_they_are_for() -> None:
    full = crowded("guest-a", "guest-b", "guest-c", "guest-d")
    assert full.cores["hub"].unstated == []
    over = crowded("guest-a", "guest-b", "guest-c", "guest-d", "guest-e")
    last = guests_of(over)[-1]
    assert over.cores["hub"].unstated == [over.identities[last].router]
    assert over.cores["far"].unstated == []


def test_a_router_takes_from_its_guests_what_the_network_takes_from_them() -> None:
    network = crowded("guest-a", "guest-b", "guest-c", "guest-d", "guest-e")
    declared = {f"shop-{guest}" for guest in guests_of(network)[:-1]}
    assert network.table("far").declarations.keys() == declared
    assert network.table("hub").declarations.keys() == declared


def test_a_declaration_that_our_rule_refuses_is_named_while_no_other_one_counts() -> None:
    network = Network(["west", "hub", "east"])
    network.connect("west", "hub")
    network.connect("hub", "east")
    rules = SharingRules({"x": Sharing(import_from=("east",)), "y": Sharing(import_from=())})
    network.take("hub", network.cores["hub"].set_rules(rules, network.now))
    west, east = (network.identities[name].site for name in ("west", "east"))
    network.serve("west", [declare("x"), declare("y"), declare("z")])
    network.run(2.0)
    assert network.table("hub").refused == {"x": (west,), "y": (west,)}
    network.serve("east", [declare("x"), declare("y")])
    network.run(2.0)
    assert network.table("hub").declarations.keys() == {"x", "z"}
    assert {name: set(by) for name, by in network.table("hub").refused.items()} == {
        "y": {west, east}
    }
