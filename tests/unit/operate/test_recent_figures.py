"""What a worker reports of its service ports to the first one, and what that makes of it."""

from router.model.specs import ServiceSpec
from router.operate.figures.history_recorder import HistoryRecorder
from router.workers.recent_port_figures import TargetPart
from tests.simulation.other_worker import OtherWorker
from tests.simulation.world import SERVICE, World
from tests.unit.operate.views import recent_of

ONE, OTHER = "127.0.0.1:9001", "127.0.0.1:9002"


def test_an_idle_worker_reports_each_target_of_which_it_has_no_slot() -> None:
    """Else such a target, added to one of its kind, would never be full at all workers."""
    world = World(1, "a")
    (site,) = world.sites.values()
    site.declare()
    reports = recent_of(site, HistoryRecorder(site.network, site.router)).latelies
    other = OtherWorker()
    no_slot = TargetPart(0, 0, None)
    for targets in ({ONE: no_slot}, {ONE: no_slot, OTHER: no_slot}):
        site.serve(1, capacity=0)
        world.run(3)
        (told,) = reports()
        assert told.targets == targets
        other.reports(told)
        assert other.full(SERVICE) == [set(targets)]
        assert not list(reports()), "nothing is new"
        other.reports()
        assert other.full(SERVICE) == [set(targets)]


def test_an_idle_worker_reports_the_slots_of_a_service_that_comes_again() -> None:
    """The first worker forgets those of a service port that is gone for a while."""
    world = World(1, "a")
    (site,) = world.sites.values()
    reports = recent_of(site, HistoryRecorder(site.network, site.router)).latelies
    site.services["idle"] = ServiceSpec(protocol="http", ports=(80,))  # Without a target here.
    site.declare()
    site.serve(1, capacity=3)
    world.run(3)
    services, connectors = dict(site.services), dict(site.connectors)
    assert [(told.key, told.capacity) for told in reports()] == [(SERVICE, 3)]
    del site.services["shop"], site.connectors["here"]
    site.apply()
    world.run(3)
    assert not list(reports())
    site.services, site.connectors = services, connectors
    site.apply()
    world.run(3)
    assert [(told.key, told.capacity) for told in reports()] == [(SERVICE, 3)]


def test_a_worker_reports_short_requests_that_its_targets_answered_for_another_site() -> None:
    """No client of this site asked, and none of the samples saw one in flight."""
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    b.declare()
    a.serve(1, capacity=1, service_s=0.001)
    recorder = HistoryRecorder(a.network, a.router)
    recorder.start()
    reports = recent_of(a, recorder).latelies
    world.run(30)
    list(reports())
    for asked in (1, 2, 3):
        b.request()
        world.run(1)
        (told,) = reports()
        assert told.totals is not None
        assert told.totals.by_target == told.totals.ended == {ONE: asked}
    assert not list(reports()), "nothing is new"
    recorder.close()
