"""Streams over one lane: order, half-close, credit, fairness, and every way to end."""

import logging

import pytest

from router.link import control, frames
from router.link.fault import Fault
from router.link.frames import END, encode
from router.link.ports import ToldCount
from router.link.streams.buffers import LinkBuffers, ProcessBuffers
from router.model import limits
from router.model.errors import LocalProtocolError
from router.net.ports import Buffer
from tests.unit.link.lanes import Counted, Pair, Recorder, Sender, request
from tests.unit.link.wire import World, frames_of


def kinds(data: Buffer) -> list[int]:
    return [kind for kind, _, _ in frames_of(data)]


def test_a_request_without_body_is_one_frame_and_its_answer_two() -> None:
    pair = Pair()
    pair.right_owner.accept = False
    handler = Recorder()
    pair.left.open_stream(request(b"GET / HTTP/1.1\r\n\r\n"), handler, ends=True)
    pair.world.settle()
    assert kinds(pair.wire.left.sent_log) == [frames.OPEN | END]
    egress, asked = pair.right_owner.offered[0]
    assert asked.head == b"GET / HTTP/1.1\r\n\r\n"
    assert egress.is_complete and pair.right_owner.recorders[0].calls == []
    egress.accept(3)
    egress.send_head(b"HTTP/1.1 200 OK\r\n\r\n", 2)
    egress.send(b"ok")
    egress.finish(ToldCount(2))
    pair.world.settle()
    assert kinds(pair.wire.right.sent_log) == [frames.ACCEPTED, frames.HEAD, frames.DATA | END]
    assert len(pair.wire.right.sends) == 1
    assert bytes(handler.data) == b"ok"
    assert handler.calls == [
        ("accepted", 3),
        ("head", b"HTTP/1.1 200 OK\r\n\r\n", 2, False),
        ("ended", 2),
        ("lost", None),
    ]
    assert pair.right_owner.recorders[0].losses == [None]


def test_an_answer_without_body_ends_with_its_head() -> None:
    pair = Pair()
    ingress, handler, egress, _ = pair.opened()
    ingress.finish()
    egress.send_head(b"HTTP/1.1 204 No Content\r\n\r\n", 0, end=True)
    pair.world.settle()
    assert kinds(pair.wire.right.sent_log) == [frames.ACCEPTED, frames.HEAD | END]
    assert handler.names == ["accepted", "head", "ended", "lost"]
    assert handler.calls[1][3] is True


def test_trailers_come_before_the_end_and_carry_it() -> None:
    pair = Pair()
    ingress, handler, egress, _ = pair.opened()
    ingress.finish()
    egress.send_head(b"h", -1)
    egress.send(b"body")
    egress.send_trailers(b"x: y\r\n")
    egress.finish(ToldCount(5))
    pair.world.settle()
    assert kinds(pair.wire.right.sent_log)[-1] == frames.TRAILERS | END
    assert handler.calls[2:] == [("trailers", b"x: y\r\n"), ("ended", 5), ("lost", None)]


def test_data_goes_straight_to_a_reader_that_pauses_by_itself_and_the_end_to_the_handler() -> None:
    pair = Pair()
    ingress, handler, egress, _ = pair.opened()
    egress.send(b"first")
    pair.world.settle()
    read = bytearray()

    def reader(data: memoryview) -> None:
        read.extend(data)

    ingress.hand_to(reader)
    size = limits.STREAM_WINDOW_BYTES_INITIAL  # More than fits without credit given back.
    for _ in range(3):
        egress.send(bytes(size))
        pair.world.settle()
    assert (bytes(handler.data), len(read)) == (b"first", 3 * size)
    ingress.pause()
    egress.send(bytes(limits.STREAM_WINDOW_BYTES_MAX))
    pair.world.settle()
    paused_at = len(read)
    assert paused_at < 3 * size + limits.STREAM_WINDOW_BYTES_MAX
    ingress.resume()
    egress.finish(ToldCount(0))
    ingress.finish()
    pair.world.settle()
    assert len(read) == 3 * size + limits.STREAM_WINDOW_BYTES_MAX
    assert handler.names[-2:] == ["ended", "lost"]


