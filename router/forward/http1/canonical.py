"""The form in which heads and trailers cross links, checked on arrival: a neighbour may lie."""

import re
from functools import lru_cache

import msgspec

from router.forward.http1 import grammar
from router.model import limits

_FIELD = re.compile(
    rb"(?!(?i:"
    + grammar.HOP_BY_HOP_ALTERNATIVES
    + rb"):)"
    + grammar.TOKEN
    + rb"++:"
    + grammar.VALUE
    + rb"*+"
)
_REQUEST = re.compile(rb"(" + grammar.TOKEN + rb"++) (/" + grammar.TARGET + rb"*+|\*) HTTP/1\.1")
_RESPONSE = re.compile(rb"HTTP/1\.1 ([1-9][0-9]{2}) " + grammar.VALUE + rb"*+")
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
    lines = head.split(b"\r\n")
    if lines.pop() or not lines or _exceeds(head):
        return None
    is_small = len(head) <= limits.HEAD_BY_LINES_BYTES_MAX
    line = (_known_request_line if is_small else _judge_request_line)(lines[0])
    if line is None:
        return None
    said = list(map(_known_field if is_small else _judge_field, lines[1:]))
    if _BAD in said or _BAD_HOST in said or said.count(_HOST) != 1:
        return None
    return line


def _judge_request_line(line: bytes) -> RequestLine | None:
    match = _REQUEST.fullmatch(line)
    if match is None:
        return None
    if match[1] == b"CONNECT" or (match[2] == b"*" and match[1] != b"OPTIONS"):
        return None
    return RequestLine(match[1], match[2])


_BAD, _OTHER, _HOST, _BAD_HOST = range(4)


def _judge_field(line: bytes) -> int:
    """What a line is. A bad Host is a good field of a response: nobody reads it there."""
    if _FIELD.fullmatch(line) is None:
        return _BAD
    if line[:5].lower() != b"host:":
        return _OTHER
    is_good = grammar.HOST.fullmatch(line[5:].strip(b" \t")) is not None
    return _HOST if is_good else _BAD_HOST


def check_response_head(head: bytes) -> int | None:
    """The status, or None if ``head`` is not a canonical response head."""
    return _known_response(head) if len(head) <= _KNOWN_BYTES_MAX else _check_response(head)


def _check_response(head: bytes) -> int | None:
    lines = head.split(b"\r\n")
    if lines.pop() or not lines or _exceeds(head):
        return None
    is_small = len(head) <= limits.HEAD_BY_LINES_BYTES_MAX
    status = (_known_status_line if is_small else _judge_status_line)(lines[0])
    if status is None or _BAD in map(_known_field if is_small else _judge_field, lines[1:]):
        return None
    return status


def _judge_status_line(line: bytes) -> int | None:
    match = _RESPONSE.fullmatch(line)
    return None if match is None else int(match[1])


# Verdicts by exact bytes: clients and targets repeat themselves, and of a head with an id in it
# all lines but one. A verdict is a pure function of the bytes, so that nothing can be told apart
# by what is remembered.
_KNOWN_BYTES_MAX = 1024
_KNOWN_MAX = 256
_known_request = lru_cache(_KNOWN_MAX)(_check_request)
_known_response = lru_cache(_KNOWN_MAX)(_check_response)
_known_request_line = lru_cache(limits.HEAD_LINES_REMEMBERED_MAX)(_judge_request_line)
_known_status_line = lru_cache(limits.HEAD_LINES_REMEMBERED_MAX)(_judge_status_line)
_known_field = lru_cache(limits.HEAD_LINES_REMEMBERED_MAX)(_judge_field)


def forget() -> None:
    """All that is remembered: heads have credentials in them."""
    _known_request.cache_clear()
    _known_response.cache_clear()
    _known_request_line.cache_clear()
    _known_status_line.cache_clear()
    _known_field.cache_clear()


def check_trailers(block: bytes) -> bool:
    """``block`` is trailer lines, each ending in CRLF, with no field that may not be one."""
    if _exceeds(block) or _TRAILERS.fullmatch(block) is None:
        return False
    lines = block.split(b"\r\n")[:-1]
    return not any(line[: line.find(b":")].lower() in grammar.NOT_IN_TRAILERS for line in lines)


def _exceeds(text: bytes) -> bool:
    return len(text) > _BYTES_MAX or text.count(b"\n") > _FIELDS_MAX + 1
