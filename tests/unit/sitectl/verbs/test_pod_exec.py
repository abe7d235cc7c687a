"""An exec in a pod: its output, its exit, and that nothing goes on behind it."""

import contextlib
import json
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator

import httpx2
import pytest

from sitectl.base.failure import Exit, Failure
from sitectl.kubernetes import connection, websocket
from sitectl.kubernetes.cluster import Executed
from sitectl.kubernetes.connection import HttpCluster
from tests.unit.sitectl.silent import Silent, upgraded

EXIT_3 = {
    "status": "Failure",
    "reason": "NonZeroExitCode",
    "details": {"causes": [{"reason": "ExitCode", "message": "3"}]},
}
EMPTY = b"\r\nContent-Length: 2\r\n\r\n{}"


def frame(data: bytes, first: int = 0x82) -> bytes:
    """One frame of a server (RFC 6455, section 5.2); by default a whole binary message."""
    length = bytes([len(data)]) if len(data) < 126 else b"\x7e" + len(data).to_bytes(2, "big")
    return bytes([first]) + length + data


def ended(status: object) -> bytes:
    """The last word of an exec."""
    return frame(b"\x03" + json.dumps(status).encode())


@contextlib.contextmanager
def answering(answer: Callable[[bytes], bytes], wait_s: float = math.inf) -> Iterator[HttpCluster]:
    """A cluster whose server says one ``answer`` and is silent then."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    silent = Silent(listener, answer)
    try:
        with httpx2.Client(base_url=url) as http:
            yield HttpCluster(http, "west", url, wait_s)
    finally:
        silent.end()


def run(cluster: HttpCluster) -> Executed:
    """The outcome of a command."""
    return cluster.execute("router-1", "router", ["true"])


def refused(answer: Callable[[bytes], bytes]) -> Failure:
    """Why a command has no outcome."""
    with answering(answer) as cluster, pytest.raises(Failure) as caught:
        run(cluster)
    return caught.value


def test_an_exec_gives_what_was_printed_and_its_exit_code() -> None:
    frames = frame(b"\x01on") + frame(b"\x02oh") + frame(b"", 0x89) + frame(b"\x01e")
    with answering(upgraded(frames + ended(EXIT_3))) as cluster:
        assert run(cluster) == Executed(b"one", b"oh", 3)


def test_a_message_may_come_in_pieces() -> None:
    frames = frame(b"\x01a", 0x02) + frame(b"b", 0x00) + frame(b"c", 0x80)
    with answering(upgraded(frames + ended({"status": "Success"}))) as cluster:
        assert run(cluster) == Executed(b"abc", b"", 0)


def test_nothing_reads_on_behind_an_exec_whose_server_is_silent() -> None:
    """The next connection reuses its descriptor's number: a late reader would take its bytes."""
    with answering(upgraded(ended({"status": "Success"}))) as cluster:
        before = set(threading.enumerate())
        run(cluster)
        assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("said", [b"", b"{", b'{"status": "Failure", "reason": "NonZeroExitCode"}'])
def test_an_unknown_last_word_is_a_failure(said: bytes) -> None:
    assert "unknown word" in refused(upgraded(frame(b"\x03" + said))).message


def test_why_a_command_could_not_be_run_is_told() -> None:
    said = ended({"status": "Failure", "message": "no such container"})
    assert "no such container" in refused(upgraded(said)).message


@pytest.mark.parametrize("frames", [frame(b"", 0x88), b"\xff\xff\xff", b"\x83\x00"])
def test_what_ends_early_or_is_no_websocket_is_unreachable(frames: bytes) -> None:
    assert refused(upgraded(frame(b"\x01x") + frames)).exit_code is Exit.UNREACHABLE


def test_a_server_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "EXEC_TIMEOUT_S", 0.1)
    assert refused(upgraded(frame(b"\x01x"))).retryable


def test_a_server_is_given_up_when_the_time_of_the_command_line_is_over() -> None:
    began = time.monotonic()
    with (
        answering(upgraded(frame(b"\x01x")), wait_s=0.1) as cluster,
        pytest.raises(Failure) as caught,
    ):
        run(cluster)
    assert caught.value.retryable
    assert time.monotonic() - began < connection.EXEC_TIMEOUT_S / 2


def test_messages_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "MESSAGE_BYTES_MAX", 10)
    assert "above 10 bytes" in refused(upgraded(frame(b"\x01" + bytes(10)))).message


def test_output_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PRINTED_BYTES_MAX", 10)
    assert "more than 10 bytes" in refused(upgraded(frame(b"\x01" + bytes(11)))).message


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (b"HTTP/1.1 403 Forbidden" + EMPTY, 'verbs: ["create"]'),
        (b"HTTP/1.1 404 Not Found" + EMPTY, "HTTP 404"),
        (b"HTTP/1.1 200 OK" + EMPTY, "HTTP 200"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", "another WebSocket"),
    ],
)
def test_who_does_not_upgrade_is_told(head: bytes, says: str) -> None:
    failure = refused(lambda _: head)
    assert says in f"{failure.message} {failure.hint}"
