"""Neighbors go away: links keep their names, and no surface calls that good."""

import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from router.process.state import LINKS_DOWN_FILE
from tests.hostile.egress import RogueEgress
from tests.scenario.clients import Load, by_site, sending
from tests.scenario.harness import SHOP_PORT, Site, own_address
from tests.scenario.link_faults import FaultyRelay
from tests.scenario.waiting import until
from tests.truth.conftest import Watch
from tests.truth.fault import ALERTS, EVENTS, NETWORK, PAGES, SERVICE, WHY, WHY_PAST
from tests.truth.faults import links as faults
from tests.truth.namespaces import NamespaceSite
from tests.truth.scene import PER_S, Shop, Stage, door


class Fork:
    """``near`` has clients, ``far`` at cost 5 and ``hub`` at cost 9 a target each."""

    def __init__(self, net: Stage) -> None:
        self.net = net
        self.near, self.far, self.hub = net.watched("near"), net.site("far"), net.site("hub")
        self.far_target = net.http("far")
        self.near.declare("shop", SHOP_PORT)
        self.far.connect("shop", self.far_target, capacity=50)
        self.hub.connect("shop", net.http("hub"), capacity=50)

    def start(self) -> None:
        """With both links; returns when all is well."""
        self.net.link(self.near, self.far, 5)
        self.net.link(self.near, self.hub, 9)
        self.net.start()
        self.net.see_each_other()
        self.net.ready("shop", {"far": 1, "hub": 1}, self.near)
        assert codes(self.near) == set()
        assert "2 links" in self.near.ctl("status").out

    def load(self) -> Load:
        """Clients of ``near``."""
        return Load([door(self.near)], PER_S)


@pytest.fixture
def fork(net: Stage) -> Iterator[Fork]:
    """Not started yet."""
    yield Fork(net)


def codes(site: Site) -> set[str]:
    """Codes of problems."""
    return {one["code"] for one in site.get("status")["problems"]}


def notes(site: Site) -> set[str]:
    """Codes of notes."""
    return {one["code"] for one in site.get("status")["notes"]}


def apart_s(one: str, other: str) -> float:
    """Of two times, in ISO 8601."""
    return abs((datetime.fromisoformat(one) - datetime.fromisoformat(other)).total_seconds())


def link_to_far(near: Site) -> None:
    """Its state and neighbor, in JSON."""
    assert near.json("status", code=3)["links_up"] == 1
    (link,) = [one for one in near.json("link", "status") if one["name"] == "far"]
    assert link["neighbour"]["name"] == "far" and link["neighbour"]["id"]
    assert link["state"] in ("down", "connecting")


def test_a_neighbor_is_gone_also_after_a_restart_here(fork: Fork, watch: Watch) -> None:
    near, far = fork.near, fork.far
    fork.start()
    surfaces = watch(near)
    with fork.load() as load:
        until(lambda: by_site(load.answers)["far"] > PER_S, "the nearer site serves")
        far.kill()
        until(lambda: by_site(load.answers)["hub"] > PER_S, "the other one serves")
        until(lambda: "SW0675" in codes(near), "the link is a problem", 30)
        surfaces.show(faults.NEIGHBOR_GONE)
        link_to_far(near)
    until((near.directory / LINKS_DOWN_FILE).exists, "since when is written down")
    since = near.link("far")["since"]
    near.kill()
    near.start()
    until(lambda: near.is_up("hub"), "the other link is up again")
    until(lambda: "SW0675" in codes(near), "the link is a problem after the restart, too")
    if not isinstance(near, NamespaceSite):  # Another pod has no memory.
        assert apart_s(near.link("far")["since"], since) <= 1.0
    # It heard of no site yet, and has no clients.
    unheard = [NETWORK, WHY, WHY_PAST, SERVICE, EVENTS, ALERTS, *PAGES]
    surfaces.show(faults.NEIGHBOR_GONE, without=unheard)
    (gone,) = [line for line in near.ctl("network", "status").out.splitlines() if "far " in line]
    assert " no " in gone and "shop" not in gone
    link_to_far(near)
    far.start()
    until(lambda: codes(near) == set(), "all is well again", 45)
    until(lambda: near.reaches({"far", "hub"}), "all sites are reached again")
    assert "3 sites, 2 links" in near.ctl("status").out


def test_a_neighbor_that_links_here_is_gone(net: Stage, watch: Watch) -> None:
    fork = Fork(net)
    near, far, hub = fork.near, fork.far, fork.hub
    net.link(far, near, 5)
    net.link(hub, near, 9)
    net.start()
    net.see_each_other()
    net.ready("shop", {"far": 1, "hub": 1}, near)
    assert "SW0676" not in notes(near) and near.get("status")["links_up"] == 2
    surfaces = watch(near)
    with fork.load() as load:
        until(lambda: by_site(load.answers)["far"] > PER_S, "the nearer site serves")
        far.kill()
        until(lambda: "SW0676" in notes(near), "the lost link is a note", 30)
        assert codes(near) == set()
        surfaces.show(faults.INCOMING_GONE)
    far.start()
    until(lambda: "SW0676" not in notes(near), "all is well again", 45)
    assert sorted(one["name"] for one in near.json("link", "status")) == ["far", "hub"]
    far.ctl("stop")  # In order: away all the same.
    until(lambda: "SW0676" in notes(near), "a neighbor that stopped is a note, too", 30)
    (link,) = [one for one in near.json("link", "status") if one["name"] == "far"]
    assert link["error"] == "far closed: far was asked to stop"
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


