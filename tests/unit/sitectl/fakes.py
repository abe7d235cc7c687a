"""Stand-ins for a router: an admin API with preset answers, and a process."""

import contextlib
import json
import os
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    owner: "FakeAdmin"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        owner = self.server.owner
        owner.asked.append(self.path)
        if "text/event-stream" in self.headers.get("Accept", ""):
            self._send(
                200, b"".join(b"data: %s\n\n" % json.dumps(e).encode() for e in owner.events)
            )
            return
        answer = owner.answers.get(self.path, (404, {"code": "not-found", "message": "no such"}))
        if isinstance(answer, list) and answer and isinstance(answer[0], tuple):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        status, body = answer
        self._send(status, json.dumps(body).encode())

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        self.server.owner.commands.append(json.loads(self.rfile.read(size)))
        self._send(200, b'{"ok": true}')

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):  # The client may have gone.
            self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _listen_as_owner(server: _Server, site: Path) -> None:
    """As root, listen as the site's owner: root's clients insist that the router runs as it."""
    owner = site.absolute().stat().st_uid
    if os.geteuid() == 0 and owner:
        os.seteuid(owner)
        try:
            server.socket.listen()  # The kernel takes who listens last: unix(7), SO_PEERCRED.
        finally:
            os.seteuid(0)


class FakeAdmin:
    """Answers on a unix socket. ``answers``: by path (status, body), or a list of them in turn."""

    def __init__(self, path: Path) -> None:
        self.answers: dict[str, Any] = {"/readyz": (200, {"ready": True})}
        self.asked: list[str] = []
        self.commands: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        directory = os.open(path.parent, os.O_DIRECTORY | os.O_CLOEXEC)
        try:  # As the router does it: a socket's own path holds 107 bytes.
            self._server = _Server(f"/proc/self/fd/{directory}/{path.name}", _Handler)
        finally:
            os.close(directory)
        _listen_as_owner(self._server, path.parent.parent)
        self._server.owner = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )

    def item(self, path: str, item: Any) -> None:
        """Answer with one thing in its envelope."""
        self.answers[path] = (200, {"apiVersion": "spillway/v1", "kind": "X", "item": item})

    def items(self, path: str, *items: Any) -> None:
        """Answer with several things in their envelope."""
        self.answers[path] = (200, {"apiVersion": "spillway/v1", "kind": "X", "items": items})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


FAKE_ROUTER = """
import fcntl, os, signal, sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from tests.unit.sitectl.fakes import FakeAdmin
run = Path(sys.argv[2]) / "run"
lock = open(run / "lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print(os.getpid(), file=lock, flush=True)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
with FakeAdmin(run / "admin.sock"):
    signal.sigwait({signal.SIGTERM})
os.unlink(run / "admin.sock")
"""
"""A process that looks like a router from outside: lock, pid, admin socket, SIGTERM."""
