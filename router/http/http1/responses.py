"""Responses as targets send them: heads judged and made canonical, bodies decoded."""

import enum
import re
from typing import Protocol

import msgspec

from router.http.http1 import grammar, second_opinion
from router.http.http1.bytes_cache import BytesCache
from router.http.http1.chunks import ChunkDecoder
from router.http.http1.heads import (
    DEFAULT,
    HeadLimits,
    LineJudge,
    StartLine,
    exceeds_limits,
    fields_in,
)
from router.http.http1.messages import HEAD_END, NOTHING, BodySink, MessageParser
from router.http.http1.render import is_bodiless, with_via
from router.model.limits import HEADS_PER_STREAM_MAX, INTERIM_BYTES_MAX, POOL_IDLE_S

_STATUS_LINE = rb"HTTP/1\.([01]) ([1-9][0-9]{2})((?: " + grammar.VALUE + rb"*+)?)\r\n"
_HEAD = re.compile(_STATUS_LINE + grammar.FIELDS + rb"\r\n")
_LINE = re.compile(_STATUS_LINE)
_SPECIAL = re.compile(
    rb"\n([cCtTuUkKpP](?i:on(?:nection|tent-length)|ransfer-encoding|e|pgrade"
    rb"|eep-alive|roxy-connection)):[ \t]*([^\r]*)"
)
_REMOVED = re.compile(rb"\r\n(?i:" + grammar.HOP_BY_HOP_ALTERNATIVES + rb"):[^\r]*")

