"""TLS at listeners and to targets, through two sites: who is believed, and how connections end."""

import contextlib
import http.client
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from router.model.limits import TLS_HANDSHAKES_PER_SOURCE
from tests.scenario.backends import HttpTarget, payload
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.tls import Ending, Wire, connect, credential, keep, serving, trusting
from tests.scenario.waiting import until

DB_PORT, WEB_PORT = SHOP_PORT + 1, SHOP_PORT + 2
BULK = payload(8 << 20)
HEADER_BYTES = 28  # Of the PROXY protocol for IPv4.


def serve_db(wire: Wire) -> None:
    """Does what the first bytes say."""
    verb, _, early = wire.read().partition(b"\n")
    if not verb:
        return  # A health check.
    if verb == b"echo":
        wire.send(early + wire.rest().data)
        wire.finish()
    elif verb == b"first":  # Ends its own direction first.
        wire.send(BULK)
        wire.finish()
        DB_GOT.append(wire.rest())
    elif verb == b"cut":
        wire.send(b"half of it")
        wire.cut()
        wire.rest()
    elif verb == b"rst":
        wire.send(b"half of it")
        wire.reset()
    elif verb == b"note":
        wire.send(b"noting")
        DB_GOT.append(wire.rest())


DB_GOT: list[Ending] = []
"""What the target was still told, of ``first`` and ``note``."""


def serve_web(wire: Wire) -> None:
    """HTTP/1.0 of the old kind: the end of the connection ends the answer."""
    path = wire.read().partition(b" ")[2].partition(b" ")[0]
    if not path:
        return
    wire.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it")
    if path == b"/cut":
        wire.cut()
        wire.rest()
    else:
        wire.finish()


class Crossing:
    """Clients come in at ``door`` by TLS; targets are at ``room``, ``db`` and ``web`` by TLS."""

    def __init__(self, net: Network, folder: Path, stack: contextlib.ExitStack) -> None:
        self.net = net
        self.door, self.room = net.site("door"), net.site("room")
        credential(folder / "shop")
        credential(folder / "db", "db.test")
        for site in (self.door, self.room):
            keep(site, "shop", folder / "shop")
        keep(self.room, "db", folder / "db")
        self.shop: HttpTarget = net.http("room")
        self.room.declare("shop", SHOP_PORT, tlsCert="shop")
        self.room.connect("shop", self.shop)
        self.room.declare("db", DB_PORT, protocol="tcp", tlsCert="shop")
        address = net.target_address
        self.db = stack.enter_context(serving(address, folder / "db", serve_db, proxied=True))
        by_tls: dict[str, Any] = {"tlsTrust": "db", "tlsServerName": "db.test"}
        self.room.connect("db", self.db, proxyProtocol=True, **by_tls)
        self.web = stack.enter_context(serving(address, folder / "db", serve_web))
        self.room.declare("web", WEB_PORT)
        self.room.connect("web", self.web, **by_tls)
        net.link(self.door, self.room, token="cert")
        net.start()
        for service in ("shop", "db", "web"):
            net.ready(service, {"room": 1})

    def site(self, name: str) -> Site:
        """One of the two."""
        return self.door if name == "door" else self.room


@pytest.fixture(scope="module")
def fresh_crossing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crossing]:
    """The two sites, once for all tests of this file."""
    with contextlib.ExitStack() as stack:
        net = stack.enter_context(Network(tmp_path_factory.mktemp("crossing")))
        yield Crossing(net, tmp_path_factory.mktemp("credentials"), stack)


@pytest.fixture
def crossing(fresh_crossing: Crossing) -> Iterator[Crossing]:
    """The two sites idle, before and after."""
    DB_GOT.clear()
    fresh_crossing.db.headers.clear()
    yield fresh_crossing
    for service in ("shop", "db", "web"):
        fresh_crossing.net.at_rest(service)


SITES = pytest.mark.parametrize("at", ["room", "door"], ids=["local", "across"])


def https(site: Site, path: str = "/", context: ssl.SSLContext | None = None) -> tuple[int, bytes]:
    """Status and body of one request to ``shop``."""
    with connect(site.address, SHOP_PORT, context=context) as wire:
        wire.send(f"GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n".encode())
        ending = wire.rest()
    assert ending.how == "end"
    return int(ending.data.split(b" ")[1]), ending.data.partition(b"\r\n\r\n")[2]


# Listeners.


@SITES
def test_a_request_by_tls_is_served_and_its_target_knows_how_it_came(
    crossing: Crossing, at: str
) -> None:
    assert https(crossing.site(at)) == (200, b"room\n")
    assert crossing.shop.seen[-1].all("x-forwarded-proto") == ["https"]


@pytest.mark.parametrize("offered", [("http/1.1",), ("h2", "http/1.1"), ("h2",), ()])
def test_a_client_of_http_need_not_agree_on_a_protocol(
    crossing: Crossing, offered: tuple[str, ...]
) -> None:
    assert https(crossing.door, context=trusting(alpn=offered)) == (200, b"room\n")


