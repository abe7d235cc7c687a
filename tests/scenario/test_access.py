"""`sitectl access` of real sites: who may do what, in open and in strict mode."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until

Row = tuple[str, str, str, str]


class Line:
    """west - mid - east: shop is mid's, and east offers targets of it too."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.west, self.mid, self.east = net.site("west"), net.site("mid"), net.site("east")
        self.mid.declare("shop")
        self.mid.connect("shop", net.http("mid"), capacity=5)
        net.link(self.west, self.mid)
        net.link(self.mid, self.east)
        net.start()
        net.ready("shop", {"mid": 1})
        self.east.connect("shop", net.http("east"), capacity=50)
        net.ready("shop", {"mid": 1, "east": 1})


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    with Network(tmp_path / "state") as net:
        yield Line(net)


def shown(site: Site, service: str = "shop") -> set[Row]:
    """Of one service: who may do what, by whose word, and how that stands."""
    rows = site.json("access", service)["rows"]
    return {(r["site"], r["may"], r["by"], r["state"]) for r in rows if r["service"] == service}


def shows(site: Site, *rows: Row) -> bool:
    return shown(site) >= {*rows}


def test_an_open_site_shows_what_all_sites_may_and_by_whose_word(line: Line) -> None:
    offers = {
        ("mid", "declare", "owns the name", "in use"),
        ("mid", "offer", "owns the name", "in use"),
        ("east", "offer", "open mode", "in use"),
    }
    calls = {("*", "call", f"open mode of {name}", "allowed") for name in ("mid", "east")}
    assert shown(line.west) == offers | calls
    text = line.mid.ctl("access").out
    assert text.startswith("sharing: open\n")
    east = line.east.get("status")["id"][:8]
    assert f"east ({east})" in text and "all sites" in text
    line.mid.ctl("service", "set", "shop", "--export-to", "west,branch-*,nowhere")
    called = partial(
        shows,
        line.mid,
        ("west", "call", "this site's exportTo", "allowed"),
        ("branch-*", "call", "this site's exportTo", "allowed"),
        ("nowhere", "call", "this site's exportTo", "pending name"),
    )
    until(called, "mid shows whom it exports shop to")
    told = partial(
        shows,
        line.west,
        ("west", "call", "exportTo of mid", "allowed"),
        ("branch-*", "call", "exportTo of mid", "allowed"),
    )
    until(told, "west shows it too, as mid tells it")


def test_a_strict_site_uses_an_offer_once_its_owner_granted_it(line: Line) -> None:
    line.west.document("Policy", "all", {"service": "*", "exportTo": ["*"], "importFrom": ["*"]})
    assert line.west.get("status")["sharing"] == "open"
    line.west.ctl("update", "--sharing", "strict")
    until(lambda: line.west.get("status")["sharing"] == "strict", "west is strict")
    refused = ("east", "offer", "no grant of mid", "not-approved")
    until(partial(shows, line.west, refused), "east is not approved at west")
    assert line.west.ctl("access").out.startswith("sharing: strict\n")
    assert fetch(line.west.address, SHOP_PORT).body == b"mid\n"
    waits = "At mid: sitectl service grant shop --site east --offer"
    assert "SW0351" in codes(line.west)
    assert waits in line.west.ctl("status").out, "a person reads what would approve it"
    grant = {"site": "east", "verbs": ["offer"], "maxCapacity": 7, "until": "2199-12-31T23:59:59Z"}
    line.mid.document("Policy", "shop", {"service": "shop", "grants": [grant]})
    granted = ("east", "offer", "grant of mid", "in use")
    until(partial(shows, line.west, granted), "west uses what mid granted")
    (row,) = [one for one in line.west.json("access", "shop")["rows"] if one["by"] == granted[2]]
    assert (row["capacity"], row["until"]) == (7, grant["until"])
    assert row["site_id"] == line.east.get("status")["id"]
    line.west.ctl("update", "--sharing", "open")
    line.mid.document("Policy", "shop", {"service": "shop"})
    opened = ("east", "offer", "this site's importFrom", "in use")
    until(partial(shows, line.west, opened), "an open site takes what its rules allow")


def test_a_strict_site_that_shares_nothing_says_so_until_it_grants_something(line: Line) -> None:
    mid, west = line.mid, line.west
    mid.ctl("update", "--sharing", "strict")
    until(lambda: "SW0350" in codes(mid), "mid tells that it shares nothing")
    assert "SW0350" in mid.ctl("check", code=3).out
    until(lambda: west.service("shop") is None, "shop is not for west any more")
    grant = {"site": "west", "verbs": ["call"]}
    mid.document("Policy", "shop", {"service": "shop", "grants": [grant]})
    until(lambda: "SW0350" not in codes(mid), "mid shares something")
    called = ("west", "call", "grant of mid", "allowed")
    until(partial(shows, mid, called), "mid shows whom it lets call shop")
    until(lambda: west.service("shop"), "west has shop again")
    until(lambda: fetch(west.address, SHOP_PORT).body == b"mid\n", "mid serves west")


def codes(site: Site) -> set[str]:
    return {note["code"] for note in site.get("status")["notes"]}
