"""gRPC through two routers, with a real client and real servers: each stream is balanced alone."""

import hashlib
import queue
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import grpc
import pytest

from tests.scenario.grpc_peers import PIECE, GrpcClient, GrpcTarget
from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.waiting import stays, until

MIB = 1024 * 1024


class Crossing:
    """Clients come in at ``door``; the only target is at ``room``."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.door, self.room = net.site("door"), net.site("room")
        self.target = GrpcTarget("room", net.target_address)
        self.door.declare("shop", protocol="http2")
        self.room.connect("shop", self.target, capacity=100)
        net.link(self.door, self.room, token="cert")
        net.start()
        net.ready("shop", {"room": 1})


@pytest.fixture(scope="module")
def fresh_crossing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crossing]:
    """The two sites, once for all tests of this file."""
    with Network(tmp_path_factory.mktemp("grpc")) as net:
        crossing = Crossing(net)
        yield crossing
        crossing.target.stop()


@pytest.fixture
def crossing(fresh_crossing: Crossing) -> Iterator[Crossing]:
    """The two sites idle, before and after."""
    yield fresh_crossing
    fresh_crossing.net.at_rest("shop")


@pytest.fixture
def client(crossing: Crossing) -> Iterator[GrpcClient]:
    with GrpcClient(crossing.door.address, SHOP_PORT) as client:
        yield client


def test_metadata_and_trailers_pass_and_te_reaches_the_target(
    crossing: Crossing, client: GrpcClient
) -> None:
    answer, call = client.echo(b"hello")
    assert answer == b"hello"
    trailers = dict(call.trailing_metadata())
    assert (trailers["served-by"], trailers["sum-bin"]) == ("room", b"\x00\xff")
    heads = dict(call.initial_metadata())
    assert heads["began"] == "yes"
    assert sorted(heads["via"].split(", ")) == ["2.0 door", "2.0 room"]
    assert crossing.target.metadata["via"] == "2.0 door, 2.0 room"
    assert crossing.target.metadata["x-forwarded-for"] == "127.0.0.1"


def test_an_error_is_the_targets_own_with_its_trailers(
    crossing: Crossing, client: GrpcClient
) -> None:
    error = client.fail()
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert error.details() == "no such thing: 100 % gone"
    assert dict(error.trailing_metadata())["why"] == "because"
    assert client.fail("Nothing").code() == grpc.StatusCode.UNIMPLEMENTED


def test_many_mebibytes_stream_either_way(crossing: Crossing, client: GrpcClient) -> None:
    assert sum(len(piece) for piece in client.down(512)) == 512 * len(PIECE) == 16 * MIB
    sent = hashlib.sha256(PIECE * 512).hexdigest().encode()
    assert client.up(PIECE for _ in range(512)) == sent


def test_both_directions_flow_while_neither_has_ended(
    crossing: Crossing, client: GrpcClient
) -> None:
    messages: queue.Queue[bytes | None] = queue.Queue()
    call = client.both(iter(messages.get, None))
    for size in (1, 1_000, 3_000_000, 0):
        message = (b"0123456789" * (size // 10 + 1))[:size]
        messages.put(message)
        assert next(call) == message[::-1]
    messages.put(None)
    assert list(call) == []
    assert dict(call.trailing_metadata())["served-by"] == "room"


def test_a_stream_nobody_reads_stalls_itself_alone(crossing: Crossing, client: GrpcClient) -> None:
    before = crossing.target.pieces
    stalled = client.down(10_000)  # 320 MiB.
    assert len(next(stalled)) == len(PIECE)
    bounded = 16 * MIB // len(PIECE)  # What windows on the way and grpcio itself take at most.
    for _ in range(20):
        assert client.echo(PIECE)[0] == PIECE
    stays(lambda: crossing.target.pieces - before < bounded, "the target is held back", 0.5)
    stalled.cancel()


def test_a_call_that_is_cancelled_ends_at_the_target(
    crossing: Crossing, client: GrpcClient
) -> None:
    messages: queue.Queue[bytes | None] = queue.Queue()
    cancelled = crossing.target.cancelled
    call = client.both(iter(messages.get, None))
    messages.put(b"ab")
    assert next(call) == b"ba"
    call.cancel()
    until(lambda: crossing.target.cancelled > cancelled, "the target hears of it")
    messages.put(None)


def test_a_deadline_frees_the_slot(crossing: Crossing, client: GrpcClient) -> None:
    crossing.target.hold()
    call = client.wait(timeout_s=0.3)
    assert call.exception().code() == grpc.StatusCode.DEADLINE_EXCEEDED
    until(lambda: crossing.target.in_hand == 0, "the target has none in hand")
    crossing.target.release()


def test_a_hundred_streams_of_one_connection_fill_the_slots_of_two_sites(net: Network) -> None:
    here, there = net.site("here"), net.site("there")
    targets = [GrpcTarget(name, net.target_address) for name in ("here", "there")]
    here.declare("shop", protocol="http2")
    here.connect("shop", targets[0], capacity=60)
    there.connect("shop", targets[1], capacity=40)
    net.link(here, there, token="cert")
    net.start()
    net.ready("shop", {"here": 1, "there": 1})
    for target in targets:
        target.hold()
    with GrpcClient(here.address, SHOP_PORT) as client:
        calls = [client.wait() for _ in range(100)]
        until(lambda: sum(target.in_hand for target in targets) == 100, "all are in hand")
        assert [target.in_hand for target in targets] == [60, 40]
        refused = client.wait()
        assert refused.exception().code() == grpc.StatusCode.UNAVAILABLE
        fields = dict(refused.trailing_metadata())
        assert fields["spillway-error"] == "all-full"
        assert 1 <= int(fields["retry-after"]) <= 5
        for target in targets:
            target.release()
        assert Counter(call.result() for call in calls) == {b"here": 60, b"there": 40}
    net.at_rest("shop")
    for target in targets:
        target.stop()


def test_targets_of_one_slot_each_take_one_stream_each(net: Network) -> None:
    site = net.site("one")
    targets = [GrpcTarget(name, net.target_address) for name in ("a", "b", "c")]
    site.declare("shop", protocol="http2")
    site.connect("shop", *targets, capacity=1)
    net.start()
    net.ready("shop", {"one": 3})
    for target in targets:
        target.hold()
    with GrpcClient(site.address, SHOP_PORT) as client:
        calls = [client.wait() for _ in targets]
        until(lambda: all(target.in_hand == 1 for target in targets), "each has one")
        for target in targets:
            target.release()
        assert {call.result() for call in calls} == {b"a", b"b", b"c"}
        for _ in range(30):
            client.echo(b"again")
    assert [target.in_hand_max for target in targets] == [1, 1, 1]
    for target in targets:
        target.stop()


def is_used(target: GrpcTarget, served: int) -> bool:
    """It has served more since it had served so many."""
    return target.served > served + 20


def test_targets_that_restart_one_by_one_lose_no_call(net: Network) -> None:
    site = net.site("one")
    targets = [GrpcTarget(name, net.target_address) for name in ("a", "b")]
    site.declare("shop", protocol="http2")
    site.connect("shop", *targets)
    net.start()
    net.ready("shop", {"one": 2})
    with GrpcClient(site.address, SHOP_PORT) as client:
        stopped = threading.Event()

        def load() -> int:
            count = 0
            while not stopped.is_set():
                try:
                    assert client.echo(b"x")[0] == b"x"
                except grpc.RpcError as error:
                    # A grpcio server that stops answers so itself, without any proxy too.
                    assert error.code() == grpc.StatusCode.CANCELLED, error
                count += 1
            return count

        with ThreadPoolExecutor(8) as pool:
            loads = [pool.submit(load) for _ in range(8)]
            for target in targets:
                until(partial(is_used, target, target.served), "it is in use")
                target.stop(grace_s=5.0)
                until(lambda: site.ready_targets("shop") == {"one": 1}, "it is found gone")
                target.start()
                until(lambda: site.ready_targets("shop") == {"one": 2}, "both are ready again")
            stopped.set()
            assert min(each.result() for each in loads) > 0
    for target in targets:
        target.stop()


def test_a_site_that_stops_finishes_the_streams_under_way(net: Network) -> None:
    site = net.site("one")
    target = GrpcTarget("a", net.target_address)
    site.declare("shop", protocol="http2")
    site.connect("shop", target)
    net.start()
    net.ready("shop", {"one": 1})
    messages: queue.Queue[bytes | None] = queue.Queue()
    with GrpcClient(site.address, SHOP_PORT) as client:
        call = client.both(iter(messages.get, None))
        messages.put(b"ab")
        assert next(call) == b"ba"
        site.signal(signal.SIGTERM)
        messages.put(b"cd")
        assert next(call) == b"dc"
        messages.put(None)
        assert list(call) == []
        until(site.gone, "the router has stopped")
    target.stop()
