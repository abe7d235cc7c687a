"""Outgoing heads, with framing written by us, and our own answers."""

import random

import msgspec

from router.http.http1.canonical import CARRIED_UPGRADE
from router.http.http1.grammar import HttpError
from router.model import limits
from router.model.requests import Request
from router.net.ports import Buffer

LAST_CHUNK = b"0\r\n\r\n"
_BODY_EXPECTED = (b"POST ", b"PUT ", b"PATCH ")
MAY_EXPECT_BODY = ord("P")
"""Heads that begin otherwise go to a target unchanged, if no body follows."""

REQUEST_TIMEOUT = HttpError(408, "request-timeout", "The request did not arrive in time.")

_REASONS = {
    400: b"Bad Request",
    408: b"Request Timeout",
    414: b"URI Too Long",
    417: b"Expectation Failed",
    431: b"Request Header Fields Too Large",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
    505: b"HTTP Version Not Supported",
    508: b"Loop Detected",
}


class ClientFraming(msgspec.Struct, frozen=True, kw_only=True):
    """The client's side of an exchange. ``close``: no request after this one."""

    head_only: bool
    old: bool
    close: bool


def with_via(head: bytes, via: bytes) -> bytes:
    """A canonical head with ``via`` (``1.1 SITE``) appended to its Via, or a Via added."""
    last = head.rfind(b"\n", 0, -2) + 1
    if head[last : last + 5] == b"Via: ":
        return head[:-2] + (b", " + via + b"\r\n")
    return head + (b"Via: " + via + b"\r\n")


def request_to_target(request: Request) -> bytes:
    """The whole head for a target, including its blank line."""
    head = request.head
    if request.upgrade:
        return b"%bConnection: upgrade\r\nUpgrade: %b\r\n\r\n" % (
            head,
            request.upgrade.encode("ascii"),
        )
    if request.body_bytes > 0:
        return b"%bContent-Length: %d\r\n\r\n" % (head, request.body_bytes)
    if request.body_bytes < 0:
        return head + b"Transfer-Encoding: chunked\r\n\r\n"
    if head.startswith(_BODY_EXPECTED):
        return head + b"Content-Length: 0\r\n\r\n"
    return head + b"\r\n"


def is_bodiless(status: int, head_only: bool) -> bool:
    """No body follows the head of this response (RFC 9112, 6.3)."""
    return head_only or status < 200 or status in (204, 304)


def interim_to_client(head: bytes, via: bytes) -> bytes:
    """A 1xx other than 101, including its blank line."""
    return with_via(head, via) + b"\r\n"


def switch_to_client(head: bytes, upgrade: str, via: bytes) -> bytes:
    """The 101, including its blank line."""
    return b"%bConnection: upgrade\r\nUpgrade: %b\r\n\r\n" % (
        with_via(head, via),
        upgrade.encode("ascii"),
    )


def with_upgrade(head: bytes) -> bytes:
    """A 426 that names the protocols that its target requires (RFC 9110, 15.5.22)."""
    return head.replace(CARRIED_UPGRADE, b"\r\nConnection: upgrade\r\nUpgrade: ", 1)


def response_to_client(
    head: bytes, status: int, body_bytes: int, client: ClientFraming, via: bytes
) -> tuple[bytes, bool]:
    """The whole final head, including its blank line, and whether the body goes out in chunks.

    A body of unknown length goes to an HTTP/1.0 client until the close: ``client.close`` must be
    set then.
    """
    chunked = False
    framing = b""
    if body_bytes >= 0 and status != 204:
        framing = b"Content-Length: %d\r\n" % body_bytes
    elif not is_bodiless(status, client.head_only) and not client.old:
        chunked = True
        framing = b"Transfer-Encoding: chunked\r\n"
    if client.close:
        framing += b"Connection: close\r\n"
    elif client.old:
        framing += b"Connection: keep-alive\r\n"
    return b"%b%b\r\n" % (with_via(head, via), framing), chunked


def sized_response(head: bytes, body_bytes: int, via: bytes) -> bytes:
    """As `response_to_client`, for the usual client, which keeps an HTTP/1.1 connection."""
    last = head.rfind(b"\n", 0, -2) + 1
    if head[last : last + 5] == b"Via: ":
        return head[:-2] + b", %b\r\nContent-Length: %d\r\n\r\n" % (via, body_bytes)
    return head + b"Via: %b\r\nContent-Length: %d\r\n\r\n" % (via, body_bytes)


def chunk(data: Buffer) -> tuple[bytes, Buffer, bytes]:
    """The parts of one chunk; ``data`` itself is not copied and must not be empty."""
    return b"%x\r\n" % len(data), data, b"\r\n"


def last_chunk(trailers: bytes) -> bytes:
    """The end of a chunked body with these trailer lines."""
    return b"0\r\n%b\r\n" % trailers if trailers else LAST_CHUNK


def own_text(error: HttpError) -> bytes:
    """The body of our own answer."""
    return error.sentence.encode("ascii") + b"\n"


def retry_after_s(error: HttpError, rng: random.Random) -> int:
    """Seconds after which a client should retry: spread, so that not all retry at once."""
    if error.retry_s:
        return error.retry_s + rng.randint(0, max(1, error.retry_s // limits.HOLD_RETRY_SPREAD))
    return rng.randint(limits.RETRY_AFTER_MIN_S, limits.RETRY_AFTER_MAX_S)


def own_answer(error: HttpError, client: ClientFraming, rng: random.Random) -> bytes:
    """A whole answer of our own. ``rng`` spreads the return of clients that found all sites
    full."""
    text = own_text(error)
    retry = b""
    if error.code in ("all-full", "shed", "overloaded"):
        retry = b"Retry-After: %d\r\n" % retry_after_s(error, rng)
    ending = b""
    if client.close:
        ending = b"Connection: close\r\n"
    elif client.old:
        ending = b"Connection: keep-alive\r\n"
    return (
        b"HTTP/1.1 %d %b\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
        b"Spillway-Error: %b\r\n%b%b\r\n%b"
    ) % (
        error.status,
        _REASONS[error.status],
        len(text),
        error.code.encode("ascii"),
        retry,
        ending,
        b"" if client.head_only else text,
    )
