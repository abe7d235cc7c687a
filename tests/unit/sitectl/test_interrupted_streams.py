"""Who follows events and is interrupted ends, even while the other end says nothing."""

import base64
import hashlib
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from sitectl.admin import Admin
from sitectl.kubernetes.connection import HttpCluster

SOON_S = 8.0
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: here\n"


class Silent:
    """Answers one request, and says nothing more until it is let go."""

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
        """Let go of who listens."""
        self._over.set()
        self._thread.join()


def upgraded(asked: bytes) -> bytes:
    """The answer to a WebSocket's request, and one message."""
    lines = dict(line.split(b": ", 1) for line in asked.split(b"\r\n") if b": " in line)
    key = {name.lower(): value for name, value in lines.items()}[b"sec-websocket-key"]
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n\x82\x08\x01: here\n"


def in_cluster(_: Path) -> tuple[Silent, Iterator[bytes]]:
    """Through an API server."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    cluster = HttpCluster(httpx2.Client(base_url=url), "west", url)
    return Silent(listener, upgraded), cluster.follow("router", "router", ["sitectl"])


def on_host(directory: Path) -> tuple[Silent, Iterator[bytes]]:
    """Through the socket of a router."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(directory / "a.sock"))
    listener.listen()
    return Silent(listener, lambda _: STREAM), Admin(directory / "a.sock", "west").event_lines()


@pytest.fixture(params=[in_cluster, on_host])
def followed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Iterator[bytes]]:
    """Lines of which one came and no other will."""
    silent, lines = request.param(tmp_path_factory.mktemp("s"))
    try:
        assert next(lines) == b": here\n"
        yield lines
    finally:
        silent.end()


def test_a_signal_that_wakes_no_wait_is_seen(followed: Iterator[bytes]) -> None:
    def signalled() -> None:
        # To this thread: the other one's wait is not broken off, as by a signal just before it.
        select.select([], [], [], 0.3)
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=signalled)
    began = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            thread.start()
            next(followed)
    finally:
        signal.signal(signal.SIGINT, before)
        thread.join()
    assert time.monotonic() - began < SOON_S / 2


def test_no_thread_waits_on_for_who_is_silent(followed: Iterator[bytes]) -> None:
    others = {each for each in threading.enumerate() if not each.name.startswith("ThreadPool")}
    followed.close()  # type: ignore[attr-defined]
    ends_at = time.monotonic() + SOON_S / 2
    while left := set(threading.enumerate()) - others:
        assert time.monotonic() < ends_at, left
        time.sleep(0.05)
