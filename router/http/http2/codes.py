"""Numbers of RFC 9113: error codes (7), frames (6) and their flags, settings (6.5.2)."""

from struct import Struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

NO_ERROR = 0x0
PROTOCOL_ERROR = 0x1
INTERNAL_ERROR = 0x2
FLOW_CONTROL_ERROR = 0x3
SETTINGS_TIMEOUT = 0x4
STREAM_CLOSED = 0x5
FRAME_SIZE_ERROR = 0x6
REFUSED_STREAM = 0x7
CANCEL = 0x8
COMPRESSION_ERROR = 0x9
ENHANCE_YOUR_CALM = 0xB

LAST_STREAM_ID = 2**31 - 1
WINDOW_MAX = 2**31 - 1
FIRST_WINDOW_BYTES = 65_535
FIRST_FRAME_BYTES_MAX = 16_384
FRAME_BYTES_MAX = 2**24 - 1
STREAMS_UNBOUNDED = 2**32

DATA = 0x0
HEADERS = 0x1
PRIORITY = 0x2
RST_STREAM = 0x3
SETTINGS = 0x4
PUSH_PROMISE = 0x5
PING = 0x6
GOAWAY = 0x7
WINDOW_UPDATE = 0x8
CONTINUATION = 0x9

END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
WITH_PRIORITY = 0x20

HEADER_TABLE_SIZE = 0x1
ENABLE_PUSH = 0x2
MAX_CONCURRENT_STREAMS = 0x3
INITIAL_WINDOW_SIZE = 0x4
MAX_FRAME_SIZE = 0x5
MAX_HEADER_LIST_SIZE = 0x6
ENABLE_CONNECT_PROTOCOL = 0x8

FRAME_HEADER = Struct(">HBBBL")
"""Length (16 bits and 8), kind, flags, stream."""
FRAME_HEADER_BYTES = FRAME_HEADER.size
NUMBER = Struct(">L")
SETTING = Struct(">HL")


def frame(kind: int, flags: int, stream_id: int, body: bytes = b"") -> bytes:
    """One frame for the peer."""
    size = len(body)
    return FRAME_HEADER.pack(size >> 8, size & 0xFF, kind, flags, stream_id) + body
