"""Many objects at a time: lists page by page, and watches event by event.

What is no list or no event of the kind asked for is an `ApiError`: taken for an empty list it
would withdraw everything.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import msgspec

from router.control.kubernetes.calls import Calls, Transport
from router.control.kubernetes.errors import (
    NO_ANSWER,
    TOO_LARGE,
    ApiError,
    decoded,
    malformed,
    refused,
)
from router.kubernetes.kinds import KindInfo
from router.kubernetes.objects import metadata, name_of
from router.model import limits


class Page(msgspec.Struct, frozen=True):
    """Part of a list. ``version``: of the whole list, the same on every page."""

    items: list[dict[str, Any]]
    version: str


class WatchEvent(msgspec.Struct, frozen=True):
    """``kind``: ADDED, MODIFIED, DELETED or BOOKMARK (then only the version counts)."""

    kind: str
    object: dict[str, Any]

    @property
    def version(self) -> str:
        """Watch from here to hear what comes after this event."""
        version = metadata(self.object).get("resourceVersion", "")
        return version if isinstance(version, str) else ""


class _ListMeta(
    msgspec.Struct, frozen=True, rename={"resource_version": "resourceVersion", "more": "continue"}
):
    resource_version: str = ""
    more: str = ""


class _List(msgspec.Struct, frozen=True):
    kind: str = ""
    metadata: _ListMeta = _ListMeta()
    items: list[dict[str, Any]] | None = None  # Go writes an empty list as null.


class _WatchLine(msgspec.Struct, frozen=True):
    type: str
    object: dict[str, Any]


async def pages(
    calls: Calls, path: str, kind: str, selected: Mapping[str, str]
) -> AsyncGenerator[Page, None]:
    """See `Api.pages`."""
    params = dict(selected)
    most = limits.API_PAGE_OBJECTS
    for _ in range(limits.API_LIST_PAGES_MAX):
        try:
            body = await calls.call("GET", path, params=params | {"limit": str(most)})
        except ApiError as error:
            if error.status != TOO_LARGE or most == 1:
                raise
            most = max(1, most // 8)
            continue
        found = decoded(body, _List)
        version = found.metadata.resource_version
        if found.kind != f"{kind}List" or not version:
            raise malformed(f"a {found.kind or 'text'} that is no list of {kind} objects")
        yield Page(found.items or [], version)
        if not found.metadata.more:
            return
        params["continue"] = found.metadata.more
    raise malformed(f"a list of {kind} objects without end")


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


def typed(found: dict[str, Any], info: KindInfo) -> dict[str, Any]:
    """``found`` with the kind that items of a list leave out."""
    found.setdefault("apiVersion", info.api_version)
    found.setdefault("kind", info.kind)
    return found


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
            if loop.time() - heard_at > limits.WATCH_SILENCE_S:  # Bytes that drip say nothing.
                raise ApiError(NO_ANSWER, "Timeout", "an event of the watch does not end")
            continue
        heard_at = loop.time()
        *whole, tail = bytes(rest).split(b"\n")
        rest = bytearray(tail)
        for line in whole:
            if line:
                yield line
