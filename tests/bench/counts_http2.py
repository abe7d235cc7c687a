"""The two ends of HTTP/2 whose requests `tests.bench.counts` counts: as h2load and nginx speak."""

import hpack
from hyperframe.frame import (
    DataFrame,
    Frame,
    HeadersFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from router.net.ports import Connection, Loss

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_HEADER_BYTES = 9
DATA, HEADERS, SETTINGS = 0x0, 0x1, 0x4
END, ACK = 0x1, 0x1
REQUEST = [
    (":path", "/"),
    (":scheme", "http"),
    (":authority", "shop"),
    (":method", "GET"),
    ("user-agent", "counts"),
]
WINDOW_BYTES = 2**30
SETTINGS_ACK = bytes(SettingsFrame(0, flags=["ACK"]).serialize())


class _Peer:
    """Passes each frame to its subclass, by kind, flags and stream."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._buffer = b""
        self._out: list[bytes] = []

    def received(self, data: memoryview) -> None:
        buffer = self._buffer + bytes(data)
        if buffer.startswith(PREFACE[: len(buffer)]):
            buffer = buffer[len(PREFACE) :]
        while len(buffer) >= FRAME_HEADER_BYTES:
            frame, size = Frame.parse_frame_header(memoryview(buffer[:FRAME_HEADER_BYTES]))
            end = FRAME_HEADER_BYTES + size
            if len(buffer) < end:
                break
            kind, flags = buffer[3], buffer[4]
            buffer = buffer[end:]
            if kind == SETTINGS and not flags & ACK:
                self._out.append(SETTINGS_ACK)
            self._heard(kind, flags, frame.stream_id)
        self._buffer = buffer
        self._flush()

    def _heard(self, kind: int, flags: int, stream_id: int) -> None:
        raise NotImplementedError

    def _flush(self) -> None:
        if self._out:
            self._connection.send(b"".join(self._out))
            self._out.clear()

    def ended(self) -> None:
        self._connection.finish()

    def writable(self) -> None:
        pass

    def lost(self, cause: Loss | None) -> None:
        assert cause is None, cause


class Http2Target(_Peer):
    """Answers each request at once with ``body``, its fields literal, to be indexed: as nginx."""

    fields = (
        (8, None),  # :status 200, of the static table.
        (54, b"shop/1.0"),
        (33, b"Sat, 21 Nov 2026 12:00:00 GMT"),
        (31, b"application/octet-stream"),
        (28, b"1024"),
        (44, b"Sat, 21 Nov 2026 11:00:00 GMT"),
    )
    body = b"x" * 1024

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._block = b"".join(
            bytes((0x80 | index,)) if value is None else bytes((0x40 | index, len(value))) + value
            for index, value in self.fields
        )
        settings = {SettingsFrame.MAX_CONCURRENT_STREAMS: 128}
        self._out.append(SettingsFrame(0, settings).serialize())
        self._out.append(WindowUpdateFrame(0, window_increment=WINDOW_BYTES).serialize())
        self._flush()

    def _heard(self, kind: int, flags: int, stream_id: int) -> None:
        if kind in (HEADERS, DATA) and flags & END:
            head = HeadersFrame(stream_id, self._block, flags=["END_HEADERS"])
            data = DataFrame(stream_id, self.body, flags=["END_STREAM"])
            self._out += [head.serialize(), data.serialize()]


class Http2Client(_Peer):
    """Asks on ``streams`` at a time, so often, each time as soon as one is answered."""

    def __init__(self, connection: Connection, streams: int) -> None:
        super().__init__(connection)
        self._streams = streams
        self._next_id = 1
        self._encoder = hpack.Encoder()
        self.left = 0
        self._unasked = 0
        settings = {SettingsFrame.INITIAL_WINDOW_SIZE: WINDOW_BYTES}
        self._out.append(PREFACE + SettingsFrame(0, settings).serialize())
        self._out.append(WindowUpdateFrame(0, window_increment=WINDOW_BYTES).serialize())
        self._flush()

    def ask(self, requests: int) -> None:
        """Begin with ``requests`` on each stream."""
        self.left = self._unasked = requests * self._streams
        for _ in range(self._streams):
            self._ask()
        self._flush()

    def finish(self) -> None:
        """No more."""
        self._connection.finish()

    def _ask(self) -> None:
        self._unasked -= 1
        block = self._encoder.encode(REQUEST)
        flags = ["END_HEADERS", "END_STREAM"]
        self._out.append(HeadersFrame(self._next_id, block, flags=flags).serialize())
        self._next_id += 2

    def _heard(self, kind: int, flags: int, stream_id: int) -> None:
        if kind == DATA and flags & END:
            self.left -= 1
            if self._unasked:
                self._ask()
