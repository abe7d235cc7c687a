"""Where the time of a request goes, exactly, in virtual time."""

import pytest

from router.service.observers import Finished, RequestTiming
from tests.examples import seeds
from tests.simulation.world import SimSite, World

DELAY_S = 0.03
SERVED_S = 0.1
HOPS_S = 0.000_5  # Turns and hops on loopback, 20 microseconds each.


class Log:
    def __init__(self) -> None:
        self.all: list[Finished] = []

    def finished(self, finished: Finished) -> None:
        self.all.append(finished)

    @property
    def passages(self) -> list[RequestTiming]:
        return [one.passage for one in self.all]


def watched(site: SimSite) -> Log:
    log = Log()
    site.router.forwarder.observing.set(log, None)
    return log


def phases(passage: RequestTiming) -> tuple[float, float, float]:
    return passage.queue_s, passage.network_s, passage.target_s


@pytest.mark.parametrize("seed", seeds(3))
def test_a_request_over_a_link_spends_one_round_trip_in_the_network(seed: int) -> None:
    world = World(seed, "a", "b", delay_s=DELAY_S)
    a, b = world.sites.values()
    a.link(b, 1)
    a.declare()
    b.serve(1, capacity=5, service_s=SERVED_S)
    world.run(5)
    log = watched(a)
    a.request()
    world.run(2)
    (passage,) = log.passages
    assert phases(passage) == pytest.approx((0.0, 2 * DELAY_S, SERVED_S), abs=HOPS_S)
    assert (passage.site, passage.target, passage.attempts) == ("b", "", 1)


@pytest.mark.parametrize("seed", seeds(3))
def test_two_links_are_two_round_trips(seed: int) -> None:
    world = World(seed, "a", "b", "c", delay_s=DELAY_S)
    a, b, c = world.sites.values()
    a.link(b, 1)
    b.link(c, 1)
    a.declare()
    c.serve(1, capacity=5, service_s=SERVED_S)
    world.run(5)
    log = watched(a)
    a.request()
    world.run(2)
    assert phases(log.passages[0]) == pytest.approx((0.0, 4 * DELAY_S, SERVED_S), abs=HOPS_S)


@pytest.mark.parametrize("seed", seeds(3))
def test_who_waits_for_a_slot_here_spends_that_time_in_the_queue(seed: int) -> None:
    world = World(seed, "a")
    a = world["a"]
    a.declare()
    a.serve(1, capacity=1, service_s=SERVED_S)
    world.run(3)
    log = watched(a)
    for _ in range(3):
        a.request()
    world.run(2)
    for turn, passage in enumerate(log.passages):
        assert phases(passage) == pytest.approx((turn * SERVED_S, 0.0, SERVED_S), abs=HOPS_S)
        assert passage.target == "127.0.0.1:9001"


@pytest.mark.parametrize("seed", seeds(3))
def test_who_waits_at_the_other_end_of_a_link_was_in_a_queue_all_the_same(seed: int) -> None:
    world = World(seed, "a", "b", delay_s=DELAY_S)
    a, b = world.sites.values()
    a.link(b, 1)
    a.declare()
    b.serve(1, capacity=1, service_s=SERVED_S)
    world.run(5)
    log = watched(a)
    a.request()
    world.run(2)  # Its round trip is known now.
    a.request()
    a.request()
    world.run(2)
    _, first, second = log.passages
    assert phases(first) == pytest.approx((0.0, 2 * DELAY_S, SERVED_S), abs=HOPS_S)
    assert second.reason == "waited until a slot was free there"
    assert second.network_s <= 2 * DELAY_S + HOPS_S
    assert second.queue_s == pytest.approx(second.total_s - second.network_s - SERVED_S, abs=HOPS_S)
    assert second.queue_s > SERVED_S / 2


@pytest.mark.parametrize("seed", seeds(3))
def test_what_all_refuse_spent_its_time_in_the_queue(seed: int) -> None:
    world = World(seed, "a")
    a = world["a"]
    a.declare(queue_wait_s=0.25)
    a.serve(1, capacity=1, service_s=1.0)
    world.run(3)
    log = watched(a)
    a.request()
    a.request()
    world.run(3)
    refused, _ = log.all
    assert (refused.status, refused.code) == (503, "all-full")
    assert phases(refused.passage) == pytest.approx((0.25, 0.0, 0.0), abs=HOPS_S)
    assert (refused.passage.site, refused.passage.attempts) == ("", 0)


@pytest.mark.parametrize("seed", seeds(3))
def test_histograms_hold_the_same_figures(seed: int) -> None:
    world = World(seed, "a", "b", delay_s=DELAY_S)
    a, b = world.sites.values()
    a.link(b, 1)
    a.declare()
    a.serve(1, capacity=2, service_s=SERVED_S)
    b.serve(1, capacity=2, service_s=SERVED_S)
    world.run(5)
    log = watched(a)
    a.offer(rate=40, seconds=2)
    world.run(6)
    counters = a.router.readings.services_snapshot()[0].counters
    for phase, histogram in counters.phases.items():
        told = [getattr(passage, f"{phase}_s") for passage in log.passages]
        assert histogram.sum_s == pytest.approx(sum(told))
        assert sum(histogram.counts) == len(told) == 80
    half = counters.phases["target"].quantile(0.5)
    assert half is not None and 0.05 <= half <= 0.25
