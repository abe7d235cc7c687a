"""A server that answers one request and then keeps silent."""

import base64
import hashlib
import socket
import threading
from collections.abc import Callable

SOON_S = 8.0
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Silent:
    """Answers one request, and sends nothing more until `end`."""

    def __init__(self, listener: socket.socket, answer: Callable[[bytes], bytes]) -> None:
        self._listener, self._answer = listener, answer
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with self._listener, self._listener.accept()[0] as link:
            asked = b""
            while b"\r\n\r\n" not in asked:
                asked += link.recv(4096)
            link.sendall(self._answer(asked))
            self._over.wait(SOON_S)

    def end(self) -> None:
        """Close the connection and end the thread."""
        self._over.set()
        self._thread.join()


def upgraded(frames: bytes) -> Callable[[bytes], bytes]:
    """What answers a WebSocket's request, and says ``frames`` at once."""

    def answer(asked: bytes) -> bytes:
        lines = dict(line.split(b": ", 1) for line in asked.split(b"\r\n") if b": " in line)
        key = {name.lower(): value for name, value in lines.items()}[b"sec-websocket-key"]
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        return head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + frames

    return answer
