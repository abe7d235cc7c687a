"""Laws of a lane: bytes arrive as sent, in order and within credit, or the stream fails."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from router.link import frames
from router.link.ports import Stream, ToldCount
from router.model import limits
from tests.examples import examples
from tests.unit.link.lanes import Counted, Pair, Recorder, Sender, request
from tests.unit.link.wire import Raw, World


class CreditWatch:
    """Reads both directions of a wire and keeps account of every stream's credit."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.credit: dict[tuple[str, int], int] = {}

    def check(self) -> None:
        """Replay: data against credit that had *left* the other end by the end of the run."""
        left, right = self.pair.wire.left.sent_log, self.pair.wire.right.sent_log
        for sender, receiver in ((left, right), (right, left)):
            sent: dict[int, int] = {}
            given: dict[int, int] = {}
            self._walk(bytes(receiver), given, frames.WINDOW)
            self._walk(bytes(sender), sent, frames.DATA)
            for stream_id, size in sent.items():
                granted = given.get(stream_id, 0)
                assert size <= limits.STREAM_WINDOW_BYTES_INITIAL + granted

    @staticmethod
    def _walk(log: bytes, sums: dict[int, int], wanted: int) -> None:
        position = 0
        while len(log) - position >= 8:
            word = int.from_bytes(log[position : position + 4], "big")
            stream_id = int.from_bytes(log[position + 4 : position + 8], "big")
            kind, length = word >> 24, word & 0xFFFFFF
            body = log[position + 8 : position + 8 + length]
            position += 8 + length
            if kind & frames.KIND_MASK == wanted:
                size = length - (4 if kind & frames.END else 0)
                value = int.from_bytes(body, "big") if wanted == frames.WINDOW else size
                sums[stream_id] = sums.get(stream_id, 0) + value


class Fickle(Recorder):
    """Stops and goes on reading by chance."""

    rng: random.Random

    def received(self, data: memoryview) -> bool:
        super().received(data)
        return self.rng.random() >= 0.3


def shake(pair: Pair, rng: random.Random, streams: list[tuple[Stream, Recorder]]) -> None:
    """One random step of readers and wire."""
    for stream, _ in streams:
        if rng.random() < 0.5:
            stream.resume()
        elif rng.random() < 0.2:
            stream.pause()
    for end in (pair.wire.left, pair.wire.right):
        end.capacity_bytes = rng.choice((100, 3_000, 70_000, 1_000_000))
        if rng.random() < 0.2:
            end.hold()
        else:
            end.release()
    if rng.random() < 0.3:
        pair.world.advance(rng.random() * 0.02)
    for _ in range(rng.randrange(8)):
        pair.world.turn()


@given(seed=st.integers(0, 2**32), sizes=st.lists(st.integers(0, 400_000), min_size=1, max_size=5))
@settings(max_examples=examples(25))
def test_any_schedule_delivers_what_was_sent_in_order_within_credit(
    seed: int, sizes: list[int]
) -> None:
    rng = random.Random(seed)
    pair = Pair(World(seed))
    Fickle.rng = rng
    pair.right_owner.make = Fickle
    for end in (pair.wire.left, pair.wire.right):
        end.piece = lambda: rng.choice((1, 7, 8, 9, 100, 5_000, 65_536, 65_536))
    senders: list[Sender] = []
    watch = CreditWatch(pair)
    for size in sizes:
        sender = Sender(rng.randbytes(size))
        sender.step = rng.choice((100, 5_000, 100_000)) if size > 3_000 else 100
        pair.open(sender)
        senders.append(sender)
        sender.go()
    for _ in range(60):
        streams = [
            (recorder.stream, recorder)
            for recorder in pair.right_owner.recorders
            if recorder.stream is not None
        ]
        shake(pair, rng, streams)
        watch.check()
    for end in (pair.wire.left, pair.wire.right):
        end.release()
        end.capacity_bytes = 1 << 20
        end.piece = lambda: 65_536
    Fickle.rng = random.Random(0)
    for _ in range(3_000):
        pair.world.settle()
        unfinished = [seen for seen in pair.right_owner.recorders if "ended" not in seen.names]
        if not unfinished and len(pair.right_owner.recorders) == len(sizes):
            break
        for seen in unfinished:
            assert seen.stream is not None
            seen.stream.resume()
    watch.check()
    assert [bytes(seen.data) for seen in pair.right_owner.recorders] == [
        sender.total for sender in senders
    ]
    for seen in pair.right_owner.recorders:
        assert seen.names == ["ended"]
        assert seen.stream is not None
        seen.stream.resume()
        seen.stream.finish()
    pair.world.settle()
    assert all(sender.losses == [None] for sender in senders)
    assert pair.process.held_bytes == 0
    assert pair.left_owner.faults == pair.right_owner.faults == []


