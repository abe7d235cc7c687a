"""The form in which heads and trailers cross links, checked on arrival: a neighbour may lie."""

import re
from functools import lru_cache

import msgspec

from router.forward.http1 import grammar
from router.model import limits

_FORBIDDEN = re.compile(rb"\n(?i:" + grammar.HOP_BY_HOP_ALTERNATIVES + rb"):")
_REQUEST = re.compile(
    rb"(" + grammar.TOKEN + rb"++) (/" + grammar.TARGET + rb"*+|\*) HTTP/1\.1\r\n" + grammar.FIELDS
)
_RESPONSE = re.compile(rb"HTTP/1\.1 ([1-9][0-9]{2}) " + grammar.VALUE + rb"*+\r\n" + grammar.FIELDS)
_HOSTS = re.compile(rb"\n(?i:host):[ \t]*([^\r]*)")
_TRAILERS = re.compile(grammar.FIELDS)

# The most that any service may allow a client, and what sites on the way may have added. The other
# site may know another definition of the service than we do, so its own limits do not count here.
_BYTES_MAX = (
    limits.REQUEST_LINE_BYTES_CEILING
    + limits.HEADER_BLOCK_BYTES_CEILING
    + limits.HEADERS_ADDED_BYTES_MAX
)
_FIELDS_MAX = limits.HEADERS_CEILING + limits.HEADERS_ADDED_MAX


class RequestLine(msgspec.Struct, frozen=True):
    """Method and target (origin form or ``*``) of a canonical request head."""

    method: bytes
    target: bytes

    @property
    def idempotent(self) -> bool:
        """Safe to repeat (RFC 9110, 9.2.2)."""
        return self.method in grammar.IDEMPOTENT

    @property
    def head_only(self) -> bool:
        """A HEAD request."""
        return self.method == b"HEAD"


def check_request_head(head: bytes) -> RequestLine | None:
    """Method and target, or None if ``head`` is not a canonical request head."""
    return _known_request(head) if len(head) <= _KNOWN_BYTES_MAX else _check_request(head)


def _check_request(head: bytes) -> RequestLine | None:
    match = _REQUEST.fullmatch(head)
    if match is None or _exceeds(head) or _FORBIDDEN.search(head) is not None:
        return None
    hosts = _HOSTS.findall(head)
    if len(hosts) != 1 or grammar.HOST.fullmatch(hosts[0].rstrip(b" \t")) is None:
        return None
    if match[1] == b"CONNECT" or (match[2] == b"*" and match[1] != b"OPTIONS"):
        return None
    return RequestLine(match[1], match[2])


def check_response_head(head: bytes) -> int | None:
    """The status, or None if ``head`` is not a canonical response head."""
    return _known_response(head) if len(head) <= _KNOWN_BYTES_MAX else _check_response(head)


def _check_response(head: bytes) -> int | None:
    match = _RESPONSE.fullmatch(head)
    if match is None or _exceeds(head) or _FORBIDDEN.search(head) is not None:
        return None
    return int(match[1])


# Verdicts by exact bytes: clients and targets repeat themselves. A verdict is a pure function of
# the bytes, so that nothing can be told apart by what is remembered.
_KNOWN_BYTES_MAX = 1024
_KNOWN_MAX = 256
_known_request = lru_cache(_KNOWN_MAX)(_check_request)
_known_response = lru_cache(_KNOWN_MAX)(_check_response)


def forget() -> None:
    """All verdicts: the heads they are of have credentials in them."""
    _known_request.cache_clear()
    _known_response.cache_clear()


def check_trailers(block: bytes) -> bool:
    """``block`` is trailer lines, each ending in CRLF, with no field that may not be one."""
    if _exceeds(block) or _TRAILERS.fullmatch(block) is None:
        return False
    lines = block.split(b"\r\n")[:-1]
    return not any(line[: line.find(b":")].lower() in grammar.NOT_IN_TRAILERS for line in lines)


def _exceeds(text: bytes) -> bool:
    return len(text) > _BYTES_MAX or text.count(b"\n") > _FIELDS_MAX + 1
