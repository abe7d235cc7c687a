"""Finding the end of a head, with verdicts that do not depend on the cut of the stream."""

from collections.abc import Callable
from re import Pattern

import msgspec

from router.http.http1.grammar import FIELD_LINE, NOT_IN_VALUE, HttpError, bad_request
from router.model.settings import ServiceLimits

HEADER_TOO_LARGE = HttpError(
    431, "header-too-large", "The header fields are larger than this proxy accepts."
)
TOO_MANY_FIELDS = HttpError(431, "header-too-large", "There are too many header fields.")
BAD_FIELD = bad_request("A header field is malformed.")
BARE_LINE_FEED = bad_request("A line does not end in CR LF.")


class HeadLimits(msgspec.Struct, frozen=True):
    """The size limits of a message without its body; see `ServiceLimits`, all inclusive.

    A head of at most ``harmless_bytes`` can break only the limit on the number of its fields, one
    of at most ``small_bytes`` none.
    """

    line_bytes: int
    field_bytes: int
    block_bytes: int
    fields: int
    chunk_line_bytes: int
    harmless_bytes: int
    small_bytes: int


def head_limits(settings: ServiceLimits) -> HeadLimits:
    """The limits of a service, in the form that parsers need."""
    line, field = settings.request_line_bytes, settings.header_field_bytes
    block = settings.header_block_bytes
    harmless = min(line, field, block)
    return HeadLimits(
        line_bytes=line,
        field_bytes=field,
        block_bytes=block,
        fields=settings.headers,
        chunk_line_bytes=settings.chunk_line_bytes,
        harmless_bytes=harmless,
        small_bytes=min(harmless, settings.headers * len(b"a:\r\n")),
    )


DEFAULT = head_limits(ServiceLimits())


class StartLine:
    """How to judge a start line: the illegal bytes, and the verdict on the whole line."""

    __slots__ = ("illegal", "judge", "too_long")

    def __init__(
        self,
        illegal: Pattern[bytes],
        judge: Callable[[bytes], HttpError | None],
        too_long: HttpError,
    ) -> None:
        self.illegal = illegal
        self.judge = judge
        self.too_long = too_long


class LineJudge:
    """The first violation in stream order among the lines of a head or trailer section.

    Works on a growing buffer: judged lines are not read again, and the unfinished line is judged as
    far as its bytes decide. So any sequence of growing prefixes ends in the same verdict as the
    whole. ``start`` None: only field lines, ``fields`` already counted.
    """

    __slots__ = ("_fields", "_limits", "_position", "_start", "_used_bytes")

    def __init__(self, start: StartLine | None, limits: HeadLimits, fields: int = 0) -> None:
        self._start = start
        self._limits = limits
        self._fields = fields
        self._position = 0
        self._used_bytes = 0

    def judge(self, buffer: bytes) -> HttpError | None:
        """The verdict on ``buffer``, which starts at the same byte each time; None: good so far."""
        while (end := buffer.find(b"\n", self._position)) >= 0:
            has_cr = buffer[end - 1 : end] == b"\r" and end > self._position
            line = buffer[self._position : end - 1 if has_cr else end]
            error = self._judge_line(line, complete=True, has_cr=has_cr)
            if error is not None:
                return error
            self._position = end + 1
        tail = buffer[self._position :]
        return self._judge_line(tail.removesuffix(b"\r"), complete=False, has_cr=True)

    def _judge_line(self, line: bytes, *, complete: bool, has_cr: bool) -> HttpError | None:
        start, limits = self._start, self._limits
        if start is not None:
            error = self._judge_text(line, limits.line_bytes, start.illegal, start.too_long, has_cr)
            if error is None and complete:
                error = start.judge(line)
                self._start = None
            return error
        if not line:
            # The caller finds the blank line that ends the section. A lone LF is not one.
            return None if has_cr else BARE_LINE_FEED
        if self._fields >= limits.fields:
            return TOO_MANY_FIELDS
        room = limits.block_bytes - self._used_bytes - 2
        limit = min(limits.field_bytes, max(room, 0))
        error = self._judge_text(line, limit, NOT_IN_VALUE, HEADER_TOO_LARGE, has_cr)
        if error is None and complete:
            if FIELD_LINE.fullmatch(line) is None:
                return BAD_FIELD
            self._fields += 1
            self._used_bytes += len(line) + 2
        return error

    @staticmethod
    def _judge_text(
        line: bytes, limit: int, illegal: Pattern[bytes], too_long: HttpError, has_cr: bool
    ) -> HttpError | None:
        if illegal.search(line[: limit + 1]) is not None:
            return (
                BAD_FIELD
                if illegal is NOT_IN_VALUE
                else bad_request("The request line holds bytes that HTTP does not allow.")
            )
        if len(line) > limit:
            return too_long
        return None if has_cr else BARE_LINE_FEED


def exceeds_limits(head: bytes, limits: HeadLimits) -> bool:
    """A complete, well-formed head (blank line included) breaks a limit on size or count."""
    size = len(head)
    if size <= limits.small_bytes:
        return False
    if fields_in(head) > limits.fields:
        return True
    if size <= limits.harmless_bytes:
        return False  # No part can exceed its limit.
    line_end = head.index(b"\r\n")
    if line_end > limits.line_bytes:
        return True
    if size - line_end - 4 > limits.block_bytes:
        return True
    return max(map(len, head.split(b"\r\n")[1:])) > limits.field_bytes


def fields_in(head: bytes) -> int:
    """The number of header fields in a complete, well-formed head."""
    return head.count(b"\n") - 2
