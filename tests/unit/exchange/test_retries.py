"""Trying again after a failure: within the service's budget, and never past the deadline."""

import pytest

from router.model import limits
from router.model.ids import ServiceKey
from router.model.settings import ServiceLimits, Timeouts
from router.model.specs import ServiceProtocol, ServiceSpec
from router.service.ports import TargetConfig
from tests.unit.exchange.fakes import (
    FakeMesh,
    FakeNetwork,
    FakeTarget,
    Party,
    Site,
    candidate,
    router_of,
)

pytestmark = pytest.mark.usefixtures("lateness")

KEY = ServiceKey("shop", 8080)
GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
PUT_OF_FIVE = b"PUT / HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\n\r\n123"
POST = PUT_OF_FIVE.replace(b"PUT", b"POST")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CONNECT_S, RESPONSE_S = 0.5, 2.0


class Shop:
    """Clients at ``a``; silent targets at ``b`` (cost 1) and ``c`` (cost 9), none at ``a``."""

    def __init__(
        self,
        capacity: int = 10,
        *,
        farther: int = 10,
        percent: int = 20,
        wait_s: float = 1.0,
        protocol: ServiceProtocol = "http",
    ) -> None:
        self.network = FakeNetwork()
        self.mesh = FakeMesh(self.network)
        self.sites = {name: Site(self.network, self.mesh, name) for name in "abc"}
        self.targets: dict[str, FakeTarget] = {}
        self.capacities = {"b": capacity, "c": farther}
        config = ServiceSpec(
            ports=(8080,),
            protocol=protocol,
            queue_wait_s=wait_s,
            timeouts=Timeouts(connect_s=CONNECT_S, response_s=RESPONSE_S),
            limits=ServiceLimits(retry_percent=percent),
        )
        for index, (name, site) in enumerate(self.sites.items()):
            target = self.targets[name] = FakeTarget(self.network, f"10.0.0.{index}", 80)
            site.forwarder.set_service(KEY, config)
            if self.capacities.get(name):
                site.forwarder.set_targets(
                    KEY,
                    {str(target): TargetConfig(connector="t", capacity=self.capacities[name])},
                )
        self.a = self.sites["a"].forwarder
        self.a.set_listeners({KEY: ("127.0.0.1", 8080)})
        self.network.run()
        self.set_remotes("bc")

    def set_remotes(self, names: str) -> None:
        costs = {"b": 1, "c": 9}
        self.a.ports.set_remotes(
            KEY,
            [
                candidate(name, cost=costs[name], capacity=self.capacities[name])
                for name in names
                if self.capacities[name]
            ],
        )

    def client(self, request: bytes = GET) -> Party:
        party = self.sites["a"].connect("127.0.0.1", 8080)
        party.send(request)
        self.network.run()
        return party

    def cut(self, name: str) -> None:
        self.mesh.cut(router_of(name))
        self.network.run()

    def answer(self, name: str) -> None:
        for party in self.targets[name].serving:
            if party.got:
                party.send(OK)
        self.network.run()

    @property
    def retries(self) -> dict[tuple[str, str], int]:
        return self.a.readings.services_snapshot()[0].counters.retries

    def at_rest(self) -> bool:
        return all(site.in_flight(KEY) == 0 for site in self.sites.values())


def status(party: Party) -> int:
    return int(bytes(party.got).split(b" ", 2)[1]) if party.got else 0


def test_a_link_that_dies_with_hundreds_in_flight_fails_none_of_them() -> None:
    shop = Shop(500, farther=500)
    clients = [shop.client() for _ in range(500)]
    shop.cut("b")
    shop.answer("c")
    assert [status(client) for client in clients] == [200] * 500
    assert shop.retries == {("link-lost", "retried"): 500}


def test_when_the_budget_is_used_up_the_failure_is_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "RETRIES_SAVED_MIN", 3)
    monkeypatch.setattr(limits, "RETRIES_PER_S", 0.0)
    shop = Shop(percent=1)
    clients = [shop.client() for _ in range(5)]
    shop.cut("b")
    assert [client for client in clients if b"Spillway-Error: link-lost" in client.got] == (
        clients[3:]
    )
    shop.answer("c")
    assert [status(client) for client in clients] == [200] * 3 + [502] * 2
    assert shop.retries == {("link-lost", "retried"): 3, ("link-lost", "denied"): 2}
    shop.network.advance(0.1)
    assert shop.at_rest()


