"""The way to a site out of reach: the fewest breaks, then the cheapest; the fault at each step."""

from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from router.model.ids import RouterId, SiteId
from router.routing.adverts.lsa import Node
from router.routing.broken_path import broken_path
from router.routing.spf import Graph, Vertex, shortest_paths
from tests.examples import examples, histories


def node(name: str) -> Node:
    return Node(RouterId(name), SiteId(f"site {name}"))


def graph(*told: tuple[str, str, int], closed: str = "") -> Graph:
    """The graph of reports (router, neighbor, cost). ``closed``: routers that are not crossed."""
    names = {name for here, there, _ in told for name in (here, there)}
    return Graph(
        {
            node(name): Vertex(
                name not in closed,
                {node(there): cost for here, there, cost in told if here == name},
            )
            for name in names
        }
    )


def steps(of: Graph, there: str) -> list[tuple[str, str, int, str]]:
    return [
        (step.here.router, step.there.router, step.cost, step.fault)
        for step in broken_path(of, node("a"), SiteId(f"site {there}"))
    ]


def test_a_link_that_one_end_alone_reports_is_broken_there() -> None:
    of = graph(("a", "b", 1), ("b", "a", 1), ("c", "b", 2))
    assert steps(of, "c") == [("a", "b", 1, ""), ("b", "c", 2, "here-silent")]
    of = graph(("a", "b", 1), ("b", "a", 1), ("b", "c", 2))
    assert steps(of, "c") == [("a", "b", 1, ""), ("b", "c", 2, "there-silent")]


def test_a_way_with_fewer_breaks_is_shown_rather_than_a_cheaper_one() -> None:
    of = graph(
        *(("a", "b", 1), ("b", "c", 1)),  # Two breaks.
        *(("a", "d", 90), ("d", "a", 90), ("d", "c", 90)),  # One.
    )
    assert [step[1] for step in steps(of, "c")] == ["d", "c"]


def test_a_router_that_is_not_crossed_is_named() -> None:
    of = graph(("a", "b", 1), ("b", "a", 1), ("b", "c", 2), ("c", "b", 2), closed="b")
    assert steps(of, "c") == [("a", "b", 1, ""), ("b", "c", 2, "no-transit")]


def test_a_link_on_terms_is_named() -> None:
    of = graph(("a", "b", 1), ("b", "a", 1), ("b", "c", 2), ("c", "b", 2))
    limited = of.with_terms(frozenset({(node("c"), node("b"))}))
    assert steps(limited, "c") == [("a", "b", 1, ""), ("b", "c", 2, "on-terms")]


def test_of_a_site_that_nothing_links_to_no_way_is_known() -> None:
    assert steps(graph(("a", "b", 1), ("b", "a", 1), ("d", "e", 1)), "e") == []


NAMES = "abcdef"
ENDS = [(here, there) for here in NAMES for there in NAMES if here != there]
TOLD = st.permutations(ENDS).flatmap(
    lambda ends: histories(st.integers(1, 9), 20).map(
        lambda costs: [(*pair, cost) for pair, cost in zip(ends, costs, strict=False)]
    )
)
"""Up to 20 of all reports that there can be, with their costs."""


@settings(max_examples=examples(100))
@given(TOLD, st.sampled_from(NAMES[1:]), st.text(NAMES[1:], max_size=2))
def test_no_way_has_fewer_breaks_and_of_these_none_costs_less(
    told: list[tuple[str, str, int]], there: str, closed: str
) -> None:
    costs = {(here, to): cost for here, to, cost in told}

    def ways(here: str, before: str, breaks: int, cost: int) -> Iterator[tuple[int, int]]:
        if here == there:
            yield breaks, cost
            return
        for to in set(NAMES) - {*before, here}:
            ends = [costs[end] for end in ((here, to), (to, here)) if end in costs]
            if ends:
                is_broken = len(ends) == 1 or (here != "a" and here in closed)
                yield from ways(to, before + here, breaks + is_broken, cost + max(ends))

    found = steps(graph(("a", "a", 1), *told, closed=closed), there)
    least = min(ways("a", "", 0, 0), default=(0, 0))
    assert least == (sum(bool(step[3]) for step in found), sum(step[2] for step in found))


@given(TOLD, st.sampled_from(NAMES[1:]))
def test_it_breaks_exactly_where_no_path_leads_and_its_steps_join(
    told: list[tuple[str, str, int]], there: str
) -> None:
    of = graph(("a", "a", 1), *told)
    found = steps(of, there)
    routes = shortest_paths(of, node("a"))
    reached = node(there) in routes
    assert reached == (bool(found) and not any(step[3] for step in found))
    assert all(one[1] == other[0] for one, other in pairwise(found))
    if found:
        assert (found[0][0], found[-1][1]) == ("a", there)
    if reached:
        assert sum(step[2] for step in found) == routes[node(there)].cost
