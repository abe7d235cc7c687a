"""What a call of a router says when no whole answer comes."""

import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sitectl.base.failure import Exit, Failure
from sitectl.site.admin import Admin, AdminAnswer, refused


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:  # A socket's path is short.
        yield Path(directory) / "admin.sock"


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"])
def test_a_router_that_breaks_off_is_not_said_to_be_stopped(place: Path, said: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()

        def break_off() -> None:
            connection, _ = listener.accept()
            connection.sendall(said)
            connection.close()

        thread = threading.Thread(target=break_off)
        thread.start()
        with pytest.raises(Failure) as caught:
            Admin(place, "here", log_hint=lambda: "tail log").get("/api/v1/status")
        thread.join()
    assert caught.value.exit_code is Exit.UNREACHABLE
    assert "broke off without an answer" in str(caught.value)
    assert "not running" not in str(caught.value)
    assert caught.value.hint == "See what it does: tail log"


def test_the_log_of_a_silent_router_is_where_its_runtime_writes_it(place: Path) -> None:
    """A unit or a container has no ``run/router.log``."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()
        admin = Admin(place, "here", log_hint=lambda: "journalctl -u here", wait_s=0.05)
        with pytest.raises(Failure, match=r"did not answer within 0\.05 s") as caught:
            admin.get("/api/v1/status")
        assert caught.value.hint == "See what it does: journalctl -u here"
        with pytest.raises(Failure, match="did not answer") as caught:
            Admin(place, "here", wait_s=0.05).get("/api/v1/status")
        assert caught.value.hint == "", "in a pod its log is elsewhere, too"


def test_a_door_that_nobody_opens_is_a_stopped_router_s(place: Path) -> None:
    with pytest.raises(Failure, match="is not running"):
        Admin(place, "here").get("/api/v1/status")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))  # Left behind: no process listens.
    with pytest.raises(Failure, match="is not running"):
        Admin(place, "here").get("/api/v1/status")


def test_a_router_that_does_not_know_a_question_is_said_to_be_of_another_release() -> None:
    unknown = b'{"code":"not-found","message":"Not Found","hint":"","retryable":false}'
    failure = refused("/api/v1/graph", AdminAnswer(404, unknown))
    assert failure.message == (
        "the router does not know /api/v1/graph: it is of another release than this sitectl"
    )
    assert failure.hint.startswith("Start it again: sitectl stop, then sitectl start")
    assert failure.code == "not-found"
    for path in ("/api/v1/why/", "/api/v1/why/?last=3"):  # `sitectl why "$UNSET"`
        assert refused(path, AdminAnswer(404, unknown)).message == "an empty name names nothing"
    known = b'{"code":"not-found","message":"No service is known.","hint":"sitectl service status"}'
    failure = refused("/api/v1/why/x", AdminAnswer(404, known))
    assert (failure.message, failure.hint) == ("No service is known.", "sitectl service status")
