"""Targets and services that are taken away while requests are under way or wait."""

from router.net.ports import Connection, ConnectionHandler, DialFailure, Loss
from tests.simulation.test_fill_and_spill import all_answered, at_rest, count, joined
from tests.simulation.world import SERVICE, SimSite, World


def unbind(site: SimSite) -> None:
    """`service unbind`: its connector's document is gone; the targets themselves go on."""
    del site.connectors["here"]
    site.apply()


class Kept:
    """A client that keeps its connection."""

    def __init__(self, site: SimSite) -> None:
        self.received_bytes = b""
        self.has_ended = False
        self.losses: list[Loss | None] = []
        self.connection: Connection | None = None
        network = site.network

        def failed(failure: DialFailure) -> None:
            raise AssertionError(failure)

        network.dial("127.0.0.1", SERVICE.port, self._connected, failed, timeout_s=5.0)

    def _connected(self, connection: Connection) -> ConnectionHandler:
        self.connection = connection
        return self

    def ask(self) -> None:
        assert self.connection is not None
        self.connection.send(b"GET /kept HTTP/1.1\r\nHost: shop\r\n\r\n")

    def received(self, data: memoryview) -> None:
        self.received_bytes += data

    def ended(self) -> None:
        self.has_ended = True
        assert self.connection is not None
        self.connection.finish()

    def writable(self) -> None:
        pass

    def lost(self, cause: Loss | None) -> None:
        self.losses.append(cause)


def test_requests_at_a_target_that_is_unbound_finish_there_and_the_queue_moves_on() -> None:
    world = World(1, "a", "b")
    joined(world, 5)
    a, b = world.sites.values()
    a.declare(queue=20, queue_wait_s=30.0)
    a.serve(1, capacity=2, service_s=3.0)
    b.serve(1, capacity=2, service_s=3.0)
    world.run(5)
    answers = [a.request() for _ in range(4)]
    world.run(0.5)
    waiting = [a.request() for _ in range(4)]
    world.run(0.5)
    assert (a.served, b.served, len(world.seen)) == (0, 0, 4)
    unbind(a)
    world.run(15)
    all_answered(answers + waiting)
    assert count(answers, a) == 2 and count(waiting, b) == 4
    at_rest(world)


def test_requests_of_others_that_wait_at_an_unbound_target_go_elsewhere_at_once() -> None:
    world = World(1, "a", "b", "c")
    joined(world, 1, 1)
    a, b, c = world.sites.values()
    a.declare(queue=20, queue_wait_s=30.0)
    b.serve(1, capacity=1, service_s=2.0)
    world.run(5)
    first = a.request()
    world.run(0.1)
    waiting = a.request()
    world.run(0.1)
    c.serve(1, capacity=5, service_s=0.1)
    unbind(b)
    world.run(0.6)
    assert (waiting.status, waiting.site) == (200, "c")
    world.run(3)
    assert (first.status, first.site) == (200, "b")
    at_rest(world)


def test_a_targets_removal_while_its_pooled_connections_are_in_use_loses_nothing() -> None:
    world = World(1, "a", "b")
    joined(world, 1)
    a, b = world.sites.values()
    a.declare(queue_wait_s=10.0)
    b.serve(2, capacity=4, service_s=0.3)
    world.run(5)
    answers = a.offer(rate=10, seconds=4)
    world.run(1)
    gone = min(b.targets)
    kept = b.connectors["here"]
    b.connectors["here"] = type(kept)(
        service=kept.service,
        targets=tuple(one for one in kept.targets if one.port != gone),
        capacity=kept.capacity,
    )
    b.apply()
    world.run(0.4)
    served_then = b.targets[gone].served
    world.run(8)
    all_answered(answers)
    assert b.targets[gone].served == served_then, "it is asked nothing more"
    assert b.targets[gone].in_hand == 0
    at_rest(world)


def test_clients_of_a_deleted_service_are_served_to_the_end_and_closed_cleanly() -> None:
    world = World(1, "a", "b")
    joined(world, 1)
    a, b = world.sites.values()
    a.declare()
    b.serve(1, capacity=5, service_s=1.0)
    world.run(5)
    busy, idle = Kept(a), Kept(a)
    world.run(0.1)
    idle.ask()
    world.run(2)
    busy.ask()
    world.run(0.2)
    a.services.clear()
    a.apply()
    world.run(0.2)
    late = a.request()
    world.run(3)
    assert idle.received_bytes.startswith(b"HTTP/1.1 200") and idle.losses == [None]
    assert busy.received_bytes.startswith(b"HTTP/1.1 200") and busy.losses == [None]
    assert b"Connection: close" in busy.received_bytes
    assert late.error == "refused"
    world.run(5)
    assert SERVICE not in a.router.services and SERVICE not in b.router.services
    assert [site.router.forwarder.client_connections for site in (a, b)] == [0, 0]
    assert [site.router.links.streams for site in (a, b)] == [0, 0]
