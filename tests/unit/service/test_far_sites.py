"""A site so far away that a refusal costs more than a wait: requests join its queue at once."""

import pytest

from router.model import limits
from router.model.ids import ServiceKey
from router.model.settings import Timeouts
from router.model.specs import ServiceProtocol, ServiceSpec
from router.service.ports import TargetConfig
from router.service.recent_requests import RequestRecord
from tests.unit.exchange.fakes import (
    FakeMesh,
    FakeNetwork,
    FakeTarget,
    Party,
    Site,
    answer_ok,
    candidate,
    router_of,
)

KEY = ServiceKey("shop", 8080)
POST = b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
WAY_S = 0.1
RTT_S = 2 * WAY_S
SILENT_S = 1.0 + RTT_S + limits.STAND_S + limits.CONNECT_TIMEOUT_LOCAL_S
"""A site that is asked has so long to let a request in."""


class Distant:
    """Clients at ``a``, targets far away at ``b`` (cost 1), and ``others``: slots by site.

    One of these is ``c`` (cost 9), as far away. What the way to ``b`` takes was measured once.
    """

    def __init__(
        self,
        slots: int | None,
        others: dict[str, int] | None = None,
        *,
        queue: int | None = None,
        protocol: ServiceProtocol = "http",
        response_s: float = 60.0,
    ) -> None:
        self.network = FakeNetwork()
        self.mesh = FakeMesh(self.network)
        self.mesh.delay_s = WAY_S
        self.slots: dict[str, int | None] = {"b": slots, **(others or {})}
        self.sites = {name: Site(self.network, self.mesh, name) for name in "abc"}
        self.a = self.sites["a"].forwarder
        self.targets: dict[str, FakeTarget] = {}
        timeouts = Timeouts(response_s=response_s)
        config = ServiceSpec(ports=(8080,), protocol=protocol, queue=queue, timeouts=timeouts)
        for number, site in enumerate(self.sites.values()):
            site.forwarder.set_service(KEY, config)
            target = FakeTarget(self.network, f"10.0.0.{number}", 80)
            self.targets[site.name] = target
        self.a.set_listeners({KEY: ("127.0.0.1", 8080)})
        self.serve("b")
        self.targets["b"].answer = answer_ok
        if protocol == "tcp":
            self.targets["b"].answer = Party.abort
        self.a.ports.set_remotes(KEY, [candidate("b", capacity=slots)])
        self.client()
        self.network.advance(1.0)
        self.targets["b"].answer = None
        for party in self.targets["b"].parties:
            party.answer = None
            party.got.clear()
        for name in self.slots:
            self.serve(name)
        self.a.ports.set_remotes(
            KEY,
            [
                candidate(name, cost=cost, capacity=self.slots[name])
                for name, cost in (("b", 1), ("c", 9))
                if name in self.slots
            ],
        )
        self.mesh.opens.clear()

    def serve(self, name: str) -> None:
        target = self.targets[name]
        terms = TargetConfig(connector="t", capacity=self.slots[name])
        self.sites[name].forwarder.set_targets(KEY, {str(target): terms})
        self.network.run()

    def client(self, request: bytes = GET) -> Party:
        party = self.sites["a"].connect("127.0.0.1", 8080)
        party.send(request)
        self.network.run()
        return party

    def clients(self, count: int) -> list[Party]:
        return [self.client() for _ in range(count)]

    def waits_ms(self, name: str = "b") -> list[int]:
        """Of all OPENs to that site."""
        return [one.wait_ms for one in self.mesh.opens if one.path[-1] == router_of(name)]

    def answer(self, name: str = "b") -> None:
        """The oldest request there that has none."""
        party = next(one for one in self.targets[name].serving if one.got)
        answer_ok(party)
        party.got.clear()

    def drop(self, name: str = "b") -> None:
        """The connection of the oldest request there."""
        next(one for one in self.targets[name].serving if one.got).abort()

    @property
    def queued(self) -> int:
        return self.a.readings.services_snapshot()[0].queued

    def last(self) -> RequestRecord:
        return self.a.readings.past_of(KEY, 1, "all")[0]


def test_a_request_may_wait_at_the_only_site_that_has_targets_though_it_looks_free() -> None:
    world = Distant(4)
    world.client()
    assert world.waits_ms() == [1_000]


