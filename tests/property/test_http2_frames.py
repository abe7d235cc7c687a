"""What our own frames of HTTP/2 tell and answer is what h2 does, and blocks are those of hpack."""

import struct
from typing import Any

import hpack
from hypothesis import example, given
from hypothesis import strategies as st

from router.http.http2 import codes
from router.http.http2.blocks import encoded
from router.http.http2.heads import Fields
from tests.examples import histories
from tests.property import h2_wire
from tests.property.test_http2 import Told
from tests.property.wire_by_ids import WireByIds
from tests.unit.exchange.http2_peers import PREFACE, raw

HEADER_BYTES = 10_000
STREAMS = st.sampled_from([1, 1, 1, 3, 3, 5, 7, 9])
FLAGS = st.sampled_from([0x4, 0x5, 0x4, 0x5, 0x4, 0x5, 0x0, 0x1])
FIELD = st.tuples(
    st.sampled_from([b"x", b"cookie", b"user-agent", b"content-length", b":path", b"y" * 60]),
    st.sampled_from([b"", b"/", b"1", b"v" * 40, b"w" * 900]),
)
REQUEST = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"a")]
INFORMATIONAL = [(b":status", b"103")]
STARTS = st.sampled_from([REQUEST, REQUEST, REQUEST, [], INFORMATIONAL, [(b":status", b"200")]])
ANSWERS = st.sampled_from([[(b":status", b"200")], [(b":status", b"200")], [(b":status", b"103")]])
SIZES = st.sampled_from([0, 1, 100, 16_384, 16_385])
NUMBERS = st.sampled_from([0, 1, 100, 2**16, 2**31 - 1])

# Actions of a peer: a name, and its arguments.
HEAD = st.tuples(st.just("head"), STREAMS, FLAGS, STARTS, st.lists(FIELD, max_size=4))
FRESH = st.tuples(st.just("next"), st.sampled_from([4, 5]), st.lists(FIELD, max_size=3))
ANSWER = st.tuples(st.just("head"), STREAMS, FLAGS, ANSWERS, st.lists(FIELD, max_size=4))
DATA = st.tuples(st.just("data"), STREAMS, st.sampled_from([0, 1, 8, 9]), SIZES)
RESET = st.tuples(st.just("reset"), STREAMS, NUMBERS)
CREDIT = st.tuples(st.just("credit"), st.sampled_from([0, 1, 3, 5]), NUMBERS)
SETTING = st.tuples(
    st.just("setting"), st.sampled_from([1, 2, 3, 4, 4, 5, 6, 8, 77]), NUMBERS | st.just(2**31)
)
PING = st.tuples(st.just("ping"), st.sampled_from([0, 1]), st.sampled_from([8, 8, 8, 7]))
PRIORITY = st.tuples(st.just("priority"), STREAMS, st.sampled_from([1, 3]))
GOAWAY = st.tuples(st.just("goaway"), NUMBERS)
ODD = st.tuples(
    st.just("raw"),
    st.integers(0, 11),
    st.sampled_from([0, 1, 4, 5]),
    st.sampled_from([0, 1, 2]),
    st.sampled_from([b"", b"\x82", b"\x00" * 4, b"\x00" * 5, b"\xff" * 6, b"12345678"]),
)
ANYTHING = st.one_of(DATA, RESET, CREDIT, SETTING, PING, PRIORITY, GOAWAY, ODD)
# What mostly leaves the connection alive.
RIGHT = st.one_of(
    st.tuples(
        st.just("data"), STREAMS, st.sampled_from([0, 0, 1]), st.sampled_from([1, 100, 9000])
    ),
    st.tuples(st.just("data"), STREAMS, st.sampled_from([0, 8, 9]), st.sampled_from([10, 100])),
    st.tuples(st.just("credit"), st.sampled_from([0, 1, 3]), st.sampled_from([1, 2**16])),
    st.tuples(st.just("setting"), st.sampled_from([1, 3, 4, 6]), st.sampled_from([0, 100, 2**16])),
    st.tuples(st.just("ping"), st.sampled_from([0, 1]), st.just(8)),
    RESET,
)
PEER = (RIGHT, RIGHT, RIGHT, RIGHT, RIGHT, RIGHT, ANYTHING)

# A response as most are: its frames come together.
PAIR: st.SearchStrategy[tuple[Any, ...]] = st.tuples(
    STREAMS, ANSWERS, st.sampled_from([0, 1, 8]), SIZES
).map(lambda it: ("pair", (("head", it[0], 4, it[1], []), ("data", it[0], it[2] | 1, it[3]))))

