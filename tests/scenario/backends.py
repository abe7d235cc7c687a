"""Targets under full control: they record what reached them and can be held, cut and stopped.

All run in one asyncio loop in a thread of the test process. An HTTP target does what the path
says, a TCP target what the first line says; see the tables in `HttpTarget` and `TcpTarget`.
"""

import asyncio
import base64
import hashlib
import socket
import struct
import threading
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import msgspec

from tests.doors import close_server

Answer = TypeVar("Answer")

CALL_TIMEOUT_S = 10.0
PIECE = bytes(range(256)) * 256
DRIP_BYTES, DRIP_S = 4_000, 0.02
WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Background:
    """An asyncio loop in a thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Run ``work`` there and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(CALL_TIMEOUT_S)

    def close(self) -> None:
        """End the loop with all that runs in it."""
        self.call(_cancel_others())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(CALL_TIMEOUT_S)
        self.loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class Seen(msgspec.Struct, frozen=True):
    """One request as it reached a target. ``connection`` counts the target's connections."""

    method: str
    path: str
    version: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int

    def all(self, name: str) -> list[str]:
        """The values of one field."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


class Target:
    """A server on one address that can be stopped and started again at the same port."""

    def __init__(self, background: Background, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self.port = 0
        self.connections = 0
        self.in_hand = 0
        self.in_hand_max = 0
        self._busy_s, self._busy_at = 0.0, time.monotonic()
        self._background = background
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._open: asyncio.Event = asyncio.Event()
        self._open.set()
        self.start()

    def start(self) -> None:
        """Listen (again)."""
        self._background.call(self._start())

    async def _start(self) -> None:
        self._server = await asyncio.start_server(
            self._connected, self.address, self.port, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Refuse connections and reset those there are."""
        self._background.call(self._stop())

    async def _stop(self) -> None:
        if self._server is not None:
            await close_server(self._server)
            self._server = None
        for writer in list(self._writers):
            abort(writer)

    def hold(self) -> None:
        """Answer nothing until `release`."""
        self._background.loop.call_soon_threadsafe(self._open.clear)

    def release(self) -> None:
        """Answer again, what waited too."""
        self._background.loop.call_soon_threadsafe(self._open.set)

    def forget(self) -> None:
        """Restart the counts."""
        self.in_hand_max = self.in_hand

    def busy_s(self) -> float:
        """Seconds that it had requests in hand, each counted for itself."""
        return self._background.call(self._busy())

    async def _busy(self) -> float:
        self._changes(0)
        return self._busy_s

    def _changes(self, by: int) -> None:
        now = time.monotonic()
        self._busy_s += self.in_hand * (now - self._busy_at)
        self._busy_at = now
        self.in_hand += by
        self.in_hand_max = max(self.in_hand_max, self.in_hand)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return  # The client broke off, or the target was stopped.
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError


