"""What happens while every candidate is full: who waits where, and who gets the next slot."""

import pytest

from router.link.ports import OfferedStream, OpenRequest, ToldCount
from router.model import limits
from router.model.ids import ServiceKey
from router.model.specs import ServiceSpec
from router.service.ports import TargetConfig
from tests.unit.exchange.fakes import (
    FakeMesh,
    FakeNetwork,
    FakeStream,
    FakeTarget,
    Party,
    Site,
    candidate,
    router_of,
    site_of,
)

KEY = ServiceKey("db", 5432)
WEB = ServiceKey("shop", 8080)
OK = b"HTTP/1.1 200 OK\r\n"


class Full:
    """Site ``a`` with ``here`` slots, ``b`` with ``there``; all taken by clients of ``a``."""

    def __init__(
        self, here: int, there: int, queue: int | None = None, wait_s: float = 1.0
    ) -> None:
        self.network = FakeNetwork()
        self.mesh = FakeMesh(self.network)
        config = ServiceSpec(ports=(8080,), protocol="tcp", queue=queue, queue_wait_s=wait_s)
        self.sites: dict[str, Site] = {}
        self.targets: dict[str, FakeTarget] = {}
        for name, capacity in (("a", here), ("b", there)):
            site = self.sites[name] = Site(self.network, self.mesh, name)
            target = self.targets[name] = FakeTarget(self.network, f"10.0.0.{len(self.sites)}", 1)
            site.forwarder.set_service(KEY, config)
            if capacity:
                site.forwarder.set_targets(
                    KEY, {str(target): TargetConfig(connector="main", capacity=capacity)}
                )
        self.network.run()
        self.a, self.b = self.sites["a"], self.sites["b"]
        if there:
            self.a.forwarder.ports.set_remotes(KEY, [candidate("b", capacity=there)])
        for index, site in enumerate((self.a, self.b)):
            site.forwarder.set_listeners({KEY: (f"127.0.0.{index + 1}", 5432)})
        self.holders = [self.client(b"holder") for _ in range(here + there)]
        assert (self.a.in_flight(KEY), self.b.in_flight(KEY)) == (here, there)

    def client(self, hello: bytes = b"", host: str = "127.0.0.1") -> Party:
        party = self.a.connect(host, 5432)
        if hello:
            party.send(hello)
        self.network.run()
        return party

    def served(self, name: str) -> list[bytes]:
        got = [bytes(party.got) for party in self.targets[name].parties]
        return [each for each in got if each and each != b"holder"]

    @property
    def queued(self) -> int:
        return self.a.forwarder.readings.services_snapshot()[0].queued


def test_a_freed_local_slot_goes_to_the_first_who_waits() -> None:
    world = Full(1, 0)
    world.client(b"one"), world.client(b"two")
    assert world.served("a") == []
    world.holders[0].abort()
    world.network.run()
    assert world.served("a") == [b"one"]
    assert world.queued == 1
    assert world.a.in_flight(KEY) == 1


def test_nobody_waits_longer_than_the_queue_allows() -> None:
    world = Full(1, 0, wait_s=0.5)
    waiter = world.client(b"one")
    world.network.advance(0.49)
    assert waiter.is_open
    world.network.advance(0.02)
    assert waiter.was_reset
    assert world.queued == 0
    assert world.served("a") == []


def test_a_full_queue_refuses_at_once() -> None:
    world = Full(1, 0, queue=2)
    waiters = [world.client(b"w") for _ in range(3)]
    assert [waiter.is_open for waiter in waiters] == [True, True, False]


def test_a_queue_of_nothing_lets_nobody_wait() -> None:
    world = Full(1, 0, queue=0)
    assert world.client(b"w").was_reset


def test_who_leaves_while_waiting_gets_no_slot() -> None:
    world = Full(1, 0)
    gone, stays = world.client(b"gone"), world.client(b"stays")
    gone.abort()
    world.holders[0].abort()
    world.network.run()
    assert world.served("a") == [b"stays"]
    assert stays.is_open


def test_a_client_that_ends_without_a_byte_while_waiting_is_gone() -> None:
    world = Full(1, 0)
    silent = world.client()
    silent.finish()
    world.network.run()
    assert silent.was_reset
    assert world.queued == 0


def test_a_client_that_ended_after_its_bytes_is_served_from_the_queue() -> None:
    world = Full(1, 0)
    client = world.client(b"question")
    client.finish()
    world.network.run()
    world.holders[0].abort()
    world.network.run()
    assert world.served("a") == [b"question"]
    assert world.targets["a"].serving[-1].got_end


