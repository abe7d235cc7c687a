"""Laws of shortest paths: the same as trying every path, whatever the order of the input."""

from itertools import permutations
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from router.model.ids import RouterId, SiteId
from router.model.limits import EQUAL_PATHS_MAX
from router.model.paths import Path
from router.routing.adverts.lsa import Node
from router.routing.spf import Graph, Route, Vertex, shortest_paths
from tests.examples import examples

Reports = dict[Node, dict[Node, int]]
NODES = [Node(RouterId(name), SiteId("pair" if name in "gh" else name)) for name in "abcdefghi"]


@st.composite
def networks(draw: st.DrawFn, size_max: int = 7) -> tuple[Reports, frozenset[Node]]:
    """The reports of each router, and the routers that may not be crossed."""
    size = draw(st.integers(2, size_max))
    # From the end, so that the two routers of one site are often among them.
    nodes = draw(st.sampled_from([NODES[:size], NODES[-size:]]))
    reports: Reports = {node: {} for node in nodes}
    for here in nodes:
        for there in nodes:
            if here != there and draw(st.integers(0, 9)) < 7:
                least = 0 if here.site == there.site else 1
                reports[here][there] = draw(st.integers(least, 3))
    closed = draw(st.frozensets(st.sampled_from(nodes), max_size=2))
    return reports, closed


def graph_of(reports: Reports, closed: frozenset[Node]) -> Graph:
    return Graph({node: Vertex(node not in closed, told) for node, told in reports.items()})


def by_trying_everything(
    reports: Reports, closed: frozenset[Node], root: Node
) -> dict[Node, tuple[int, list[Path]]]:
    """Cost and all cheapest simple paths, from every ordering of every set of routers."""
    found: dict[Node, list[tuple[int, int, Path]]] = {root: [(0, 0, ())]}
    others = [node for node in reports if node != root]
    for length in range(1, len(others) + 1):
        for walk in permutations(others, length):
            cost, free_hops, here = 0, 0, root
            for there in walk:
                if there not in reports[here] or here not in reports[there]:
                    break
                if here != root and here in closed:
                    break
                hop_cost = max(reports[here][there], reports[there][here])
                cost, free_hops, here = cost + hop_cost, free_hops + (hop_cost == 0), there
            else:
                path = tuple(node.router for node in walk)
                found.setdefault(here, []).append((cost, free_hops, path))
    best: dict[Node, tuple[int, list[Path]]] = {}
    for node, ways in found.items():
        least = min(way[:2] for way in ways)
        best[node] = (least[0], sorted(path for *way, path in ways if tuple(way) == least))
    return best


def balanced(paths: list[Path]) -> list[Path]:
    """As many as are kept, one of each next hop after the other."""
    left = sorted(paths)
    taken: list[Path] = []
    while left and len(taken) < EQUAL_PATHS_MAX:
        for hop in sorted({path[:1] for path in left}):
            if len(taken) < EQUAL_PATHS_MAX:
                taken.append(next(path for path in left if path[:1] == hop))
                left.remove(taken[-1])
    return sorted(taken)


def agree(routes: dict[Node, Route], oracle: dict[Node, tuple[int, list[Path]]]) -> None:
    assert routes.keys() == oracle.keys()
    for node, (cost, paths) in oracle.items():
        route = routes[node]
        assert route.cost == cost
        assert list(route.paths) == balanced(paths)
        assert route.next_hops == {path[0] for path in paths if path}


@settings(max_examples=examples(60))
@given(world=networks())
def test_costs_and_paths_are_those_of_trying_every_path(
    world: tuple[Reports, frozenset[Node]],
) -> None:
    reports, closed = world
    root = next(iter(reports))
    agree(shortest_paths(graph_of(reports, closed), root), by_trying_everything(*world, root))


def test_nine_routers_all_joined_agree_with_trying_every_path() -> None:
    reports = {
        here: {there: 1 + (i + j) % 3 for j, there in enumerate(NODES) if there != here}
        for i, here in enumerate(NODES)
    }
    root = NODES[0]
    routes = shortest_paths(graph_of(reports, frozenset()), root)
    agree(routes, by_trying_everything(reports, frozenset(), root))


@given(world=networks(size_max=9), shuffle=st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(
    world: tuple[Reports, frozenset[Node]], shuffle: Random
) -> None:
    reports, closed = world
    root = next(iter(reports))
    shuffled: Reports = {}
    for node in shuffle.sample(list(reports), len(reports)):
        told = list(reports[node].items())
        shuffle.shuffle(told)
        shuffled[node] = dict(told)
    expected = shortest_paths(graph_of(reports, closed), root)
    assert shortest_paths(graph_of(shuffled, closed), root) == expected


@given(world=networks(size_max=9))
def test_two_routers_agree_on_the_cost_between_them(
    world: tuple[Reports, frozenset[Node]],
) -> None:
    reports, closed = world
    graph = graph_of(reports, closed)
    here, *_, there = reports
    forth = shortest_paths(graph, here).get(there)
    back = shortest_paths(graph, there).get(here)
    assert (forth and forth.cost) == (back and back.cost)
