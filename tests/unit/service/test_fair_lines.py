"""A member that opens as many waiting streams as it can, beside clients of the egress's own."""

import pytest

from router.link.ports import OpenRequest
from router.model.ids import ServiceKey, SiteId
from router.model.specs import ServiceSpec
from router.service.ports import TargetConfig
from tests.unit.exchange.fakes import (
    FakeMesh,
    FakeNetwork,
    FakeStream,
    FakeTarget,
    Party,
    Site,
    router_of,
)

KEY = ServiceKey("db", 5432)
SLOTS, SERVICE_S = 4, 0.1


class Opener:
    """The handler of a stream at the site that opened it."""

    def __init__(self) -> None:
        self.refusals: list[str] = []

    def refused(self, reason: str, in_flight: int) -> None:
        self.refusals.append(reason)

    def accepted(self, in_flight: int) -> None: ...
    def received(self, data: memoryview) -> bool:
        return True

    def ended(self, in_flight: int) -> None: ...
    def writable(self) -> None: ...
    def lost(self, cause: object) -> None: ...


class Crowded:
    """A site with 4 slots. ``flood``: requests of a neighbor; `client`: a local client."""

    def __init__(self, queue: int | None) -> None:
        self.network = FakeNetwork()
        self.mesh = FakeMesh(self.network)
        self.site = Site(self.network, self.mesh, "b")
        self.target = FakeTarget(self.network, "10.0.0.1", 1, self._serve)
        forwarder = self.site.forwarder
        forwarder.set_service(KEY, ServiceSpec(ports=(8080,), protocol="tcp", queue=queue))
        terms = TargetConfig(connector="main", capacity=SLOTS)
        forwarder.set_targets(KEY, {str(self.target): terms})
        forwarder.set_listeners({KEY: ("127.0.0.1", 5432)})
        self.network.run()
        self.lies = 0

    def _serve(self, party: Party) -> None:
        self.network.call_at(self.network.now() + SERVICE_S, party.abort)

    def open(self, link: str, ingress: str) -> Opener:
        """A neighbor opens a stream that may wait long, and says where it came in."""
        handler = Opener()
        near = FakeStream(self.mesh, router_of("b"))
        far = FakeStream(self.mesh, router_of(link), SiteId(link))
        near.other, far.other = far, near
        near.handler = handler  # type: ignore[assignment]
        request = OpenRequest(
            path=(router_of("b"),),
            service=KEY.name,
            port=KEY.port,
            protocol="tcp",
            ingress=SiteId(ingress),
            wait_ms=60_000,
        )
        self.site.forwarder.stream_offered(far, request)
        near.send(b"liar")
        return handler

    def flood(self, count: int) -> list[Opener]:
        """Each says that it came in at another site."""
        self.lies += count
        return [self.open("liar", f"{self.lies - number}") for number in range(count)]

    def client(self) -> Party:
        party = self.site.connect("127.0.0.1", 5432)
        party.send(b"own")
        self.network.run()
        return party

    def served(self, what: bytes) -> int:
        return sum(bytes(one.got) == what for one in self.target.parties)

    @property
    def queued(self) -> int:
        return self.site.forwarder.readings.services_snapshot()[0].queued


@pytest.mark.parametrize("queue", [900, None])
def test_who_floods_the_queue_takes_no_place_of_the_sites_own_clients(queue: int | None) -> None:
    world = Crowded(queue)
    world.flood(SLOTS + 900)
    for _ in range(40):  # 20 a second for 2 s, half of what the slots serve.
        world.client()
        world.flood(20)
        world.network.advance(0.05)
    world.network.advance(1.0)
    assert world.served(b"own") == 40
    assert world.queued <= (queue or 16)


def test_the_last_of_the_longest_line_is_refused_busy() -> None:
    world = Crowded(queue=3)
    world.flood(SLOTS)
    first, second, last = world.flood(3)
    world.client()
    world.network.run()
    assert (first.refusals, second.refusals, last.refusals) == ([], [], ["busy"])


def test_a_client_of_the_longest_line_gives_way_to_another_site() -> None:
    world = Crowded(queue=2)
    world.flood(SLOTS)
    first, last = world.client(), world.client()
    assert world.open("honest", "honest").refusals == []
    world.network.run()
    assert first.is_open
    assert last.was_reset
    assert world.queued == 2
