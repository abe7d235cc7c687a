"""Requests at a fixed rate, whatever becomes of them; in a separate process.

``python -m tests.scenario.offering HOST PORT RATE SECONDS`` sends ``GET /`` at ``RATE`` a second on
idle connections, new ones while all are busy, and prints an `Offered` as JSON. A request that would
need more than `CONNECTIONS_MAX` connections is counted as an error: no answer was that slow.
"""

import re
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[2]
CONNECTIONS_MAX = 480  # Below what one source may have.
LAST_ANSWERS_S = 5.0
END_S = 60.0
STOOD_STILL_S = 0.25  # A machine that gave us no time for so long: no rate that a test asked for.
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
REQUEST = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the requests; times in milliseconds."""

    offered: int
    served: int
    refused: int
    errors: int
    seconds: float
    served_p99_ms: float
    served_max_ms: float
    refused_p50_ms: float
    refused_p99_ms: float
    refused_without_retry_after: int


class _Connection:
    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, 5.0)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.began = 0.0
        self.got = b""

    def ask(self) -> None:
        self.began, self.got = time.perf_counter(), b""
        self.socket.send(REQUEST)

    def read(self) -> bytes | None:
        """The head of a complete answer."""
        data = self.socket.recv(65_536)
        if not data:
            raise ConnectionError("closed")
        self.got += data
        head, found, body = self.got.partition(b"\r\n\r\n")
        if not found:
            return None
        length = _LENGTH.search(head + b"\r\n")
        return head if length is None or len(body) >= int(length[1]) else None


class _Run:
    """One run on one epoll set."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._poll = select.epoll()
        self._busy: dict[int, _Connection] = {}
        self._free: list[_Connection] = []
        self.served: list[float] = []
        self.refused: list[float] = []
        self.errors = self.offered = self.bare = 0

    def go(self, rate: float, seconds: float) -> Offered:
        began = time.perf_counter()
        ends = began + seconds
        while (now := time.perf_counter()) < ends:
            due = int((now - began) * rate) - self.offered
            if due > max(1.0, rate * STOOD_STILL_S):  # Drop requests that came due meanwhile.
                began += due / rate
                due = 0
            for _ in range(due):
                self._ask()
            self._hear(0.001)
        while self._busy and time.perf_counter() < ends + LAST_ANSWERS_S:
            self._hear(0.05)
        self.errors += len(self._busy)
        self.served.sort()
        self.refused.sort()
        return Offered(
            offered=self.offered,
            served=len(self.served),
            refused=len(self.refused),
            errors=self.errors,
            seconds=seconds,
            served_p99_ms=percentile_ms(self.served, 0.99),
            served_max_ms=percentile_ms(self.served, 1.0),
            refused_p50_ms=percentile_ms(self.refused, 0.5),
            refused_p99_ms=percentile_ms(self.refused, 0.99),
            refused_without_retry_after=self.bare,
        )

    def _ask(self) -> None:
        self.offered += 1
        try:
            if not self._free:
                if len(self._busy) >= CONNECTIONS_MAX:
                    raise ConnectionError("no answer to any")
                self._free.append(_Connection(self._address))
                self._poll.register(self._free[-1].socket, select.EPOLLIN)
            connection = self._free.pop()
            connection.ask()
        except OSError:
            self.errors += 1
            return
        self._busy[connection.socket.fileno()] = connection

    def _hear(self, wait_s: float) -> None:
        for fd, _ in self._poll.poll(wait_s):
            connection = self._busy.get(fd)
            if connection is None:  # Closed while it was free.
                self._free = [one for one in self._free if one.socket.fileno() != fd]
                self._poll.unregister(fd)
                continue
            try:
                head = connection.read()
            except OSError:
                self._busy.pop(fd).socket.close()
                self.errors += 1
                continue
            if head is None:
                continue
            took_s = time.perf_counter() - connection.began
            if head.startswith(b"HTTP/1.1 200"):
                self.served.append(took_s)
            else:
                self.refused.append(took_s)
                self.bare += b"\r\nRetry-After: " not in head
            del self._busy[fd]
            if b"\r\nConnection: close" in head:
                connection.socket.close()
            else:
                self._free.append(connection)


def percentile_ms(times_s: list[float], share: float) -> float:
    """Of sorted times; 0.0 of none."""
    if not times_s:
        return 0.0
    return 1000 * times_s[min(len(times_s) - 1, int(len(times_s) * share))]


def offer(address: tuple[str, int], rate: float, seconds: float) -> Offered:
    """Run it in a separate process."""
    command = [sys.executable, "-m", "tests.scenario.offering", address[0], str(address[1])]
    done = subprocess.run(
        [*command, str(rate), str(seconds)],
        cwd=ROOT,
        capture_output=True,
        timeout=seconds + END_S,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=Offered)


def fresh_client(address: tuple[str, int], seconds: float, *, every_s: float = 0.01) -> list[float]:
    """A new connection with one request, again and again; sorted seconds each took.

    AssertionError when one is not answered with 200.
    """
    times_s = []
    until = time.perf_counter() + seconds
    while (began := time.perf_counter()) < until:
        with socket.create_connection(address, 10.0) as door:
            door.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
            got = b""
            while data := door.recv(65_536):
                got += data
        assert got.startswith(b"HTTP/1.1 200"), got[:200]
        times_s.append(time.perf_counter() - began)
        time.sleep(max(0.0, every_s - times_s[-1]))
    return sorted(times_s)


if __name__ == "__main__":
    HOST, PORT, RATE, SECONDS = sys.argv[1:]
    RESULT = _Run((HOST, int(PORT))).go(float(RATE), float(SECONDS))
    sys.stdout.buffer.write(msgspec.json.encode(RESULT))
