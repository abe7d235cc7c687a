"""What every network does alike: the contract of `router.net.ports`, real and simulated."""

import hashlib
import random

import pytest

from router.model import limits
from router.net.ports import Connection, DialFailure, Loss
from tests.unit.net.recorder import Recorder
from tests.unit.net.worlds import Pair, World

BULK = random.Random(1).randbytes(3_000_000)


def digest(data: bytes | bytearray) -> str:
    return hashlib.sha256(data).hexdigest()


# Bytes.


def test_bytes_arrive_in_order_whatever_their_parts(pair: Pair) -> None:
    pair.left.wire.send(b"one ", bytearray(b"two "), memoryview(b"three "))
    pair.left.wire.send()
    pair.left.wire.send(b"")
    pair.left.wire.send(b"four")
    pair.run_until(lambda: len(pair.right.data) == 18)
    assert pair.right.data == b"one two three four"


def test_each_end_knows_both_addresses(pair: Pair) -> None:
    left, right = pair.left.wire, pair.right.wire
    assert left.peer == right.local == pair.listener.address
    assert left.local == right.peer


def test_bytes_sent_from_within_accept_and_connected_arrive(world: World) -> None:
    def take_and_send(recorder: Recorder, data: bytes) -> Recorder:
        recorder.wire.send(data)
        return recorder

    left, right = Recorder(), Recorder()
    listener = world.right.listen(
        world.right_ip,
        0,
        lambda connection: take_and_send(right.take(connection), b"welcome"),
        tls=world.server_tls,
    )
    world.left.dial(
        world.right_ip,
        listener.address.port,
        lambda connection: take_and_send(left.take(connection), b"hello"),
        lambda failure: None,
        timeout_s=5.0,
        tls=world.client_tls,
    )
    world.run_while(lambda: len(left.data) < 7 or len(right.data) < 5)
    assert left.data == b"welcome" and right.data == b"hello"


def test_large_transfers_both_ways_at_once_arrive_whole(pair: Pair) -> None:
    pair.left.wire.send(BULK)
    pair.right.wire.send(BULK[::-1])
    pair.run_until(
        lambda: len(pair.left.data) == len(BULK), lambda: len(pair.right.data) == len(BULK)
    )
    assert digest(pair.right.data) == digest(BULK)
    assert digest(pair.left.data) == digest(BULK[::-1])


def test_a_stream_survives_any_cut_into_sends(pair: Pair) -> None:
    cuts = random.Random(7)
    rest = memoryview(BULK)[:400_000]
    while rest:
        parts = []
        for _ in range(cuts.randint(1, 5)):
            size = cuts.choice((0, 1, 8, 1000, 16_384, 65_528, 70_000))
            parts.append(rest[:size])
            rest = rest[size:]
        pair.left.wire.send(*parts)
    pair.left.wire.finish()
    pair.run_until(lambda: pair.right.told("ended"))
    assert digest(pair.right.data) == digest(BULK[:400_000])


def test_more_parts_than_one_system_call_takes_arrive_in_order(pair: Pair) -> None:
    parts = [number.to_bytes(4, "big") for number in range(5_000)]
    pair.left.wire.send(*parts)
    pair.run_until(lambda: len(pair.right.data) == 20_000)
    assert pair.right.data == b"".join(parts)


def test_what_was_sent_is_copied(pair: Pair) -> None:
    flood = pair.flood
    pair.right.wire.pause()
    buffer = bytearray(flood)
    pair.left.wire.send(memoryview(buffer))
    assert pair.left.wire.buffered_bytes > 0
    buffer[:] = bytes(len(buffer))
    pair.right.wire.resume()
    pair.run_until(lambda: len(pair.right.data) == len(flood))
    assert digest(pair.right.data) == digest(flood)


# Backpressure.


