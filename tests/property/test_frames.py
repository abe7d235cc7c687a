"""The decoder against a plain one: any frames, any cuts, any noise."""

import random
import struct
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from router.link import frames
from router.link.frames import END, FrameDecoder, LaneViolation, encode
from router.model import limits

SMALLEST = {
    frames.OPEN: 1,
    frames.HEAD: 8,
    frames.DATA: 0,
    frames.TRAILERS: 0,
    frames.CONTROL: 1,
    frames.HEAD | END: 12,
    frames.DATA | END: 4,
    frames.TRAILERS | END: 4,
    frames.OPEN | END: 1,
    frames.ANSWER | END: 20,
}
EXACT = {
    frames.ACCEPTED: 4,
    frames.REFUSED: 5,
    frames.FIN: 4,
    frames.RESET: 1,
    frames.WINDOW: 4,
    frames.PING: 8,
    frames.PONG: 8,
    frames.ACCEPTED_LATE: 8,
}

Event = tuple[int, int, bytes] | str


class Reference:
    """Collects everything, then looks: slow and plain."""

    def __init__(self) -> None:
        self.buffer = b""
        self.failed = False

    def receive_data(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        self.buffer += data
        while len(self.buffer) >= 8 and not self.failed:
            word, stream_id = struct.unpack(">II", self.buffer[:8])
            kind, length = word >> 24, word & 0xFFFFFF
            if not self.allowed(kind, length):
                self.failed = True
                events.append("violation")
            elif len(self.buffer) < 8 + length:
                break
            else:
                events.append((kind, stream_id, self.buffer[8 : 8 + length]))
                self.buffer = self.buffer[8 + length :]
        return events

    @staticmethod
    def allowed(kind: int, length: int) -> bool:
        if kind in EXACT:
            return length == EXACT[kind]
        return kind in SMALLEST and SMALLEST[kind] <= length <= limits.FRAME_PAYLOAD_BYTES_MAX


class Collector:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def frame(self, kind: int, stream_id: int, payload: memoryview) -> None:
        self.events.append((kind, stream_id, bytes(payload)))


def decoded(wire: bytes, edges: list[int]) -> tuple[list[Event], list[Event]]:
    collector, reference = Collector(), Reference()
    decoder = FrameDecoder(collector)
    expected: list[Event] = []
    for start, end in pairwise(edges):
        piece = bytearray(wire[start:end])
        expected += reference.receive_data(bytes(piece))
        try:
            decoder.receive_data(memoryview(piece))
        except LaneViolation:
            collector.events.append("violation")
        piece[:] = b"\xee" * len(piece)  # The decoder must not keep a view of the input.
    return collector.events, expected


@st.composite
def one_frame(draw: st.DrawFn) -> bytes:
    kind = draw(st.sampled_from([*SMALLEST, *EXACT]))
    if kind in EXACT:
        payload = draw(st.binary(min_size=EXACT[kind], max_size=EXACT[kind]))
    else:
        payload = draw(st.binary(min_size=SMALLEST[kind], max_size=SMALLEST[kind] + 20))
    return encode(kind, draw(st.integers(0, 2**32 - 1)), payload)


@given(
    wires=st.lists(one_frame(), max_size=9),
    cuts=st.sets(st.integers(0, 300), max_size=40),
    noise=st.binary(max_size=20),
)
def test_frames_survive_any_cut_of_the_byte_stream(
    wires: list[bytes], cuts: set[int], noise: bytes
) -> None:
    wire = b"".join(wires) + noise
    edges = [0, *sorted(cut for cut in cuts if cut < len(wire)), len(wire)]
    events, expected = decoded(wire, edges)
    assert events == expected


LARGE = limits.FRAME_PAYLOAD_BYTES_MAX


def runs(events: list[Event]) -> list[Event]:
    """DATA frames of one stream in a row as one."""
    joined: list[Event] = []
    for event in events:
        last = joined[-1] if joined else ""
        if not isinstance(event, tuple) or event[0] != frames.DATA or last[:2] != event[:2]:
            joined.append(event)
        elif isinstance(last, tuple):
            joined[-1] = (last[0], last[1], last[2] + event[2])
    return joined


@given(
    sizes=st.lists(
        st.tuples(
            st.sampled_from([frames.DATA, frames.DATA, frames.DATA, frames.DATA | END]),
            st.sampled_from([1, 1, 1, 3]),
            st.sampled_from([LARGE, LARGE, LARGE - 1, LARGE // 2, 16_384, 16_383, 5, LARGE + 1]),
        ),
        max_size=7,
    ),
    cuts=st.sets(st.integers(0, 7 * LARGE), max_size=4),
    seed=st.integers(0, 2**32),
)
def test_large_frames_in_a_row_are_told_as_one_and_lose_no_byte(
    sizes: list[tuple[int, int, int]], cuts: set[int], seed: int
) -> None:
    rng = random.Random(seed)
    wire = b"".join(encode(kind, stream, rng.randbytes(size)) for kind, stream, size in sizes)
    edges = [0, *sorted(cut for cut in cuts if cut < len(wire)), len(wire)]
    events, expected = decoded(wire, edges)
    assert runs(events) == runs(expected)


def test_mutated_frames_never_part_the_two_decoders() -> None:
    rng = random.Random(7)
    whole = [encode(kind, 1, bytes(size)) for kind, size in (SMALLEST | EXACT).items()]
    for _ in range(4_000):
        wire = bytearray(b"".join(rng.choices(whole, k=5)))
        for _ in range(rng.randrange(4)):
            wire[rng.randrange(len(wire))] = rng.randrange(256)
        edges = sorted({0, len(wire), *(rng.randrange(len(wire)) for _ in range(3))})
        events, expected = decoded(bytes(wire), edges)
        assert events == expected
