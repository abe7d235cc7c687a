"""The benchmark's own servers; each prints nothing and runs until it is terminated.

``python -m tests.bench.servers http NAME PORT``: HTTP/1.1, 1 KiB bodies that begin with NAME;
several processes may share a port. ``… http NAME PORT MS`` answers after so many milliseconds.
``/bytes/N`` is answered with N bytes. ``… bulk PORT``: a first byte ``u`` means that the client
sends until it finishes and is then told how many bytes came (8 bytes, big-endian); ``d``, and as
many bytes a second (8 bytes, big-endian; 0: all it takes), that it is sent to until it goes away.
"""

import asyncio
import contextlib
import itertools
import socket
import sys
import threading
import time
from typing import cast

import httptools
import uvloop

BODY_BYTES = 1024
CHUNK_BYTES = 256 * 1024
CHUNK = bytes(64 * 1024)
BACKLOG = 2048
SIZED = b"/bytes/"


class HttpServer(asyncio.Protocol):
    """One connection; answers pipelined requests in order."""

    def __init__(self, name: str, service_s: float = 0.0) -> None:
        body = name.encode().ljust(BODY_BYTES, b".")
        self._service_s = service_s
        self._size = 0
        self._is_full = False
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % len(body)
        self._answer = b"%b\r\n%b" % (head, body)
        self._last_answer = b"%bConnection: close\r\n\r\n%b" % (head, body)
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance.

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def pause_writing(self) -> None:
        """Of the transport: more waits than it likes."""
        self._is_full = True

    def resume_writing(self) -> None:
        """Of the transport: go on with the large answer."""
        self._is_full = False
        while self._size and not self._is_full:
            assert self._transport is not None
            piece = CHUNK[: self._size]
            self._size -= len(piece)
            self._transport.write(piece)

    def on_url(self, url: bytes) -> None:
        """The parser calls this with the URL of the request."""
        self._size = int(url[len(SIZED) :]) if url.startswith(SIZED) else 0

    def on_message_complete(self) -> None:
        """Of the parser: a request is there."""
        if self._service_s:
            asyncio.get_running_loop().call_later(self._service_s, self._respond)
        else:
            self._respond()

    def _respond(self) -> None:
        assert self._transport is not None
        if self._size:
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % self._size)
            self.resume_writing()
        elif self._parser.should_keep_alive():
            self._transport.write(self._answer)
        else:
            self._transport.write(self._last_answer)
            self._transport.close()


async def serve_http(name: str, port: int, service_s: float) -> None:
    """Serve on ``port``, which other processes may serve too."""
    loop = asyncio.get_running_loop()
    await loop.create_server(
        lambda: HttpServer(name, service_s), "127.0.0.1", port, reuse_port=True, backlog=BACKLOG
    )
    await asyncio.Event().wait()


def serve_bulk(port: int) -> None:
    """Serve each connection in a separate thread."""
    with socket.create_server(("127.0.0.1", port), backlog=BACKLOG) as door:
        while True:
            client, _ = door.accept()
            threading.Thread(target=_bulk_client, args=(client,), daemon=True).start()


def _bulk_client(client: socket.socket) -> None:
    with client, contextlib.suppress(OSError):  # The client left: it had enough.
        buffer = bytearray(CHUNK_BYTES)
        wanted = client.recv(1)
        if wanted == b"u":
            total = 0
            while size := client.recv_into(buffer):
                total += size
            client.sendall(total.to_bytes(8, "big"))
        if wanted == b"d":  # Nothing at all: a health check.
            _send_on(client, int.from_bytes(client.recv(8, socket.MSG_WAITALL), "big"))


def _send_on(client: socket.socket, rate: int) -> None:
    """Send for ever, ``rate`` bytes a second; 0: without a pause."""
    began = time.monotonic()
    for sent in itertools.count(0, len(CHUNK)):
        ahead_s = sent / rate - (time.monotonic() - began) if rate else 0.0
        if ahead_s > 0:
            time.sleep(ahead_s)
        client.sendall(CHUNK)


def main(kind: str, *words: str) -> None:
    """Run one server."""
    if kind == "bulk":
        serve_bulk(int(words[0]))
    service_ms = float(words[2]) if len(words) > 2 else 0.0
    uvloop.run(serve_http(words[0], int(words[1]), service_ms / 1000))


if __name__ == "__main__":
    main(*sys.argv[1:])
