"""Who follows events and is interrupted ends, even while the other end says nothing."""

import select
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from sitectl.kubernetes.connection import HttpCluster
from sitectl.site.admin import Admin
from tests.unit.sitectl.silent import SOON_S, Silent, upgraded

HERE = b"\x82\x08\x01: here\n"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: here\n"


def in_cluster(_: Path) -> tuple[Silent, Iterator[bytes]]:
    """Through an API server."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    cluster = HttpCluster(httpx2.Client(base_url=url), "west", url)
    return Silent(listener, upgraded(HERE)), cluster.follow("router", "router", ["sitectl"])


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
