"""Which requests count as demand of a site, wherever they are served, and until when."""

from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import pytest

from router.balance.learning.demand import ScaleFigures
from router.exchange.sampling import IDLE_SAMPLES, Sampling
from router.model import limits
from router.model.capacity import Rate
from router.model.ids import ServiceKey
from router.model.settings import Affinity
from router.model.specs import ServiceSpec
from router.service.ports import TargetConfig
from router.service.service import Service
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

KEY = ServiceKey("shop", 80)
GET = b"GET / HTTP/1.1\r\nHost: s\r\nX-User: u\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class World:
    """Clients at ``a``; ``a`` and ``b`` have ``here`` and ``there`` slots at one target each."""

    def __init__(
        self, here: int, there: int, queue: int = 0, affinity: Affinity | None = None
    ) -> None:
        self.network = FakeNetwork()
        self.mesh = FakeMesh(self.network)
        self.config = ServiceSpec(ports=(80,), protocol="http", queue=queue, affinity=affinity)
        self.a, self.target = self._site("a", here)
        self.b, self.far = self._site("b", there)
        self.network.run()
        if there:
            self.a.forwarder.ports.set_remotes(KEY, [candidate("b", capacity=there)])
        self.a.forwarder.set_listeners({KEY: ("127.0.0.1", 80)})

    def _site(self, name: str, capacity: int) -> tuple[Site, FakeTarget]:
        site = Site(self.network, self.mesh, name)
        target = FakeTarget(self.network, f"10.0.0.{ord(name)}", 80)
        site.forwarder.set_service(KEY, self.config)
        if capacity:
            config = TargetConfig(connector="t", capacity=capacity)
            site.forwarder.set_targets(KEY, {str(target): config})
        return site, target

    def ask(self, clients: int = 1) -> list[Party]:
        made = []
        for _ in range(clients):
            party = self.a.connect("127.0.0.1", 80)
            party.send(GET)
            self.network.run()
            made.append(party)
        return made

    def scale(self, site: Site | None = None) -> ScaleFigures:
        figures = (site or self.a).forwarder.readings.scale_of(KEY)
        assert figures is not None
        return figures

    def parts(self, site: Site | None = None) -> tuple[int, int, int, int]:
        demand = self.scale(site).demand
        assert demand.demand == (
            demand.in_flight + demand.overflowed + demand.queued + demand.refused
        )
        return demand.in_flight, demand.overflowed, demand.queued, demand.refused

    def second(self) -> None:
        for site in (self.a, self.b):
            site.forwarder.sample_demand()
        self.network.advance(1.0)


def test_demand_grows_with_what_is_asked_while_local_targets_stay_as_full_as_they_are() -> None:
    world = World(2, 5)
    seen = []
    for _ in range(7):
        world.ask()
        seen.append(world.parts())
    assert [in_flight for in_flight, _, _, _ in seen] == [1, 2, 2, 2, 2, 2, 2]
    assert [sum(parts) for parts in seen] == [1, 2, 3, 4, 5, 6, 7]
    assert world.scale().targets_wanted == 4
    assert world.parts(world.b) == (5, 0, 0, 0)  # There it is load like any other.


def test_what_was_served_elsewhere_is_demand_until_its_end() -> None:
    world = World(1, 2)
    _, over = world.ask(2)
    assert world.parts() == (1, 1, 0, 0)
    world.far.serving[0].send(OK)
    world.network.run()
    assert over.got.endswith(b"ok")
    assert world.parts() == (1, 0, 0, 0)


