"""Clients that hide nothing: no retry, no pool unless asked for, raw bytes where it matters."""

import asyncio
import contextlib
import http.client
import itertools
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec

TIMEOUT_S = 10.0
LOAD_AT_ONCE_MAX = 16


class Answer(msgspec.Struct, frozen=True):
    """What became of one request. ``status`` 0: no whole answer came, ``error`` says why."""

    status: int
    headers: dict[str, str]
    body: bytes
    began: float
    ended: float
    error: str = ""

    @property
    def site(self) -> str:
        """Who served it."""
        return self.headers.get("x-served-by", "")

    @property
    def code(self) -> str:
        """The proxy's own error code; empty: the answer is a target's."""
        return self.headers.get("spillway-error", "")


def fetch(
    host: str,
    port: int,
    path: str = "/",
    method: str = "GET",
    *,
    body: bytes | Iterable[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Answer:
    """One request on a new connection. An iterable body is sent chunked."""
    began = time.monotonic()
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        content = response.read()
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, {}, b"", began, time.monotonic(), f"{type(error).__name__}: {error}")
    finally:
        connection.close()
    fields = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, fields, content, began, time.monotonic())


def burst(
    host: str,
    port: int,
    count: int,
    path: str = "/",
    *,
    at_once: int | None = None,
    method: str = "GET",
    timeout_s: float = TIMEOUT_S,
) -> list[Answer]:
    """``count`` requests, each on its own connection, ``at_once`` (default: all) at a time."""

    async def run() -> list[Answer]:
        room = asyncio.Semaphore(at_once or count)

        async def one() -> Answer:
            async with room:
                return await _request(host, port, path, method, timeout_s=timeout_s)

        return list(await asyncio.gather(*(one() for _ in range(count))))

    return asyncio.run(run())


def sending(
    host: str,
    port: int,
    count: int,
    path: str = "/",
    *,
    method: str = "GET",
    timeout_s: float = TIMEOUT_S,
) -> Future[list[Answer]]:
    """`burst` in a thread: the test goes on while the requests are under way."""
    pool = ThreadPoolExecutor(1)
    future = pool.submit(burst, host, port, count, path, method=method, timeout_s=timeout_s)
    pool.shutdown(wait=False)
    return future


async def _request(
    host: str,
    port: int,
    path: str,
    method: str,
    clock: Callable[[], float] = time.monotonic,
    *,
    timeout_s: float = TIMEOUT_S,
) -> Answer:
    began = clock()
    writer = None
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(f"{method} {path} HTTP/1.1\r\nHost: shop\r\n\r\n".encode())
            status, headers, body = await _read_answer(reader, method)
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError) as error:
        return Answer(0, {}, b"", began, clock(), f"{type(error).__name__}: {error}")
    finally:
        if writer is not None:
            writer.close()
    return Answer(status, headers, body, began, clock())


async def _read_answer(
    reader: asyncio.StreamReader, method: str
) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = head[:-4].split("\r\n")
    headers = {}
    for field in fields:
        name, _, value = field.partition(":")
        headers[name.lower()] = value.strip()
    body = b""
    if method == "HEAD":
        pass
    elif "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    elif headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)
    else:
        body = await reader.read()
    return int(line.split(" ")[1]), headers, body