# What we do: an order to the wire.
ORDERS = ("open", "answer", "whole", "end", "send", "cancel", "give")
OURS = st.tuples(
    st.sampled_from(ORDERS),
    STREAMS,
    st.sampled_from([0, 1, 500]),
)


def frame_of(action: tuple[Any, ...]) -> bytes:
    """The frame of an action that does not depend on earlier ones."""
    match action:
        case ("data", stream_id, flags, size):
            padding = bytes((min(size, 5),)) if flags & 8 else b""
            return raw(0, flags, stream_id, (padding + b"d" * size)[: max(size, 1)])
        case ("credit", stream_id, credit):
            return raw(8, 0, stream_id, struct.pack(">I", credit))
        case ("setting", name, value):
            return raw(4, 0, 0, struct.pack(">HI", name, value))
        case ("ping", flags, size):
            return raw(6, flags, 0, b"p" * size)
        case ("priority", stream_id, on):
            return raw(2, 0, stream_id, struct.pack(">IB", on, 1))
        case ("goaway", last_id):
            return raw(7, 0, 0, struct.pack(">II", last_id, 0))
        case ("raw", kind, flags, stream_id, body):
            # Deliberately otherwise than h2: `test_http2_hostile` has these cases.
            if (kind in (1, 3, 9) and stream_id) or kind == 5:
                return b""
            return raw(kind, flags, stream_id, body)
    raise AssertionError(action)


