"""What the kernel holds of a connection whose other side does not read, in bytes."""

import array
import contextlib
import errno
import fcntl
import socket
import termios
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from router.model.limits import CLIENT_UNSENT_BYTES, TARGET_UNREAD_BYTES
from router.net import far_targets
from router.net.epoll import EpollNetwork
from router.net.ports import Connection
from router.net.sockets import round_trip_s, undelivered_bytes
from tests.unit.net.recorder import Recorder
from tests.unit.net.self_host import SelfHost

PIECE = bytes(64 * 1024)
READ_FIRST_BYTES = 30_000_000
LEAST_RECEIVE_BUFFER = 1  # The kernel makes some 2 KiB of it.


@pytest.fixture
def network(host: SelfHost) -> Iterator[EpollNetwork]:
    made = EpollNetwork(host)
    yield made
    made.close()


def unread_bytes(sock: socket.socket) -> int:
    """With the kernel of the one who may read them (tcp(7), SIOCINQ)."""
    size = array.array("i", [0])
    fcntl.ioctl(sock, termios.FIONREAD, size)
    return size[0]


def settled(host: SelfHost, held: Callable[[], int]) -> int:
    """What ``held`` returns when nothing moves any more; waits until it is above 0.

    On a busy machine the kernel delivers late.
    """
    host.settle()
    while (held_bytes := held()) <= 0:
        host.run_while(lambda: held() <= 0)
        host.settle()
    return held_bytes


def send_while_taken(connection: Connection) -> None:
    """As a source that follows back-pressure."""
    while connection.send(PIECE):
        pass


def test_the_kernel_holds_little_for_a_client_that_does_not_read(
    host: SelfHost, network: EpollNetwork
) -> None:
    recorder = Recorder()
    listener = network.listen("127.0.0.1", 0, recorder.take)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LEAST_RECEIVE_BUFFER)
    with client:
        client.connect(("127.0.0.1", listener.address.port))
        host.run_while(lambda: recorder.connection is None)
        recorder.on_writable = lambda: send_while_taken(recorder.wire)
        send_while_taken(recorder.wire)
        held_bytes = settled(host, lambda: network.bytes_out - unread_bytes(client))
        assert 0 < held_bytes <= CLIENT_UNSENT_BYTES + len(PIECE)


@pytest.mark.parametrize("size_bytes", [16 * 1024, 256 * 1024])
def test_how_much_the_kernel_holds_for_a_slow_peer_can_be_changed_under_way(
    host: SelfHost, network: EpollNetwork, size_bytes: int
) -> None:
    """As a lane does: a kernel that holds MiBs of one answer holds back all behind it."""
    recorder = Recorder()
    listener = network.listen("127.0.0.1", 0, recorder.take)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LEAST_RECEIVE_BUFFER)
    with client:
        client.connect(("127.0.0.1", listener.address.port))
        host.run_while(lambda: recorder.connection is None)
        recorder.wire.bound_unsent(size_bytes)
        recorder.on_writable = lambda: send_while_taken(recorder.wire)
        send_while_taken(recorder.wire)
        held_bytes = settled(host, lambda: network.bytes_out - unread_bytes(client))
        assert size_bytes / 2 <= held_bytes <= size_bytes + len(PIECE)


def test_the_kernel_holds_little_for_a_client_that_read_much_and_then_stopped(
    host: SelfHost, network: EpollNetwork
) -> None:
    recorder = Recorder()
    listener = network.listen("127.0.0.1", 0, recorder.take)
    with socket.create_connection(("127.0.0.1", listener.address.port)) as client:
        client.setblocking(False)
        host.run_while(lambda: recorder.connection is None)
        recorder.on_writable = lambda: send_while_taken(recorder.wire)
        send_while_taken(recorder.wire)
        got = read_much(host, client)
        held_bytes = settled(host, lambda: network.bytes_out - got - unread_bytes(client))
        assert 0 < held_bytes <= CLIENT_UNSENT_BYTES + len(PIECE)


def read_much(host: SelfHost, client: socket.socket) -> int:
    """`READ_FIRST_BYTES` or more; how many."""
    got = 0

    def read() -> bool:
        nonlocal got
        with contextlib.suppress(BlockingIOError):
            while data := client.recv(len(PIECE)):
                got += len(data)
        return got < READ_FIRST_BYTES

    host.run_while(read)
    return got


@pytest.mark.parametrize("read_first_bytes", [1, READ_FIRST_BYTES])
def test_the_kernel_holds_little_of_a_target_that_is_not_read(
    host: SelfHost, network: EpollNetwork, read_first_bytes: int
) -> None:
    recorder = Recorder()
    sent = 0

    def pause_when_enough(data: memoryview) -> None:
        if len(recorder.data) >= read_first_bytes:
            recorder.wire.pause()

    recorder.on_received = pause_when_enough
    with dialed_target(host, network, recorder) as target:

        def write(until_bytes: int) -> bool:
            """Write what the target's kernel takes; whether fewer have come here."""
            nonlocal sent
            with contextlib.suppress(BlockingIOError):
                while True:
                    sent += target.send(PIECE)
            return sent - undelivered_bytes(target) < until_bytes

        def held() -> int:
            """Bytes that the kernel has taken from the target and we have not."""
            write(0)
            return sent - undelivered_bytes(target) - len(recorder.data)

        host.run_while(lambda: write(read_first_bytes) or len(recorder.data) < read_first_bytes)
        held_bytes = settled(host, held)
        assert 0 < held_bytes <= 2 * TARGET_UNREAD_BYTES


class LateSocket(socket.SocketType):
    """Connected only when an event says so, as to another machine."""

    _asked = False

    def getpeername(self) -> Any:
        if not self._asked:
            self._asked = True
            raise OSError(errno.ENOTCONN, "not yet")
        return super().getpeername()


def test_what_comes_from_a_target_is_bounded_unless_the_target_is_far(
    host: SelfHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[socket.SocketType] = []

    def late(family: socket.AddressFamily) -> socket.SocketType:
        made.append(LateSocket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
        return made[-1]

    network = EpollNetwork(host, new_socket=late)
    with socket.socket() as other:
        usual = other.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    bounded = []
    for far_s in (0.0, 0.0, 60.0, 60.0):
        monkeypatch.setattr(far_targets, "TARGET_FAR_S", far_s)
        with dialed_target(host, network, Recorder()):
            size = made[-1].getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
            bounded.append(size != usual)
    assert bounded == [True, False, False, True]
    network.close()


def test_the_round_trip_of_a_connection_is_known() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as door,
        socket.create_connection(door.getsockname()) as client,
    ):
        assert 0 < round_trip_s(client) < 1


@contextlib.contextmanager
def dialed_target(
    host: SelfHost, network: EpollNetwork, recorder: Recorder
) -> Iterator[socket.socket]:
    """The other end of ``recorder``'s connection."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        address, port = door.getsockname()
        network.dial(
            address,
            port,
            recorder.take,
            lambda failure: None,
            timeout_s=5.0,
        )
        host.run_while(lambda: recorder.connection is None)
        target, _ = door.accept()
        target.setblocking(False)
        with target:
            yield target
