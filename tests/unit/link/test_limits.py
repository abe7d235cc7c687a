"""Bounds of lanes and control messages: the limit itself passes, one past it does not."""

from collections.abc import Callable

import msgspec
import pytest

from router.link import control, frames
from router.link.frames import encode
from router.link.routing_messages import DigestMessage, LoadMessage, LsaMessage
from router.link.sessions.handshake import INTERIOR
from router.link.streams.outbox import Outbox
from router.model import limits
from router.model.errors import RemoteProtocolError
from router.model.ids import RouterId, SiteId
from router.model.messages.adverts import LoadReport
from router.model.messages.edges import CandidateRow, ServiceRow, WishMessage
from tests.releases import speaking
from tests.unit.link.lanes import Pair
from tests.unit.link.test_frames import open_frame
from tests.unit.link.wire import Raw


def fate(wire: bytes) -> list[str]:
    """How a lane ends on which stream 1 is opened, and then ``wire`` comes in no time."""
    pair = Pair()
    pair.wire.left.handler = Raw()
    pair.wire.left.send(open_frame(1) + wire)
    pair.world.settle()
    return [fault.code for fault in pair.right_owner.faults]


def window(size: int) -> bytes:
    return encode(frames.WINDOW, 1, size.to_bytes(4, "big"))


def opened_and_reset(count: int) -> bytes:
    return b"".join(
        open_frame(number) + encode(frames.RESET, number, b"\0")
        for number in range(3, 3 + 2 * count, 2)
    )


ROOM = limits.CREDIT_BYTES_MAX - limits.STREAM_WINDOW_BYTES_INITIAL
PING = encode(frames.PING, 0, bytes(8))
LANES: dict[str, tuple[bytes, bytes, str]] = {
    "GLITCHES_MAX": (
        encode(frames.DATA, 1) * limits.GLITCHES_MAX,
        encode(frames.DATA, 1) * (limits.GLITCHES_MAX + 1),
        "glitches",
    ),
    "WINDOW_INCREMENT_BYTES_MIN": (
        window(limits.WINDOW_INCREMENT_BYTES_MIN) * (limits.GLITCHES_MAX + 1),
        window(limits.WINDOW_INCREMENT_BYTES_MIN - 1) * (limits.GLITCHES_MAX + 1),
        "glitches",
    ),
    "CREDIT_BYTES_MAX": (window(ROOM), window(ROOM + 1), "window-overflow"),
    "RESETS_BURST": (
        opened_and_reset(limits.RESETS_BURST),
        opened_and_reset(limits.RESETS_BURST + 1),
        "reset-flood",
    ),
    "PING_QUEUE_MAX": (
        PING * limits.PING_QUEUE_MAX,
        PING * (limits.PING_QUEUE_MAX + 1),
        "ping-flood",
    ),
}


@pytest.mark.parametrize("name", LANES)
def test_a_lane_bears_what_is_at_the_limit_and_ends_one_past_it(name: str) -> None:
    at, past, code = LANES[name]
    assert fate(at) == []
    assert fate(past) == [code]


def test_glitches_are_forgiven_with_time() -> None:
    pair = Pair()
    pair.wire.left.handler = Raw()
    glitch = encode(frames.DATA, 1)
    pair.wire.left.send(open_frame(1) + glitch * limits.GLITCHES_MAX)
    pair.world.advance(1.0)
    pair.wire.left.send(glitch * int(limits.GLITCHES_PER_S))
    pair.world.settle()
    assert pair.right_owner.faults == []
    pair.wire.left.send(glitch)
    pair.world.settle()
    assert [fault.code for fault in pair.right_owner.faults] == ["glitches"]


def control_bytes(size: int) -> bytes:
    """A control message of exactly ``size`` bytes."""
    over = len(msgspec.msgpack.encode(LsaMessage(bytes(60_000)))) - 60_000
    return msgspec.msgpack.encode(LsaMessage(bytes(size - over)))


def hello(**changes: object) -> bytes:
    good = speaking.hello(speaking.Speaker("west", speaking.WEST), INTERIOR)
    return msgspec.msgpack.encode(msgspec.structs.replace(good, **changes))


def row(conflicts: int) -> bytes:
    site = SiteId("5" * 32)
    told = ServiceRow("shop", b"", site, True, (site,) * conflicts)
    return msgspec.msgpack.encode(["table", 1, 0, 1, 1, True, 0, False, [], [told]])


