"""The site's CA replaced under load: no request fails, no stream ends, absent sites rejoin."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from certs import certificates
from tests.scenario.clients import Load, ask, connected
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until

DB_PORT = SHOP_PORT + 1
ROTATIONS = 10


class Star:
    """A hub with the services, and two sites that dial it by claims."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.hub, self.one, self.two = (net.site(name) for name in ("hub", "one", "two"))
        self.hub.declare("shop")
        self.hub.connect("shop", net.http("hub", 0.005), capacity=50)
        self.hub.declare("db", DB_PORT, protocol="tcp")
        self.hub.connect("db", net.tcp("hub"), capacity=50)
        net.start()
        for site in (self.one, self.two):
            token = net.token(self.hub)
            site.ctl("link", "create", str(token), "--name", "hub", "--wait", "50")
            until(partial(site.offers, "shop", {"hub": 1}), "the service is known")
            until(partial(site.offers, "db", {"hub": 1}), "the service is known")


@pytest.fixture
def star(tmp_path: Path) -> Iterator[Star]:
    with Network(tmp_path) as net:
        yield Star(net)


def ca_of(site: Site) -> str:
    """The fingerprint of the CA that issues."""
    return certificates.fingerprint((site.directory / "secrets" / "ca.crt").read_text())


def held_by(site: Site) -> str:
    """The serial of the certificate that its link to the hub shows."""
    import msgspec

    path = site.directory / "secrets" / "links" / "hub" / "renewed.json"
    return certificates.serial_of(msgspec.json.decode(path.read_bytes())["chain"])


def test_ten_rotations_back_to_back_under_load_lose_nothing(star: Star) -> None:
    hub, doors = star.hub, [(site.address, SHOP_PORT) for site in (star.one, star.two)]
    secrets = hub.directory / "secrets"
    cas, keys, took = {ca_of(hub)}, [(secrets / "ca.key").read_text()], []
    serials: set[str] = set()
    with (
        connected(star.one.address, DB_PORT) as stream,
        Load(doors, 40) as load,
    ):
        assert ask(stream, "name") == "hub"
        for number in range(ROTATIONS):
            began = time.monotonic()
            hub.ctl("ca", "rotate", "--now", "--wait", "60")
            took.append(time.monotonic() - began)
            cas.add(ca_of(hub))
            keys.append((secrets / "ca.key").read_text())
            serials |= {held_by(site) for site in (star.one, star.two)}
            assert ask(stream, "name") == "hub", f"after rotation {number}"
        answered = len(load.answers)
        until(lambda: len(load.answers) > answered + 50, "the load goes on")
    print(
        f"{ROTATIONS} rotations, {len(load.answers)} requests, {len(load.failed)} failed; "
        f"one takes {min(took):.2f} to {max(took):.2f} s, {sum(took):.1f} s in all"
    )
    assert not load.failed
    assert len(cas) == ROTATIONS + 1 and len(set(keys)) == ROTATIONS + 1
    assert len(serials) == 2 * ROTATIONS, "each site renewed by each CA"
    until(lambda: all(k["state"] == "up" for k in hub.get("links")), "what it left has drained")
    assert hub.get("ca")["phase"] == "one"
    _old_keys_are_gone(secrets, keys[:-1])


def _old_keys_are_gone(secrets: Path, old: list[str]) -> None:
    lines = {key.split("\n")[2] for key in old}
    for path in secrets.rglob("*"):
        if path.is_file():
            assert path.stat().st_mode & 0o777 == 0o600, path
            text = path.read_text(errors="replace")
            assert not any(line in text for line in lines), path


def test_a_site_that_was_away_for_a_whole_rotation_rejoins_by_itself(star: Star) -> None:
    star.two.ctl("stop")
    assert star.two.gone()
    before = ca_of(star.hub)
    star.hub.ctl("ca", "rotate")

    def waits_for() -> list[tuple[str, bool]]:
        waiting = star.hub.get("ca")["waiting"]
        return [(one["site"]["name"], one["connected"]) for one in waiting]

    until(lambda: waits_for() == [("two", False)], "it waits for the one that is away")
    assert "two" in star.hub.ctl("ca", "status").out
    star.hub.ctl("ca", "rotate", "--now", "--wait", "60")
    assert ca_of(star.hub) != before and star.hub.get("ca")["phase"] == "one"
    star.two.start()
    until(lambda: star.two.is_up("hub"), "it rejoined", 60.0)
    until(lambda: star.two.offers("shop", {"hub": 1}), "the service is known")
    refused = [one for one in star.two.get("events") if one["code"] == "link-refused"]
    assert {one["severity"] for one in refused} == {"warning"}, "it heals by itself"


def test_a_rotation_begun_while_the_router_is_stopped_goes_on_when_it_starts(star: Star) -> None:
    star.hub.ctl("stop")
    assert star.hub.gone()
    before = ca_of(star.hub)
    star.hub.ctl("ca", "rotate")
    status = star.hub.json("ca", "status", code=3)
    assert (status["phase"], [one["role"] for one in status["certificates"]]) == (
        "announced",
        ["issuing", "next"],
    )
    star.hub.start()
    until(lambda: star.hub.get("ca")["phase"] == "one", "it is done", 30.0)
    assert ca_of(star.hub) != before
    for site in (star.one, star.two):
        until(partial(site.is_up, "hub"), "its link is up", 30.0)


def test_a_router_that_is_killed_at_any_moment_of_a_rotation_finishes_it(star: Star) -> None:
    for pause_s in (0.1, 0.4):
        before = ca_of(star.hub)
        star.hub.ctl("ca", "rotate")
        time.sleep(pause_s)  # A moment of the rotation, whichever it is.
        star.hub.kill()
        star.hub.start()
        until(lambda: star.hub.get("ca")["phase"] == "one", f"it is done ({pause_s})", 60.0)
        assert ca_of(star.hub) != before
    for site in (star.one, star.two):
        until(partial(site.is_up, "hub"), "its link is up", 60.0)