def test_send_says_no_above_the_mark_and_writable_comes_once_when_drained(pair: Pair) -> None:
    flood = pair.flood
    left, right = pair.left, pair.right
    buffered_when_told: list[int] = []
    left.on_writable = lambda: buffered_when_told.append(left.wire.buffered_bytes)
    right.wire.pause()
    assert not left.wire.send(flood)
    assert left.wire.buffered_bytes > 0
    assert not left.wire.send(b"more")
    pair.world.settle()
    assert left.calls == []
    right.wire.resume()
    pair.run_until(lambda: len(right.data) == len(flood) + 4, lambda: left.calls)
    pair.world.settle()
    assert left.calls == ["writable"]
    assert buffered_when_told == [0]


def test_a_send_below_the_mark_owes_no_writable(pair: Pair) -> None:
    flood = pair.flood
    pair.left.wire.set_high_mark(10 * len(flood))
    pair.right.wire.pause()
    assert pair.left.wire.send(flood)
    pair.right.wire.resume()
    pair.run_until(lambda: len(pair.right.data) == len(flood))
    pair.world.settle()
    assert pair.left.calls == []


def test_a_mark_of_zero_says_no_while_anything_is_unsent(pair: Pair) -> None:
    pair.left.wire.set_high_mark(0)
    pair.right.wire.pause()
    answer = pair.left.wire.send(pair.flood)
    assert not answer and pair.left.wire.unsent_bytes == pair.left.wire.buffered_bytes > 0
    pair.right.wire.resume()
    pair.run_until(lambda: pair.left.told("writable"))
    assert pair.left.wire.buffered_bytes == 0


def test_what_came_ahead_of_a_reset_is_read_where_a_pause_says_so(pair: Pair) -> None:
    """A router that stops says goodbye, and resets since it leaves bytes unread."""
    pair.right.wire.pause(reads_last=True)
    pair.left.wire.send(b"goodbye")
    pair.world.settle()
    assert pair.right.data == b""
    pair.left.wire.abort()
    pair.run_until(lambda: pair.right.losses)
    assert (bytes(pair.right.data), pair.right.lost_code) == (b"goodbye", "reset")


def test_what_came_ahead_of_a_reset_is_read_also_when_a_write_meets_it_first(pair: Pair) -> None:
    pair.right.wire.pause(reads_last=True)
    pair.left.wire.send(b"goodbye")
    pair.world.settle()
    pair.left.wire.abort()
    pair.right.wire.send(b"more")
    pair.right.wire.send(b"and more")
    pair.run_until(lambda: pair.right.losses)
    assert (bytes(pair.right.data), pair.right.lost_code) == (b"goodbye", "reset")


def test_what_the_peer_has_not_read_is_undelivered_also_once_the_kernel_has_it(pair: Pair) -> None:
    pair.run_until(lambda: pair.left.wire.undelivered_bytes == 0)
    pair.right.wire.pause()
    pair.left.wire.send(pair.flood)
    pair.world.settle()
    stuck = pair.left.wire.undelivered_bytes
    assert stuck > pair.left.wire.unsent_bytes > 0
    pair.right.wire.resume()
    pair.run_until(lambda: pair.left.wire.undelivered_bytes == 0)
    pair.right.wire.pause()
    pair.left.wire.send(pair.flood)
    pair.left.wire.abort()
    assert pair.left.wire.undelivered_bytes == 0, "the peer will not get it"


def test_a_writer_that_obeys_writable_gets_all_through(pair: Pair) -> None:
    rest = memoryview(BULK)

    def write() -> None:
        nonlocal rest
        while rest:
            piece, rest = rest[:50_000], rest[50_000:]
            if not pair.left.wire.send(piece):
                return
        pair.left.wire.finish()

    pair.left.on_writable = write
    write()
    pair.run_until(lambda: pair.right.told("ended"))
    assert digest(pair.right.data) == digest(BULK)


# Pausing.


def test_a_paused_connection_delivers_nothing_until_resumed(pair: Pair) -> None:
    pair.right.wire.pause()
    pair.right.wire.pause()
    pair.left.wire.send(b"data")
    pair.left.wire.finish()
    pair.world.settle()
    assert pair.right.calls == []
    pair.right.wire.resume()
    assert pair.right.calls == [], "called back synchronously"
    pair.run_until(lambda: pair.right.told("ended"))
    assert pair.right.calls == ["received", "ended"]
    assert pair.right.data == b"data"


