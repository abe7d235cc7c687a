"""Callers of a host: by their sockets, or by their addresses later."""

import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from router.callers.names import CallerName
from router.model.limits import CALLER_QUERIES_PER_S
from router.net.ports import Address
from router.process.callers.containers import Containers
from router.process.callers.control_groups import container_name, user_name
from router.process.callers.host_names import HostNames
from tests.unit.callers.names import Clock


@contextmanager
def connected() -> Iterator[tuple[Address, Address]]:
    """Both addresses of a client of this process."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        yield Address(*client.getsockname()), Address(*client.getpeername())


def test_a_client_of_this_host_is_known_at_once() -> None:
    with connected() as (peer, local), closing(HostNames(Containers(""), Clock())) as names:
        found = names.at_once(peer, local)
    assert found is not None and found.kind in ("user", "unit", "container")
    if found.kind == "user":
        assert found.name == pwd.getpwuid(os.getuid()).pw_name


def test_a_client_of_another_host_is_not_asked_for() -> None:
    with connected() as (_, local), closing(HostNames(Containers(""), Clock())) as names:
        assert names.at_once(Address("192.0.2.7", 40_000), local) is None


def test_the_kernel_is_asked_a_bounded_number_of_times_a_second() -> None:
    clock = Clock()
    with connected() as (peer, local), closing(HostNames(Containers(""), clock)) as names:
        found = [names.at_once(peer, local) for _ in range(CALLER_QUERIES_PER_S + 10)]
        assert [one is None for one in found].count(True) == 10
        clock.now += 1.0
        assert names.at_once(peer, local) is not None


def test_a_user_without_a_name_is_a_number() -> None:
    assert user_name(0) == "root"
    assert user_name(4_000_000) == "4000000"


def test_a_container_has_no_name_where_this_user_has_no_home(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a cluster, or in a container that runs as any user."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    assert container_name("2" * 64) == ""


def test_a_container_is_called_as_podman_stores_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    stored = tmp_path / ".local/share/containers/storage/overlay-containers/containers.json"
    stored.parent.mkdir(parents=True)
    stored.write_text(f'[{{"id": "{"3" * 64}", "names": ["web", "web-2"], "image": "x"}}]')
    assert container_name("3" * 64) == container_name("3" * 12) == "web"
    assert container_name("4" * 64) == ""
    stored.write_text("no list")
    assert container_name("3" * 64) == ""


def test_names_and_addresses_that_are_known_are_no_name_of_another_time() -> None:
    with closing(HostNames(Containers(""), Clock())) as names:
        assert names.owner("10.0.0.5", 1.0, 3.0) == CallerName("address", "10.0.0.5")
