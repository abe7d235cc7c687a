"""A site that was put out loses its declarations and targets at once, at every site."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import own_time, stays, until

DB_PORT = SHOP_PORT + 1
LEDGER_PORT = SHOP_PORT + 2
AT_ONCE_S = 1.0

LET_IN_S = 8.0  # A link that is refused is dialed again after half a minute.


class Held:
    """A TCP connection through which something came; ``over`` is set when it ends."""

    def __init__(self, site: Site, port: int) -> None:
        self._socket = socket.create_connection((site.address, port), timeout=5)
        self._socket.sendall(b"echo\nhello\n")
        assert self._socket.recv(1)
        self._socket.settimeout(None)
        self.over = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        with suppress(OSError):
            while self._socket.recv(4096):
                pass
        self.over.set()

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._socket.close()


@contextmanager
def held(site: Site, port: int) -> Iterator[Held]:
    """A connection to a service at ``site``."""
    one = Held(site, port)
    try:
        yield one
    finally:
        one.close()


def seen(site: Site, name: str) -> Any:
    """The row of a site in `network status` of another one."""
    return next(row for row in site.get("network") if row["name"] == name)


def barred(site: Site, name: str) -> Any:
    """The row of a site that another site bars, if ``site`` knows both."""
    rows = [row for row in site.get("network") if row["name"] == name and row["barred_by"]]
    return rows[0] if rows else None


def lacks(site: Site, service: str) -> bool:
    return site.service(service) is None


def costs(site: Site, name: str, cost: int) -> bool:
    return bool(seen(site, name)["path_cost"] == cost)


def revoke(at: Site, name: str) -> float:
    """When the command has returned."""
    at.ctl("revoke-access", "--link", name)
    return own_time()


class Sites:
    """``east`` declares shop, db (tcp) and has targets of both; ``mid`` can put it out."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.west, self.mid, self.east = (net.site(name) for name in ("west", "mid", "east"))
        self.east.declare("shop")
        self.east.connect("shop", net.http("east"), capacity=5)
        self.east.declare("db", DB_PORT, protocol="tcp")
        self.east.connect("db", net.tcp("east"), capacity=50)
        self.mid.declare("ledger", LEDGER_PORT, protocol="tcp")
        self.mid.connect("ledger", net.tcp("mid"), capacity=50)

    def begin(self) -> None:
        self.net.start()
        for service in ("shop", "db"):
            self.net.ready(service, {"east": 1})
        self.net.ready("ledger", {"mid": 1})
        until(self.is_let_in, "mid has the link of east")

    def is_let_in(self) -> bool:
        links = [one for one in self.mid.get("links") if one["direction"] == "incoming"]
        return any(one["neighbour"]["name"] == "east" and one["state"] == "up" for one in links)

    def let_in_again(self) -> None:
        self.east.ctl("link", "delete", "mid")
        self.net.link(self.east, self.mid)
        until(self.is_let_in, "mid has the link of east again")


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Sites]:
    """west - mid - east."""
    with Network(tmp_path) as net:
        sites = Sites(net)
        net.link(sites.west, sites.mid)
        net.link(sites.east, sites.mid)
        sites.begin()
        yield sites


@pytest.fixture
def triangle(tmp_path: Path) -> Iterator[Sites]:
    """All are linked; streams between mid and east go through west, which is cheaper."""
    with Network(tmp_path) as net:
        sites = Sites(net)
        net.link(sites.west, sites.mid)
        net.link(sites.east, sites.mid, cost=20)
        net.link(sites.east, sites.west)
        sites.begin()
        until(partial(costs, sites.west, "east", 1), "west goes straight to east")
        for one, other in ((sites.mid, "east"), (sites.east, "mid")):
            until(partial(costs, one, other, 2), "they go by west")
        yield sites


def test_in_a_chain_the_revoked_sites_services_are_gone_at_once_and_return_with_a_new_token(
    chain: Sites,
) -> None:
    west, mid, east = chain.west, chain.mid, chain.east
    with held(west, DB_PORT) as across, held(east, LEDGER_PORT) as back:
        ended = revoke(mid, "east")
        for name in ("shop", "db"):
            until(partial(lacks, mid, name), f"mid has no {name}", AT_ONCE_S)
            until(partial(lacks, west, name), f"west has no {name}", AT_ONCE_S)
        print(f"revoke-access: all services gone at west {own_time() - ended:.3f} s after the verb")
        assert across.over.wait(AT_ONCE_S) and back.over.wait(AT_ONCE_S)
    for site in (west, mid):
        row = seen(site, "east")
        assert row["put_out"] and [bar["site"] for bar in row["barred_by"]] == ["mid"]
        assert "barred by mid until" in site.ctl("network", "status").out
        notes = [note for note in site.get("status")["notes"] if note["code"] == "SW0342"]
        assert "mid bars east until" in notes[0]["message"]
        assert "site-barred" in json.dumps(site.get("events"))
    # A restart of the one that put it out, by a crash: it says so again in its first word.
    mid.kill()
    mid.start()
    until(partial(west.is_up, "mid"), "west is linked to mid again")
    until(partial(barred, west, "east"), "west hears of it again")
    stays(lambda: west.service("shop") is None, "shop stays away", 1.0)
    # A restart of a site that only heard of it.
    west.kill()
    west.start()
    until(partial(west.is_up, "mid"), "west is linked to mid again")
    stays(lambda: west.service("shop") is None, "shop stays away", 1.0)
    chain.let_in_again()
    for name in ("shop", "db"):
        chain.net.ready(name, {"east": 1}, west, mid)
    assert fetch(west.address, SHOP_PORT).body == b"east\n"
    until(lambda: not seen(west, "east")["barred_by"], "nobody bars it")
    assert not [n for n in west.get("status")["notes"] if n["code"] == "SW0342"]
    assert "site-unbarred" in json.dumps(west.get("events"))


