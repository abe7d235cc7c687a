"""Rules and terms in whole networks: everybody finds the same, in whatever order they heard."""

from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from router.model.rights.sharing import FREE, Sharing, SharingRules, Terms
from router.routing.table import RouteTable
from tests.examples import examples
from tests.unit.routing.fakes import advert, declare
from tests.unit.routing.network import Network

# leaf joins a on terms; phantom is behind leaf, twice is in by a on terms and by c on none.
NAMES = ("a", "b", "c", "leaf", "phantom", "twice")
SERVICES = ("shop", "shop-b", "bank")
RULES = st.none() | st.lists(
    st.sampled_from(["a", "b", "[c]", "*", "tw*", "leaf"]), max_size=3
).map(tuple)
PATTERNS = st.none() | st.lists(st.sampled_from(["shop", "shop*", "bank"]), max_size=2).map(tuple)
TERMS = st.builds(Terms, PATTERNS, PATTERNS, PATTERNS).filter(lambda terms: terms != FREE)
OFFERS = st.dictionaries(st.tuples(st.sampled_from(NAMES), st.sampled_from(SERVICES)), RULES)
IMPORTS = st.dictionaries(st.sampled_from(NAMES), RULES)


def steps(offers: dict[tuple[str, str], Any], imports: dict[str, Any], terms: Terms) -> list[Any]:
    """What makes the network, in one order of many."""
    links = [
        ("a", "b", FREE),
        ("b", "c", FREE),
        ("a", "leaf", terms),
        ("leaf", "phantom", FREE),
        ("a", "twice", terms),
        ("c", "twice", FREE),
    ]
    served = [(name, {s: rule for (n, s), rule in offers.items() if n == name}) for name in NAMES]
    return [*links, *served, *imports.items()]


def built(order: Sequence[Any], *, seed: int = 0, trouble: float = 0.0) -> Network:
    network = Network(NAMES, seed=seed, trouble=trouble)
    for step in order:
        match step:
            case (one, other, Terms() as terms):
                network.connect(one, other, 1, terms)
            case (name, dict() as offered):
                network.serve(
                    name,
                    [
                        msgspec.structs.replace(declare(service), export_to=rule)
                        for service, rule in offered.items()
                    ],
                    [
                        msgspec.structs.replace(advert(service), export_to=rule)
                        for service, rule in offered.items()
                    ],
                )
            case (name, rule):
                rules = SharingRules({"*": Sharing(import_from=rule)})
                core = network.cores[name]
                network.take(name, core.set_rules(rules, network.now))
    network.run(60.0)
    return network


def seen(table: RouteTable) -> tuple[Any, ...]:
    """All of a table but its generation."""
    return msgspec.structs.astuple(msgspec.structs.replace(table, generation=0))


def used(table: RouteTable) -> set[tuple[str, str, str]]:
    """Which sites' targets and declarations count."""
    found = {
        ("targets", key.name, one.site_name)
        for key, candidates in table.candidates.items()
        for one in candidates
        if not one.barred
    }
    return found | {("declared", name, "") for name in table.declarations}


@settings(max_examples=examples(40))
@given(
    offers=OFFERS, imports=IMPORTS, terms=TERMS, data=st.data(), trouble=st.sampled_from([0.0, 0.2])
)
def test_no_order_of_hearing_changes_what_is_found(
    offers: Any, imports: Any, terms: Terms, data: st.DataObject, trouble: float
) -> None:
    order = steps(offers, imports, terms)
    other = data.draw(st.permutations(order))
    one, two = built(order), built(other, seed=7, trouble=trouble)
    for name in NAMES:
        ours, theirs = one.table(name), two.table(name)
        assert used(ours) == used(theirs), name
        if not trouble:
            assert seen(ours)[2:6] == seen(theirs)[2:6], name


@settings(max_examples=examples(40))
@given(offers=OFFERS, imports=IMPORTS, terms=TERMS, data=st.data())
def test_a_tighter_rule_never_shows_more_targets(
    offers: Any, imports: Any, terms: Terms, data: st.DataObject
) -> None:
    before = built(steps(offers, imports, terms))
    tighter = dict(offers)
    if offers:
        which = data.draw(st.sampled_from(sorted(offers)))
        rule = offers[which]
        tighter[which] = ("b",) if rule is None else rule[1:]
    after = built(steps(tighter, imports, terms))
    for name in NAMES:
        assert used(after.table(name)) <= used(before.table(name)), name


@settings(max_examples=examples(40))
@given(offers=OFFERS, terms=TERMS)
def test_nothing_is_believed_of_who_is_behind_a_leaf_and_nothing_crosses_it(
    offers: Any, terms: Terms
) -> None:
    network = built(steps(offers, {}, terms))
    for name in ("a", "b", "c"):
        table = network.table(name)
        phantom = network.identities["phantom"].site
        assert phantom not in table.sites
        for candidates in table.candidates.values():
            for one in candidates:
                for path in one.paths:
                    assert network.identities["leaf"].router not in path[:-1]
                    assert network.identities["twice"].router not in path[:-1]
        for (site, service), rule in offers.items():
            if site == "leaf" and name == "b" and rule is None:
                allowed = terms.export is None or any(
                    service == p or (p == "shop*" and service.startswith("shop"))
                    for p in terms.export
                )
                assert (("targets", service, "leaf") in used(table)) == allowed
            if site == "twice" and rule is None:  # In by c on none.
                assert ("targets", service, "twice") in used(table)


@settings(max_examples=examples(20))
@given(terms=TERMS, claimed=TERMS)
def test_a_leaf_cannot_make_a_leaf_of_who_let_it_in(terms: Terms, claimed: Terms) -> None:
    network = Network(NAMES)
    for one, other in (("a", "b"), ("a", "c")):
        network.connect(one, other)
    network.connect("a", "leaf", 1, terms)
    network.serve("c", [declare("shop")], [advert("shop")])
    network.run(5.0)
    router = network.identities["a"].router
    network.take("leaf", network.cores["leaf"].set_terms(router, claimed, network.now))
    network.run(5.0)
    assert network.cost("b", "c") == 2
    assert ("targets", "shop", "c") in used(network.table("b"))
    assert not network.table("a").is_leaf


def test_a_site_with_two_ways_in_is_crossed_by_the_free_ones_alone() -> None:
    network = Network(("a", "b", "c", "twice"))
    network.connect("a", "twice", 1, Terms(declare=()))
    network.connect("b", "twice", 1)
    network.connect("c", "twice", 1)
    network.run(5.0)
    assert network.cost("b", "c") == 2
    assert network.cost("a", "twice") == 1
    assert network.cost("b", "a") is None
    assert network.cost("twice", "a") == 1
    network.connect("a", "b", 10)
    network.run(5.0)
    assert network.cost("a", "c") == 12
    assert network.cost("c", "a") == 12
    assert network.cost("a", "twice") == 1
