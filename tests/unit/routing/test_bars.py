"""A site that was put out counts nowhere at once; one that is merely lost, as ever."""

import msgspec
import pytest

from router.model.ids import SiteId
from router.model.limits import (
    ADJACENCIES_MAX,
    BAR_S,
    BARS_MAX,
    COST_MAX,
    LSA_MAX_AGE_S,
    LSA_PART_BYTES_MAX,
    LSA_TERMS_BYTES_MAX,
    SERVICE_SYNC_TTL_S,
)
from router.routing.adverts.lsa import Adjacency, Bar, Topology, encode_lsa
from router.routing.bars import BarRow, bars_of, is_put_out, rows_of
from router.routing.events import TableChanged
from tests.unit.routing.fakes import FakeIdentity, SameSiteIdentity, advert, declare, make_lsa
from tests.unit.routing.network import Network

pytestmark = pytest.mark.usefixtures("both_orders")

UNTIL = 1_800_000_000
A, B, C, X = (SiteId(name) for name in "abcx")


def bar(network: Network, by: str, *whom: str) -> None:
    bars = tuple(Bar(network.identities[name].site, UNTIL) for name in whom)
    network.take(by, network.cores[by].set_bars(bars, frozenset(), network.now))


def joined(*links: str) -> Network:
    """Sites of one letter; ``x`` declares ``shop`` and has targets of it."""
    network = Network(sorted({name for link in links for name in link}))
    for link in links:
        network.connect(link[0], link[1])
    network.serve("x", [declare("shop")], [advert("shop")])
    network.run(5.0)
    return network


def counts(network: Network, name: str) -> bool:
    """Whether what ``x`` declares and has counts at ``name``: both or neither."""
    table = network.table(name)
    assert ("shop" in table.declarations) == bool(table.candidates)
    return "shop" in table.declarations


def test_a_site_knows_who_bars_it_while_another_way_leads_there() -> None:
    network = joined("ab", "bx", "ax")
    bar(network, "b", "x")
    network.cut("b", "x")
    network.run(0.2)
    assert network.table("x").barring == {network.identities["b"].site}
    assert not network.table("a").barring and not network.table("b").barring


def test_behind_the_site_that_bars_it_a_site_loses_all_at_once() -> None:
    network = joined("ab", "bc", "bx")
    assert all(counts(network, name) for name in "abc")
    bar(network, "b", "x")
    network.cut("b", "x")
    network.run(0.2)
    assert not any(counts(network, name) for name in "abc")
    row = BarRow(network.identities["x"].site, network.identities["b"].site, UNTIL)
    assert all(network.table(name).bars == (row,) for name in "abc")
    assert all(network.table(name).void == (declare("shop"),) for name in "abc")
    declarer = {"shop": (network.identities["x"].site,)}
    assert all(network.table(name).barred == declarer for name in "abc")
    network.run(SERVICE_SYNC_TTL_S + 1.0)
    assert all(network.table(name).barred == declarer for name in "abc"), "as long as it is known"


def test_a_bar_alone_ends_the_way_before_the_link_does() -> None:
    network = joined("ab", "bx")
    bar(network, "b", "x")
    network.run(0.2)
    assert not counts(network, "a") and not counts(network, "b")


def test_a_site_that_is_lost_is_kept_and_put_out_when_the_bar_follows() -> None:
    network = joined("ab", "bx")
    network.cut("b", "x")
    network.run(20.0)
    assert "shop" in network.table("a").declarations
    bar(network, "b", "x")
    network.run(0.2)
    assert "shop" not in network.table("a").declarations
    assert "shop" not in network.table("b").declarations


def test_where_another_way_leads_to_it_a_barred_site_counts() -> None:
    network = joined("ab", "bc", "ca", "bx", "cx")
    bar(network, "b", "x")
    network.cut("b", "x")
    network.run(0.2)
    assert all(counts(network, name) for name in "abc")
    assert not any(network.table(name).barred for name in "abc")


def test_what_a_site_refuses_counts_for_nothing_there_by_whatever_way() -> None:
    network = joined("ab", "bc", "ca", "cx")
    site = network.identities["x"].site
    core = network.cores["b"]
    network.take("b", core.set_bars((), frozenset({site}), network.now))
    assert not counts(network, "b")
    assert network.table("b").sites[site].reachable
    assert network.table("b").put_out == {site}
    assert network.table("b").barred == {"shop": (site,)}
    network.run(1.0)
    assert counts(network, "a") and counts(network, "c")
    network.take("b", core.set_bars((), frozenset(), network.now))
    assert counts(network, "b")


