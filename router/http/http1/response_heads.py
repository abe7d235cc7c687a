"""The verdict on a response's head, and the canonical head to send on."""

import re

import msgspec

from router.http.http1 import grammar, second_opinion
from router.http.http1.canonical import CARRIED_UPGRADE, UPGRADE_REQUIRED
from router.http.http1.heads import (
    DEFAULT,
    HeadLimits,
    LineJudge,
    StartLine,
    exceeds_limits,
    fields_in,
)
from router.http.http1.render import is_bodiless
from router.model.limits import POOL_IDLE_S

_STATUS_LINE = rb"HTTP/1\.([01]) ([1-9][0-9]{2})((?: " + grammar.VALUE + rb"*+)?)\r\n"
_HEAD = re.compile(_STATUS_LINE + grammar.FIELDS + rb"\r\n")
_LINE = re.compile(_STATUS_LINE)
_SPECIAL = re.compile(
    rb"\n([cCtTuUkKpP](?i:on(?:nection|tent-length)|ransfer-encoding|e|pgrade"
    rb"|eep-alive|roxy-connection)):[ \t]*([^\r]*)"
)
_REMOVED = re.compile(rb"\r\n(?i:" + grammar.HOP_BY_HOP_ALTERNATIVES + rb"):[^\r]*")

# The usual head in one step: final, its body framed in one way or not at all, and maybe a
# Connection: keep-alive. All groups except three are the parts that stay; the first has all lines
# before the first one that does not stay.
_OTHERS = grammar.field_but(grammar.HOP_BY_HOP) + rb"*"
_MAYBE_KEPT_ALIVE = grammar.maybe_kept_alive(rb"(" + _OTHERS + rb")")
_CHUNKED = rb"(?i:transfer-encoding):[ \t]*+((?i:chunked))\r\n"
_PLAIN = re.compile(
    rb"(HTTP/1\.1 ([2-9][0-9]{2}) "
    + grammar.VALUE
    + rb"*+\r\n"
    + _OTHERS
    + rb")"
    + _MAYBE_KEPT_ALIVE
    + rb"(?:(?:"
    + grammar.LENGTH
    + rb"|"
    + _CHUNKED
    + rb")("
    + _OTHERS
    + rb")"
    + _MAYBE_KEPT_ALIVE
    + rb")?\r\n"
)
_KEEP_ALIVE_TIMEOUT = re.compile(rb"(?i)(?:^|[ \t,])timeout=([0-9]{1,6})\b")


class ResponseHead(msgspec.Struct, frozen=True, gc=False):
    """A response head that may be passed on.

    ``body_bytes`` is the declared length, -1 none declared. ``has_body``: a body follows.
    ``whole_bytes``: the number of bytes after it that complete a final response; -1: not declared,
    or not final. ``fields`` counts the header fields if trailers may follow: ``chunked``.
    ``idle_s``: how long its connection may idle afterwards and be used again; 0.0: it may not.
    """

    status: int
    head: bytes
    body_bytes: int
    has_body: bool
    whole_bytes: int
    chunked: bool
    idle_s: float
    fields: int


def _judge_status_line(line: bytes) -> grammar.HttpError | None:
    return None if _LINE.fullmatch(line + b"\r\n") is not None else _BAD_STATUS_LINE


_BAD_STATUS_LINE = grammar.bad_request("The status line is malformed.")
START = StartLine(
    grammar.NOT_IN_VALUE, _judge_status_line, grammar.bad_request("The status line is too long.")
)


def read_response_head(
    head: bytes, *, head_only: bool, upgrade: bytes, limits: HeadLimits = DEFAULT
) -> ResponseHead | str:
    """The verdict on a head, including its blank line: the head to pass on, or its fault.

    ``upgrade`` is the requested protocol in lower case, empty: none.
    """
    plain = _PLAIN.fullmatch(head)
    if plain is not None and (len(head) <= limits.small_bytes or not exceeds_limits(head, limits)):
        # The general way would give the same result, with no objection from llhttp either.
        first, code, second, length, coding, third, fourth = plain.groups(b"")
        status = grammar.STATUSES[code]
        bodiless = head_only or status == 204 or status == 304
        is_chunked = coding != b"" and status != 204
        body_bytes = int(length) if length and status != 204 else -1
        return ResponseHead(  # Positional: keyword arguments take twice as long.
            status,
            b"".join((first, second, third, fourth)),
            body_bytes,
            not bodiless,
            0 if bodiless else body_bytes,
            is_chunked,
            POOL_IDLE_S,
            fields_in(head) if is_chunked else 0,
        )
    return _read_unusual(head, head_only=head_only, upgrade=upgrade, limits=limits)


