"""A client and a target of this process, sockets both, joined by a real network as a site does."""

import os
import socket
from contextlib import suppress
from unittest import mock

from router.exchange.clients.ingress_tcp import TcpSession
from router.http.http1.bytes_cache import BytesCache
from router.http.http1.responses import KnownResponses
from router.model.ids import ServiceKey
from router.model.requests import Request
from router.model.settings import Timeouts
from router.net import pipes, plain
from router.net.epoll import EpollNetwork
from router.net.ports import Connection
from router.service.ports import ClientLeg, LegHandler, TargetConfig
from router.service.targets.target_ways import TargetWays
from tests.unit.exchange.taken import DirectExchange, Told, service_of
from tests.unit.net.self_host import SelfHost

BULK_BYTES = 6_000_000
MESSAGE = 100


class Descriptors:
    """Those of this process now, and which of them were opened since.

    Others that are closed meanwhile do not count: the collector closes what earlier tests left.
    """

    def __init__(self) -> None:
        self._before = _descriptors()

    def opened(self) -> set[tuple[str, str]]:
        """Numbers and files of descriptors that are open now and were not at first."""
        return _descriptors() - self._before


def _descriptors() -> set[tuple[str, str]]:
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # The listing's own.
            found.add((number, os.readlink(f"/proc/self/fd/{number}")))
    return found


class Party:
    """One of the two; it reads and writes when told to, never blocking."""

    def __init__(self, sock: socket.socket, seed: int) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.sent = bytearray()
        self.received = bytearray()
        self.reads = True
        self.ended = False
        self.broken = False
        self._seed = seed
        self._to_send = memoryview(b"")
        self._finishes = False

    def say(self, size: int) -> None:
        self._seed += 1
        said = (b"%08d" % self._seed) * (size // 8 + 1)
        self._to_send = memoryview(bytes(self._to_send) + said[:size])

    def finish(self) -> None:
        self._finishes = True

    def reset(self) -> None:
        self.broken = True
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def step(self) -> None:
        if self.broken:
            return
        try:
            if self._to_send:
                sent = self.sock.send(self._to_send)
                self.sent += self._to_send[:sent]
                self._to_send = self._to_send[sent:]
            elif self._finishes:
                self._finishes = False
                self.sock.shutdown(socket.SHUT_WR)
            if self.reads and not self.ended:
                data = self.sock.recv(300_000)
                self.received += data
                self.ended = not data
        except BlockingIOError:
            pass
        except OSError:
            self.broken = True

    @property
    def is_quiet(self) -> bool:
        return self.broken or not (self._to_send or self._finishes)


class Joined:
    """``client`` and ``target`` with a `TcpSession` between them; ``moves`` counts splices."""

    def __init__(self) -> None:
        self._descriptors = Descriptors()
        self.host = SelfHost()
        self.network = EpollNetwork(self.host)
        self.session: TcpSession | None = None
        self.session_over = False
        self.moves = 0
        self._patch = mock.patch.object(plain, "splice", self._splice)
        self._patch.start()
        door = socket.create_server(("127.0.0.1", 0))
        self._target = f"127.0.0.1:{door.getsockname()[1]}"
        targets = TargetWays(
            self.network, "here", Timeouts(connect_s=1.0), KnownResponses(), BytesCache()
        )
        targets.set_targets({self._target: TargetConfig(connector="t")})
        self._service = service_of(targets, self.network, Told([]))
        listener = self.network.listen("127.0.0.1", 0, self._accepted)
        client = socket.create_connection(("127.0.0.1", listener.address.port))
        self.host.run_while(lambda: self.session is None)
        target, _ = door.accept()
        door.close()
        self.client, self.target = Party(client, 1), Party(target, 2)
        self.host.settle()
        listener.close()

    def _splice(self, source: int, sink: int, size_bytes: int) -> int:
        self.moves += 1
        return pipes.splice(source, sink, size_bytes)

    def _accepted(self, connection: Connection) -> TcpSession:
        self.session = TcpSession(
            connection,
            key=ServiceKey("db", 5432),
            open_leg=self._open_leg,
            timers=self.network,
            over=lambda: None,
            timed_out=lambda cause: None,
        )
        return self.session

    def _open_leg(self, request: Request, handler: LegHandler) -> ClientLeg:
        return DirectExchange(request, handler, self._service, self._target)

    def run(self, rounds: int) -> None:
        for _ in range(rounds):
            self.client.step()
            self.target.step()
            self.host.step(0)

    def settle(self) -> None:
        """Until nothing moves any more."""
        seen: tuple[int, ...] = ()
        for _ in range(2000):
            self.run(5)
            self.host.settle(0.001)
            now = tuple(
                number
                for party in (self.client, self.target)
                for number in (len(party.sent), len(party.received), party.ended, party.broken)
            )
            if now == seen and self.client.is_quiet and self.target.is_quiet:
                return
            seen = now
        raise AssertionError("it never settles")

    @property
    def sockets_open(self) -> int:
        return self.network.sockets_open

    def close(self) -> None:
        """All of it: no descriptor is left."""
        self.client.sock.close()
        self.target.sock.close()
        self.network.close()
        self._patch.stop()
        assert not self._descriptors.opened(), "a descriptor is left"
