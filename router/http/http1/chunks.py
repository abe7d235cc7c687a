"""The chunked transfer coding, decoded (RFC 9112, 7.1). Extensions are dropped."""

import re

from router.http.http1.grammar import NOT_IN_TRAILERS, OF_CONNECTIONS, TOKEN, HttpError, bad_request
from router.http.http1.heads import DEFAULT, HeadLimits, LineJudge

# Extensions by the letter of RFC 9112, 7.1.1, but without the optional blanks, which no peer sends.
_QUOTED = rb'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]++|\\[\t\x20-\x7e\x80-\xff])*"'
_EXTENSION = rb";" + TOKEN + rb"++(?:=(?:" + TOKEN + rb"++|" + _QUOTED + rb"))?"
_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:" + _EXTENSION + rb")*\r\n")
_LINE_BEGUN = re.compile(
    rb"(?:[0-9A-Fa-f]{0,16}|[0-9A-Fa-f]{1,16}(?:\r|;[\t\x20-\x7e\x80-\xff]*+\r?))"
)

_OF_CONNECTION = re.compile(rb"(?:\A|\n)(?i:" + b"|".join(sorted(OF_CONNECTIONS)) + rb"):")
BAD_TRAILER = bad_request("A trailer field is one of the connection.")
BAD_CHUNK = bad_request("The chunked body is malformed.")


class ChunkDecoder:
    """Decodes a chunked body, however it is cut.

    After each `decode`, in this order: ``error`` is set, or ``complete`` is True and ``trailers``
    holds the trailer lines worth keeping, or more data is needed. ``fields`` is the number of
    header fields of the message, which the limit on their count includes.
    """

    __slots__ = (
        "_fields",
        "_in_data",
        "_in_trailers",
        "_judge",
        "_left",
        "_limits",
        "_pending",
        "complete",
        "error",
        "trailers",
    )

    def __init__(self, fields: int, limits: HeadLimits = DEFAULT) -> None:
        self._fields = fields
        self._limits = limits
        self._left = 0  # Bytes of this chunk still to come, including its CRLF.
        self._in_data = False
        self._in_trailers = False
        self._judge: LineJudge | None = None
        self._pending = b""  # An unfinished chunk line or trailer section.
        self.complete = False
        self.error: HttpError | None = None
        self.trailers = b""

    def decode(self, data: memoryview) -> tuple[list[memoryview], memoryview]:
        """The body pieces in ``data`` (views of it), and the data after the end of the message."""
        pieces: list[memoryview] = []
        position, size = 0, len(data)
        while position < size and self.error is None and not self.complete:
            if self._in_data:
                position = self._take_data(data, position, pieces)
            elif self._in_trailers:
                position = self._take_trailers(data, position)
            else:
                if not self._pending:
                    position = self._take_whole_chunks(data, position, pieces)
                if position < size and self.error is None:
                    position = self._take_line(data, position)
        return pieces, data[position:]

    def _take_whole_chunks(self, data: memoryview, position: int, pieces: list[memoryview]) -> int:
        """Take chunks that ``data`` holds from size to CRLF: a large one, or most of many tiny
        ones.

        Stops at anything else, without setting an error.
        """
        last = len(data) - 2
        line_bytes_max = self._limits.chunk_line_bytes + 2
        while (match := _LINE.match(data, position)) is not None:
            start = match.end()
            end = start + int(match[1], 16)
            if end == start or end > last or start - position > line_bytes_max:
                break
            if data[end] != 13 or data[end + 1] != 10:
                break
            pieces.append(data[start:end])
            position = end + 2
        return position

    def _take_data(self, data: memoryview, position: int, pieces: list[memoryview]) -> int:
        left = self._left
        if left > 2:
            piece = data[position : position + left - 2]
            pieces.append(piece)
            position += len(piece)
            left -= len(piece)
        while left <= 2 and left > 0 and position < len(data):
            if data[position] != (13 if left == 2 else 10):
                self.error = BAD_CHUNK
                return position
            position += 1
            left -= 1
        self._left = left
        self._in_data = left > 0
        return position

    def _take_line(self, data: memoryview, position: int) -> int:
        if self._pending:
            return self._continue_line(data, position)
        match = _LINE.match(data, position)
        if match is None:
            self._keep_line(bytes(data[position : position + self._limits.chunk_line_bytes + 2]))
            return len(data)
        self._begin_chunk(match[1], match.end() - position)
        return match.end()

    def _continue_line(self, data: memoryview, position: int) -> int:
        known = len(self._pending)
        more = data[position : position + self._limits.chunk_line_bytes + 2]
        line = self._pending + bytes(more)
        match = _LINE.match(line)
        if match is None:
            self._keep_line(line)
            return len(data)
        self._pending = b""
        self._begin_chunk(match[1], match.end())
        return position + match.end() - known

    def _keep_line(self, line: bytes) -> None:
        too_long = len(line.removesuffix(b"\r")) > self._limits.chunk_line_bytes
        if too_long or _LINE_BEGUN.fullmatch(line) is None:
            self.error = BAD_CHUNK
        self._pending = line

    def _begin_chunk(self, digits: bytes, line_bytes: int) -> None:
        if line_bytes - 2 > self._limits.chunk_line_bytes:
            self.error = BAD_CHUNK
            return
        chunk_bytes = int(digits, 16)
        if chunk_bytes:
            self._left = chunk_bytes + 2
            self._in_data = True
        else:
            self._in_trailers = True

    def _take_trailers(self, data: memoryview, position: int) -> int:
        known = len(self._pending)
        buffer = self._pending + bytes(data[position:])
        if buffer.startswith(b"\r\n"):
            end, block = 2, b""
        elif (found := buffer.find(b"\r\n\r\n")) >= 0:
            end, block = found + 4, buffer[: found + 2]
        else:
            end, block = 0, buffer
        if block:
            if self._judge is None:
                self._judge = LineJudge(None, self._limits, self._fields)
            self.error = self._judge.judge(block)
            if self.error is not None:
                return len(data)
        if not end:
            self._pending = buffer
            return len(data)
        self._pending = b""
        if _OF_CONNECTION.search(block) is not None:
            self.error = BAD_TRAILER
            return len(data)
        self.trailers = _worth_keeping(block)
        self.complete = True
        return position + end - known


def _worth_keeping(block: bytes) -> bytes:
    """``block`` without the fields that may not come in trailers."""
    if not block:
        return b""
    lines = block.split(b"\r\n")[:-1]
    return b"".join(
        line + b"\r\n" for line in lines if line[: line.find(b":")].lower() not in NOT_IN_TRAILERS
    )
