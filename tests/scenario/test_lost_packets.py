"""The first packet of a connect is lost: the kernel sends it again a second later."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.scenario.clients import Answer, fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until

SYN_SENT = "02"
IN_TIME_S = 0.8  # A lost packet is sent again after 1 s.
ROUNDS = 5  # A busy machine may be late.
WAITING = 4  # Connections that the kernel takes before they are accepted.
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class Door:
    """A target that may leave its connections unaccepted: then the kernel drops new ones."""

    def __init__(self, address: str) -> None:
        self._listener = socket.create_server((address, 0), backlog=WAITING)
        self.address, self.port = self._listener.getsockname()
        self._opened = threading.Event()
        self._opened.set()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def shut(self) -> None:
        """Accept nothing, and fill the queue."""
        self._opened.clear()
        try:
            while True:  # Who waits in `accept` takes the first one, and then no more.
                socket.create_connection((self.address, self.port), 0.1).close()
        except TimeoutError:
            pass

    @property
    def unanswered(self) -> int:
        """Connects to it of which the first packet was sent, and maybe lost."""
        place = f":{self.port:04X} {SYN_SENT} "
        return Path("/proc/net/tcp").read_text().count(place)

    def open(self) -> None:
        self._opened.set()

    def close(self) -> None:
        self.open()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # It is closed.
                return
            with connection:
                if connection.recv(65_536):
                    connection.sendall(ANSWER)
            self._opened.wait()


@pytest.fixture
def door(net: Network) -> Iterator[Door]:
    door = Door(net.target_address)
    yield door
    door.close()


def asked_of_a_shut_door(site: Site, door: Door) -> tuple[Answer, float]:
    """What a client gets whose connect, and a check's, met a full queue; how long it was full."""
    began = time.monotonic()
    door.shut()
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(fetch, site.address, SHOP_PORT)
        until(lambda: door.unanswered == 2, "those of the request and a check were dropped")
        door.open()
        shut_s = time.monotonic() - began
        return asked.result(), shut_s


def test_a_request_and_a_check_outlast_the_loss_of_their_first_packet(
    net: Network, door: Door
) -> None:
    site = net.site("near")
    site.declare("shop", SHOP_PORT)
    site.connect("shop", door, health={"interval": "100ms"})
    net.start()
    net.ready("shop", {"near": 1})
    for _ in range(ROUNDS):
        down = downs(site)
        answer, shut_s = asked_of_a_shut_door(site, door)
        if shut_s < IN_TIME_S:
            assert answer.status == 200, answer
            assert downs(site) == down
            return
        net.ready("shop", {"near": 1})
    raise AssertionError("the machine was too busy each time")


def downs(site: Site) -> int:
    """How often a target was found down."""
    return sum(event["code"] == "target-down" for event in site.get("events"))
