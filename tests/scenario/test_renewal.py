"""Certificates of links that renew themselves, on hosts whose clock says that days have passed."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.scenario.clients import Load, by_site
from tests.scenario.clocks import Host
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import stays, until


def pair(net: Network, kind: str = "claim") -> tuple[Host, Host]:
    """East, and west that dials it; both up."""
    east, west = Host(net, "east"), Host(net, "west")
    east.start()
    west.start()
    token = east.token(net, "--token-type", kind)
    west.site.ctl("link", "create", str(token), "--name", "east", "--wait", "50")
    return east, west


def expires(host: Host) -> str:
    return str(host.site.link("east")["certificate_expires"])


def runs(load: Load) -> None:
    """Until some more requests were answered."""
    count = len(load.answers)
    until(lambda: len(load.answers) > count + 20, "the load runs")


def events(host: Host) -> list[str]:
    return [one["code"] for one in host.site.json("events")]


def test_a_certificate_is_renewed_over_its_link_which_stays_up(net: Network) -> None:
    east, west = pair(net)
    first = expires(west)
    east.set_clock("+5d")
    until(lambda: "clock-moved" in events(east), "east makes certificates by its new clock")
    west.set_clock("+5d")
    until(lambda: expires(west) != first, "the certificate is another", 30)
    assert expires(west) > first
    assert "certificate-renewed" in events(west)
    assert west.site.is_up("east") and "link-down" not in events(west)
    until(lambda: len(west.site.get("links")) == 1, "the link before has drained")
    west.stop()
    west.start()
    until(lambda: west.site.is_up("east"), "up by what was kept")


def test_a_certificate_that_ends_with_its_token_is_replaced_as_soon_as_the_link_is_up(
    net: Network,
) -> None:
    """It counted as late from its first hour, since a third of its life was less than a day."""
    east, west = net.site("east"), net.site("west")
    net.start()
    token = net.token(east, "--token-type", "cert", "--expiry", "20h")
    west.ctl("link", "create", str(token), "--name", "east", "--wait", "50")
    until(lambda: "certificate-renewed" in [one["code"] for one in west.get("events")], "renewed")
    until(lambda: west.is_up("east"), "up by the new one")
    assert [one["code"] for one in west.get("status")["problems"]] == []


@pytest.mark.parametrize("kind", ["claim", "cert"])
def test_a_site_that_slept_for_months_rejoins_by_itself(net: Network, kind: str) -> None:
    east, west = pair(net, kind)
    west.stop()
    for host in (east, west):
        host.set_clock("+400d")
    until(lambda: "clock-moved" in events(east), "east saw it")
    west.start()
    until(lambda: west.site.is_up("east"), "rejoined", 60)
    assert "link-rejoined" in events(east)
    (line,) = east.site.get("links")
    assert (line["name"], line["state"]) == ("west", "up")


def test_a_site_that_was_revoked_while_it_slept_does_not_rejoin(net: Network) -> None:
    east, west = pair(net)
    west.stop()
    east.site.ctl("revoke-access", "--link", "west")
    for host in (east, west):
        host.set_clock("+90d")
    until(lambda: "clock-moved" in events(east), "east saw it")
    west.start()
    until(lambda: "certificate-not-renewed" in events(west), "refused", 60)
    assert "link-rejoined" not in events(east)
    assert not west.site.is_up("east")
    assert "SW0670" in west.problems()
    for secret in ("/secrets/admitted", "serial"):
        assert secret not in str(west.site.json("events"))


def test_renewing_by_hand_under_load_loses_nothing(net: Network) -> None:
    east, west = pair(net)
    for host in (east, west):
        host.site.declare("shop")
    east.site.connect("shop", net.http("east", 0.05))
    until(lambda: west.site.ready_targets("shop") == {"east": 1}, "offered")
    with Load([(west.site.address, SHOP_PORT)], 50) as load:
        for _ in range(3):
            runs(load)
            west.site.ctl("link", "renew", "east", "--wait", "50")
        runs(load)
    assert by_site(load.failed) == {}
    assert "link-down" not in events(west) + events(east)
    (line,) = east.site.json("link", "access")
    assert (line["name"], line["state"]) == ("west", "valid")
    assert len(line["serials"]) == 4


def test_revoking_a_site_bars_every_certificate_it_was_given(net: Network) -> None:
    east, west = pair(net)
    west.site.ctl("link", "renew", "east", "--wait", "50")
    (line,) = east.site.json("link", "access")
    east.site.ctl("revoke-access", "--link", "west")
    until(lambda: not west.site.is_up("east"), "cut off")
    revoked = json.loads((east.site.directory / "secrets" / "revoked.json").read_text())
    assert set(line["serials"]) <= set(revoked["serials"])
    (line,) = east.site.json("link", "access")
    assert line["state"] == "revoked"


def test_an_issuer_killed_before_its_answer_left_is_asked_again(net: Network) -> None:
    east, west = pair(net)
    first = expires(west)
    register = east.site.directory / "secrets" / "admitted"
    register.chmod(0o500)  # Nothing can be entered, so nothing is given.
    try:
        west.site.ctl("link", "renew", "east")
        if os.geteuid():
            until(lambda: "certificate-not-renewed" in events(west), "refused")
            assert expires(west) == first
    finally:
        register.chmod(0o700)
    east.site.kill()
    east.start()
    until(lambda: west.site.is_up("east"), "up again", 30)
    west.site.ctl("link", "renew", "east", "--wait", "30")
    assert west.site.is_up("east")


def test_a_session_outlives_no_certificate_and_no_jump_of_the_clock_ends_it(net: Network) -> None:
    east, west = pair(net)
    for off in ("+1h", "-1h", "+3650d", "+0"):
        east.set_clock(off)
        stays(lambda: west.site.is_up("east"), f"up at {off}", 3)
    assert "link-down" not in events(west) + events(east)


def test_a_half_written_certificate_is_set_aside_for_the_one_before_it(net: Network) -> None:
    east, west = net.site("east"), net.site("west")
    net.link(west, east)
    net.start()
    net.see_each_other()
    west.ctl("link", "renew", "east", "--wait", "30")
    folder = west.directory / "secrets" / "links" / "east"
    whole = (folder / "renewed.json").read_bytes()
    west.ctl("stop")
    (folder / "renewed.json").write_bytes(whole[: len(whole) // 2])
    west.start()
    until(lambda: west.is_up("east"), "the link is up")
    until(lambda: (folder / "renewed.json").exists(), "another certificate is here")
    assert (folder / "renewed.json").read_bytes() != whole
    assert (folder / "renewed.json.damaged").read_bytes() == whole[: len(whole) // 2]
    codes = [event["code"] for event in west.get("events")]
    assert codes.count("certificate-damaged") == 1
    assert "SW0404" not in [problem["code"] for problem in west.get("status")["problems"]]


def test_without_any_whole_certificate_a_site_rejoins(net: Network) -> None:
    east, west = net.site("east"), net.site("west")
    net.link(west, east)
    net.start()
    net.see_each_other()
    west.ctl("link", "renew", "east", "--wait", "30")
    folder = west.directory / "secrets" / "links" / "east"
    west.ctl("stop")
    for name in ("renewed.json", "client.crt"):
        (folder / name).write_bytes((folder / name).read_bytes()[:100])
    with paused(east):
        west.start()
        problems = until(lambda: west.get("status")["problems"], "the problem is named")
        assert [problem["code"] for problem in problems] == ["SW0404"]
        assert "renewed.json is damaged" in problems[0]["message"]
    until(lambda: west.is_up("east"), "the link is up", 60)
    assert "link-rejoined" in [event["code"] for event in east.get("events")]
    until(lambda: not west.get("status")["problems"], "the problem is over")


@contextmanager
def paused(site: Site) -> Iterator[None]:
    """Its router does nothing meanwhile."""
    site.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        site.signal(signal.SIGCONT)
