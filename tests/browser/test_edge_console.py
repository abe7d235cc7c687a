"""The console of an edge router, which knows its own links and not those between other sites."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.stage import looking, turn_to
from tests.scenario.clients import ask, connected
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until

CONSOLE_PORT = 8010


class Edge:
    """edge - near - far: `shop`, of tcp, is at far alone."""

    def __init__(self, net: Network) -> None:
        self.edge = net.site("edge", "--router-mode", "edge")
        near, far = net.site("near"), net.site("far")
        far.declare("shop", protocol="tcp")
        far.connect("shop", net.tcp("far"), capacity=2)
        place = f"{self.edge.address}:{CONSOLE_PORT}"
        self.edge.ctl(
            "update", "--enable-console", "--console-auth", "unsecured", "--console-bind", place
        )
        self.edge.quick("service", "set", "shop", "--listen", "auto")
        net.link(self.edge, near, 1)
        net.link(near, far, 4)
        net.start()
        net.ready("shop", {"far": 1})
        until(lambda: console_of(self.edge), "the console is there")

    @property
    def url(self) -> str:
        return console_of(self.edge)


def console_of(site: Site) -> str:
    url: str = site.get("status")["console"]["url"]
    return url


@pytest.fixture
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with Network(tmp_path_factory.mktemp("edge")) as net:
        yield Edge(net)


def test_an_edge_shows_the_part_of_each_path_that_it_knows(chromium: Browser, edge: Edge) -> None:
    with connected(edge.edge.address, SHOP_PORT) as client:
        assert ask(client, "name") == "far"
        shows_what_it_knows(chromium, edge)


def shows_what_it_knows(chromium: Browser, edge: Edge) -> None:
    with looking(chromium, edge, "#/topology") as page:
        network = page.get_by_role("region", name="Network")
        expect(network).to_contain_text("3 sites: all reachable")
        expect(network).to_contain_text("1 link known here: up")
        expect(network).to_contain_text("An edge router knows no links between other sites.")
        rows = page.get_by_role("table", name="All sites")
        for name, cells in {
            "near": ("near", "near", "1"),
            "far": ("far", "near → … → far", "5"),
        }.items():
            row = rows.locator("tbody tr").filter(
                has=page.get_by_role("link", name=name, exact=True)
            )
            for at, text in enumerate(cells):
                expect(row.locator("th, td").nth(at)).to_have_text(text)
        turn_to(page, edge, "#/topology?site=far")
        site = page.get_by_role("region", name="far", exact=True)
        expect(site.locator(".way")).to_contain_text(
            "far by a path that an edge router does not know"
        )
        expect(site).to_contain_text("Total cost 5")
        expect(site).to_contain_text("1 open spill there now")
        told = page.locator(".map-box .edge.carries title", has_text="our requests")
        expect(told).to_have_count(1)
