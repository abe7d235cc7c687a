"""What only the real network has: descriptors, names, the hosting loop, and no idle spinning."""

import asyncio
import contextlib
import errno
import logging
import os
import random
import resource
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from math import inf

import pytest
import uvloop

from router.model import limits
from router.model.limits import (
    ACCEPT_ERRORS_PER_TURN_MAX,
    KEEPALIVE_IDLE_S,
    KEEPALIVE_INTERVAL_S,
    KEEPALIVE_PROBES,
    LATE_WAKE_S,
    TURN_EVENTS_MAX,
    TURN_S_MAX,
)
from router.net import epoll, poller, sockets
from router.net import listener as listening
from router.net.epoll import EpollNetwork
from router.net.listener import Sharing, bind
from router.net.loop_host import LoopHost
from router.net.ports import Connection, DialFailure, Network
from tests import needs
from tests.unit.net.recorder import Recorder
from tests.unit.net.self_host import SelfHost

KEEPALIVE = (1, KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_PROBES)
TCP_SYN_SENT = 2
SO_GET_FILTER, FILTER_STEPS_MAX = 26, 64
UNKNOWN_OPTION = 9999
TURNS_FEW = 12  # An idle network makes none; each real event may cost a spurious one.


@pytest.fixture
def network(host: SelfHost) -> Iterator[EpollNetwork]:
    made = EpollNetwork(host)
    yield made
    made.close()


def connected_socket(
    host: SelfHost, network: Network, recorder: Recorder
) -> tuple[socket.socket, Callable[[], None]]:
    """A plain client whose other end is ``recorder``'s connection."""
    listener = network.listen("127.0.0.1", 0, recorder.take)
    client = socket.create_connection(("127.0.0.1", listener.address.port))
    host.run_while(lambda: recorder.connection is None)
    return client, listener.close


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


def test_who_waits_to_be_accepted_is_accepted_by_a_listener_that_closes(
    host: SelfHost, network: EpollNetwork
) -> None:
    recorders = [Recorder() for _ in range(3)]
    left = list(reversed(recorders))
    listener = network.listen("127.0.0.1", 0, lambda connection: left.pop().take(connection))
    with contextlib.ExitStack() as clients:
        for number in range(3):
            client = socket.create_connection(("127.0.0.1", listener.address.port))
            clients.enter_context(client).sendall(f"client {number}".encode())
        listener.close()
        host.run_while(lambda: not all(each.data for each in recorders))
        assert [each.data for each in recorders] == [b"client 0", b"client 1", b"client 2"]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", listener.address.port))