def test_pausing_within_received_holds_back_what_follows(pair: Pair) -> None:
    pair.right.on_received = lambda data: pair.right.wire.pause()
    pair.left.wire.send(BULK)
    pair.left.wire.finish()
    pair.run_until(lambda: pair.right.calls)
    first = len(pair.right.data)
    pair.world.settle()
    assert len(pair.right.data) == first < len(BULK)
    while not pair.right.told("ended"):
        before = len(pair.right.data)

        def went_on(before: int = before) -> bool:
            return len(pair.right.data) > before or bool(pair.right.told("ended"))

        pair.right.wire.resume()
        pair.run_until(went_on)
        if len(pair.right.data) > len(BULK) // 4:
            pair.right.on_received = None
    assert digest(pair.right.data) == digest(BULK)


def test_pausing_and_resuming_within_received_loses_nothing(pair: Pair) -> None:
    def flicker(data: memoryview) -> None:
        pair.right.wire.pause()
        pair.right.wire.resume()

    pair.right.on_received = flicker
    pair.left.wire.send(BULK)
    pair.left.wire.finish()
    pair.run_until(lambda: pair.right.told("ended"))
    assert digest(pair.right.data) == digest(BULK)


def test_a_connection_paused_in_accept_starts_paused(world: World) -> None:
    left, right = Recorder(), Recorder()

    def accept(connection: Connection) -> Recorder:
        connection.pause()
        return right.take(connection)

    listener = world.right.listen(world.right_ip, 0, accept, tls=world.server_tls)
    dial_recorder(world, listener.address.port, left)
    world.run_while(lambda: not (left.connection and right.connection))
    left.wire.send(b"early")
    world.settle()
    assert right.calls == []
    right.wire.resume()
    world.run_while(lambda: right.data != b"early")


def test_a_reset_reaches_a_paused_connection(pair: Pair) -> None:
    pair.right.wire.pause()
    pair.left.wire.send(b"unread")
    pair.world.settle()
    pair.left.wire.abort()
    pair.run_until(lambda: pair.right.losses)
    assert pair.right.calls == ["lost"]
    assert pair.right.lost_code == "reset"


def test_the_end_of_a_peer_is_told_once_while_reading_is_paused(pair: Pair) -> None:
    right = pair.right
    left_calls: list[int] = []
    right.wire.pause(lambda: left_calls.append(len(right.data)))
    pair.left.wire.send(b"unread")
    pair.world.settle()
    assert left_calls == [], "it has not finished"
    pair.left.wire.finish()
    pair.run_until(lambda: left_calls)
    pair.world.settle()
    assert left_calls == [0] and right.calls == []
    right.wire.resume()
    pair.run_until(lambda: right.told("ended"))
    assert right.data == b"unread" and left_calls == [0]


def test_the_end_of_a_peer_that_came_first_is_told_to_who_pauses_on_its_last_bytes(
    pair: Pair,
) -> None:
    right = pair.right
    told: list[str] = []
    right.on_received = lambda data: right.wire.pause(lambda: told.append("left"))
    pair.left.wire.send(b"x" * 10)
    pair.left.wire.finish()
    pair.run_until(lambda: told)
    assert right.calls == ["received"] and right.data
    right.on_received = None
    right.wire.resume()
    pair.run_until(lambda: right.told("ended"))
    assert right.data == b"x" * 10 and told == ["left"]


def test_the_end_of_a_peer_is_told_while_bytes_wait_for_it(pair: Pair) -> None:
    told: list[str] = []
    pair.left.wire.pause()
    pair.right.wire.send(pair.flood)
    pair.right.wire.pause(lambda: told.append("left"))
    pair.left.wire.finish()
    pair.run_until(lambda: told)
    pair.right.wire.abort()
    pair.run_until_lost()
    assert told == ["left"]


