"""Which handler answers a path."""

from collections.abc import Awaitable, Callable, Iterator
from urllib.parse import unquote

from router.admin.http.messages import Refused, Request, StreamResponse

Handler = Callable[[Request], Awaitable[StreamResponse]]
Guard = Callable[[Request, Handler], Awaitable[StreamResponse]]
"""Asked first; calls the handler, or answers itself."""


async def _unguarded(request: Request, handler: Handler) -> StreamResponse:
    return await handler(request)


class Routes:
    """Paths with ``{name}`` for any one segment, which the handler finds in ``match_info``.

    ``body_bytes_max``: what a request may bring. ``guard`` is asked for unknown paths as well.
    """

    def __init__(self, body_bytes_max: int = 0, guard: Guard = _unguarded) -> None:
        self.body_bytes_max = body_bytes_max
        self._guard = guard
        self._handlers: dict[tuple[str, ...], dict[str, Handler]] = {}

    def get(self, path: str, handler: Handler) -> None:
        """HEAD goes there too."""
        self._at(path)["GET"] = handler

    def post(self, path: str, handler: Handler) -> None:
        self._at(path)["POST"] = handler

    def _at(self, path: str) -> dict[str, Handler]:
        return self._handlers.setdefault(tuple(path.split("/")), {})

    def __iter__(self) -> Iterator[tuple[str, str, Handler]]:
        """Method, path and handler of each."""
        for parts, handlers in self._handlers.items():
            for method, handler in handlers.items():
                yield method, "/".join(parts), handler

    async def answer(self, request: Request, raw_path: str) -> StreamResponse:
        """Of the guard, or of the handler. Raises Refused: there is none for that.

        ``raw_path``: as it was sent, so that an escaped slash does not end a segment.
        """
        return await self._guard(request, self._handler(request, raw_path))

    def _handler(self, request: Request, raw_path: str) -> Handler:
        parts = tuple(raw_path.split("/"))
        handlers = self._handlers.get(parts)
        if handlers is None or "{" in raw_path:
            handlers = self._by_pattern(request, parts)
        method = "GET" if request.method == "HEAD" else request.method
        if method in handlers:
            return handlers[method]
        allowed = [*handlers, "HEAD"] if "GET" in handlers else [*handlers]

        async def refuse(request: Request) -> StreamResponse:
            raise Refused(405 if handlers else 404, allowed)

        return refuse

    def _by_pattern(self, request: Request, parts: tuple[str, ...]) -> dict[str, Handler]:
        for pattern, handlers in self._handlers.items():
            if len(pattern) != len(parts):
                continue
            found: dict[str, str] = {}
            for want, part in zip(pattern, parts, strict=True):
                if want.startswith("{") and part:
                    found[want[1:-1]] = unquote(part)
                elif want != unquote(part):
                    break
            else:
                request.match_info = found
                return handlers
        return {}
