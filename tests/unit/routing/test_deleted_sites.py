"""The last LSA of a deleted site: no site misses it later, and it is reachable until it goes."""

import pytest

from router.model.limits import LSA_MAX_AGE_S, OWNER_WITHDRAWN_S
from tests.unit.routing.fakes import advert, declare
from tests.unit.routing.network import Network

pytestmark = pytest.mark.usefixtures("both_orders")


def joined() -> Network:
    """``x`` is joined to ``c`` alone; it declares ``shop``, as ``a`` does, and ``own``."""
    network = Network("abcx")
    for one, other in ("ab", "bc", "cx"):
        network.connect(one, other)
    network.serve("x", [declare("shop"), declare("own")], [advert("shop")])
    network.run(2.0)
    network.serve("a", [declare("shop")])
    network.run(2.0)
    return network


def drain(network: Network, *, deleted: bool) -> None:
    core = network.cores["x"]
    network.take("x", core.set_draining(True, network.now, deleted=deleted))
    network.run(0.5)


@pytest.mark.parametrize("name", "abc")
def test_it_is_no_site_any_more_once_it_is_gone(name: str) -> None:
    network = joined()
    gone = network.identities["x"].site
    drain(network, deleted=True)
    before = network.table(name)
    assert before.sites[gone].reachable
    assert before.sites[gone].draining
    assert not before.deleted
    network.cut("c", "x")
    network.run(0.5)
    table = network.table(name)
    assert gone not in table.sites
    assert gone not in table.routers.values()
    assert table.deleted == {gone}
    assert not table.candidates
    assert {key: told.site for key, told in table.declarations.items()} == {
        "shop": network.identities["a"].site
    }
    network.run(2 * LSA_MAX_AGE_S)
    assert not network.table(name).deleted  # By then it is forgotten.
    assert gone not in network.table(name).sites


@pytest.mark.parametrize("name", "abc")
def test_one_that_drains_or_is_lost_is_missed(name: str) -> None:
    network = joined()
    gone = network.identities["x"].site
    drain(network, deleted=False)
    network.cut("c", "x")
    network.run(0.5)
    table = network.table(name)
    assert not table.deleted
    assert not table.sites[gone].reachable
    assert "own" in table.declarations


def test_its_names_are_free_a_moment_later() -> None:
    network = joined()
    drain(network, deleted=True)
    network.cut("c", "x")
    network.run(OWNER_WITHDRAWN_S + 1.0)
    owners = network.table("b").owners
    assert owners["shop"].sites == (network.identities["a"].site,)
    assert "own" not in owners


def test_what_it_says_holds_for_who_hears_of_it_after_it_went() -> None:
    network = joined()
    network.cut("a", "b")
    network.run(0.5)
    drain(network, deleted=True)
    network.cut("c", "x")
    gone = network.identities["x"].site
    assert not network.table("a").deleted
    assert not network.table("a").sites[gone].reachable
    network.connect("a", "b")
    network.run(1.0)
    assert network.table("a").deleted == {gone}
    assert gone not in network.table("a").sites


def test_one_that_comes_back_from_a_backup_counts_again() -> None:
    network = joined()
    drain(network, deleted=True)
    network.cut("c", "x")
    network.run(1.0)
    network.links[frozenset("cx")] = 1
    network.restart("x", 2)
    network.serve("x", [declare("own")], [])
    network.run(1.0)
    table = network.table("a")
    assert not table.deleted
    assert table.sites[network.identities["x"].site].reachable
    assert "own" in table.declarations
    network.cut("c", "x")
    network.run(0.5)
    assert not network.table("a").deleted
    assert not network.table("a").sites[network.identities["x"].site].reachable
