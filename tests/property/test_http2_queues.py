"""An HTTP/2 connection's queue equals the sum of its streams' queues, whatever happens to them."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from router.http.http2 import codes
from router.http.http2.codes import frame
from router.http.http2.streams import FinishedStreamUser, Http2Stream
from router.model import limits
from tests.examples import examples, histories
from tests.unit.http.test_http2_streams import ANSWER, REQUEST, TRAILERS, Scene

SIZES = (0, 1, 5_000, limits.HTTP2_QUANTUM_BYTES, limits.HTTP2_QUEUE_BYTES + 1)
CODES = (codes.CANCEL, codes.NO_ERROR)


class Streams(Scene):
    """Some streams of a connection to a target, also those that are over."""

    def __init__(self) -> None:
        super().__init__()
        self.all = [self.stream]

    def pick(self, number: int) -> Http2Stream:
        return self.all[number % len(self.all)]

    def open(self, number: int) -> None:
        if not self.http2.is_over:
            self.all.append(self.http2.open(REQUEST, FinishedStreamUser(), number % 3 == 0))

    def send(self, number: int) -> None:
        self.pick(number).send(bytes(SIZES[number % len(SIZES)]))

    def answer(self, number: int) -> None:
        """Of the peer, on a stream that it has not answered yet or whose answer goes on."""
        stream = self.pick(number)
        self.frame(stream.id, codes.HEADERS, codes.END_HEADERS | number % 2, ANSWER)

    def frame(self, stream_id: int, kind: int, flags: int, body: bytes) -> None:
        if not self.http2.is_over:
            self.http2.receive(memoryview(frame(kind, flags, stream_id, body)))

    def credit(self, number: int) -> None:
        more = (number * 7_919 % 60_000 + 1).to_bytes(4, "big")
        self.frame(0 if number % 2 else self.pick(number).id, codes.WINDOW_UPDATE, 0, more)

    def set_window(self, number: int) -> None:
        setting = codes.SETTING.pack(codes.INITIAL_WINDOW_SIZE, number * 997 % 70_000)
        self.frame(0, codes.SETTINGS, 0, setting)

    def reset_by_peer(self, number: int) -> None:
        self.frame(self.pick(number).id, codes.RST_STREAM, 0, codes.NUMBER.pack(codes.CANCEL))

    def clog(self, number: int) -> None:
        """The network takes no more, or has taken all."""
        self.connection.full = bool(number % 3)
        if not self.connection.full and not self.http2.is_over:
            self.http2.writable()

    def flush(self, number: int) -> None:
        self.http2.flush()

    def turn(self, number: int) -> None:
        self.timers.turn()

    def finish(self, number: int) -> None:
        self.pick(number).finish(TRAILERS if number % 2 else b"", reset_after=number % 3 - 1)

    def tear(self, number: int) -> None:
        self.pick(number).tear(CODES[number % 2])

    def reset(self, number: int) -> None:
        self.pick(number).reset(CODES[number % 2])

    def whole(self, number: int) -> None:
        self.pick(number).send_whole(REQUEST, bytes(SIZES[number % len(SIZES)]))

    def lose(self, number: int) -> None:
        if number % 4 == 0:
            self.http2.drop()


EVENTS: tuple[Callable[[Streams, int], None], ...] = (
    *(Streams.open, Streams.send, Streams.send, Streams.send, Streams.finish, Streams.tear),
    *(Streams.reset, Streams.whole, Streams.answer, Streams.credit, Streams.set_window),
    *(Streams.reset_by_peer, Streams.clog, Streams.flush, Streams.turn, Streams.lose),
)


@settings(max_examples=examples(200))
@given(histories(st.tuples(st.sampled_from(EVENTS), st.integers(0, 30)), 60))
def test_a_connection_has_queued_what_its_streams_have(
    events: list[tuple[Callable[[Streams, int], None], int]],
) -> None:
    scene = Streams()
    for event, number in events:
        event(scene, number)
        assert scene.http2.queued_bytes == sum(stream.queued_bytes for stream in scene.all)
        assert all(stream.queued_bytes == 0 for stream in scene.all if stream.is_over)
    scene.http2.drop()
    assert scene.http2.queued_bytes == 0
