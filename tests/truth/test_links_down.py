"""The neighbour of a link goes away: the link keeps its name, and no surface calls that good."""

import re

from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until


def codes(site: Site) -> set[str]:
    """Codes of problems; that nobody serves what is declared is another matter."""
    return {one["code"] for one in site.get("status")["problems"]} - {"SW0309"}


def says_that_it_is_down(near: Site) -> None:
    """Every surface of ``near``, whose link to ``far`` is down and the other one up."""
    text = near.ctl("status", code=3).out
    assert "1 of 2 links up" in text, text
    assert re.search(r"Problem:  SW0675 Link far to far is down: ", text), text
    assert near.json("status", code=3)["links_up"] == 1
    links = {link["name"]: link for link in near.json("link", "status")}
    assert links["far"]["neighbour"]["name"] == "far" and links["far"]["neighbour"]["id"]
    assert links["far"]["state"] in ("down", "connecting")
    shown = near.ctl("link", "status").out
    assert re.search(r"^far +far +outgoing ", shown, re.MULTILINE), shown
    checked = near.ctl("check", code=3).out
    assert re.search(r"WARNING\s+SW0515\s+link far is (down|connecting)", checked), checked
    top = near.ctl("top", "--once").out
    assert "1 of 2 links up" in top and re.search(r"\d problem", top), top
    series = [line for line in near.metrics().splitlines() if line.startswith("spillway_link_up{")]
    assert sorted(series) == [
        'spillway_link_up{direction="outgoing",link="far",neighbour="far"} 0.0',
        'spillway_link_up{direction="outgoing",link="hub",neighbour="hub"} 1.0',
    ]


def test_a_link_keeps_its_neighbour_while_it_is_down_and_over_a_restart(net: Network) -> None:
    near, far, hub = net.site("near"), net.site("far"), net.site("hub")
    near.declare("shop", SHOP_PORT)
    far.connect("shop", net.http("far"), capacity=5)
    net.link(near, far, 5)
    net.link(near, hub, 5)
    net.start()
    net.see_each_other()
    net.ready("shop", {"far": 1}, near)
    assert codes(near) == set()
    assert "2 links" in near.ctl("status").out
    far.kill()
    until(lambda: "SW0675" in codes(near), "the link is a problem", 30)
    says_that_it_is_down(near)
    (row,) = [one for one in near.json("why", "shop")["candidates"] if one["site"] == "far"]
    assert row["verdict"] == "unreachable"
    assert re.fullmatch(r"link far to far is down since \d\d:\d\d:\d\d UTC", row["reason"]), row
    assert "is down since" in near.ctl("why", "shop").out
    near.kill()
    near.start()
    until(lambda: near.is_up("hub"), "the other link is up again")
    until(lambda: "SW0675" in codes(near), "the link is a problem after the restart, too")
    says_that_it_is_down(near)
    far.start()
    until(lambda: codes(near) == set(), "all is well again", 45)
    assert "3 sites, 2 links" in near.ctl("status").out