def test_a_site_whose_other_way_broke_is_lost_and_not_put_out() -> None:
    network = joined("ab", "bx", "ac", "cx")
    bar(network, "b", "x")
    network.cut("b", "x")
    network.run(5.0)
    network.cut("c", "x")
    network.run(0.2)
    assert "shop" in network.table("a").declarations
    network.run(200.0)
    assert "shop" not in network.table("a").declarations


def test_one_way_by_a_site_that_went_too_does_not_hold_a_barred_one() -> None:
    """``y`` is behind ``x``: no word of it can be had without."""
    network = joined("ab", "bx", "xy")
    bar(network, "b", "x")
    network.cut("b", "x")
    network.run(0.2)
    assert not counts(network, "a")


def test_a_site_that_names_a_neighbour_which_does_not_know_it_is_put_out_all_the_same() -> None:
    network = joined("ab", "bx")
    network.links[frozenset("ax")] = 1
    network.lose("a", "x")
    network.up("x", "a")  # ``x`` alone says so.
    network.run(1.0)
    bar(network, "b", "x")
    network.run(0.2)
    assert not counts(network, "a")


def test_a_site_that_is_let_in_again_counts_again() -> None:
    network = joined("ab", "bx")
    bar(network, "b", "x")
    network.cut("b", "x")
    network.run(60.0)
    bar(network, "b")
    network.connect("b", "x")
    network.run(5.0)
    assert all(counts(network, name) for name in "ab")
    assert network.table("a").bars == ()


def test_bars_are_told_again_after_a_restart_in_the_first_word() -> None:
    network = joined("ab", "bx")
    bar(network, "b", "x")
    network.cut("b", "x")
    network.run(5.0)
    network.cut("a", "b")
    network.cores["b"] = network.make_core("b", 2)
    bar(network, "b", "x")
    network.connect("a", "b")
    network.run(1.0)
    assert not counts(network, "a")
    assert network.table("a").bars


def test_a_router_that_starts_while_the_site_is_out_learns_what_is_void() -> None:
    network = joined("ab", "bx")
    bar(network, "b", "x")
    network.cut("b", "x")
    network.run(1.0)
    network.restart("a", 2)
    network.run(1.0)
    assert network.table("a").void == (declare("shop"),)
    assert not counts(network, "a")


def test_an_unchanged_list_says_nothing() -> None:
    network = joined("ab", "bx")
    bar(network, "b", "x")
    core = network.cores["b"]
    before = core.lsas_originated
    bar(network, "b", "x")
    assert core.lsas_originated == before
    changed = core.set_bars((), frozenset(), network.now)
    assert any(isinstance(event, TableChanged) for event in changed)


def test_nobody_bars_itself_and_rows_are_in_one_order() -> None:
    told = [(A, (Bar(A, 1), Bar(X, 2))), (B, (Bar(X, 3),)), (A, (Bar(X, 5),))]
    assert rows_of(bars_of(told)) == (BarRow(X, A, 5), BarRow(X, B, 3))


def test_who_is_put_out() -> None:
    bars = bars_of([(A, (Bar(X, 1),))])
    assert is_put_out(X, {A}, bars, {A})
    assert is_put_out(X, {A}, bars, ())
    assert is_put_out(X, {A, B}, bars, {A})
    assert not is_put_out(X, {A, B}, bars, {A, B})
    assert not is_put_out(X, {B}, bars, {A})
    assert not is_put_out(X, (), bars, ())
    assert not is_put_out(B, {A}, bars, ())


def test_part_0_at_all_its_limits_fits() -> None:
    who = FakeIdentity("west")
    neighbours = tuple(
        Adjacency(SameSiteIdentity(who, f"{n:016x}").router, SiteId(f"{n:032x}"), COST_MAX)
        for n in range(ADJACENCIES_MAX)
    )
    lsa = make_lsa(who)
    whole = Topology(
        adjacencies=neighbours,
        draining=False,
        stub=False,
        name="n" * 63,
        version="1" * 63,
        parts=(),
        bars=tuple(Bar(SiteId(f"{n:032x}"), 2**33) for n in range(BARS_MAX)),
    )
    size = len(encode_lsa(msgspec.structs.replace(lsa, body=whole), who))
    assert size + LSA_TERMS_BYTES_MAX < LSA_PART_BYTES_MAX
    assert BAR_S > 10 * LSA_MAX_AGE_S