def may_filter() -> bool:
    """Whether this kernel lets us filter the packets to a TCP listener."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sockets.admit_no_more(listener)
        return bool(listener.getsockopt(socket.SOL_SOCKET, SO_GET_FILTER, FILTER_STEPS_MAX))


def let_in_by_a_close(
    network: EpollNetwork, monkeypatch: pytest.MonkeyPatch, host_address: str
) -> int:
    """Of three clients that come between the last accept and the close: who is reset then."""
    family = socket.AF_INET6 if ":" in host_address else socket.AF_INET
    recorder = Recorder()
    listener = network.listen(host_address, 0, recorder.take)
    with contextlib.ExitStack() as stack:
        late = [stack.enter_context(socket.socket(family)) for _ in range(3)]

        def last(sock: socket.SocketType) -> tuple[socket.SocketType, tuple[str, int]]:
            try:
                return sockets.accept(sock)
            except BlockingIOError:
                for client in late:
                    client.setblocking(False)
                    known = client.connect_ex((host_address, listener.address.port))
                    assert known == errno.EINPROGRESS
                raise

        monkeypatch.setattr(listening, "accept", last)
        listener.close()
        states = [client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] for client in late]
    assert recorder.connection is None
    return len(late) - states.count(TCP_SYN_SENT)  # A client that retries its SYN is refused then.


@pytest.mark.parametrize("host_address", ("127.0.0.1", "::1"))
def test_nobody_is_let_in_between_the_last_accept_and_the_close(
    network: EpollNetwork, monkeypatch: pytest.MonkeyPatch, host_address: str
) -> None:
    """A client that came then was reset: its handshake was done, but it was not accepted."""
    if not may_filter():
        needs.root("filter what comes to a TCP listener, on this kernel")
    assert let_in_by_a_close(network, monkeypatch, host_address) == 0


@pytest.mark.parametrize("host_address", ("127.0.0.1", "::1"))
def test_one_is_let_in_at_most_where_the_kernel_takes_no_filter(
    network: EpollNetwork, monkeypatch: pytest.MonkeyPatch, host_address: str
) -> None:
    monkeypatch.setattr(sockets, "_SO_ATTACH_FILTER", UNKNOWN_OPTION)
    assert let_in_by_a_close(network, monkeypatch, host_address) <= 1


class SpendingHost(SelfHost):
    """Its clock shows only the time spent so far: a busy machine makes no turn late."""

    spent_s = 0.0

    def now(self) -> float:
        return self.spent_s


def test_what_came_with_a_connection_is_read_in_the_turn_that_accepts_it() -> None:
    host = SpendingHost()
    network = EpollNetwork(host)
    recorder = Recorder()
    listener = network.listen("127.0.0.1", 0, recorder.take)
    with socket.create_connection(("127.0.0.1", listener.address.port)) as client:
        client.sendall(b"a request")
        turns = network.turns
        host.run_while(lambda: recorder.connection is None)
        assert network.turns == turns + 1
        assert recorder.data == b"a request"
        network.close()


@pytest.mark.parametrize(("late_s", "is_late"), [(LATE_WAKE_S - 0.1, False), (20.0, True)])
def test_who_is_read_after_a_late_wake_learns_of_it(late_s: float, is_late: bool) -> None:
    """What came meanwhile took so long because this process did not run."""
    host = SpendingHost()
    network = EpollNetwork(host)
    woke: list[float] = []
    recorder = Recorder()
    recorder.on_received = lambda data: woke.append(network.woke_late_at)
    listener = network.listen("127.0.0.1", 0, recorder.take)
    with socket.create_connection(("127.0.0.1", listener.address.port)) as client:
        host.run_while(lambda: recorder.connection is None)
        network.call_at(1.0, lambda: None)
        client.sendall(b"an answer")
        host.spent_s = 1.0 + late_s
        host.run_while(lambda: not woke)
        network.close()
    assert woke == [1.0 + late_s if is_late else -inf]


def test_who_is_accepted_in_a_turn_that_is_late_is_read_in_the_next() -> None:
    host = SpendingHost()
    network = EpollNetwork(host)
    turns: list[int] = []

    def take(connection: Connection) -> Recorder:
        recorder = Recorder().take(connection)
        recorder.on_received = spend
        return recorder

    def spend(data: memoryview) -> None:
        turns.append(network.turns)
        host.spent_s += TURN_S_MAX

    listener = network.listen("127.0.0.1", 0, take)
    with contextlib.ExitStack() as clients:
        for _ in range(3):
            client = socket.create_connection(("127.0.0.1", listener.address.port))
            clients.enter_context(client).sendall(b"a request")
        accepting = network.turns + 1
        host.run_while(lambda: len(turns) < 3)
        network.close()
    assert turns == [accepting, accepting + 1, accepting + 1]


@pytest.mark.parametrize("sent", [b"", b"a request"])
def test_who_is_aborted_or_paused_as_it_is_accepted_is_not_read(
    host: SelfHost, network: EpollNetwork, sent: bytes
) -> None:
    recorders = [Recorder(), Recorder()]
    left = list(reversed(recorders))

    def take(connection: Connection) -> Recorder:
        recorder = left.pop().take(connection)
        if left:
            connection.pause()
        else:
            connection.abort()
        return recorder

    listener = network.listen("127.0.0.1", 0, take)
    with contextlib.ExitStack() as clients:
        for _ in recorders:
            client = socket.create_connection(("127.0.0.1", listener.address.port))
            clients.enter_context(client).sendall(sent)
        host.run_while(lambda: not recorders[1].losses)
        host.settle()
        assert [recorder.calls for recorder in recorders] == [[], ["lost"]]
        recorders[0].wire.resume()
        host.run_while(lambda: recorders[0].data != sent)
    assert network.handler_errors == 0


def test_a_listener_that_closes_accepts_more_than_one_turn_takes(
    host: SelfHost, network: EpollNetwork
) -> None:
    taken: list[Recorder] = []

    def take(connection: Connection) -> Recorder:
        taken.append(Recorder())
        return taken[-1].take(connection)

    listener = network.listen("127.0.0.1", 0, take)
    with contextlib.ExitStack() as clients:
        for _ in range(limits.ACCEPTS_PER_TURN_MAX + 1):
            client = socket.create_connection(("127.0.0.1", listener.address.port))
            clients.enter_context(client).sendall(b"a request")
        listener.close()
        host.run_while(lambda: not all(each.data for each in taken))
    assert len(taken) == limits.ACCEPTS_PER_TURN_MAX + 1


def test_a_listener_closes_even_if_who_waits_cannot_be_taken(
    network: EpollNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(poller: object, sock: socket.socket, *further: object) -> None:
        sock.close()
        raise OSError(errno.ENOSPC, "no room in the epoll set")

    recorder = Recorder()
    listener = network.listen("127.0.0.1", 0, recorder.take)
    address = "127.0.0.1", listener.address.port
    with socket.create_connection(address):
        monkeypatch.setattr(listening, "PlainConnection", no_room)
        listener.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
    assert network.handler_errors == 1


def test_who_waits_at_a_paused_listener_is_reset_when_it_closes(network: EpollNetwork) -> None:
    recorder = Recorder()
    listener = network.listen("127.0.0.1", 0, recorder.take)
    listener.pause()
    with socket.create_connection(("127.0.0.1", listener.address.port)) as client:
        listener.close()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert recorder.connection is None


def test_a_network_that_closes_accepts_nobody(host: SelfHost) -> None:
    network, recorder = EpollNetwork(host), Recorder()
    listener = network.listen("127.0.0.1", 0, recorder.take)
    with socket.create_connection(("127.0.0.1", listener.address.port)):
        network.close()
    assert recorder.connection is None


# Several processes at one port.


def bound(port: int, sharing: Sharing) -> socket.socket:
    """As the library has it: to be left by ``with``, and to accept."""
    return socket.socket(fileno=bind("127.0.0.1", port, sharing).detach())


def test_a_port_is_shared_by_our_processes_and_by_nobody_else() -> None:
    def refused(sharing: Sharing) -> bool:
        try:
            bind("127.0.0.1", port, sharing).close()
        except OSError as error:
            assert error.errno == errno.EADDRINUSE
            return True
        return False

    with bound(0, "first") as first:
        port = first.getsockname()[1]
        assert refused("alone") and refused("first")
        with bound(port, "further") as further:
            for _ in range(40):
                socket.create_connection(("127.0.0.1", port)).close()
            for each in (first, further):
                each.setblocking(False)
                each.accept()[0].close()  # The kernel gives each its part.
        assert refused("alone") and refused("first")
    with bound(0, "alone") as stranger:
        port = stranger.getsockname()[1]
        assert refused("first") and refused("further")


def test_a_link_is_handed_over_and_adopted_with_what_it_sent(
    host: SelfHost, network: EpollNetwork
) -> None:
    here, there = Recorder(), Recorder()
    given: list[int] = []

    def hand_over(sock: socket.SocketType) -> bool:
        if sock.recv(4, socket.MSG_PEEK) != b"give":
            return False
        given.append(os.dup(sock.fileno()))
        return True

    network.share_links(hand_over)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    network.listen("127.0.0.1", port, here.take, essential=True)
    with socket.create_connection(("127.0.0.1", port)) as mine:
        mine.sendall(b"mine")
        host.run_while(lambda: not here.data)
    with socket.create_connection(("127.0.0.1", port)) as other:
        other.sendall(b"give")
        host.run_while(lambda: not given)
        network.listen("127.0.0.1", 0, there.take, essential=True)
        network.adopt(socket.socket(fileno=given[0]))
        host.run_while(lambda: not there.data)
    assert (bytes(here.data), bytes(there.data)) == (b"mine", b"give")


# No spinning.


@pytest.mark.parametrize(
    "state",
    [
        *("paused", "half-closed", "paused and half-closed"),
        *(
            "paused and listening",
            "paused and listening, half-closed",
            "paused and listening, full",
        ),
    ],
)
def test_a_finished_peer_burns_no_turns(host: SelfHost, network: EpollNetwork, state: str) -> None:
    recorder = Recorder()
    client, _ = connected_socket(host, network, recorder)
    told: list[str] = []
    if "paused" in state:
        recorder.wire.pause((lambda: told.append("left")) if "listening" in state else None)
        client.send(b"unread")
    if "full" in state:
        recorder.wire.send(bytes(20_000_000))
    if "half" in state:
        recorder.wire.finish()
    client.shutdown(socket.SHUT_WR)
    before = network.turns
    host.settle()
    assert network.turns - before <= TURNS_FEW
    assert told == (["left"] if "listening" in state else [])
    client.close()


def test_the_end_of_a_peer_costs_one_turn(host: SelfHost, network: EpollNetwork) -> None:
    recorder = Recorder()
    client, _ = connected_socket(host, network, recorder)
    host.settle()
    before = network.turns
    client.shutdown(socket.SHUT_WR)
    host.settle()
    assert recorder.told("ended")
    assert network.turns - before == 1
    client.close()


@pytest.mark.parametrize("paused", [False, True])
def test_a_reset_while_bytes_wait_is_told_once_and_burns_no_turns(
    host: SelfHost, network: EpollNetwork, paused: bool
) -> None:
    recorder = Recorder()
    client, _ = connected_socket(host, network, recorder)
    if paused:
        recorder.wire.pause()
    client.send(b"unread")
    recorder.wire.send(bytes(20_000_000))
    host.settle()
    before = network.turns
    reset(client)
    host.settle()
    assert network.turns - before <= TURNS_FEW
    assert recorder.lost_code == "reset"
    assert recorder.data == bytearray(b"" if paused else b"unread")


def test_what_the_kernel_holds_is_read_before_a_reset_is_told(
    host: SelfHost, network: EpollNetwork
) -> None:
    recorder = Recorder()
    client, _ = connected_socket(host, network, recorder)
    client.send(b"an early answer")
    reset(client)
    recorder.wire.send(b"meets the reset")
    recorder.wire.send(b"so does this")
    host.run_while(lambda: not recorder.losses)
    assert recorder.data == b"an early answer"
    assert not recorder.told("ended")
    assert recorder.lost_code == "reset"


def test_an_idle_network_makes_no_turns(host: SelfHost, network: EpollNetwork) -> None:
    recorder = Recorder()
    client, _ = connected_socket(host, network, recorder)
    host.settle()
    before = network.turns
    host.settle()
    assert network.turns == before
    client.close()


# Fairness.


def test_a_flood_does_not_keep_the_turn_from_others(host: SelfHost, network: EpollNetwork) -> None:
    flooded, quiet = Recorder(), Recorder()
    flooder, _ = connected_socket(host, network, flooded)
    client, _ = connected_socket(host, network, quiet)
    flooder.setblocking(False)
    flood = bytes(1_000_000)

    def keep_flooding(data: memoryview) -> None:
        try:
            flooder.send(flood)
        except BlockingIOError:
            return

    flooded.on_received = keep_flooding
    flooder.send(flood)
    client.send(b"me too")
    host.run_while(lambda: quiet.data != b"me too")
    flooder.close()
    client.close()


def test_who_sends_much_is_read_in_larger_pieces_until_it_sends_less(
    host: SelfHost, network: EpollNetwork
) -> None:
    recorder, sizes = Recorder(), list[int]()
    recorder.on_received = lambda data: sizes.append(len(data))
    client, close = connected_socket(host, network, recorder)
    client.setblocking(False)

    def send(size: int) -> None:
        end, left = len(recorder.data) + size, memoryview(bytes(size))
        while len(recorder.data) < end:
            with contextlib.suppress(BlockingIOError):
                left = left[client.send(left) :]
            host.step(0.01)

    send(4_000_000)
    assert sizes[0] <= limits.READ_BYTES < max(sizes) <= limits.TURN_READ_BYTES_MAX
    send(1)
    sizes.clear()
    send(limits.READ_BYTES + 1)
    assert max(sizes) <= limits.READ_BYTES
    client.close()
    close()


def test_many_ready_sockets_are_all_served(host: SelfHost, network: EpollNetwork) -> None:
    recorders: list[Recorder] = []

    def accept(connection: Connection) -> Recorder:
        recorders.append(Recorder().take(connection))
        return recorders[-1]

    listener = network.listen("127.0.0.1", 0, accept)
    count = TURN_EVENTS_MAX + 50
    clients = [socket.create_connection(("127.0.0.1", listener.address.port)) for _ in range(count)]
    for client in clients:
        client.send(b"x")
    host.run_while(lambda: sum(len(recorder.data) for recorder in recorders) < count)
    for client in clients:
        client.close()


def test_churn_of_every_kind_of_ending_leaves_nothing_open(
    host: SelfHost, network: EpollNetwork
) -> None:
    chance = random.Random(3)
    accepted: list[Recorder] = []
    dialed: list[Recorder] = []

    def live(recorder: Recorder, connection: Connection) -> Recorder:
        def act(data: memoryview) -> None:
            wire = recorder.wire
            chance.choice((wire.finish, wire.abort, wire.pause, lambda: wire.send(data)))()

        recorder.on_received = act
        recorder.on_ended = connection.finish
        connection.send(bytes(chance.randrange(1, 100_000)))
        return recorder.take(connection)

    def accept(connection: Connection) -> Recorder:
        accepted.append(Recorder())
        return live(accepted[-1], connection)

    def connected(connection: Connection) -> Recorder:
        dialed.append(Recorder())
        return live(dialed[-1], connection)

    listener = network.listen("127.0.0.1", 0, accept)
    for _ in range(10):
        for _ in range(30):
            network.dial(
                "127.0.0.1", listener.address.port, connected, lambda failure: None, timeout_s=2.0
            )
        host.settle(0.005)
    for recorder in accepted + dialed:
        recorder.wire.abort()
    host.run_while(lambda: any(not recorder.losses for recorder in accepted + dialed))
    assert len(dialed) > 250
    assert network.sockets_open == 1
    assert network.handler_errors == 0


# Accepting.


def test_a_process_without_descriptors_rests_and_then_accepts(
    host: SelfHost, network: EpollNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sockets.accept
    failures = 0

    def accept(listener: socket.SocketType) -> tuple[socket.SocketType, tuple[str, int]]:
        nonlocal failures
        if not failures:
            failures += 1
            raise OSError(errno.EMFILE, "too many open files")
        return real(listener)

    monkeypatch.setattr(listening, "accept", accept)
    recorder = Recorder()
    listener = network.listen("127.0.0.1", 0, recorder.take)
    client = socket.create_connection(("127.0.0.1", listener.address.port))
    before = network.turns
    host.run_while(lambda: recorder.connection is None)
    assert failures == 1
    assert network.turns - before <= TURNS_FEW
    client.close()


def test_accept_that_keeps_raising_makes_the_listener_rest(
    host: SelfHost, network: EpollNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(connection: Connection) -> Recorder:
        raise RuntimeError("a bug of the owner")

    listener = network.listen("127.0.0.1", 0, fail)
    clients = [socket.create_connection(("127.0.0.1", listener.address.port)) for _ in range(20)]
    with caplog.at_level(logging.ERROR):
        host.settle()
    assert network.handler_errors == ACCEPT_ERRORS_PER_TURN_MAX
    assert len(caplog.records) == 1
    for client in clients:
        client.close()


def test_dialed_sockets_send_small_writes_at_once_and_find_silent_peers_if_they_last(
    host: SelfHost, network: EpollNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller, "KEEPALIVE_AFTER_S", 0.05)
    made: list[socket.SocketType] = []

    def keep(family: socket.AddressFamily) -> socket.SocketType:
        made.append(sockets.stream_socket(family))
        return made[-1]

    other = EpollNetwork(host, new_socket=keep)
    left, right = Recorder(), Recorder()
    listener = network.listen("127.0.0.1", 0, right.take)
    other.dial("127.0.0.1", listener.address.port, left.take, lambda failure: None, timeout_s=1.0)
    host.run_while(lambda: not (left.connection and right.connection))
    assert made[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    host.run_while(lambda: keepalive_of(made[0]) != KEEPALIVE)
    other.close()


def keepalive_of(sock: socket.SocketType) -> tuple[int, ...]:
    names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    told = tuple(sock.getsockopt(socket.IPPROTO_TCP, name) for name in names)
    return (sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), *told)


def test_an_accepted_socket_looks_for_a_silent_peer_as_its_listener_does() -> None:
    listener = bind("127.0.0.1", 0)
    with socket.create_connection(listener.getsockname()):
        accepted, _ = sockets.accept(listener)
        assert keepalive_of(accepted) == KEEPALIVE
        accepted.close()
    listener.close()


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1"])
def test_a_dual_stack_listener_shows_addresses_as_their_owners_write_them(
    host: SelfHost, network: EpollNetwork, peer: str
) -> None:
    left, right = Recorder(), Recorder()
    listener = network.listen("::", 0, right.take)
    network.dial(peer, listener.address.port, left.take, lambda failure: None, timeout_s=1.0)
    host.run_while(lambda: not (left.connection and right.connection))
    assert right.wire.peer.host == right.wire.local.host == left.wire.peer.host == peer


def test_a_loss_that_makes_a_handler_abort_others_is_told_in_the_same_turn(
    host: SelfHost, network: EpollNetwork
) -> None:
    first, second = Recorder(), Recorder()
    one, _ = connected_socket(host, network, first)
    other, _ = connected_socket(host, network, second)
    told: list[int] = []
    first.on_lost = lambda cause: second.wire.abort()
    second.on_lost = lambda cause: told.append(network.turns)
    reset(one)
    host.run_while(lambda: not first.losses)
    assert told == [network.turns]
    other.close()


# Dialing.


def test_a_connection_to_oneself_is_a_failure(host: SelfHost) -> None:
    port = 0

    def bound(family: socket.AddressFamily) -> socket.SocketType:
        nonlocal port
        sock = sockets.stream_socket(family)
        sock.bind(("127.0.0.1", port))
        return sock

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    network = EpollNetwork(host, new_socket=bound)
    failures: list[DialFailure] = []
    network.dial("127.0.0.1", port, Recorder().take, failures.append, timeout_s=1.0)
    host.run_while(lambda: not failures)
    assert failures[0].code == "self"
    network.close()


def test_a_dial_without_descriptors_fails_later_and_is_remembered(
    host: SelfHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(family: socket.AddressFamily) -> socket.SocketType:
        raise OSError(errno.EMFILE, "too many open files")

    network = EpollNetwork(host, new_socket=none_left)
    failures: list[DialFailure] = []
    network.dial("127.0.0.1", 80, Recorder().take, failures.append, timeout_s=1.0)
    assert not failures
    host.run_while(lambda: not failures)
    assert failures[0].code == "exhausted"
    assert "no descriptor left" in failures[0].reason
    assert network.why_no_dial == failures[0].reason
    monkeypatch.setattr(epoll, "NO_DIAL_SHOWN_S", 0.0)
    assert network.why_no_dial == ""
    network.close()


def test_descriptors_kept_for_links_are_not_spent_on_targets(
    host: SelfHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_now = limits.FD_RESERVE  # The least that any limit leaves.
    kept = (open_now + limits.FD_RESERVE,) * 2
    monkeypatch.setattr(resource, "getrlimit", lambda kind: kept)
    network = EpollNetwork(host)
    right = Recorder()
    listener = network.listen("127.0.0.1", 0, right.take)
    door = listener.address
    failures: list[DialFailure] = []
    left: list[Recorder] = []
    while not failures:
        left.append(Recorder())
        network.dial(door.host, door.port, left[-1].take, failures.append, timeout_s=2.0)
        host.run_while(lambda: not (failures or left[-1].connection))
    assert failures[0].code == "exhausted"
    assert network.sockets_open == open_now
    link = Recorder()
    network.dial(door.host, door.port, link.take, failures.append, timeout_s=2.0, essential=True)
    host.run_while(lambda: not link.connection)
    assert len(failures) == 1
    network.close()


def test_all_addresses_of_a_name_are_tried_in_turn(host: SelfHost) -> None:
    network = EpollNetwork(host, lookup=lambda name: ("127.0.0.2", "127.0.0.3", "127.0.0.1"))
    left, right = Recorder(), Recorder()
    failures: list[DialFailure] = []
    listener = network.listen("127.0.0.1", 0, right.take)
    network.dial("backend", listener.address.port, left.take, failures.append, timeout_s=2.0)
    host.run_while(lambda: not (left.connection and right.connection))
    assert left.wire.peer == listener.address
    listener.close()
    network.dial("backend", listener.address.port, left.take, failures.append, timeout_s=2.0)
    host.run_while(lambda: not failures)
    assert failures[0].code == "refused"
    # The second dial began with the one that had answered, so it ended with another one.
    assert failures[0].reason.startswith(f"backend:{listener.address.port} (127.0.0.3) refused")
    network.close()


def test_a_name_without_addresses_fails_as_such(host: SelfHost) -> None:
    network = EpollNetwork(host, lookup=lambda name: ())
    failures: list[DialFailure] = []
    network.dial("nowhere", 80, Recorder().take, failures.append, timeout_s=2.0)
    host.run_while(lambda: not failures)
    assert failures[0].code == "name"
    assert "nowhere:80" in failures[0].reason
    network.close()


def test_callers_of_one_name_share_a_look_up_and_a_numeric_address_needs_none(
    host: SelfHost,
) -> None:
    asked: list[str] = []

    def lookup(name: str) -> tuple[str, ...]:
        asked.append(name)
        return ("127.0.0.1",)

    network = EpollNetwork(host, lookup=lookup)
    accepted: list[Connection] = []

    def accept(connection: Connection) -> Recorder:
        accepted.append(connection)
        return Recorder()

    listener = network.listen("127.0.0.1", 0, accept)
    for name in ("backend", "backend", "127.0.0.1", "backend"):
        network.dial(
            name, listener.address.port, Recorder().take, lambda failure: None, timeout_s=2.0
        )
    host.run_while(lambda: len(accepted) < 4)
    assert asked == ["backend"]
    network.close()


def test_a_slow_look_up_ends_at_the_dials_deadline_and_may_end_after_the_network(
    host: SelfHost,
) -> None:
    gate = threading.Event()

    def lookup(name: str) -> tuple[str, ...]:
        gate.wait(5.0)
        return ("127.0.0.1",)

    network = EpollNetwork(host, lookup=lookup)
    failures: list[DialFailure] = []
    network.dial("slow", 80, Recorder().take, failures.append, timeout_s=0.02)
    host.run_while(lambda: not failures)
    assert failures[0].code == "timeout"
    network.close()
    gate.set()


# Closing and hosting.


def test_closing_the_network_tells_every_owner_and_closes_every_socket(host: SelfHost) -> None:
    network = EpollNetwork(host)
    recorder = Recorder()
    client, _ = connected_socket(host, network, recorder)
    network.close()
    network.close()
    assert recorder.lost_code == "aborted"
    assert network.sockets_open == 0
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    client.close()


def test_bytes_are_counted_both_ways(host: SelfHost, network: EpollNetwork) -> None:
    recorder = Recorder()
    client, _ = connected_socket(host, network, recorder)
    client.send(b"12345")
    recorder.wire.send(b"123")
    host.run_while(lambda: len(recorder.data) < 5)
    assert (network.bytes_in, network.bytes_out) == (5, 3)
    assert network.sockets_open == 2
    client.close()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_the_network_runs_inside_an_asyncio_loop(
    run: Callable[[Coroutine[None, None, bytes]], bytes],
) -> None:
    async def scene() -> bytes:
        loop = asyncio.get_running_loop()
        network = EpollNetwork(LoopHost(loop))
        done = loop.create_future()
        recorder = Recorder()

        def answer(data: memoryview) -> None:
            recorder.wire.send(b"re: ", data)
            # A timer too, so that the loop's calls are used.
            network.call_at(network.now() + 0.005, recorder.wire.finish)

        recorder.on_received = answer
        recorder.on_lost = lambda cause: done.set_result(cause)
        listener = network.listen("127.0.0.1", 0, recorder.take)
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.address.port)
        writer.write(b"hello")
        said = await reader.read()
        writer.close()
        await writer.wait_closed()
        assert await done is None
        network.close()
        return said

    assert run(scene()) == b"re: hello"


@pytest.mark.parametrize("wildcard", ["0.0.0.0", "::"])
def test_a_wildcard_listens_on_both_address_families(wildcard: str) -> None:
    with contextlib.closing(bind(wildcard, 0)) as listener:
        port = listener.getsockname()[1]
        for host in ("127.0.0.1", "::1") if listener.family == socket.AF_INET6 else ("127.0.0.1",):
            socket.create_connection((host, port), timeout=5).close()


def test_a_taken_port_is_taken_in_either_family() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError) as raised:
            bind("0.0.0.0", taken.getsockname()[1])
    assert raised.value.errno == errno.EADDRINUSE


def test_a_turn_that_takes_long_ends_early_and_leaves_nobody_out(
    network: EpollNetwork, host: SelfHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.net.poller.TURN_S_MAX", -1.0)  # Every turn takes too long.
    count = 3 * limits.TURN_BATCH_EVENTS
    rights: list[Recorder] = []

    def accept(connection: Connection) -> Recorder:
        rights.append(Recorder())
        return rights[-1].take(connection)

    listener = network.listen("127.0.0.1", 0, accept)
    address = ("127.0.0.1", listener.address.port)
    clients = [socket.create_connection(address) for _ in range(count)]
    host.run_while(lambda: len(rights) < count)
    before = network.turns
    for client in clients:
        client.send(b"x")
    host.run_while(lambda: not all(right.data for right in rights))
    assert network.turns - before >= 3
    for client in clients:
        client.close()


def test_a_dial_is_told_nothing_of_who_had_its_descriptor_before(
    host: SelfHost, network: EpollNetwork
) -> None:
    victim, killer, dialed, served = Recorder(), Recorder(), Recorder(), Recorder()
    door = network.listen("127.0.0.1", 0, served.take)
    failures: list[DialFailure] = []
    one, end_one = connected_socket(host, network, killer)
    other, end_other = connected_socket(host, network, victim)
    end_other()
    end_one()

    def strike(data: memoryview) -> None:
        del data
        victim.wire.abort()  # Its event is in the batch that is being handled.
        network.dial("127.0.0.1", door.address.port, dialed.take, failures.append, timeout_s=1.0)

    killer.on_received = strike
    with contextlib.ExitStack() as stack:
        stack.enter_context(one)
        stack.enter_context(other)
        for _ in range(64):  # So that the number of the victim's is the next one that is free.
            stack.callback(os.close, os.open("/dev/null", os.O_RDONLY))
        one.sendall(b"strike")
        other.sendall(b"late")
        host.run_while(lambda: dialed.connection is None and not failures)
    assert not failures and network.handler_errors == 0


@pytest.mark.parametrize("essential", [False, True])
def test_of_any_limit_of_open_files_some_are_kept_for_the_operator(
    monkeypatch: pytest.MonkeyPatch, essential: bool
) -> None:
    for limit in (64, 128, 192, 1_024):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: (limit, limit))
        kept = limit - sockets.descriptors_max(essential=essential)
        assert kept >= 32, limit
