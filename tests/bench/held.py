"""Connections that are held: a crowd of clients, and a target in a separate process."""

import contextlib
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
PER_SERVICE = 4_000  # A listener takes 4,096.
PER_SOURCE = 500  # Of one address it takes 512.
BACKLOG = 4_096
HELLO = b"?"
ANSWER_S = 20.0


class Holder:
    """A TCP target that answers the first bytes of each connection with themselves, and waits."""

    def __init__(self, address: str) -> None:
        self.address = address
        pipe = subprocess.PIPE
        words = [sys.executable, "-m", "tests.bench.held", address]
        self._process = subprocess.Popen(words, stdin=pipe, stdout=pipe, cwd=ROOT, text=True)
        self.port = self._asked()

    @property
    def count(self) -> int:
        """Connections that have said something and are open now."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._asked()

    def _asked(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for end in (self._process.stdin, self._process.stdout):
            assert end is not None
            end.close()


class Crowd:
    """Clients at the listeners from ``port`` on, `PER_SERVICE` each."""

    WARM = 200

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._held: list[socket.socket] = []

    @staticmethod
    def services_for(count: int) -> int:
        """How many services so many clients need."""
        return -(-count // PER_SERVICE)

    def grow(self, count: int) -> None:
        """Until there are ``count``. Each has spoken with the target when this returns."""
        fresh = []
        for number in range(len(self._held), count):
            source = number // PER_SOURCE
            client = socket.create_connection(
                (self._host, self._port + number // PER_SERVICE),
                ANSWER_S,
                source_address=(f"127.{100 + source // 250}.77.{1 + source % 250}", 0),
            )
            client.sendall(HELLO)
            fresh.append(client)
            if len(fresh) == self.WARM:
                _hear(fresh)
                self._held += fresh
                fresh = []
        _hear(fresh)
        self._held += fresh

    def shrink(self) -> None:
        """All leave."""
        for client in self._held:
            client.close()
        self._held.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shrink()


def _hear(clients: list[socket.socket]) -> None:
    for client in clients:
        if client.recv(len(HELLO)) != HELLO:
            raise AssertionError("a connection ended instead of being held")


def _hold(address: str) -> None:
    """Until stdin ends; each line of it is answered with the count."""
    door = socket.create_server((address, 0), backlog=BACKLOG)
    door.setblocking(False)
    print(door.getsockname()[1], flush=True)
    spoken: set[int] = set()
    threading.Thread(target=_serve, args=(door, spoken), daemon=True).start()
    for _ in sys.stdin:
        print(len(spoken), flush=True)


def _serve(door: socket.socket, spoken: set[int]) -> None:
    held: dict[int, socket.socket] = {}
    poll = select.epoll()
    poll.register(door, select.EPOLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == door.fileno():
                for one in _accepted(door):
                    held[one.fileno()] = one
                    poll.register(one, select.EPOLLIN)
                continue
            said = b""
            with contextlib.suppress(OSError):
                said = held[fd].recv(4_096)
            if said:
                held[fd].sendall(said)
                spoken.add(fd)
            else:
                spoken.discard(fd)
                held.pop(fd).close()


def _accepted(door: socket.socket) -> Iterator[socket.socket]:
    while True:
        try:
            one, _ = door.accept()
        except BlockingIOError:
            return
        one.setblocking(False)
        yield one


if __name__ == "__main__":
    from tests.bench import machine

    machine.raise_file_limit()
    _hold(sys.argv[1])