# The commonest head in one step: final, its body framed in one way or in none, and maybe the word
# that the connection lives on. Its groups but three are what stays, all before the first line that
# does not in one.
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

    ``body_bytes`` is the declared length, -1 none declared. ``has_body``: one follows.
    ``whole_bytes``: with so many after it a final response is complete; -1: it is not said, or it
    is not final. ``fields`` counts the header fields if trailers may follow: ``chunked``.
    ``idle_s``: how long its connection may idle after it to be used again; 0.0: it may not.
    """

    status: int
    head: bytes
    body_bytes: int
    has_body: bool
    whole_bytes: int
    chunked: bool
    idle_s: float
    fields: int


class ResponseSink(BodySink, Protocol):
    """Who is told what a target sent: `response` for each 1xx and the final head, and so on.

    After 101 `body` gets raw bytes. A final response that came in one piece is told by `whole`, and
    by nothing else.
    """

    def response(self, head: ResponseHead) -> None: ...

    def whole(self, head: ResponseHead, body: memoryview) -> None:
        """A final head and all that follows it, which may be nothing. No trailers."""

    def complete(self) -> None:
        """The response is complete."""

    def failed(self, reason: str) -> None:
        """Not a response that can be passed on. The last call."""


def tell_in_parts(sink: ResponseSink, head: ResponseHead, body: memoryview) -> None:
    """What `ResponseSink.whole` stands for, call by call."""
    sink.response(head)
    if body:
        sink.body(body)
    sink.complete()


class _State(enum.Enum):
    HEAD = enum.auto()
    BODY = enum.auto()
    UNTIL_END = enum.auto()
    RAW = enum.auto()
    COMPLETE = enum.auto()
    FAILED = enum.auto()


# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
_IN_HEAD = _State.HEAD
_IN_BODY = _State.BODY
_UNTIL_END = _State.UNTIL_END
_RAW = _State.RAW
_COMPLETE = _State.COMPLETE
_FAILED = _State.FAILED


class KnownResponse(msgspec.Struct, eq=False):
    """A head that may come again, and the verdict in ``memory``'s terms.

    ``relayed``: as another site gets it, with our Via; empty: it was not asked for yet.
    """

    memory: "KnownResponses"
    head: ResponseHead
    relayed: bytes = b""

    def relay(self, via: bytes) -> bytes:
        """``relayed``, once and for all: a router has one name."""
        self.relayed = with_via(self.head.head, via)
        return self.relayed


class KnownResponses:
    """The heads known by the limits of one service port, among those in ``store``.

    Only of responses to requests that were neither HEAD nor for an upgrade.
    """

    __slots__ = ("limits", "store")

    def __init__(
        self, limits: HeadLimits = DEFAULT, store: BytesCache[KnownResponse] | None = None
    ) -> None:
        self.limits = limits
        self.store: BytesCache[KnownResponse] = store if store is not None else BytesCache()

    def read(self, text: bytes) -> KnownResponse | str:
        """The verdict on a head that is not known, its blank line included.

        What is wrong with it is not kept.
        """
        head = read_response_head(text, head_only=False, upgrade=b"", limits=self.limits)
        if type(head) is not ResponseHead:  # `isinstance` is slow for their kind of class.
            assert isinstance(head, str), "it is one of the two"
            return head
        known = KnownResponse(self, head)
        self.store.note(text, known)
        return known


class ResponseParser(MessageParser):
    """The response to one request, any number of 1xx before it.

    ``head_only``: the request was HEAD. ``upgrade``: the protocol it asked for; only then a 101
    is good, and only for that protocol.
    """

    __slots__ = (
        "_head_only",
        "_interim_bytes",
        "_interims",
        "_sink",
        "_state",
        "_upgrade",
        "excess",
        "is_complete",
        "is_untouched",
        "reusable",
    )

    def __init__(
        self,
        sink: ResponseSink,
        *,
        head_only: bool,
        upgrade: str,
        limits: HeadLimits = DEFAULT,
    ) -> None:
        MessageParser.__init__(self, _START, limits)  # `super` costs a call more.
        self._sink = sink
        self._head_only = head_only
        self._upgrade = upgrade.lower().encode("ascii") if upgrade else b""
        self._state = _IN_HEAD
        self._interims = 0
        self._interim_bytes = 0
        self.excess = False
        """Bytes came after the end of the response: the connection cannot be used again."""
        self.reusable = False
        """The end of the response was told by its framing and the connection may live on."""
        self.is_untouched = True
        """No byte of a response has arrived, or of the next one after a 1xx."""
        self.is_complete = False

    def feed(self, data: memoryview) -> None:
        """Tell the sink what ``data`` completes. Dropped after `failed`."""
        while len(data) > 0:
            state = self._state
            if state is _IN_HEAD:
                data = self._feed_head(data)
                continue
            if state is _IN_BODY:
                self._take_body(data, self._sink)
            elif state is _UNTIL_END or state is _RAW:
                self._sink.body(data)
            elif state is _COMPLETE:
                self.excess = True
            return

    def go_on(self, head: ResponseHead, rest: memoryview) -> None:
        """Instead of the first `feed`: what comes after a head that somebody else has read."""
        self._begin(head)
        self.feed(rest)

    def end(self) -> None:
        """The target finished cleanly: the end of a response that states no length."""
        if self._state is _UNTIL_END:
            self._complete()
        elif self._state not in (_COMPLETE, _RAW):
            self._fail("the target closed the connection within the response")

    def _feed_head(self, data: memoryview) -> memoryview:
        buffer = self._pending + bytes(data) if self._pending else bytes(data)
        end = buffer.find(HEAD_END) + 4
        if end < 4:
            self._keep_head(buffer)
            self.is_untouched = False
            return NOTHING
        if self._pending:
            self._pending = b""
            self._judge = None
        result = read_response_head(
            buffer[:end],
            head_only=self._head_only,
            upgrade=self._upgrade,
            limits=self._limits,
        )
        if isinstance(result, str):
            self._fail(result)
            return NOTHING
        # Of what was cut the view is one of our own copy.
        rest = data[end:] if len(buffer) == len(data) else memoryview(buffer)[end:]
        if result.whole_bytes == len(rest):
            self.is_untouched = False
            self.reusable = result.idle_s > 0
            self._state = _COMPLETE
            self.is_complete = True
            self._sink.whole(result, rest)
            del self._sink  # As in `_complete`.
            return NOTHING
        self._begin(result)
        return rest

    def _begin(self, head: ResponseHead) -> None:
        self.is_untouched = False
        if head.status == 101:
            self._state = _RAW
        elif head.status < 200:
            # No reader can slow these down, and a stream to another site bears no more either.
            self._interims += 1
            self._interim_bytes += len(head.head)
            if self._interims >= HEADS_PER_STREAM_MAX or self._interim_bytes > INTERIM_BYTES_MAX:
                self._fail("the target sends interim responses without end")
                return
            self._state = _IN_HEAD
            self.is_untouched = True
        elif not head.has_body or head.body_bytes == 0:
            self.reusable = head.idle_s > 0
            self._sink.response(head)
            self._complete()
            return
        elif head.chunked:
            self._state = _IN_BODY
            self._chunks = ChunkDecoder(head.fields, self._limits)
            self.reusable = head.idle_s > 0
        elif head.body_bytes >= 0:
            self._state = _IN_BODY
            self._left = head.body_bytes
            self.reusable = head.idle_s > 0
        else:
            self._state = _UNTIL_END
        self._sink.response(head)

    def _whole(self, rest: memoryview) -> None:
        self._complete()
        self.excess = len(rest) > 0

    def _broken(self, error: grammar.HttpError) -> None:
        self._fail(error.sentence)

    def _complete(self) -> None:
        self._state = _COMPLETE
        self.is_complete = True
        self._sink.complete()
        del self._sink  # It holds us: let no cycle wait for the collector.

    def _fail(self, reason: str) -> None:
        self._state = _FAILED
        self._pending = b""
        self.is_untouched = False
        self._sink.failed(reason)


def _judge_status_line(line: bytes) -> grammar.HttpError | None:
    return None if _LINE.fullmatch(line + b"\r\n") is not None else _BAD_STATUS_LINE


_BAD_STATUS_LINE = grammar.bad_request("The status line is malformed.")
_START = StartLine(
    grammar.NOT_IN_VALUE, _judge_status_line, grammar.bad_request("The status line is too long.")
)


def read_response_head(
    head: bytes, *, head_only: bool, upgrade: bytes, limits: HeadLimits = DEFAULT
) -> ResponseHead | str:
    """The verdict on a head, its blank line included: what to pass on, or what is wrong with it.

    ``upgrade`` is the protocol asked for in lower case, empty: none.
    """
    plain = _PLAIN.fullmatch(head)
    if plain is not None and (len(head) <= limits.small_bytes or not exceeds_limits(head, limits)):
        # The general way would come to the same, with no word against it from llhttp either.
        first, code, second, length, coding, third, fourth = plain.groups(b"")
        status = grammar.STATUSES[code]
        bodiless = head_only or status == 204 or status == 304
        is_chunked = coding != b"" and status != 204
        body_bytes = int(length) if length and status != 204 else -1
        return ResponseHead(  # By position: with keywords it takes twice as long.
            status,
            b"".join((first, second, third, fourth)),
            body_bytes,
            not bodiless,
            0 if bodiless else body_bytes,
            is_chunked,
            POOL_IDLE_S,
            fields_in(head) if is_chunked else 0,
        )
    match = _HEAD.fullmatch(head)
    if match is None or exceeds_limits(head, limits):
        return (LineJudge(_START, limits).judge(head[:-2]) or _BAD_STATUS_LINE).sentence
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
        framing = (-1, False)  # Nothing follows, whatever is declared (9112, 6.3).
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
    """A second less than the target says that it keeps the connection."""
    if b"close" in options or (old and b"keep-alive" not in options):
        return 0.0
    for value in fields.get(b"keep-alive", ()):
        match = _KEEP_ALIVE_TIMEOUT.search(value)
        if match is not None:
            return min(POOL_IDLE_S, max(int(match[1]) - 1.0, 0.0))
    return POOL_IDLE_S