def test_who_reads_on_is_told_of_an_end_by_ended_alone(pair: Pair) -> None:
    told: list[str] = []
    pair.right.wire.pause(lambda: told.append("left"))
    pair.right.wire.resume()
    pair.left.wire.finish()
    pair.run_until(lambda: pair.right.told("ended"))
    pair.world.settle()
    assert told == []


def test_a_reset_reaches_a_half_closed_connection(pair: Pair) -> None:
    pair.left.wire.finish()
    pair.run_until(lambda: pair.right.told("ended"))
    pair.left.wire.abort()
    pair.run_until(lambda: pair.right.losses)
    assert pair.right.lost_code == "reset"


# Incoming bytes.


def test_a_call_comes_once_and_as_soon_as_so_much_has_come_in(pair: Pair) -> None:
    calls: list[int] = []
    pair.world.right.after_intake(3 * 60_000, lambda: calls.append(len(pair.right.data)))
    for _ in range(2):
        pair.left.wire.send(b"y" * 60_000)
    pair.run_until(lambda: len(pair.right.data) == 120_000)
    assert not calls
    for _ in range(20):
        pair.left.wire.send(b"y" * 60_000)
    pair.run_until(lambda: len(pair.right.data) == 22 * 60_000)
    (size_bytes,) = calls
    assert 0.9 * 3 * 60_000 < size_bytes <= 3 * 60_000 + limits.TURN_READ_BYTES_MAX


def test_a_connection_counts_before_it_says_anything(world: World) -> None:
    calls: list[str] = []
    world.right.after_intake(1, lambda: calls.append("replaced"))
    world.right.after_intake(limits.CONNECTION_COST_BYTES, lambda: calls.append("connected"))
    Pair(world)
    world.run_while(lambda: not calls)
    world.settle()
    assert calls == ["connected"]


# Ends.


def test_half_close_each_way_delivers_all_before_the_end(pair: Pair) -> None:
    pair.left.wire.send(BULK)
    pair.left.wire.finish()
    pair.run_until(lambda: pair.right.told("ended"))
    assert digest(pair.right.data) == digest(BULK)
    assert not pair.right.losses and not pair.left.losses
    pair.right.wire.send(BULK[::-1])
    pair.right.wire.finish()
    pair.run_until_lost()
    assert digest(pair.left.data) == digest(BULK[::-1])
    assert pair.left.losses == [None] and pair.right.losses == [None]
    assert pair.left.calls[-2:] == ["ended", "lost"]
    assert pair.right.calls[-1] == "lost"


def test_finishing_at_the_same_time_ends_both_cleanly(pair: Pair) -> None:
    pair.left.wire.finish()
    pair.right.wire.finish()
    pair.run_until_lost()
    assert pair.left.calls == pair.right.calls == ["ended", "lost"]
    assert pair.left.losses == pair.right.losses == [None]


def test_finishing_from_within_ended_ends_both_cleanly(pair: Pair) -> None:
    pair.right.on_ended = pair.right.wire.finish
    pair.left.wire.finish()
    pair.run_until_lost()
    assert pair.left.losses == pair.right.losses == [None]


def test_an_end_with_data_before_it_waits_for_the_buffer(pair: Pair) -> None:
    flood = pair.flood
    pair.right.wire.pause()
    pair.left.wire.send(flood)
    pair.left.wire.finish()
    pair.world.settle()
    assert pair.left.wire.buffered_bytes > 0
    pair.right.wire.resume()
    pair.run_until(lambda: pair.right.told("ended"))
    assert digest(pair.right.data) == digest(flood)
    assert not pair.left.told("writable")


def test_what_is_sent_after_finish_is_dropped(pair: Pair) -> None:
    pair.left.wire.send(b"before")
    pair.left.wire.finish()
    assert pair.left.wire.send(b"after")
    pair.left.wire.finish()
    pair.run_until(lambda: pair.right.told("ended"))
    pair.world.settle()
    assert pair.right.data == b"before"


