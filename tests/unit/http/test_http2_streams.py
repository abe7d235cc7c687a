"""Each state of an HTTP/2 stream, and each order or frame that meets it there."""

import gc
from collections import deque
from collections.abc import Callable
from itertools import product

import pytest

from router.http.http2 import codes
from router.http.http2.blocks import Block, encoded
from router.http.http2.codes import frame
from router.http.http2.connection import Http2Connection
from router.http.http2.stream_states import AFTER_RECEIVING, Http2Receiving, Http2Sending
from router.http.http2.streams import FinishedStreamUser, Http2Stream
from router.model import limits
from tests.unit.exchange.fakes_http import FakeConnection, FakeTimers

REQUEST = encoded([(b":method", b"POST"), (b":path", b"/")])
ANSWER = encoded([(b":status", b"200")])
INTERIM = encoded([(b":status", b"103")])
TRAILERS = encoded([(b"sum", b"1")])
WHOLE_HEAD = codes.END_HEADERS | codes.END_STREAM

OPEN, ENDING, TEARING, ENDED, OVER = Http2Sending
AWAITED, HEARD, ALL_HEARD = Http2Receiving


class Owner:
    """The connection's, which counts streams that are over and notes a lost connection."""

    def __init__(self) -> None:
        self.over = 0
        self.reason = ""

    def opened(self, stream: Http2Stream, fields: Block, ended: bool) -> None: ...
    def settled(self) -> None: ...
    def going_away(self, last_id: int, code: int) -> None: ...
    def ponged(self) -> None: ...

    def released(self) -> None:
        self.over += 1

    def warned(self) -> None: ...

    def failed(self, reason: str) -> None:
        self.reason = reason


class Scene:
    """A connection to a target, with one stream."""

    def __init__(self, *, end: bool = False, user: FinishedStreamUser | None = None) -> None:
        self.owner = Owner()
        self.timers = FakeTimers()
        self.connection = FakeConnection(self.timers)
        self.http2 = Http2Connection(
            self.connection, self.timers, self.owner, client=True, streams=0, header_bytes=10_000
        )
        self.stream = self.http2.open(REQUEST, user or FinishedStreamUser(), end)

    def hear(self, kind: int, flags: int, body: bytes) -> None:
        self.http2.receive(memoryview(frame(kind, flags, self.stream.id, body)))


def ended(scene: Scene) -> Scene:
    scene.stream.send(b"x")
    scene.stream.finish()
    return scene


def torn(scene: Scene) -> Scene:
    scene.stream.send(b"x")
    scene.stream.tear(codes.CANCEL)
    return scene


def reset(scene: Scene) -> Scene:
    scene.stream.reset(codes.CANCEL)
    return scene


IN_STATE: dict[Http2Sending, Callable[[], Scene]] = {
    OPEN: Scene,
    ENDING: lambda: ended(Scene()),
    TEARING: lambda: torn(Scene()),
    ENDED: lambda: Scene(end=True),
    OVER: lambda: reset(Scene()),
}
ORDERS: dict[str, Callable[[Scene], object]] = {
    "head": lambda scene: scene.stream.send_head(REQUEST, True),
    "whole": lambda scene: scene.stream.send_whole(REQUEST, b"y"),
    "send": lambda scene: scene.stream.send(b"y"),
    "finish": lambda scene: scene.stream.finish(),
    "tear": lambda scene: scene.stream.tear(codes.CANCEL),
    "reset": lambda scene: scene.stream.reset(codes.CANCEL),
    "turn": lambda scene: scene.http2.flush(),
}
MOVES = {
    (OPEN, "head"): ENDED,
    (OPEN, "whole"): ENDED,
    (OPEN, "finish"): ENDING,
    (OPEN, "tear"): OVER,  # Nothing is queued.
    (ENDING, "turn"): ENDED,
    (TEARING, "turn"): OVER,
    (ENDED, "tear"): OVER,
    **{(state, "reset"): OVER for state in Http2Sending},
}
"""Any other order leaves the state as it is."""


