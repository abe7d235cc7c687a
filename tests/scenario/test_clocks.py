"""Hosts whose clock is wrong: the effects on links, tokens and certificates, and the messages."""

from datetime import datetime, timedelta

from tests.scenario.clients import fetch
from tests.scenario.clocks import Host
from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.waiting import until

CLOCK_TEXTS = ("the clocks differ by", "date -u", "timedatectl")


def events(host: Host) -> list[str]:
    """Codes of its router's events."""
    return [one["code"] for one in host.site.json("events")]


def test_a_link_to_a_host_a_day_ahead_names_the_clocks_and_comes_up_when_they_are_right(
    net: Network,
) -> None:
    ahead, right = Host(net, "ahead", "+1d"), Host(net, "right")
    ahead.start()
    right.start()
    claim = ahead.token(net)
    right.site.ctl("link", "create", str(claim), "--name", "claimed")
    offline = ahead.token(net, "--token-type", "cert")
    right.site.ctl("link", "create", str(offline), "--name", "offline")
    for name in ("claimed", "offline"):
        link = until(
            lambda name=name: (line := right.site.link(name)) and line["error"] and line,  # type: ignore[misc]
            f"{name} says why",
        )
        assert all(text in link["error"] for text in CLOCK_TEXTS), link
        assert "24 h" in link["error"] and "new token" not in link["error"]
        assert link["error_code"] == "clock"
    problems = [one for one in right.site.get("status")["problems"] if one["code"] == "SW0660"]
    assert [one["message"].split()[1] for one in problems] == ["claimed", "offline"]
    assert "SW0404" not in right.problems()
    refusals = [one for one in ahead.site.json("events") if one["code"] == "link-refused"]
    assert refusals and "by its clock it may not have begun yet" in refusals[0]["message"]

    right.set_clock("+1d")
    until(lambda: right.site.is_up("claimed") and right.site.is_up("offline"), "both links are up")
    until(lambda: "clock-moved" in events(right), "the jump is an event")
    assert "SW0660" not in right.problems()


def test_a_link_from_a_host_a_day_ahead_works_and_an_expired_token_says_by_which_clock(
    net: Network,
) -> None:
    right, ahead = Host(net, "right"), Host(net, "ahead", "+1d")
    right.start()
    ahead.start()
    claim = right.token(net)
    said = ahead.site.ctl("link", "create", str(claim), code=1).err
    assert "expired 23 h 4" in said and "by this host's clock, which says 20" in said
    assert "if it was made just now one of the two clocks is wrong" in said.lower()
    long = right.token(net, "--expiry", "48h")
    ahead.site.ctl("link", "create", str(long), "--name", "right", "--wait", "50")


def test_a_host_weeks_ahead_sees_other_routers_certificates_ended(net: Network) -> None:
    right, ahead = Host(net, "right"), Host(net, "ahead", "+40d")
    right.start()
    ahead.start()
    token = right.token(net, "--token-type", "cert")
    ahead.site.ctl("link", "create", str(token), "--name", "right")
    link = until(lambda: (line := ahead.site.link("right")) and line["error"] and line, "an error")
    assert "ended at" in link["error"] and "33 days" in link["error"]
    assert "a router renews its own in time, so the clocks differ" in link["error"]
    ahead.set_clock("+0")
    until(lambda: ahead.site.is_up("right"), "the link is up")


def test_a_clock_that_jumps_ahead_and_back_renews_certificates_at_once(net: Network) -> None:
    jumping, other = Host(net, "jumping"), Host(net, "other")
    jumping.start()
    other.start()
    token = jumping.token(net, "--token-type", "cert")
    other.site.ctl("link", "create", str(token), "--name", "jumping", "--wait", "50")
    leaf = jumping.site.directory / "secrets" / "leaf.crt"
    before = leaf.read_bytes()
    jumping.set_clock("+1d")
    until(lambda: events(jumping).count("clock-moved") == 1, "the jump is an event")
    assert leaf.read_bytes() == before
    assert other.site.is_up("jumping")
    jumping.set_clock("+25d")  # Two thirds of a leaf's life are over.
    until(lambda: leaf.read_bytes() != before, "the leaf is renewed")
    later = leaf.read_bytes()
    jumping.set_clock("+0")
    until(lambda: leaf.read_bytes() != later, "a leaf of the future is replaced")
    assert other.site.is_up("jumping")
    moved = [one["message"] for one in jumping.site.json("events") if one["code"] == "clock-moved"]
    assert "set ahead by 1 day, or the host slept" in moved[0]
    assert "set back by 25 days: it says" in moved[-1]
    third = jumping.token(net, "--token-type", "cert")
    other.site.ctl("link", "delete", "jumping")
    other.site.ctl("link", "create", str(third), "--name", "again", "--wait", "50")


def test_a_request_before_a_sleep_keeps_its_time(net: Network) -> None:
    host = Host(net, "host")
    host.site.declare("shop")
    host.site.connect("shop", net.http("host"))
    host.start()
    net.ready("shop", {"host": 1}, host.site)
    assert fetch(host.site.address, SHOP_PORT).status == 200
    (told,) = host.site.json("why", "shop", "--last", "1")
    host.set_clock("+1d")  # As after a night, in which the monotonic clock stood still.
    until(lambda: events(host).count("clock-moved") == 1, "the jump is an event")
    assert [one["at"] for one in host.site.json("why", "shop", "--last", "1")] == [told["at"]]
    assert fetch(host.site.address, SHOP_PORT).status == 200
    later, before = host.site.json("why", "shop", "--last", "2")
    assert before["at"] == told["at"]
    apart = datetime.fromisoformat(later["at"]) - datetime.fromisoformat(told["at"])
    assert apart >= timedelta(days=1)


def test_a_site_made_while_the_clock_was_years_behind_starts_and_says_what_to_do(
    net: Network,
) -> None:
    old, other = Host(net, "old", "-1500d"), Host(net, "other")
    old.set_clock("+0")
    old.start()
    other.start()
    assert "this site's CA ended at" in old.problems()["SW0661"]
    assert "sitectl --site old revoke-access" in old.site.ctl("status", code=3).out
    said = old.site.ctl(
        "token", "create", str(net.state / "t.yaml"), "--token-type", "cert", code=1
    )
    assert "timedatectl" in said.err and "CA ended" in said.err
    old.stop()
    old.site.ctl("revoke-access", "--yes")
    old.start()
    assert "SW0661" not in old.problems()
    token = old.token(net)
    other.site.ctl("link", "create", str(token), "--name", "old", "--wait", "50")


def test_a_site_made_while_the_clock_was_ahead_starts_and_says_what_to_do(net: Network) -> None:
    early = Host(net, "early", "+1d")
    early.set_clock("+0")
    early.start()
    assert "this site's CA begins at" in early.problems()["SW0661"]
    assert "SW0661" in early.site.ctl("check", code=3).out
