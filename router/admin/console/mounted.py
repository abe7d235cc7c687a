"""The API behind the console's listener: handlers of `router.admin.http` in one of aiohttp."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web

from router.admin import answers
from router.admin.http import Handler, Request, Response, Routes, StreamResponse


class ReadApi(Protocol):
    """The part of the API that only reads."""

    def add_reading_to(self, routes: Routes) -> None: ...


class Mounted:
    """``api``, for an application of aiohttp. Implements `door.Reading`."""

    def __init__(self, api: ReadApi) -> None:
        self._api = api

    def add_reading_to(self, app: web.Application) -> None:
        """Its routes."""
        routes = Routes()
        self._api.add_reading_to(routes)
        mount(app, routes)


def mount(app: web.Application, routes: Routes) -> None:
    """Answer ``routes`` in ``app``; their guard is not asked."""
    for method, path, handler in routes:
        add = app.router.add_get if method == "GET" else app.router.add_post
        add(path, _relaying(handler))


def shown(answer: Response) -> web.Response:
    """As aiohttp has it."""
    made = web.Response(body=answer.body, status=answer.status, headers=answer.headers)
    if answer.closes:
        made.force_close()
    return made


def failure(status: int, code: str, message: str, hint: str = "") -> web.Response:
    """As `answers.failure`."""
    return shown(answers.failure(status, code, message, hint))


def item(kind: str, value: object) -> web.Response:
    """As `answers.item`."""
    return shown(answers.item(kind, value))


def _relaying(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def relay(request: web.Request) -> web.StreamResponse:
        exchange = _Relay(request)
        asked = Request(
            request.method,
            request.path,
            list(request.query.items()),
            {name.lower(): value for name, value in reversed(list(request.headers.items()))},
            exchange,
            match_info=request.match_info,
            peer=None if request.transport is None else request.transport.get_extra_info("socket"),
            remote=request.remote or "",
        )
        answer = await handler(asked)
        if exchange.begun is not None:
            return exchange.begun
        assert isinstance(answer, Response), "an answer that was not begun"
        return shown(answer)

    return relay


class _Relay:
    """An `Exchange` over a request of aiohttp."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self.begun: web.StreamResponse | None = None

    async def body(self) -> bytes:
        return await self._request.read()

    async def begin(self, response: StreamResponse) -> None:
        self.begun = web.StreamResponse(status=response.status, headers=response.headers)
        if response.closes:
            self.begun.force_close()
        await self.begun.prepare(self._request)

    async def write(self, data: bytes) -> None:
        assert self.begun is not None, "not begun"
        await self.begun.write(data)

    def abort(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()