@pytest.mark.parametrize(("state", "order"), list(product(Http2Sending, ORDERS)))
def test_each_order_in_each_state(state: Http2Sending, order: str) -> None:
    scene = IN_STATE[state]()
    assert scene.stream.sending is state
    ORDERS[order](scene)
    assert scene.stream.sending is MOVES.get((state, order), state)
    assert scene.owner.over == (scene.stream.sending is OVER)
    assert scene.stream.is_over == (scene.stream.id not in scene.http2.streams)


def test_only_what_is_queued_is_sent_before_a_stream_is_torn() -> None:
    scene = torn(Scene())
    scene.http2.flush()
    sent = scene.connection.take()
    assert frame(codes.DATA, 0, 1, b"x") + frame(codes.RST_STREAM, 0, 1, b"\0\0\0\x08") in sent
    assert scene.http2.queued_bytes == 0


FRAMES: dict[str, tuple[int, int, bytes]] = {
    "interim": (codes.HEADERS, codes.END_HEADERS, INTERIM),
    "interim, end": (codes.HEADERS, WHOLE_HEAD, INTERIM),
    "head": (codes.HEADERS, codes.END_HEADERS, ANSWER),
    "head, end": (codes.HEADERS, WHOLE_HEAD, ANSWER),
    "data": (codes.DATA, 0, b"x"),
    "data, end": (codes.DATA, codes.END_STREAM, b"x"),
}
OUT_OF_PLACE = "an interim response out of place"
NO_RESPONSE = "data before a response"
NO_END = "trailers that do not end their stream"
HEARS: dict[tuple[Http2Receiving, str], Http2Receiving | str] = {
    (AWAITED, "interim"): AWAITED,
    (AWAITED, "interim, end"): OUT_OF_PLACE,
    (AWAITED, "head"): HEARD,
    (AWAITED, "head, end"): ALL_HEARD,
    (AWAITED, "data"): NO_RESPONSE,
    (AWAITED, "data, end"): NO_RESPONSE,
    (HEARD, "interim"): OUT_OF_PLACE,
    (HEARD, "interim, end"): OUT_OF_PLACE,
    (HEARD, "head"): NO_END,
    (HEARD, "head, end"): ALL_HEARD,  # Trailers.
    (HEARD, "data"): HEARD,
    (HEARD, "data, end"): ALL_HEARD,
    (ALL_HEARD, "interim"): OUT_OF_PLACE,
    (ALL_HEARD, "interim, end"): OUT_OF_PLACE,
    **{(ALL_HEARD, what): "" for what in ("head", "head, end", "data", "data, end")},
}
"""The state after a frame, or why the connection fails; empty: the stream alone does."""


@pytest.mark.parametrize(("state", "what"), list(product(Http2Receiving, FRAMES)))
def test_each_frame_in_each_state(state: Http2Receiving, what: str) -> None:
    scene = Scene()
    if state is not AWAITED:
        scene.hear(*FRAMES["head" if state is HEARD else "head, end"])
    assert scene.stream.receiving is state
    scene.hear(*FRAMES[what])
    outcome = HEARS[state, what]
    if outcome == "":
        assert (scene.stream.sending, scene.owner.reason) == (OVER, "")
    elif isinstance(outcome, str):
        assert scene.owner.reason == outcome
    else:
        assert (scene.stream.receiving, scene.owner.reason) == (outcome, "")
        assert outcome is state or outcome in AFTER_RECEIVING[state]


@pytest.mark.parametrize("what", ["head, end", "data, end"])
def test_a_stream_that_ends_both_ways_is_over(what: str) -> None:
    scene = Scene(end=True)
    if what == "data, end":
        scene.hear(*FRAMES["head"])
    scene.hear(*FRAMES[what])
    assert (scene.stream.sending, scene.owner.over) == (OVER, 1)
    assert not scene.http2.streams


def test_a_connection_that_is_lost_ends_its_streams_and_says_who_had_them() -> None:
    scene = ended(Scene())
    user = FinishedStreamUser()
    other = scene.http2.open(REQUEST, user, False)
    users = scene.http2.drop()
    assert list(users) == [scene.stream.id, other.id]
    assert users[other.id] is user
    assert scene.stream.is_over and other.is_over
    assert scene.http2.queued_bytes == 0


