"""Names in rules mean the site that bore them then, though members call themselves as they like."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.process.state import OFFERS_FILE, PINS_FILE
from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.insider import Insider
from tests.scenario.waiting import stays, until


class Line:
    """west - mid - east: shop is declared at all three, and east has its target."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.west, self.mid, self.east = net.site("west"), net.site("mid"), net.site("east")
        for site in (self.west, self.mid, self.east):
            site.declare("shop")
        self.east.connect("shop", net.http("east"), capacity=5)
        net.link(self.west, self.mid, token="cert")
        net.link(self.mid, self.east, token="cert")
        net.start()
        net.ready("shop", {"east": 1})
        self.east_id: str = self.east.get("status")["id"]

    def liar(self) -> Insider:
        """A member at mid that calls itself east and offers targets of shop."""
        insider = Insider(self.net.token(self.mid, "--token-type", "cert"), name="east")
        theirs = insider.join_network()
        insider.offer(theirs, self.mid.get("status")["id"], "shop", SHOP_PORT)
        liar = insider.identity.site
        until(lambda: liar in {row["id"] for row in self.west.get("network")}, "west knows it")
        return insider


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    with Network(tmp_path) as net:
        yield Line(net)


def codes(site: Site) -> set[str]:
    status = site.get("status")
    return {one["code"] for one in (*status["notes"], *status["problems"])}


def verdicts(site: Site) -> dict[str, str]:
    """Of each site with targets of shop, by its name as it is shown."""
    return {one["site"]: one["verdict"] for one in site.json("why", "shop")["candidates"]}


def test_a_liar_that_takes_the_name_afterwards_gets_nothing(line: Line) -> None:
    west = line.west
    said = west.ctl("service", "set", "shop", "--import-from", "east")
    assert f"takes it from east ({line.east_id[:8]}) only" in said.out + said.err
    written = "".join(path.read_text() for path in (west.directory / "config").glob("policy*"))
    assert f"east@{line.east_id}" in written
    with line.liar() as insider:
        false_east = f"east@{insider.identity.site[:8]}"
        until(lambda: verdicts(west).get(false_east) == "excluded", "it is no candidate")
        for _ in range(20):
            assert fetch(west.address, SHOP_PORT).body == b"east\n"
        until(lambda: "SW0346" in codes(west), "status says that another site has the name")
        assert f"Taken from east ({line.east_id[:8]})" in west.ctl("service", "status", "shop").out
        assert west.json("service", "status", "shop")[0]["import_from"] == ["east"]


def test_a_document_by_hand_means_who_bore_the_name_also_after_a_restart(line: Line) -> None:
    west = line.west
    west.document("Policy", "shop", {"service": "shop", "importFrom": ["east"]})
    until(lambda: "rule-pinned" in json.dumps(west.get("events")), "the name is resolved")
    assert json.loads((west.directory / PINS_FILE).read_text()) == {"east": line.east_id}
    with line.liar() as insider:
        west.kill()
        west.start()
        false_east = f"east@{insider.identity.site[:8]}"
        until(lambda: verdicts(west).get(false_east) == "excluded", "it is no candidate")
        until(lambda: fetch(west.address, SHOP_PORT).body == b"east\n", "east serves")
        for _ in range(20):
            assert fetch(west.address, SHOP_PORT).body == b"east\n"


def test_a_name_that_a_liar_took_before_means_nobody_until_the_id_is_given(line: Line) -> None:
    west = line.west
    with line.liar():
        west.document("Policy", "shop", {"service": "shop", "importFrom": ["east"]})
        until(lambda: "SW0318" in codes(west), "two sites bear the name")
        until(lambda: set(verdicts(west).values()) == {"excluded"}, "it means neither")
        stays(lambda: fetch(west.address, SHOP_PORT).status == 503, "nobody serves it", 0.5)
        rule = {"service": "shop", "importFrom": [f"east@{line.east_id}"]}
        west.document("Policy", "shop", rule)
        until(lambda: fetch(west.address, SHOP_PORT).body == b"east\n", "east serves")
        assert "SW0318" not in codes(west)


def test_a_name_that_nobody_bears_yet_is_pending_and_shown_so(line: Line) -> None:
    west = line.west
    said = west.ctl("service", "set", "shop", "--import-from", "north")
    assert "no site is called 'north' now" in said.err
    until(lambda: "SW0345" in codes(west), "status says so")
    assert "north (pending" in west.ctl("service", "status", "shop").out
    assert verdicts(west) == {"east": "excluded"}
    west.ctl("service", "set", "shop", "--import-from", "all")
    until(lambda: "SW0345" not in codes(west), "it is gone with the rule")


def test_a_new_site_with_targets_of_a_service_of_another_is_told_of_and_shown(line: Line) -> None:
    west = line.west
    known = west.directory / OFFERS_FILE
    until(lambda: known.exists(), "west has written down who is there")
    west.kill()  # A first life learns for a while; the next one knows.
    west.start()
    line.net.ready("shop", {"east": 1}, west)
    assert "offer-new" not in json.dumps(west.get("events"))
    with line.liar() as insider:
        false_east = f"east@{insider.identity.site[:8]}"
        until(lambda: "offer-new" in json.dumps(west.get("events")), "an event tells of it")
        until(lambda: "SW0347" in codes(west), "status says so")
        (found,) = (
            one for one in west.json("why", "shop")["candidates"] if one["site"] == false_east
        )
        assert found["note"].startswith("was first seen here to offer shop of west ")
        assert found["note"].endswith(" ago; approved: auto")
        assert "approved: auto" in west.ctl("why", "shop").out
