"""Frames and messages of the link protocol, as docs/design/link-protocol.md has them."""

import hashlib
import struct
from collections.abc import Iterator
from typing import Any, Final

import msgspec

OPEN, ACCEPTED, REFUSED, HEAD, DATA, TRAILERS, FIN, RESET, WINDOW, PING, PONG, CONTROL = range(
    1, 13
)
END: Final = 0x80

BUSY, NO_TARGET, CONNECT_FAILED = 0, 1, 2
"""Reasons of REFUSED."""
CANCELLED, TARGET_RESET = 0, 1
"""Codes of RESET."""

_HEADER = struct.Struct(">II")


class Frame(msgspec.Struct, frozen=True):
    """One frame. ``ends``: the sender's direction of the stream is complete with it."""

    kind: int
    stream: int
    payload: bytes
    ends: bool = False


def encode(frame: Frame) -> bytes:
    """Encode ``frame``; nothing is checked, so that a test may send a forbidden frame."""
    kind = frame.kind | (END if frame.ends else 0)
    return _HEADER.pack(kind << 24 | len(frame.payload), frame.stream) + frame.payload


class FrameReader:
    """Cuts a byte stream into frames."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that ``data`` completes."""
        self._buffer += data
        while len(self._buffer) >= _HEADER.size:
            word, stream = _HEADER.unpack_from(self._buffer)
            end = _HEADER.size + (word & 0xFF_FFFF)
            if len(self._buffer) < end:
                return
            payload, self._buffer = self._buffer[_HEADER.size : end], self._buffer[end:]
            kind = word >> 24
            yield Frame(kind & ~END, stream, payload, bool(kind & END))


def control(*fields: object) -> Frame:
    """A control message: its name first."""
    return Frame(CONTROL, 0, msgspec.msgpack.encode(fields))


def message_of(frame: Frame) -> list[Any]:
    """The array of a CONTROL or OPEN frame."""
    array: list[Any] = msgspec.msgpack.decode(frame.payload)
    return array


def accepted(stream: int, in_flight: int = 0) -> Frame:
    """A slot and a target are held."""
    return Frame(ACCEPTED, stream, struct.pack(">I", in_flight))


def refused(stream: int, reason: int, in_flight: int = 0) -> Frame:
    """No byte reached a target."""
    return Frame(REFUSED, stream, struct.pack(">BI", reason, in_flight))


def reset(stream: int, code: int) -> Frame:
    """The stream is broken off."""
    return Frame(RESET, stream, bytes([code]))


def head(stream: int, text: bytes, body_bytes: int) -> Frame:
    """A response head, canonical or not."""
    return Frame(HEAD, stream, struct.pack(">q", body_bytes) + text)


def last_data(stream: int, data: bytes, in_flight: int = 0) -> Frame:
    """The end of a response, with the count that END brings."""
    return Frame(DATA, stream, data + struct.pack(">I", in_flight), ends=True)


def site_id(public_key: bytes) -> str:
    """The id of the site that has this key (DER)."""
    return hashlib.sha256(public_key).hexdigest()[:32]


def proof_text(
    role: bytes, nonces: tuple[bytes, bytes], dialer_leaf: bytes, acceptor_leaf: bytes
) -> bytes:
    """What the identity key signs for PROOF; nonces are those of dialer and acceptor."""
    leaves = [hashlib.sha256(leaf).digest() for leaf in (dialer_leaf, acceptor_leaf)]
    return b"".join((b"spillway/1 link proof\0", role, b"\0", *nonces, *leaves))