def test_a_stream_that_waits_for_credit_leaves_the_connection_as_it_ends() -> None:
    scene = Scene()
    no_window = codes.SETTING.pack(codes.INITIAL_WINDOW_SIZE, 0)
    scene.http2.receive(memoryview(frame(codes.SETTINGS, 0, 0, no_window)))
    for is_blocked in (False, True):
        other = scene.http2.open(REQUEST, FinishedStreamUser(), False)
        other.send(b"xyz")
        if is_blocked:
            scene.http2.flush()
        assert scene.http2.queued_bytes == 3
        other.reset(codes.CANCEL)
        assert scene.http2.queued_bytes == 0
        scene.http2.flush()
        assert not [one for one in gc.get_referrers(other) if isinstance(one, dict | deque)]


def test_a_stream_of_a_peer_that_ends_with_its_head_is_over() -> None:
    owner, timers = Owner(), FakeTimers()
    http2 = Http2Connection(
        FakeConnection(timers), timers, owner, client=False, streams=9, header_bytes=10_000
    )
    http2.receive(memoryview(frame(codes.HEADERS, WHOLE_HEAD, 1, REQUEST)))
    stream = http2.streams[1]
    stream.send_head(ANSWER, True)
    assert (stream.sending, owner.over, len(http2.streams)) == (OVER, 1, 0)


@pytest.mark.parametrize("why", ["it has ended", "its user resets it"])
def test_no_credit_is_given_to_a_stream_that_takes_no_more(why: str) -> None:
    class User(FinishedStreamUser):
        def got_body(self, data: memoryview) -> None:
            if why == "its user resets it" and len(data) == 1:
                scene.stream.reset(codes.CANCEL)

    scene = Scene(user=User())
    scene.hear(*FRAMES["head"])
    scene.connection.take()
    half = limits.HTTP2_WINDOW_BYTES // 2 - 1
    for size in (limits.HTTP2_FRAME_BYTES_MAX, half - limits.HTTP2_FRAME_BYTES_MAX):
        scene.hear(codes.DATA, 0, bytes(size))
    scene.hear(codes.DATA, codes.END_STREAM if why == "it has ended" else 0, b"x")
    assert frame(codes.WINDOW_UPDATE, 0, 1, codes.NUMBER.pack(half + 1)) not in (
        scene.connection.take()
    )


def credits_of(scene: Scene) -> list[int]:
    """Given back for the stream, one number for each time."""
    sent, given = scene.connection.take(), []
    while sent:
        size, kind, stream_id = int.from_bytes(sent[:3], "big"), sent[3], sent[5:9]
        if kind == codes.WINDOW_UPDATE and int.from_bytes(stream_id, "big") == scene.stream.id:
            given.append(int.from_bytes(sent[9:13], "big"))
        sent = sent[9 + size :]
    return given


@pytest.mark.parametrize("padding", [0, 1, 200])
@pytest.mark.parametrize("beyond", [-1, 0, 1, 40_000, 500_000])
def test_a_body_of_known_length_gets_the_credit_that_it_needs(beyond: int, padding: int) -> None:
    """Credit for a stream that the peer has ended is noise, and Jetty ends connections for it."""
    scene = Scene()
    scene.hear(*FRAMES["head"])
    scene.connection.take()
    room, left, given = limits.HTTP2_WINDOW_BYTES, limits.HTTP2_WINDOW_BYTES + beyond, 0
    scene.stream.expect(left)
    filler = 1 + padding if padding else 0
    while left:
        size = min(left, room - filler, limits.HTTP2_FRAME_BYTES_MAX - filler)
        assert size > 0, f"{left} bytes have no room"
        before = bytes([padding]) if padding else b""
        flags = codes.PADDED if padding else 0
        scene.hear(codes.DATA, flags, before + bytes(size) + bytes(padding))
        room, left = room - size - filler, left - size
        for credit in credits_of(scene):
            assert left > room, "what it has is enough"
            room, given = room + credit, given + 1
    if beyond <= 0 and not padding:
        assert not given
