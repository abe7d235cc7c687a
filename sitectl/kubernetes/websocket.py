"""A WebSocket client in the caller's thread (RFC 6455): wsproto's frames over httpx2.

httpx2's session reads in another thread and does not join it at its end: it closes the descriptor
under that thread, and the next connection with the same number loses its first bytes.
"""

import base64
import secrets
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import httpcore2
import httpx2
from wsproto.connection import CLIENT, Connection
from wsproto.events import BytesMessage, CloseConnection, Ping
from wsproto.utilities import ProtocolError, generate_accept_token

READ_BYTES: Final = 64 * 1024
MESSAGE_BYTES_MAX: Final = 16 * 1024 * 1024
_NORMAL: Final = 1000


class NotUpgraded(Exception):
    """The server sent a normal answer instead of an upgrade; ``body``: its text."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status, self.body = status, body
        super().__init__(f"HTTP {status} instead of a WebSocket")


class WebSocket:
    """An open one. Its reads wait ``slice_s`` at a time: a signal just before is seen then."""

    def __init__(self, stream: Any, slice_s: float) -> None:
        self._stream, self._slice_s = stream, slice_s
        self._frames = Connection(CLIENT)

    def messages(self, whole_s: float, silent_s: float) -> Generator[bytes]:
        """Each binary message, until the server closes.

        TimeoutError: nothing came for ``silent_s``, or they did not end within ``whole_s``.
        ConnectionError: the connection broke off, or the data is no WebSocket.
        """
        ends_at = time.monotonic() + whole_s
        parts = bytearray()
        try:
            while data := self._read(ends_at, silent_s):
                self._frames.receive_data(data)
                for event in self._frames.events():
                    if isinstance(event, Ping):
                        self._stream.write(self._frames.send(event.response()), silent_s)
                    elif isinstance(event, CloseConnection):
                        return
                    elif isinstance(event, BytesMessage):
                        parts += event.data
                        if len(parts) > MESSAGE_BYTES_MAX:
                            raise ConnectionError(f"a message above {MESSAGE_BYTES_MAX} bytes")
                        if event.message_finished:
                            yield bytes(parts)
                            parts.clear()
        except (ProtocolError, httpcore2.NetworkError, httpcore2.TimeoutException) as error:
            raise ConnectionError(f"the WebSocket broke off: {error}") from error
        raise ConnectionError("the WebSocket broke off")

    def close(self) -> None:
        """Say so to the server, if it still listens; the connection ends with the request."""
        with suppress(ProtocolError, httpcore2.NetworkError, httpcore2.TimeoutException):
            self._stream.write(self._frames.send(CloseConnection(_NORMAL)), self._slice_s)

    def _read(self, ends_at: float, silent_s: float) -> bytes:
        silent_at = time.monotonic() + silent_s
        while True:
            if time.monotonic() >= ends_at:
                raise TimeoutError("the answer does not end")
            if time.monotonic() >= silent_at:
                raise TimeoutError(f"nothing came for {silent_s:g} s")
            with suppress(httpcore2.ReadTimeout):
                return bytes(self._stream.read(READ_BYTES, self._slice_s))


@contextmanager
def opened(
    http: httpx2.Client,
    path: str,
    params: Mapping[str, Any],
    protocols: Sequence[str],
    slice_s: float,
) -> Generator[WebSocket]:
    """A WebSocket for one of ``protocols``; its connection serves nothing else afterwards.

    NotUpgraded: the server refuses. httpx2.HTTPError, OSError: it cannot be reached.
    """
    key = base64.b64encode(secrets.token_bytes(16))
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": key.decode(),
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": ", ".join(protocols),
    }
    with http.stream("GET", path, params=params, headers=headers) as response:
        if response.status_code != 101:
            raise NotUpgraded(response.status_code, response.read())
        accepted = response.headers.get("Sec-WebSocket-Accept", "")
        if accepted != generate_accept_token(key).decode():
            raise ConnectionError("the server accepts another WebSocket than the one asked for")
        socket = WebSocket(response.extensions["network_stream"], slice_s)
        try:
            yield socket
        finally:
            socket.close()