def test_a_site_behind_another_one_is_deleted(fork: Fork, watch: Watch) -> None:
    near, far, net = fork.near, fork.far, fork.net
    between = net.site("between")
    net.link(near, between, 4)
    net.link(between, far, 1)
    net.link(near, fork.hub, 9)
    net.start()
    net.see_each_other()
    net.ready("shop", {"far": 1, "hub": 1}, near)
    surfaces = watch(near)
    with fork.load() as load:
        until(lambda: by_site(load.answers)["far"] > PER_S, "the nearer site serves")
        far.ctl("delete", "--yes")
        until(lambda: by_site(load.answers)["hub"] > PER_S, "the other one serves")
        until(lambda: not near.reaches({"far"}), "it is gone")
        assert "far" not in {one["name"] for one in near.json("network", "status")}
        assert near.get("status")["sites_known"] == 3
        surfaces.show(faults.SITE_DELETED)
    assert not by_site(load.failed)
    status = between.json("status")
    assert (status["problems"], [one["code"] for one in status["notes"]]) == ([], ["SW0679"])
    (link,) = [one for one in between.json("link", "status") if one["name"] == "far"]
    assert (link["error"], link["error_code"]) == ("far was deleted", "deleted")
    up = 'spillway_link_up{direction="outgoing",link="far"'
    until(lambda: up not in between.metrics(), "no alert calls a link down that is not needed")
    assert "far" not in {one["name"] for one in fork.hub.json("network", "status")}


def test_a_link_is_cut_and_its_site_is_reached_another_way(fork: Fork, watch: Watch) -> None:
    near, far, hub = fork.near, fork.far, fork.hub
    fork.net.link(hub, far, 1)
    relay = FaultyRelay(fork.net.background, own_address(), far.address, far.link_port)
    document = far.directory / "config" / "site-far.yaml"
    text = document.read_text()
    document.write_text(text.replace(far.link_door, f"{relay.address}:{relay.port}"))
    try:
        fork.start()
        surfaces = watch(near)
        with fork.load() as load:
            until(lambda: by_site(load.answers)["far"] > PER_S, "the nearer site serves")
            relay.refuse(True)
            until(lambda: "SW0675" in codes(near), "the link is a problem", 30)
            until(lambda: by_site(load.answers)["hub"] > PER_S, "the cheaper site serves")
            surfaces.show(faults.LINK_CUT)
    finally:
        relay.close()


def test_a_site_is_ejected(net: Stage, watch: Watch, tmp_path: Path) -> None:
    fork = Fork(net)
    fork.start()
    near = fork.near
    surfaces = watch(near)
    token = net.token(near, "--token-type", "cert")
    with RogueEgress(token, "resets", "rogue") as rogue:
        rogue.take_service("shop", SHOP_PORT)
        until(lambda: near.ready_targets("shop").get("rogue"), "the rogue offers the service")
        with Load([door(near)], PER_S, method="POST") as load:
            until(lambda: ejected_again(near), "it is ejected again")
            surfaces.show(faults.SITE_EJECTED)
    assert by_site(load.answers)["far"] > PER_S
    assert set(by_site(load.failed)) == {"target-reset"}


def ejected_again(near: Site) -> bool:
    """Whether the rogue is ejected for 4 s or longer: time to look at all surfaces."""
    notes = [one["message"] for one in near.get("status")["notes"] if one["code"] == "SW0334"]
    return any("ejected for" in one and " 2 s" not in one for one in notes)


def test_this_site_stops(shop: Shop, watch: Watch) -> None:
    surfaces = watch(shop.near)
    for target in shop.targets:
        target.hold()
    pending = sending(*door(shop.near), 2, method="POST", timeout_s=60)
    until(lambda: sum(one.in_hand for one in shop.targets) == 2, "two requests are under way")
    shop.near.signal(signal.SIGTERM)
    until(lambda: not shop.near.get("status")["ready"], "it drains")
    surfaces.show(faults.STOPS, without=[ALERTS])
    for target in shop.targets:
        target.release()
    assert [one.status for one in pending.result()] == [200, 200]


def test_another_site_stops(fork: Fork, watch: Watch) -> None:
    fork.start()
    target = fork.far_target
    surfaces = watch(fork.near)
    target.hold()
    pending = sending(*door(fork.near), 2, method="POST", timeout_s=60)
    until(lambda: target.in_hand == 2, "two requests are under way")
    fork.far.signal(signal.SIGTERM)
    with fork.load() as load:
        until(lambda: by_site(load.answers)["hub"] > PER_S, "the other site serves")
        surfaces.show(faults.OTHER_STOPS, without=[ALERTS])
    target.release()
    assert [one.status for one in pending.result()] == [200, 200]
