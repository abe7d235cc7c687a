"""Hostile clients, in a separate process, from many loopback addresses.

``python -m tests.scenario.attackers KIND HOST PORT COUNT``: prints ``ready`` once it has opened
``COUNT`` connections, replaces those that the other end closes, and goes on until its input ends.
Then it prints how many it opened. `attacking` does that for a test.
"""

import contextlib
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[2]
SOURCES = 16
TICK_S = 0.02
OPENS_PER_TICK = 50
READY_S = 60.0
IP_BIND_ADDRESS_NO_PORT = 24  # Linux; this Python does not name it.
SMALL, LARGE = 400_000, 10_000_000


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """Conduct of each connection: it sends ``first``, then ``drip`` every ``every_s``.

    ``reads`` False: nothing is ever read, with the smallest possible receive buffer.
    ``leaves_after_s``: it is reset then, and a new one opened.
    """

    first: bytes = b""
    drip: bytes = b""
    every_s: float = 1.0
    reads: bool = True
    leaves_after_s: float = 0.0


_HEAD = b"%b HTTP/1.1\r\nHost: shop\r\n%b"
KINDS = {
    "idle": Kind(),
    "slow-head": Kind(first=_HEAD % (b"GET /", b"X-Slow: "), drip=b"a"),
    "slow-body": Kind(
        first=_HEAD % (b"POST /", b"Content-Length: 1000000\r\n\r\n"), drip=b"x", every_s=10.0
    ),
    "slow-put": Kind(
        first=_HEAD % (b"PUT /", b"Content-Length: 1000000\r\n\r\n") + b"y" * 60_000, drip=b"x"
    ),
    "no-reader": Kind(first=_HEAD % (b"GET /bytes/%d" % SMALL, b"\r\n"), reads=False),
    # More than kernels buffer for a peer that does not read; for targets that write as it is taken.
    "no-reader-large": Kind(first=_HEAD % (b"GET /bytes/%d" % LARGE, b"\r\n"), reads=False),
    "pipeline": Kind(first=_HEAD % (b"GET /", b"\r\n") * 1000, reads=False),
    "half-open": Kind(first=b"\x16\x03\x01\x02\x00\x01"),  # The beginning of a ClientHello.
    "churn": Kind(first=_HEAD % (b"GET /", b"\r\n"), leaves_after_s=0.1),
}


class Attack:
    """All connections of one kind, on one epoll set."""

    def __init__(self, kind: Kind, address: tuple[str, int], count: int) -> None:
        self._kind, self._address, self._count = kind, address, count
        self._poll = select.epoll()
        self._open: dict[int, tuple[socket.socket, memoryview]] = {}
        self._drip_at: dict[int, float] = {}
        self._leave_at: dict[int, float] = {}
        self.opened = 0

    def run(self) -> None:
        """Until standard input ends."""
        self._poll.register(0, select.EPOLLIN)
        told = False
        while True:
            now = time.monotonic()
            for _ in range(min(OPENS_PER_TICK, self._count - len(self._open))):
                self._connect(now)
            if not told and self.opened >= self._count:
                told = True
                print("ready", flush=True)
            for fd, mask in self._poll.poll(TICK_S, 1024):
                if fd == 0:
                    return
                self._ready(fd, mask)
            self._due(time.monotonic())

    def _connect(self, now: float) -> None:
        sock = socket.socket()
        sock.setblocking(False)
        if not self._kind.reads:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((f"127.77.0.{1 + self.opened % SOURCES}", 0))
        sock.connect_ex(self._address)
        fd = sock.fileno()
        self.opened += 1
        self._open[fd] = sock, memoryview(self._kind.first)
        self._drip_at[fd] = now + self._kind.every_s
        if self._kind.leaves_after_s:
            self._leave_at[fd] = now + self._kind.leaves_after_s
        self._poll.register(fd, self._wanted(sending=True))

    def _wanted(self, *, sending: bool) -> int:
        reading = select.EPOLLIN if self._kind.reads else 0
        return reading | (select.EPOLLOUT if sending else 0)

    def _ready(self, fd: int, mask: int) -> None:
        sock, unsent = self._open[fd]
        try:
            if mask & select.EPOLLOUT:
                sent = sock.send(unsent) if unsent else 0
                self._open[fd] = sock, unsent[sent:]
                self._poll.modify(fd, self._wanted(sending=len(unsent) > sent))
            if mask & select.EPOLLIN and not sock.recv(65_536):
                self._drop(fd)
                return
        except BlockingIOError:
            return
        except OSError:
            self._drop(fd)
            return
        if mask & (select.EPOLLERR | select.EPOLLHUP):
            self._drop(fd)

    def _due(self, now: float) -> None:
        if self._kind.drip:
            for fd in [fd for fd, at in self._drip_at.items() if at <= now]:
                self._drip_at[fd] = now + self._kind.every_s
                try:
                    self._open[fd][0].send(self._kind.drip)
                except BlockingIOError:
                    continue
                except OSError:
                    self._drop(fd)
        for fd in [fd for fd, at in self._leave_at.items() if at <= now]:
            linger = b"\1\0\0\0\0\0\0\0"
            self._open[fd][0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._drop(fd)

    def _drop(self, fd: int) -> None:
        self._drip_at.pop(fd, None)
        self._leave_at.pop(fd, None)
        self._open.pop(fd)[0].close()


@contextlib.contextmanager
def attacking(kind: str, address: tuple[str, int], count: int) -> Iterator[None]:
    """``count`` connections of ``kind`` while the context is open."""
    command = [sys.executable, "-m", "tests.scenario.attackers", kind, address[0]]
    process = subprocess.Popen(
        [*command, str(address[1]), str(count)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        with select.epoll() as poll:
            poll.register(process.stdout, select.EPOLLIN)
            assert poll.poll(READY_S), f"{kind}: not all connections could be opened"
        assert process.stdout.readline() == b"ready\n", f"{kind} failed"
        yield
        assert process.poll() is None, f"{kind} ended by itself"
    finally:
        process.stdin.close()
        try:
            process.wait(READY_S)
        finally:
            process.kill()
            process.stdout.close()


if __name__ == "__main__":
    KIND, HOST, PORT, COUNT = sys.argv[1:]
    ATTACK = Attack(KINDS[KIND], (HOST, int(PORT)), int(COUNT))
    ATTACK.run()
    print(ATTACK.opened)
