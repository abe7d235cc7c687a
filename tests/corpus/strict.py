"""Canonical HTTP/1.1, read by hand: what we put on the wire is checked by none of our own code.

Stricter than RFC 9112: of each freedom that two readers could use differently there is none left.
"""

import string

import msgspec

TCHAR = frozenset((string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~").encode())
VALUE = frozenset((9, *range(0x20, 0x7F), *range(0x80, 0x100)))
TARGET = frozenset(range(0x21, 0x7F)) - {ord("#")}
LOWER_HEX = frozenset(b"0123456789abcdef")
GONE = (b"keep-alive", b"proxy-connection", b"te", b"http2-settings")
FRAMING = (b"content-length", b"transfer-encoding", b"host", b"connection", b"upgrade", b"trailer")


class NotCanonicalError(Exception):
    """The bytes are not what we may send."""


class Message(msgspec.Struct, frozen=True):
    """One message: lines of the head and of the trailers with their CRLF, the body decoded."""

    start: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    head: bytes
    body: bytes
    trailers: bytes

    def values(self, name: bytes) -> list[bytes]:
        """Of the fields with this lower-case name."""
        return [value for key, value in self.fields if key.lower() == name]


def demand(condition: object, reason: str) -> None:
    """Complain unless ``condition``."""
    if not condition:
        raise NotCanonicalError(reason)


def field_of(line: bytes) -> tuple[bytes, bytes]:
    """Name and value of a field line."""
    name, colon, value = line.partition(b":")
    demand(colon and name and TCHAR.issuperset(name), f"field name in {line!r}")
    demand(VALUE.issuperset(value), f"field value in {line!r}")
    return name, value.strip(b" \t")


def head_of(data: bytes) -> tuple[bytes, tuple[tuple[bytes, bytes], ...], bytes, int] | None:
    """Start line, fields, head, position after it; None: not all here."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        demand(b"\n\n" not in data and b"\r\r" not in data, "line ends")
        return None
    head = data[: end + 2]
    rows = head[:-2].split(b"\r\n")
    for row in rows:
        demand(b"\r" not in row and b"\n" not in row, f"bare CR or LF in {row!r}")
    return rows[0], tuple(map(field_of, rows[1:])), head, end + 4


def decimal(text: bytes) -> int:
    """A length without sign, leading zero or list."""
    demand(text.isascii() and text.isdigit(), f"length {text!r}")
    demand(text == b"0" or text[:1] != b"0", f"leading zero in {text!r}")
    return int(text)


def chunked(data: bytes, at: int) -> tuple[bytes, bytes, int] | None:
    """Body, trailers and position after a chunked body; None: not all here."""
    body = b""
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            return None
        digits = data[at:end]
        demand(digits and LOWER_HEX.issuperset(digits), f"chunk line {digits!r}")
        demand(digits == b"0" or digits[:1] != b"0", f"chunk line {digits!r}")
        size, at = int(digits, 16), end + 2
        if size == 0:
            break
        if len(data) < at + size + 2:
            return None
        body += data[at : at + size]
        demand(data[at + size : at + size + 2] == b"\r\n", "no CRLF after a chunk")
        at += size + 2
    if data[at : at + 2] == b"\r\n":
        return body, b"", at + 2
    end = data.find(b"\r\n\r\n", at)
    if end < 0:
        return None
    trailers = data[at : end + 2]
    for row in trailers[:-2].split(b"\r\n"):
        demand(b"\r" not in row and b"\n" not in row, f"bare CR or LF in {row!r}")
        demand(field_of(row)[0].lower() not in FRAMING, f"trailer {row!r}")
    return body, trailers, end + 4


def framing_of(message: Message) -> int:
    """The length of the body: -1 chunked, -2 no length given."""
    lengths, codings = message.values(b"content-length"), message.values(b"transfer-encoding")
    demand(len(lengths) + len(codings) <= 1, "framing is stated more than once")
    for name in GONE:
        demand(not message.values(name), f"{name!r} ends at each hop")
    if codings:
        demand(codings == [b"chunked"], f"coding {codings}")
        return -1
    return decimal(lengths[0]) if lengths else -2


def read_request(data: bytes) -> tuple[Message, int] | None:
    """The first request in ``data`` and how long it is; None: not all here."""
    found = head_of(data)
    if found is None:
        return None
    start, fields, head, at = found
    words = start.split(b" ")
    demand(len(words) == 3 and words[2] == b"HTTP/1.1", f"request line {start!r}")
    demand(words[0] and TCHAR.issuperset(words[0]), f"method {words[0]!r}")
    target = words[1]
    demand(TARGET.issuperset(target), f"target {target!r}")
    demand(target[:1] == b"/" or (target, words[0]) == (b"*", b"OPTIONS"), f"target {target!r}")
    message = Message(start, fields, head, b"", b"")
    demand(len(message.values(b"host")) == 1, "not exactly one host")
    connection = [value.lower() for value in message.values(b"connection")]
    upgrades = message.values(b"upgrade")
    demand(connection in ([], [b"upgrade"]) and len(upgrades) == len(connection), "connection")
    return _with_body(data, at, message, 0 if upgrades else framing_of(message))


def read_response(data: bytes, method: bytes, *, ended: bool) -> tuple[Message, int] | None:
    """The first response in ``data`` to ``method``; ``ended``: the connection was finished."""
    found = head_of(data)
    if found is None:
        return None
    start, fields, head, at = found
    demand(start[:9] == b"HTTP/1.1 " and start[12:13] == b" ", f"status line {start!r}")
    demand(start[9:12].isdigit() and start[9:10] != b"0", f"status line {start!r}")
    demand(VALUE.issuperset(start), f"status line {start!r}")
    message = Message(start, fields, head, b"", b"")
    status, length = int(start[9:12]), framing_of(message)
    connection = [value.lower() for value in message.values(b"connection")]
    known = (b"close", b"keep-alive", b"upgrade")
    demand(len(connection) <= 1 and set(connection) <= set(known), f"connection {connection}")
    if status < 200 or status == 204:
        demand(length == -2, f"{status} states a length")
    if status < 200 or status in (204, 304) or method == b"HEAD":
        return message, at
    if length == -2:
        if not ended:
            return None
        demand(connection == [b"close"], "no length, and the connection stays")
        return msgspec.structs.replace(message, body=data[at:]), len(data)
    return _with_body(data, at, message, length)


def _with_body(data: bytes, at: int, message: Message, length: int) -> tuple[Message, int] | None:
    if length == -1:
        found = chunked(data, at)
        if found is None:
            return None
        return msgspec.structs.replace(message, body=found[0], trailers=found[1]), found[2]
    length = max(length, 0)
    if len(data) < at + length:
        return None
    return msgspec.structs.replace(message, body=data[at : at + length]), at + length