class Driven:
    """Both wires of one end, told and ordered the same."""

    def __init__(self, *, client: bool) -> None:
        self.client = client
        arguments: dict[str, Any] = {"streams": 10, "header_bytes": HEADER_BYTES, "now": 0.0}
        self.told, self.expected = Told(), Told()
        self.ours = WireByIds(self.told, client=client, **arguments)
        self.theirs = h2_wire.Wire(self.expected, client=client, **arguments)
        if not client:
            self.theirs.preface()
        self._peer = hpack.Encoder()
        self._decoders = hpack.Decoder(), hpack.Decoder()
        self.next_id = 1
        self.sent: dict[int, set[str]] = {}  # What we did on each stream.
        self._is_in_block = False

    @property
    def highest_id(self) -> int:
        """Of the streams that there were."""
        return max((stream_id for stream_id in self.sent), default=0)

    def peer(self, *actions: tuple[Any, ...]) -> None:
        """They come in one piece."""
        data = b"".join(map(self._frame, actions))
        self._is_in_block = self.ours.is_in_head
        if data:
            for wire in (self.ours, self.theirs):
                wire.receive(memoryview(data), 0.0)
        if not self.client:
            for call in self.told.calls:
                if call[0] == "opened":
                    self.sent.setdefault(call[1], set())  # type: ignore[arg-type]

    def _frame(self, action: tuple[Any, ...]) -> bytes:
        match action:
            case ("head", stream_id, flags, start, fields):
                if stream_id not in self.sent and self.client:
                    return b""
                if start == INFORMATIONAL and stream_id in self.sent and self._is_closed(stream_id):
                    return b""  # For one from a client h2 ends the connection, unlike for others.
                return raw(1, flags, stream_id, self._peer.encode([*start, *fields]))
            case ("next", flags, fields):
                if self.client:
                    return b""
                return raw(1, flags, self.highest_id + 2 | 1, self._peer.encode(REQUEST + fields))
            case ("reset", stream_id, code):
                # One of a stream that is not open ends the connection (6.4); h2 ignores some.
                was = stream_id in self.sent
                return raw(3, 0, stream_id, struct.pack(">I", code)) if was else b""
        return frame_of(action)

    def order(self, what: str, stream_id: int, size: int) -> None:
        """As the owner of these streams would: nothing on those that are over."""
        if self.is_over():
            return
        if what == "open":
            if self.client and len(self.sent) < self.ours.peer_streams_max:
                stream_id, self.next_id = self.next_id, self.next_id + 2
                self.sent[stream_id] = {"head"}
                self._send_head(stream_id, REQUEST, end=size == 0)
            return
        done = self.sent.get(stream_id)
        if done is None or self._is_closed(stream_id):
            return
        if what == "cancel":
            done.add("cancel")
            for wire in (self.ours, self.theirs):
                wire.reset(stream_id, codes.CANCEL)
        elif what == "give":
            for wire in (self.ours, self.theirs):
                wire.give_back(size + 1, stream_id)
        elif "end" not in done:
            self._say(what, stream_id, size, done)

    def _say(self, what: str, stream_id: int, size: int, done: set[str]) -> None:
        """More of our direction."""
        if what == "answer" and not self.client and "head" not in done:
            done.add("head")
            self._send_head(stream_id, [(b":status", b"200"), (b"x", b"y" * size)], end=size == 0)
        elif what == "whole" and not self.client and "head" not in done:
            self._send_whole(stream_id, b"d" * size, done)
        elif what in ("send", "end") and "head" in done:
            room = self.ours.room_of(stream_id)
            assert room == self.theirs.room_of(stream_id)
            if room >= size:
                self._note_end(stream_id, what == "end")
                for wire in (self.ours, self.theirs):
                    wire.send_data(stream_id, b"d" * size, what == "end")

    def _send_whole(self, stream_id: int, body: bytes, done: set[str]) -> None:
        fields = [(b":status", b"200")]
        if self.ours.send_whole(stream_id, encoded(fields), body):
            done |= {"head", "end"}
            self.theirs.send_head(stream_id, fields, False)
            self.theirs.send_data(stream_id, body, True)

    def _send_head(self, stream_id: int, fields: Fields, *, end: bool) -> None:
        self._note_end(stream_id, end)
        self.ours.send_head(stream_id, encoded(fields), end)
        self.theirs.send_head(stream_id, fields, end)

    def _note_end(self, stream_id: int, end: bool) -> None:
        if end:
            self.sent[stream_id].add("end")

    def _is_closed(self, stream_id: int) -> bool:
        calls = [call for call in self.told.calls if len(call) > 1 and call[1] == stream_id]
        ended = any(call[0] == "trailers" or call[-1] is True for call in calls)
        was_reset = any(call[0] == "reset" for call in calls)
        done = self.sent[stream_id]
        return was_reset or "cancel" in done or (ended and "end" in done)

    def is_over(self) -> bool:
        """Neither looks at anything any more."""
        return any(call[0] == "failed" for call in self.told.calls)

    def compare(self) -> None:
        """They told and said the same."""
        if self._is_in_block and self.is_over():
            # A frame that is wrong and in a wrong place: either fault may count.
            assert self.told.calls[:-1] == self.expected.calls[:-1]
            assert self.expected.calls[-1][0] == "failed"
            return
        assert self.told.calls == self.expected.calls
        ours = self._said(self.ours.take(), self._decoders[0])
        assert ours == self._said(self.theirs.take(), self._decoders[1])

    def _said(self, data: bytes, decoder: hpack.Decoder) -> list[tuple[Any, ...]]:
        frames: list[tuple[Any, ...]] = []
        data = data.removeprefix(PREFACE)
        while data:
            size, kind, flags = int.from_bytes(data[:3], "big"), data[3], data[4]
            stream_id, body = int.from_bytes(data[5:9], "big"), data[9 : 9 + size]
            data = data[9 + size :]
            if kind == codes.HEADERS:
                fields = [tuple(field) for field in decoder.decode(body, raw=True)]
                frames.append((kind, flags, stream_id, fields))
            elif kind == codes.SETTINGS and not flags:
                continue  # h2 sends the defaults too.
            elif kind != codes.WINDOW_UPDATE or stream_id:  # We give windows back when we choose.
                frames.append((kind, flags, stream_id, body))
        return frames


@example(script=[("next", 5, []), ("reset", 3, 0), ("head", 3, 4, INFORMATIONAL, [])])
@given(script=histories(st.one_of(HEAD, FRESH, FRESH, *PEER, OURS, OURS, OURS), 60))
def test_towards_clients_it_is_as_with_h2(script: list[tuple[Any, ...]]) -> None:
    run(script, client=False)


@example(script=[("setting", 3, 0), ("open", 1, 0)])
@given(script=histories(st.one_of(ANSWER, PAIR, PAIR, HEAD, *PEER, OURS, OURS, OURS), 60))
def test_towards_targets_it_is_as_with_h2(script: list[tuple[Any, ...]]) -> None:
    run(script, client=True)


def run(script: list[tuple[Any, ...]], *, client: bool) -> None:
    driven = Driven(client=client)
    driven.compare()
    for action in script:
        if action[0] in ORDERS:
            driven.order(*action)
        elif action[0] == "pair":
            driven.peer(*action[1])
        else:
            driven.peer(action)
        driven.compare()
        if driven.is_over():
            break
