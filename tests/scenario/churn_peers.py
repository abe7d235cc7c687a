"""Peers that make connections come and go: clients that leave in any way, and such targets.

``python -m tests.scenario.churn_peers ADDRESS`` runs the targets: it prints two ports, one for TCP
and one for HTTP, and serves until its input ends. A client says how a target must behave: the first
line of TCP is ``MODE SIZE``, the path of HTTP ``/MODE/SIZE``.
"""

import asyncio
import contextlib
import random
import re
import sys
from collections import Counter
from collections.abc import Awaitable, Callable

from tests.scenario.backends import abort

PATIENCE_S = 30.0
BACKLOG = 4_096
SIZES = (1, 100, 1_000, 20_000, 200_000)
MODES = ("answer", "answer", "answer", "close", "half", "cut", "mute")
TCP_MODES = (*MODES, "stay")
"""As a target does them.

``answer``: so many bytes, and it waits for more. ``close``, ``half``: the same, and its side ends,
or both. ``cut``: half of them and a reset. ``mute``: a reset. ``stay``: nothing, until the client
goes, which a target of HTTP would not see: that a client says no more is no reason to give up its
request.
"""
_HEAD_MAX = 65_536
_WANTED = re.compile(rb"(?:[A-Z]+ /)?([a-z]+)[ /]([0-9]+)")
_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)


class Wrong(Exception):
    """An answer that was whole but is not the one asked for."""


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, http: bool) -> None:
    """One connection of a target."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        try:
            while await _serve_one(reader, writer, http=http):
                pass
        finally:
            writer.close()


async def _serve_one(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, http: bool
) -> bool:
    """Whether to go on."""
    head = await reader.readuntil(b"\r\n\r\n" if http else b"\n")
    if http and (found := _LENGTH.search(head)):
        await reader.readexactly(int(found[1]))
    wanted = _WANTED.match(head)
    mode, size = (wanted[1].decode(), int(wanted[2])) if wanted else ("answer", 0)
    if mode == "mute":
        _reset(writer)
        return False
    if mode == "stay":
        while await reader.read(65_536):
            pass
        return False
    ends = b"Connection: close\r\n" if mode in ("close", "half") else b""
    if http:
        writer.write(b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n" % (ends, size))
    writer.write(b"x" * (size // 2 if mode == "cut" else size))
    await writer.drain()
    if mode == "cut":
        _reset(writer)
        return False
    if mode == "half":
        writer.write_eof()
        while await reader.read(65_536):
            pass
        return False
    return mode != "close"


def _reset(writer: asyncio.StreamWriter) -> None:
    """Unless the other side did so before."""
    if not writer.is_closing():
        abort(writer)


class Clients:
    """Connections to four doors, `at_once` at a time; ``counts`` how they went."""

    def __init__(
        self, seed: int, host: str, tcp: list[int], http: list[int], *, pause_s: float = 0.0
    ) -> None:
        """Each waits for ``pause_s`` on average between two connections."""
        self._pause_s = pause_s
        self._rng = random.Random(seed)
        self._host = host
        self._doors = [(port, False) for port in tcp] + [(port, True) for port in http]
        self._left = 0
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    async def run(self, connections: int, at_once: int) -> None:
        """Make so many connections."""
        self._left = connections
        async with asyncio.TaskGroup() as tasks:
            for _ in range(at_once):
                tasks.create_task(self._some())

    def stop(self) -> None:
        """Make no more: `run` returns once those under way have ended."""
        self._left = 0

    async def _some(self) -> None:
        while self._left > 0:
            self._left -= 1
            if self._pause_s:
                await asyncio.sleep(self._rng.random() * 2 * self._pause_s)
            port, http = self._rng.choice(self._doors)
            name, way = self._rng.choice(_HTTP if http else _TCP)
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._one(port, way)
                self.counts[name] += 1
            except TimeoutError:
                self.wrong.append(f"{name} at port {port}: nothing for {PATIENCE_S:g} s")
            except Wrong as error:
                self.wrong.append(f"{name} at port {port}: {error}")
            except (OSError, asyncio.IncompleteReadError):
                self.counts[f"{name}, broken off"] += 1

    async def _one(self, port: int, way: "Way") -> None:
        # From many addresses: of one, ports run out, and a listener takes only so many.
        source = f"127.{self._rng.randrange(64, 72)}.3.{self._rng.randrange(1, 251)}"
        reader, writer = await asyncio.open_connection(
            self._host, port, local_addr=(source, 0), limit=_HEAD_MAX
        )
        try:
            await way(self._rng, reader, writer)
        finally:
            if self._rng.random() < 0.3:
                _reset(writer)
            writer.close()


Way = Callable[[random.Random, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _tcp_whole(
    rng: random.Random, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    size = rng.choice(SIZES)
    writer.write(b"answer %d\n" % size)
    if await reader.readexactly(size) != b"x" * size:
        raise Wrong("other bytes")


async def _tcp_half(
    rng: random.Random, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """The client's side ends at once; the answer comes whole all the same."""
    size = rng.choice(SIZES)
    writer.write(b"%s %d\n" % (rng.choice((b"answer", b"close", b"half")), size))
    writer.write_eof()
    found = await reader.read(-1)
    if found != b"x" * size:
        raise Wrong(f"{len(found)} of {size} bytes, then the end")


