"""The grammar of HTTP/1.1 by hand, byte by byte: what the router's patterns must accept.

No regular expressions here: a bug of `re` must not be in both. Written from RFC 9110, 5.5 and
5.6.2, and RFC 9112, 3 to 7; what the router refuses beyond these is named where it is.
"""

from string import ascii_letters, digits, hexdigits

LETTERS, DIGITS, HEX = (frozenset(text.encode()) for text in (ascii_letters, digits, hexdigits))
TCHAR = LETTERS | DIGITS | frozenset(b"!#$%&'*+-.^_`|~")
BLANK = frozenset(b"\t ")
VISIBLE = frozenset(range(0x21, 0x7F))
OBSOLETE = frozenset(range(0x80, 0x100))
FIELD_VALUE = VISIBLE | BLANK | OBSOLETE
QUOTED = FIELD_VALUE - frozenset(b'"\\')
REG_NAME = LETTERS | DIGITS | frozenset(b"-._~%!$&'()*+;=")

HOP_BY_HOP = (
    b"connection keep-alive proxy-connection te transfer-encoding content-length upgrade "
    b"http2-settings"
).split()


def consists_of(text: bytes, allowed: frozenset[int], least: int = 1, most: int = 10**9) -> bool:
    """Whether ``text`` has so many bytes, all of them allowed."""
    return least <= len(text) <= most and all(byte in allowed for byte in text)


def lines_of(text: bytes) -> list[bytes] | None:
    """The lines of ``text``, each of which ends in CRLF; None if the last one does not."""
    *lines, rest = text.split(b"\r\n")
    return lines if not rest else None


def field_name(line: bytes) -> bytes | None:
    """The name of a field line in lower case; None: it is none."""
    name, colon, value = line.partition(b":")
    good = colon and consists_of(name, TCHAR) and consists_of(value, FIELD_VALUE, 0)
    return name.lower() if good else None


def field_names(lines: list[bytes]) -> list[bytes] | None:
    """The names of all these fields; None: one is malformed."""
    names = [name for line in lines if (name := field_name(line)) is not None]
    return names if len(names) == len(lines) else None


def is_target(text: bytes) -> bool:
    """Visible ASCII without a fragment."""
    return consists_of(text, VISIBLE - frozenset(b"#"))


def is_host(text: bytes) -> bool:
    """``host`` or ``host:port`` as the router takes them: a host of at most 255 bytes."""
    if text.startswith(b"["):
        inner, bracket, rest = text[1:].partition(b"]")
        good = bracket and consists_of(inner, HEX | frozenset(b":."), 2, 45)
    else:
        name, colon, port = text.partition(b":")
        good, rest = consists_of(name, REG_NAME, 1, 255), colon + port
    return bool(good) and (not rest or (rest[:1] == b":" and consists_of(rest[1:], DIGITS, 1, 5)))


def is_canonical_request(head: bytes) -> bool:
    """The form in which a request head crosses a link."""
    lines = lines_of(head)
    if not lines:
        return False
    method, *rest = lines[0].split(b" ")
    if len(rest) != 2 or rest[1] != b"HTTP/1.1" or not consists_of(method, TCHAR):
        return False
    target = rest[0]
    if method == b"CONNECT" or not is_target(target):
        return False
    if not (target.startswith(b"/") or (target == b"*" and method == b"OPTIONS")):
        return False
    names = field_names(lines[1:])
    if names is None or names.count(b"host") != 1 or set(names) & set(HOP_BY_HOP):
        return False
    return is_host(lines[1 + names.index(b"host")].partition(b":")[2].strip(b"\t "))


def is_canonical_response(head: bytes) -> bool:
    """The form in which a response head crosses a link."""
    lines = lines_of(head)
    if not lines or not lines[0].startswith(b"HTTP/1.1 "):
        return False
    code, blank, reason = lines[0][len(b"HTTP/1.1 ") :].partition(b" ")
    names = field_names(lines[1:])
    return (
        is_status(code)
        and bool(blank)
        and consists_of(reason, FIELD_VALUE, 0)
        and names is not None
        and not set(names) & set(HOP_BY_HOP)
    )


def is_status(code: bytes) -> bool:
    """Three digits."""
    return consists_of(code, DIGITS, 3, 3) and not code.startswith(b"0")


def is_trailers(block: bytes, forbidden: frozenset[bytes]) -> bool:
    """Field lines with none of these names."""
    lines = lines_of(block)
    names = field_names(lines) if lines is not None else None
    return names is not None and not set(names) & forbidden


def chunk_bytes(line: bytes) -> int | None:
    """The size that a chunk line states, its CRLF left off; None: it is malformed.

    The router takes at most 16 digits, and no blanks around ``;`` and ``=``.
    """
    length = next((at for at, byte in enumerate(line) if byte not in HEX), len(line))
    rest = line[length:]
    if not 1 <= length <= 16:
        return None
    while rest:
        if rest[:1] != b";":
            return None
        rest, name = after_token(rest[1:])
        if not name:
            return None
        if rest[:1] == b"=":
            if rest[1:2] == b'"':
                quoted = after_quoted(rest[2:])
                if quoted is None:
                    return None
                rest = quoted
            else:
                rest, value = after_token(rest[1:])
                if not value:
                    return None
    return int(line[:length], 16)


def after_token(text: bytes) -> tuple[bytes, bytes]:
    """What follows the token at the begin of ``text``, and the token; empty: there is none."""
    length = next((at for at, byte in enumerate(text) if byte not in TCHAR), len(text))
    return text[length:], text[:length]


def after_quoted(text: bytes) -> bytes | None:
    """What follows the quote that ends ``text``; None: it does not end."""
    at = 0
    while at < len(text):
        if text[at : at + 1] == b'"':
            return text[at + 1 :]
        if text[at : at + 1] == b"\\":
            at += 1
            if at >= len(text) or text[at] not in FIELD_VALUE:
                return None
        elif text[at] not in QUOTED:
            return None
        at += 1
    return None