def test_abort_is_told_as_reset_there_and_aborted_here(pair: Pair) -> None:
    pair.left.wire.abort()
    assert pair.left.calls == [], "called back synchronously"
    pair.run_until_lost()
    assert pair.left.lost_code == "aborted"
    assert pair.right.lost_code == "reset"
    assert not pair.right.told("ended")


def test_an_abort_with_unsent_bytes_never_looks_like_an_end(pair: Pair) -> None:
    flood = pair.flood
    pair.right.wire.pause()
    pair.left.wire.send(flood)
    pair.left.wire.finish()
    pair.left.wire.abort()
    assert pair.left.wire.buffered_bytes == 0
    pair.right.wire.resume()
    pair.run_until_lost()
    assert pair.right.lost_code == "reset"
    assert not pair.right.told("ended")
    assert len(pair.right.data) < len(flood)


def test_nothing_follows_after_lost_whatever_is_called(pair: Pair) -> None:
    pair.left.wire.abort()
    pair.run_until_lost()
    for recorder in (pair.left, pair.right):
        wire = recorder.wire
        assert wire.send(b"late")
        wire.set_high_mark(0)
        assert wire.send(b"late")
        wire.pause()
        wire.resume()
        wire.finish()
        wire.abort()
        assert wire.peer.port and wire.local.port
    pair.world.settle()
    assert pair.left.calls == ["lost"] and pair.right.calls == ["lost"]


def test_aborting_within_received_delivers_nothing_more(pair: Pair) -> None:
    pair.right.on_received = lambda data: pair.right.wire.abort()
    pair.left.wire.send(pair.flood)
    pair.run_until_lost()
    assert pair.right.calls == ["received", "lost"]
    assert pair.left.lost_code == "reset"


def test_aborting_twice_and_finishing_then_aborting_lose_once(pair: Pair) -> None:
    pair.left.wire.finish()
    pair.left.wire.abort()
    pair.left.wire.abort()
    pair.run_until_lost()
    pair.world.settle()
    assert pair.left.calls == ["lost"]


def test_what_came_before_a_reset_is_delivered_to_a_reader_who_was_sending(pair: Pair) -> None:
    pair.right.wire.send(b"early answer")
    pair.world.settle()
    pair.right.wire.abort()
    pair.world.settle()
    pair.left.wire.send(b"x")
    pair.left.wire.send(b"y")
    pair.run_until_lost()
    assert pair.left.data == b"early answer"
    assert pair.left.lost_code == "reset"


# Handlers that fail.


def test_a_handler_that_raises_loses_its_connection_only(world: World) -> None:
    good, bad = Pair(world), Pair(world)

    def fail(data: memoryview) -> None:
        raise RuntimeError("a bug of the handler")

    bad.right.on_received = fail
    bad.left.wire.send(b"x")
    bad.run_until(lambda: bad.left.losses)
    assert bad.left.lost_code == "reset"
    assert world.handler_errors() == 1
    good.left.wire.send(b"still here")
    good.run_until(lambda: good.right.data == b"still here")


@pytest.mark.parametrize("call", ["ended", "writable", "lost"])
def test_any_call_may_raise_and_lost_still_comes_once(pair: Pair, call: str) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("a bug of the handler")

    setattr(pair.right, f"on_{call}", fail)
    if call == "ended":
        pair.left.wire.finish()
    elif call == "writable":
        assert not pair.right.wire.send(pair.flood)
    else:
        pair.left.wire.abort()
    pair.run_until_lost()
    pair.world.settle()
    assert pair.right.told("lost") == 1
    if call != "lost":
        assert pair.right.lost_code == "handler"
    assert pair.world.handler_errors() == 1


# Listening.


def dial_recorder(
    world: World, port: int, recorder: Recorder, *, timeout_s: float = 5.0
) -> list[DialFailure]:
    failures: list[DialFailure] = []
    world.left.dial(
        world.right_ip,
        port,
        recorder.take,
        failures.append,
        timeout_s=timeout_s,
        tls=world.client_tls,
    )
    return failures