def test_a_single_waiter_stays_where_it_would_be_served_first() -> None:
    world = Full(1, 1)
    world.client(b"one")
    assert [offer.wait_ms for offer in world.mesh.opens] == [0]
    world.holders[0].abort()
    world.network.run()
    assert world.served("a") == [b"one"]


def test_of_several_waiters_one_stands_at_the_other_site() -> None:
    world = Full(1, 1)
    world.client(b"one"), world.client(b"two"), world.client(b"three")
    assert sum(offer.wait_ms > 0 for offer in world.mesh.opens) == 1
    world.holders[1].abort()
    world.network.run()
    assert world.served("b") == [b"two"]
    world.holders[0].abort()
    world.network.run()
    assert world.served("a") == [b"one"]


def test_without_local_targets_the_first_waiter_stands_at_the_other_site() -> None:
    world = Full(0, 1)
    world.client(b"one")
    world.holders[0].abort()
    world.network.run()
    assert world.served("b") == [b"one"]


def test_a_stand_is_renewed_until_the_deadline_and_no_longer() -> None:
    world = Full(0, 1)
    waiter = world.client(b"one")
    world.network.advance(0.9)
    assert waiter.is_open
    world.network.advance(0.2)
    assert waiter.was_reset
    stands = [offer for offer in world.mesh.opens if offer.wait_ms]
    assert 4 <= len(stands) <= 6
    assert sum(offer.wait_ms for offer in stands) <= 1_000
    assert world.b.in_flight(KEY) == 1


def test_a_stand_that_comes_back_takes_a_local_slot_freed_meanwhile() -> None:
    world = Full(1, 1)
    first, second = world.client(b"one"), world.client(b"two")
    world.holders[0].abort()
    world.network.run()
    assert world.served("a") == [b"one"]
    first.abort()
    world.network.advance(limits.STAND_S + 0.01)
    assert world.served("a") == [b"one", b"two"]
    assert second.is_open


def test_a_load_report_sends_the_first_waiter_on_at_once() -> None:
    world = Full(1, 1)
    world.client(b"one")
    world.holders[1].abort()
    world.network.run()
    world.a.forwarder.ports.report_load(world.b.load_report(KEY, 1), site_of("b"))
    world.network.run()
    assert world.served("b") == [b"one"]


def test_a_target_that_comes_back_serves_who_waits() -> None:
    world = Full(1, 0)
    world.client(b"one")
    world.a.forwarder.set_targets(
        KEY, {str(world.targets["a"]): TargetConfig(connector="main", capacity=2)}
    )
    world.network.run()
    assert world.served("a") == [b"one"]


def test_a_waiter_whose_client_leaves_while_it_stands_leaves_the_other_site_too() -> None:
    world = Full(0, 1)
    waiter = world.client(b"one")
    waiter.abort()
    world.network.run()
    world.holders[0].abort()
    world.network.run()
    assert world.served("b") == []
    assert world.b.in_flight(KEY) == 0
    assert world.queued == 0


def test_a_link_cut_while_a_request_stands_is_a_failure_since_it_may_have_run() -> None:
    world = Full(0, 1)
    waiter = world.client(b"one")
    world.mesh.cut(router_of("b"))
    world.network.run()
    assert waiter.was_reset


def test_local_clients_and_other_sites_are_served_in_turn() -> None:
    world = Full(0, 1)
    world.client(b"from a")
    for index in range(3):
        world.client(b"from b %d" % index, host="127.0.0.2")
    holder = world.holders[0]
    order: list[bytes] = []
    for _ in range(4):
        before = len(world.served("b"))
        if order:
            world.targets["b"].serving[-1].abort()
        else:
            holder.abort()
        world.network.run()
        order.extend(world.served("b")[before:])
    assert order[:2] == [b"from a", b"from b 0"]
    assert len(order) == 4


@pytest.mark.parametrize("queue", [1, 3])
def test_waiting_here_and_standing_elsewhere_count_together(queue: int) -> None:
    world = Full(1, 1, queue=queue)
    waiters = [world.client(b"w") for _ in range(queue + 2)]
    assert sum(waiter.is_open for waiter in waiters) == queue


def test_a_removed_service_tells_who_waits() -> None:
    world = Full(1, 0)
    waiter = world.client(b"one")
    world.a.forwarder.remove_service(KEY)
    world.network.run()
    assert waiter.was_reset


def test_queue_waits_are_measured() -> None:
    world = Full(1, 0)
    world.client(b"one")
    world.network.advance(0.3)
    world.holders[0].abort()
    world.network.run()
    (snapshot,) = world.a.forwarder.readings.services_snapshot()
    assert sum(snapshot.counters.queue_wait.counts) == 1
    assert 0.29 < snapshot.counters.queue_wait.sum_s < 0.31


