"""`ping` over real routers: hops that take longer one after the other, and a way that breaks."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import releases
from tests.scenario.clients import burst
from tests.scenario.harness import ROOT, SHOP_PORT, Network, Site, own_address
from tests.scenario.slow_way import SlowWay
from tests.scenario.waiting import until

ONE_WAY_S = 0.02
NAMES = ("near", "middle", "far")


class Line:
    """``near`` - ``middle`` - ``far``; a link takes ``ONE_WAY_S`` each way."""

    def __init__(self, stack: ExitStack, state: Path, codes: tuple[Path, ...]) -> None:
        self.net = stack.enter_context(Network(state))
        self.sites = [
            self.net.site(name, code=code) for name, code in zip(NAMES, codes, strict=True)
        ]
        self.near, self.middle, self.far = self.sites
        for dialer, acceptor, cost in ((self.near, self.middle, 2), (self.middle, self.far, 3)):
            way = stack.enter_context(
                SlowWay(own_address(), acceptor.address, acceptor.link_port, ONE_WAY_S)
            )
            (document,) = (acceptor.directory / "config").glob("site-*.yaml")
            text = document.read_text()
            assert acceptor.link_door in text
            document.write_text(text.replace(acceptor.link_door, f"{way.address}:{way.port}"))
            self.net.link(dialer, acceptor, cost)
        self.net.start()
        self.net.see_each_other()


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    with ExitStack() as stack:
        yield Line(stack, tmp_path_factory.mktemp("line"), (ROOT,) * 3)


def test_each_hop_takes_longer_than_the_one_before(line: Line) -> None:
    told = line.near.json("ping", "far", "-c", "4")
    assert (told["site"], told["reachable"], told["path_cost"]) == ("far", True, 5)
    assert told["id"] == line.far.get("status")["id"]
    middle, far = told["hops"]
    assert [(hop["site"], hop["cost"], hop["path_cost"]) for hop in told["hops"]] == [
        ("middle", 2, 2),
        ("far", 3, 5),
    ]
    assert [(hop["sent"], hop["answered"]) for hop in told["hops"]] == [(4, 4)] * 2
    assert middle["rtt_ms"][0] >= 2_000 * ONE_WAY_S
    assert far["rtt_ms"][0] >= 4_000 * ONE_WAY_S
    assert middle["rtt_ms"] == sorted(middle["rtt_ms"])
    assert middle["certificate_expires"]
    assert far["certificate_expires"] is None
    assert middle["version"] == line.middle.get("status")["version"]


def test_people_read_a_table_and_find_the_site_by_its_id_too(line: Line) -> None:
    said = line.near.ctl("ping", line.far.get("status")["id"], "-c", "1").out
    assert said.startswith("far (")
    assert "2 hops, cost 5" in said
    assert "1/1" in said
    line.near.ctl("ping", "nobody", code=4)
    line.near.ctl("ping", "near", code=2)
    line.near.ctl("ping", "far", "--via", "nothing", code=2)


def test_several_rounds_are_one_call_of_the_api(line: Line) -> None:
    told = line.near.get("ping/far?count=3&via=middle")
    assert [hop["sent"] for hop in told["hops"]] == [3, 3]


def test_a_site_two_links_away_is_seen_whole(line: Line) -> None:
    line.far.declare("shop")
    line.far.connect("shop", line.net.http("far"), capacity=5)
    line.net.ready("shop", {"far": 1})
    burst(line.near.address, SHOP_PORT, 10)
    until(lambda: _requests(line, "far") == 10, "far tells of ten requests at its target")
    told = line.near.json("network", "status", "far")
    (service,) = told["services"]
    assert (service["name"], service["capacity"], service["requests_total"]) == ("shop", 5, 0)
    (target,) = service["targets"]
    assert (target["ready"], target["host"]) == (True, "")
    assert [link["neighbour"]["name"] for link in told["links"]] == ["middle"]
    back = line.far.json("network", "status", "near")["services"][0]
    assert back["served"] == [{"site": "far", "requests": 10, "overflow": 0}]
    said = line.near.ctl("network", "status", "far").out
    assert "LINK TO" in said and "shop" in said
    assert line.far.address not in json.dumps(told)
    line.near.ctl("network", "status", "nobody", code=4)
    (history,) = line.near.get("history?service=shop&site=far")
    assert (history["service"], history["site"]) == ("shop", "far")


def _requests(line: Line, site: str) -> int:
    """Of the only target of shop there, as that site reports to ``near``."""
    services = line.near.get(f"sites/{site}")["services"]
    return sum(target["requests_total"] for one in services for target in one["targets"])


def test_a_site_that_tells_nothing_says_so_and_is_measured_all_the_same(line: Line) -> None:
    (document,) = (line.far.directory / "config").glob("site-*.yaml")
    text = document.read_text()
    document.write_text(f"{text}  tells: nothing\n")
    until(lambda: not line.near.get("sites/far")["told"], "far tells nothing")
    assert line.near.get("sites/far")["error"] == "it does not tell this site of itself"
    assert line.near.json("ping", "far", "-c", "1")["reachable"]
    document.write_text(text)
    until(lambda: line.near.get("sites/far")["told"], "far tells again")


def is_at_rest(line: Line) -> bool:
    return not any(link["streams"] for site in line.sites for link in site.get("links"))


def test_with_the_middle_killed_it_says_where_the_way_breaks(line: Line) -> None:
    until(lambda: is_at_rest(line), "no question is left on the links")
    line.middle.kill()
    until(lambda: not line.near.reaches({"far"}), "near knows")
    told = line.near.json("ping", "far", "-c", "1", code=1)
    assert not told["reachable"]
    assert "nothing goes over the link between near and middle" in told["reason"]
    assert "link middle to middle is down" in told["reason"]
    assert [(hop["site"], hop["sent"]) for hop in told["hops"]] == [("middle", 0), ("far", 0)]
    said = line.near.ctl("ping", "far", "-c", "1", code=1).out
    assert "far is not reached: nothing goes over the link between near and middle" in said
    line.middle.start()
    line.net.see_each_other()
    line.far.kill()
    # After middle restarted, near may hear late that middle has its link to far again, and until
    # then not reach far for that reason.
    down = "nothing goes over the link between middle and far"
    until(lambda: down in line.near.get("ping/far?count=1")["reason"], "near knows")
    told = line.near.json("ping", "far", "-c", "1", code=1)
    assert [(hop["site"], hop["answered"]) for hop in told["hops"]] == [("middle", 1), ("far", 0)]
    assert down in told["reason"]


OLD = releases.previous
LINES = {
    "an old one in the middle": lambda: (ROOT, OLD(), ROOT),
    "an old one at the end": lambda: (ROOT, ROOT, OLD()),
    "old ones but for us": lambda: (ROOT, OLD(), OLD()),
}


@pytest.mark.parametrize("codes", LINES)
def test_routers_of_the_last_release_are_measured_too(codes: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        line = Line(stack, tmp_path, LINES[codes]())
        told = line.near.json("ping", "far", "-c", "2")
        assert [(hop["site"], hop["answered"]) for hop in told["hops"]] == [
            ("middle", 2),
            ("far", 2),
        ]
        least = [hop["rtt_ms"][0] for hop in told["hops"]]
        assert least[0] >= 2_000 * ONE_WAY_S
        assert least[1] >= 4_000 * ONE_WAY_S
        versions = [hop["version"] for hop in told["hops"]]
        assert versions == [site.get("status")["version"] for site in line.sites[1:]]
        for site in line.sites[1:]:
            told = line.near.json("network", "status", site.name)
            assert told["told"] == (site.code == ROOT)
            assert told["told"] or told["error"].startswith("its router is of an older release")
        assert shows_no_trouble(line.middle)
        assert shows_no_trouble(line.far)


def shows_no_trouble(site: Site) -> bool:
    """No stream was refused, as far as its events tell."""
    refusals = {"link-refused-stream", "export-refused"}
    return refusals.isdisjoint(event["code"] for event in site.get("events"))
