"""The processes of `tests.bench.bursts` beside the routers, each started with ``python -m``.

- ``relay DELAY_S FROM TO [FROM TO]…`` (``host:port``): passes bytes on so much later, both ways.
- ``targets NAME CONTROL_PORT PORT…``: HTTP servers with `SLOTS` each; ``GET /MS`` takes that long,
  who comes beyond the slots waits in here. ``GET /`` on the control port says what happened.
- ``client FILE``: asks as a `Plan` says, whatever becomes of it, and prints `Outcome`s.

All times are CLOCK_MONOTONIC, which the processes of one machine share.
"""

import asyncio
import contextlib
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from tests.bench.burst_figures import Order, Outcome

SLOTS = 10
READ_BYTES = 65_536
ANSWERS_S = 6.0


class Report(msgspec.Struct):
    """What a process of targets saw since it was last asked."""

    changes: list[tuple[float, int]]
    arrivals: int
    most_waiting: int


class Plan(msgspec.Struct, frozen=True):
    """Requests to ``host:port``, from the moment ``begin`` on."""

    host: str
    port: int
    begin: float
    keep_alive: bool
    orders: list[Order]


# relay


class _Way:
    """One direction: data that was read, and when it may go on; None marks the end."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source = source
        self.sink = sink
        self.under_way: deque[tuple[float, bytes | None]] = deque()
        self.is_over = False

    def take(self, due: float) -> None:
        """Read; an end travels too."""
        try:
            data = self.source.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.under_way.append((due, data or None))

    def deliver(self, now: float) -> None:
        """Everything whose time has come."""
        while self.under_way and self.under_way[0][0] <= now and not self.is_over:
            _, data = self.under_way.popleft()
            if data is None:
                self.close()
                return
            try:
                sent = self.sink.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.close()
                return
            if sent < len(data):  # Its buffer is full: try again soon.
                self.under_way.appendleft((now + 0.0005, data[sent:]))

    def close(self) -> None:
        """The connection is over, both ways of it."""
        self.is_over = True
        self.source.close()
        self.sink.close()


def relay(delay_s: float, pairs: list[tuple[str, str]]) -> None:
    """Until killed. `select` waits to the microsecond, `epoll` to the millisecond."""
    doors = {socket.create_server(_address(door)): _address(sink) for door, sink in pairs}
    ways: dict[socket.socket, _Way] = {}
    while True:
        now = time.monotonic()
        heads = [way.under_way[0][0] for way in ways.values() if way.under_way]
        wait_s = max(0.0, min(heads) - now) if heads else 1.0
        readable, _, _ = select.select([*doors, *ways], [], [], wait_s)
        now = time.monotonic()
        for one in readable:
            if one in doors:
                client, _ = one.accept()
                try:
                    server = socket.create_connection(doors[one])
                except OSError:  # The server is down: as if it refused.
                    client.close()
                    continue
                for end, other in ((client, server), (server, client)):
                    end.setblocking(False)
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    ways[end] = _Way(end, other)
            else:
                ways[one].take(now + delay_s)
        now = time.monotonic()
        for way in list(ways.values()):
            way.deliver(now)
        ways = {
            end: way for end, way in ways.items() if end.fileno() >= 0 and way.sink.fileno() >= 0
        }


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


# targets


class _Site:
    """All targets of one process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.in_use = self.waiting = 0
        self.report = Report([], 0, 0)

    def moved(self, by: int) -> None:
        self.in_use += by
        self.report.changes.append((time.monotonic(), self.in_use))

    def taken(self) -> Report:
        """Return the report; the next one begins now, with the slots in use."""
        report = self.report
        self.report = Report([(time.monotonic(), self.in_use)], 0, self.waiting)
        return report


class _Target:
    """One of them: its slots and who waits."""

    def __init__(self, site: _Site) -> None:
        self.site = site
        self.in_use = 0
        self.line: deque[tuple[float, Callable[[], None]]] = deque()

    def begin(self, service_s: float, done: Callable[[], None]) -> None:
        site = self.site
        if self.in_use >= SLOTS:
            self.line.append((service_s, done))
            site.waiting += 1
            site.report.most_waiting = max(site.report.most_waiting, site.waiting)
            return
        self.in_use += 1
        site.moved(1)
        asyncio.get_running_loop().call_later(service_s, self._done, done)

    def _done(self, done: Callable[[], None]) -> None:
        self.in_use -= 1
        self.site.moved(-1)
        done()
        if self.line:
            self.site.waiting -= 1
            self.begin(*self.line.popleft())


