"""What systemd hears, and that a deaf one is no fault of ours."""

import socket
from pathlib import Path

import pytest

from router.main.systemd import notify


@pytest.mark.parametrize("abstract", [False, True])
def test_the_state_arrives_as_one_datagram(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool
) -> None:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.settimeout(10.0)
        systemd.bind(f"\0{name}" if abstract else name)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}" if abstract else name)
        notify("READY=1")
        assert systemd.recv(100) == b"READY=1"


def test_a_socket_that_is_gone_is_logged_and_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("STOPPING=1")
    assert [record.getMessage() for record in caplog.records] == [
        "systemd could not be told STOPPING=1"
    ]
