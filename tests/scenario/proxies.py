"""An HTTP proxy that only knows CONNECT, honest or as bad as a test wants it."""

import asyncio
import base64
import contextlib
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator

from tests.doors import close_server

Misbehaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


def answering(answer: bytes, *, pause_s: float = 0.0, closes: bool = True) -> Misbehaviour:
    """Gives ``answer`` to any request; with ``pause_s`` byte by byte."""

    async def answer_it(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in [answer] if not pause_s else [bytes([byte]) for byte in answer]:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)
        if not closes:
            await reader.read()

    return answer_it


class HttpProxy:
    """Listens on 127.0.0.1 in a thread, from `start` to `stop`. A context manager too.

    ``names`` replaces DNS for the proxy. ``head`` comes before the tunnel's bytes.
    """

    def __init__(
        self,
        *,
        user: str = "",
        password: str = "",
        tls: ssl.SSLContext | None = None,
        names: dict[str, str] | None = None,
        head: bytes = ESTABLISHED,
        piecewise: bool = False,
        misbehaves: Misbehaviour | None = None,
        port: int = 0,
    ) -> None:
        self.user, self.password = user, password
        self.names = names or {}
        self.head = head
        self.piecewise = piecewise
        self.misbehaves = misbehaves
        self.port = port
        self.asked: list[str] = []  # CONNECT targets that were served.
        self.authorizations: list[str] = []
        self.refused = 0
        self._tls = tls
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Without a password."""
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}"

    @property
    def open_tunnels(self) -> int:
        """Connections of clients that are there."""
        return len(self._writers)

    def __enter__(self) -> "HttpProxy":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; the port is known afterwards."""
        if not self._thread.is_alive():
            self._thread.start()
        self._do(self._listen())

    def cut(self) -> None:
        """Close all tunnels, and take new ones as before."""
        self._do(self._cut())

    def stop(self) -> None:
        """Listen no more, cut everything, end the thread."""
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, step: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(step, self._loop).result(10.0)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, ssl=self._tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _close(self) -> None:
        assert self._server is not None
        await close_server(self._server)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):  # Cancelled now they would leave their sockets open.
                while arriving := asyncio.all_tasks() - self._serving - {asyncio.current_task()}:
                    await asyncio.wait(arriving, timeout=0.01)
        await self._cut()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task

    @contextlib.contextmanager
    def _as_serving(self) -> Iterator[None]:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            yield
        finally:
            self._serving.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            with self._as_serving(), contextlib.suppress(OSError, asyncio.IncompleteReadError):
                if self.misbehaves is not None:
                    await self.misbehaves(reader, writer)
                else:
                    await self._tunnel(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()  # Until then `_cut` must find it.
            self._writers.discard(writer)

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request, *fields = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = request.split(" ")
        headers = dict(field.split(": ", 1) for field in fields if field)
        assert method == "CONNECT" and headers["Host"] == target
        authorization = headers.get("Proxy-Authorization", "")
        self.authorizations.append(authorization)
        expected = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if self.user and authorization != f"Basic {expected}":
            self.refused += 1
            writer.write(
                b"HTTP/1.1 407 Proxy Authentication Required\r\n"
                b'Proxy-Authenticate: Basic realm="proxy"\r\nContent-Length: 5\r\n\r\nwrong'
            )
            await writer.drain()
            return
        host, _, port = target.rpartition(":")
        bare = host.strip("[]")
        try:
            there, back = await asyncio.open_connection(self.names.get(bare, bare), int(port))
        except OSError:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        try:  # The client may be gone before the tunnel is up.
            self.asked.append(target)
            for piece in [bytes([byte]) for byte in self.head] if self.piecewise else [self.head]:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            await asyncio.gather(self._copy(reader, back), self._copy(there, writer))
        finally:
            back.transport.abort()

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with self._as_serving():
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        with contextlib.suppress(OSError, NotImplementedError):
            if sink.can_write_eof():
                sink.write_eof()
            else:
                sink.close()
