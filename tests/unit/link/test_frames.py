"""What a hostile or broken peer puts on a lane, frame by frame, and which code it gets."""

import struct
import tracemalloc

import pytest

from router.link import control, frames
from router.link.frames import END, FrameDecoder, LaneViolation, encode
from router.model import limits
from tests.unit.link.lanes import Pair, Recorder, request
from tests.unit.link.wire import FrameLog, Raw, frames_of


def raw(kind: int, length: int, stream_id: int = 1) -> bytes:
    return struct.pack(">II", kind << 24 | length, stream_id)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (raw(frames.DATA, 65_529), "frame-too-large"),
        (raw(frames.DATA, 0xFF_FFFF), "frame-too-large"),
        (raw(0xFF, 0xFF_FFFF, 0xFFFF_FFFF), "unknown-frame"),
        (raw(0, 0), "unknown-frame"),
        (raw(13, 4), "unknown-frame"),
        (raw(frames.WINDOW | END, 4), "unknown-frame"),
        (raw(frames.CONTROL | END, 4, 0), "unknown-frame"),
        (raw(frames.WINDOW, 5), "frame-too-large"),
        (raw(frames.WINDOW, 3), "frame-too-small"),
        (raw(frames.OPEN, 0), "frame-too-small"),
        (raw(frames.DATA | END, 3), "frame-too-small"),
        (raw(frames.HEAD | END, 11), "frame-too-small"),
        (raw(frames.PING, 9, 0), "frame-too-large"),
        (raw(frames.RESET, 0), "frame-too-small"),
    ],
)
def test_a_bad_header_is_refused_at_header_time(header: bytes, code: str) -> None:
    for pieces in ([header], [header[:5], header[5:]]):
        log = FrameLog()
        decoder = FrameDecoder(log)
        with pytest.raises(LaneViolation) as caught:
            for piece in pieces:
                decoder.receive_data(memoryview(piece))
        assert caught.value.code == code
        decoder.receive_data(memoryview(encode(frames.FIN, 1, bytes(4))))
        assert log.frames == []


def test_the_largest_frame_is_exactly_four_tls_records() -> None:
    wire = encode(frames.DATA, 1, bytes(limits.FRAME_PAYLOAD_BYTES_MAX))
    assert len(wire) == 4 * limits.TLS_RECORD_BYTES
    assert len(frames_of(wire)) == 1


def test_large_frames_of_one_stream_in_a_row_are_told_as_one() -> None:
    sizes = ((1, 65_528), (1, 65_528), (1, 16_384), (3, 65_528), (1, 65_528), (1, 16_383))
    wire = b"".join(
        encode(frames.DATA, stream_id, bytes((index,)) * size)
        for index, (stream_id, size) in enumerate(sizes)
    )
    log = FrameLog()
    FrameDecoder(log).receive_data(memoryview(bytearray(wire)))
    assert [len(payload) for _, _, payload in log.frames] == [147_440, 65_528, 65_528, 16_383]
    assert b"".join(bytes(payload) for _, _, payload in log.frames) == b"".join(
        bytes((index,)) * size for index, (_, size) in enumerate(sizes)
    )
    assert len(frames_of(wire)) == len(sizes), "data that may not be written to stays as it is"


def test_a_claimed_length_allocates_nothing() -> None:
    tracemalloc.start()
    try:
        decoders = [FrameDecoder(FrameLog()) for _ in range(200)]
        before = tracemalloc.get_traced_memory()[0]
        for decoder in decoders:
            decoder.receive_data(memoryview(raw(frames.DATA, 65_528)))
        assert tracemalloc.get_traced_memory()[0] - before < 200 * 1024
    finally:
        tracemalloc.stop()


def open_frame(stream_id: int, flag: int = 0) -> bytes:
    return encode(frames.OPEN | flag, stream_id, control.encode_open(request()))