def test_nothing_waits_for_a_slot_at_a_site_without_a_capacity() -> None:
    world = Distant(None)
    world.client()
    assert world.waits_ms() == [0]


def test_all_go_to_the_only_site_at_once_though_it_looks_full() -> None:
    world = Distant(2)
    clients = world.clients(6)
    assert world.waits_ms() == [1_000] * 6
    for _ in clients:
        world.network.advance(WAY_S)
        world.answer()
    world.network.advance(WAY_S)
    assert all(client.got.startswith(b"HTTP/1.1 200") for client in clients)


def test_a_request_does_not_wait_while_another_site_has_room() -> None:
    world = Distant(1, {"c": 5})
    clients = world.clients(2)
    assert (world.waits_ms("b"), world.waits_ms("c")) == ([0], [0])
    world.network.advance(WAY_S)
    for name in "bc":
        world.answer(name)
    world.network.advance(WAY_S)
    assert all(client.got.startswith(b"HTTP/1.1 200") for client in clients)


def test_a_request_does_not_wait_far_away_while_a_cheaper_site_has_room() -> None:
    world = Distant(1, {"a": 1})
    world.client()
    assert world.waits_ms() == []
    world.client()
    assert world.waits_ms() == [limits.STAND_S * 1000], "its own site is full: it looks around soon"


def test_who_waits_far_away_goes_to_another_site_that_becomes_free_soon() -> None:
    world = Distant(1, {"c": 1})
    world.clients(3)
    world.network.advance(WAY_S)
    stood = [one for one in (*world.waits_ms("b"), *world.waits_ms("c")) if one]
    assert stood, "one stands at least"
    assert all(one <= limits.STAND_S * 1000 for one in stood)


def test_a_queue_of_nothing_lets_nobody_wait_far_away() -> None:
    world = Distant(1, queue=0)
    first, second = world.clients(2)
    assert world.waits_ms() == [0]
    world.network.advance(WAY_S)
    assert second.got.startswith(b"HTTP/1.1 503") and not first.got


def test_those_on_the_way_are_not_queued_and_those_who_wait_there_are() -> None:
    world = Distant(2)
    world.clients(5)
    assert world.queued == 0
    demand = world.a.readings.scale_of(KEY)
    assert demand is not None and demand.demand.demand == 5
    world.network.advance(RTT_S + 0.01)
    assert world.queued == 3


def test_a_wait_far_away_is_told_without_the_way_there() -> None:
    world = Distant(1)
    world.clients(2)
    world.network.advance(WAY_S + 0.3)
    world.answer()
    world.network.advance(RTT_S)
    world.answer()
    world.network.advance(RTT_S)
    first, second = sorted(world.a.readings.past_of(KEY, 2, "all"), key=lambda one: one.waited_s)
    assert first.waited_s == 0.0
    assert second.waited_s == pytest.approx(0.3, abs=0.02)
    assert second.reason == "waited until a slot was free there"
    counters = world.a.readings.services_snapshot()[0].counters
    assert sum(counters.queue_wait.counts) == 1


def test_a_request_that_waits_at_a_site_that_falls_silent_blames_no_target() -> None:
    world = Distant(1)
    _, second = world.clients(2)
    world.network.advance(RTT_S + 0.01)
    assert world.queued == 1
    world.mesh.delay_s = 1e6  # Nothing comes any more.
    world.network.advance(3.0)
    assert second.got.startswith(b"HTTP/1.1 504") and b"unanswered" in second.got
    assert "unanswered" in [one.outcome for one in world.a.readings.past_of(KEY, 5, "all")]


def test_a_site_where_a_request_waited_has_the_time_of_a_connect_more_to_answer() -> None:
    """The kernel sends a lost SYN again after 1 s."""
    world = Distant(1)
    world.client(POST)
    world.network.advance(RTT_S)
    client = world.client()
    world.network.connects_in_s[world.targets["b"].address] = 1.1
    world.network.advance(0.9)
    world.drop()
    world.network.advance(RTT_S + 1.2)
    world.answer()
    world.network.advance(RTT_S)
    assert client.got.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(("response_s", "tried"), [(1.5, ["b"]), (6.0, ["b", "c"])])
