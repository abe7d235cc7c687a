"""Shortest paths on small graphs whose answer can be seen."""

from itertools import pairwise

import pytest

from router.model.ids import RouterId, SiteId
from router.model.limits import COST_MAX, EQUAL_PATHS_MAX, PATH_ROUTERS_MAX
from router.routing.adverts.lsa import Adjacency, Node, Topology
from router.routing.spf import Graph, Route, Vertex, clamp_cost, shortest_paths, vertex

pytestmark = pytest.mark.usefixtures("both_orders")


def node(router: str, site: str = "") -> Node:
    return Node(RouterId(router), SiteId(site or f"site-{router}"))


def graph(*edges: tuple[str, str, int], closed: str = "", site_of: str = "") -> Graph:
    """Edges reported by both ends. ``closed`` are not crossable; ``site_of`` share one site."""
    made: dict[Node, dict[Node, int]] = {}
    for one, other, cost in edges:
        ends = [node(name, "shared" if name in site_of else "") for name in (one, other)]
        made.setdefault(ends[0], {})[ends[1]] = cost
        made.setdefault(ends[1], {})[ends[0]] = cost
    return Graph({here: Vertex(here.router not in closed, made[here]) for here in made})


def paths(route: Route) -> list[str]:
    return ["".join(path) for path in route.paths]


def test_the_cheapest_path_wins_though_it_has_more_hops() -> None:
    routes = shortest_paths(graph(("a", "b", 1), ("b", "c", 1), ("a", "c", 3)), node("a"))
    assert (routes[node("c")].cost, paths(routes[node("c")])) == (2, ["bc"])


def test_equal_costs_keep_all_paths_and_all_next_hops_in_order_of_ids() -> None:
    square = graph(("a", "c", 1), ("a", "b", 1), ("b", "d", 2), ("c", "d", 2), ("a", "d", 3))
    route = shortest_paths(square, node("a"))[node("d")]
    assert (route.cost, paths(route)) == (3, ["bd", "cd", "d"])
    assert route.next_hops == {"b", "c", "d"}


def test_an_adjacency_that_one_end_alone_reports_does_not_count() -> None:
    a, b = node("a"), node("b")
    one_sided = Graph({a: Vertex(True, {b: 1}), b: Vertex(True, {})})
    assert b not in shortest_paths(one_sided, a)
    assert b not in shortest_paths(Graph({a: Vertex(True, {b: 1})}), a)


def test_a_router_id_under_another_site_is_another_vertex() -> None:
    a, b, false_b = node("a"), node("b"), node("b", "site-mallory")
    world = {a: Vertex(True, {b: 1}), false_b: Vertex(True, {a: 1}), b: Vertex(True, {})}
    assert shortest_paths(Graph(world), a).keys() == {a}


def test_ends_that_tell_different_costs_are_taken_at_the_larger() -> None:
    a, b = node("a"), node("b")
    differing = Graph({a: Vertex(True, {b: 1}), b: Vertex(True, {a: 7})})
    assert shortest_paths(differing, a)[b].cost == 7


def test_a_router_that_is_not_crossable_is_reached_but_never_crossed() -> None:
    line = graph(("a", "s", 1), ("s", "b", 1), ("a", "b", 9), closed="s")
    routes = shortest_paths(line, node("a"))
    assert routes[node("s")].cost == 1
    assert paths(routes[node("b")]) == ["b"]


def test_a_root_that_is_not_crossable_still_reaches_others() -> None:
    line = graph(("s", "a", 1), ("a", "b", 1), closed="s")
    assert shortest_paths(line, node("s"))[node("b")].cost == 2


def test_stub_and_draining_make_a_router_not_crossable() -> None:
    def make(*, draining: bool, stub: bool) -> Vertex:
        told = Topology(
            adjacencies=(), draining=draining, stub=stub, name="n", version="", parts=()
        )
        return vertex(node("a"), told)

    assert make(draining=False, stub=False).is_crossable
    assert not make(draining=True, stub=False).is_crossable
    assert not make(draining=False, stub=True).is_crossable


def test_told_costs_are_clamped_and_self_links_and_doubles_do_no_harm() -> None:
    b, c, twin = node("b"), node("c"), node("t", "site-a")
    told = Topology(
        adjacencies=(
            Adjacency(b.router, b.site, 0),
            Adjacency(c.router, c.site, 10**9),
            Adjacency(c.router, c.site, 2),
            Adjacency(twin.router, twin.site, -4),
            Adjacency(RouterId("a"), SiteId("site-a"), 1),
        ),
        draining=False,
        stub=False,
        name="a",
        version="",
        parts=(),
    )
    assert vertex(node("a"), told).reported == {b: 1, c: COST_MAX, twin: 0}
    assert clamp_cost(0, same_site=False) == 1


def test_routers_of_one_site_join_at_no_cost_without_paths_in_a_ring() -> None:
    ring = graph(("a", "x", 1), ("a", "y", 1), ("x", "y", 0), ("y", "z", 0), site_of="xyz")
    routes = shortest_paths(ring, node("a"))
    assert paths(routes[node("x", "shared")]) == ["x"]
    assert paths(routes[node("z", "shared")]) == ["yz"]


def test_ties_are_kept_up_to_a_limit_and_the_first_ids_win() -> None:
    middle = [f"m{number:02}" for number in range(EQUAL_PATHS_MAX + 3)]
    edges = [("a", name, 1) for name in middle] + [(name, "z", 1) for name in middle]
    route = shortest_paths(graph(*reversed(edges)), node("a"))[node("z")]
    assert [path[0] for path in route.paths] == middle[:EQUAL_PATHS_MAX]
    assert route.next_hops == set(middle)


def test_a_path_longer_than_a_stream_may_take_is_none() -> None:
    names = [f"{number:03}" for number in range(PATH_ROUTERS_MAX + 2)]
    line = graph(*((one, other, 1) for one, other in pairwise(names)))
    routes = shortest_paths(line, node(names[0]))
    assert len(routes[node(names[-2])].paths[0]) == PATH_ROUTERS_MAX
    assert routes[node(names[-1])].paths == ()


def test_an_adjacency_is_two_way_where_both_ends_report_it_and_nowhere_else() -> None:
    a, b, c, d = map(node, "abcd")
    world = Graph(
        {a: Vertex(True, {b: 1, c: 1, d: 1}), b: Vertex(True, {a: 9}), c: Vertex(True, {})}
    )
    nodes = (a, b, c, d)
    pairs = {(here, there) for here in nodes for there in nodes if world.is_two_way(here, there)}
    assert pairs == {(a, b), (b, a)}
    assert {(here, there) for here in nodes for there, _ in world.two_way(here)} == pairs
