"""Small requests beside large answers, over a link whose way is narrow or has become so."""

import http.client
import math
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.scenario.harness import LINK_PORT, SHOP_PORT, Network
from tests.scenario.satellite import THERE, satellite, within
from tests.scenario.waiting import until

ONE_WAY_S = 0.05
"""So much that a fast time makes the kernel keep much ahead of what the way carries."""
WIDE_BYTES_PER_S = 2_500_000
NARROW_BYTES_PER_S = 125_000
MODEM_BYTES_PER_S = 16_250
WARM_BYTES = 10_000_000
CHUNK = bytes(65_536)
ASKED = 10


@dataclass(frozen=True)
class Backend:
    """A target on the loopback address of a namespace."""

    port: int
    address: str = "127.0.0.1"


class Answers(BaseHTTPRequestHandler):
    """`/large` has no end; everything else is short."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path != "/large":
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")
            return
        self.close_connection = True
        self.end_headers()
        try:
            while True:
                self.wfile.write(CHUNK)
        except OSError:
            """Nobody takes more."""

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def serving(namespace: str) -> Iterator[int]:
    """The port of a server on 127.0.0.1 of ``namespace``."""
    with within(namespace):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Large:
    """A client in ``namespace`` that takes an answer without end, in a thread."""

    def __init__(self, namespace: str) -> None:
        self.taken_bytes = 0
        self._closes = threading.Event()
        with within(namespace):
            self._asking = http.client.HTTPConnection("127.0.0.1", SHOP_PORT, timeout=60)
            self._asking.connect()
        self._thread = threading.Thread(target=self._take)
        self._thread.start()

    def _take(self) -> None:
        self._asking.request("GET", "/large")
        answer = self._asking.getresponse()
        while not self._closes.is_set() and (taken := answer.read1(len(CHUNK))):
            self.taken_bytes += len(taken)
        answer.close()
        self._asking.close()

    def close(self) -> None:
        """It has enough."""
        self._closes.set()
        self._thread.join()


class Shop:
    """Its server is at ``east``, its clients at ``west``."""

    def __init__(self, stack: ExitStack, tmp_path: Path) -> None:
        self.way, here, there = stack.enter_context(satellite(one_way_s=ONE_WAY_S, loss=0.0))
        net = stack.enter_context(Network(tmp_path / "state"))
        net.state.mkdir()
        self.east, self.west = east, _ = net.planned("east"), net.planned("west")
        east.quick("init", "east", "--ingress-bind-ip", "0.0.0.0", "--bind-port", str(LINK_PORT))
        self.west.quick("init", "west", "--ingress", "none")
        east.run({}, there)
        self.west.run({}, here)
        token = net.token(east, "--ingress-host", f"{THERE}:{LINK_PORT}")
        self.west.quick("link", "create", str(token), "--name", "east")
        east.declare("shop")
        east.connect("shop", Backend(port=stack.enter_context(serving(self.way.there))))
        until(lambda: self.west.offers("shop", {"east": 1}), "west knows the target")

    def takes(self, stack: ExitStack, count: int) -> list[Large]:
        """So many clients that take large answers."""
        clients = [Large(self.way.here) for _ in range(count)]
        for client in clients:
            stack.callback(client.close)
        return clients

    def ask(self) -> int:
        """The status of a small request."""
        with within(self.way.here):
            asking = http.client.HTTPConnection("127.0.0.1", SHOP_PORT, timeout=60)
            asking.connect()
        try:
            asking.request("GET", "/")
            return asking.getresponse().status
        finally:
            asking.close()


def test_small_requests_are_answered_beside_large_ones_when_a_way_becomes_narrow(
    tmp_path: Path,
) -> None:
    with ExitStack() as stack:
        shop = Shop(stack, tmp_path)
        shop.way.bytes_per_s = WIDE_BYTES_PER_S
        with ExitStack() as first:
            (large,) = shop.takes(first, 1)
            until(lambda: large.taken_bytes > WARM_BYTES, "the way was wide", 60.0)
        shop.way.bytes_per_s = NARROW_BYTES_PER_S
        asks_beside_large_ones(shop, 4)


def test_small_requests_are_answered_beside_large_ones_over_a_modem_with_a_deep_queue(
    tmp_path: Path,
) -> None:
    with ExitStack() as stack:
        shop = Shop(stack, tmp_path)
        shop.way.bytes_per_s, shop.way.queue_s = MODEM_BYTES_PER_S, 3.0
        asks_beside_large_ones(shop, 2)


def asks_beside_large_ones(shop: Shop, large: int) -> None:
    """Nothing is lost: the link stays up, and the large answers go on."""
    since = shop.west.link("east")["since"]
    with ExitStack() as stack:
        beside = shop.takes(stack, large)
        until(lambda: all(one.taken_bytes for one in beside), "each gets something", 60.0)
        until(lambda: shop.ask() == 200, "what was on its way at first has left", 60.0)
        assert [shop.ask() for _ in range(ASKED)] == [200] * ASKED
        before = [one.taken_bytes for one in beside]
        until(
            lambda: all(now.taken_bytes > then for now, then in zip(beside, before, strict=True)),
            "the large answers go on",
            60.0,
        )
        assert shop.west.is_up("east") and shop.west.link("east")["since"] == since
        shop.way.bytes_per_s = math.inf
