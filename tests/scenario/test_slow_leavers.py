"""A client that still reads when its site stops gets all that was answered."""

import contextlib
import signal
import socket
import time
from pathlib import Path

import pytest

from router.model import limits
from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.tls import Wire, credential, keep, trusting
from tests.scenario.waiting import until
from tests.scenario.worker_sites import are_ready, pinned

BODY_BYTES = limits.CLIENT_UNSENT_BYTES - 4_096  # The kernel holds all of it while no one reads.
PAUSE_S = 2.0  # Longer than an idle client is waited for.
REQUEST = b"GET /bytes/%d HTTP/1.1\r\nHost: shop\r\n\r\n" % BODY_BYTES


@pytest.mark.parametrize("by_tls", [False, True], ids=["clear", "tls"])
def test_an_answer_that_is_still_under_way_survives_the_end_of_its_site(
    net: Network, tmp_path: Path, by_tls: bool
) -> None:
    site, target = net.site("a"), net.http("a")
    if by_tls:
        credential(tmp_path / "shop")
        keep(site, "shop", tmp_path / "shop")
    site.declare("shop", SHOP_PORT, **({"tlsCert": "shop"} if by_tls else {}))
    site.connect("shop", target)
    net.start()
    net.ready("shop", {"a": 1})
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    sock.settimeout(10.0)
    sock.connect((site.address, SHOP_PORT))
    wire = Wire(sock, trusting(), "shop.test") if by_tls else None
    wire.send(REQUEST) if wire is not None else sock.sendall(REQUEST)

    def read() -> bytes:
        return sock.recv(65_536) if wire is None else wire.read()

    got = bytearray()
    while b"\r\n\r\n" not in got:
        got += read()
    until(lambda: site.rests("shop"), "for the site the request is over")
    site.signal(signal.SIGTERM)
    time.sleep(PAUSE_S)
    assert not site.gone()
    while data := read():
        got += data
    sock.close()
    assert len(got.partition(b"\r\n\r\n")[2]) == BODY_BYTES
    until(site.gone, "the site has stopped")


@pytest.mark.parametrize("fields", ["", "Connection: close\r\n"], ids=["pooled", "last"])
def test_a_client_that_has_its_answer_and_keeps_its_connection_delays_no_stop(
    net: Network, fields: str
) -> None:
    """Clients with a pool notice that a connection was closed when they want to use it again."""
    site, target = net.site("a", "--drain-grace", "1h"), net.http("a")
    site.declare("shop", SHOP_PORT, timeouts={"keepAlive": "5s"})
    site.connect("shop", target)
    net.start()
    net.ready("shop", {"a": 1})
    with socket.create_connection((site.address, SHOP_PORT), 10.0) as client:
        client.sendall(f"GET /bytes/2 HTTP/1.1\r\nHost: shop\r\n{fields}\r\n".encode())
        got = b""
        while b"\r\n\r\n" not in got or len(got.partition(b"\r\n\r\n")[2]) < 2:
            got += client.recv(65_536)
        site.signal(signal.SIGTERM)
        until(site.gone, "the site has stopped")


@pytest.mark.parametrize(
    ("workers", "count", "cut"),
    [
        (1, 1, "1 request or connection. (To wait longer"),
        (2, 16, "16 requests or connections. (To wait longer"),
    ],
)
def test_a_stop_says_what_all_workers_cut_after_its_time(
    net: Network, workers: int, count: int, cut: str
) -> None:
    """A tcp connection is under way until a side closes it."""
    site = net.site("a", "--drain-grace", "1s", "--workers", str(workers))
    site.declare("shop", SHOP_PORT, protocol="tcp")
    site.connect("shop", net.http("a"))
    net.start()
    net.ready("shop", {"a": 1})
    if workers > 1:
        until(lambda: "worker-ready" in site.ctl("events").out, "both serve")
    with contextlib.ExitStack() as clients:
        for _ in range(count):
            dialed = socket.create_connection((site.address, SHOP_PORT), 10.0)
            client = clients.enter_context(dialed)
            client.sendall(b"GET /bytes/2 HTTP/1.1\r\nHost: shop\r\n\r\n")
            assert client.recv(65_536)
        site.signal(signal.SIGTERM)
        until(site.gone, "the site has stopped")
    told = site.ctl("events", "--code", "drain-cut").out
    assert f" s after it was asked to, and cut {cut}" in told


def test_a_request_that_one_worker_serves_for_another_is_cut_once(net: Network) -> None:
    site, target = net.site("a", "--drain-grace", "1s", "--workers", "3"), net.http("a")
    site.declare("shop", SHOP_PORT)
    site.connect("shop", target, capacity=3)
    net.start()
    until(lambda: are_ready(site, 3), "all workers serve")
    net.ready("shop", {"a": 1})
    target.hold()
    lines = pinned(site, 1, 3)
    for line in lines:
        line.request("POST", "/", b"x")
    until(lambda: site.service("shop")["under_way"] == 3, "each worker serves one of them")
    site.signal(signal.SIGTERM)
    until(site.gone, "the site has stopped")
    for line in lines:
        line.close()
    told = site.ctl("events", "--code", "drain-cut").out
    assert "cut 3 requests or connections. (" in told


def test_a_stop_that_cuts_nothing_says_nothing_of_it(net: Network) -> None:
    site = net.site("a")
    net.start()
    site.signal(signal.SIGTERM)
    until(site.gone, "the site has stopped")
    assert "router-draining" in site.ctl("events").out
    assert "drain-cut" not in site.ctl("events").out


def test_a_stop_at_once_says_what_it_cut_and_not_to_wait_longer(net: Network) -> None:
    site, target = net.site("a"), net.http("a")
    site.declare("shop", SHOP_PORT, protocol="tcp")
    site.connect("shop", target)
    net.start()
    net.ready("shop", {"a": 1})
    with socket.create_connection((site.address, SHOP_PORT), 10.0) as client:
        client.sendall(b"GET /bytes/2 HTTP/1.1\r\nHost: shop\r\n\r\n")
        assert client.recv(65_536)
        site.ctl("stop", "--now")
    told = site.ctl("events", "--code", "drain-cut").out
    assert "cut 1 request or connection. (It was to stop at once" in told
