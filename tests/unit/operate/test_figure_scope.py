"""Whose figures the problems of a site of several routers have."""

import pytest

from router.admin.views.status import Status
from router.model import limits
from router.operate.figures.history_recorder import HistoryRecorder
from router.operate.record.replica_news import ReplicaReport, with_others
from tests.simulation.world import SERVICE, SimSite, World
from tests.unit.operate.views import view_of


@pytest.fixture
def world() -> World:
    """One router of site a, which declares; another one can join it."""
    world = World(3, "a", "b")
    world.sites["a"].declare(protocol="http")
    return world


def recorded(site: SimSite) -> HistoryRecorder:
    recorder = HistoryRecorder(site.network, site.router)
    recorder.start()
    return recorder


def sentences(status: Status, *codes: str) -> list[str]:
    said = [(one.code, one.message) for one in status.problems]
    said += [(one.code, one.message) for one in status.notes]
    return [message for code, message in said if code in codes]


def test_rates_and_queues_of_one_router_of_two_are_said_to_be_its_own(world: World) -> None:
    a, second = world.sites.values()
    second.join(a)
    a.serve(1, capacity=1, service_s=1.0)
    world.run(5)
    recorder = recorded(a)
    world.run(2 * limits.HISTORY_STEP_S)
    a.offer(30, 20)
    world.run(15)
    (full,) = sentences(view_of(a, recorder).status(), "SW0337")
    assert full.startswith(f"Service {SERVICE} at this router: ") and "/s of 30/s requests" in full
    world.run(5 + 3 * limits.HISTORY_STEP_S)
    a.offer(1, 20)
    for target in a.targets.values():
        target.status = 500
    world.run(15)
    (fails,) = sentences(view_of(a, recorder).status(), "SW0338")
    assert fails.startswith(f"Service {SERVICE} at this router: ")


def test_the_only_router_of_a_site_speaks_for_the_site(world: World) -> None:
    a, recorder = world.sites["a"], recorded(world.sites["a"])
    a.serve(1, capacity=1, service_s=1.0)
    world.run(2 * limits.HISTORY_STEP_S)
    a.offer(30, 20)
    world.run(15)
    (full,) = sentences(view_of(a, recorder).status(), "SW0337")
    assert full.startswith(f"Service {SERVICE}: every site ")


def test_two_routers_of_which_one_has_clients_report_one_lack_of_targets_once() -> None:
    world = World(3, "a", "b", "c")
    a, second, other = world.sites.values()
    second.join(a)
    a.link(other, cost=5)
    a.declare(protocol="http")
    other.serve(1, capacity=None, service_s=0.01)
    for router in (a, second):
        router.serve(1, capacity=None)
    world.run(5)
    for router in (a, second):
        for target in router.targets.values():
            target.refuse()
    recorders = [recorded(router) for router in (a, second)]
    a.offer(10, 60)
    world.run(20)
    views = [view_of(*pair) for pair in zip((a, second), recorders, strict=True)]
    own, others = (view.status() for view in views)
    (here,), (there,) = sentences(own, "SW0335"), sentences(others, "SW0335")
    assert "; 10/s go to c." in here and "; requests go to c." in there
    assert here.startswith(f"Service {SERVICE} at this router: ")
    whole = with_others(own, [ReplicaReport("pod-2", others.problems, others.notes)])
    assert sentences(whole, "SW0335") == [here]
