"""Who has a port of this host."""

import os
import socket
from pathlib import Path

import pytest

from sitectl.runtimes import process
from sitectl.site import holders
from tests.unit.sitectl.conftest import CommandLine

US = f"process {os.getpid()} "
ALONE = "127.201.16.3"
"""No other test connects from there: at 127.0.0.1 one may have the same port to another place."""


def test_a_listener_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = holders.holder_of("127.0.0.1", port)
    assert found is not None
    assert found.listens
    assert found.reason(port).startswith(US)
    assert found.reason(port).endswith(f"listens at port {port}")
    left = holders.holder_of("127.0.0.1", port)  # A connection of another test may have been there.
    assert left is None or not left.listens


ROWS = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0C20007F:D977 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12
   1: 0D20007F:D977 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 13
"""
ROWS_6 = """\
  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0 0 0 0 0 21
   1: 0000000000000000FFFF00000D20007F:0051 00000000000000000000000000000000:0000 0A 0 0 0 0 0 22
"""


@pytest.mark.parametrize(
    ("host", "port", "who"),
    [
        ("127.0.32.12", 55671, "process 12 (one)"),
        ("127.0.32.13", 55671, "process 13 (one)"),
        ("127.0.32.14", 55671, None),
        ("127.0.32.14", 80, "process 21 (one)"),
        ("::1", 80, "process 21 (one)"),
        ("127.0.32.13", 81, "process 22 (one)"),
        ("127.0.32.14", 81, None),
    ],
)
def test_who_listens_at_another_address_is_not_in_the_way(
    tmp_path: Path, host: str, port: int, who: str | None
) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(ROWS)
    (tmp_path / "net" / "tcp6").write_text(ROWS_6)
    for inode in (12, 13, 21, 22):
        (tmp_path / f"{inode}" / "fd").mkdir(parents=True)
        (tmp_path / f"{inode}" / "fd" / "3").symlink_to(f"socket:[{inode}]")
        (tmp_path / f"{inode}" / "comm").write_text("one\n")
    found = holders.holder_of(host, port, tmp_path)
    assert (found.who if found is not None else None) == who
    everywhere = holders.holder_of("0.0.0.0", port, tmp_path)
    assert everywhere is not None and everywhere.listens


def test_a_connection_that_got_the_port_from_the_system_is_named() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), source_address=(ALONE, 0)) as client,
    ):
        port = client.getsockname()[1]
        found = holders.holder_of(ALONE, port)
    assert found is not None
    assert not found.listens
    assert f"a connection of {US}" in found.reason(port)
    assert f"ip_local_reserved_ports={port}" in found.hint(port)


def test_a_connection_that_has_just_ended_is_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname(), source_address=(ALONE, 0))
        port = client.getsockname()[1]
        accepted, _ = server.accept()
        client.close()  # Who ends first keeps the port.
        accepted.close()
    found = holders.holder_of(ALONE, port)
    assert found is not None and found.has_ended and not found.listens
    assert "ended within the last minute" in found.reason(port)
    assert found.hint(port).startswith("Try again in a minute; ")


def test_a_host_without_proc_names_nobody(tmp_path: Path) -> None:
    assert holders.holder_of("", 80, tmp_path) is None


def test_start_and_check_say_who_has_the_link_port(sitectl: CommandLine) -> None:
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        sitectl.ok("init", "here", "--bind-port", str(port))
        checked = sitectl("check")
        started = sitectl("start")
    assert (checked.exit_code, started.exit_code) == (1, 1)
    assert f"Address already in use: {US}" in checked.stdout
    assert f"Address already in use: {US}" in started.stderr
    assert f"listens at port {port}" in started.stderr


def test_start_and_check_say_who_has_the_port_of_the_admin_api(sitectl: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        sitectl.ok("init", "here", "--ingress", "none", "--admin", place)
        checked = sitectl("check")
        started = sitectl("start")
    assert (checked.exit_code, started.exit_code) == (1, 1)
    assert f"ERROR    SW0514  {place} (the admin API): Address already in use: {US}" in (
        checked.stdout
    )
    assert f"cannot serve the admin API on {place}: Address already in use: {US}" in started.stderr


def test_start_says_that_the_port_of_the_probes_is_taken(
    sitectl: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("SPILLWAY_PROBES", place)
        sitectl.ok("init", "here", "--ingress", "none")
        started = sitectl("start")
    assert f"cannot serve probes on {place}: Address already in use: {US}" in started.stderr


def test_a_router_that_ends_for_another_cause_is_told_as_it_was(
    here: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        process, "router_command", lambda site: ["/bin/sh", "-c", "echo no; exit 1"]
    )
    result = here("start")
    assert "ended at once (exit 1): no\n" in result.stderr