class _Worker(asyncio.Protocol):
    """One connection to a target."""

    def __init__(self, target: _Target) -> None:
        self._target = target
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._head += data
        while b"\r\n\r\n" in self._head:
            head, _, self._head = self._head.partition(b"\r\n\r\n")
            self._target.site.report.arrivals += 1
            self._target.begin(float(head.split(b" ", 2)[1][1:]) / 1000, self._answer)

    def _answer(self) -> None:
        name = self._target.site.name.encode()
        if not self._transport.is_closing():
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name)
            )


async def targets(name: str, control_port: int, ports: list[int]) -> None:
    """Until killed."""
    site, loop = _Site(name), asyncio.get_running_loop()

    async def report(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(msgspec.json.encode(site.taken()))
        writer.close()

    await asyncio.start_server(report, "127.0.0.1", control_port)
    for port in ports:
        target = _Target(site)
        await loop.create_server(partial(_Worker, target), "127.0.0.1", port, backlog=1024)
    await asyncio.Event().wait()


# client


class _Conversation(asyncio.Protocol):
    """One connection of the client."""

    def __init__(self, client: "_Client") -> None:
        self._client = client
        self._order: Order | None = None
        self._bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, order: Order) -> None:
        self._order = order
        close = b"" if self._client.plan.keep_alive else b"Connection: close\r\n"
        self._transport.write(
            b"GET /%g HTTP/1.1\r\nHost: shop\r\n%s\r\n" % (1000 * order.service_s, close)
        )

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        head, separator, body = self._bytes.partition(b"\r\n\r\n")
        if not separator or self._order is None:
            return
        fields = head.lower()
        if len(body) < int(fields.split(b"content-length: ")[1].split(b"\r\n")[0]):
            return
        order, self._order, self._bytes = self._order, None, b""
        status = int(head.split(b" ")[1])
        text = body.decode()
        self._client.over(
            order,
            status,
            text if status == 200 else "",
            retry_after=b"retry-after: " in fields,
            error="" if status == 200 else text.strip(),
        )
        if self._client.plan.keep_alive and b"connection: close" not in fields:
            self._client.idle.append(self)
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self._client.idle:
            self._client.idle.remove(self)
        order, self._order = self._order, None
        if order is not None:
            self._client.over(order, error=repr(exc) if exc else "no answer")


class _Client:
    """Asks at the times of its plan. What a request took counts from when it was due."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.idle: list[_Conversation] = []
        self.outcomes: list[Outcome] = []
        self._all_over = asyncio.Event()

    async def run(self) -> list[Outcome]:
        async with asyncio.TaskGroup() as group:
            for order in self.plan.orders:
                due = self.plan.begin + order.at_s
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                if self.idle:
                    self.idle.pop().ask(order)
                else:
                    group.create_task(self._connect(order))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWERS_S):
                await self._all_over.wait()
        known = {one.began for one in self.outcomes}
        for order in self.plan.orders:
            if self.plan.begin + order.at_s not in known:
                self.over(order, error="no answer in time")
        return self.outcomes

    async def _connect(self, order: Order) -> None:
        try:
            _, one = await asyncio.get_running_loop().create_connection(
                partial(_Conversation, self), self.plan.host, self.plan.port
            )
        except OSError as error:
            self.over(order, error=str(error))
            return
        one.ask(order)

    def over(
        self,
        order: Order,
        status: int = 0,
        site: str = "",
        *,
        retry_after: bool = False,
        error: str = "",
    ) -> None:
        """Write it down."""
        self.outcomes.append(
            Outcome(
                began=self.plan.begin + order.at_s,
                ended=time.monotonic(),
                service_s=order.service_s,
                status=status,
                site=site,
                retry_after=retry_after,
                error=error,
            )
        )
        if len(self.outcomes) == len(self.plan.orders):
            self._all_over.set()


def main() -> None:
    """One of the three."""
    kind, *words = sys.argv[1:]
    if kind == "relay":
        relay(float(words[0]), list(zip(words[1::2], words[2::2], strict=True)))
    elif kind == "targets":
        asyncio.run(targets(words[0], int(words[1]), [int(port) for port in words[2:]]))
    else:
        plan = msgspec.json.decode(Path(words[0]).read_bytes(), type=Plan)
        sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(_Client(plan).run())))


if __name__ == "__main__":
    main()