async def _tcp_any(
    rng: random.Random, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """The target does as it likes, and the client leaves somewhere."""
    writer.write(b"%s %d\n" % (rng.choice(TCP_MODES).encode(), rng.choice(SIZES)))
    if rng.random() < 0.5:
        writer.write(b"answer 5\n" * 3 + rng.choice((b"", b"y" * 100_000)))
    if rng.random() < 0.7:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(rng.random() * 0.02):
                await reader.read(rng.choice((1, 1_000, 100_000)))


async def _silent(
    rng: random.Random, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Not a byte."""
    if rng.random() < 0.3:
        writer.write_eof()
    await asyncio.sleep(rng.choice((0, 0, 0.005)))


async def _http_whole(
    rng: random.Random, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Some requests, one after the other or all at once."""
    sizes = [rng.choice(SIZES) for _ in range(rng.choice((1, 1, 2, 4)))]
    asked = [_request(rng, "answer", size) for size in sizes]
    if pipelined := rng.random() < 0.5:
        writer.write(b"".join(asked))
    for request, size in zip(asked, sizes, strict=True):
        if not pipelined:
            writer.write(request)
        await _answer(reader, size)


async def _http_half(
    rng: random.Random, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """A client that leaves, its side first: nothing comes, or its answer, or part of it and a
    reset."""
    writer.write(_request(rng, "answer", rng.choice(SIZES)))
    writer.write_eof()
    with contextlib.suppress(ConnectionResetError):
        got = await reader.read(-1)
        if got and not got.startswith(b"HTTP/1.1 200 "):
            raise Wrong(got[:100].decode("latin-1"))


async def _http_any(
    rng: random.Random, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Whatever the target does; requests may be cut off, and garbage may follow."""
    request = _request(rng, rng.choice(MODES), rng.choice(SIZES))
    if rng.random() < 0.3:
        request = request[: rng.randrange(len(request))]
    elif rng.random() < 0.2:
        request += rng.choice((b"\0\0\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"))
    writer.write(request)
    if rng.random() < 0.7:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(rng.random() * 0.02):
                await reader.read(rng.choice((1, 1_000, 100_000)))


def _request(rng: random.Random, mode: str, size: int) -> bytes:
    body = b"b" * rng.choice((0, 0, 10, 3_000, 90_000))
    method = b"POST" if body else b"GET"
    return b"%s /%s/%d HTTP/1.1\r\nHost: churn\r\nContent-Length: %d\r\n\r\n%s" % (
        method,
        mode.encode(),
        size,
        len(body),
        body,
    )


async def _answer(reader: asyncio.StreamReader, size: int) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    found = _LENGTH.search(head)
    if not head.startswith(b"HTTP/1.1 200 ") or found is None or int(found[1]) != size:
        raise Wrong(head.split(b"\r\n")[0].decode("latin-1"))
    if await reader.readexactly(size) != b"x" * size:
        raise Wrong("other bytes")


_TCP: tuple[tuple[str, Way], ...] = (
    ("tcp, whole", _tcp_whole),
    ("tcp, half-closed", _tcp_half),
    ("tcp, any", _tcp_any),
    ("silent", _silent),
)
_HTTP: tuple[tuple[str, Way], ...] = (
    ("http, whole", _http_whole),
    ("http, half-closed", _http_half),
    ("http, any", _http_any),
    ("silent", _silent),
)


async def _targets(address: str) -> None:
    ports = []
    for http in (False, True):

        async def served(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, http: bool = http
        ) -> None:
            await serve(reader, writer, http=http)

        server = await asyncio.start_server(served, address, 0, backlog=BACKLOG, limit=_HEAD_MAX)
        ports.append(server.sockets[0].getsockname()[1])
    print(*ports, flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_targets(sys.argv[1]))
