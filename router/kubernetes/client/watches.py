"""Watches, event by event. Anything but an event of the requested kind is an `ApiError`."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import msgspec

from router.kubernetes.client.api_calls import typed
from router.kubernetes.client.errors import NO_ANSWER, ApiError, decoded, malformed, refused
from router.kubernetes.client.ports import Transport
from router.kubernetes.objects.kinds import KindInfo
from router.kubernetes.objects.objects import name_of, version_of
from router.model import limits


class WatchEvent(msgspec.Struct, frozen=True):
    """``kind``: ADDED, MODIFIED, DELETED or BOOKMARK (then only the version counts)."""

    kind: str
    object: dict[str, Any]

    @property
    def version(self) -> str:
        """A watch from this version delivers everything after this event."""
        return version_of(self.object)


class _WatchLine(msgspec.Struct, frozen=True):
    type: str
    object: dict[str, Any]


async def watch(
    transport: Transport,
    path: str,
    info: KindInfo,
    selected: Mapping[str, str],
    version: str,
    timeout_s: int,
) -> AsyncGenerator[WatchEvent, None]:
    """See `Api.watch`."""
    params = {
        **selected,
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": version,
        "timeoutSeconds": str(timeout_s),
    }
    async with transport.stream(path, params, limits.WATCH_SILENCE_S) as pieces:
        yield WatchEvent("BOOKMARK", {"metadata": {"resourceVersion": version}})
        async for line in _lines(pieces):
            told = decoded(line, _WatchLine)
            if told.type == "ERROR":
                raise refused(0, msgspec.json.encode(told.object), None)
            found = typed(told.object, info)
            if found["kind"] != info.kind or (told.type != "BOOKMARK" and not name_of(found)):
                raise malformed(f"an event that is of no {info.kind}")
            yield WatchEvent(told.type, found)


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines of a stream, cut at LF alone: texts in objects may hold other line ends."""
    rest = bytearray()
    loop = asyncio.get_running_loop()
    heard_at = loop.time()
    async for piece in pieces:
        rest += piece
        if b"\n" not in piece:
            if len(rest) > limits.WATCH_LINE_BYTES_MAX:
                raise ApiError(NO_ANSWER, "TooLarge", "an event of the watch is too large")
            if loop.time() - heard_at > limits.WATCH_SILENCE_S:  # Dripping bytes are no event.
                raise ApiError(NO_ANSWER, "Timeout", "an event of the watch does not end")
            continue
        heard_at = loop.time()
        *whole, tail = bytes(rest).split(b"\n")
        rest = bytearray(tail)
        for line in whole:
            if line:
                yield line