def test_a_refusal_is_followed_by_the_end() -> None:
    pair = Pair()
    pair.right_owner.accept = False
    handler = Recorder()
    pair.open(handler)
    pair.world.settle()
    pair.right_owner.offered[0][0].refuse("busy", 9)
    assert pair.right_owner.recorders[0].calls == []
    pair.world.settle()
    assert handler.calls == [("refused", "busy", 9), ("lost", None)]
    assert pair.right_owner.recorders[0].calls == [("lost", None)]
    assert pair.left.stream_count == pair.right.stream_count == 0


def test_nothing_calls_back_from_inside_a_call() -> None:
    pair = Pair()
    ingress, handler, _, _ = pair.opened()
    before = list(handler.calls)
    ingress.reset("cancelled")
    ingress.finish()
    ingress.send(b"dropped")
    assert handler.calls == before
    pair.world.settle()
    assert handler.calls == [*before, ("lost", "cancelled")]


@pytest.mark.parametrize("code", ["cancelled", "target-reset", "bad-message", "stalled"])
def test_a_reset_arrives_as_a_reset_and_drops_what_waits(code: str) -> None:
    pair = Pair()
    ingress, handler, egress, _ = pair.opened()
    ingress.send(b"x" * 500_000)
    pair.world.settle()
    egress.reset(code)  # type: ignore[arg-type]
    pair.world.settle()
    assert handler.losses == [code]
    assert "ended" not in handler.names
    assert pair.left.buffers.held_bytes == 0
    assert pair.left_owner.faults == pair.right_owner.faults == []