def test_connections_are_accepted_in_order_with_their_own_bytes(world: World) -> None:
    accepted: list[Recorder] = []

    def accept(connection: Connection) -> Recorder:
        accepted.append(Recorder().take(connection))
        return accepted[-1]

    listener = world.right.listen(world.right_ip, 0, accept, tls=world.server_tls)
    dialed = [Recorder() for _ in range(20)]
    for recorder in dialed:
        dial_recorder(world, listener.address.port, recorder)
    world.run_while(lambda: len(accepted) < 20 or any(r.connection is None for r in dialed))
    by_peer = {recorder.wire.peer: recorder for recorder in accepted}
    for number, recorder in enumerate(dialed):
        recorder.wire.send(str(number).encode())
    world.run_while(lambda: any(not recorder.data for recorder in accepted))
    for number, recorder in enumerate(dialed):
        assert by_peer[recorder.wire.local].data == str(number).encode()


def test_accept_that_declines_aborts_the_connection(world: World) -> None:
    left = Recorder()
    listener = world.right.listen(world.right_ip, 0, lambda connection: None, tls=world.server_tls)
    failures = dial_recorder(world, listener.address.port, left)
    world.run_while(lambda: not left.losses and not failures)
    assert failures or left.lost_code == "reset"


def test_accept_that_raises_aborts_the_connection_and_others_still_come(world: World) -> None:
    right = Recorder()
    tries: list[Connection] = []

    def accept(connection: Connection) -> Recorder:
        tries.append(connection)
        if len(tries) == 1:
            raise RuntimeError("a bug of the owner")
        return right.take(connection)

    listener = world.right.listen(world.right_ip, 0, accept, tls=world.server_tls)
    first, second = Recorder(), Recorder()
    failures = dial_recorder(world, listener.address.port, first)
    world.run_while(lambda: not first.losses and not failures)
    dial_recorder(world, listener.address.port, second)
    world.run_while(lambda: right.connection is None)
    assert world.handler_errors() == 1


def test_an_abort_within_accept_is_told_to_the_handler(world: World) -> None:
    left, right = Recorder(), Recorder()

    def accept(connection: Connection) -> Recorder:
        connection.abort()
        return right.take(connection)

    listener = world.right.listen(world.right_ip, 0, accept, tls=world.server_tls)
    dial_recorder(world, listener.address.port, left)
    world.run_while(lambda: not right.losses)
    assert right.calls == ["lost"] and right.lost_code == "aborted"


def test_a_paused_listener_accepts_once_resumed(world: World) -> None:
    left, right = Recorder(), Recorder()
    listener = world.right.listen(world.right_ip, 0, right.take, tls=world.server_tls)
    listener.pause()
    dial_recorder(world, listener.address.port, left)
    world.settle()
    assert right.connection is None
    listener.resume()
    assert right.connection is None, "called back synchronously"
    world.run_while(lambda: right.connection is None or left.connection is None)
    left.wire.send(b"hello")
    world.run_while(lambda: right.data != b"hello")


def test_a_closed_listener_refuses_and_keeps_what_it_accepted(pair: Pair) -> None:
    pair.listener.close()
    pair.listener.close()
    failures = dial_recorder(pair.world, pair.listener.address.port, Recorder())
    pair.world.run_while(lambda: not failures)
    assert failures[0].code == "refused"
    assert str(pair.listener.address) in failures[0].reason
    pair.left.wire.send(b"still here")
    pair.run_until(lambda: pair.right.data == b"still here")


def test_a_closed_listener_frees_its_port(world: World) -> None:
    listener = world.right.listen(world.right_ip, 0, lambda connection: None)
    port = listener.address.port
    with pytest.raises(OSError):
        world.right.listen(world.right_ip, port, lambda connection: None)
    listener.close()
    again = world.right.listen(world.right_ip, port, lambda connection: None)
    assert again.address == listener.address


@pytest.mark.parametrize("host", ["192.0.2.1", "not-an-address"])
def test_an_address_of_somebody_else_cannot_be_bound(world: World, host: str) -> None:
    with pytest.raises(OSError):
        world.right.listen(host, 0, lambda connection: None)