def test_a_client_that_trusts_another_authority_does_not_believe_the_listener(
    crossing: Crossing,
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(crossing.door.address, SHOP_PORT, context=trusting("other"))
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(crossing.door.address, SHOP_PORT, "bank.test")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_newer_are_spoken(crossing: Crossing, version: ssl.TLSVersion) -> None:
    context = trusting()
    context.minimum_version = context.maximum_version = version
    assert https(crossing.door, context=context) == (200, b"room\n")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_older_versions_and_weak_ciphers_are_refused(crossing: Crossing) -> None:
    old = trusting()
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    weak = trusting()
    weak.maximum_version = ssl.TLSVersion.TLSv1_2
    weak.set_ciphers("ECDHE-ECDSA-AES128-SHA:AES128-SHA:@SECLEVEL=0")
    for context in (old, weak):
        with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
            connect(crossing.door.address, SHOP_PORT, context=context)


def test_a_client_in_clear_gets_not_one_byte(crossing: Crossing) -> None:
    seen = len(crossing.shop.seen)
    with socket.create_connection((crossing.door.address, SHOP_PORT), 10) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
        got = b""
        with contextlib.suppress(ConnectionError):
            while data := sock.recv(1000):
                got += data
    assert b"HTTP" not in got
    assert len(crossing.shop.seen) == seen


def test_who_opens_connections_and_says_nothing_keeps_nobody_out(crossing: Crossing) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(TLS_HANDSHAKES_PER_SOURCE * 8):
            place = (crossing.door.address, SHOP_PORT)
            silent = socket.create_connection(place, 10, source_address=("127.0.0.9", 0))
            stack.enter_context(silent)
        for _ in range(5):
            assert https(crossing.door) == (200, b"room\n")


# Targets: the headers that they get, and how connections end.


@SITES
def test_a_target_is_told_its_client_before_the_handshake(crossing: Crossing, at: str) -> None:
    site = crossing.site(at)
    crossing.db.headers.clear()
    with connect(site.address, DB_PORT) as wire:
        wire.send(b"echo\n")
        client, port = wire.sock.getsockname()
        wire.finish()
        wire.rest()
    told = [header for header in crossing.db.headers if len(header) == HEADER_BYTES]
    addresses = socket.inet_aton(client) + socket.inet_aton(site.address)
    assert [header[16:] for header in told] == [addresses + port.to_bytes(2) + DB_PORT.to_bytes(2)]


def test_checks_tell_the_target_that_they_are_no_clients(crossing: Crossing) -> None:
    crossing.db.headers.clear()
    until(lambda: crossing.db.headers, "a check came")
    assert {len(header) for header in crossing.db.headers} == {16}


@SITES
def test_a_client_that_finished_by_close_notify_gets_the_whole_answer(
    crossing: Crossing, at: str
) -> None:
    with connect(crossing.site(at).address, DB_PORT) as wire:
        wire.send(b"echo\n")
        wire.send(BULK)
        wire.finish()
        ending = wire.rest()
    assert ending.how == "end"
    assert ending.data == BULK


@SITES
def test_a_target_that_finished_by_close_notify_is_still_told_everything(
    crossing: Crossing, at: str
) -> None:
    with connect(crossing.site(at).address, DB_PORT) as wire:
        wire.send(b"first\n")
        assert wire.rest() == Ending(BULK, "end")
        wire.send(BULK)
        wire.finish()
        (got,) = until(lambda: list(DB_GOT), "the target's end")
    assert got == Ending(BULK, "end")


@SITES
@pytest.mark.parametrize("verb", [b"cut", b"rst"])
def test_a_target_that_is_cut_off_is_never_a_clean_end_for_the_client(
    crossing: Crossing, at: str, verb: bytes
) -> None:
    with connect(crossing.site(at).address, DB_PORT) as wire:
        wire.send(verb + b"\n")
        assert wire.rest().how == "reset"


@SITES
@pytest.mark.parametrize("how", ["cut", "reset"])
def test_a_client_that_is_cut_off_is_never_a_clean_end_for_the_target(
    crossing: Crossing, at: str, how: str
) -> None:
    site = crossing.site(at)

    def counted(figure: str) -> int:
        edges = site.json("graph")["edges"]
        return sum(one[figure] for one in edges if one["service"] == "db")

    requests, failed = counted("requests_total"), counted("failed_total")
    with connect(site.address, DB_PORT) as wire:
        wire.send(b"note\n")
        wire.read_exactly(len(b"noting"))
        wire.cut() if how == "cut" else wire.reset()
        (got,) = until(lambda: list(DB_GOT), "the target's end")
    assert got.how == "reset"
    until(lambda: counted("requests_total") > requests, "the connection is counted")
    assert counted("failed_total") == failed, "the client may have had all it wanted"
    assert "client left" in site.ctl("why", "db", "--last", "1").out


@SITES
def test_an_answer_that_ends_with_its_connection_needs_the_close_notify(
    crossing: Crossing, at: str
) -> None:
    place = (crossing.site(at).address, WEB_PORT)
    connection = http.client.HTTPConnection(*place, timeout=10)
    connection.request("GET", "/whole")
    assert connection.getresponse().read() == b"all of it"
    connection.close()
    connection = http.client.HTTPConnection(*place, timeout=10)
    with pytest.raises((ConnectionError, http.client.IncompleteRead)):
        connection.request("GET", "/cut")
        connection.getresponse().read()
    connection.close()
