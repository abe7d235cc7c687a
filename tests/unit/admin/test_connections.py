"""What clients of the operator's door may do, byte by byte."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from router.admin.admin_socket import bind
from router.admin.connection_slots import ConnectionSlots
from router.admin.connections import answering, application
from router.model import limits

BODY_MAX = 1_000


@pytest.fixture(autouse=True)
def _short_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ADMIN_BODY_BYTES_MAX", BODY_MAX)


class Handlers:
    """Some routes, and the outcomes of requests to them."""

    def __init__(self) -> None:
        self.began, self.ended = asyncio.Event(), asyncio.Event()
        self.go_on = asyncio.Event()

    def application(self) -> web.Application:
        made = application(self.guard)
        routes = made.router
        routes.add_get("/hello", self.hello)
        routes.add_get("/items/{name}", self.item)
        routes.add_get("/slow", self.slow)
        routes.add_get("/stream", self.stream)
        routes.add_get("/broken", self.broken)
        routes.add_get("/late", self.late)
        routes.add_get("/torn", self.torn)
        routes.add_get("/reset", self.reset)
        routes.add_get("/unsendable", self.unsendable)
        routes.add_get("/big/{size}", self.big)
        routes.add_post("/length", self.length)
        routes.add_post("/unread", self.hello)
        return made

    @web.middleware
    async def guard(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        if request.headers.get("Authorization") == "no":
            return web.Response(text="no", status=401)
        try:
            return await handler(request)
        except web.HTTPException as error:
            return web.Response(text=error.reason, status=error.status)

    async def hello(self, request: web.Request) -> web.Response:
        return web.Response(
            text="hello " + ",".join(request.query.getall("a", [])) + request.query.get("a", "")
        )

    async def item(self, request: web.Request) -> web.Response:
        return web.Response(text=request.match_info["name"])

    async def length(self, request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    async def slow(self, request: web.Request) -> web.Response:
        self.began.set()
        await self.go_on.wait()
        return web.Response(text="at last")

    async def stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        self.began.set()
        try:
            await response.prepare(request)
            await response.write(b"one")
            await self.go_on.wait()
            while True:
                await response.write(b"x" * 100_000)
        finally:
            self.ended.set()

    async def broken(self, request: web.Request) -> web.Response:
        raise RuntimeError("a fault of ours")

    async def late(self, request: web.Request) -> web.Response:
        raise TimeoutError("another site did not answer")

    async def torn(self, request: web.Request) -> web.Response:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        raise RuntimeError("a fault of ours")

    async def reset(self, request: web.Request) -> web.Response:
        raise ConnectionResetError("of a connection of the handler's own")

    async def unsendable(self, request: web.Request) -> web.Response:
        return web.Response(text="", headers={"X": "a\nb"})

    async def big(self, request: web.Request) -> web.Response:
        return web.Response(body=b"x" * int(request.match_info["size"]))


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
        async with (
            asyncio.timeout(20),
            answering(handlers.application(), ConnectionSlots(8, trusts_all=True)) as admit,
        ):
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
    """The status of each answer; bytes that are no request get an HTTP/1.0 answer."""
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] ([0-9]{3}) ", heard)]


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
    many = 200
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
        (
            b"GET /hello HTTP/1.1\r\nHost: s\r\nContent-Length: 1\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n",
            400,
        ),
        (
            b"GET /hello HTTP/1.1\r\nHost: s\r\nX: "
            + b"x" * (limits.ADMIN_FIELD_BYTES_MAX + 1)
            + b"\r\n\r\n",
            400,
        ),
        (
            b"GET /hello HTTP/1.1\r\nHost: s\r\n"
            + b"X: x\r\n" * (limits.ADMIN_FIELDS_MAX + 1)
            + b"\r\n",
            400,
        ),
        (
            b"GET /hello HTTP/1.1\r\nHost: s\r\nX: "
            + b"x" * (limits.ADMIN_BODY_BYTES_MAX + 300_000),
            400,
        ),
        (
            b"POST /length HTTP/1.1\r\nHost: s\r\nContent-Encoding: gzip\r\n"
            b"Content-Length: 1\r\n\r\nx",
            415,
        ),
        (b"POST /length HTTP/1.1\r\nHost: s\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001, 413),
        (b"POST /length HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX", 400),
        (
            b"POST /length HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
            + b"Trailer: without end\r\n" * limits.ADMIN_FIELD_BYTES_MAX,
            400,
        ),
        (b"GET /hello?" + b"x" * 2 * limits.ADMIN_FIELD_BYTES_MAX, 400),
        (b"GET /hello HTTP/1.1\r\n\r\n", 400),
        (b"GET /late HTTP/1.1\r\nHost: s\r\n\r\n", 500),
        (b"GET /reset HTTP/1.1\r\nHost: s\r\n\r\n", 500),
        (b"GET /hello HTTP/1.1\r\nHost: s\r\nExpect: tea\r\n\r\n", 417),
        (b"GET /hello HTTP/1.1\r\nHost: s\r\nExpect: \xff\r\n\r\n", 417),
        (b"GET /nothing HTTP/1.1\r\nHost: s\r\nExpect: \xff\r\n\r\n", 417),
        (b"GET /%68ello HTTP/1.1\r\nHost: s\r\n\r\n", 200),
        (b"GET /hello HTTP/1.1\r\nHost: s\r\nAuthorization: no \t\r\n\r\n", 401),
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
        b"POST /length HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"2\r\nde\r\n0\r\n\r\n",
    )
    assert statuses(heard) == [200, 200]
    assert b"\r\n\r\n1000HTTP" in heard
    assert heard.endswith(b"\r\n\r\n5")


@pytest.mark.parametrize("path", [b"length", b"nothing"])
def test_no_trailer_is_taken_for_a_field_of_the_next_request(tmp_path: Path, path: bytes) -> None:
    """aiohttp adds trailers to the fields of the request that follows: none may follow."""
    heard = tell(
        tmp_path,
        b"POST /%b HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n" % path,
        b"2\r\nde\r\n0\r\nAuthorization: no\r\n\r\n",
        LAST,
    )
    assert statuses(heard) == [200 if path == b"length" else 404]
    assert b"Connection: close" in heard


def test_who_waits_to_be_told_to_send_its_body_is_told(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path, Handlers()) as connect:
            reader, writer = await connect()
            writer.write(
                b"POST /length HTTP/1.1\r\nHost: s\r\nExpect: 100-continue\r\nContent-Length: 3\r\n"
                b"Connection: close\r\n\r\n"
            )
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"abc")
            assert (await reader.read()).endswith(b"\r\n\r\n3")

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
    assert b"keep-alive" not in heard


def test_an_answer_that_failed_half_way_does_not_look_whole(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path, Handlers()) as connect:
            reader, writer = await connect()
            writer.write(b"GET /torn HTTP/1.1\r\nHost: s\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                assert not (await reader.read()).endswith(b"0\r\n\r\n")

    asyncio.run(story())


def test_who_asks_for_another_protocol_is_answered_in_this_one(tmp_path: Path) -> None:
    upgrade = b"GET /hello HTTP/1.1\r\nHost: s\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    assert statuses(tell(tmp_path, upgrade + b"PRI * HT")) == [200]


def test_nonsense_ends_the_connection(tmp_path: Path) -> None:
    """Requests that came in one piece with it are not answered, as if they had not come."""
    request = b"GET /hello HTTP/1.1\r\nHost: s\r\n\r\n"
    assert statuses(tell(tmp_path, request * 3 + b"nonsense\r\n\r\n", LAST))[-1] == 400


def test_an_answer_before_its_body_has_come_tells_that_it_is_the_last(tmp_path: Path) -> None:
    heard = tell(tmp_path, b"POST /unread HTTP/1.1\r\nHost: s\r\nContent-Length: 9\r\n\r\nx")
    assert statuses(heard) == [200]
    assert b"Connection: close" in heard
