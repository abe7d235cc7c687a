"""The networks that the conformance suite runs against, behind one face."""

import random
import socket
from collections.abc import Callable
from functools import cache
from typing import NamedTuple, Protocol

from router.net.epoll import EpollNetwork
from router.net.ports import DialFailure, Intake, Listener, Network, Tls
from router.net.simulated.internet import SimulatedInternet
from tests.unit.net.certificates import client_tls, server_tls
from tests.unit.net.recorder import Recorder
from tests.unit.net.self_host import SelfHost


class HeardNetwork(Network, Intake, Protocol):
    """A network that reports incoming bytes."""


class World(Protocol):
    """Two networks that reach each other: ``left`` dials, ``right`` listens."""

    left: Network
    right: HeardNetwork
    right_ip: str
    flood_bytes: int  # More than the kernels of both ends hold.
    server_tls: Tls | None
    client_tls: Tls | None

    def run_while(self, predicate: Callable[[], bool]) -> None: ...

    def settle(self) -> None:
        """Let everything happen that is under way; timers need not run."""

    def silent_address(self) -> tuple[str, int]:
        """Where a dial from ``left`` gets no answer."""

    def handler_errors(self) -> int: ...

    def close(self) -> None: ...


class TlsWorld(NamedTuple):
    """A world that speaks TLS, and how each side of it does."""

    world: World
    server_tls: Tls
    client_tls: Tls


class RealWorld:
    flood_bytes = 16_000_000

    def __init__(self, *, tls: bool) -> None:
        self.host = SelfHost()
        self.left_network = EpollNetwork(self.host)
        self.right_network = EpollNetwork(self.host)
        self.left: Network = self.left_network
        self.right: HeardNetwork = self.right_network
        self.right_ip = "127.0.0.1"
        self.server_tls = server_tls() if tls else None
        self.client_tls = client_tls() if tls else None
        self._sockets: list[socket.socket] = []

    def run_while(self, predicate: Callable[[], bool]) -> None:
        self.host.run_while(predicate)

    def settle(self) -> None:
        self.host.settle()

    def silent_address(self) -> tuple[str, int]:
        full = socket.socket()
        self._sockets.append(full)
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        name = full.getsockname()
        for _ in range(3):  # A full backlog drops the next connections.
            client = socket.socket()
            self._sockets.append(client)
            client.setblocking(False)
            client.connect_ex(name)
        return "127.0.0.1", int(name[1])

    def handler_errors(self) -> int:
        return self.left_network.handler_errors + self.right_network.handler_errors

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()
        self.left_network.close()
        self.right_network.close()


class SimulatedWorld:
    flood_bytes = 1_000_000

    def __init__(self, seed: int, *, tls: bool) -> None:
        self.internet = SimulatedInternet(seed, raise_errors=False)
        self.left_host = self.internet.host("10.0.0.1")
        self.right_host = self.internet.host("10.0.0.2")
        self.left: Network = self.left_host
        self.right: HeardNetwork = self.right_host
        self.right_ip = "10.0.0.2"
        self.server_tls = (
            Tls(context=None, certificate=b"server", alpn=("spillway/1",)) if tls else None
        )
        self.client_tls = (
            Tls(context=None, certificate=b"client", alpn=("spillway/1",)) if tls else None
        )

    def run_while(self, predicate: Callable[[], bool]) -> None:
        self.internet.run_while(predicate)

    def settle(self) -> None:
        self.internet.run_until_idle()

    def silent_address(self) -> tuple[str, int]:
        return "10.99.0.1", 80

    def handler_errors(self) -> int:
        return self.left_host.handler_errors + self.right_host.handler_errors

    def close(self) -> None:
        self.left_host.close()
        self.right_host.close()
        self.internet.run_until_idle()


def make_world(kind: str) -> World:
    """``tcp``, ``tls``, ``simulated-SEED`` or ``simulated-tls-SEED``."""
    if kind == "tcp":
        return RealWorld(tls=False)
    if kind == "tls":
        return RealWorld(tls=True)
    return SimulatedWorld(int(kind.rpartition("-")[2]), tls="tls" in kind)


@cache
def _flood(size_bytes: int) -> bytes:
    return random.Random(2).randbytes(size_bytes)


class Pair:
    """A connection seen from both ends."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.left, self.right = Recorder(), Recorder()
        self.failures: list[DialFailure] = []
        self.listener: Listener = world.right.listen(
            world.right_ip, 0, self.right.take, tls=world.server_tls
        )
        world.left.dial(
            world.right_ip,
            self.listener.address.port,
            self.left.take,
            self.failures.append,
            timeout_s=5.0,
            tls=world.client_tls,
        )
        world.run_while(lambda: self.left.connection is None or self.right.connection is None)
        assert not self.failures

    @property
    def flood(self) -> bytes:
        """More than the kernels of both ends hold."""
        return _flood(self.world.flood_bytes)

    def run_until(self, *conditions: Callable[[], object]) -> None:
        self.world.run_while(lambda: not all(condition() for condition in conditions))

    def run_until_lost(self) -> None:
        self.run_until(lambda: self.left.losses, lambda: self.right.losses)