def served(chars: int) -> bytes:
    told = CandidateRow("shop", 80, RouterId("5" * 16), 1, None, False, serves="x" * chars)
    return msgspec.msgpack.encode(["table", 1, 0, 1, 1, True, 0, False, [], [], [told]])


def owned(owners: int) -> bytes:
    site = SiteId("5" * 32)
    told = ServiceRow("shop", b"", site, True, (), (site,) * owners)
    return msgspec.msgpack.encode(["table", 1, 0, 1, 1, True, 0, False, [], [told]])


def deleted(sites: int) -> bytes:
    told = ["table", 1, 0, 1, 1, True, 0, False, [], [], [], [], [], []]
    return msgspec.msgpack.encode([*told, [SiteId("5" * 32)] * sites])


def words(count: int) -> tuple[str, ...]:
    return tuple(f"f{number}" for number in range(count))


MESSAGES: dict[str, tuple[Callable[[int], bytes], int]] = {
    "CONTROL_MESSAGE_BYTES_MAX": (control_bytes, limits.CONTROL_MESSAGE_BYTES_MAX),
    "PLACE_CHARS_MAX": (lambda n: hello(place="p" * n), limits.PLACE_CHARS_MAX),
    "COUNTER_MAX": (lambda n: hello(born=n), limits.COUNTER_MAX),
    "age of an LSA": (lambda n: control.encode(LsaMessage(b"", n)), limits.COUNTER_MAX),
    "COST_MAX": (lambda n: hello(cost=n), limits.COST_MAX),
    "features of one HELLO": (lambda n: hello(features=words(n)), 64),
    "characters of a name": (lambda n: hello(name="n" * n), 63),
    "EDGE_WISHES_MAX": (
        lambda n: msgspec.msgpack.encode(WishMessage(1, 1, words(n))),
        limits.EDGE_WISHES_MAX,
    ),
    "EDGE_UNUSED_SITES_MAX": (
        lambda n: msgspec.msgpack.encode(WishMessage(1, 1, (), tuple(map(SiteId, words(n))))),
        limits.EDGE_UNUSED_SITES_MAX,
    ),
    "EDGE_CONFLICTS_MAX": (row, limits.EDGE_CONFLICTS_MAX),
    "PROTOCOL_CHARS_MAX": (served, limits.PROTOCOL_CHARS_MAX),
    "EDGE_DELETED_MAX": (deleted, limits.EDGE_DELETED_MAX),
    "EDGE_OWNERS_MAX": (owned, limits.EDGE_OWNERS_MAX),
    "DIGEST_BUCKETS_MAX": (
        lambda n: msgspec.msgpack.encode(DigestMessage(bytes(n), True)),
        8 * limits.DIGEST_BUCKETS_MAX,
    ),
    "RENEW_REQUEST_CHARS_MAX": (
        lambda n: msgspec.msgpack.encode(control.Renew("r" * n)),
        limits.RENEW_REQUEST_CHARS_MAX,
    ),
    "RENEWED_CHARS_MAX": (
        lambda n: msgspec.msgpack.encode(control.Renewed("c" * n, "")),
        limits.RENEWED_CHARS_MAX,
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_control_message_is_read_at_the_limit_and_refused_one_past_it(name: str) -> None:
    make, most = MESSAGES[name]
    assert control.decode(memoryview(make(most))) is not None
    with pytest.raises(RemoteProtocolError):
        control.decode(memoryview(make(most + 1)))


def test_a_cost_below_the_least_is_refused() -> None:
    assert control.decode(memoryview(hello(cost=limits.COST_MIN))) is not None
    with pytest.raises(RemoteProtocolError):
        control.decode(memoryview(hello(cost=limits.COST_MIN - 1)))


def test_loads_are_split_at_the_limit() -> None:
    report = LoadReport(speaking.WEST, 1, "shop", 80, 0, 1, None)
    most = limits.LOADS_PER_MESSAGE_MAX
    assert [len(m.reports) for m in control.split_loads(LoadMessage((report,) * most))] == [most]
    parts = control.split_loads(LoadMessage((report,) * (most + 1)))
    assert [len(message.reports) for message in parts] == [most, 1]


def test_what_waits_for_a_peer_that_does_not_read_is_bounded() -> None:
    for name, most in (
        ("urgent", limits.LANE_URGENT_BYTES_MAX),
        ("control", limits.LANE_CONTROL_BYTES_MAX),
    ):
        put = getattr(Outbox(0.0), name)
        assert put(bytes(most))
        assert not put(b"x")
