"""Field lists of HTTP/2 as canonical heads, and back (RFC 9113, 8.2 and 8.3).

A malformed message (`Malformed`) is an error of its stream; a well-formed one that is not served is
answered (`HttpError`), as the same request over HTTP/1 would be.
"""

import re
from itertools import takewhile

import msgspec

from router.http.http1 import grammar
from router.http.http1.canonical import STATUS_AT
from router.http.http1.forwarding import Forwarding, added_fields, times_here
from router.http.http1.grammar import HttpError
from router.http.http1.heads import HEADER_TOO_LARGE, TOO_MANY_FIELDS
from router.http.http1.request_heads import LOOP, NO_TUNNEL, TARGET_TOO_LONG, UNKNOWN_EXPECTATION
from router.model.settings import ServiceLimits

Field = tuple[bytes, bytes]
Fields = list[Field]

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_METHOD = re.compile(grammar.TOKEN + rb"+")
_PATH = re.compile(rb"/" + grammar.TARGET + rb"*+|\*")
_STATUS = re.compile(rb"[1-9][0-9]{2}")
_REQUEST_PSEUDO = frozenset((b":method", b":scheme", b":path", b":authority"))
SECRET = frozenset((b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"))
"""Fields that no table of compressed heads may store, on any hop (RFC 7541, 7.1.3)."""
_LINE_EXTRA_BYTES = len(b":  HTTP/1.1")
_GRPC = b"application/grpc"
FIELD_COST_BYTES = 32  # Counted by RFC 9113, 6.5.2 for each field beside its bytes.
_TRAILERS = (b"te", b"trailers")


class Malformed(msgspec.Struct, frozen=True):
    """Not a valid HTTP/2 message. ``reason`` is human-readable and quotes nothing."""

    reason: str


OF_CONNECTION = Malformed("a field of the connection")


class JudgedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that may be forwarded. ``head`` is canonical, our own fields added.

    ``body_bytes``: 0 none, -1 not declared. ``grpc``: its client reads the status from trailers.
    """

    head: bytes
    body_bytes: int
    idempotent: bool
    head_only: bool
    grpc: bool


class Answered(msgspec.Struct, frozen=True):
    """A response head that may be passed on. ``body_bytes``: -1 not declared, 0 none follows."""

    status: int
    head: bytes
    body_bytes: int


def header_list_bytes(bounds: ServiceLimits) -> int:
    """The header list size announced to a peer: every message within ``bounds`` fits."""
    fields = FIELD_COST_BYTES * (bounds.headers + 4)
    return bounds.request_line_bytes + bounds.header_block_bytes + fields


def read_request(
    fields: Fields, ended: bool, forwarding: Forwarding, bounds: ServiceLimits
) -> JudgedRequest | HttpError | Malformed:
    """The verdict on a request's fields; ``ended``: no body follows."""
    pseudo = dict(takewhile(_is_pseudo, fields))
    method, path = pseudo.get(b":method", b""), pseudo.get(b":path", b"")
    error = _judge_pseudo(pseudo, method, path, bounds)
    if error is not None:
        return error
    # A repeated pseudo-header field, or one after others, counts as an invalid name.
    sorted_out = _sort_out(fields[len(pseudo) :])
    if isinstance(sorted_out, Malformed):
        return sorted_out
    lines, special = sorted_out
    host = _host(pseudo.get(b":authority"), special.get(b"host"))
    if host is None:
        return Malformed("not exactly one valid host")
    body_bytes = _length(special, 0 if ended else -1)
    if body_bytes is None or (ended and body_bytes > 0):
        return Malformed("the length of the body is not given in one valid way")
    error = _beyond_us([b"host: %b\r\n" % host, *lines], special, forwarding, bounds)
    if error is not None:
        return error
    return JudgedRequest(
        head=b"%b %b HTTP/1.1\r\nhost: %b\r\n%b%b"
        % (method, path, host, b"".join(lines), added_fields(special, host, forwarding)),
        body_bytes=body_bytes,
        idempotent=method in grammar.IDEMPOTENT,
        head_only=method == b"HEAD",
        grpc=special.get(b"content-type", _NONE)[0].startswith(_GRPC),
    )


def read_response(fields: Fields, ended: bool, bounds: ServiceLimits) -> Answered | Malformed:
    """The verdict on a response's fields; ``ended``: no body follows."""
    if not fields or fields[0][0] != b":status" or _STATUS.fullmatch(fields[0][1]) is None:
        return Malformed("a response without a status")
    status = int(fields[0][1])
    if status == 101:
        return Malformed("HTTP/2 has no 101")
    sorted_out = _sort_out(fields[1:], is_request=False)
    if isinstance(sorted_out, Malformed):
        return sorted_out
    lines, special = sorted_out
    body_bytes = _length(special, 0 if ended else -1)
    if body_bytes is None or (status < 200 and ended):
        return Malformed("the length of the body is not given in one valid way")
    if _oversize(lines, bounds) is not None:
        return Malformed("larger header fields than this proxy accepts")
    return Answered(status, b"HTTP/1.1 %d \r\n%b" % (status, b"".join(lines)), body_bytes)


def read_trailers(fields: Fields, bounds: ServiceLimits) -> bytes | Malformed:
    """Trailer lines, without those that may not be trailers."""
    lines: list[bytes] = []
    for name, value in fields:
        error = _judge(name, value)
        if error is not None:
            return error
        if name in grammar.OF_CONNECTIONS:
            return OF_CONNECTION
        if name not in grammar.NOT_IN_TRAILERS:
            lines.append(b"%b: %b\r\n" % (name, value))
    if _oversize(lines, bounds) is not None:
        return Malformed("larger trailer fields than this proxy accepts")
    return b"".join(lines)


def request_fields(head: bytes, body_bytes: int, scheme: bytes) -> Fields:
    """A canonical request head for a target.

    ``te: trailers`` is of this hop: we pass trailers on, and gRPC servers insist on it.
    """
    line, _, block = head.partition(b"\r\n")
    method, path, _ = line.split(b" ")
    host = b""
    fields: Fields = []
    for name, value in field_lines(block):
        if name == b"host":
            host = value
        else:
            fields.append((name, value))
    if body_bytes > 0:
        fields.append((b"content-length", b"%d" % body_bytes))
    fields.append(_TRAILERS)
    return [
        (b":method", method),
        (b":scheme", scheme),
        (b":path", path),
        (b":authority", host),
        *fields,
    ]


def response_fields(head: bytes, body_bytes: int, via: bytes) -> Fields:
    """A canonical response head for a client, with its declared length if it has one."""
    status = head[STATUS_AT]
    fields: Fields = [(b":status", status)]
    fields.extend(field_lines(head[head.index(b"\r\n") + 2 :]))
    _add_via(fields, via)
    if body_bytes > 0 and status[:1] != b"1" and status != b"204":
        fields.append((b"content-length", b"%d" % body_bytes))
    return fields


def list_bytes(fields: Fields) -> int:
    """The size of a header list as RFC 9113, 6.5.2 counts it."""
    return sum(len(name) + len(value) for name, value in fields) + FIELD_COST_BYTES * len(fields)


def field_lines(block: bytes) -> Fields:
    """Checked lines (each ending in CRLF) as fields, names in lower case."""
    fields: Fields = []
    for line in block.split(b"\r\n"):
        if line:
            name, _, value = line.partition(b":")
            fields.append((name.lower(), value.strip(b" \t")))
    return fields


_NONE = [b""]


def _is_pseudo(field: Field) -> bool:
    return field[0][:1] == b":"


def _judge_pseudo(
    pseudo: dict[bytes, bytes], method: bytes, path: bytes, bounds: ServiceLimits
) -> HttpError | Malformed | None:
    if b":protocol" in pseudo or method == b"CONNECT":
        return NO_TUNNEL
    if not pseudo.keys() <= _REQUEST_PSEUDO or _METHOD.fullmatch(method) is None:
        return Malformed("not the pseudo-header fields of a request")
    if pseudo.get(b":scheme") not in (b"http", b"https"):
        return Malformed("no scheme that a proxy serves")
    if len(method) + len(path) + _LINE_EXTRA_BYTES > bounds.request_line_bytes:
        return TARGET_TOO_LONG
    if _PATH.fullmatch(path) is None or (path == b"*" and method != b"OPTIONS"):
        return Malformed("no path that a proxy serves")
    return None


def _judge(name: bytes, value: bytes) -> Malformed | None:
    if _NAME.fullmatch(name) is None:
        return Malformed("a field name that HTTP/2 does not allow")
    if grammar.NOT_IN_VALUE.search(value) is not None or value != value.strip(b" \t"):
        return Malformed("a field value that HTTP/2 does not allow")
    return None


def _sort_out(
    regular: Fields, *, is_request: bool = True
) -> tuple[list[bytes], dict[bytes, list[bytes]]] | Malformed:
    """The lines to send on unchanged, and all values by name."""
    lines: list[bytes] = []
    special: dict[bytes, list[bytes]] = {}
    for name, value in regular:
        error = _judge(name, value)
        if error is not None:
            return error
        if name in grammar.OF_CONNECTIONS or (name == b"te" and value.lower() != b"trailers"):
            return OF_CONNECTION
        special.setdefault(name, []).append(value)
        if name in _NOT_FORWARDED or (is_request and name in _REWRITTEN):
            continue
        lines.append(b"%b: %b\r\n" % (name, value))
    if is_request and b"cookie" in special:
        lines.append(b"cookie: %b\r\n" % b"; ".join(special[b"cookie"]))
    return lines, special


_NOT_FORWARDED = frozenset((b"te", b"content-length", b"http2-settings"))
_REWRITTEN = frozenset((b"host", b"cookie", b"via", b"x-forwarded-for"))


def _host(authority: bytes | None, hosts: list[bytes] | None) -> bytes | None:
    named = {value for value in (authority, *(hosts or ())) if value is not None}
    if len(named) != 1 or len(hosts or ()) > 1:
        return None
    host = named.pop()
    return host if grammar.HOST.fullmatch(host) is not None else None


def _length(special: dict[bytes, list[bytes]], unstated: int) -> int | None:
    lengths = special.get(b"content-length")
    if lengths is None:
        return unstated
    if len(lengths) != 1 or grammar.DECIMAL.fullmatch(lengths[0]) is None:
        return None
    return int(lengths[0])


def _oversize(lines: list[bytes], bounds: ServiceLimits) -> HttpError | None:
    if len(lines) > bounds.headers:
        return TOO_MANY_FIELDS
    sizes = [len(line) for line in lines]
    too_large = sum(sizes) > bounds.header_block_bytes or (
        bool(sizes) and max(sizes) - 2 > bounds.header_field_bytes
    )
    return HEADER_TOO_LARGE if too_large else None


def _beyond_us(
    lines: list[bytes],
    special: dict[bytes, list[bytes]],
    forwarding: Forwarding,
    bounds: ServiceLimits,
) -> HttpError | None:
    """Why a well-formed request is not served."""
    # Values that we join into one line were sent by the client and count too.
    rewritten = [
        b"%b: %b\r\n" % (name, value)
        for name in (b"via", b"x-forwarded-for")
        for value in special.get(name, ())
    ]
    error = _oversize([*lines, *rewritten], bounds)
    if error is not None:
        return error
    if [value.lower() for value in special.get(b"expect", ())] not in ([], [b"100-continue"]):
        return UNKNOWN_EXPECTATION
    if times_here(special.get(b"via"), forwarding.site_name) >= 2:
        return LOOP
    return None


def _add_via(fields: Fields, via: bytes) -> None:
    if fields and fields[-1][0] == b"via":
        fields[-1] = (b"via", b"%b, %b" % (fields[-1][1], via))
    else:
        fields.append((b"via", via))
