"""Who calls whom as a table, for Graphviz and as a picture, also with hostile names."""

import re
import shutil
import subprocess
from typing import Any
from xml.etree import ElementTree

import pytest

from sitectl.show import graph as shown

HOSTILE = (
    'a"b',
    "a\\",
    'a\\"];evil [label=x',
    "<script>alert(1)</script>",
    "a&b]]>",
    "a\nb -> c",
    "\x1b[31mred",
    "x" * 300,
    "ü€\u202e",
)


def edge(name: str = "deployment/web", kind: str = "workload", **fields: Any) -> dict[str, Any]:
    return {
        "caller": {"kind": kind, "name": name},
        "service": "shop",
        "port": 80,
        "site": {"name": "west", "id": "a"},
        "crosses": False,
        "requests_total": 12,
        "failed_total": 1,
        "open": 2,
        "rate_per_s": 1.5,
        "failed_per_s": 0.1,
        "p50_s": 0.01,
        "p99_s": None,
        **fields,
    }


def target(name: str = "shop-pods", **fields: Any) -> dict[str, Any]:
    return {
        "service": "shop",
        "port": 80,
        "name": name,
        "address": "10.0.0.5:8080",
        "ready": True,
        "requests_total": 9,
        "failed_total": 2,
        "open": 1,
        "rate_per_s": 0.5,
        "failed_per_s": 0.0,
        "p50_s": 0.02,
        "p99_s": 0.3,
        **fields,
    }


def graph(*edges: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "site": {"name": "west", "id": "a"},
        "enabled": True,
        "named_share": 1.0,
        "unnamed_total": 0,
        "waiting": 0,
        "step_s": 300.0,
        "edges": list(edges),
        "targets": [],
        **fields,
    }


@pytest.mark.parametrize(
    ("kind", "name", "text"),
    [
        ("workload", "deployment/web", "deployment/web"),
        ("address", "10.0.0.5", "10.0.0.5"),
        ("unit", "nginx.service", "unit nginx.service"),
        ("container", "web", "container web"),
        ("user", "alice", "user alice"),
        ("node", "10.0.0.9", "node 10.0.0.9 (its callers are hidden)"),
        ("others", "others", "others"),
    ],
)
def test_a_caller_is_called_by_its_kind(kind: str, name: str, text: str) -> None:
    assert shown.caller_text(edge(name, kind)) == text


def test_a_row_says_who_calls_what_and_where_it_is_served() -> None:
    text = shown.table(graph(edge(), edge(site={"name": "far", "id": "b"}, crosses=True)))
    assert "deployment/web" in text and "shop:80" in text
    assert "far (crosses)" in text and "1.5/s" in text


def test_what_no_site_served_has_none() -> None:
    assert shown.site_text(edge(site=None)) == "-"
    assert "no site" in shown.dot(graph(edge(site=None)))


def test_what_is_not_known_is_said() -> None:
    edges = (edge("10.0.0.9", "node"), edge())
    text = shown.table(graph(*edges, named_share=0.5, unnamed_total=3, waiting=2, enabled=False))
    for words in ("50 % of the connections", "SNAT", "2 groups of", "no longer named"):
        assert words in text
    assert "SNAT" not in shown.table(graph(edge()))


def test_of_several_routers_it_says_whose_calls_these_are() -> None:
    told = "These are the calls at the router that answers, one of 3."
    assert told not in shown.table(graph(edge()))
    assert shown.table(graph(edge()), 3).endswith(told)


def test_an_empty_graph_says_why() -> None:
    # It denies no call: a router forgets callers when it restarts, and after a day without one.
    assert shown.table(graph()) == "No caller is known here."
    assert "name-callers is false" in shown.table(graph(enabled=False))


def test_a_graph_whose_first_callers_are_not_settled_does_not_deny_their_calls() -> None:
    text = shown.table(graph(waiting=1))
    assert text.splitlines() == [
        "No caller is known yet.",
        "Not settled yet: the callers of 1 group of recent connections.",
    ]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_in_the_table(name: str) -> None:
    text = shown.table(
        graph(edge(name), edge(site={"name": name, "id": "b"}), targets=[target(name)])
    )
    assert len(text.splitlines()) == 6 and "\x1b" not in text and "\u202e" not in text


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_in_a_picture(name: str) -> None:
    text = shown.svg(
        graph(
            edge(name),
            edge(site={"name": name, "id": "b"}),
            edge(service=name),
            targets=[target(name)],
        )
    )
    picture = ElementTree.fromstring(text)
    tags = {one.tag.rpartition("}")[2] for one in picture.iter()}
    assert tags == {"svg", "rect", "text", "path", "title"}


_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_for_graphviz(name: str) -> None:
    text = shown.dot(
        graph(
            edge(name),
            edge(site={"name": name, "id": "b"}),
            edge(service=name),
            targets=[target(name)],
        )
    )
    words = set(re.findall(r"\w+", _STRING.sub("", text)))
    assert words <= {"digraph", "calls", "rankdir", "LR", "node", "shape", "box"} | {
        *("label", "color", "style", "solid", "dashed")
    }
    if shutil.which("dot"):
        subprocess.run(["dot", "-Tsvg"], input=text.encode(), check=True, capture_output=True)