HOSTILE: list[tuple[str, bytes, str]] = [
    ("data on stream zero", encode(frames.DATA, 0, b"x"), "stream-zero"),
    ("window on stream zero", encode(frames.WINDOW, 0, bytes(3) + b"\1"), "stream-zero"),
    ("control on a stream", encode(frames.CONTROL, 5, b"\x90"), "stream-nonzero"),
    ("ping on a stream", encode(frames.PING, 5, bytes(8)), "stream-nonzero"),
    ("open with the parity of the other end", open_frame(4), "stream-id"),
    ("open of an id beyond the last", open_frame(2**30 + 1), "stream-id"),
    ("open of an open id", open_frame(3) + open_frame(3), "stream-id"),
    ("open of a lower id", open_frame(7) + open_frame(5), "stream-id"),
    (
        "open of a closed id",
        open_frame(3) + encode(frames.RESET, 3, b"\0") + open_frame(3),
        "stream-id",
    ),
    ("data for a stream never opened", encode(frames.DATA, 9, b"x"), "unknown-stream"),
    ("window for our own id not used", encode(frames.WINDOW, 8, b"\0\1\0\0"), "unknown-stream"),
    ("data after fin", open_frame(3, END) + encode(frames.DATA, 3, b"x"), "after-fin"),
    ("fin twice", open_frame(3) + encode(frames.FIN, 3, bytes(4)) * 2, "after-fin"),
    ("accepted by the ingress", open_frame(3) + encode(frames.ACCEPTED, 3, bytes(4)), "bad-order"),
    ("head by the ingress", open_frame(3) + encode(frames.HEAD, 3, bytes(8)), "bad-order"),
    ("trailers twice", open_frame(3) + encode(frames.TRAILERS, 3, b"a: b\r\n") * 2, "bad-order"),
    (
        "data after trailers",
        open_frame(3) + encode(frames.TRAILERS, 3) + encode(frames.DATA, 3, b"x"),
        "after-trailers",
    ),
    ("window of zero", open_frame(3) + encode(frames.WINDOW, 3, bytes(4)), "window-zero"),
    (
        "window overflow",
        open_frame(3) + encode(frames.WINDOW, 3, b"\x7f\xff\xff\xff"),
        "window-overflow",
    ),
    (
        "tiny windows",
        open_frame(3) + encode(frames.WINDOW, 3, b"\0\0\0\1") * 1_100,
        "glitches",
    ),
    ("empty data", open_frame(3) + encode(frames.DATA, 3) * 1_100, "glitches"),
    ("pings with our writes waiting", encode(frames.PING, 0, bytes(8)) * 33, "ping-flood"),
    ("a pong for no ping", encode(frames.PONG, 0, b"\x7f\xf8" + bytes(6)), "bad-pong"),
    ("an open that is no message", encode(frames.OPEN, 3, b"\xc1"), "bad-open"),
    (
        "open and reset",
        b"".join(open_frame(i) + encode(frames.RESET, i, b"\0") for i in range(3, 2_205, 2)),
        "reset-flood",
    ),
    ("a control message that lies", encode(frames.CONTROL, 0, b"\xdd\xff\xff\xff\xff"), "bad-m"),
]


@pytest.mark.parametrize(
    ("wire", "code"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE]
)
def test_a_peer_that_breaks_the_rules_loses_its_lane_with_a_code(wire: bytes, code: str) -> None:
    pair, other = Pair(), Pair()
    raw_peer = pair.wire.left.handler = Raw()
    pair.wire.left.send(open_frame(1) + wire)
    pair.world.settle()
    assert [fault.kind for fault in pair.right_owner.faults] == ["violation"]
    assert pair.right_owner.faults[0].code.startswith(code)
    assert all(len(recorder.losses) == 1 for recorder in pair.right_owner.recorders)
    kind, stream_id, payload = frames_of(raw_peer.data)[-1]
    assert (kind, stream_id) == (frames.CONTROL, 0)
    told = control.decode(memoryview(payload))
    assert isinstance(told, control.GoAway) and told.code.startswith(code)
    assert raw_peer.has_ended
    other.opened()
    assert other.right_owner.faults == []


def test_data_beyond_credit_ends_the_lane() -> None:
    pair = Pair()
    _, _, egress, seen = pair.opened()
    egress.pause()
    data = encode(frames.DATA, 1, bytes(limits.STREAM_WINDOW_BYTES_INITIAL // 2))
    pair.wire.left.send(data * 2)
    pair.world.settle()
    assert pair.right_owner.faults == []
    pair.wire.left.send(encode(frames.DATA, 1, b"x"))
    pair.world.settle()
    assert [fault.code for fault in pair.right_owner.faults] == ["credit-exceeded"]
    assert len(seen.data) == limits.STREAM_WINDOW_BYTES_INITIAL


def test_frames_for_streams_just_closed_are_no_fault() -> None:
    pair = Pair()
    _, handler, egress, _ = pair.opened()
    egress.reset("target-reset")
    late = b"".join(
        (
            encode(frames.DATA, 1, b"x" * 1000),
            encode(frames.WINDOW, 1, b"\0\0\x80\0"),
            encode(frames.TRAILERS, 1, b"a: b\r\n"),
            encode(frames.FIN, 1, bytes(4)),
            encode(frames.RESET, 1, b"\0"),
        )
    )
    pair.wire.left.send(late)
    pair.world.settle()
    assert pair.right_owner.faults == []
    assert handler.losses == ["target-reset"]


def test_no_stream_opens_before_the_handshake() -> None:
    pair = Pair(serving=False)
    assert pair.left.open_stream(request(), Recorder()) is None
    pair.wire.left.send(open_frame(1))
    pair.world.settle()
    assert [fault.code for fault in pair.right_owner.faults] == ["not-authenticated"]


@pytest.mark.parametrize("kind", [frames.DATA, frames.FIN, frames.HEAD])
def test_an_answer_before_it_was_accepted_is_a_fault(kind: int) -> None:
    pair = Pair()
    pair.right_owner.accept = False
    handler = Recorder()
    pair.open(handler)
    pair.world.settle()
    payload = {frames.DATA: b"x", frames.FIN: bytes(4), frames.HEAD: bytes(8)}[kind]
    pair.wire.right.send(encode(kind, 1, payload))
    pair.world.settle()
    assert [fault.code for fault in pair.left_owner.faults] == ["bad-order"]
    assert handler.names == ["lost"]


def test_heads_without_end_reset_their_stream() -> None:
    pair = Pair()
    _, handler, _, _ = pair.opened()
    pair.wire.right.send(encode(frames.HEAD, 1, bytes(7) + b"\0HTTP/1.1 103") * 40)
    pair.world.settle()
    assert handler.losses == ["bad-message"]
    assert handler.names.count("head") == limits.HEADS_PER_STREAM_MAX
    assert pair.left_owner.faults == []
