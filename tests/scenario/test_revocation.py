"""Access that is taken back, from one site or from all, while it is used as hard as it can be."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.scenario.clients import Load, fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import own_time, stays, until

DB_PORT = SHOP_PORT + 1
PIECE_BYTES = 1000
PIECES_ON_THE_WAY = 64


class Pipe:
    """A TCP stream that is read and written without a pause; when its last byte came.

    No more is on its way than comes back in a moment.
    """

    def __init__(self, site: Site) -> None:
        self._socket = socket.create_connection((site.address, DB_PORT), timeout=5)
        self.last = own_time()
        self.bytes = 0
        self.over = threading.Event()
        self._room = threading.Semaphore(PIECES_ON_THE_WAY)
        self._threads = [threading.Thread(target=self._read), threading.Thread(target=self._write)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        try:
            while data := self._socket.recv(65_536):
                before = self.bytes // PIECE_BYTES
                self.bytes += len(data)
                self.last = own_time()
                if pieces := self.bytes // PIECE_BYTES - before:
                    self._room.release(pieces)
        except OSError:
            pass
        self._end()

    def _end(self) -> None:
        self.over.set()
        self._room.release()

    def _write(self) -> None:
        try:
            self._socket.sendall(b"echo\n")
            while self._room.acquire() and not self.over.is_set():
                self._socket.sendall(bytes(PIECE_BYTES))
        except OSError:
            self._end()

    def close(self) -> None:
        """End it, if it has not been ended."""
        self._end()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._socket.close()


@contextmanager
def flowing(site: Site) -> Iterator[Pipe]:
    """A pipe through which bytes have come."""
    pipe = Pipe(site)
    try:
        until(lambda: pipe.bytes > 100_000, "bytes flow")
        yield pipe
    finally:
        pipe.close()


class Star:
    """A hub with the services, and two sites that dial it."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.hub, self.one, self.two = (net.site(name) for name in ("hub", "one", "two"))
        self.shop = net.http("hub", 0.005)
        self.hub.declare("shop")
        self.hub.connect("shop", self.shop, capacity=50)
        self.hub.declare("db", DB_PORT, protocol="tcp")
        self.hub.connect("db", net.tcp("hub"), capacity=50)
        net.start()
        for site in (self.one, self.two):
            self.link(site)

    def link(self, site: Site) -> None:
        """By a new claim; the services are there when this returns."""
        token = self.net.token(self.hub)
        site.ctl("link", "create", str(token), "--name", "hub", "--wait", "50")
        until(lambda: site.offers("shop", {"hub": 1}), "the service is known")
        until(lambda: site.offers("db", {"hub": 1}), "the service is known")

    def incoming(self, name: str) -> list[str]:
        """Links that ``name`` dialed, by the hub's word."""
        return [k["name"] for k in self.hub.get("links") if k["neighbour"]["name"] == name]


@pytest.fixture
def star(tmp_path: Path) -> Iterator[Star]:
    with Network(tmp_path) as net:
        yield Star(net)


def is_refused(site: Site) -> str:
    """Why its link to the hub is refused; empty: it is not."""
    (link,) = [k for k in site.get("links") if k["name"] == "hub"]
    return str(link["error"]) if link["state"] == "refused" else ""


def test_a_revoked_site_hears_no_byte_a_second_later_and_comes_back_by_a_new_token_alone(
    star: Star,
) -> None:
    others = [(star.two.address, SHOP_PORT)]
    with Load(others, 40) as load, flowing(star.one) as cut, flowing(star.two) as kept:
        began = own_time()
        star.hub.ctl("revoke-access", "--link", "one")
        ended = own_time()
        until(cut.over.is_set, "its stream is cut", 1.0)
        cut_s, verb_s = cut.last - began, ended - began
        print(f"revoke-access --link: verb {verb_s:.3f} s, last byte after {cut_s:.3f} s")
        assert cut.last < ended + 0.1, "nothing comes after the verb has said that it is done"
        at = kept.bytes
        until(lambda: kept.bytes > at + 100_000, "the other site's stream flows on")
        assert until(partial(is_refused, star.one), "it is told") and not star.incoming("one")
        assert "revoked" in is_refused(star.one)
        codes = [one["code"] for one in star.one.get("events")]
        assert codes.count("link-up") == 1, "what is refused was never up"
        stays(lambda: not star.incoming("one"), "it does not come back by itself", 2.0)
    assert not load.failed
    star.one.ctl("link", "delete", "hub")
    star.link(star.one)
    assert fetch(star.one.address, SHOP_PORT).status == 200


def test_without_access_for_all_every_stream_of_others_ends_and_new_tokens_work_at_once(
    star: Star,
) -> None:
    old = star.net.token(star.hub)
    with flowing(star.one) as one, flowing(star.two) as two:
        began = own_time()
        star.hub.ctl("--yes", "revoke-access")
        ended = own_time()
        for pipe in (one, two):
            until(pipe.over.is_set, "its stream is cut", 1.0)
            print(f"revoke-access: verb {ended - began:.3f} s, last byte {pipe.last - began:.3f} s")
            assert pipe.last < ended + 0.1
    for site in (star.one, star.two):
        assert until(partial(is_refused, site), "it is refused")
        site.ctl("link", "delete", "hub")
    star.one.ctl("link", "create", str(old), "--name", "hub")
    stays(lambda: not star.incoming("one"), "a token of before lets nobody in", 2.0)
    star.one.ctl("link", "delete", "hub")
    star.link(star.one)
    assert fetch(star.one.address, SHOP_PORT).status == 200
    secrets = star.hub.directory / "secrets"
    assert (secrets / "ca.key").stat().st_mode & 0o777 == 0o600
    assert not (secrets / "ca-rotation.json").exists()