def abort(writer: asyncio.StreamWriter) -> None:
    """End a connection by a reset."""
    door = writer.get_extra_info("socket")
    if door.fileno() < 0:
        return  # The other end broke off already.
    door.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def payload(size: int) -> bytes:
    """``size`` bytes, the same each time."""
    return (PIECE * (size // len(PIECE) + 1))[:size]


class HttpTarget(Target):
    """Answers with its name, after `service_s`.

    /echo the body · /bytes/N · /chunked/N · /closed/N ended by closing · /reset resets instead of
    answering · /part/N resets after half of N bytes · /ws a WebSocket that echoes · /expect needs
    `100 Continue` · /status/N (426 requires a WebSocket) · /drip a body without an end. ``forced``
    is done instead of what any path says.
    """

    def __init__(
        self, background: Background, name: str, address: str, service_s: float = 0.0
    ) -> None:
        self.service_s = service_s
        self.forced = ""
        self.seen: list[Seen] = []
        super().__init__(background, name, address)

    def forget(self) -> None:
        """Restart the counts."""
        super().forget()
        self.seen.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError as error:
                assert not error.partial, f"half a head: {error.partial!r}"
                return
            self._changes(+1)
            try:
                seen = await self._read(head, reader, writer, number)
                self.seen.append(seen)
                await self._open.wait()
                if self.service_s:
                    await asyncio.sleep(self.service_s)
                if not await self._answer(seen, reader, writer):
                    return
            finally:
                self._changes(-1)

    async def _read(
        self,
        head: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        number: int,
    ) -> Seen:
        line, *fields = head.decode("latin-1")[:-4].split("\r\n")
        method, path, version = line.split(" ")
        headers = tuple(
            (name, value.strip()) for name, _, value in (f.partition(":") for f in fields)
        )
        seen = Seen(method, path, version, headers, b"", number)
        if "100-continue" in seen.all("expect"):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = b""
        if "chunked" in seen.all("transfer-encoding"):
            while size := int((await reader.readline()).split(b";")[0], 16):
                body += await reader.readexactly(size)
                await reader.readexactly(2)
            while (await reader.readline()).strip():
                pass
        elif lengths := seen.all("content-length"):
            body = await reader.readexactly(int(lengths[0]))
        return msgspec.structs.replace(seen, body=body)

    async def _answer(
        self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer; False when the connection is over."""
        path = self.forced or seen.path
        _, verb, *words = [*path.partition("?")[0].split("/"), ""]
        size = int(words[0]) if words and words[0].isdecimal() else 0
        if verb == "reset":
            abort(writer)
            return False
        if verb == "ws":
            await self._websocket(seen, reader, writer)
            return False
        status = f"{size} Whatever" if verb == "status" else "200 OK"
        start = f"HTTP/1.1 {status}\r\nX-Served-By: {self.name}\r\nX-Fields: kept\r\n".encode()
        if status.startswith("426"):
            start += b"Connection: upgrade\r\nUpgrade: websocket\r\n"
        if verb == "chunked":
            writer.write(start + b"Transfer-Encoding: chunked\r\n\r\n")
            body = payload(size)
            if seen.method != "HEAD":
                for at in range(0, size, 10_000):
                    piece = body[at : at + 10_000]
                    writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                writer.write(b"0\r\n\r\n")
        elif verb == "closed":
            writer.write(start + b"Connection: close\r\n\r\n" + payload(size))
            await writer.drain()
            return False
        elif verb == "drip":
            writer.write(start + b"Transfer-Encoding: chunked\r\n\r\n")
            while True:
                writer.write(b"%x\r\n%s\r\n" % (DRIP_BYTES, bytes(DRIP_BYTES)))
                await writer.drain()
                await asyncio.sleep(DRIP_S)
        elif verb == "part":
            writer.write(start + b"Content-Length: %d\r\n\r\n" % size + payload(size // 2))
            await writer.drain()
            abort(writer)
            return False
        else:
            bodies = {"echo": seen.body, "bytes": payload(size)}
            body = bodies.get(verb, self.name.encode() + b"\n")
            start += b"Content-Length: %d\r\n\r\n" % len(body)
            # In one piece: a way that is cut between a head and its body fails a request rightly.
            writer.write(start if seen.method == "HEAD" else start + body)
        await writer.drain()
        return True

    async def _websocket(
        self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        key = seen.all("sec-websocket-key")[0].encode()
        accept = base64.b64encode(hashlib.sha1(key + WEBSOCKET_GUID).digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        while True:
            kind, length = await reader.readexactly(2)
            mask = await reader.readexactly(4)
            data = await reader.readexactly(length & 0x7F)
            plain = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
            writer.write(bytes((kind, len(plain))) + plain)
            await writer.drain()
            if kind & 0x0F == 8:
                return


class TcpTarget(Target):
    """Does as the first line says.

    ``name`` answers with its name, as often as asked · ``echo`` · ``sink`` reads to the end and
    answers with size and SHA-256 · ``source N`` sends N bytes and closes · ``both N`` does both at
    once · ``half`` finishes sending and then notes the bytes that still come · ``rst`` resets.
    """

    def __init__(self, background: Background, name: str, address: str) -> None:
        self.ended: list[str] = []
        super().__init__(background, name, address)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        if not line:
            return  # A health check.
        self.connections += 1
        self._changes(+1)
        try:
            await self._open.wait()
            await self._do(line, reader, writer)
        except ConnectionError:
            self.ended.append("reset")
            raise
        else:
            if not line.startswith(b"half"):
                self.ended.append("end")
        finally:
            self._changes(-1)

    async def _do(
        self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        verb, *words = line.split()
        if verb == b"rst":
            abort(writer)
        elif verb == b"name":
            while line:
                writer.write(self.name.encode() + b"\n")
                await writer.drain()
                line = await reader.readline()
        elif verb == b"echo":
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
            writer.write_eof()
        elif verb == b"source":
            await _send(writer, int(words[0]))
        elif verb == b"sink":
            writer.write(await _digest(reader))
        elif verb == b"both":
            _, digest = await asyncio.gather(_send(writer, int(words[0])), _digest(reader))
            writer.write(digest)
        elif verb == b"half":
            writer.write(b"half done\n")
            writer.write_eof()
            rest = await reader.read()
            self.ended.append(rest.decode().strip())
        await writer.drain()


async def _send(writer: asyncio.StreamWriter, size: int) -> None:
    for at in range(0, size, len(PIECE)):
        writer.write(PIECE[: size - at])
        await writer.drain()


async def _digest(reader: asyncio.StreamReader) -> bytes:
    digest, size = hashlib.sha256(), 0
    while data := await reader.read(262_144):
        digest.update(data)
        size += len(data)
    return f"{size} {digest.hexdigest()}\n".encode()