def test_targets_of_a_barred_sites_service_say_which_site_is_barred(chain: Sites) -> None:
    mid = chain.mid
    mid.connect("shop", chain.net.http("mid"), capacity=5)
    chain.net.ready("shop", {"mid": 1, "east": 1})
    revoke(mid, "east")
    (problem,) = until(lambda: mid.problems("SW0301"), "status has the problem")
    assert "east, which declared it last, is barred by mid." in problem["message"]
    assert "To let east in again, at mid: sitectl token create FILE. Else: " in problem["hint"]


def test_a_link_that_the_revoking_site_dials_is_back_when_it_lets_the_site_in(chain: Sites) -> None:
    mid = chain.mid
    chain.net.link(mid, chain.east)
    until(partial(mid.is_up, "east"), "mid dials east, too")
    revoke(mid, "east")
    until(lambda: "has revoked" in mid.link_error("east"), "mid itself lets no link to east up")
    (problem,) = mid.problems("SW0404")
    assert problem["hint"].startswith("It comes up by itself once that site has linked here")
    chain.let_in_again()
    until(partial(mid.is_up, "east"), "it does not wait for the end of a pause", LET_IN_S)
    mid.until_well()


def test_a_router_that_was_away_during_the_revocation_begins_without_the_site(
    chain: Sites,
) -> None:
    west, mid = chain.west, chain.mid
    west.kill()  # It has written down what east declares.
    revoke(mid, "east")
    west.start()
    until(partial(west.is_up, "mid"), "west is linked to mid again")
    until(lambda: west.service("shop") is None, "west has no shop", 5.0)


def test_a_site_that_is_merely_lost_keeps_its_services(chain: Sites) -> None:
    chain.east.kill()
    until(lambda: not seen(chain.west, "east")["reachable"], "east is lost")
    stays(lambda: chain.west.service("shop") is not None, "shop is known", 1.0)
    assert not seen(chain.west, "east")["put_out"]


def test_in_a_triangle_only_the_revoking_site_does_without_and_streams_by_the_other_way_end(
    triangle: Sites,
) -> None:
    west, mid, east = triangle.west, triangle.mid, triangle.east
    with held(mid, DB_PORT) as out, held(east, LEDGER_PORT) as into, held(west, DB_PORT) as kept:
        ended = revoke(mid, "east")
        assert out.over.wait(AT_ONCE_S), "mid's stream to east, through west, is reset"
        assert into.over.wait(AT_ONCE_S), "east's stream to mid, through west, is reset"
        until(lambda: mid.service("shop") is None, "mid has no shop", AT_ONCE_S)
        print(f"revoke-access: all over at mid {own_time() - ended:.3f} s after the verb")
        row = until(partial(barred, west, "east"), "west hears of it", AT_ONCE_S)
        assert not row["put_out"] and row["reachable"]
        stays(lambda: not kept.over.is_set(), "west's own stream goes on", 0.5)
    assert fetch(west.address, SHOP_PORT).body == b"east\n"
    assert "counts here" in json.dumps(west.get("status")["notes"])
    with socket.create_connection((east.address, LEDGER_PORT), timeout=5) as asking:
        asking.sendall(b"echo\nhello\n")
        with suppress(ConnectionError):
            assert asking.recv(1) == b"", "mid serves it no more"
    triangle.let_in_again()
    triangle.net.ready("shop", {"east": 1})
    triangle.net.ready("ledger", {"mid": 1})
    with held(mid, DB_PORT), held(east, LEDGER_PORT):
        pass


def test_without_access_for_all_those_who_were_let_in_are_put_out(chain: Sites) -> None:
    chain.mid.ctl("--yes", "revoke-access")
    ended = own_time()
    until(lambda: chain.mid.service("shop") is None, "mid has no shop", AT_ONCE_S)
    print(f"revoke-access of all: shop gone at mid {own_time() - ended:.3f} s after the verb")
    until(lambda: chain.west.service("shop") is not None, "west itself is cut off: it keeps all")
    chain.let_in_again()
    chain.net.ready("shop", {"east": 1}, chain.mid)
