"""What clients of the operator's door may do, byte by byte."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

from router.admin import server
from router.admin.http import Refused, Request, Response, Routes, StreamResponse
from router.admin.server import admitting, bind
from router.model import limits

BODY_MAX = 1_000


class Handlers:
    """Some routes, and what came of the requests to them."""

    def __init__(self) -> None:
        self.began, self.ended = asyncio.Event(), asyncio.Event()
        self.go_on = asyncio.Event()

    def routes(self) -> Routes:
        made = Routes(BODY_MAX, self.guard)
        made.get("/hello", self.hello)
        made.get("/items/{name}", self.item)
        made.get("/slow", self.slow)
        made.get("/stream", self.stream)
        made.get("/broken", self.broken)
        made.get("/torn", self.torn)
        made.get("/reset", self.reset)
        made.get("/unsendable", self.unsendable)
        made.get("/big/{size}", self.big)
        made.post("/length", self.length)
        made.post("/unread", self.hello)
        return made

    async def guard(
        self, request: Request, handler: Callable[[Request], Awaitable[StreamResponse]]
    ) -> StreamResponse:
        if request.header("authorization") == "no":
            return Response(text="no", status=401)
        try:
            return await handler(request)
        except Refused as error:
            return Response(text=error.reason, status=error.status)

    async def hello(self, request: Request) -> Response:
        return Response(
            text="hello " + ",".join(request.query_all("a")) + request.query.get("a", "")
        )

    async def item(self, request: Request) -> Response:
        return Response(text=request.match_info["name"])

    async def length(self, request: Request) -> Response:
        return Response(text=str(len(await request.read())))

    async def slow(self, request: Request) -> Response:
        self.began.set()
        await self.go_on.wait()
        return Response(text="at last")

    async def stream(self, request: Request) -> StreamResponse:
        response = StreamResponse(headers={"Content-Type": "text/plain"})
        self.began.set()
        try:
            await response.prepare(request)
            await response.write(b"one")
            await self.go_on.wait()
            while True:
                await response.write(b"x" * 100_000)
        finally:
            self.ended.set()

    async def broken(self, request: Request) -> Response:
        raise RuntimeError("a fault of ours")

    async def torn(self, request: Request) -> Response:
        response = StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        raise RuntimeError("a fault of ours")

    async def reset(self, request: Request) -> Response:
        raise ConnectionResetError("of a connection of the handler's own")

    async def unsendable(self, request: Request) -> Response:
        return Response(text="", headers={"X": "\u20ac"})

    async def big(self, request: Request) -> Response:
        return Response(b"x" * int(request.match_info["size"]))


Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def served(path: Path, handlers: Handlers) -> AsyncIterator[Callable[[], Awaitable[Client]]]:
    """Closed before its clients are."""
    clients: list[asyncio.StreamWriter] = []

    async def connect() -> Client:
        reader, writer = await asyncio.open_unix_connection(path / "s")
        clients.append(writer)
        return reader, writer

    try:
        async with asyncio.timeout(20), admitting(handlers.routes(), 8) as admit:
            listener = await bind(admit, path / "s")
            yield connect
            listener.close()
    finally:
        for writer in clients:
            writer.close()


def tell(path: Path, *pieces: bytes) -> bytes:
    """All that a client hears that sends ``pieces``, until the router closes."""

    async def story() -> bytes:
        async with served(path, Handlers()) as connect:
            reader, writer = await connect()
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0)
            return await reader.read()

    return asyncio.run(story())


def statuses(heard: bytes) -> list[int]:
    return [int(part[:3]) for part in heard.split(b"HTTP/1.1 ")[1:]]


LAST = b"GET /hello HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n"


def test_requests_in_a_row_are_answered_in_their_order(tmp_path: Path) -> None:
    heard = tell(
        tmp_path,
        b"GET /items/a HTTP/1.1\r\nHost: s\r\n\r\nGET /items/b HTTP/1.1\r\nHost: s\r\n\r\n",
        LAST,
    )
    assert statuses(heard) == [200, 200, 200]
    assert heard.index(b"\r\n\r\na") < heard.index(b"\r\n\r\nb") < heard.index(b"hello ")


def test_more_requests_in_a_row_than_are_kept_are_answered_too(tmp_path: Path) -> None:
    many = 5 * limits.ADMIN_PIPELINED_MAX
    request = b"GET /hello HTTP/1.1\r\nHost: s\r\n\r\n"
    heard = tell(tmp_path, *[request] * many, LAST)
    assert statuses(heard) == [200] * (many + 1)


def test_a_head_may_come_byte_by_byte(tmp_path: Path) -> None:
    heard = tell(tmp_path, *(LAST[at : at + 1] for at in range(len(LAST))))
    assert statuses(heard) == [200]
    assert heard.endswith(b"hello ")


def test_paths_and_queries_are_decoded_after_they_were_taken_apart(tmp_path: Path) -> None:
    heard = tell(
        tmp_path,
        b"GET /items/a%2Fb%20c HTTP/1.1\r\nHost: s\r\n\r\n",
        b"GET /hello?a=1+2&a=%33&b HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n",
    )
    assert b"\r\n\r\na/b c" in heard
    assert heard.endswith(b"hello 1 2,31 2")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /nothing HTTP/1.1\r\nHost: s\r\n\r\n", 404),
        (b"GET /items/ HTTP/1.1\r\nHost: s\r\n\r\n", 404),
        (b"GET /items/a/b HTTP/1.1\r\nHost: s\r\n\r\n", 404),
        (b"POST /hello HTTP/1.1\r\nHost: s\r\nContent-Length: 0\r\n\r\n", 405),
        (b"GET /broken HTTP/1.1\r\nHost: s\r\n\r\n", 500),
        (b"nonsense\r\n\r\n", 400),
        (b"GET /hello HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET /hello HTTP/1.1\r\nX: " + b"x" * limits.ADMIN_HEAD_BYTES_MAX + b"\r\n\r\n", 431),
        (b"GET /hello HTTP/1.1\r\nX: " + b"x" * (limits.ADMIN_BODY_BYTES_MAX + 300_000), 431),
        (b"POST /length HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", 415),
        (b"POST /length HTTP/1.1\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001, 413),
        (b"POST /length HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX", 400),
        (
            b"POST /length HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
            + b"Trailer: without end\r\n" * limits.ADMIN_HEAD_BYTES_MAX,
            431,
        ),
        (b"GET /hello?" + b"x" * 2 * limits.ADMIN_HEAD_BYTES_MAX, 431),
        (b"GET /reset HTTP/1.1\r\nHost: s\r\n\r\n", 500),
        (b"GET /%68ello HTTP/1.1\r\nHost: s\r\n\r\n", 200),
        (b"GET /hello HTTP/1.1\r\nAuthorization: no \t\r\n\r\n", 401),
    ],
)
def test_what_is_refused_and_how(tmp_path: Path, request_: bytes, status: int) -> None:
    heard = tell(tmp_path, request_, LAST)
    assert statuses(heard)[0] == status
    assert statuses(heard)[1:] in ([], [200])  # Or what follows is no request any more.


def test_bodies_come_whole_in_pieces_and_in_chunks(tmp_path: Path) -> None:
    heard = tell(
        tmp_path,
        b"POST /length HTTP/1.1\r\nHost: s\r\nContent-Length: 1000\r\n\r\n",
        *[b"x" * 100] * 10,
        b"POST /length HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"2\r\nde\r\n0\r\nAuthorization: no\r\n\r\n",
        LAST,
    )
    assert statuses(heard) == [200, 200, 200]
    assert b"\r\n\r\n1000HTTP" in heard
    assert b"\r\n\r\n5HTTP" in heard


def test_who_waits_to_be_told_to_send_its_body_is_told(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path, Handlers()) as connect:
            reader, writer = await connect()
            writer.write(
                b"POST /length HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n"
                b"Connection: close\r\n\r\n"
            )
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"abc")
            assert (await reader.read()).endswith(b"\r\n\r\n3")

    asyncio.run(story())


def test_a_refusal_arrives_though_the_body_that_nobody_reads_is_long(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path, Handlers()) as connect:
            reader, writer = await connect()
            writer.write(b"POST /length HTTP/1.1\r\nAuthorization: no\r\n")
            writer.write(b"Content-Length: 100000000\r\n\r\n" + b"x" * 1_000_000)
            assert statuses(await reader.readuntil(b"\r\n\r\nno")) == [401]
            writer.write(b"x" * 1_000_000)
            assert await reader.read() == b""

    asyncio.run(story())


def test_a_body_that_is_not_asked_for_is_not_read_ahead(tmp_path: Path) -> None:
    """While its handler does something else the client is held back, at a few reads."""

    async def story() -> None:
        handlers = Handlers()
        async with served(tmp_path, handlers) as connect:
            _, writer = await connect()
            writer.write(b"GET /slow HTTP/1.1\r\nContent-Length: 50000000\r\n\r\n")
            await handlers.began.wait()
            writer.write(b"x" * 20_000_000)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await writer.drain()
            writer.transport.abort()
            handlers.go_on.set()

    asyncio.run(story())


def test_head_is_answered_without_a_body_and_old_clients_without_chunks(tmp_path: Path) -> None:
    heard = tell(tmp_path, b"HEAD /hello HTTP/1.1\r\nHost: s\r\n\r\n", LAST)
    assert heard.count(b"hello ") == 1
    assert heard.count(b"Content-Length: 6") == 2

    async def story() -> bytes:
        handlers = Handlers()
        async with served(tmp_path, handlers) as connect:
            reader, writer = await connect()
            writer.write(b"GET /torn HTTP/1.0\r\n\r\n")
            return await reader.read()

    heard = asyncio.run(story())
    assert b"chunked" not in heard
    assert b"Connection: close" in heard


def test_an_answer_that_failed_half_way_does_not_look_whole(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path, Handlers()) as connect:
            reader, writer = await connect()
            writer.write(b"GET /torn HTTP/1.1\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                assert not (await reader.read()).endswith(b"0\r\n\r\n")

    asyncio.run(story())


def test_who_asks_for_another_protocol_is_answered_in_this_one(tmp_path: Path) -> None:
    heard = tell(
        tmp_path,
        b"GET /hello HTTP/1.1\r\nHost: s\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nPRI * HT",
    )
    assert statuses(heard) == [200]


def test_a_client_that_leaves_ends_what_is_streamed_to_it(tmp_path: Path) -> None:
    async def story() -> None:
        handlers = Handlers()
        async with served(tmp_path, handlers) as connect:
            reader, writer = await connect()
            writer.write(b"GET /stream HTTP/1.1\r\n\r\n")
            await reader.readuntil(b"one\r\n")
            writer.close()
            handlers.go_on.set()
            await handlers.ended.wait()

    asyncio.run(story())


def test_a_client_that_does_not_read_holds_its_writer_back(tmp_path: Path) -> None:
    async def story() -> None:
        handlers = Handlers()
        handlers.go_on.set()
        async with served(tmp_path, handlers) as connect:
            _, writer = await connect()
            writer.write(b"GET /stream HTTP/1.1\r\n\r\n")
            await handlers.began.wait()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await handlers.ended.wait()
            writer.transport.abort()
            await handlers.ended.wait()

    asyncio.run(story())


def test_who_sends_no_whole_request_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ADMIN_IDLE_S", 0.1)
    assert tell(tmp_path) == b""
    assert tell(tmp_path, b"GET /hello HTTP/1.1\r\nHos") == b""
    assert statuses(tell(tmp_path, b"GET /hello HTTP/1.1\r\nHost: s\r\n\r\n")) == [200]
    assert tell(tmp_path, b"POST /length HTTP/1.1\r\nContent-Length: 9\r\n\r\nx") == b""


def test_a_stop_waits_for_answers_for_a_moment_and_not_for_streams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SHUTDOWN_S", 0.3)

    async def story() -> None:
        slow, streams = Handlers(), Handlers()
        async with served(tmp_path, slow):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
            writer.write(b"GET /slow HTTP/1.1\r\n\r\n")
            await slow.began.wait()
            asyncio.get_running_loop().call_later(0.05, slow.go_on.set)
        assert (await reader.read()).endswith(b"at last")
        writer.close()
        async with served(tmp_path, streams) as connect:
            _, writer = await connect()
            writer.write(b"GET /stream HTTP/1.1\r\n\r\n")
            await streams.began.wait()
        assert streams.ended.is_set()

    asyncio.run(story())


def test_who_sends_nonsense_is_answered_what_it_asked_before(tmp_path: Path) -> None:
    request = b"GET /hello HTTP/1.1\r\nHost: s\r\n\r\n"
    assert statuses(tell(tmp_path, request * 3 + b"nonsense\r\n\r\n")) == [200, 200, 200, 400]


def test_an_answer_before_its_body_has_come_tells_that_it_is_the_last(tmp_path: Path) -> None:
    heard = tell(tmp_path, b"POST /unread HTTP/1.1\r\nContent-Length: 9\r\n\r\nx")
    assert statuses(heard) == [200]
    assert b"Connection: close" in heard


def test_a_crowd_of_requests_takes_turns_with_what_else_is_done(tmp_path: Path) -> None:
    many = 2_000
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def story() -> bytes:
        async with served(tmp_path, Handlers()) as connect:
            reader, writer = await connect()
            writer.write(b"GET /hello HTTP/1.1\r\nHost: s\r\n\r\n" * many + LAST)
            async with asyncio.TaskGroup() as tasks:
                task = tasks.create_task(other())
                heard = await reader.read()
                task.cancel()
            return heard

    assert statuses(asyncio.run(story())) == [200] * (many + 1)
    assert turns >= many


def test_a_body_that_does_not_come_behind_another_request_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ADMIN_IDLE_S", 0.1)
    request = b"GET /hello HTTP/1.1\r\nHost: s\r\n\r\n"
    heard = tell(tmp_path, request + b"POST /length HTTP/1.1\r\nContent-Length: 9\r\n\r\nx")
    assert statuses(heard) == [200]


@pytest.mark.parametrize("ends", [b"", b"Connection: close\r\n"])
def test_the_places_of_clients_that_never_read_are_free_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: bytes
) -> None:
    """However much of an answer is on its way."""
    monkeypatch.setattr(limits, "ADMIN_IDLE_S", 0.2)

    async def story() -> None:
        async with served(tmp_path, Handlers()) as connect:
            for size in range(150_000, 390_000, 30_000):
                _, writer = await connect()
                writer.write(b"GET /big/%d HTTP/1.1\r\n%b\r\n" % (size, ends))
                cast(asyncio.Transport, writer.transport).pause_reading()
            heard = b""
            while not heard:
                await asyncio.sleep(0.05)
                reader, writer = await connect()
                with contextlib.suppress(OSError):
                    writer.write(LAST)
                    heard = await reader.read()
            assert statuses(heard) == [200]

    asyncio.run(story())


def test_who_streams_to_a_client_that_asked_for_the_head_hears_that_it_has_gone(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        handlers = Handlers()
        async with served(tmp_path, handlers) as connect:
            reader, writer = await connect()
            writer.write(b"HEAD /stream HTTP/1.1\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            writer.close()
            await writer.wait_closed()
            await asyncio.sleep(0.05)
            handlers.go_on.set()
            await handlers.ended.wait()

    asyncio.run(story())


def test_a_fault_while_an_answer_is_sent_ends_its_connection_only(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path, Handlers()) as connect:
            reader, writer = await connect()
            writer.write(b"GET /unsendable HTTP/1.1\r\nHost: s\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            reader, writer = await connect()
            writer.write(LAST)
            assert statuses(await reader.read()) == [200]

    asyncio.run(story())
