"""The form in which heads and trailers cross links, checked on arrival: a neighbor may lie."""

import re
from typing import Final

import msgspec

from router.http.http1 import grammar
from router.model import limits

STATUS_CLASS_AT: Final = len(b"HTTP/1.1 ")
"""The position of the first digit of the status in a canonical response head."""

STATUS_AT: Final = slice(STATUS_CLASS_AT, len(b"HTTP/1.1 200"))
"""The position of the whole status."""

UPGRADE_REQUIRED: Final = 426
CARRIED_UPGRADE: Final = b"\r\nSpillway-Upgrade: "
"""How a canonical 426 names the protocols that its target requires: ``Upgrade`` itself ends at each
hop, and every release passes this field on."""

# Each checks a whole head in one step: no hop-by-hop field; in requests one good Host.
_OTHER = grammar.field_but((*grammar.HOP_BY_HOP, b"host"))
_REQUEST = re.compile(
    rb"((?!CONNECT )"
    + grammar.TOKEN
    + rb"++) (/"
    + grammar.TARGET
    + rb"*+|\*) HTTP/1\.1\r\n(?:|"  # Host usually comes first.
    + _OTHER
    + rb"+)(?i:host):[ \t]*+"
    + grammar.HOST.pattern
    + rb"[ \t]*+\r\n"
    + _OTHER
    + rb"*"
)
_RESPONSE = re.compile(
    rb"HTTP/1\.1 ([1-9][0-9]{2}) "
    + grammar.VALUE
    + rb"*+\r\n"
    + grammar.field_but(grammar.HOP_BY_HOP)
    + rb"*"
)
_TRAILERS = re.compile(grammar.FIELDS)

# The most that any service may allow a client, plus the additions of sites on the way. The other
# site may have another definition of the service, so its own limits do not count here.
_BYTES_MAX = (
    limits.REQUEST_LINE_BYTES_CEILING
    + limits.HEADER_BLOCK_BYTES_CEILING
    + limits.HEADERS_ADDED_BYTES_MAX
)
_FIELDS_MAX = limits.HEADERS_CEILING + limits.HEADERS_ADDED_MAX
_HARMLESS_BYTES = min(_BYTES_MAX, len(b"a:\r\n") * _FIELDS_MAX)  # No more fields fit in.


class RequestLine(msgspec.Struct, frozen=True):
    """Method and target (origin form or ``*``) of a canonical request head. ``idempotent``: safe to
    repeat (RFC 9110, 9.2.2). ``head_only``: a HEAD request."""

    method: bytes
    target: bytes
    idempotent: bool
    head_only: bool


def check_request_head(head: bytes) -> RequestLine | None:
    """Method and target, or None if ``head`` is not a canonical request head."""
    match = _REQUEST.fullmatch(head)
    if match is None or (len(head) > _HARMLESS_BYTES and _exceeds(head)):
        return None
    method, target = match.groups()
    if target == b"*" and method != b"OPTIONS":
        return None
    return RequestLine(method, target, method in grammar.IDEMPOTENT, method == b"HEAD")


def check_response_head(head: bytes) -> int | None:
    """The status, or None if ``head`` is not a canonical response head."""
    match = _RESPONSE.fullmatch(head)
    if match is None or (len(head) > _HARMLESS_BYTES and _exceeds(head)):
        return None
    return grammar.STATUSES[match[1]]


def check_trailers(block: bytes) -> bool:
    """``block`` is trailer lines, each ending in CRLF, without fields that may not be trailers."""
    if _exceeds(block) or _TRAILERS.fullmatch(block) is None:
        return False
    lines = block.split(b"\r\n")[:-1]
    return not any(line[: line.find(b":")].lower() in grammar.NOT_IN_TRAILERS for line in lines)


def _exceeds(text: bytes) -> bool:
    return len(text) > _BYTES_MAX or text.count(b"\n") > _FIELDS_MAX + 1
