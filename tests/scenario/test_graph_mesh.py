"""One graph of three sites that run: who calls, where it is served, by which target."""

import json
import re
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.meshes import MeshNetwork
from tests.scenario.test_callers import ourselves
from tests.scenario.waiting import until


class Running:
    """``west`` and ``east`` have targets of a shop, ``hub`` between them has none; all have
    clients: three of west, two of hub, which the cheaper west serves, and one of east."""

    def __init__(self, net: Network) -> None:
        self.mesh = MeshNetwork(net)
        self.targets = {name: net.http(name) for name in ("west", "east")}
        self.sites: dict[str, Site] = {}
        for name in ("west", "hub", "east"):
            connectors = {}
            if (target := self.targets.get(name)) is not None:
                place = {"host": target.address, "port": target.port}
                connectors = {f"shop-{name}": {"service": "shop", "targets": [place]}}
            self.sites[name] = self.mesh.site(name, connectors=connectors)
        self.mesh.link("hub", "west", cost=1)
        self.mesh.link("hub", "east", cost=9)
        shop = {"owner": "west", "protocol": "http", "ports": [SHOP_PORT]}
        self.mesh.spec["services"]["shop"] = shop
        self.mesh.apply("--wait", "30")
        for name, serving in (("west", "west"), ("hub", "west"), ("east", "east")):
            site = self.sites[name]
            until(partial(self._is_served, site, serving), f"{name} is served by {serving}", 60.0)

    def _is_served(self, site: Site, serving: str) -> bool:
        try:
            return fetch(site.address, SHOP_PORT).site == serving
        except OSError:
            return False

    def graph(self, *words: str, code: int = 0) -> str:
        """What ``graph --mesh`` prints, and the exit code that it should have."""
        done = self.mesh.ctl("graph", "--mesh", str(self.mesh.file), *words, code=code)
        return done.out

    def item(self, code: int = 0) -> dict[str, Any]:
        """The same as JSON."""
        item: dict[str, Any] = json.loads(self.graph("-o", "json", code=code))["item"]
        return item


def me_text() -> str:
    """This process as tables and pictures call it."""
    caller = ourselves()
    return f"{caller['kind']} {caller['name']}"


@pytest.fixture
def running(net: Network) -> Running:
    return Running(net)


def test_callers_services_sites_and_targets_of_three_sites_are_one_graph(running: Running) -> None:
    for name, times in (("west", 3), ("hub", 2), ("east", 1)):
        for _ in range(times):
            assert fetch(running.sites[name].address, SHOP_PORT).status == 200

    def added_up() -> dict[str, tuple[int, int]]:
        """By site: the requests that callers know it served, and those that its targets had."""
        item = running.item()
        found: dict[str, tuple[int, int]] = {}
        for name in running.targets:
            served = [one for one in item["edges"] if one["site"] and one["site"]["name"] == name]
            had = [one for one in item["targets"] if one["site"] == name]
            found[name] = tuple(
                sum(one["requests_total"] for one in rows) for rows in (served, had)
            )
        return found

    # Each is served once at least before it is counted on.
    until(lambda: all(a == b and a > 1 for a, b in added_up().values()), "both ends say the same")
    item = running.item()
    edges = {
        (one["at"], one["caller"]["name"], one["service"], one["site"]["name"], one["crosses"])
        for one in item["edges"]
        if one["site"]
    }
    me = ourselves()["name"]
    assert edges == {
        ("west", me, "shop", "west", False),
        ("hub", me, "shop", "west", True),
        ("east", me, "shop", "east", False),
    }
    places = [
        (one["at"], one["caller"]["name"], (one["site"] or {}).get("id")) for one in item["edges"]
    ]
    assert len(places) == len(set(places)), "no edge is there twice"
    targets = {
        (one["site"], one["service"], one["name"], one["address"]) for one in item["targets"]
    }
    assert targets == {
        (name, "shop", f"shop-{name}", f"{target.address}:{target.port}")
        for name, target in running.targets.items()
    }
    assert all(one["ready"] and one["failed_total"] == 0 for one in item["targets"])
    asked = {
        (one["at"], one["site"]["name"]): one["requests_total"]
        for one in item["edges"]
        if one["site"]
    }
    had = {
        (told["site"]["name"], one["site"]): told["requests_total"]
        for one in item["targets"]
        for told in one["client_sites"]
    }
    assert had == asked, "targets know which site's clients asked, and how often"
    crossing = [told["crosses"] for one in item["targets"] for told in one["client_sites"]]
    assert sorted(crossing) == [False, False, True]
    rows = re.findall(
        r"^spillway_target_client_requests_total\{(.*)\} (\S+)$",
        running.sites["west"].metrics(),
        re.MULTILINE,
    )
    metric = {
        re.search(r'client_site="(\w+)"', labels)[1]: float(count)  # type: ignore[index]
        for labels, count in rows
        if 'outcome="ok"' in labels
    }
    assert metric == {at: count for (at, site), count in asked.items() if site == "west"}
    assert item["silent"] == [] and [one["name"] for one in item["sites"]] == [
        "west",
        "hub",
        "east",
    ]


def test_every_output_leads_from_a_caller_over_its_site_to_a_target(
    running: Running, tmp_path: Path
) -> None:
    west = running.targets["west"]
    target = f"shop:{SHOP_PORT} shop-west {west.address}:{west.port}"
    until(lambda: target in running.graph("--dot"), "it has had its requests")
    table = running.graph()
    assert "west (crosses)" in table and f"{west.address}:{west.port}" in table
    assert re.search(r"(hub \d+, west|west \d+, hub) \d+$", table, re.MULTILINE)
    dot = running.graph("--dot")
    assert f'"caller hub: {me_text()}" -> "service shop:{SHOP_PORT}"' in dot
    assert f'"site west" -> "target {target}"' in dot and "style=dashed" in dot
    picture = tmp_path / "calls.svg"
    running.graph("--svg", str(picture))
    titles = [
        one.text for one in ElementTree.parse(picture).iter("{http://www.w3.org/2000/svg}title")
    ]
    assert target in titles and f"hub: {me_text()}" in titles


def test_a_site_that_does_not_answer_is_named_and_the_others_are_shown(running: Running) -> None:
    running.sites["east"].ctl("stop")
    item = running.item(code=3)
    (silent,) = item["silent"]
    assert silent["site"] == "east" and silent["reason"]
    assert {one["at"] for one in item["edges"]} == {"west", "hub"}
    assert "No answer of east: " in running.graph(code=3)
