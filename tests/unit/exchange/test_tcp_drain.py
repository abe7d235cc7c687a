"""A site that stops while a client's last bytes are still on their way to the target.

So does a tunnel of HTTP/1 as a tcp connection does.
"""

import random

import pytest

from router.exchange.forwarder import Forwarder
from router.model.ids import ServiceKey, SiteId
from router.model.settings import Timeouts
from router.model.specs import ServiceProtocol, ServiceSpec
from router.net.ports import Connection, ConnectionHandler
from router.net.simulated.internet import SimulatedInternet
from router.service.ports import TargetConfig
from tests.unit.exchange.fakes import FakeMesh, FakeNetwork
from tests.unit.net.recorder import Recorder

pytestmark = pytest.mark.usefixtures("lateness")

KEY = ServiceKey("db", 5432)
CLIENT, SITE, TARGET = "10.0.0.1", "10.0.0.2", "10.0.0.3"
LAST_WORDS = random.Random(3).randbytes(60_000)
BUFFER_BYTES = 8_192
UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
PROTOCOLS: list[ServiceProtocol] = ["tcp", "http"]


class World:
    """A client and a target, which finishes its own direction at once and reads when it may."""

    def __init__(self, protocol: ServiceProtocol) -> None:
        self.protocol = protocol
        self.internet = SimulatedInternet(1, buffer_bytes=BUFFER_BYTES)
        network = self.internet.host(SITE)
        self.client, self.target = Recorder(), Recorder()
        self.internet.host(TARGET).listen(TARGET, 5432, self.accept)
        self.forwarder = Forwarder(
            network,
            FakeMesh(FakeNetwork()),
            site=SiteId("s"),
            site_name="s",
            rng=random.Random(1),
            branch_to=lambda link, site: site,
        )
        timeouts = Timeouts(half_closed_s=5.0)
        spec = ServiceSpec(ports=(5432,), protocol=protocol, timeouts=timeouts)
        self.forwarder.set_service(KEY, spec)
        self.forwarder.set_targets(KEY, {f"{TARGET}:5432": TargetConfig(connector="c")})
        self.forwarder.set_listeners({KEY: (SITE, 5432)})
        self.internet.run_while(lambda: not self.forwarder.readings.load_of(KEY).targets_ready)
        self.internet.host(CLIENT).dial(
            SITE, 5432, self.client.take, lambda failure: None, timeout_s=1.0
        )
        if protocol == "http":
            self.internet.run_while(lambda: self.client.connection is None)
            self.client.wire.send(UPGRADE)
        self.internet.run_while(lambda: not self.client.told("ended"))
        self.client.wire.send(LAST_WORDS)
        self.client.wire.finish()
        self.internet.run_while(lambda: not self.client.losses)

    def accept(self, connection: Connection) -> ConnectionHandler:
        if self.forwarder.client_connections == 0 or self.target.connection is not None:
            return Recorder()  # A health check.
        if self.protocol == "http":
            self.target.on_received = self.switch
        else:
            connection.finish()
            connection.pause()
        return self.target.take(connection)

    def switch(self, data: memoryview) -> None:
        if self.target.data.endswith(b"\r\n\r\n"):
            self.target.data.clear()
            self.target.wire.send(SWITCHED)
            self.target.wire.finish()
            self.target.wire.pause()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("reads", [True, False])
def test_a_drained_site_has_delivered_what_a_client_sent_before_it_left(
    reads: bool, protocol: ServiceProtocol
) -> None:
    world = World(protocol)
    assert world.client.losses == [None]  # For the client all is well.
    drained: list[float] = []
    world.forwarder.drain(lambda: drained.append(world.internet.now))
    world.internet.run_until(world.internet.now + 1.0)
    assert not drained
    began = world.internet.now
    if reads:
        world.target.wire.resume()
    world.internet.run_while(lambda: not drained, limit_s=60.0)
    if reads:
        world.internet.run_until(world.internet.now + 0.1)  # The kernel has the last of it.
        assert bytes(world.target.data) == LAST_WORDS
        assert world.target.told("ended")
    else:
        assert drained[0] - began < 7.0  # It is not waited for for ever either.
        assert not world.target.told("ended")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_aborted_site_gives_up_what_is_on_its_way(protocol: ServiceProtocol) -> None:
    world = World(protocol)
    world.forwarder.abort()
    world.internet.run_while(lambda: not world.target.losses)
    assert not world.target.told("ended")
    assert world.forwarder.client_connections == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_target_may_take_the_last_bytes_of_a_client_that_left_as_slowly_as_it_likes(
    protocol: ServiceProtocol,
) -> None:
    """What the kernel holds for it moves, too: the time of a half-closed connection is for rest."""
    world = World(protocol)
    target, host = world.target, world.internet.host(TARGET)

    def take_a_little(data: memoryview) -> None:
        target.wire.pause()
        host.call_at(host.now() + 2.0, target.wire.resume)

    target.on_received = take_a_little
    began = world.internet.now
    target.wire.resume()
    world.internet.run_while(lambda: not target.losses, limit_s=60.0)
    assert world.internet.now - began > 15.0
    assert (bytes(target.data), target.losses) == (LAST_WORDS, [None])
    assert world.forwarder.client_connections == 0