def test_no_percent_means_no_second_attempt_after_a_failure() -> None:
    shop = Shop(percent=0)
    client = shop.client()
    shop.cut("b")
    assert status(client) == 502
    assert shop.retries == {("link-lost", "denied"): 1}
    assert shop.targets["c"].requests == 0


def test_refusals_cost_nothing() -> None:
    shop = Shop(1, percent=0)
    holder = shop.sites["c"].forwarder
    holder.ports.set_remotes(KEY, [candidate("b", capacity=1)])
    holder.set_targets(KEY, {})
    holder.set_listeners({KEY: ("127.0.0.3", 8080)})
    shop.network.run()
    held = shop.sites["c"].connect("127.0.0.3", 8080)
    held.send(GET)
    shop.network.run()
    holder.set_targets(KEY, {str(shop.targets["c"]): TargetConfig(connector="t", capacity=9)})
    shop.network.run()
    client = shop.client()  # Not knowing that b is full.
    shop.answer("c")
    assert status(client) == 200
    assert shop.retries == {}


def test_a_target_that_refuses_costs_a_permit_only_if_there_is_another_site() -> None:
    shop = Shop()
    shop.targets["b"].stop()
    client = shop.client()
    shop.answer("c")
    assert status(client) == 200
    assert shop.retries == {("connect-failed", "retried"): 1}
    alone = Shop(farther=0)
    alone.targets["b"].stop()
    assert status(alone.client()) == 502
    assert alone.retries == {}


def test_no_attempt_begins_after_the_deadline() -> None:
    shop = Shop()
    patient = ServiceSpec(ports=(8080,), protocol="http", timeouts=Timeouts(response_s=60.0))
    shop.sites["b"].forwarder.set_service(KEY, patient)
    client = shop.client()
    shop.network.advance(RESPONSE_S + 0.1)
    assert status(client) == 0, "a first attempt is timed by its target's site"
    shop.cut("b")
    assert status(client) == 504
    assert shop.targets["c"].requests == 0
    assert shop.retries == {}


def test_a_second_attempt_has_only_what_the_first_one_left() -> None:
    shop = Shop()
    client = shop.client()
    shop.network.advance(RESPONSE_S - 0.5)
    shop.cut("b")
    assert shop.targets["c"].requests == 1
    shop.network.advance(0.45)
    assert status(client) == 0
    shop.network.advance(0.1)
    assert status(client) == 504
    assert bytes(client.got).count(b"HTTP/1.1") == 1
    assert shop.at_rest(), "the egress was told"
    shop.answer("c")
    assert bytes(client.got).count(b"HTTP/1.1") == 1


def test_an_answer_that_has_begun_is_not_cut_at_the_deadline() -> None:
    shop = Shop()
    client = shop.client()
    shop.network.advance(RESPONSE_S - 0.5)
    shop.cut("b")
    (party,) = (one for one in shop.targets["c"].serving if one.got)
    party.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nte")
    shop.network.advance(RESPONSE_S)
    party.send(b"xt")
    shop.network.run()
    assert client.got.endswith(b"text")
    assert not client.was_reset


def test_the_deadline_begins_when_the_request_is_complete() -> None:
    shop = Shop()
    client = shop.client(b"PUT / HTTP/1.1\r\nHost: shop\r\nContent-Length: 4\r\n\r\nbo")
    shop.network.advance(RESPONSE_S + 1.0)
    client.send(b"dy")
    shop.network.run()
    shop.network.advance(RESPONSE_S - 0.5)
    shop.cut("b")
    assert shop.targets["c"].requests == 1
    shop.answer("c")
    assert status(client) == 200


