"""Protocols that clients offer, as real clients write them, and refused by the right alert."""

import socket
import ssl
import threading
from functools import cache
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.model import limits
from router.net.client_hello import ClientHello
from router.net.epoll import EpollNetwork
from tests.unit.net.certificates import LINK, server_tls
from tests.unit.net.recorder import Recorder
from tests.unit.net.self_host import SelfHost

_ALERT = "alert no application protocol"
PIECES_MAX = 2_000
OFFERS: tuple[tuple[str, ...], ...] = ((), ("h2",), ("http/1.1", "h2"), ("a" * 255,) * 10)


@cache  # The system's trust store takes milliseconds to load.
def hello_of(alpn: tuple[str, ...], newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> bytes:
    """The first flight of a real client."""
    context = ssl.create_default_context()
    context.maximum_version = newest
    if alpn:
        context.set_alpn_protocols(list(alpn))
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="shop")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def in_records(hello: bytes, size: int) -> bytes:
    """The same message in records of ``size`` bytes each."""
    message = hello[5:]
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(hello[:3] + len(piece).to_bytes(2, "big") + piece for piece in pieces)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("offered", OFFERS)
def test_what_a_client_offers_is_read_whatever_the_cut(
    offered: tuple[str, ...], newest: ssl.TLSVersion
) -> None:
    hello = hello_of(offered, newest)
    for flight in (hello, in_records(hello, 1), in_records(hello, 100)):
        assert ClientHello().receive(flight) == offered
        # Each piece costs time for all earlier bytes: cut long flights into larger pieces.
        size = -(-len(flight) // PIECES_MAX)
        reader = ClientHello()
        told = [reader.receive(flight[at : at + size]) for at in range(0, len(flight), size)]
        assert told == [None] * (len(told) - 1) + [offered]


@given(
    spoilt=st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=4),
    cuts=st.sets(st.integers(1, 600), max_size=4),
)
def test_no_bytes_are_read_beyond_their_end(spoilt: list[tuple[int, int]], cuts: set[int]) -> None:
    data = bytearray(hello_of(("http/1.1", "h2")))
    for at, value in spoilt:
        data[at % len(data)] = value
    edges = [0, *sorted(at for at in cuts if at < len(data)), len(data)]
    reader = ClientHello()
    for start, end in pairwise(edges):
        try:
            if reader.receive(bytes(data[start:end])) is not None:
                return
        except ValueError:
            return


def test_a_first_message_without_end_is_given_up() -> None:
    endless = b"\x16\x03\x01\x40\x00" + b"\x01\xff\xff\xff" + bytes(16_380)
    reader = ClientHello()
    with pytest.raises(ValueError, match="without end"):
        for _ in range(limits.TLS_HELLO_BYTES_MAX // len(endless) + 1):
            reader.receive(endless)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("offered", "said"),
    [((), _ALERT), (("http/1.1",), _ALERT), (("x", LINK), LINK)],
)
def test_a_client_that_offers_nothing_of_ours_gets_the_alert(
    host: SelfHost, newest: ssl.TLSVersion, offered: tuple[str, ...], said: str
) -> None:
    network, server = EpollNetwork(host), Recorder()
    tls = msgspec.structs.replace(server_tls(), alpn=(LINK,), alpn_with_certificate=())
    assert isinstance(tls.context, ssl.SSLContext)
    tls.context.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.context.verify_mode = ssl.CERT_NONE
    listener = network.listen("127.0.0.1", 0, server.take, tls=tls)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.maximum_version = newest
    if offered:
        client.set_alpn_protocols(list(offered))
    outcome: list[str] = []

    def dial() -> None:
        with socket.create_connection(("127.0.0.1", listener.address.port), 5.0) as plain:
            try:
                with client.wrap_socket(plain) as wrapped:
                    outcome.append(str(wrapped.selected_alpn_protocol()))
            except ssl.SSLError as error:
                outcome.append(str(error))

    thread = threading.Thread(target=dial)
    thread.start()
    host.run_while(lambda: not outcome)
    thread.join()
    network.close()
    assert said in outcome[0]
