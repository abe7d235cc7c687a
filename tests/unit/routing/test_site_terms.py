"""What sites may do that were let in on terms, by what those say that let them in."""

import pytest

from router.model.ids import RouterId, SiteId
from router.model.rights.sharing import FREE, NOTHING, Terms
from router.routing.adverts.lsa import Adjacency, Node
from router.routing.site_terms import NO_SITE_HAS_TERMS, SiteTerms, Statement, site_terms_of
from router.routing.spf import Graph, Vertex

SHOP, DB = Terms(import_=("shop",)), Terms(import_=("db",))
BOTH = Terms(import_=("db", "shop"))
Link = tuple[str, str, Terms]
"""The first lets the second in on these terms, and the second the first on none."""


def node(name: str) -> Node:
    return Node(RouterId(name), SiteId(name))


def standing(
    own: str,
    *links: Link,
    one_way: str = "",
    before: SiteTerms = NO_SITE_HAS_TERMS,
    known: str = "",
) -> SiteTerms:
    """Of a network of one router a site. Who is ``one_way`` says nothing of its links."""
    told: dict[str, dict[str, Terms]] = {}
    for host, guest, terms in links:
        told.setdefault(host, {})[guest] = terms
        told.setdefault(guest, {}).setdefault(host, FREE)
    for name in one_way:
        told[name] = {}
    statements: list[Statement] = []
    for name, said in told.items():
        stated = tuple(terms for terms in said.values() if terms != FREE)
        adjacencies = tuple(
            Adjacency(
                RouterId(other),
                SiteId(other),
                1,
                terms=0 if terms == FREE else stated.index(terms) + 1,
            )
            for other, terms in said.items()
        )
        statements.append(Statement(node(name), adjacencies, stated))
    graph = Graph(
        {
            node(name): Vertex(True, {node(other): 1 for other in said})
            for name, said in told.items()
        }
    )
    return site_terms_of(statements, graph, SiteId(own), before, lambda site: site in known)


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ([("a", "b", FREE)], {}),
        ([("a", "b", SHOP)], {"b": SHOP}),
        ([("a", "b", NOTHING)], {"b": NOTHING}),
        # Who is behind it may do no more than it, however far behind.
        ([("a", "b", SHOP), ("b", "c", FREE)], {"b": SHOP, "c": SHOP}),
        (
            [("a", "b", SHOP), ("b", "c", FREE), ("c", "d", DB)],
            {"b": SHOP, "c": SHOP, "d": SHOP},
        ),
        # Several ways in: all that any of them allows.
        ([("a", "b", SHOP), ("x", "b", DB), ("a", "x", FREE)], {"b": BOTH}),
        ([("a", "b", SHOP), ("x", "b", FREE), ("a", "x", FREE)], {}),
    ],
)
def test_a_site_may_do_what_those_allow_that_let_it_in_and_are_free_themselves(
    links: list[Link], expected: dict[str, Terms]
) -> None:
    found = standing("a", *links)
    assert found.terms == expected
    hops = {(node(host), node(guest)) for host, guest, terms in links if terms != FREE}
    assert found.on_terms == hops
    if not any(host == "b" for host, _, _ in links):
        assert standing("b", *links).of(SiteId("b")) == found.of(SiteId("b")), "as it sees itself"


def test_who_is_in_on_terms_lets_in_nobody_on_more() -> None:
    found = standing("a", ("a", "b", SHOP), ("b", "c", FREE), ("x", "c", DB), ("b", "x", FREE))
    assert found.terms == {"b": SHOP, "c": SHOP, "x": SHOP}


def test_an_adjacency_that_one_end_alone_reports_says_nothing() -> None:
    found = standing("a", ("a", "b", SHOP), ("a", "c", DB), one_way="b")
    assert found.terms == {"c": DB}
    assert found.on_terms == {(node("a"), node("c"))}


def test_a_site_that_is_gone_has_its_terms_for_as_long_as_it_is_known() -> None:
    before = SiteTerms({SiteId("b"): SHOP, SiteId("c"): DB})
    links: Link = ("a", "x", FREE)
    assert standing("a", links, before=before, known="b").terms == {"b": SHOP}
    freed = standing("a", links, ("a", "b", FREE), before=before, known="bc")
    assert freed.terms == {"c": DB}
    changed = standing("a", ("a", "b", DB), before=before, known="b")
    assert changed.terms == {"b": DB}
    assert standing("a", links).of(SiteId("b")) == FREE