def test_waiting_for_a_slot_does_not_eat_the_time_for_the_answer() -> None:
    wait_s = 5.0
    shop = Shop(1, farther=1, wait_s=wait_s)
    holders = [shop.client() for _ in range(2)]
    for name in "bc":
        for party in shop.targets[name].serving:
            party.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nte")  # And the rest not yet.
    client = shop.client()
    shop.network.advance(wait_s - 1.0)
    assert status(client) == 0
    for holder in holders:
        holder.abort()
    shop.network.run()
    shop.network.advance(1.0)
    asked = {name: shop.targets[name].requests for name in "bc"}
    assert sum(asked.values()) == 3, "it has a slot"
    at = "b" if asked["b"] == 2 else "c"
    other = "c" if at == "b" else "b"
    shop.cut(at)
    assert shop.targets[other].requests == 2, "tried again within queue wait and response time"
    shop.network.advance(RESPONSE_S - 0.1)
    assert status(client) == 0
    shop.network.advance(0.2)
    assert status(client) == 504


def test_the_search_for_a_lost_way_ends_with_the_deadline() -> None:
    shop = Shop(farther=0)
    client = shop.client()
    shop.network.advance(RESPONSE_S - limits.REROUTE_S)
    shop.mesh.cut(router_of("b"))
    shop.network.run()
    shop.network.advance(2 * limits.REROUTE_S)
    assert status(client) == 504


def test_a_tcp_connection_has_no_deadline_of_ours() -> None:
    shop = Shop(1, farther=0, wait_s=10.0, protocol="tcp")
    first, second = shop.client(b"hello"), shop.client(b"hello")
    second.finish()
    shop.network.advance(RESPONSE_S + 1.0)
    assert second.is_open
    first.abort()
    shop.network.advance(0.5)
    assert sum(party.got == b"hello" for party in shop.targets["b"].parties) == 2


def test_tcp_clients_that_leave_after_any_time_without_a_byte_are_no_failures_of_a_site() -> None:
    shop = Shop(100, protocol="tcp")
    clients = [shop.client(b"hello") for _ in range(4 * limits.EJECT_AFTER)]
    for client in clients:
        client.finish()
    shop.network.advance(RESPONSE_S + 1.0)
    for client in clients:
        client.abort()
    shop.network.advance(1.0)
    shop.client(b"more")
    assert any(party.got == b"more" for party in shop.targets["b"].serving)


@pytest.mark.parametrize(
    ("request_bytes", "kept"), [(POST, 0), (PUT_OF_FIVE, 3)], ids=["POST", "PUT"]
)
@pytest.mark.parametrize("here", [True, False], ids=["here", "elsewhere"])
def test_once_a_target_is_held_only_what_may_be_repeated_is_kept(
    here: bool, request_bytes: bytes, kept: int
) -> None:
    shop = Shop()
    if here:
        config = {str(shop.targets["a"]): TargetConfig(connector="t", capacity=1)}
        shop.a.set_targets(KEY, config)
        shop.network.run()
    client = shop.client(request_bytes)
    assert shop.a.memory.held_bytes == kept
    client.send(b"45")
    shop.network.run()
    shop.answer("a" if here else "b")
    assert status(client) == 200
    assert shop.a.memory.held_bytes == 0


def test_a_body_above_the_limit_is_not_sent_twice() -> None:
    shop = Shop()
    size = limits.REPLAY_BYTES_MAX + 100
    head = b"PUT / HTTP/1.1\r\nHost: shop\r\nContent-Length: %d\r\n\r\n" % size
    client = shop.client(head + bytes(limits.REPLAY_BYTES_MAX - 1000))
    client.send(bytes(1100))
    shop.network.run()
    shop.cut("b")
    assert status(client) == 502
    assert shop.targets["c"].requests == 0


@pytest.mark.parametrize("protocol", ["http", "tcp"])
def test_waiting_at_a_site_that_falls_silent_ends_a_connect_after_the_queue_s_deadline(
    protocol: ServiceProtocol,
) -> None:
    shop = Shop(1, farther=0, wait_s=1.0, protocol=protocol)
    holder = shop.client()
    shop.mesh.delay_s = 30.0
    client = shop.client()
    shop.mesh.delay_s = 0.0  # Its OPEN alone is on its way for so long.
    shop.network.advance(1.0 + CONNECT_S)
    assert client.is_open and not client.got
    shop.network.advance(limits.STAND_S + 0.01)
    if protocol == "http":
        assert status(client) == 504
    else:
        assert client.was_reset
    holder.abort()
    shop.network.advance(60.0)
    assert shop.targets["b"].requests <= 1, "what was given up does not run later"
    assert shop.at_rest()