def test_a_request_whose_time_is_up_while_sites_are_silent_blames_no_target(
    response_s: float, tried: list[str]
) -> None:
    world = Distant(1, {"c": 1})
    config = ServiceSpec(ports=(8080,), protocol="http", timeouts=Timeouts(response_s=response_s))
    world.a.set_service(KEY, config)
    world.mesh.delay_s = 1e6
    client = world.client()
    world.network.advance(2.0 * limits.UNANSWERED_FIRST_S)
    assert [name for name in "bc" if world.waits_ms(name)] == tried
    assert client.got.startswith(b"HTTP/1.1 504") and b"unanswered" in client.got
    assert world.last().outcome == "unanswered"


def test_who_waited_in_vain_is_refused_a_way_back_after_its_time() -> None:
    world = Distant(1)
    _, client = world.clients(2)
    world.network.advance(1.0 + RTT_S - 0.01)
    assert not client.got
    world.network.advance(0.02)
    assert client.got.startswith(b"HTTP/1.1 503")
    assert len(world.waits_ms()) == 2


def test_a_full_far_site_that_falls_silent_is_given_up_a_way_later_than_a_near_one() -> None:
    world = Distant(1)
    world.client()
    world.mesh.delay_s = 30.0
    client = world.client()
    world.network.advance(SILENT_S - 0.02)
    assert not client.got
    world.network.advance(0.04)
    assert client.got.startswith(b"HTTP/1.1 504")


@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_a_far_site_that_looked_free_and_is_silent_is_waited_for_as_a_near_one(
    method: bytes,
) -> None:
    world = Distant(1)
    world.mesh.delay_s = 3.0
    client = world.client(method + b" / HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\n\r\n")
    world.network.advance(3.0)
    assert not client.got
    world.answer()
    world.network.advance(3.0)
    assert client.got.startswith(b"HTTP/1.1 200")
    last = world.last()
    assert (last.outcome, last.attempts) == ("ok", 1)
    assert (last.waited_s, last.reason) == (0.0, "cheapest site with room"), "for no slot"


def test_a_far_site_that_looked_free_and_never_answers_is_given_up_as_a_target_is() -> None:
    world = Distant(1, response_s=10.0)
    world.mesh.delay_s = 1_000.0
    client = world.client()
    world.network.advance(SILENT_S + 0.02)
    ((_, ejections),) = world.a.readings.site_ejections()
    world.network.advance(8.0)
    assert not client.got
    world.network.advance(2.0)
    assert client.got.startswith(b"HTTP/1.1 504")
    assert world.last().outcome == "unanswered"
    assert ejections.suspects


def test_a_far_site_that_looked_free_and_is_silent_is_left_for_one_that_has_room_by_then() -> None:
    world = Distant(1, {"c": 1})
    world.clients(2)
    world.network.advance(WAY_S)
    world.answer("b")
    world.network.advance(WAY_S)
    world.mesh.delay_s = 1_000.0
    client = world.client()
    world.mesh.delay_s = WAY_S
    assert world.waits_ms()[-1] == limits.STAND_S * 1000
    world.answer("c")
    world.network.advance(SILENT_S + 0.02)
    world.network.advance(WAY_S)
    world.answer("c")
    world.network.advance(WAY_S)
    assert client.got.startswith(b"HTTP/1.1 200")
    assert world.last().attempts == 2


def test_a_client_that_leaves_leaves_the_line_far_away_too() -> None:
    world = Distant(1)
    _, gone = world.clients(2)
    world.network.advance(WAY_S)
    assert world.sites["b"].forwarder.readings.services_snapshot()[0].queued == 1
    gone.abort()
    world.network.run()
    world.network.advance(WAY_S)
    assert world.sites["b"].forwarder.readings.services_snapshot()[0].queued == 0
    assert world.targets["b"].requests == 1


def test_a_tcp_client_that_ends_without_a_byte_is_served_by_a_far_site_with_room() -> None:
    world = Distant(1, protocol="tcp")
    client = world.client(b"")
    client.finish()
    world.network.advance(RTT_S)
    assert client.got_end and not client.was_reset


def test_no_more_go_far_away_than_a_round_trip_and_the_queue_take() -> None:
    world = Distant(2)
    clients = world.clients(200)
    open_there = len(world.waits_ms())
    assert 10 <= open_there < 100
    refused = [client for client in clients if client.got.startswith(b"HTTP/1.1 503")]
    assert len(refused) >= 200 - open_there - 20
