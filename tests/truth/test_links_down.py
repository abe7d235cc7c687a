"""The neighbour of a link goes away: the link keeps its name, and no surface calls that good."""

from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until
from tests.truth.surfaces import shows
from tests.truth.table import INCOMING_DOWN, LINK_DOWN


def codes(site: Site) -> set[str]:
    """Codes of problems; that nobody serves what is declared is another matter."""
    return {one["code"] for one in site.get("status")["problems"]} - {"SW0309"}


def notes(site: Site) -> set[str]:
    """Codes of notes."""
    return {one["code"] for one in site.get("status")["notes"]}


def link_to_far(near: Site) -> None:
    """Its state and neighbor, in JSON."""
    assert near.json("status", code=3)["links_up"] == 1
    (link,) = [one for one in near.json("link", "status") if one["name"] == "far"]
    assert link["neighbour"]["name"] == "far" and link["neighbour"]["id"]
    assert link["state"] in ("down", "connecting")


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
    shows(near, LINK_DOWN)
    link_to_far(near)
    near.kill()
    near.start()
    until(lambda: near.is_up("hub"), "the other link is up again")
    until(lambda: "SW0675" in codes(near), "the link is a problem after the restart, too")
    shows(near, LINK_DOWN, without=["why shop"])  # It heard of no site yet.
    link_to_far(near)
    far.start()
    until(lambda: codes(near) == set(), "all is well again", 45)
    until(lambda: near.reaches({"far", "hub"}), "all sites are reached again")
    assert "3 sites, 2 links" in near.ctl("status").out


def test_a_site_remembers_the_neighbor_whose_link_to_it_is_lost(net: Network) -> None:
    near, far, hub = net.site("near"), net.site("far"), net.site("hub")
    near.declare("shop", SHOP_PORT)
    far.connect("shop", net.http("far"), capacity=5)
    hub.connect("shop", net.http("hub"), capacity=5)
    net.link(far, near, 5)
    net.link(hub, near, 5)
    net.start()
    net.see_each_other()
    net.ready("shop", {"far": 1, "hub": 1}, near)
    assert "SW0676" not in notes(near) and near.get("status")["links_up"] == 2
    far.kill()
    until(lambda: "SW0676" in notes(near), "the lost link is a note", 30)
    assert codes(near) == set()
    shows(near, INCOMING_DOWN)
    near.ctl("status", code=0)
    far.start()
    until(lambda: "SW0676" not in notes(near), "all is well again", 45)
    assert sorted(one["name"] for one in near.json("link", "status")) == ["far", "hub"]
    far.ctl("stop")  # In order: away all the same.
    until(lambda: "SW0676" in notes(near), "a neighbor that stopped is a note, too", 30)
    shows(near, INCOMING_DOWN, without=["link status"])
    (link,) = [one for one in near.json("link", "status") if one["name"] == "far"]
    assert link["error"] == "far closed: far is stopping"
    far.start()
    until(lambda: "SW0676" not in notes(near), "all is well again", 45)
    hub.ctl("delete", "--yes")
    until(
        lambda: [one["name"] for one in near.json("link", "status")] == ["far"],
        "a site that was deleted is forgotten",
    )
    assert "SW0676" not in notes(near)
    far.ctl("link", "delete", near.name)
    until(
        lambda: near.json("link", "status") == [],
        "a link that was deleted is forgotten",
    )
    assert "SW0676" not in notes(near)
