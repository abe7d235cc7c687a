"""A load generator for machines without wrk: one thread, one epoll set, raw sockets.

``python -m tests.bench.client HOST PORT CONNECTIONS SECONDS [close]`` prints what
`tests.bench.load.Load` holds, as JSON. ``close``: a separate connection for every request.
"""

import json
import re
import select
import socket
import sys
import time

READ_BYTES = 64 * 1024
POLL_S = 0.5
LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


class Client:
    """One connection that asks again as soon as it was answered."""

    def __init__(self, address: tuple[str, int], request: bytes) -> None:
        self._address = address
        self._request = request
        self._buffer = b""
        self._began = 0.0
        self.socket = socket.socket()

    def connect(self, poll: select.epoll, clients: dict[int, "Client"]) -> None:
        """A new connection in place of the old one, and a request on it."""
        clients.pop(self.socket.fileno(), None)
        self.socket.close()
        self._began = time.perf_counter()
        self.socket = socket.create_connection(self._address, timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        clients[self.socket.fileno()] = self
        poll.register(self.socket, select.EPOLLIN)
        self.ask(keep_time=True)

    def ask(self, *, keep_time: bool = False) -> None:
        """Send the request."""
        if not keep_time:
            self._began = time.perf_counter()
        self._buffer = b""
        self.socket.send(self._request)

    def read(self) -> float | None:
        """Seconds the response took, once it is whole. OSError: none will come."""
        data = self.socket.recv(READ_BYTES)
        if not data:
            raise ConnectionError("closed within a response")
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        length = LENGTH.search(head + b"\r\n")
        if not head.startswith(b"HTTP/1.1 200") or length is None:
            raise ConnectionError("not the expected response")
        if len(body) < int(length[1]):
            return None
        return time.perf_counter() - self._began


def run(host: str, port: int, connections: int, seconds: float, *, close: bool) -> dict[str, float]:
    """Load for ``seconds``; times in milliseconds."""
    request = b"GET / HTTP/1.1\r\nHost: %b:%d\r\n" % (host.encode(), port)
    request += b"Connection: close\r\n\r\n" if close else b"\r\n"
    poll = select.epoll()
    clients: dict[int, Client] = {}
    times: list[float] = []
    errors = 0
    for _ in range(connections):
        Client((host, port), request).connect(poll, clients)
    began = time.perf_counter()
    ends = began + seconds
    while time.perf_counter() < ends:
        for fd, _ in poll.poll(POLL_S):
            client = clients[fd]
            try:
                took = client.read()
                if took is None:
                    continue
                times.append(took)
                if not close:
                    client.ask()
                    continue
            except OSError:
                errors += 1
            client.connect(poll, clients)
    elapsed = time.perf_counter() - began
    times.sort()
    count = len(times)
    return {
        "requests": count,
        "errors": errors,
        "seconds": elapsed,
        "p50_ms": 1000 * times[count // 2] if times else 0.0,
        "p99_ms": 1000 * times[count * 99 // 100] if times else 0.0,
    }


if __name__ == "__main__":
    HOST, PORT, CONNECTIONS, SECONDS, *REST = sys.argv[1:]
    print(json.dumps(run(HOST, int(PORT), int(CONNECTIONS), float(SECONDS), close=bool(REST))))
