"""The graphs of several sites as one, on to their targets."""

from typing import Any
from xml.etree import ElementTree

from sitectl.show import graph as shown
from sitectl.show import network_graph
from sitectl.show.network_graph import SiteGraph, joined
from tests.unit.sitectl.show.test_graph import HOSTILE, edge, graph, target

EAST = {"name": "east", "id": "b"}


def network() -> dict[str, Any]:
    """A caller at west whose requests east serves, one at each with the same name, and a site
    that does not answer."""
    west = graph(
        edge(site={"name": "east-as-west-calls-it", "id": "b"}, crosses=True, requests_total=7),
        edge(requests_total=3),
        targets=[target("own", requests_total=3)],
    )
    east = graph(
        edge(site=EAST, requests_total=9), site=EAST, targets=[target("here", requests_total=16)]
    )
    return joined(
        [
            SiteGraph("west", west),
            SiteGraph("east", east),
            SiteGraph("far", None, "its router does not run"),
        ]
    )


def test_each_edge_has_the_site_where_its_caller_connects() -> None:
    found = [(one["at"], one["site"]["name"], one["crosses"]) for one in network()["edges"]]
    assert found == [("east", "east", False), ("west", "east", True), ("west", "west", False)]


def test_a_target_is_of_its_own_site_alone_and_has_the_requests_of_all() -> None:
    found = [(one["site"], one["name"], one["requests_total"]) for one in network()["targets"]]
    assert found == [("east", "here", 16), ("west", "own", 3)]


def test_a_site_that_does_not_answer_is_named() -> None:
    assert network()["silent"] == [{"site": "far", "reason": "its router does not run"}]
    text = network_graph.table(network())
    assert "No answer of far: its router does not run" in text
    assert "east (crosses)" in text
    assert "here 10.0.0.5:8080" in text


def test_without_an_edge_it_denies_no_calls_whose_callers_are_not_settled() -> None:
    quiet, called = SiteGraph("east", graph()), SiteGraph("west", graph(waiting=1))
    assert network_graph.table(joined([quiet])) == "No caller is known."
    assert network_graph.table(joined([quiet, called])) == "No caller is known yet."


def test_rows_are_bounded_and_those_with_the_most_requests_stay() -> None:
    many = [edge(f"pod/{number}", requests_total=number) for number in range(6_000)]
    sites = [SiteGraph(name, graph(*many)) for name in ("west", "east")]
    found = joined(sites)
    assert len(found["edges"]) == network_graph.EDGES_MAX
    assert found["left_out"] == 2_000
    assert min(one["requests_total"] for one in found["edges"]) == 1_000
    assert "Left out: 2000 rows" in network_graph.table(found)


def test_callers_of_one_name_at_two_sites_are_two_boxes() -> None:
    text = shown.dot(network())
    assert '"caller west: deployment/web" -> "service shop:80"' in text
    assert '"caller east: deployment/web" -> "service shop:80"' in text
    assert '"site east" -> "target shop:80 here 10.0.0.5:8080" [label="0.5/s"' in text


def test_a_picture_has_a_column_of_targets() -> None:
    root = ElementTree.fromstring(shown.svg(network()))
    texts = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[:4] == ["callers", "services", "sites", "targets"]


def test_hostile_names_stay_texts() -> None:
    for name in HOSTILE:
        found = joined([SiteGraph(name, graph(edge(name), targets=[target(name)]))])
        ElementTree.fromstring(shown.svg(found))
        assert "\x1b" not in network_graph.table(found)
        assert "\x1b" not in shown.dot(found)
