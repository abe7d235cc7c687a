"""Who has a port of this host."""

import os
import socket
from pathlib import Path

import pytest

from sitectl.runtimes import process
from sitectl.site import holders
from tests.unit.sitectl.conftest import CommandLine

US = f"process {os.getpid()} "


def test_a_listener_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = holders.holder_of(port)
    assert found is not None
    assert found.listens
    assert found.reason(port).startswith(US)
    assert found.reason(port).endswith(f"listens at port {port}")
    left = holders.holder_of(port)  # A connection of another test may have been there.
    assert left is None or not left.listens


def test_a_connection_that_got_the_port_from_the_system_is_named() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        port = client.getsockname()[1]
        found = holders.holder_of(port)
    assert found is not None
    assert not found.listens
    assert f"a connection of {US}" in found.reason(port)
    assert f"ip_local_reserved_ports={port}" in found.hint(port)


def test_a_connection_that_has_just_ended_is_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        port = client.getsockname()[1]
        accepted, _ = server.accept()
        client.close()  # Who ends first keeps the port.
        accepted.close()
    found = holders.holder_of(port)
    assert found is not None and found.has_ended and not found.listens
    assert "ended within the last minute" in found.reason(port)
    assert found.hint(port).startswith("Try again in a minute; ")


def test_a_host_without_proc_names_nobody(tmp_path: Path) -> None:
    assert holders.holder_of(80, tmp_path) is None


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


def test_a_router_that_ends_for_another_cause_is_told_as_it_was(
    here: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        process, "router_command", lambda site: ["/bin/sh", "-c", "echo no; exit 1"]
    )
    result = here("start")
    assert "ended at once (exit 1): no\n" in result.stderr