def test_a_site_at_rest_is_sampled_no_more_than_needed_and_again_when_somebody_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(5, 5)
    samples = []
    sample = Service.sample_demand

    def counted(service: Service) -> None:
        samples.append(service)
        sample(service)

    monkeypatch.setattr(Service, "sample_demand", counted)

    def ask_and_leave() -> None:
        (party,) = world.ask()
        world.target.serving[0].send(OK)
        world.network.run()
        party.abort()
        world.network.run()

    for _ in range(2):
        ask_and_leave()
        world.second()
        assert world.scale().demand.demand_per_s == pytest.approx(1 / limits.DEMAND_WINDOW_S, 0.02)
        for _ in range(int(IDLE_SAMPLES) + 1):
            world.second()
        assert world.scale().demand.demand_per_s == 0.0
        samples.clear()
        for _ in range(10):
            world.second()
        assert samples == []


def test_who_waits_elsewhere_in_vain_is_no_demand_that_overflowed() -> None:
    world = World(1, 1, queue=5)
    world.ask(6)
    in_flight, overflowed, queued, refused = world.parts()
    assert (in_flight, overflowed, queued, refused) == (1, 1, 4, 0)
    assert any(one.wait_ms for one in world.mesh.opens), "one stands at b"
    world.network.advance(limits.QUEUE_WAIT_S + 0.1)
    assert world.parts()[:3] == (1, 1, 0)


def test_a_client_that_leaves_while_it_waits_elsewhere_is_no_demand_any_more() -> None:
    world = World(1, 1, queue=5)
    clients = world.ask(4)
    for client in clients[2:]:
        client.abort()
    world.network.run()
    assert world.parts() == (1, 1, 0, 0)


@pytest.mark.parametrize("has_targets", [True, False])
def test_recent_times_of_each_service_port_with_targets_are_taken_once_in_a_span(
    has_targets: bool,
) -> None:
    looks: Counter[int] = Counter()

    def service(number: int) -> Any:
        return SimpleNamespace(
            own_targets=SimpleNamespace(are_there=has_targets),
            recent_times=SimpleNamespace(look=lambda times: looks.update([number])),
            counters=SimpleNamespace(target_times=lambda: ()),
        )

    services = [service(number) for number in range(2 * limits.USUAL_SPAN_S + 1)]
    sampling = Sampling(services, cast(Any, None), lambda: 0.0, lambda: None)
    most = 0
    for second in range(7, 7 + limits.USUAL_SPAN_S):
        before = looks.total()
        sampling.follow_times(second + 0.5)
        most = max(most, looks.total() - before)
    assert looks == (Counter(range(len(services))) if has_targets else {})
    assert most == (3 if has_targets else 0), "they are spread over the span"


def test_who_waits_is_demand_once_wherever_it_waits_and_when_it_is_granted() -> None:
    world = World(1, 1, queue=5)
    clients = world.ask(4)
    assert world.parts() == (1, 1, 2, 0)
    assert any(offer.wait_ms for offer in world.mesh.opens), "one stands at the other site"
    world.far.serving[0].send(OK)
    world.network.run()
    assert world.parts() == (1, 1, 1, 0)
    for client in clients:
        client.abort()
    world.network.run()
    assert world.parts() == (0, 0, 0, 0)


def test_burst_hooks_are_told_the_same_demand() -> None:
    world = World(1, 1, queue=1)
    world.ask(4)
    (totals,) = world.a.forwarder.readings.totals_of("shop").values()
    assert totals.demand == world.scale().demand.demand == 4
    assert totals.refused == 1


def test_with_no_target_here_the_first_request_is_demand() -> None:
    world = World(0, 2)
    assert world.scale().demand.demand == 0
    world.ask()
    assert world.parts() == (0, 1, 0, 0)


def test_with_no_target_anywhere_who_is_turned_away_is_demand_for_a_while() -> None:
    world = World(0, 0)
    (client,) = world.ask()
    world.network.advance(limits.REROUTE_WAIT_S + 1.0)
    assert b"503" in client.got
    assert world.parts() == (0, 0, 0, 1)
    for _ in range(int(limits.DEMAND_WAKES_S) + 1):
        world.second()
    assert world.parts() == (0, 0, 0, 0)


