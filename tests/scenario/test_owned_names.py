"""Who owns a name: real sites, real commands, and a member that says it was there first."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from router.model import limits
from router.model.specs import ServiceSpec
from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.insider import Insider
from tests.scenario.waiting import stays, until

LIES = SHOP_PORT + 7


class Line:
    """west - mid - east: shop is east's, and mid knew it before any other site declared it."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.west, self.mid, self.east = net.site("west"), net.site("mid"), net.site("east")
        self.east.declare("shop")
        self.east.connect("shop", net.http("east"), capacity=5)
        net.link(self.west, self.mid)
        net.link(self.mid, self.east)
        net.start()
        net.ready("shop", {"east": 1})
        for site in (self.west, self.mid, self.east):
            until(partial(knows, site), "it knows the owner for good")
            assert owners(site, "shop") == ["east"]


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    """New for each test: a member's declarations count for minutes."""
    with Network(tmp_path / "state") as net:
        yield Line(net)


def name_of(site: Site, name: str) -> dict[str, object]:
    found = [view for view in site.get("names") if view["name"] == name]
    return found[0] if found else {}


def owners(site: Site, name: str) -> object:
    return name_of(site, name).get("owners")


def differing(site: Site, sites: list[str]) -> bool:
    return name_of(site, "shop").get("differing") == sites


def knows(site: Site) -> bool:
    """It is no newcomer any more, and would know the owner of shop after a restart."""
    linked = [event["at"] for event in site.get("events") if event["code"] == "link-up"]
    ago = datetime.now(UTC) - datetime.fromisoformat(min(linked))
    file = site.directory / "owners.json"
    is_kept = file.exists() and "shop" in json.loads(file.read_text())
    return ago.total_seconds() > 2 * limits.OWNER_MET_S and is_kept


def codes(site: Site) -> set[str]:
    return {problem["code"] for problem in site.get("status")["problems"]}


def lie(line: Line) -> Insider:
    """A member of mid that declares shop otherwise, and long ago."""
    token = line.net.token(line.mid, "--token-type", "cert")
    mallory = Insider(token)
    theirs = mallory.join_network()
    specs = {"shop": ServiceSpec(protocol="tcp", ports=(LIES,))}
    mallory.declare(theirs, line.mid.get("status")["id"], specs, declared_at_s=-1e308)
    return mallory


def all_use_the_owners(line: Line) -> None:
    for site in (line.west, line.mid, line.east):
        until(partial(differing, site, ["mallory"]), "the lie was heard")
        assert name_of(site, "shop")["declared_by"] == "east"
        assert fetch(site.address, SHOP_PORT).body == b"east\n"
        assert "SW0304" in codes(site)


def test_a_member_that_declares_an_owned_name_with_an_old_date_changes_nothing(line: Line) -> None:
    with lie(line):
        all_use_the_owners(line)


def test_a_router_that_restarts_remembers_the_owner_whomever_it_hears_first(line: Line) -> None:
    line.mid.kill()
    line.east.kill()
    line.net.start(line.mid)
    with lie(line):
        until(lambda: name_of(line.mid, "shop").get("differing") == ["mallory"], "a lie alone")
        assert name_of(line.mid, "shop")["declared_by"] in ("", "east")
        line.net.start(line.east)
        line.net.ready("shop", {"east": 1})
        all_use_the_owners(line)


def test_who_declares_a_name_of_another_differently_is_told_at_once_and_may_be_adopted(
    line: Line,
) -> None:
    done = line.west.ctl("service", "create", "shop", str(SHOP_PORT + 1), code=5)
    assert "east owns the name" in done.err
    assert "sitectl --site west service delete shop" in done.err
    assert ", there: sitectl service adopt shop --from " in done.err
    assert name_of(line.west, "shop")["declared_by"] == "west"
    assert name_of(line.mid, "shop")["declared_by"] == "east"
    assert line.west.ctl("service", "set", "shop", "--queue", "7", code=5).err
    assert json.loads(line.mid.ctl("service", "adopt", "shop", "--from", "west", "-o", "json").out)[
        "item"
    ] == {"kind": "Service", "name": "shop", "change": "updated"}
    until(lambda: name_of(line.mid, "shop")["declared_by"] == "west", "mid follows")
    again = line.mid.ctl("service", "adopt", "shop", "--from", "west")
    assert "already" in again.out
    refused = line.mid.ctl("service", "adopt", "shop", "--from", "nowhere", code=1)
    assert "no site 'nowhere' declares service 'shop'" in refused.err
    assert "one of: " in refused.err
    owner = line.east.ctl("service", "adopt", "shop", "--from", "west", code=1)
    assert "declared at this site, and that counts here" in owner.err
    assert "delete shop (its targets here go, too: bind them again), then adopt it" in owner.err
    line.mid.ctl("service", "adopt", "shop", "--from", "east")
    until(lambda: name_of(line.mid, "shop")["declared_by"] == "east", "mid follows")
    line.west.ctl("service", "delete", "shop")
    until(lambda: name_of(line.west, "shop")["declared_by"] == "east", "west has it of east again")
    declared = line.net.state / "shop.yaml"
    declared.write_text(
        "{apiVersion: spillway/v1, kind: Service, name: shop, "
        f"spec: {{protocol: http, ports: [{SHOP_PORT + 1}]}}}}\n"
    )
    applied = line.west.ctl("apply", "-f", str(declared), code=5)
    assert applied.out == "service shop created\n" and "east owns the name" in applied.err
    line.west.ctl("service", "delete", "shop")
    until(lambda: name_of(line.west, "shop")["declared_by"] == "east", "west has it of east again")
    words = ("expose", "host", "10.0.0.5", "--address", "shop", "--port", str(SHOP_PORT + 1))
    assert "east owns the name" in line.west.ctl(*words, code=5).err
    line.west.ctl("unexpose", "host", "10.0.0.5", "--address", "shop")
    until(lambda: name_of(line.west, "shop")["declared_by"] == "east", "west has it of east again")
    line.net.ready("shop", {"east": 1})


def test_an_own_name_is_declared_without_a_word_about_others(line: Line) -> None:
    line.west.ctl("service", "create", "mail", str(SHOP_PORT + 3))
    until(lambda: owners(line.east, "mail") == ["west"], "east heard of it")
    assert line.east.ctl("service", "create", "mail", str(SHOP_PORT + 3)).out, "the very same"
    stays(lambda: not name_of(line.west, "mail")["differing"], "nobody differs", 0.3)
