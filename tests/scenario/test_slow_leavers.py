"""A client that still reads when its site stops gets all that was answered."""

import signal
import socket
import time

from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.waiting import until

BODY_BYTES = 1_000_000
PAUSE_S = 2.0  # Longer than an idle client is waited for.


def test_an_answer_that_is_still_under_way_survives_the_end_of_its_site(net: Network) -> None:
    site, target = net.site("a"), net.http("a")
    site.declare("shop", SHOP_PORT)
    site.connect("shop", target)
    net.start()
    net.ready("shop", {"a": 1})
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.settimeout(10.0)
    client.connect((site.address, SHOP_PORT))
    client.sendall(b"GET /bytes/%d HTTP/1.1\r\nHost: shop\r\n\r\n" % BODY_BYTES)
    got = bytearray()
    while b"\r\n\r\n" not in got:
        got += client.recv(1)
    until(lambda: site.rests("shop"), "for the site the request is over")
    site.signal(signal.SIGTERM)
    time.sleep(PAUSE_S)
    assert not site.gone()
    while data := client.recv(65_536):
        got += data
    client.close()
    assert len(got.partition(b"\r\n\r\n")[2]) == BODY_BYTES
    until(site.gone, "the site has stopped")
