"""Guards of a lane: flood counts, pauses, held messages, and the timers that its end cancels."""

import struct

import pytest

from router.link import frames
from router.link.fault import Fault
from router.link.ports import OfferedStream
from router.link.streams.mux import LaneMux
from router.model import limits
from router.model.errors import RemoteProtocolError
from tests.unit.link.lanes import Owner, Pair, Recorder

BYE = Fault("bye", "the test ends it")


def test_pings_of_many_turns_are_no_flood() -> None:
    pair = Pair()
    for _ in range(4 * limits.PING_QUEUE_MAX):
        pair.left.ping()
        pair.world.settle()
    assert pair.right_owner.faults == []
    assert len(pair.left_owner.rtts) == 4 * limits.PING_QUEUE_MAX


def test_pings_that_a_blocked_lane_cannot_answer_are_a_flood_also_over_many_turns() -> None:
    pair = Pair()
    pair.wire.right.hold()
    pair.right.ping()
    pair.world.settle()  # Its connection takes nothing more.
    for _ in range(limits.PING_QUEUE_MAX + 1):
        pair.left.ping()
        pair.world.settle()
    assert [fault.code for fault in pair.right_owner.faults] == ["ping-flood"]


def test_a_pong_that_answers_no_ping_is_a_glitch_and_measures_nothing() -> None:
    pair = Pair()
    pair.left.ping()
    pair.world.settle()
    measured = len(pair.left_owner.rtts)
    frame = frames.encode(frames.PONG, 0, struct.pack(">d", pair.world.time - 1.0))
    pair.wire.right.send(frame * limits.GLITCHES_MAX)
    pair.world.settle()
    assert (len(pair.left_owner.rtts), pair.left_owner.faults) == (measured, [])
    pair.wire.right.send(frame)
    pair.world.settle()
    assert [fault.code for fault in pair.left_owner.faults] == ["glitches"]


class HeldBack(Owner):
    """Accepts soon, and answers nothing."""

    def lane_stream(self, stream: OfferedStream, body: bytes) -> None:
        self.accept = False
        super().lane_stream(stream, body)
        stream.accept_soon(lambda: 1)


@pytest.mark.parametrize("held_s", [0.0, limits.ACCEPT_HELD_S])
def test_the_end_of_a_lane_leaves_no_timer_of_held_or_paused_ones(held_s: float) -> None:
    pair = Pair()
    owner = HeldBack()
    pair.right.belong_to(owner, pair.right.buffers)
    pair.open(Recorder())
    pair.world.settle()
    pair.world.advance(held_s)
    pair.open(Recorder())
    pair.world.settle()
    pair.right.rest(0.1)
    assert pair.world.pending_timers == 2
    pair.wire.break_()
    pair.world.settle()
    assert pair.world.pending_timers == 0
    assert all(recorder.losses == ["link-lost"] for recorder in owner.recorders)


def test_a_lane_that_rests_reads_on_once_it_is_closed_and_rests_no_more() -> None:
    pair = Pair()
    pair.right.rest(100.0)
    pair.left.ping()
    pair.world.settle()
    heard_at = pair.right.bytes_in
    pair.right.close(BYE)
    pair.right.rest(100.0)
    pair.world.settle()
    assert pair.right.bytes_in > heard_at
    assert pair.wire.right.is_gone


def test_time_that_the_process_slept_is_no_stall() -> None:
    pair = Pair()
    pair.wire.left.hold()
    pair.left.ping()
    pair.world.settle()
    assert not pair.left.look(pair.world.time)
    pair.world.jump(2 * limits.LANE_WRITE_STALL_S)
    pair.left.woke(pair.world.time)
    assert not pair.left.look(pair.world.time)
    pair.world.jump(limits.LANE_WRITE_STALL_S)
    assert pair.left.look(pair.world.time)


def test_the_peer_opens_no_more_streams_than_a_lane_has(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair()
    handlers = [Recorder() for _ in range(4)]
    for handler in handlers:
        pair.open(handler)
    monkeypatch.setattr(limits, "STREAMS_PER_LANE_MAX", 2)
    pair.world.settle()
    assert [handler.names[:1] for handler in handlers] == [["accepted"]] * 2 + [["refused"]] * 2
    assert (pair.right.offered, pair.right.stream_count) == (0, 2)


def test_what_is_wrong_with_an_open_ends_the_lane_and_not_its_stream_alone() -> None:
    class Strict(Owner):
        def lane_stream(self, stream: OfferedStream, body: bytes) -> None:
            raise RemoteProtocolError("bad-open", "no path")

    pair = Pair()
    owner = Strict()
    pair.right.belong_to(owner, pair.right.buffers)
    pair.open(Recorder())
    pair.world.settle()
    assert [(fault.code, fault.kind) for fault in owner.faults] == [("bad-open", "violation")]


class Ends(Recorder):
    """One that may send again ends the streams of others."""

    ends: "list[Ends]"

    def writable(self) -> None:
        super().writable()
        for one in self.ends:
            one.stream.reset("cancelled")


def test_a_handler_hears_no_writable_once_another_one_ended_its_stream() -> None:
    pair = Pair()
    stopped = [Ends(), Ends()]
    for handler in stopped:
        handler.ends = [one for one in stopped if one is not handler]
        assert not pair.open(handler).send(bytes(limits.STREAM_SEND_QUEUE_BYTES + 1))
    pair.world.settle()
    assert [one.names.count("writable") for one in stopped] == [1, 0]
    assert [one.losses for one in stopped] == [[], ["cancelled"]]


def test_the_lane_is_lost_before_its_streams_and_once() -> None:
    told: list[str] = []

    class Telling(Owner):
        def lane_lost(self, lane: LaneMux, fault: Fault) -> None:
            told.append("lane")

    class Told(Recorder):
        def lost(self, cause: object) -> None:
            told.append("stream")

    pair = Pair()
    pair.left.belong_to(Telling(), pair.left.buffers)
    pair.open(Told())
    pair.world.settle()
    pair.left.close(BYE)
    pair.world.advance(2 * limits.LANE_LINGER_S)
    assert told == ["lane", "stream"]
