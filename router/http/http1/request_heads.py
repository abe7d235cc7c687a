"""The verdict on a request's head, and the canonical head to send on."""

import re

import msgspec

from router.http.http1 import grammar, second_opinion
from router.http.http1.forwarding import Forwarding, added_fields, times_here
from router.http.http1.grammar import HttpError, bad_request
from router.http.http1.heads import (
    DEFAULT,
    HeadLimits,
    LineJudge,
    StartLine,
    exceeds_limits,
    fields_in,
)

TARGET_TOO_LONG = HttpError(
    414, "target-too-long", "The request line is longer than this proxy accepts."
)
BAD_REQUEST_LINE = bad_request("The request line is malformed.")
BAD_TARGET = bad_request("The request target is not one that a proxy can serve.")
BAD_HOST = bad_request("The request does not name exactly one valid host.")
BAD_FRAMING = bad_request("The length of the request body is not given in one valid way.")
BAD_VERSION = HttpError(505, "version-not-supported", "This proxy speaks HTTP/1.1 and HTTP/1.0.")
NO_TUNNEL = HttpError(501, "not-implemented", "This proxy makes no tunnels: CONNECT is not served.")
UNKNOWN_CODING = HttpError(
    501, "not-implemented", "This proxy does not know the transfer coding of the request."
)
UNKNOWN_EXPECTATION = HttpError(
    417, "expectation-failed", "This proxy meets no expectation other than 100-continue."
)
LOOP = HttpError(508, "loop-detected", "The request came through this site twice before.")

# CONNECT is refused whatever its target: the bytes after a 2xx to it would not be a body.
_REQUEST_LINE = (
    rb"((?!CONNECT )" + grammar.TOKEN + rb"++) (" + grammar.TARGET + rb"++) HTTP/1\.([01])\r\n"
)
_HEAD = re.compile(_REQUEST_LINE + grammar.FIELDS + rb"\r\n")
_LINE = re.compile(_REQUEST_LINE)
_OTHER_VERSION = re.compile(grammar.TOKEN + rb"++ " + grammar.TARGET + rb"++ HTTP/[0-9]\.[0-9]")
_CONNECT = re.compile(rb"CONNECT " + grammar.TARGET + rb"++ HTTP/1\.[01]")
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?]*)(.*)")

# The fields that decide on framing, routing or forwarding. Spelling out the first letters lets a
# search skip other lines fast; a leading LF ties a name to a line's start.
_SPECIAL_NAME = (
    rb"[hHcCtTuUkKpPeEvVxX](?i:ost|on(?:nection|tent-length)|ransfer-encoding|e|pgrade"
    rb"|eep-alive|roxy-connection|xpect|ia|ttp2-settings|-forwarded-(?:for|host|proto))"
)
_SPECIAL = re.compile(rb"\n(" + _SPECIAL_NAME + rb"):[ \t]*([^\r]*)")

