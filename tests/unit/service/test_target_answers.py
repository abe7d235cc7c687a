"""Connections to a tcp target that get a byte of an answer, and those that wait in vain."""

import pytest

from router.model.ids import ServiceKey
from router.model.limits import HALF_CLOSED_IDLE_S, SILENT_WAIT_S, TUNNEL_IDLE_S
from router.model.specs import PolicySpec, ServiceSpec
from router.service.ports import TargetConfig
from tests.unit.exchange.fakes import FakeMesh, FakeNetwork, FakeTarget, Party, Site, candidate

KEY = ServiceKey("db", 5432)


class World:
    """Clients at ``a``; the only target is there, or ``far``, at ``b``."""

    def __init__(self, *, far: bool) -> None:
        self.network = FakeNetwork()
        mesh = FakeMesh(self.network)
        self.a, self.b = Site(self.network, mesh, "a"), Site(self.network, mesh, "b")
        self.target = FakeTarget(self.network, "10.0.0.1", 5432)
        self._site = self.b if far else self.a
        for site in (self.a, self.b):
            site.forwarder.set_service(
                KEY, ServiceSpec(ports=(5432,), protocol="tcp", policy=PolicySpec())
            )
        config = TargetConfig(connector="main", capacity=10, proxy_protocol=True)
        self._site.forwarder.set_targets(KEY, {str(self.target): config})
        if far:
            self.a.forwarder.ports.set_remotes(KEY, [candidate("b", capacity=10)])
        self.a.forwarder.set_listeners({KEY: ("127.0.0.1", 5432)})
        self.network.run()

    def client(self, hello: bytes = b"hello") -> tuple[Party, Party]:
        """One that is connected, and what the target has of it."""
        client = self.a.connect("127.0.0.1", 5432)
        if hello:
            client.send(hello)
        self.network.run()
        return client, self.target.serving[-1]

    def wait(self, seconds: float = SILENT_WAIT_S) -> None:
        self.network.advance(seconds)
        self.network.run()

    @property
    def counted(self) -> tuple[int, int]:
        """Answered, silent."""
        self.network.run()
        counts = self._site.forwarder.readings.targets.answers_of(KEY)[str(self.target)]
        return counts.answered, counts.silent


@pytest.fixture(params=[False, True], ids=["here", "far"])
def world(request: pytest.FixtureRequest) -> World:
    return World(far=request.param)


def test_a_client_that_waited_and_left_was_not_answered(world: World) -> None:
    client, _ = world.client()
    world.wait()
    client.abort()
    assert world.counted == (0, 1)


def test_a_client_that_closed_was_not_answered_once_its_time_is_over(world: World) -> None:
    client, _ = world.client()
    client.finish()
    world.wait()
    assert world.counted == (0, 0)
    world.wait(2 * HALF_CLOSED_IDLE_S)
    assert world.counted == (0, 1)


def test_a_connection_that_idles_out_was_not_answered(world: World) -> None:
    world.client()
    world.wait(2 * TUNNEL_IDLE_S)
    assert world.counted == (0, 1)


def test_one_byte_is_an_answer_and_the_rest_of_the_connection_counts_nothing(world: World) -> None:
    client, served = world.client()
    world.wait()
    for _ in range(3):
        served.send(b".")
        client.send(b"more")
        world.network.run()
    client.abort()
    assert world.counted == (1, 0)


def test_a_client_that_sent_nothing_waited_for_nothing(world: World) -> None:
    client, _ = world.client(b"")
    world.wait()
    client.abort()
    assert world.counted == (0, 0)


def test_a_client_that_left_at_once_did_not_wait(world: World) -> None:
    client, _ = world.client()
    client.abort()
    assert world.counted == (0, 0)


def test_a_target_that_closes_without_a_byte_has_reacted(world: World) -> None:
    client, served = world.client()
    world.wait()
    served.finish()
    world.network.run()
    client.abort()
    assert world.counted == (0, 0)


def test_a_connection_that_outlasted_an_answer_to_another_one_says_nothing(world: World) -> None:
    subscriber, _ = world.client()
    client, served = world.client()
    world.wait()
    served.send(b"answer")
    world.network.run()
    subscriber.abort()
    assert world.counted == (1, 0)
    client.abort()
    assert world.counted == (1, 0)
