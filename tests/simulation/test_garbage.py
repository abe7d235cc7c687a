"""What a request allocates is free again when it ends, without the cycle collector."""

import gc

import pytest

from router.net.ports import Connection, ConnectionHandler, DialFailure
from tests.simulation.world import SERVICE, Passive, SimSite, World

REQUEST = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
WARM_UP, REQUESTS = 20, 200


class KeepAliveClient(Passive):
    """One connection that asks again as soon as it was answered, ``left`` times."""

    def __init__(self, connection: Connection, body: bytes, left: int) -> None:
        super().__init__(connection)
        self.left = left
        self._end = b"\r\n\r\n" + body
        self._answer = b""
        connection.send(REQUEST)

    def received(self, data: memoryview) -> None:
        self._answer += data
        if not self._answer.endswith(self._end):
            return
        assert self._answer.startswith(b"HTTP/1.1 200 "), self._answer
        self._answer = b""
        self.left -= 1
        if self.left > 0:
            self._connection.send(REQUEST)

    def again(self, left: int) -> None:
        """Ask ``left`` times more."""
        self.left = left
        self._connection.send(REQUEST)


def keep_alive_client(world: World, site: SimSite, body: bytes) -> KeepAliveClient:
    """A client of ``site`` that has been answered `WARM_UP` times."""
    clients: list[KeepAliveClient] = []

    def connected(connection: Connection) -> ConnectionHandler:
        clients.append(KeepAliveClient(connection, body, WARM_UP))
        return clients[0]

    def failed(failure: DialFailure) -> None:
        raise AssertionError(failure)

    site.network.dial("127.0.0.1", SERVICE.port, connected, failed, timeout_s=5.0)
    world.run_while(lambda: not clients or clients[0].left > 0, limit_s=30)
    return clients[0]


@pytest.mark.parametrize("server", ["a", "b"])
def test_requests_leave_nothing_to_the_collector(server: str) -> None:
    world = World(0, "a", "b")
    near, far = world.sites.values()
    near.link(far, 1)
    near.declare()
    world[server].serve(1, capacity=None, service_s=0.001)
    world.run(5)
    client = keep_alive_client(world, near, server.encode())

    gc.collect()
    gc.disable()
    try:
        client.again(REQUESTS)
        world.run_while(lambda: client.left > 0, limit_s=60)
        left_behind = gc.collect()
    finally:
        gc.enable()

    assert left_behind < REQUESTS, f"{left_behind / REQUESTS:g} objects a request"
