"""Owners of real sockets of this host, by the kernel."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from router.process.callers.socket_owners import SocketOwners
from tests.needs import root

Pair = tuple[tuple[str, int], tuple[str, int]]

PLACES = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]


@contextmanager
def asking(asked: int = 0) -> Iterator[SocketOwners]:
    """Whom to ask."""
    owners = SocketOwners(asked)
    try:
        yield owners
    finally:
        owners.close()


@contextmanager
def listening(family: socket.AddressFamily, host: str) -> Iterator[socket.socket]:
    """A server that no client has called yet."""
    with socket.socket(family, socket.SOCK_STREAM) as server:
        server.bind((host, 0))
        server.listen(200)
        yield server


def ends(client: socket.socket) -> Pair:
    """Both addresses of a client's connection."""
    return client.getsockname()[:2], client.getpeername()[:2]


@pytest.mark.parametrize(("family", "host"), PLACES)
def test_the_owner_of_a_connected_socket_is_its_user(
    family: socket.AddressFamily, host: str
) -> None:
    with asking() as owners, listening(family, host) as server:
        with socket.create_connection(server.getsockname()[:2]) as client:
            owner = owners.owner(*ends(client))
        assert owner is not None and owner.uid == os.getuid()
        assert owner.control_group > 0, "Linux tells it since 5.8"


def test_another_user_is_told_from_us() -> None:
    root("run a client as another user")
    with asking() as owners, listening(*PLACES[0]) as server:
        host, port = server.getsockname()
        code = (
            f"import socket, sys; c = socket.create_connection(({host!r}, {port}));"
            "print(c.getsockname()[1], flush=True); sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-I", "-c", code],
            user="nobody",
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as client:
            assert client.stdout is not None and client.stdin is not None
            its_port = int(client.stdout.readline())
            owner = owners.owner((host, its_port), (host, port))
            client.stdin.close()
        assert owner is not None and owner.uid == 65534


@pytest.mark.parametrize(("family", "host"), PLACES)
def test_a_closed_client_has_no_owner(family: socket.AddressFamily, host: str) -> None:
    with asking() as owners, listening(family, host) as server:
        client = socket.create_connection(server.getsockname()[:2])
        pair = ends(client)
        with closing(server.accept()[0]):
            client.close()
            assert owners.owner(*pair) is None


@pytest.mark.parametrize(("family", "host"), PLACES)
def test_who_listens_on_the_port_of_a_closed_client_is_not_its_owner(
    family: socket.AddressFamily, host: str
) -> None:
    """The kernel answers with a listening socket, where no connection is as asked for."""
    with asking() as owners, listening(family, host) as server, listening(family, host) as other:
        gone = other.getsockname()[:2]
        assert owners.owner(gone, server.getsockname()[:2]) is None


def test_many_at_once_are_each_its_own() -> None:
    with asking() as owners, listening(*PLACES[0]) as server, ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection(server.getsockname())) for _ in range(100)
        ]
        pairs = [ends(client) for client in clients]
        for client in clients[::2]:
            client.close()
        found = [owners.owner(*pair) for pair in pairs]
    assert [owner is not None for owner in found] == [number % 2 == 1 for number in range(100)]


def test_a_mapped_address_is_asked_for_as_the_kernel_has_it() -> None:
    """A client of a dual-stack listener: ``router.net`` has its address without the prefix."""
    with asking() as owners, socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as server:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.bind(("::", 0))
        server.listen()
        with socket.create_connection(("127.0.0.1", server.getsockname()[1])) as client:
            owner = owners.owner(*ends(client))
            told = server.accept()[0]
            with told:
                assert told.getpeername()[0].startswith("::ffff:")
        assert owner is not None and owner.uid == os.getuid()


def test_a_mapped_client_of_a_version_6_socket_is_found_by_its_plain_address() -> None:
    """Java connects so."""
    with asking() as owners, listening(*PLACES[0]) as server:
        port = server.getsockname()[1]
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as client:
            client.connect(("::ffff:127.0.0.1", port))
            its_port = client.getsockname()[1]
            owner = owners.owner(("127.0.0.1", its_port), ("127.0.0.1", port))
        assert owner is not None and owner.uid == os.getuid()


def test_an_address_that_is_none_has_no_owner() -> None:
    with asking() as owners:
        assert owners.owner(("somewhere", 1), ("127.0.0.1", 2)) is None
        assert owners.owner(("fe80::1%eth0", 1), ("fe80::2%eth0", 2)) is None


def test_numbers_of_questions_begin_again_after_four_billion() -> None:
    with (
        asking(2**32 - 2) as owners,
        listening(*PLACES[0]) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        pair = ends(client)
        assert all(owners.owner(*pair) is not None for _ in range(4))


def test_who_is_closed_is_asked_nothing() -> None:
    with asking() as owners, listening(*PLACES[0]) as server:
        owners.close()
        with socket.create_connection(server.getsockname()) as client:
            assert owners.owner(*ends(client)) is None
