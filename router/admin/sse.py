"""Server-sent events: one message, and writing to a client that may not read."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from router.admin.answers import encode, failure
from router.model import limits


class Stalled(Exception):
    """A follower does not read its events."""


async def write(response: web.StreamResponse, data: bytes) -> None:
    """Write to a follower. Raises `Stalled`: its slot and connection are needed back."""
    try:
        async with asyncio.timeout(limits.EVENT_CLIENT_STALL_S):
            await response.write(data)
    except TimeoutError as error:
        raise Stalled from error


def message(number: int, event: object) -> bytes:
    return b"id: %d\ndata: %s\n\n" % (number, encode(event))


def wanted(request: web.Request) -> bool:
    """Whether the client follows instead of asking once."""
    return "text/event-stream" in request.headers.get("Accept", "")


def no_place(what: str) -> web.Response:
    """The answer to a follower beyond the limit; ``what`` it wants to follow."""
    refusal = failure(503, "too-many-followers", f"Too many clients follow {what}.")
    refusal.force_close()  # A refused connection that stays open would keep others out.
    return refusal


async def follow(
    request: web.Request, feed: Callable[[web.StreamResponse], Awaitable[None]]
) -> web.StreamResponse:
    """The answer that ``feed`` writes, until it returns, or the client goes or stalls."""
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
    )
    try:
        await response.prepare(request)
        if request.method != "HEAD":  # HEAD would be fed forever without receiving anything.
            await feed(response)
    except Stalled:
        if request.transport is not None:
            request.transport.abort()
    except ConnectionResetError:
        pass  # The client has gone.
    return response
