"""The PROXY protocol's header, against bytes written out by its specification."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.net.ports import Tls
from router.service.ports import TargetConfig
from router.service.targets.proxy_header import LOCAL_HEADER, proxy_header
from tests.unit.service.test_ejection import KEY, Shop, is_silent

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")


def test_an_ipv4_client_is_told_with_the_address_it_came_to() -> None:
    assert proxy_header("192.0.2.1:56324", "198.51.100.7:443") == (
        SIGNATURE + bytes.fromhex("21 11 000c c0000201 c6336407 dc04 01bb")
    )


def test_an_ipv6_client_is_told_with_the_address_it_came_to() -> None:
    assert proxy_header("[2001:db8::1]:1", "[::1]:65535") == (
        SIGNATURE
        + bytes.fromhex("21 21 0024 20010db8000000000000000000000001")
        + bytes.fromhex("00000000000000000000000000000001 0001 ffff")
    )


@pytest.mark.parametrize("uses_tls", [False, True])
def test_over_tls_it_is_said_before_the_handshake_and_else_first(uses_tls: bool) -> None:
    tls = Tls(object(), b"", ()) if uses_tls else None
    shop = Shop(is_silent, targets=1, protocol="tcp")
    config = TargetConfig(connector="main", tls=tls, proxy_protocol=True)
    shop.forwarder.set_targets(KEY, {str(shop.bad): config})
    shop.network.advance(1.0)
    client = shop.send(b"hello")
    assert client.connection is not None
    said = proxy_header(str(client.connection.local), str(client.connection.peer))
    used = shop.network.dialed_tls[-1]
    assert (used.preface if used is not None else None) == (said if uses_tls else None)
    (got,) = [one.got for one in shop.bad.serving if one.got.endswith(b"hello")]
    assert got == (b"hello" if uses_tls else said + b"hello")


def test_addresses_of_both_families_are_told_as_ipv6() -> None:
    header = proxy_header("192.0.2.1:1", "[::1]:2")
    assert header[13:16] == bytes.fromhex("21 0024")
    assert header[16:32] == bytes.fromhex("00000000000000000000ffffc0000201")


@pytest.mark.parametrize("local", ["", "nonsense", "1.2.3.4"])
def test_an_address_that_nobody_knows_is_the_unspecified_one(local: str) -> None:
    assert proxy_header("192.0.2.1:1", local)[16:] == bytes.fromhex("c0000201 00000000 0001 0000")
    assert proxy_header("[::2]:1", local)[32:48] == bytes(16)


@pytest.mark.parametrize(
    "client",
    [
        *("", "nonsense", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:1_0"),
        *("1.2.3.4:+1", "01.2.3.4:1", "::1:1", "[1.2.3.4]:1", "[::1:1", "[::1]1", "1.2.3.4:٣"),
        *("1.2.3.4\n:1", "host:80", "[" + "1" * 10_000 + "]:1", "[::1]x:1"),
    ],
)
def test_what_is_no_address_is_no_client_to_speak_of(client: str) -> None:
    """It may come over a link, from a neighbor that lies."""
    assert proxy_header(client, "198.51.100.7:443") == LOCAL_HEADER
    assert SIGNATURE + bytes.fromhex("20 00 0000") == LOCAL_HEADER


@given(client=st.text(), local=st.text())
def test_whatever_a_link_brings_the_header_says_its_own_length(client: str, local: str) -> None:
    header = proxy_header(client, local)
    assert header.startswith(SIGNATURE)
    assert int.from_bytes(header[14:16]) == len(header) - 16
