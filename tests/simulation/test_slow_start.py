"""New targets among loaded ones, in whole routers: few requests at first, and none refused."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from router.model import limits
from simulator.runs.backends import Backend
from simulator.runs.measure import RunRecord
from simulator.runs.run import Run
from tests.simulation.test_target_choice import read_scenario

ONE_SITE = """apiVersion: spillway/v1
kind: Scenario
name: slow-start
spec:
  seed: 5
  duration: 12s
  sites: [a]
  services:
    - {{name: shop, policy: fill{queue}}}
  targets:
    - {{site: a, slots: 40, capacity: 40, serviceTime: {service}ms}}
    - {{site: a, slots: 40, capacity: 40, serviceTime: {service}ms}}
  arrivals:
    - {{site: a, kind: closed, clients: {clients}, connections: keep-alive}}
"""
TWO_SITES = """apiVersion: spillway/v1
kind: Scenario
name: slow-start
spec:
  seed: 5
  duration: 12s
  sites: [a, b]
  links:
    - {between: [a, b], cost: 1, rtt: 20ms}
  services:
    - {name: shop, policy: fill}
  targets:
    - {site: a, slots: 40, capacity: 40, serviceTime: 100ms}
    - {site: b, slots: 200, capacity: 200, serviceTime: 100ms}
  arrivals:
    - {site: a, kind: closed, clients: 80, connections: keep-alive}
"""
COMES_AT_S = 4.0


class Watched:
    """A run in which one backend of site a is down at first and comes later."""

    def __init__(self, text: str) -> None:
        self.run = Run(read_scenario(text))
        site = self.run.world.sites["a"]
        self.group = site.groups[-1]
        self.backend: Backend = self.group.backends[0]
        self.group.stop(1)
        self.most: dict[int, int] = {}
        """The most requests that it had, by step of the slow start since the first."""
        self.first_at: float | None = None
        self._at(COMES_AT_S, lambda: self.group.start(1))
        for tick in range(800):
            self._at(COMES_AT_S + tick * 0.01, self._look)

    def _at(self, when: float, action: Callable[[], None]) -> None:
        internet = self.run.world.internet
        internet.host("192.0.2.1").call_at(internet.now + when, action)

    def _look(self) -> None:
        has, now = self.backend.busy + self.backend.waiting, self.run.world.internet.now
        if has and self.first_at is None:
            self.first_at = now
        if self.first_at is not None:
            step = int((now - self.first_at) / limits.SLOW_START_STEP_S)
            self.most[step] = max(self.most.get(step, 0), has)

    def finish(self) -> RunRecord:
        return self.run.finish()


def refused(record: RunRecord) -> int:
    return sum(not one.served_by for one in record.requests if one.began - record.began_s > 1.0)


def test_a_new_target_beside_a_full_one_gets_two_requests_and_then_twice_as_many() -> None:
    watched = Watched(ONE_SITE.format(queue="", service=100, clients=80))
    record = watched.finish()
    assert watched.most[0] <= 2 * limits.SLOW_START_SLOTS
    for before, after in pairwise(watched.most[step] for step in range(5)):
        assert after <= 2 * before
    assert watched.most[8] == 40
    assert refused(record) == 0


def test_the_first_local_target_of_many_gets_two_requests_and_the_others_stay_where_they_are() -> (
    None
):
    watched = Watched(TWO_SITES)
    record = watched.finish()
    assert watched.most[0] <= 2 * limits.SLOW_START_SLOTS
    assert watched.most[8] == 40
    assert refused(record) == 0
    late = [one for one in record.requests if one.began - record.began_s > 8.0]
    assert sum(one.served_by == "a" for one in late) / len(late) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("queue", [", queue: 0", ", queue: 5", ""])
def test_nobody_is_refused_who_would_have_had_room(queue: str) -> None:
    """Requests take longer than they may wait: 40 new slots are there for the 39 that wait."""
    text = ONE_SITE.format(queue=queue, service=5000, clients=79)
    watched = Watched(text)
    record = watched.finish()
    assert watched.first_at is not None
    came_s = watched.first_at - record.began_s
    after = [one for one in record.requests if one.ended - record.began_s > came_s + 0.05]
    assert [one.told for one in after if not one.served_by] == []
    assert watched.most[8] >= 39


FAR = """apiVersion: spillway/v1
kind: Scenario
name: slow-start
spec:
  seed: 5
  duration: 14s
  sites: [b, a]
  links:
    - {{between: [a, b], cost: 1, rtt: 20ms}}
  services:
    - {{name: shop, policy: fill{queue}}}
  targets:
    - {{site: b, slots: 30, capacity: 30, serviceTime: {service}ms}}
    - {{site: a, slots: 10, capacity: 10, serviceTime: {service}ms}}
    - {{site: a, slots: 40, capacity: 40, serviceTime: {service}ms}}
  arrivals:
    - {{site: b, kind: closed, clients: 75, connections: keep-alive}}
"""


@pytest.mark.parametrize("service", [200, 2000])
@pytest.mark.parametrize("queue", [", queue: 0", ""])
def test_nobody_of_another_site_is_refused_who_would_have_had_room(
    queue: str, service: int
) -> None:
    watched = Watched(FAR.format(queue=queue, service=service))
    record = watched.finish()
    assert watched.first_at is not None
    came_s = watched.first_at - record.began_s
    after = [one for one in record.requests if one.began - record.began_s > came_s + 0.5]
    assert [one.told for one in after if not one.served_by] == []
    assert watched.most[20] >= 30