def test_a_cut_after_any_byte_ends_every_stream_in_error() -> None:
    def run(cut: int | None) -> tuple[Recorder, int]:
        pair = Pair()
        _, handler, egress, _ = pair.opened()
        already = len(pair.wire.right.sent_log)
        pair.wire.right.break_after = cut
        egress.send_head(b"HTTP/1.1 200 OK\r\n\r\n", 60)
        for _ in range(3):
            egress.send(b"twenty bytes of body")
            pair.world.settle()
        egress.send_trailers(b"a: b\r\n")
        egress.finish(ToldCount(1))
        pair.world.settle()
        return handler, len(pair.wire.right.sent_log) - already

    whole, length = run(None)
    assert whole.names == ["accepted", "head", "trailers", "ended"]
    for cut in range(1, length):
        handler, _ = run(cut)
        assert "ended" not in handler.names, cut
        assert handler.losses == ["link-lost"], cut


def test_mutated_traffic_ends_in_order_or_in_a_violation_and_never_in_a_crash() -> None:
    rng = random.Random(11)
    recording = Pair()
    recording.right_owner.accept = False
    for index in range(4):
        sender = Sender(bytes(3_000 * index))
        stream = recording.open(sender)
        sender.go()
        recording.world.settle()
        egress = recording.right_owner.offered[-1][0]
        egress.accept(1)
        recording.world.settle()
        if index == 1:
            stream.reset("cancelled")
    recording.left.ping()
    recording.world.settle()
    honest = bytes(recording.wire.left.sent_log)
    for _ in range(400):
        wire = bytearray(honest)
        for _ in range(rng.randrange(1, 5)):
            position = rng.randrange(len(wire))
            match rng.randrange(3):
                case 0:
                    wire[position] = rng.randrange(256)
                case 1:
                    del wire[position : position + rng.randrange(1, 40)]
                case _:
                    wire[position:position] = wire[: rng.randrange(60)]
        pair = Pair()
        pair.wire.left.handler = Raw()
        pair.wire.left.send(wire)
        pair.world.settle()
        assert all(fault.kind == "violation" for fault in pair.right_owner.faults)
        pair.wire.break_()
        pair.world.settle()
        assert len(pair.right_owner.faults) == 1
        assert all(len(seen.losses) == 1 for seen in pair.right_owner.recorders)
        assert pair.process.held_bytes == 0 and pair.right.stream_count == 0


def in_parts(calls: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """The calls, with `answered`, always the last one, as the calls that it replaces."""
    told: list[tuple[object, ...]] = []
    for call in calls:
        if call[0] != "answered":
            told.append(call[:3])  # Later calls show whether a head was the end.
            continue
        _, head, body_bytes, in_flight = call
        if not any(one[0] == "accepted" for one in told):
            told.append(("accepted", in_flight))
        told += [("head", head, body_bytes), ("ended", in_flight), ("lost", None)]
    return told


@given(
    head=st.binary(max_size=300),
    size=st.one_of(st.integers(0, 300), st.integers(16_000, 17_000), st.just(60_000)),
    waits_s=st.sampled_from((0.0, 0.001, 0.007, 0.02)),
    interims=st.integers(0, 2),
    piece=st.sampled_from((1, 7, 100, 65_536)),
)
@settings(max_examples=examples(60))
def test_an_answer_is_heard_alike_by_neighbours_of_any_release(
    head: bytes, size: int, waits_s: float, interims: int, piece: int
) -> None:
    def heard(*, takes_answers: bool) -> tuple[list[tuple[object, ...]], bytes]:
        pair = Pair()
        pair.right.takes_answers = takes_answers
        pair.wire.right.piece = lambda: piece
        pair.right_owner.accept = False
        handler = Recorder()
        handler.stream = pair.left.open_stream(request(), handler, ends=True)
        pair.world.settle()
        egress = pair.right_owner.offered[-1][0]
        egress.accept_soon(lambda: 5)
        for _ in range(interims):
            egress.send_head(b"HTTP/1.1 103 x\r\n", 0)
        pair.world.advance(waits_s)
        egress.answer(head, size, bytes(size), Counted(5))
        pair.world.settle()
        assert pair.process.held_bytes == 0 and pair.left.stream_count == 0
        return in_parts(handler.calls), bytes(handler.data)

    assert heard(takes_answers=True) == heard(takes_answers=False)