def _read_unusual(
    head: bytes, *, head_only: bool, upgrade: bytes, limits: HeadLimits
) -> ResponseHead | str:
    """The verdict on any other head, by the general grammar."""
    match = _HEAD.fullmatch(head)
    if match is None or exceeds_limits(head, limits):
        return (LineJudge(START, limits).judge(head[:-2]) or _BAD_STATUS_LINE).sentence
    minor, code, reason = match.groups()
    old, status = minor == b"0", int(code)
    fields: dict[bytes, list[bytes]] = {}
    for name, value in _SPECIAL.findall(head):
        fields.setdefault(name.lower(), []).append(value.rstrip(b" \t"))
    options = grammar.options_of(fields[b"connection"]) if b"connection" in fields else []
    if status == 101 and not _switches(fields, options, upgrade):
        return "the target switches to a protocol that was not asked for"
    framing = _framing(fields, old)
    if framing is None:
        return "the length of the response is not given in one valid way"
    if status < 200 or status == 204:
        framing = (-1, False)  # No body follows, whatever is declared (9112, 6.3).
    if not second_opinion.takes_response(head):
        return _BAD
    body_bytes, chunked = framing
    bodiless = is_bodiless(status, head_only)
    block = head[match.end(3) : -4]
    if fields:
        block = _REMOVED.sub(b"", block)
        named = frozenset(options) - grammar.PROTECTED_OPTIONS - _USUAL_OPTIONS
        if named:
            block = grammar.without_fields(block, named)
        if status == UPGRADE_REQUIRED and b"upgrade" in fields:
            block += CARRIED_UPGRADE + b", ".join(fields[b"upgrade"])
    return ResponseHead(
        status=status,
        head=b"HTTP/1.1 %b%b%b\r\n" % (code, reason or b" ", block),
        body_bytes=body_bytes,
        has_body=not bodiless,
        whole_bytes=-1 if status < 200 else 0 if bodiless else body_bytes,
        chunked=chunked,
        idle_s=_idle_s(fields, options, old),
        fields=fields_in(head),
    )


_BAD = "the response head is malformed"


_USUAL_OPTIONS = frozenset((b"close", b"keep-alive", b"upgrade"))


def _framing(fields: dict[bytes, list[bytes]], old: bool) -> tuple[int, bool] | None:
    lengths = fields.get(b"content-length")
    codings = fields.get(b"transfer-encoding")
    if codings is not None:
        good = lengths is None and not old and [value.lower() for value in codings] == [b"chunked"]
        return (-1, True) if good else None
    if lengths is None:
        return (-1, False)
    if len(lengths) != 1 or grammar.DECIMAL.fullmatch(lengths[0]) is None:
        return None
    return (int(lengths[0]), False)


def _switches(fields: dict[bytes, list[bytes]], options: list[bytes], upgrade: bytes) -> bool:
    named = [value.lower() for value in fields.get(b"upgrade", ())]
    return upgrade != b"" and named == [upgrade] and b"upgrade" in options


def _idle_s(fields: dict[bytes, list[bytes]], options: list[bytes], old: bool) -> float:
    """One second less than the target says that it keeps the connection."""
    if b"close" in options or (old and b"keep-alive" not in options):
        return 0.0
    for value in fields.get(b"keep-alive", ()):
        match = _KEEP_ALIVE_TIMEOUT.search(value)
        if match is not None:
            return min(POOL_IDLE_S, max(int(match[1]) - 1.0, 0.0))
    return POOL_IDLE_S
