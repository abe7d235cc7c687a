"""Whose declaration of a name an operator may choose, and the refusals of all others."""

from types import SimpleNamespace
from typing import cast

import msgspec
import pytest

from router.admin.ports import CommandRefused
from router.model.limits import SERVICE_SYNC_TTL_S
from router.model.messages.adverts import Declaration
from router.model.rights.sharing import ALL, Sharing, SharingRules
from router.net.ports import Network as NetworkPort
from router.node.name_ownership import NameAdoption
from router.routing.names import Names
from tests.unit.journal import Journal
from tests.unit.routing.fakes import declare
from tests.unit.routing.network import Network
from tests.unit.routing.test_table import lose_the_first, with_two_routers_of_one_site

X, Y = declare("x"), declare("y")


def line(*declarations: Declaration) -> Network:
    """west knows what east declares."""
    network = Network(["west", "east"])
    network.connect("west", "east")
    network.run(1.0)
    network.serve("east", declarations)
    network.run(1.0)
    return network


def adopt(network: Network, service: str, given: str, at: str = "west") -> str:
    core = network.cores[at]
    names = Names(core, network.identities[at].site)
    names.table_changed(core.table)
    clock = cast(NetworkPort, SimpleNamespace(now=lambda: network.now))
    adoption = NameAdoption(clock, core, names, lambda _: None, Journal().tell)
    return adoption.adopt(service, given)


def refusal(network: Network, service: str, given: str) -> tuple[str, str]:
    with pytest.raises(CommandRefused) as caught:
        adopt(network, service, given)
    return str(caught.value), caught.value.hint


def test_a_name_is_adopted_from_a_site_whose_declaration_is_seen() -> None:
    network = line(X)
    assert adopt(network, "x", "east") == "east owns x already."
    assert refusal(network, "x", "north") == (
        "no site 'north' declares service 'x'",
        "sitectl service adopt x --from SITE, one of: east",
    )


def test_a_name_whose_owner_is_lost_is_adopted_from_a_site_that_declares_it_too() -> None:
    network = Network(["west", "east", "north"])
    network.connect("west", "east")
    network.connect("west", "north")
    network.run(1.0)
    network.serve("east", [X])
    network.run(1.0)
    network.serve("north", [declare("x", ports=(8080,))])
    network.run(1.0)
    network.cut("west", "east")
    network.run(SERVICE_SYNC_TTL_S + 1)
    assert "x" not in network.cores["west"].table.declarations, "it is still of its owner"
    assert adopt(network, "x", "north") == "north owns x from now on."


@pytest.mark.parametrize("common", [True, False])
def test_a_lost_router_whose_declaration_counts_no_more_is_no_declarer(common: bool) -> None:
    """Its site owned the name again, and nothing was served under it."""
    network = with_two_routers_of_one_site([X, Y], [X, Y], common=common)
    lose_the_first(network)
    network.serve("two", [X])
    network.run(0.2)
    if common:
        text, hint = refusal(network, "y", "one")
        assert text == "no site 'one' declares service 'y'"
        assert hint == "See who declares what: sitectl service status"
    else:
        assert adopt(network, "y", "one") == "one owns y already."


def test_a_site_that_shares_its_declaration_with_others_only_is_refused() -> None:
    network = line(msgspec.structs.replace(X, export_to=("north",)))
    text, hint = refusal(network, "x", "east")
    assert text == (
        "the sharing rules of west or east keep its declaration of service 'x' from west"
    )
    assert hint == "See which, at both: sitectl access x"


@pytest.mark.parametrize("service", ["x", ALL])
def test_a_site_that_the_import_rule_leaves_out_is_refused(service: str) -> None:
    network = line(X)
    rules = SharingRules({service: Sharing(None, ("north",))})
    network.take("west", network.cores["west"].set_rules(rules, network.now))
    assert "keep its declaration" in refusal(network, "x", "east")[0]


def test_a_barred_site_is_refused_with_the_way_back() -> None:
    network = line(X)
    east = network.identities["east"].site
    network.take("west", network.cores["west"].set_bars((), frozenset({east}), network.now))
    network.run(1.0)
    text, hint = refusal(network, "x", "east")
    assert text == "east, which declares service 'x', is barred by west: nothing of it counts here"
    assert hint == "To let east in again, at west: sitectl token create FILE"