PUT = b"PUT / HTTP/1.1\r\nHost: shop\r\nContent-Length: %d\r\n\r\n"


def wait_after_failure(shop: Shop) -> tuple[Party, bytes]:
    """A client whose attempt at b failed with most of a body in hand, and which waits at a."""
    target = shop.targets["a"]
    shop.a.set_targets(KEY, {str(target): TargetConfig(connector="t", capacity=1)})
    shop.network.run()
    shop.client()
    body = b"x" * (limits.REPLAY_BYTES_MAX - 10)
    client = shop.client(PUT % (len(body) + 1000) + body)
    shop.cut("b")
    shop.set_remotes("")
    shop.network.run()
    assert shop.a.readings.services_snapshot()[0].queued == 1
    return client, body


def test_what_is_sent_between_two_attempts_belongs_to_the_next() -> None:
    shop = Shop(2, farther=0, wait_s=5.0)
    client, body = wait_after_failure(shop)
    client.send(b"y" * 1000)
    shop.network.run()
    shop.answer("a")
    (party,) = (one for one in shop.targets["a"].serving if b"PUT" in one.got)
    assert party.got.endswith(body + b"y" * 1000)
    party.send(OK)
    shop.network.run()
    assert status(client) == 200
    shop.network.advance(limits.ABANDONED_S_MAX)
    assert shop.at_rest()


def test_who_waits_for_a_second_attempt_is_given_up_for_its_memory() -> None:
    shop = Shop(2, farther=0, wait_s=5.0)
    client, body = wait_after_failure(shop)
    assert shop.a.memory.drop_slowest(len(body)) == 1
    shop.network.run()
    assert status(client) == 503
    shop.answer("a")
    assert not any(b"PUT" in one.got for one in shop.targets["a"].parties)
    shop.network.advance(limits.ABANDONED_S_MAX)
    assert shop.at_rest()


WAY_S = limits.FAR_RTT_S  # Each way: the site is far.


@pytest.mark.parametrize(
    ("held_s", "waits"),
    [
        (WAY_S, 0),
        (WAY_S + limits.STAND_MIN_S, 0),
        (WAY_S + limits.STAND_MIN_S + 0.15 * WAY_S, 0),
        (WAY_S + limits.STAND_MIN_S + 0.25 * WAY_S, 1),
        (1.0, 1),
    ],
)
def test_who_has_a_slot_at_a_far_site_on_arrival_has_not_waited(held_s: float, waits: int) -> None:
    """``held_s``: for so long after it was sent the only slot there is taken."""
    shop = Shop(1, farther=0, wait_s=5.0)
    shop.mesh.delay_s = WAY_S
    shop.client()
    shop.network.advance(2 * WAY_S)
    shop.answer("b")
    shop.network.advance(2 * WAY_S)  # How far it is is known now.
    first = shop.client()
    shop.network.advance(2 * WAY_S)
    shop.client()
    shop.network.advance(held_s)
    shop.answer("b")
    shop.network.advance(10 * WAY_S)
    assert status(first) == 200
    shop.answer("b")
    shop.network.advance(4 * WAY_S)
    assert shop.at_rest()
    (snapshot,) = shop.a.readings.services_snapshot()
    assert sum(snapshot.counters.queue_wait.counts) == waits


@pytest.mark.parametrize("here", [False, True])
def test_a_client_is_read_again_once_a_target_is_held_for_what_is_kept_of_it(here: bool) -> None:
    shop = Shop(10, farther=0)
    if here:
        config = {str(shop.targets["a"]): TargetConfig(connector="t", capacity=1)}
        shop.a.set_targets(KEY, config)
        shop.network.silent.add(shop.targets["a"].address)
        shop.network.run()
    shop.mesh.delay_s = CONNECT_S / 4
    client = shop.client(PUT % (2 * limits.REPLAY_BYTES_MAX) + bytes(limits.REPLAY_BYTES_MAX))
    assert client.connection is not None
    near_end = client.connection.other  # type: ignore[attr-defined]
    assert near_end.paused
    shop.network.advance(CONNECT_S + 1.0)
    assert not near_end.paused
    client.send(bytes(limits.REPLAY_BYTES_MAX))
    shop.network.advance(1.0)
    shop.answer("b")
    shop.network.advance(1.0)
    assert status(client) == 200