def test_a_removed_service_refuses_who_waits_from_other_sites() -> None:
    world = Full(0, 1)
    waiter = world.client(b"one")
    world.b.forwarder.remove_service(KEY)
    world.network.run()
    assert world.queued == 0
    world.network.advance(limits.REROUTE_WAIT_S)  # Another router of that site may have it.
    assert waiter.was_reset


def test_more_stand_elsewhere_when_the_way_is_long_and_service_short() -> None:
    world = Full(0, 4)
    for holder in world.holders:
        holder.abort()
    world.network.run()
    world.mesh.delay_s = 0.025
    for _ in range(20):
        client = world.client(b"quick")
        world.network.advance(0.07)  # It has a target for some 20 ms of that.
        client.abort()
        world.network.run()
    for _ in range(4):
        world.client(b"holder")
    world.network.advance(0.05)
    before = len(world.mesh.opens)
    for _ in range(8):
        world.client(b"waits")
    standing = [offer for offer in world.mesh.opens[before:] if offer.wait_ms]
    assert 1 < len(standing) <= 8


def standing_behind(*, whole: bool) -> int:
    """How many of 8 requests wait at a full site that served 20 for 0.02 s each.

    The round trip to the site is 0.05 s.

    ``whole``: each answer came in one piece together with ACCEPTED; else ACCEPTED came first.
    """
    network = FakeNetwork()
    mesh = FakeMesh(network)
    site = Site(network, mesh, "a")
    site.forwarder.set_service(WEB, ServiceSpec(ports=(8080,), protocol="http"))
    site.forwarder.ports.set_remotes(WEB, [candidate("b", capacity=1)])
    site.forwarder.set_listeners({WEB: ("127.0.0.1", 8080)})
    mesh.delay_s, holds = 0.025, False

    def offered(stream: OfferedStream, request: OpenRequest) -> None:
        assert isinstance(stream, FakeStream) and stream.other is not None
        ingress = stream.other

        def answer() -> None:
            if whole:
                ingress.held_s = 0.02
                stream.answer(OK, 2, b"ok", ToldCount(0))
            else:
                stream.send_head(OK, 2)
                stream.send(b"ok")
                stream.finish(ToldCount(0))

        if holds or not whole:
            stream.accept(1)
        if not holds:
            network.call_at(network.now() + 0.02, answer)

    mesh.offered[router_of("b")] = offered

    def ask() -> Party:
        party = site.connect("127.0.0.1", 8080)
        party.send(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
        network.run()
        return party

    for _ in range(20):
        client = ask()
        network.advance(0.1)
        assert bytes(client.got).endswith(b"ok")
    holds = True
    ask()
    network.advance(0.1)
    before = len(mesh.opens)
    for _ in range(8):
        ask()
    return sum(1 for offer in mesh.opens[before:] if offer.wait_ms)


def test_the_way_is_learnt_from_whole_answers_as_from_their_parts() -> None:
    assert 1 < standing_behind(whole=False) == standing_behind(whole=True)


def overflow(world: Full) -> int:
    return world.a.forwarder.readings.services_snapshot()[0].counters.overflow_total


def test_waiting_at_another_site_is_overflow_only_if_a_cheaper_one_is_full() -> None:
    alone = Full(0, 1)
    waiter = alone.client(b"one")
    alone.holders[0].abort()
    alone.network.run()
    waiter.abort()
    alone.network.run()
    assert overflow(alone) == 0
    both = Full(1, 1)
    both.client(b"one"), both.client(b"two")
    for party in (*both.targets["a"].serving, *both.targets["b"].serving):
        if party.got == b"holder":
            party.abort()
    both.network.run()
    for party in (*both.targets["a"].serving, *both.targets["b"].serving):
        party.abort()
    both.network.run()
    assert overflow(both) == 2


@pytest.mark.parametrize("wait_s", [0.05, 1.0])
def test_a_site_that_lets_nobody_stand_is_not_asked_again_at_once(wait_s: float) -> None:
    world = Full(0, 1, wait_s=wait_s)
    world.b.forwarder.set_service(KEY, ServiceSpec(ports=(8080,), protocol="tcp", queue=0))
    before = len(world.mesh.opens)
    waiter = world.client(b"one")
    assert len(world.mesh.opens) == before + 1
    world.network.advance(wait_s)
    assert waiter.was_reset
    assert len(world.mesh.opens) <= before + 2 + wait_s / limits.STAND_RETRY_S
