"""An LLM server of the tests, which streams events until its test ends it, and its clients."""

import http.client
import http.server
import threading
from typing import Any, Self

EVENT_EVERY_S = 0.05
STREAM_S = 60.0
"""No stream lasts longer, whatever happens to a test."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        target = self.server.target
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("X-Served-By", target.name)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        ends = target.begun(self.headers.get("X-Stream", ""))
        for _ in range(round(STREAM_S / EVENT_EVERY_S)):
            self._event(b"data: token\n\n")
            if ends.wait(EVENT_EVERY_S):
                break
        target.over(self.headers.get("X-Stream", ""))
        self._event(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def log_message(self, *_: object) -> None: ...


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    target: "SseTarget"


class SseTarget:
    """A server at a free port of ``address``. Each stream lasts until `end` names it."""

    def __init__(self, name: str, address: str) -> None:
        self.name, self.address = name, address
        self._lock = threading.Lock()
        self._streams: dict[str, threading.Event] = {}
        self._server = _Server((address, 0), _Handler)
        self._server.target = self
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def begun(self, stream: str) -> threading.Event:
        with self._lock:
            return self._streams.setdefault(stream, threading.Event())

    def over(self, stream: str) -> None:
        with self._lock:
            del self._streams[stream]

    @property
    def streams(self) -> set[str]:
        """Under way."""
        with self._lock:
            return set(self._streams)

    def end(self, *streams: str) -> None:
        with self._lock:
            for stream in streams:
                self._streams[stream].set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            for ends in self._streams.values():
                ends.set()
        self._server.shutdown()
        self._server.server_close()


class SseClient:
    """One request for a stream, read to its end in a thread."""

    def __init__(self, address: str, port: int, stream: str, **fields: str) -> None:
        """``fields``: header fields, ``_`` for ``-``."""
        self.stream = stream
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.error = ""
        self.is_over = False
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        place: Any = (address, port, {"X-Stream": stream, **headers})
        self._thread = threading.Thread(target=self._read, args=place, daemon=True)
        self._thread.start()

    def _read(self, address: str, port: int, headers: dict[str, str]) -> None:
        connection = http.client.HTTPConnection(address, port, timeout=STREAM_S)
        try:
            connection.request("GET", "/v1/completions", headers=headers)
            answer = connection.getresponse()
            self.headers = dict(answer.headers.items())
            self.status = answer.status
            while data := answer.read1(65536):
                self.body += data
        except (OSError, http.client.HTTPException) as failure:
            self.error = repr(failure)
        finally:
            self.is_over = True
            connection.close()

    @property
    def is_whole(self) -> bool:
        """All of it came."""
        return self.is_over and not self.error and self.body.endswith(b"data: [DONE]\n\n")