class Load:
    """Requests at a steady rate from a thread, until left; `answers` has their outcomes.

    No more than ``at_once`` are under way and lost time is not made up for: on a machine that
    stalls, a crowd afterwards would rightly be refused. ``clock`` gives the times when answers
    began and ended: for bounds that a time must not exceed, `own_time`.
    """

    def __init__(
        self,
        places: Sequence[tuple[str, int]],
        rate: float,
        path: str = "/",
        *,
        method: str = "GET",
        clock: Callable[[], float] = time.monotonic,
        at_once: int = LOAD_AT_ONCE_MAX,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.answers: list[Answer] = []
        self._at_once = at_once
        self._places, self._rate, self._path, self._method = places, rate, path, method
        self._clock, self._timeout_s = clock, timeout_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    async def _run(self) -> None:
        due, number = time.monotonic(), 0
        room = asyncio.Semaphore(self._at_once)
        async with asyncio.TaskGroup() as tasks:
            while not self._stop.is_set():
                await room.acquire()
                host, port = self._places[number % len(self._places)]
                tasks.create_task(self._one(host, port, room))
                number += 1
                due = max(due + 1 / self._rate, time.monotonic())
                await asyncio.sleep(due - time.monotonic())

    async def _one(self, host: str, port: int, room: asyncio.Semaphore) -> None:
        answer = await _request(
            host, port, self._path, self._method, self._clock, timeout_s=self._timeout_s
        )
        self.answers.append(answer)
        room.release()

    @property
    def failed(self) -> list[Answer]:
        """Those without a 200."""
        return [answer for answer in self.answers if answer.status != 200]


class Asked(msgspec.Struct, frozen=True):
    """One request of a `KeptLoad`. ``retries``: sent again after a close without an answer."""

    method: str
    path: str
    status: int
    error: str
    retries: int


_labels = itertools.count()


class KeptLoad:
    """Clients that keep their connections, until left: `asked` has what became of each request.

    Each asks GET, PUT and POST (with ``body``) in turn, every path once, at the first of its
    places that takes it, and keeps that connection as long as it is let. A connection that is
    refused leads to the next place. A GET or PUT is sent again when the connection was closed
    without a byte of an answer (RFC 9110, 9.2.2); a reset or half an answer is a failure.
    """

    METHODS = ("GET", "PUT", "POST")

    def __init__(
        self, places: Sequence[Sequence[tuple[str, int]]], *, body: bytes, pause_s: float = 0.01
    ) -> None:
        self.asked: list[Asked] = []
        self._places, self._body, self._pause_s = places, body, pause_s
        self._label = next(_labels)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> "KeptLoad":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def failed(self, *methods: str) -> list[Asked]:
        """Requests of these methods without a 200."""
        return [one for one in self.asked if one.status != 200 and one.method in methods]

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for number, places in enumerate(self._places):
                tasks.create_task(self._client(number, places))

    async def _client(self, number: int, places: Sequence[tuple[str, int]]) -> None:
        door: _Door | None = None
        count = 0
        while not self._stop.is_set():
            method = self.METHODS[count % len(self.METHODS)]
            count += 1
            path = f"/echo?{self._label}-{number}-{count}"
            status, error, retries = 0, "", 0
            while True:
                try:
                    async with asyncio.timeout(TIMEOUT_S):
                        door = door or await _enter(places)
                        status, error, stays = await self._ask(door, method, path)
                except _Unanswered as closed:
                    _leave(door)
                    door, error = None, str(closed)
                    if method != "POST" and retries < len(places):
                        retries += 1
                        continue
                except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError) as cause:
                    _leave(door)
                    door, error = None, f"{type(cause).__name__}: {cause}"
                else:
                    if not stays:
                        _leave(door)
                        door = None
                break
            self.asked.append(Asked(method, path, status, error, retries))
            await asyncio.sleep(self._pause_s)
        _leave(door)

    async def _ask(self, door: "_Door", method: str, path: str) -> tuple[int, str, bool]:
        """Status, the proxy's error code, whether the connection stays."""
        reader, writer = door
        body = b"" if method == "GET" else self._body
        head = f"{method} {path} HTTP/1.1\r\nHost: shop\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        try:
            status, headers, content = await _read_answer(reader, method)
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise
            raise _Unanswered("closed without an answer") from None
        if status == 200 and content != body:
            raise ValueError(f"{len(content)} bytes came back, {len(body)} were sent")
        return status, headers.get("spillway-error", ""), headers.get("connection") != "close"


_Door = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Unanswered(Exception):
    """Closed cleanly before the first byte of an answer."""


async def _enter(places: Sequence[tuple[str, int]]) -> _Door:
    for host, port in places:
        with contextlib.suppress(ConnectionRefusedError):
            return await asyncio.open_connection(host, port)
    raise ConnectionRefusedError(f"none of {places}")


def _leave(door: _Door | None) -> None:
    if door is not None:
        door[1].close()


def by_site(answers: Iterable[Answer]) -> Counter[str]:
    """How many answers of each site; errors stand under their code or cause."""
    return Counter(a.site or a.code or a.error or str(a.status) for a in answers)


@contextlib.contextmanager
def connected(host: str, port: int, timeout_s: float = TIMEOUT_S) -> Iterator[socket.socket]:
    """A plain TCP connection."""
    with socket.create_connection((host, port), timeout_s) as door:
        yield door


def ask(door: socket.socket, line: str) -> str:
    """Send a line, read one; empty: the other end closed."""
    door.sendall(line.encode() + b"\n")
    return read_line(door)


def read_line(door: socket.socket) -> str:
    """One line without its end."""
    got = b""
    while not got.endswith(b"\n") and (byte := door.recv(1)):
        got += byte
    return got.decode().rstrip("\n")


def read_all(door: socket.socket) -> bytes:
    """All until the end. OSError on a reset."""
    got = bytearray()
    while data := door.recv(65_536):
        got += data
    return bytes(got)


def reset(door: socket.socket) -> None:
    """Close by a reset."""
    door.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    door.close()