def test_a_wildcard_listener_is_reached_by_each_address(world: World) -> None:
    right = Recorder()
    listener = world.right.listen("0.0.0.0", 0, right.take, tls=world.server_tls)
    dial_recorder(world, listener.address.port, Recorder())
    world.run_while(lambda: right.connection is None)
    assert right.wire.local.host == world.right_ip


# Dialing.


def test_a_refused_dial_says_so_later_and_names_the_address(world: World) -> None:
    listener = world.right.listen(world.right_ip, 0, lambda connection: None)
    listener.close()
    failures = dial_recorder(world, listener.address.port, Recorder())
    assert not failures, "called back synchronously"
    world.run_while(lambda: not failures)
    world.settle()
    assert [failure.code for failure in failures] == ["refused"]
    assert str(listener.address) in failures[0].reason


def test_a_dial_without_an_answer_times_out_in_time(world: World) -> None:
    host, port = world.silent_address()
    failures: list[DialFailure] = []
    began = world.left.now()
    world.left.dial(host, port, Recorder().take, failures.append, timeout_s=0.05)
    world.run_while(lambda: not failures)
    assert failures[0].code == "timeout"
    assert f"{host}:{port}" in failures[0].reason
    assert 0.05 <= world.left.now() - began < 1.0


def test_a_cancelled_dial_calls_nobody(world: World) -> None:
    left, right = Recorder(), Recorder()
    failures: list[DialFailure] = []
    listener = world.right.listen(world.right_ip, 0, right.take, tls=world.server_tls)
    dial = world.left.dial(
        world.right_ip,
        listener.address.port,
        left.take,
        failures.append,
        timeout_s=5.0,
        tls=world.client_tls,
    )
    dial.cancel()
    dial.cancel()
    world.settle()
    assert left.connection is None and not failures
    assert right.connection is None or right.lost_code in ("reset", "tls")


def test_cancelling_after_the_outcome_is_harmless(world: World) -> None:
    left, right = Recorder(), Recorder()
    listener = world.right.listen(world.right_ip, 0, right.take, tls=world.server_tls)
    dial = world.left.dial(
        world.right_ip,
        listener.address.port,
        left.take,
        lambda failure: None,
        timeout_s=5.0,
        tls=world.client_tls,
    )
    world.run_while(lambda: left.connection is None or right.connection is None)
    dial.cancel()
    left.wire.send(b"alive")
    world.run_while(lambda: right.data != b"alive")


def test_connected_that_raises_resets_the_peer(world: World) -> None:
    right = Recorder()

    def fail(connection: Connection) -> Recorder:
        raise RuntimeError("a bug of the owner")

    listener = world.right.listen(world.right_ip, 0, right.take, tls=world.server_tls)
    world.left.dial(
        world.right_ip,
        listener.address.port,
        fail,
        lambda failure: None,
        timeout_s=5.0,
        tls=world.client_tls,
    )
    world.run_while(lambda: world.handler_errors() == 0)
    world.settle()
    assert right.connection is None or right.lost_code == "reset"


# Timers.


def test_timers_run_in_order_of_time_then_age_and_never_early(world: World) -> None:
    began = world.left.now()
    ran: list[tuple[str, float]] = []

    def note(name: str) -> None:
        ran.append((name, world.left.now() - began))

    world.left.call_at(began + 0.03, lambda: note("third"))
    world.left.call_at(began + 0.01, lambda: note("first"))
    world.left.call_at(began + 0.01, lambda: note("second"))
    world.left.call_at(began - 1.0, lambda: note("past"))
    assert not ran, "called back synchronously"
    world.run_while(lambda: len(ran) < 4)
    assert [name for name, _ in ran] == ["past", "first", "second", "third"]
    assert all(at >= due for (_, at), due in zip(ran, (0.0, 0.01, 0.01, 0.03), strict=True))


