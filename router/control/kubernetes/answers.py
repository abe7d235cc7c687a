"""What an API server answers, decoded: objects, lists, events of watches, refusals."""

from collections.abc import AsyncIterator
from typing import Any, Final, TypeVar

import msgspec

from router.kubernetes.kinds import KindInfo
from router.kubernetes.objects import metadata
from router.model import limits
from router.model.errors import RouterError

_Decoded = TypeVar("_Decoded")

NO_ANSWER: Final = 0
CONFLICT, GONE, NOT_FOUND, FORBIDDEN, TOO_MANY = 409, 410, 404, 403, 429
INVALID = 422


class ApiError(RouterError):
    """The API server refused, or did not answer.

    ``status`` is HTTP's, 0: no answer. ``reason`` is the API's word (``NotFound``, ``Conflict``,
    ``AlreadyExists``, ``Expired``, ``Forbidden``; ``Unreachable`` and ``Timeout`` are ours).
    ``retry_after_s``: the wait that the server asked for, if it did.
    """

    def __init__(
        self, status: int, reason: str, message: str, retry_after_s: float | None = None
    ) -> None:
        self.status, self.reason, self.message = status, reason, message
        self.retry_after_s = retry_after_s
        super().__init__(message or reason)

    @property
    def is_gone(self) -> bool:
        """The version asked for is no longer kept (HTTP 410): list again."""
        return self.status == GONE or self.reason in ("Expired", "Gone")


class Answer(msgspec.Struct, frozen=True):
    """One HTTP answer, read to its end."""

    status: int
    body: bytes
    retry_after_s: float | None = None


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


class ListMeta(
    msgspec.Struct, frozen=True, rename={"resource_version": "resourceVersion", "more": "continue"}
):
    """Of a list. ``more``: the token by which the next page is asked for; empty: this was all."""

    resource_version: str = ""
    more: str = ""


class Listed(msgspec.Struct, frozen=True):
    """One page of a list, as it comes."""

    metadata: ListMeta = ListMeta()
    items: list[dict[str, Any]] | None = None  # Go writes an empty list as null.


class WatchLine(msgspec.Struct, frozen=True):
    """One event of a watch, as it comes; of type ERROR its object is a Status."""

    type: str
    object: dict[str, Any]


class _StatusDetails(msgspec.Struct, frozen=True):
    retryAfterSeconds: float = 0


class _Status(msgspec.Struct, frozen=True):
    reason: str = ""
    message: str = ""
    code: int = 0
    details: _StatusDetails | None = None


def typed(found: dict[str, Any], info: KindInfo) -> dict[str, Any]:
    """``found`` with the kind that items of a list leave out."""
    found.setdefault("apiVersion", info.api_version)
    found.setdefault("kind", info.kind)
    return found


async def lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines of a stream, cut at LF alone: texts in objects may hold other line ends."""
    rest = bytearray()
    async for piece in pieces:
        rest += piece
        if b"\n" not in piece:
            if len(rest) > limits.WATCH_LINE_BYTES_MAX:
                raise ApiError(NO_ANSWER, "TooLarge", "an event of the watch is too large")
            continue
        *whole, tail = bytes(rest).split(b"\n")
        rest = bytearray(tail)
        for line in whole:
            if line:
                yield line


def refused(status: int, body: bytes, retry_after_s: float | None) -> ApiError:
    """What an answer that is no success says; proxies in between answer with any text."""
    try:
        said = msgspec.json.decode(body, type=_Status)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ApiError(status, "", f"HTTP {status}", retry_after_s)
    if retry_after_s is None and said.details is not None and said.details.retryAfterSeconds > 0:
        retry_after_s = said.details.retryAfterSeconds
    status = status or said.code
    return ApiError(status, said.reason, said.message or f"HTTP {status}", retry_after_s)


def decoded(body: bytes, kind: type[_Decoded]) -> _Decoded:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ApiError(NO_ANSWER, "Malformed", f"the API answered with: {error}") from error


def object_of(body: bytes) -> dict[str, Any]:
    return decoded(body, dict[str, Any])
