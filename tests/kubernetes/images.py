"""What the images of pods are on this machine: commands instead of containers."""

import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import msgspec

ROOT: Final = Path(__file__).resolve().parents[2]

_HTTP_ECHO: Final = """
import http.server, json, os, signal, socketserver, sys, threading, time
busy, lock = 0, threading.Lock()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, wbufsize = "HTTP/1.1", -1
    def do_GET(self):
        global busy
        with lock:
            busy += 1
        try:
            self.answer()
            self.wfile.flush()
        finally:
            with lock:
                busy -= 1
    do_POST = do_PUT = do_GET
    def answer(self):
        body = json.dumps({"pod": os.environ.get("HOSTNAME"), "path": self.path}).encode() + b"\\n"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        print(self.command, self.path, flush=True)
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads, request_queue_size = True, 100
port = int(os.environ.get("PORT") or (sys.argv[1:] or ["8080"])[0])
server = Server((os.environ["POD_IP"], port), Handler)
def end():
    server.shutdown()
    server.server_close()
    while busy:
        time.sleep(0.01)
    os._exit(0)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=end).start())
server.serve_forever()
threading.Event().wait()
"""
_TCP_ECHO: Final = """
import os, socketserver, sys
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write((os.environ.get("HOSTNAME", "") + "\\n").encode())
        while data := self.request.recv(65536):
            self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads = True, True
port = int(os.environ.get("PORT") or (sys.argv[1:] or ["8080"])[0])
Server((os.environ["POD_IP"], port), Handler).serve_forever()
"""


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """What an image runs. ``commands`` are its programs, by the word that calls them.

    A word that is no program of the image is looked up on this machine.
    """

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: dict[str, str] = {}
    commands: dict[str, tuple[str, ...]] = {}

    def argv(self, words: list[str]) -> list[str]:
        """A command as this machine runs it."""
        if not words:
            return []
        return [*self.commands.get(words[0], (words[0],)), *words[1:]]


def _module(name: str) -> tuple[str, ...]:
    return sys.executable, "-m", name


SPILLWAY: Final = Image(
    entrypoint=("sitectl",),
    cmd=("run",),
    env={"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    commands={
        "sitectl": _module("sitectl"),
        "spillway-router": _module("router.process.main"),
        "python": (sys.executable,),
        "python3": (sys.executable,),
    },
)
HTTP_ECHO: Final = Image(entrypoint=(sys.executable, "-c", _HTTP_ECHO))
"""Answers each request with the pod's name and the path, on POD_IP and PORT (or 8080).

A head and its body leave in one piece, and SIGTERM lets requests end: a lost request is the
router's fault.
"""
TCP_ECHO: Final = Image(entrypoint=(sys.executable, "-c", _TCP_ECHO))
"""Says the pod's name on one line, then echoes."""
HOST: Final = Image(commands={"python": (sys.executable,), "python3": (sys.executable,)})
"""This machine's programs: ``command: [sh, -c, …]``."""

IMAGES: Final[dict[str, Image]] = {
    "*spillway*": SPILLWAY,
    "*http-echo*": HTTP_ECHO,
    "*tcp-echo*": TCP_ECHO,
    "host*": HOST,
    "*busybox*": HOST,
}
"""Patterns of image names. A container whose image matches none is hollow: it runs, is ready and
does nothing."""


def find(table: dict[str, Image], image: str) -> Image | None:
    """The first entry whose pattern matches; None: a hollow container."""
    return next((found for pattern, found in table.items() if fnmatchcase(image, pattern)), None)
