"""Server-sent events: one message, and writing them to a client that may not read."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from router.admin.answers import encode, failure
from router.model import limits


class Stalled(Exception):
    """A client that follows events does not read them."""


async def write(response: web.StreamResponse, data: bytes) -> None:
    """Raises `Stalled`: the follower's place and its connection are wanted back."""
    try:
        async with asyncio.timeout(limits.EVENT_CLIENT_STALL_S):
            await response.write(data)
    except TimeoutError as error:
        raise Stalled from error


def message(number: int, event: object) -> bytes:
    return b"id: %d\ndata: %s\n\n" % (number, encode(event))


def wanted(request: web.Request) -> bool:
    """Whether the client follows, and does not ask once."""
    return "text/event-stream" in request.headers.get("Accept", "")


def no_place(what: str) -> web.Response:
    """For the follower past the last place; ``what`` is followed."""
    refusal = failure(503, "too-many-followers", f"Too many clients follow {what}.")
    refusal.force_close()  # Refused and held open it would keep others out.
    return refusal


async def follow(
    request: web.Request, feed: Callable[[web.StreamResponse], Awaitable[None]]
) -> web.StreamResponse:
    """The answer that ``feed`` writes, until it returns, or the client has gone or stalls."""
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
    )
    try:
        await response.prepare(request)
        if request.method != "HEAD":  # It would be fed without end, and hear nothing.
            await feed(response)
    except Stalled:
        if request.transport is not None:
            request.transport.abort()
    except ConnectionResetError:
        pass  # It has gone.
    return response
