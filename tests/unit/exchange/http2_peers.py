"""The other end of an HTTP/2 connection, for tests: well-behaved by h2, or frame by frame."""

import h2.config
import h2.connection
import h2.events
import h2.settings
import hpack
from hyperframe.frame import ContinuationFrame, Frame, HeadersFrame

FRAME_BYTES = 16_384
GOAWAY = 7
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NO_SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
SETTINGS_ACK = b"\x00\x00\x00\x04\x01\x00\x00\x00\x00"
REQUEST = [
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/a"),
    (b":authority", b"shop"),
]
GET = [(b":method", b"GET"), *REQUEST[1:]]
GRPC = [*REQUEST, (b"content-type", b"application/grpc+proto"), (b"te", b"trailers")]


class H2Peer:
    """h2 as a client or a server; records its events. Data gets credit if it `acknowledges`."""

    def __init__(self, *, client: bool, streams: int = 100) -> None:
        config = h2.config.H2Configuration(client_side=client, header_encoding=None)
        self.h2 = h2.connection.H2Connection(config)
        limit = {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: streams}
        self.h2.local_settings = h2.settings.Settings(client, limit)
        self.h2.initiate_connection()
        self.events: list[h2.events.Event] = []
        self.goaways: list[int] = []
        self.acknowledges = True
        self._pending = b""

    def take(self) -> bytes:
        return self.h2.data_to_send()

    def hear(self, data: bytes) -> list[h2.events.Event]:
        """The events of ``data``; window is given back at once, if at all."""
        self._pending += data
        events: list[h2.events.Event] = []
        if self._pending.startswith(PREFACE):
            events += self.h2.receive_data(PREFACE)
            self._pending = self._pending[len(PREFACE) :]
        while len(self._pending) >= 9:
            end = 9 + int.from_bytes(self._pending[:3], "big")
            if len(self._pending) < end:
                break
            frame, self._pending = self._pending[:end], self._pending[end:]
            if frame[3] == GOAWAY:  # h2 takes it for the end.
                self.goaways.append(int.from_bytes(frame[9:13], "big"))
            else:
                events += self.h2.receive_data(frame)
        self.events += events
        for event in events:
            if not isinstance(event, h2.events.DataReceived) or not self.acknowledges:
                continue
            if event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        return events

    def ask(self, fields: list[tuple[bytes, bytes]], end: bool = True) -> int:
        """A new request."""
        stream_id = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream_id, fields, end_stream=end)
        return stream_id

    def said(self, stream_id: int) -> list[str]:
        """The events of a stream, as short words."""
        return [word for event in self.events if (word := _word(event)) and _id(event) == stream_id]


def _id(event: h2.events.Event) -> int:
    return getattr(event, "stream_id", 0) or 0


def _word(event: h2.events.Event) -> str:
    match event:
        case h2.events.ResponseReceived() | h2.events.InformationalResponseReceived():
            fields = dict(event.headers)
            status = fields[b":status"].decode()
            return f"head {status}" + _grpc(fields)
        case h2.events.RequestReceived():
            fields = dict(event.headers)
            return f"{fields[b':method'].decode()} {fields[b':path'].decode()}"
        case h2.events.TrailersReceived():
            return "trailers" + _grpc(dict(event.headers))
        case h2.events.DataReceived():
            return f"data {bytes(event.data).decode('latin-1')[:20]}" if event.data else ""
        case h2.events.StreamEnded():
            return "end"
        case h2.events.StreamReset():
            return f"reset {int(event.error_code)}"
        case _:
            return ""


def _grpc(fields: dict[bytes, bytes]) -> str:
    return f" grpc {fields[b'grpc-status'].decode()}" if b"grpc-status" in fields else ""


def frames_of(data: bytes) -> list[Frame]:
    """The frames that were sent, parsed."""
    frames: list[Frame] = []
    while len(data) >= 9:
        frame, size = Frame.parse_frame_header(memoryview(data[:9]))
        frame.parse_body(memoryview(data[9 : 9 + size]))
        frames.append(frame)
        data = data[9 + size :]
    assert not data, "half a frame"
    return frames


def raw(kind: int, flags: int, stream_id: int, body: bytes = b"") -> bytes:
    """One frame, as wrong as wanted."""
    return len(body).to_bytes(3, "big") + bytes((kind, flags)) + stream_id.to_bytes(4, "big") + body


def head_frame(
    encoder: hpack.Encoder,
    stream_id: int,
    fields: list[tuple[bytes, bytes]],
    *flags: str,
) -> bytes:
    """A header block with fields that no library would send, in as many frames as it takes."""
    block = encoder.encode(fields)
    pieces = [block[at : at + FRAME_BYTES] for at in range(0, len(block), FRAME_BYTES)]
    frames: list[Frame] = [HeadersFrame(stream_id, pieces[0], flags=list(flags))]
    frames += [ContinuationFrame(stream_id, piece) for piece in pieces[1:]]
    frames[-1].flags.add("END_HEADERS")
    return b"".join(bytes(frame.serialize()) for frame in frames)