# The usual head in one step: in origin form, with one good Host, then the fields added by earlier
# proxies, maybe one length and a Connection: keep-alive. Its groups include the parts that stay,
# each up to the first line that does not, and for two of them the first letter of a proxy's line in
# it (empty if there is none).
_OF_PROXIES = (b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto")
_OTHER = grammar.field_but((*grammar.HOP_BY_HOP, b"host", b"expect", *_OF_PROXIES))
_OTHERS = (
    _OTHER
    + rb"*(?:([vVxX])(?i:ia|-forwarded-(?:for|host|proto)):"
    + grammar.VALUE
    + rb"*+\r\n"
    + _OTHER
    + rb"*)*"
)
_MAYBE_KEPT_ALIVE = grammar.maybe_kept_alive(rb"(" + _OTHER + rb"*)")
_USUAL = re.compile(
    rb"(((?!CONNECT )"
    + grammar.TOKEN
    + rb"++) /"
    + grammar.TARGET
    + rb"*+ HTTP/1\.1\r\n(?:|"  # Host usually comes first.
    + _OTHER
    + rb"+)(?i:host):[ \t]*+("
    + grammar.HOST.pattern
    + rb")\r\n"
    + _OTHERS
    + rb")"
    + _MAYBE_KEPT_ALIVE
    + rb"(?:"
    + grammar.LENGTH
    + rb"("
    + _OTHERS
    + rb")"
    + _MAYBE_KEPT_ALIVE
    + rb")?\r\n"
)
_OF_PROXY = re.compile(rb"\n([vVxX](?i:ia|-forwarded-(?:for|host|proto))):[ \t]*([^\r]*)")
_JOINED = re.compile(rb"\r\n[vVxX](?i:ia|-forwarded-for):[^\r]*")
_REMOVED = re.compile(
    rb"\r\n(?i:" + grammar.HOP_BY_HOP_ALTERNATIVES + rb"|via|x-forwarded-for):[^\r]*"
)
_HOST_FIELD = re.compile(rb"\r\n(?i:host):[^\r]*")
_EXPECT_FIELD = re.compile(rb"\r\n(?i:expect):[^\r]*")
LLHTTP_METHODS = frozenset(
    (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE")
)
_CODINGS = re.compile(grammar.TOKEN + rb"+(?:[ \t]*,[ \t]*" + grammar.TOKEN + rb"+)*")


class RequestHead(msgspec.Struct, frozen=True, gc=False):
    """A request head that may be forwarded. ``head`` is canonical, our own fields added.

    ``body_bytes``: 0 none, -1 chunked. ``upgrade`` is the requested protocol, in lower case, empty:
    none. ``keep_alive``: the client keeps the connection open. ``old``: it speaks HTTP/1.0.
    ``expects``: it waits for 100 before it sends its body. ``fields`` counts the header fields if
    trailers may follow: chunked. ``is_usual``: nothing makes its response look special: HEAD, an
    upgrade, HTTP/1.0, the last request of its connection, an expectation. ``client_end``: the end
    of the client's address in ``head``; only that address depends on the client.
    """

    head: bytes
    body_bytes: int
    idempotent: bool
    head_only: bool
    upgrade: str
    keep_alive: bool
    old: bool
    expects: bool
    fields: int
    is_usual: bool
    client_end: int

    def of_client(self, before: bytes, client: bytes) -> "RequestHead":
        """The same head from another ``client`` than ``before``."""
        start, end = self.client_end - len(before), self.client_end
        return RequestHead(
            head=b"%b%b%b" % (self.head[:start], client, self.head[end:]),
            body_bytes=self.body_bytes,
            idempotent=self.idempotent,
            head_only=self.head_only,
            upgrade=self.upgrade,
            keep_alive=self.keep_alive,
            old=self.old,
            expects=self.expects,
            fields=self.fields,
            is_usual=self.is_usual,
            client_end=start + len(client),
        )


def _judge_request_line(line: bytes) -> HttpError | None:
    if _LINE.fullmatch(line + b"\r\n") is not None:
        return None
    if _CONNECT.fullmatch(line) is not None:
        return NO_TUNNEL
    return BAD_VERSION if _OTHER_VERSION.fullmatch(line) is not None else BAD_REQUEST_LINE


START = StartLine(grammar.NOT_VISIBLE, _judge_request_line, TARGET_TOO_LONG)


def read_request_head(
    head: bytes, forwarding: Forwarding, limits: HeadLimits = DEFAULT
) -> RequestHead | HttpError:
    """The verdict on a head, including its blank line: the head to forward, or the error."""
    usual = _USUAL.fullmatch(head)
    if usual is not None and (len(head) <= limits.small_bytes or not exceeds_limits(head, limits)):
        return _usual(usual, forwarding)
    match = _HEAD.fullmatch(head)
    if match is None or exceeds_limits(head, limits):
        return LineJudge(START, limits).judge(head[:-2]) or BAD_REQUEST_LINE
    method, target, minor = match.groups()
    old = minor == b"0"
    fields = _fields(_SPECIAL, head)
    body_bytes = _body_bytes(fields, old)
    if isinstance(body_bytes, HttpError):
        return body_bytes
    host = _host(fields, old, forwarding)
    if host is None:
        return BAD_HOST
    if not target.startswith(b"/"):
        located = _located(method, target, host)
        if isinstance(located, HttpError):
            return located
        target, host = located
    expects = b"expect" in fields and not old
    if expects and [value.lower() for value in fields[b"expect"]] != [b"100-continue"]:
        return UNKNOWN_EXPECTATION
    if times_here(fields.get(b"via"), forwarding.site_name) >= 2:
        return LOOP
    error = _second_opinion(head, method)
    if error is not None:
        return error
    options = grammar.options_of(fields[b"connection"]) if b"connection" in fields else []
    upgrade = _upgrade(fields, options) if body_bytes == 0 and not old else ""
    block = head[match.end(3) : -4]
    kept = b"%b %b HTTP/1.1%b\r\n" % (
        method,
        target,
        _kept(block, fields, options, host, old),
    )
    added = added_fields(fields, host, forwarding)
    return RequestHead(
        head=kept + added,
        body_bytes=body_bytes,
        idempotent=method in grammar.IDEMPOTENT,
        head_only=method == b"HEAD",
        upgrade=upgrade,
        keep_alive=(b"keep-alive" in options if old else True) and b"close" not in options,
        old=old,
        expects=expects,
        fields=fields_in(head),
        is_usual=not (old or expects or upgrade or method == b"HEAD") and b"close" not in options,
        client_end=len(kept) + added.index(b"\r\n"),
    )


def _usual(match: re.Match[bytes], forwarding: Forwarding) -> RequestHead | HttpError:
    """The usual head: its only special fields are Host, a length, and those added by other proxies.

    The general way would give the same result, with no objection from llhttp either.
    """
    first, method, host, in_first, second, length, third, in_third, fourth = match.groups(b"")
    kept = first + second + third + fourth  # Usually only the first.
    before, after, client_end = forwarding.around_host
    if in_first or in_third:
        fields = _fields(_OF_PROXY, kept)
        if times_here(fields.get(b"via"), forwarding.site_name) >= 2:
            return LOOP
        kept = _JOINED.sub(b"", kept)
        added = added_fields(fields, host, forwarding)
        head = kept + added
        client_end = added.index(b"\r\n")
    else:
        head = b"".join((kept, before, host, after))
    is_head = method == b"HEAD"
    return RequestHead(  # Positional: keyword arguments take twice as long.
        head,
        int(length) if length else 0,
        method in grammar.IDEMPOTENT,
        is_head,
        "",
        True,
        False,
        False,
        0,
        not is_head,
        len(kept) + client_end,
    )


def _fields(pattern: re.Pattern[bytes], head: bytes) -> dict[bytes, list[bytes]]:
    """The values of all fields that the pattern finds, by their names in lower case."""
    fields: dict[bytes, list[bytes]] = {}
    for name, value in pattern.findall(head):
        fields.setdefault(name.lower(), []).append(value.rstrip(b" \t"))
    return fields


def _body_bytes(fields: dict[bytes, list[bytes]], old: bool) -> int | HttpError:
    lengths = fields.get(b"content-length")
    codings = fields.get(b"transfer-encoding")
    if codings is None:
        if lengths is None:
            return 0
        if len(lengths) != 1 or grammar.DECIMAL.fullmatch(lengths[0]) is None:
            return BAD_FRAMING
        return int(lengths[0])
    if lengths is not None or old or len(codings) != 1:
        return BAD_FRAMING
    coding = codings[0].lower()
    if coding == b"chunked":
        return -1
    known = _CODINGS.fullmatch(coding) is not None and coding.count(b"chunked") < 2
    return UNKNOWN_CODING if known else BAD_FRAMING


def _host(fields: dict[bytes, list[bytes]], old: bool, forwarding: Forwarding) -> bytes | None:
    hosts = fields.get(b"host")
    if hosts is None:
        return forwarding.host if old else None
    if len(hosts) != 1 or grammar.HOST.fullmatch(hosts[0]) is None:
        return None
    return hosts[0]


def _located(method: bytes, target: bytes, host: bytes) -> tuple[bytes, bytes] | HttpError:
    """Target in origin form and the host it names, for a target in any other form."""
    if target == b"*":
        return (target, host) if method == b"OPTIONS" else BAD_TARGET
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        return BAD_TARGET
    authority, path = absolute.groups()
    if grammar.HOST.fullmatch(authority) is None:
        return BAD_HOST
    if not path:
        path = b"*" if method == b"OPTIONS" else b"/"
    return (path if path.startswith((b"/", b"*")) else b"/" + path), authority


def _second_opinion(head: bytes, method: bytes) -> HttpError | None:
    """The objection of llhttp to a head that our grammar accepted; None: it has none.

    llhttp knows only some methods, and no tab behind a coding, though any token is a method and
    tabs are optional white space like blanks (RFC 9110, 9.1 and 5.6.3): both are replaced first.
    """
    if method not in LLHTTP_METHODS:
        head = b"GET" + head[len(method) :]
    if b"\t" in head:  # Only in values.
        head = head.replace(b"\t", b" ")
    return None if second_opinion.takes_request(head) else BAD_REQUEST_LINE


def _upgrade(fields: dict[bytes, list[bytes]], options: list[bytes]) -> str:
    """The one requested protocol. Several protocols, and h2c, are not relayed: no proxy has to."""
    asked = fields.get(b"upgrade")
    if asked is None or len(asked) != 1 or b"upgrade" not in options:
        return ""
    token = asked[0].lower()
    return token.decode("ascii") if grammar.is_upgrade(token) else ""


def _kept(
    block: bytes, fields: dict[bytes, list[bytes]], options: list[bytes], host: bytes, old: bool
) -> bytes:
    """The client's fields to send on, each preceded by CRLF."""
    hosts = fields.get(b"host")
    if len(fields) > 1 or hosts is None:
        block = _REMOVED.sub(b"", block)
    named = frozenset(options) - grammar.PROTECTED_OPTIONS - {b"close", b"keep-alive", b"upgrade"}
    if named:
        block = grammar.without_fields(block, named)
    if old and b"expect" in fields:
        block = _EXPECT_FIELD.sub(b"", block)  # It means nothing from HTTP/1.0 (9110, 10.1.1).
    if hosts is None or hosts[0] != host:
        block = b"\r\nHost: " + host + _HOST_FIELD.sub(b"", block)
    return block