def test_arrows_of_one_caller_are_added_up() -> None:
    edges = (edge(site={"name": "far", "id": "b"}, crosses=True), edge("b"), edge("c"))
    text = shown.dot(graph(*edges))
    assert '"service shop:80" -> "site west" [label="3/s"' in text
    assert text.count("style=dashed") == 2, "from its caller to the service, and to the site"


def test_many_callers_fit_into_the_picture() -> None:
    text = shown.svg(graph(*(edge(f"deployment/d{number}") for number in range(300))))
    picture = ElementTree.fromstring(text)
    height = float(picture.attrib["viewBox"].split()[3])
    bottom = max(float(one.attrib["y"]) for one in picture.iter() if "y" in one.attrib)
    assert bottom < height


def test_targets_are_a_table_below_with_their_figures() -> None:
    gone = target("old", address="10.0.0.9:8080", ready=None)
    others = target("others", address=None, ready=None)
    text = shown.table(graph(edge(), targets=[target(), gone, others]))
    above, below = text.split("\n\n")
    assert "deployment/web" in above and "shop-pods" not in above
    rows = [line.split() for line in below.splitlines()]
    assert rows[0] == [
        "SERVICE",
        "TARGET",
        "READY",
        *["REQUESTS", "FAILED", "OPEN", "RATE", "P50", "P99", "CLIENTS", "AT"],
    ]
    assert rows[1][:7] == ["shop:80", "shop-pods", "10.0.0.5:8080", "yes", "9", "2", "1"]
    assert rows[1][7:] == ["0.5/s", "<20", "ms", "<300", "ms", "-"]
    assert rows[2][1:4] == ["old", "10.0.0.9:8080", "gone"]
    assert rows[3][1:3] == ["others", "-"]


def test_a_site_without_clients_shows_its_targets() -> None:
    text = shown.table(graph(targets=[target()]))
    assert "No caller is known here." in text and "10.0.0.5:8080" in text


def test_a_picture_leads_on_to_the_targets_of_the_site() -> None:
    found = graph(edge(site={"name": "far", "id": "b"}, crosses=True), targets=[target()])
    assert '"site west" -> "target shop:80 shop-pods 10.0.0.5:8080" [label="0.5/s"' in shown.dot(
        found
    )
    root = ElementTree.fromstring(shown.svg(found))
    texts = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[:4] == ["callers", "services", "sites", "targets"]
    assert "shop:80 shop-pods 10.0.0.5:8080" in "".join(
        str(one.text) for one in root.iter("{http://www.w3.org/2000/svg}title")
    )


def test_a_router_from_before_targets_were_counted_is_shown_without_them() -> None:
    older = graph(edge())
    del older["targets"]
    assert "deployment/web" in shown.table(older)
    assert "targets" not in shown.svg(older)
    assert "deployment/web" in shown.dot(older)


def client_site(name: str | None, requests: int) -> dict[str, Any]:
    site = None if name is None else {"name": name, "id": name}
    return {
        "site": site,
        "crosses": name != "west",
        "requests_total": requests,
        "failed_total": 0,
        "rate_per_s": 0.1,
        "failed_per_s": 0.0,
    }


def test_a_target_shows_the_sites_of_its_clients_those_with_the_most_requests() -> None:
    few = target(client_sites=[client_site("west", 4), client_site("\x1b[31mfar", 3)])
    many = target(
        "cart-pods", client_sites=[client_site(one, 9) for one in ("a", "b", "c", None, "d")]
    )
    text = shown.table(graph(targets=[few, many, target("old-pods")]))
    _, _, headings, first, second, third = text.splitlines()
    assert headings.endswith("CLIENTS AT")
    assert first.endswith("far 3") and "west 4, " in first
    assert "\x1b" not in first
    assert second.endswith("a 9, b 9, c 9, 2 more")
    assert third.endswith("-")


def test_the_last_day_is_a_block_for_each_hour_if_it_was_asked_for() -> None:
    quiet, busy = [[0, 0]] * 12, [[5, 0]] + [[0, 0]] * 11
    day = quiet * 22 + busy + quiet
    text = shown.table(graph(edge(history=day), targets=[target(history=None)]))
    headings, row, _, target_headings, _ = text.splitlines()
    assert headings.endswith("LAST DAY")
    assert row[-24:] in ("▁" * 22 + "█▁", "_" * 22 + "#_")
    assert "LAST DAY" not in target_headings


def test_a_service_that_carries_a_routing_key_is_named_by_it() -> None:
    named: dict[str, Any] = {
        "service": "k-e39f88e649d574d94643",
        "port": 1,
        "routing_key": "shop.db",
    }
    told = graph(edge(**named), targets=[target(**named)])
    assert "k-e39f88e649d574d94643" not in shown.table(told)
    assert shown.table(told).count("shop.db ") == 2