def test_a_client_that_asks_again_on_its_connection_is_demand_once() -> None:
    world = World(1, 0)
    (served, *refused) = world.ask(4)
    for times in range(1, 4):
        assert world.parts() == (1, 0, 0, 3), times
        for client in refused:
            client.send(GET)
        world.network.run()
    assert [client.got.count(b"503 ") for client in refused] == [4, 4, 4]
    assert world.scale().demand.demand_per_s == pytest.approx(4 / limits.DEMAND_WINDOW_S)
    world.target.serving[0].send(OK)
    world.network.run()
    refused[0].send(GET)
    world.network.run()
    assert world.parts() == (1, 0, 0, 2), "one of them is served"
    for client in (served, *refused):
        client.abort()
    world.network.run()
    world.network.advance(limits.UNSERVED_S_MAX)
    assert world.parts() == (0, 0, 0, 0)


def test_where_clients_ask_again_one_that_left_is_demand_for_the_usual_time_alone() -> None:
    world = World(1, 0)
    (_, *refused) = world.ask(4)
    for _ in range(3):
        world.network.advance(0.5)
        for client in refused:
            client.send(GET)
        world.network.run()
    for client in refused[1:]:
        client.abort()
    world.network.advance(limits.RETRY_AFTER_MEAN_S - 0.1)
    assert world.parts() == (1, 0, 0, 3), "they may come again by another connection"
    world.network.advance(0.2)
    assert world.parts() == (1, 0, 0, 1), "it may ask again on its own"


def test_a_session_that_stays_at_its_site_has_not_left_for_want_of_room() -> None:
    world = World(1, 2, affinity=Affinity(by="header", name="X-User"))
    world.far.answer = answer_ok
    first, _ = world.ask(2)  # The second one begins the session over there.
    first.abort()
    world.network.run()
    world.far.answer = None
    world.ask()
    assert len(world.far.serving) == 1, "it is where its session is"
    assert world.parts() == (0, 0, 0, 0)


def test_what_a_target_takes_is_remembered_when_there_is_none() -> None:
    world = World(4, 3)
    world.ask()
    world.second()
    world.a.forwarder.set_targets(KEY, {})
    for party in world.target.serving:
        party.abort()
    world.network.run()
    world.ask(3)
    scale = world.scale()
    assert scale.targets_ready == 0
    assert scale.each is not None and scale.each.slots == 4
    assert scale.targets_wanted == 1


def test_of_a_rate_what_is_asked_a_second_says_how_many_targets_are_wanted() -> None:
    world = World(0, 9)
    config = TargetConfig(
        connector="t", rate=Rate(per_s=1.0, resume_per_s=0.5, window_s=15.0, stay_s=15.0)
    )
    world.a.forwarder.set_targets(KEY, {str(world.target): config})
    world.network.run()
    world.target.answer = world.far.answer = answer_ok
    for _ in range(limits.DEMAND_WINDOW_S):
        world.ask(3)
        world.second()
    scale = world.scale()
    assert scale.demand.demand_per_s == 3.0
    assert scale.targets_wanted == 3


def test_a_link_that_dies_takes_its_demand_along() -> None:
    world = World(1, 5)
    clients = world.ask(3)
    assert world.parts() == (1, 2, 0, 0)
    world.mesh.cut(router_of("b"))
    for client in clients:
        client.abort()
    world.network.run()
    assert world.parts()[:3] == (0, 0, 0)


def test_a_tcp_client_that_connects_again_is_demand_once() -> None:
    world = World(1, 0)
    world.a.forwarder.set_service(KEY, ServiceSpec(ports=(80,), protocol="tcp", queue=0))
    world.network.run()
    world.ask()
    for _ in range(5):
        world.ask()
        assert world.parts() == (1, 0, 0, 1)
        world.network.advance(2 * limits.UNSERVED_PAUSE_S)
    assert world.scale().demand.demand_per_s == pytest.approx(2 / limits.DEMAND_WINDOW_S)
