"""Patterns and names of HTTP/1.1 that more than one module needs (RFC 9110, 5; RFC 9112, 2-5)."""

import re
from collections.abc import Collection
from http import HTTPStatus

import msgspec

from router.model import limits

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
VALUE = rb"[\t\x20-\x7e\x80-\xff]"
TARGET = rb"[\x21\x22\x24-\x7e]"  # Visible ASCII except a fragment.

FIELD = TOKEN + rb"++:" + VALUE + rb"*+\r\n"
# A group is repeated greedily, never possessively (`)*+`): CPython before 3.11.5, and Debian's
# 3.11.2 before deb12u9, match possessive groups wrongly (python/cpython#106052). A field line
# matches in only one way, so giving one back never helps a match, and a failed match stays linear.
FIELDS = rb"(?:" + FIELD + rb")*"

FIELD_LINE = re.compile(TOKEN + rb"++:" + VALUE + rb"*+")
NOT_IN_VALUE = re.compile(rb"[^\t\x20-\x7e\x80-\xff]")
NOT_VISIBLE = re.compile(rb"[^\x20-\x7e]")
DECIMAL = re.compile(rb"[0-9]{1,18}")  # Fits 63 bits; no honest length is longer.
UPGRADE_TOKEN = re.compile(TOKEN + rb"+(?:/" + TOKEN + rb"+)?")
# No longer than a name can be (RFC 1035, 2.3.4): we repeat it in our own field.
HOST = re.compile(
    rb"(?:[A-Za-z0-9\-._~%!$&'()*+;=]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
)

# Fields that end at this hop; Connection may name more. Length and coding are framing.
HOP_BY_HOP = (
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"te",
    b"transfer-encoding",
    b"content-length",
    b"upgrade",
    b"http2-settings",
)
HOP_BY_HOP_ALTERNATIVES = b"|".join(HOP_BY_HOP)


def field_but(names: Collection[bytes]) -> bytes:
    """The pattern of a field line with any name except ``names`` (lower case).

    Names are grouped by first letters: a search compares these faster than names without regard to
    case. A line that begins with none of them needs no comparison of names.
    """
    rests: dict[bytes, list[bytes]] = {}
    for name in names:
        rests.setdefault(name[:1], []).append(name[1:])
    first_letters = b"".join(first + first.upper() for first in rests)
    excluded = b"|".join(
        b"[%b%b](?i:%b)" % (first, first.upper(), b"|".join(rest)) for first, rest in rests.items()
    )
    return rb"(?:(?!(?=[" + first_letters + rb"])(?:" + excluded + rb"):)" + FIELD + rb")"


def maybe_kept_alive(others: bytes) -> bytes:
    """The pattern of a Connection line that only says keep-alive, and of ``others`` behind it."""
    return rb"(?:(?i:connection):[ \t]*+(?i:keep-alive)\r\n" + others + rb")?"


LENGTH = rb"(?i:content-length):[ \t]*+(" + DECIMAL.pattern + rb")\r\n"

# Connection may not strip these: routing, framing, and fields meant for every recipient.
PROTECTED_OPTIONS = frozenset(
    (
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"content-type",
        b"content-encoding",
        b"content-range",
        b"range",
        b"expect",
        b"via",
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"authorization",
        b"cookie",
        b"set-cookie",
        b"location",
        b"cache-control",
        b"traceparent",
        b"tracestate",
    )
)


class _Statuses(dict[bytes, int]):
    """Status codes by their digits: looking up a usual one is cheaper than parsing it."""

    def __missing__(self, digits: bytes) -> int:
        return int(digits)


STATUSES = _Statuses((b"%d" % status, int(status)) for status in HTTPStatus)

# These make trailers malformed (RFC 9113, 8.2.2), and any message of HTTP/2.
OF_CONNECTIONS = frozenset(
    (b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade")
)

# Also dropped from trailers: framing, routing, request modifiers, credentials (RFC 9110, 6.5.1).
NOT_IN_TRAILERS = frozenset(
    (
        *HOP_BY_HOP,
        *PROTECTED_OPTIONS,
        b"trailer",
        b"proxy-authorization",
        b"proxy-authenticate",
        b"www-authenticate",
        b"max-forwards",
        b"age",
        b"date",
        b"expires",
        b"vary",
        b"pragma",
    )
)

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))


class HttpError(msgspec.Struct, frozen=True):
    """Why a message is refused: the status to answer with, our short code, one sentence.

    The sentence is a constant: no part of the message is ever quoted back. ``retry_s``: whole
    seconds until a retry makes sense, if one does; 0: not known.
    """

    status: int
    code: str
    sentence: str
    retry_s: int = 0


def bad_request(sentence: str) -> HttpError:
    """400: the message violates HTTP."""
    return HttpError(400, "bad-request", sentence)


def options_of(values: list[bytes]) -> list[bytes]:
    """The members of a comma-separated list field over all its lines, in lower case."""
    members = b",".join(values).lower().split(b",")
    return [stripped for member in members if (stripped := member.strip(b" \t"))]


def without_fields(block: bytes, names: frozenset[bytes]) -> bytes:
    """``block`` (``CRLF field``, repeated) without the fields of these lower-case names."""
    lines = block.split(b"\r\n")
    kept = [line for line in lines[1:] if line[: line.find(b":")].lower() not in names]
    return b"".join(b"\r\n" + line for line in kept)


def is_upgrade(token: bytes) -> bool:
    """One protocol in lower case that may be switched to; h2c may not: HTTP/2 is not a tunnel."""
    return (
        len(token) <= limits.UPGRADE_BYTES_MAX
        and token == token.lower() != b"h2c"
        and UPGRADE_TOKEN.fullmatch(token) is not None
    )
