"""Control messages: what we write reads back, and hostile bytes give one typed error, bounded."""

import tracemalloc
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.link import control
from router.link.control import CostMessage, GoAway, Hello, Join, Joined, Proof
from router.link.ports import OpenRequest
from router.link.routing_messages import DigestMessage, LoadMessage, LsaMessage
from router.model.errors import RemoteProtocolError
from router.model.ids import SITE_NAME, RouterId, SiteId
from router.model.messages.acks import LsaAck
from router.model.messages.adverts import LoadReport
from router.model.messages.edges import (
    CandidateRow,
    HaveMessage,
    ServiceRow,
    SiteRow,
    TableMessage,
    WishMessage,
)
from router.model.messages.shares import SharesMessage
from tests.examples import examples

BYTES32 = st.binary(min_size=32, max_size=32)
COUNTS = st.integers(0, 2**63 - 1)
ROUTERS = st.from_regex("[0-9a-f]{16}", fullmatch=True).map(RouterId)
SITE_NAMES = st.from_regex(f"({SITE_NAME})?(@[0-9a-f]{{8}})?", fullmatch=True)
NAMES = st.from_regex("[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
EDGE_COUNTS = st.integers(0, 2**53 - 1)
SERVICES = st.from_regex("[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
PORTS = st.integers(1, 65_535)
SITES = ROUTERS.map(SiteId)
TEXTS = st.text(max_size=20)


def rows(row: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(row, max_size=3).map(tuple)


EDGE_MESSAGES = st.one_of(
    st.builds(WishMessage, EDGE_COUNTS, EDGE_COUNTS, st.none() | rows(SERVICES)),
    st.builds(HaveMessage, EDGE_COUNTS, EDGE_COUNTS),
    st.builds(
        TableMessage,
        series=EDGE_COUNTS,
        base=EDGE_COUNTS,
        version=EDGE_COUNTS,
        wish=EDGE_COUNTS,
        is_last=st.booleans(),
        left_out=EDGE_COUNTS,
        draining=st.booleans(),
        sites=rows(
            st.builds(
                SiteRow,
                ROUTERS,
                SITES,
                SITE_NAMES,
                TEXTS,
                EDGE_COUNTS,
                EDGE_COUNTS,
                st.booleans(),
            )
        ),
        services=rows(
            st.builds(
                ServiceRow, SERVICES, st.binary(max_size=99), SITES, st.booleans(), rows(SITES)
            )
        ),
        candidates=rows(
            st.builds(
                CandidateRow,
                SERVICES,
                PORTS,
                ROUTERS,
                EDGE_COUNTS,
                st.none() | EDGE_COUNTS,
                st.booleans(),
            )
        ),
        gone_sites=rows(ROUTERS),
        gone_services=rows(SERVICES),
        gone_candidates=rows(st.tuples(SERVICES, PORTS, ROUTERS)),
    ),
)
MESSAGES = st.one_of(
    EDGE_MESSAGES,
    st.builds(
        Hello,
        st.just(1),
        COUNTS,
        ROUTERS,
        NAMES,
        st.binary(min_size=1, max_size=200),
        BYTES32,
        BYTES32,
        BYTES32,
        BYTES32,
        st.integers(0, 65_535),
        st.integers(1, 65_535),
        st.text(max_size=20),
        st.text(max_size=20),
        st.lists(NAMES, max_size=4).map(tuple),
        st.lists(NAMES, max_size=4).map(tuple),
    ),
    st.builds(Proof, st.binary(min_size=1, max_size=100)),
    st.builds(Join, BYTES32, BYTES32),
    st.builds(Joined, BYTES32),
    st.builds(CostMessage, st.integers(1, 65_535)),
    st.builds(
        GoAway,
        st.sampled_from(["lost", "refused", "violation"]),
        st.text(min_size=1, max_size=9),
        st.text(max_size=9),
    ),
    st.builds(
        SharesMessage,
        NAMES,
        EDGE_COUNTS,
        EDGE_COUNTS,
        EDGE_COUNTS,
        TEXTS,
        EDGE_COUNTS,
        EDGE_COUNTS,
        rows(st.tuples(NAMES, EDGE_COUNTS)),
        st.booleans(),
    ),
    st.builds(LsaMessage, st.binary(max_size=100), COUNTS),
    st.builds(DigestMessage, st.binary(max_size=100), st.booleans()),
    st.builds(LsaAck, ROUTERS, COUNTS, COUNTS, COUNTS, st.integers(0, 2**32 - 1)),
    st.builds(
        LoadMessage,
        st.lists(
            st.builds(
                LoadReport, ROUTERS, COUNTS, NAMES, COUNTS, COUNTS, COUNTS, st.none() | COUNTS
            ),
            max_size=3,
        ).map(tuple),
    ),
)
OPENS = st.builds(
    OpenRequest,
    st.lists(ROUTERS, max_size=5).map(tuple),
    NAMES,
    st.integers(1, 65_535),
    st.sampled_from(["tcp", "http", "http2"]),
    ROUTERS.map(SiteId),
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(-1, 2**63 - 1),
    st.binary(max_size=100),
)


@given(message=MESSAGES)
def test_a_message_reads_back_as_it_was(message: control.Message) -> None:
    assert control.decode(memoryview(control.encode(message))) == message


@given(request=OPENS)
def test_an_open_reads_back_as_it_was(request: OpenRequest) -> None:
    assert control.decode_open(memoryview(control.encode_open(request))) == request


@given(message=MESSAGES, data=st.data())
@settings(max_examples=examples(300))
def test_a_damaged_message_is_another_message_or_one_typed_error(
    message: control.Message, data: st.DataObject
) -> None:
    wire = bytearray(control.encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    try:
        control.decode(memoryview(wire))
    except RemoteProtocolError as error:
        assert error.code == "bad-message"


@given(noise=st.binary(max_size=200))
def test_noise_is_one_typed_error(noise: bytes) -> None:
    for decode in (control.decode, control.decode_open):
        with pytest.raises(RemoteProtocolError):
            decode(memoryview(noise))


COST = control.encode(CostMessage(5))
HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "deep": b"\x91" * 60_000 + b"\xc0",
    "deep in an unknown message": b"\x92\xa4next" + b"\x91" * 60_000 + b"\xc0",
    "array32 of 4 G": b"\xdd\xff\xff\xff\xff",
    "bytes of 4 G": b"\x92\xa3lsa\xc6\xff\xff\xff\xff",
    "many empty maps": b"\x92\xa4load\xdc\xff\xf0" + b"\x80" * 65_000,
    "a map": msgpack.packb({"cost": 5}),
    "duplicate keys": b"\x82\xa4cost\x01\xa4cost\x02",
    "keys that are no strings": b"\x81\x01\x02",
    "trailing bytes": COST + b"\x00",
    "cut": COST[:-1],
    "cost of true": msgpack.packb(["cost", True]),
    "cost below": msgpack.packb(["cost", 0]),
    "cost above": msgpack.packb(["cost", 65_536]),
    "negative cost": msgpack.packb(["cost", -1]),
    "NaN": msgpack.packb(["cost", float("nan")]),
    "infinite": msgpack.packb(["cost", float("inf")]),
    "fraction": msgpack.packb(["cost", 1.5]),
    "far timestamp": b"\x92\xa4cost\xc7\x0c\xff" + b"\x00" * 4 + b"\x7f" + b"\xff" * 7,
    "extension": b"\x92\xa4cost\xd4\x05\x00",
    "invalid UTF-8": b"\x92\xa2\xff\xfe\x01",
    "unknown": msgpack.packb(["next", 1]),
    "too large": b"\x92\xa3lsa\xc6\x00\x01\x00\x01" + bytes(65_537),
    "huge integer": b"\x92\xa4cost\xcf" + b"\xff" * 8,
}


@pytest.mark.parametrize("wire", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("newer", [False, True])
def test_hostile_bytes_give_one_typed_error_in_little_memory(wire: bytes, newer: bool) -> None:
    tracemalloc.start()
    try:
        if newer and wire == HOSTILE["unknown"]:
            assert control.decode(memoryview(wire), ignore_unknown=True) is None
        else:
            with pytest.raises(RemoteProtocolError):
                control.decode(memoryview(wire), ignore_unknown=newer)
        assert tracemalloc.get_traced_memory()[1] < 10 * 65_536
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "change",
    [
        {"service": ""},
        {"service": "s" * 254},
        {"port": 0},
        {"port": 65_536},
        {"wait_ms": -1},
        {"body_bytes": -2},
        {"flags": -1},
        {"ingress": "i" * 65},
        {"protocol": "udp"},
        {"head": "text"},
    ],
    ids=str,
)
def test_an_open_out_of_bounds_is_refused(change: dict[str, object]) -> None:
    values: dict[str, object] = {
        "path": ("a",),
        "service": "web",
        "port": 80,
        "protocol": "http",
        "ingress": "x",
    }
    request = OpenRequest(**(values | change))  # type: ignore[arg-type]
    with pytest.raises(RemoteProtocolError):
        control.decode_open(memoryview(control.encode_open(request)))


def test_fields_of_a_newer_peer_are_skipped() -> None:
    assert control.decode(memoryview(msgpack.packb(["cost", 5, "new"]))) == CostMessage(5)