def test_a_cancelled_timer_does_not_run(world: World) -> None:
    ran: list[str] = []
    began = world.left.now()
    timers = [
        world.left.call_at(began + 0.001 * number, lambda: ran.append("cancelled"))
        for number in range(200)
    ]
    last = world.left.call_at(began + 0.02, lambda: ran.append("kept"))
    for timer in timers:
        timer.cancel()
        timer.cancel()
    world.run_while(lambda: not ran)
    last.cancel()
    assert ran == ["kept"]


def test_a_timer_may_cancel_another_that_is_due_with_it(world: World) -> None:
    ran: list[str] = []
    when = world.left.now() + 0.005
    world.left.call_at(when, lambda: later.cancel())
    later = world.left.call_at(when, lambda: ran.append("cancelled"))
    world.left.call_at(when + 0.001, lambda: ran.append("end"))
    world.run_while(lambda: not ran)
    assert ran == ["end"]


def test_a_timer_that_raises_does_not_stop_others(world: World) -> None:
    ran: list[str] = []

    def fail() -> None:
        raise RuntimeError("a bug of the owner")

    world.left.call_at(world.left.now(), fail)
    world.left.call_at(world.left.now(), lambda: ran.append("next"))
    world.run_while(lambda: not ran)
    assert world.handler_errors() == 1


def test_the_turn_ends_after_the_events_of_the_turn(pair: Pair) -> None:
    order: list[str] = []

    def received(data: memoryview) -> None:
        order.append("received")
        pair.world.right.at_turn_end(lambda: order.append("turn end"))
        pair.right.wire.abort()

    def lost(cause: Loss | None) -> None:
        order.append("lost")
        pair.world.right.at_turn_end(lambda: order.append("turn end again"))

    pair.right.on_received = received
    pair.right.on_lost = lost
    pair.left.wire.send(b"x")
    pair.run_until(lambda: len(order) == 4)
    assert order == ["received", "lost", "turn end", "turn end again"]


def test_the_turn_end_comes_soon_outside_of_a_turn(world: World) -> None:
    ran: list[str] = []
    world.left.at_turn_end(lambda: ran.append("end"))
    assert not ran, "called back synchronously"
    world.run_while(lambda: not ran)
    world.settle()
    assert ran == ["end"]


def test_work_that_makes_itself_at_turn_end_does_not_stop_the_rest(pair: Pair) -> None:
    rounds = 0

    def again() -> None:
        nonlocal rounds
        rounds += 1
        if rounds < 100:
            pair.world.right.at_turn_end(again)

    pair.world.right.at_turn_end(again)
    pair.left.wire.send(b"x")
    pair.run_until(lambda: pair.right.data, lambda: rounds == 100)


def test_tls_shows_the_peer_and_the_protocol(pair: Pair) -> None:
    if pair.world.server_tls is None or pair.world.client_tls is None:
        assert pair.left.wire.alpn == "" and pair.left.wire.peer_certificate == b""
        return
    assert pair.left.wire.alpn == pair.right.wire.alpn == "spillway/1"
    assert pair.left.wire.peer_certificate == pair.world.server_tls.certificate
    assert pair.right.wire.peer_certificate == pair.world.client_tls.certificate


def test_what_the_peer_has_not_got_yet_is_known_after_the_end(pair: Pair) -> None:
    pair.right.wire.pause()
    pair.left.wire.send(pair.flood)
    pair.left.wire.finish()
    assert pair.left.wire.buffered_bytes > 0
    pair.world.settle()
    assert pair.left.wire.buffered_bytes > 0
    pair.right.wire.resume()
    pair.run_until(lambda: pair.right.told("ended"), lambda: not pair.left.wire.buffered_bytes)
    assert not pair.left.losses


def test_what_is_with_the_kernel_is_not_held_by_us_any_more(pair: Pair) -> None:
    pair.right.wire.pause()
    pair.left.wire.send(pair.flood)
    assert pair.left.wire.unsent_bytes == pair.left.wire.buffered_bytes > 0
    pair.left.wire.finish()
    pair.right.wire.resume()
    pair.run_until(lambda: pair.right.told("ended"))
    assert pair.left.wire.unsent_bytes == 0
