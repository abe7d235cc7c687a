"""A member with a valid certificate that lies about routes to a network of three honest sites."""

import json
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from router.link import control, frames
from router.link.routing_messages import LsaMessage
from router.model import limits
from router.model.ids import RouterId, SiteId
from router.routing.adverts.lsa import Adjacency, Topology, encode_lsa
from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.insider import HostileIdentity, Insider
from tests.scenario.waiting import own_time, stays, until

FLOOD_PER_S, FLOOD_S = 5_000, 4.0
CONVERGES_WITHIN_S = 5.0
PHANTOMS = 300


class Three:
    """``west`` - ``middle`` - ``east``; the target of shop is at ``east``."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.west, self.middle, self.east = (net.site(n) for n in ("west", "middle", "east"))
        self.sites = (self.west, self.middle, self.east)
        self.west.declare("shop")
        self.east.connect("shop", net.http("east"), capacity=20)
        net.link(self.west, self.middle)
        net.link(self.middle, self.east)
        net.start()
        net.see_each_other()
        net.ready("shop", {"east": 1})
        self.tokens = {site: net.token(site, "--token-type", "cert") for site in self.sites}
        self.since = self.ages()

    def ages(self) -> list[Any]:
        """When the honest links came up."""
        return [self.west.link("middle")["since"], self.middle.link("east")["since"]]

    def is_unharmed(self) -> bool:
        """The honest links are those from the start, and serve."""
        return self.ages() == self.since and fetch(self.west.address, SHOP_PORT).site == "east"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    """The sites, once for all tests of this file."""
    with Network(tmp_path_factory.mktemp("three")) as net:
        yield Three(net)


@pytest.fixture
def three(network: Three) -> Iterator[Three]:
    """The sites, unharmed before and after."""
    yield network
    assert network.is_unharmed()
    for site in network.sites:
        assert "Traceback" not in site.log_tail()


def site_id(site: Site) -> str:
    return str(site.get("status")["id"])


def problems(site: Site, code: str) -> list[Any]:
    return [problem for problem in site.get("status")["problems"] if problem["code"] == code]


def test_who_tells_two_neighbours_different_things_is_named_in_status(three: Three) -> None:
    with (
        Insider(three.tokens[three.west], "mallory") as here,
        Insider(three.tokens[three.east], "mallory") as there,
    ):
        there.identity = here.identity
        near, far = here.join_network(), there.join_network()
        both = tuple(
            Adjacency(RouterId(hello.router), SiteId(site_id(site)), 1)
            for hello, site in ((near, three.west), (far, three.east))
        )
        for at, insider in enumerate((here, there)):
            honest = insider.lsa(near, "x", sequence=7)
            assert isinstance(honest.body, Topology)
            body = msgspec.structs.replace(honest.body, adjacencies=both[at : at + 1])
            insider.tell(msgspec.structs.replace(honest, body=body))
        until(lambda: any(problems(site, "SW0672") for site in three.sites), "it is named")
        named = next(problem for site in three.sites for problem in problems(site, "SW0672"))
        assert here.identity.site in named["message"]
        assert "sitectl link delete" in named["hint"]
        events = [json.dumps(site.get("events")) for site in three.sites]
        assert max(told.count("signed two different") for told in events) == 1
    until(lambda: not any(s.is_up("mallory") for s in three.sites), "it is down")


def test_a_flood_of_lsas_keeps_nobody_else_from_converging(three: Three) -> None:
    with Insider(three.tokens[three.middle], "mallory") as insider:
        theirs = insider.join_network()
        middle = site_id(three.middle)
        flood = b"".join(
            frames.encode(
                frames.CONTROL,
                0,
                control.encode(
                    LsaMessage(
                        encode_lsa(
                            insider.lsa(theirs, middle, cost=1 + n % 9, sequence=n),
                            insider.identity,
                        )
                    )
                ),
            )
            for n in range(1, 501)
        )
        began, own = time.monotonic(), own_time()
        sent, converged = 0, None
        three.east.declare("later", SHOP_PORT + 5)
        while own_time() - own < (FLOOD_S if converged else CONVERGES_WITHIN_S):
            insider.write(flood)
            sent += 500
            if converged is None and three.west.service("later"):
                converged = own_time() - own
            pause = sent / FLOOD_PER_S - (time.monotonic() - began)
            if pause > 0:
                stays(lambda: True, "the flood goes on", pause)
        assert converged is not None and converged < CONVERGES_WITHIN_S
        assert sent / (own_time() - own) > FLOOD_PER_S / 5, "hardly a flood"
        assert three.is_unharmed()
    until(lambda: not three.middle.is_up("mallory"), "it is down")


def test_phantoms_take_no_place_of_a_site_that_lives(three: Three) -> None:
    names = {"west", "middle", "east"}
    with Insider(three.tokens[three.middle], "mallory") as insider:
        theirs = insider.join_network()
        middle = site_id(three.middle)
        insider.tell(insider.lsa(theirs, middle))
        for number in range(PHANTOMS):
            phantom = HostileIdentity(f"phantom{number}")
            lsa = msgspec.structs.replace(
                insider.lsa(theirs, middle),
                router=phantom.router,
                site=phantom.site,
                public_key=phantom.public_key,
            )
            insider.say(LsaMessage(encode_lsa(lsa, phantom)))
        until(
            lambda: all(site.reaches({"mallory"}) for site in three.sites),
            "what it said of itself is believed everywhere",
        )
        for site in three.sites:
            reached = {r["name"] for r in site.get("network") if r["reachable"]}
            assert reached == names | {"mallory"}
        assert three.is_unharmed()
    until(lambda: not three.middle.is_up("mallory"), "it is down")


def test_a_link_that_one_end_alone_claims_carries_nothing(three: Three) -> None:
    with Insider(three.tokens[three.west], "mallory") as insider:
        theirs = insider.join_network()
        first = insider.lsa(theirs, site_id(three.west))
        assert isinstance(first.body, Topology)
        east = Adjacency(router_of(three.east), SiteId(site_id(three.east)), 1)
        body = msgspec.structs.replace(first.body, adjacencies=(*first.body.adjacencies, east))
        insider.tell(msgspec.structs.replace(first, body=body))
        until(lambda: three.east.reaches({"mallory"}), "its word has gone round")
        routes = {r["name"]: r for r in three.west.get("network")}
        assert routes["east"]["next_hops"] == ["middle"]
        assert three.is_unharmed()
    until(lambda: not three.west.is_up("mallory"), "it is down")


def router_of(site: Site) -> RouterId:
    """The router id of a site."""
    return RouterId(json.loads((site.directory / "state.json").read_text())["router_id"])


def test_an_lsa_replayed_after_its_origin_left_revives_nothing(three: Three) -> None:
    with Insider(three.tokens[three.middle], "mallory") as insider:
        theirs = insider.join_network()
        lsa = insider.lsa(theirs, site_id(three.middle), epoch=limits.COUNTER_MAX, sequence=9)
        insider.tell(lsa)
        until(lambda: three.west.reaches({"mallory"}), "it is there")
    until(lambda: not three.west.reaches({"mallory"}), "it has left")
    with Insider(three.tokens[three.west], "other") as other:
        other.join_network()
        other.say(LsaMessage(encode_lsa(lsa, insider.identity)))
        stays(lambda: not three.west.reaches({"mallory"}), "it does not come back", 1.0)
        assert three.is_unharmed()
    until(lambda: not three.west.is_up("other"), "it is down")