@pytest.mark.parametrize("finishes", [False, True])
@pytest.mark.parametrize("size", [0, 10, 40_000, 500_000])
def test_a_stream_that_is_broken_off_is_reset_behind_what_was_sent(
    size: int, finishes: bool
) -> None:
    pair = Pair()
    _, handler, egress, seen = pair.opened()
    egress.send_head(b"HTTP/1.1 200 OK\r\n", -1)
    sent = bytes(range(250)) * (size // 250 + 1)
    egress.send(sent[:size])
    if finishes:  # That has not left: the reset takes its place.
        egress.finish()
    egress.break_off("target-reset")
    pair.world.settle()
    assert bytes(handler.data) == sent[:size]
    assert handler.names[-2:] == ["head", "lost"]
    assert (handler.losses, seen.losses) == (["target-reset"], ["target-reset"])
    assert pair.left.buffers.held_bytes == pair.right.buffers.held_bytes == 0
    assert pair.left_owner.faults == pair.right_owner.faults == []


def test_a_stream_that_is_broken_off_with_nothing_to_send_is_reset_at_once() -> None:
    pair = Pair()
    _, handler, egress, _ = pair.opened()
    egress.break_off("bad-message")
    pair.world.settle()
    assert handler.losses == ["bad-message"]


@pytest.mark.parametrize("sent", [b"", b"said"])
def test_a_fin_that_has_not_left_gives_way_to_a_reset(sent: bytes) -> None:
    pair = Pair()
    ingress, handler, egress, seen = pair.opened()
    ingress.finish()
    pair.world.settle()
    egress.send(sent)
    egress.finish()
    egress.break_off("target-reset")
    pair.world.settle()
    assert kinds(pair.wire.right.sent_log)[-1] == frames.RESET
    assert frames.FIN not in kinds(pair.wire.right.sent_log)
    assert bytes(handler.data) == sent
    assert (handler.losses, seen.losses) == (["target-reset"], ["target-reset"])


def test_a_fin_leaves_with_the_data_of_its_turn_and_the_count_of_when_it_leaves() -> None:
    pair = Pair()
    ingress, handler, egress, seen = pair.opened()
    load = Counted(6)
    egress.send(b"said")
    egress.finish(load)
    load.load = 5
    ingress.finish()
    pair.world.settle()
    assert kinds(pair.wire.right.sent_log)[-2:] == [frames.DATA, frames.FIN]
    assert handler.calls[1:] == [("ended", 5), ("lost", None)]
    assert seen.names == ["ended", "lost"]
    assert pair.left.stream_count == pair.right.stream_count == 0


def test_a_fin_for_which_a_turn_has_no_room_left_waits_for_its_own() -> None:
    pair = Pair()
    ingress, handler, egress, _ = pair.opened()
    ingress.finish()
    pair.right.outbox.room_bytes = 11
    egress.finish(ToldCount(3))
    assert len(pair.right.outbox.ready) == 1 and not pair.right.outbox.fins
    pair.world.settle()
    assert handler.calls[1:] == [("ended", 3), ("lost", None)]


@pytest.mark.parametrize("size", [0, 10, 40_000])
def test_a_stream_whose_end_leaves_asks_for_no_other_turn(size: int) -> None:
    pair = Pair()
    ingress, _, egress, seen = pair.opened()
    ingress.finish()
    pair.world.settle()
    egress.send(bytes(size))
    egress.finish()
    pair.world.turn()
    assert seen.losses == [None] and not pair.right.turn_asked


def test_a_fin_that_has_not_left_goes_with_its_stream() -> None:
    pair = Pair()
    _, handler, egress, _ = pair.opened()
    egress.finish(ToldCount(3))
    egress.reset("cancelled")
    pair.world.settle()
    assert handler.calls[1:] == [("lost", "cancelled")]
    assert not pair.right.outbox.fins


def test_a_stream_that_is_broken_off_can_still_be_reset_by_either_end() -> None:
    for ours in (True, False):
        pair = Pair()
        ingress, handler, egress, seen = pair.opened()
        ingress.pause()
        egress.send(b"x" * 500_000)
        egress.break_off("target-reset")
        pair.world.settle()
        assert handler.losses == seen.losses == []
        (egress if ours else ingress).reset("cancelled")
        pair.world.settle()
        assert handler.losses == seen.losses == ["cancelled"]
        assert pair.right.buffers.held_bytes == 0


def test_a_stream_that_is_reset_before_its_open_left_is_never_seen() -> None:
    pair = Pair()
    handler = Recorder()
    pair.open(handler).reset("cancelled")
    pair.world.settle()
    assert pair.wire.left.sent_log == b""
    assert handler.losses == ["cancelled"]
    pair.opened()
    assert pair.right_owner.faults == []


def test_half_close_delivers_megabytes_both_ways() -> None:
    pair = Pair()
    pair.right_owner.accept = False
    upload, download = bytes(range(256)) * 32_768, b"download" * 400_000
    ingress = Sender(upload)
    pair.open(ingress)
    ingress.go()
    pair.world.settle()
    egress = Sender(download)
    stream, _ = pair.right_owner.offered[0]
    egress.stream = stream
    seen = pair.right_owner.recorders[0]
    stream.accept(0)
    # All of the upload is complete while the other direction has not begun.
    pair.world.settle()
    assert bytes(seen.data) == upload
    assert seen.names == ["ended"]
    seen.writable = egress.go  # type: ignore[method-assign]
    egress.go()
    pair.world.settle()
    assert bytes(ingress.data) == download
    assert ingress.names == ["accepted", "ended", "lost"]
    assert ingress.losses == seen.losses == [None]
    assert pair.process.held_bytes == 0


def test_one_stalled_reader_of_many_stalls_itself_alone() -> None:
    pair = Pair()
    total = b"z" * 1_000_000
    senders = []
    for index in range(40):
        sender = Sender(total)
        pair.open(sender)
        pair.world.settle()
        if index == 0:
            pair.right_owner.recorders[0].pause_at = 1
        sender.go()
        senders.append(sender)
    pair.world.settle()
    stalled, *others = pair.right_owner.recorders
    assert all(len(recorder.data) == len(total) for recorder in others)
    assert len(stalled.data) <= limits.STREAM_WINDOW_BYTES_INITIAL
    assert pair.right.buffers.held_bytes == len(stalled.data)
    stalled.pause_at = None
    assert stalled.stream is not None
    stalled.stream.resume()
    pair.world.settle()
    assert len(stalled.data) == len(total)
    assert pair.process.held_bytes == 0


@pytest.mark.parametrize("ending", ["finish", "reset"])
def test_a_reader_hears_data_in_place_of_the_handler_who_hears_the_end(ending: str) -> None:
    pair = Pair()
    stream, handler, far, _ = pair.opened()
    read = bytearray()
    far.send(b"first")
    pair.world.settle()
    stream.hand_to(read.extend)
    second = bytes(3 * limits.STREAM_WINDOW_BYTES_INITIAL)
    far.send(second)
    pair.world.settle()
    assert (bytes(handler.data), bytes(read)) == (b"first", second)
    if ending == "finish":
        stream.finish()
        far.send(b"third")
        far.finish(ToldCount(3))
    else:
        stream.reset("cancelled")
        far.send(b"of no use")
    pair.world.settle()
    if ending == "finish":
        assert bytes(read) == second + b"third"
        assert handler.calls[-2:] == [("ended", 3), ("lost", None)]
    else:
        assert bytes(read) == second
        assert handler.calls[-1] == ("lost", "cancelled")
    assert pair.process.held_bytes == 0


def test_a_reader_that_pauses_gets_one_window_and_the_rest_when_it_resumes() -> None:
    pair = Pair()
    stream, _, far, _ = pair.opened()
    read = bytearray()

    def reader(data: memoryview) -> None:
        read.extend(data)
        stream.pause()

    stream.hand_to(reader)
    total = bytes(3 * limits.STREAM_WINDOW_BYTES_INITIAL)
    far.send(total)
    pair.world.settle()
    assert len(read) == pair.left.buffers.held_bytes == limits.STREAM_WINDOW_BYTES_INITIAL
    while len(read) < len(total):
        before = len(read)
        stream.resume()
        pair.world.settle()
        assert len(read) > before
    stream.resume()
    assert pair.process.held_bytes == 0


def test_small_streams_pass_a_bulk_stream() -> None:
    pair = Pair()
    bulk = Sender(b"b" * 8_000_000)
    bulk.step = 1_000_000
    pair.open(bulk)
    pair.world.settle()
    pair.right_owner.recorders[0].received = lambda data: True  # type: ignore[method-assign]
    pair.wire.right.capacity_bytes = 300_000
    bulk.go()
    for _ in range(4):
        pair.world.turn()
    small = Recorder()
    stream = pair.open(small)
    stream.send(b"now")
    already = len(pair.wire.left.sent_log)
    while not (len(pair.right_owner.recorders) > 1 and pair.right_owner.recorders[1].data):
        assert pair.world.turn()
    assert len(pair.wire.left.sent_log) - already <= 2 * limits.LANE_TURN_BYTES_MAX


def test_one_send_a_turn_and_none_while_bytes_are_unsent() -> None:
    pair = Pair()
    pair.wire.right.capacity_bytes = 100_000
    senders = []
    for _ in range(5):
        sender = Sender(b"q" * 60_000)
        pair.open(sender)
        senders.append(sender)
    pair.world.settle()
    pair.wire.left.sends.clear()
    pair.wire.left.hold()
    for sender in senders:
        sender.go()
    pair.world.settle()
    assert len(pair.wire.left.sends) == 1
    assert pair.wire.left.sends[0] <= limits.LANE_TURN_BYTES_MAX + 65_536
    pair.wire.left.release()
    pair.world.settle()
    assert all(len(seen.data) == 60_000 for seen in pair.right_owner.recorders)


def test_a_window_grows_for_a_reader_that_waits_a_little_and_not_for_a_slow_one() -> None:
    def granted(paused_s: float, free_s: float) -> int:
        pair = Pair()
        ingress, _, egress, _ = pair.opened()
        ingress.send(b"b" * 20_000)
        pair.world.settle()
        egress.pause()
        pair.world.advance(paused_s)
        egress.resume()
        pair.world.advance(free_s)
        ingress.send(b"b" * 20_000)
        pair.world.settle()
        (credit,) = [
            int.from_bytes(payload, "big")
            for kind, _, payload in frames_of(pair.wire.right.sent_log)
            if kind == frames.WINDOW
        ]
        return credit

    assert granted(0.001, 0.007) == 40_000 + limits.STREAM_WINDOW_BYTES_INITIAL
    assert granted(0.004, 0.004) == 40_000


def test_a_window_grows_for_a_reader_that_keeps_up_and_not_above_the_mark() -> None:
    grown, held = Pair(), Pair()
    for pair in (grown, held):
        if pair is held:
            pair.right.buffers.hold(limits.LINK_BUFFERED_BYTES_MARK)
        sender = Sender(b"w" * 4_000_000)
        pair.open(sender)
        pair.world.settle()
        sender.go()
        pair.world.settle()

    def credits(pair: Pair) -> list[int]:
        return [
            int.from_bytes(payload, "big")
            for kind, _, payload in frames_of(pair.wire.right.sent_log)
            if kind == frames.WINDOW
        ]

    assert max(credits(grown)) > 1_000_000
    assert max(credits(held)) <= limits.STREAM_WINDOW_BYTES_INITIAL
    assert min(credits(held)) >= limits.STREAM_WINDOW_BYTES_INITIAL // 2


def test_of_the_largest_window_credit_goes_back_in_small_steps() -> None:
    pair = Pair()
    sender = Sender(b"w" * 60_000_000)
    pair.open(sender)
    pair.world.settle()
    sender.go()
    pair.world.settle()
    credits = [
        int.from_bytes(payload, "big")
        for kind, _, payload in frames_of(pair.wire.right.sent_log)
        if kind == frames.WINDOW
    ]
    grown_bytes = limits.STREAM_WINDOW_BYTES_INITIAL
    while grown_bytes < limits.STREAM_WINDOW_BYTES_MAX:  # It doubles: a half read, and as much.
        assert credits.pop(0) >= grown_bytes * 3 // 2
        grown_bytes *= 2
    step = limits.STREAM_CREDIT_STEP_BYTES
    assert len(credits) > 10
    assert all(step <= credit < step + limits.LANE_TURN_BYTES_MAX for credit in credits)


def test_a_full_process_resets_the_stream_that_stalled_longest() -> None:
    world = World()
    pair = Pair(world)
    process = ProcessBuffers(mark_bytes=150_000)
    pair.right.buffers = LinkBuffers(process)
    for _ in range(3):
        sender = Sender(b"s" * 100_000)
        pair.open(sender)
        world.settle()
        pair.right_owner.recorders[-1].pause_at = 1
        sender.go()
        world.settle()
    assert [recorder.losses for recorder in pair.right_owner.recorders] == [["stalled"], [], []]
    assert process.held_bytes <= 150_000
    assert pair.right_owner.faults == []


def test_a_handler_that_raises_ends_its_stream_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    pair = Pair()
    _, bad_handler, _, bad = pair.opened()
    good_stream, good_handler, _, good = pair.opened()
    bad.fail_on = "received"
    assert bad_handler.stream is not None
    bad_handler.stream.send(b"boom")
    good_stream.send(b"fine")
    pair.world.settle()
    assert bad_handler.losses == bad.losses == ["internal"]
    assert bytes(good.data) == b"fine"
    assert good_handler.losses == [] and pair.right_owner.faults == []
    pair.right_owner.fail = True
    third = Recorder()
    pair.open(third)
    pair.world.settle()
    assert third.losses == ["internal"]


def test_a_lost_lane_loses_every_stream_once_then_tells_its_owner() -> None:
    pair = Pair()
    handlers = [pair.opened()[1] for _ in range(3)]
    pair.wire.break_()
    pair.world.settle()
    assert [handler.losses for handler in handlers] == [["link-lost"]] * 3
    assert [recorder.losses for recorder in pair.right_owner.recorders] == [["link-lost"]] * 3
    assert [fault.code for fault in pair.left_owner.faults] == ["connection-reset"]
    assert pair.left.open_stream(request(), Recorder()) is None


def test_closing_says_why_and_loses_the_streams_in_the_same_turn() -> None:
    pair = Pair()
    _, handler, _, _ = pair.opened()
    pair.left.close(Fault("shutdown", "going", "come back later"))
    assert handler.losses == []
    pair.world.turn()
    assert handler.losses == ["link-lost"]
    pair.world.settle()
    assert pair.right_owner.messages == [
        control.GoAway("lost", "shutdown", "going", "come back later")
    ]
    assert pair.wire.left.has_finished


def test_the_number_of_streams_is_bounded_at_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair()
    pair.right_owner.accept = False
    monkeypatch.setattr(limits, "STREAMS_OPENING_MAX", 2)
    handlers = [Recorder() for _ in range(6)]
    for handler in handlers:
        pair.open(handler)
    pair.world.settle()
    assert [handler.names for handler in handlers] == [[], [], *[["refused", "lost"]] * 4]
    monkeypatch.setattr(limits, "STREAMS_PER_LANE_MAX", 2)
    assert pair.left.open_stream(request(), Recorder()) is None


def test_resets_are_paced_so_that_the_peer_bears_them() -> None:
    pair = Pair()
    for _ in range(limits.RESETS_BURST + 100):
        handler = Recorder()
        stream = pair.open(handler)
        pair.world.settle()
        stream.reset("cancelled")
    pair.world.settle()
    assert pair.right_owner.faults == []
    assert pair.right.stream_count > 0
    pair.world.advance(20.0)
    assert pair.right.stream_count == 0
    assert pair.right_owner.faults == []


def test_a_reset_that_waits_is_not_needed_once_the_stream_ended_there() -> None:
    pair = Pair()
    for _ in range(limits.RESETS_BURST):
        stream = pair.open(Recorder())
        stream.finish()
        pair.world.settle()
        stream.reset("cancelled")
    pair.world.settle()
    waiting = pair.right.stream_count
    assert waiting > 50
    for egress, _ in pair.right_owner.offered[-waiting:]:
        egress.send_head(b"late answer", 0, end=True)
    pair.world.settle()
    assert pair.right.stream_count == 0
    resets = kinds(pair.wire.left.sent_log).count(frames.RESET)
    pair.world.advance(20.0)
    assert kinds(pair.wire.left.sent_log).count(frames.RESET) == resets
    assert pair.right_owner.faults == pair.left_owner.faults == []


def test_a_ping_measures_the_round_trip() -> None:
    pair = Pair()
    pair.wire.right.hold()
    pair.left.ping()
    pair.world.advance(0.25)
    pair.wire.right.release()
    pair.world.settle()
    assert pair.left_owner.rtts == [pytest.approx(0.25)]


def test_what_an_owner_does_wrong_is_told_at_once() -> None:
    pair = Pair()
    pair.right_owner.accept = False
    ingress = pair.open(Recorder())
    pair.world.settle()
    egress = pair.right_owner.offered[0][0]
    with pytest.raises(LocalProtocolError):
        egress.send(b"early")
    egress.accept(0)
    with pytest.raises(LocalProtocolError):
        egress.accept(0)
    with pytest.raises(LocalProtocolError):
        egress.refuse("busy", 0)
    ingress.finish()
    with pytest.raises(LocalProtocolError):
        ingress.send(b"late")


def test_bulk_streams_share_each_turn_alike() -> None:
    pair = Pair()
    senders = [Sender(b"f" * 2_000_000) for _ in range(4)]
    for sender in senders:
        sender.step = 500_000
        pair.open(sender)
    pair.world.settle()
    pair.wire.right.capacity_bytes = 100_000
    for sender in senders:
        sender.go()
    pair.world.settle()
    first_turn: dict[int, int] = {}
    left_bytes = limits.LANE_TURN_BYTES_MAX
    for kind, stream_id, payload in frames_of(pair.wire.left.sent_log):
        if kind & frames.KIND_MASK == frames.DATA and left_bytes > 0:
            first_turn[stream_id] = first_turn.get(stream_id, 0) + len(payload)
            left_bytes -= 8 + len(payload)
    assert len(first_turn) == 4
    everyone = first_turn.values()
    assert max(everyone) <= 4 * limits.LANE_QUANTUM_BYTES
    assert min(everyone) >= 4 * limits.LANE_QUANTUM_BYTES - 200
    assert all(len(seen.data) == 2_000_000 for seen in pair.right_owner.recorders)


def test_little_leaves_ahead_of_much_and_much_in_whole_frames() -> None:
    pair = Pair()
    little = limits.LANE_TURN_BYTES_MAX // 32 - 8  # With their headers 32 of them fill a turn.
    bulk = [pair.opened()[0] for _ in range(2)]
    small = [pair.opened()[0] for _ in range(40)]
    for stream in bulk:
        stream.send(b"f" * 60_000)
    for stream in small:
        stream.send(b"s" * little)
    before = len(frames_of(pair.wire.left.sent_log))
    pair.world.settle()
    sent = [
        len(payload)
        for kind, _, payload in frames_of(pair.wire.left.sent_log)[before:]
        if kind & frames.KIND_MASK == frames.DATA
    ]
    assert sent == [little] * 40 + [60_000] * 2


def test_what_a_cut_frame_left_does_not_cut_those_behind_it() -> None:
    pair = Pair()
    whole = limits.FRAME_PAYLOAD_BYTES_MAX
    credit = limits.STREAM_WINDOW_BYTES_INITIAL
    stream = pair.opened()[0]
    before = len(frames_of(pair.wire.left.sent_log))
    pair.wire.right.held = True
    stream.send(bytes(4 * whole))
    pair.world.settle()
    more = encode(frames.WINDOW, stream.id, (8 * whole).to_bytes(4, "big"))
    pair.left.received(memoryview(more))
    pair.world.settle()
    sent = [len(payload) for _, _, payload in frames_of(pair.wire.left.sent_log)[before:]]
    first, rest = credit - whole, 2 * whole - credit
    assert sent == [whole, first, rest, whole, whole]


def test_a_frame_that_is_a_little_too_much_for_its_turn_leaves_whole() -> None:
    pair = Pair()
    whole = limits.FRAME_PAYLOAD_BYTES_MAX
    stream = pair.opened()[0]
    pair.left.received(memoryview(encode(frames.WINDOW, stream.id, (1 << 20).to_bytes(4, "big"))))
    before = len(pair.wire.left.sends)
    pair.left.urgent(encode(frames.PING, 0, bytes(8)))
    stream.send(bytes(4 * whole))
    pair.world.settle()
    assert pair.wire.left.sends[before] == 16 + limits.LANE_TURN_BYTES_MAX


def test_of_a_turn_so_much_leaves_as_it_came_and_the_rest_in_its_turn() -> None:
    pair = Pair()
    piece = limits.LANE_QUANTUM_BYTES
    most = limits.LANE_PLACED_BYTES_MAX // piece
    streams = [pair.opened() for _ in range(most + 2)]
    for stream, *_ in streams:
        stream.send(bytes(piece))
    outbox = pair.left.outbox
    assert sum(len(frame) - 8 for _, frame in outbox.placed) == limits.LANE_PLACED_BYTES_MAX
    assert len(outbox.placed) == most
    assert [stream for stream, *_ in streams[most:]] == list(outbox.ready)
    pair.world.settle()
    assert not outbox.placed and not outbox.ready
    assert outbox.room_bytes == limits.LANE_PLACED_BYTES_MAX
    assert all(len(there.data) == piece for *_, there in streams)


def test_nothing_is_delivered_after_the_lane_was_aborted_from_within() -> None:
    pair = Pair()
    _, _, _, first = pair.opened()
    _, _, _, second = pair.opened()
    lane = pair.right

    def received(data: memoryview) -> bool:
        lane.abort(Fault("revoked", "in the middle of a read"))
        return True

    first.received = received  # type: ignore[method-assign]
    third = encode(frames.OPEN, 5, control.encode_open(request()))
    pair.wire.left.send(encode(frames.DATA, 1, b"x"), encode(frames.DATA, 3, b"y"), third)
    pair.world.settle()
    assert first.losses == second.losses == ["link-lost"]
    assert second.data == b"" and len(pair.right_owner.offered) == 2
    assert [fault.code for fault in pair.right_owner.faults] == ["revoked"]


def test_a_stalled_stream_that_holds_nothing_is_left_alone() -> None:
    pair = Pair()
    process = ProcessBuffers(mark_bytes=50_000)
    pair.right.buffers = LinkBuffers(process)
    _, _, idle, idle_seen = pair.opened()
    idle.pause()
    sender = Sender(b"s" * 60_000)
    pair.open(sender)
    pair.world.settle()
    pair.right_owner.recorders[-1].pause_at = 1
    sender.go()
    pair.world.settle()
    assert pair.right_owner.recorders[-1].losses == ["stalled"]
    assert idle_seen.losses == []
