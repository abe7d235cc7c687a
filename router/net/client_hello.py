"""The protocols that a TLS client offers, read from its first message (RFC 8446, 4.1.2; RFC 7301).

`ssl` completes a handshake without an agreed protocol; a listener that needs a protocol reads the
offered ones itself, and refuses before anything is encrypted.
"""

from router.model import limits

NO_APPLICATION_PROTOCOL = bytes((21, 3, 3, 0, 2, 2, 120))
"""The record of a fatal alert, unencrypted like everything before the server's first message."""

_HANDSHAKE = 22
_CLIENT_HELLO = 1
_ALPN = 16
_RECORD_HEADER_BYTES = 5
_MESSAGE_HEADER_BYTES = 4
_VERSION_AND_RANDOM_BYTES = 2 + 32


class ClientHello:
    """The first bytes of a client, until they are complete."""

    __slots__ = ("_flight",)

    def __init__(self) -> None:
        self._flight = bytearray()

    def receive(self, data: bytes | memoryview) -> tuple[str, ...] | None:
        """The offered names, empty: none. None: the message is incomplete.

        Raises ValueError if it is no ClientHello, or one larger than any honest one: then TLS
        itself may judge it. Receive nothing more after a result or an error.
        """
        flight = self._flight
        flight += data
        message = _first_message(flight)
        if message is None and len(flight) > limits.TLS_HELLO_BYTES_MAX:
            raise ValueError("a first message without end")
        return None if message is None else _protocols(message)


def _first_message(flight: bytearray) -> bytes | None:
    """The ClientHello without its header, over any number of records; None: it is incomplete."""
    message, at, size = bytearray(), 0, _MESSAGE_HEADER_BYTES
    while len(message) < size:
        if len(flight) < at + _RECORD_HEADER_BYTES:
            return None
        if flight[at] != _HANDSHAKE:
            raise ValueError("not a handshake")
        start = at + _RECORD_HEADER_BYTES
        at = start + int.from_bytes(flight[at + 3 : start], "big")
        message += flight[start:at]
        if len(message) >= _MESSAGE_HEADER_BYTES:
            if message[0] != _CLIENT_HELLO:
                raise ValueError("not a ClientHello")
            size = _MESSAGE_HEADER_BYTES + int.from_bytes(message[1:4], "big")
        if len(flight) < at:
            return None
    return bytes(message[_MESSAGE_HEADER_BYTES:size])


def _protocols(hello: bytes) -> tuple[str, ...]:
    at = _VERSION_AND_RANDOM_BYTES
    for width in (1, 2, 1):  # Session id, cipher suites, compression methods.
        _, at = _vector(hello, at, width)
    if at == len(hello):
        return ()  # No extensions: TLS 1.2 at most.
    extensions, _ = _vector(hello, at, 2)
    at = 0
    while at < len(extensions):
        kind = int.from_bytes(extensions[at : at + 2], "big")
        body, at = _vector(extensions, at + 2, 2)
        if kind == _ALPN:
            names, _ = _vector(body, 0, 2)
            return tuple(_names(names))
    return ()


def _names(data: bytes) -> list[str]:
    names, at = [], 0
    while at < len(data):
        name, at = _vector(data, at, 1)
        names.append(name.decode("latin-1"))
    return names


def _vector(data: bytes, at: int, width: int) -> tuple[bytes, int]:
    """The bytes after a length of ``width`` bytes, and where they end."""
    start = at + width
    end = start + int.from_bytes(data[at:start], "big")
    if end > len(data) or start > len(data):
        raise ValueError("a length beyond its message")
    return data[start:end], end
