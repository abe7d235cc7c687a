"""The history of a simulated burst, and the sentences about the last seconds."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pytest

from router.admin.views.history import HistorySample, ServiceHistory
from router.exchange.forwarder import Forwarder
from router.exchange.readings import Readings
from router.exchange.sampling import Sampling
from router.model import limits
from router.model.ids import ServiceKey, SiteId
from router.operate.figures.history_recorder import HistoryRecorder
from router.operate.why.latency_knees import knees
from tests.simulation.world import SERVICE, SimSite, World
from tests.unit.operate.views import living_of


def burst_of(
    rate: float, seconds: float, capacity: int = 10
) -> tuple[World, HistoryRecorder, SimSite]:
    """A site that overflows to another; two steps later."""
    world = World(3, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=5)
    a.declare()
    a.serve(1, capacity=capacity, service_s=1.0)
    b.serve(1, capacity=100, service_s=1.0)
    world.run(5)
    recorder = HistoryRecorder(a.network, a.router)
    recorder.start()
    a.offer(rate, seconds)
    world.run(seconds + 2 * limits.HISTORY_STEP_S)
    return world, recorder, a


def only(recorder: HistoryRecorder) -> ServiceHistory:
    """The history of the one service port there is."""
    (history,) = recorder.histories()
    return history


def test_a_burst_shows_with_this_site_first_up_to_its_capacity_and_the_rest_at_the_other() -> None:
    _, recorder, _ = burst_of(rate=30, seconds=30)
    history = only(recorder)
    assert [(site.name, site.local, site.path_cost) for site in history.sites] == [
        ("a", True, 0),
        ("b", False, 5),
    ]
    busy = [one for one in history.samples if sum(one.in_flight) > 25]
    assert len(busy) >= 4
    for sample in busy:
        assert sample.capacity == 10 and sample.targets_ready == 1
        assert 9.3 <= sample.in_flight[0] <= 10
        assert 17.5 <= sample.in_flight[1] <= 22.5
        assert sample.overflow == sample.served[1] > sample.served[0] > 0
        assert sample.p50_s is not None and 0.9 < sample.p50_s <= 2.5


def test_a_site_that_leaves_keeps_its_id_and_its_place_as_long_as_samples_name_it() -> None:
    world = World(3, "a", "b", "c")
    a, b, c = world.sites.values()
    a.link(b, cost=5)
    a.link(c, cost=9)
    a.declare()
    b.serve(1, capacity=5, service_s=1.0)
    c.serve(1, capacity=50, service_s=1.0)
    world.run(5)
    recorder = HistoryRecorder(a.network, a.router)
    recorder.start()
    a.offer(10, 20)
    world.run(20)
    before = only(recorder)
    assert [(site.name, site.path_cost) for site in before.sites] == [("a", 0), ("b", 5), ("c", 9)]
    b.kill()
    world.run_while(lambda: only(recorder).sites[1].path_cost is not None, 60)
    world.run(limits.HISTORY_STEP_S)
    (_, gone, there) = only(recorder).sites
    assert (gone.name, gone.id) == ("b", before.sites[1].id)
    assert (gone.path_cost, gone.last_cost) == (None, 5)
    assert there == before.sites[2]
    world.run(limits.HISTORY_S + 2 * limits.HISTORY_STEP_S)
    assert [site.name for site in only(recorder).sites] == ["a"]


def test_the_samples_add_up_to_the_counters() -> None:
    world, recorder, a = burst_of(rate=30, seconds=30)
    world.run(3 * limits.HISTORY_STEP_S)
    (snapshot,) = a.router.readings.services_snapshot()
    served = [0, 0]
    for sample in only(recorder).samples:
        served = [total + more for total, more in zip(served, sample.served, strict=True)]
    counted = {"a": 0, "b": 0}
    named = snapshot.counters.named(a.router.site_name)
    for (site, _), histogram in named.requests.items():
        counted[site] += sum(histogram.counts)
    assert dict(zip("ab", served, strict=True)) == counted
    assert sum(counted.values()) == 900
    overflow = sum(sample.overflow for sample in only(recorder).samples)
    assert overflow == snapshot.counters.overflow_total > 0


def figures_of(history: ServiceHistory) -> list[HistorySample]:
    """Its samples without their times, which follow this machine's clock."""
    return [msgspec.structs.replace(one, at="") for one in history.samples]


def test_a_service_that_goes_leaves_the_past_of_the_whole_site_as_it_was() -> None:
    world, recorder, a = burst_of(rate=30, seconds=30)
    world.run(3 * limits.HISTORY_STEP_S)
    before = only(recorder)
    a.services.clear()
    a.connectors.clear()
    a.apply()
    world.run(12 * limits.HISTORY_STEP_S)
    assert not list(recorder.histories(SERVICE.name))
    after = only(recorder)
    assert (after.service, after.protocol, after.policy) == (SERVICE.name, "http", "fill")
    assert figures_of(after)[: len(before.samples)] == figures_of(before)
    more = after.samples[len(before.samples) :]
    assert 10 <= len(more) <= 12, "as those of the services that are there"
    assert not any(sum(one.served) or one.nowhere or one.failed for one in more)
    assert not any(one.targets_ready or one.capacity for one in more[1:])
    world.run(limits.HISTORY_S)
    assert not list(recorder.histories())


def test_what_other_sites_bring_is_their_history_and_not_this_ones() -> None:
    world = World(3, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    b.serve(1, capacity=50, service_s=1.0)
    world.run(5)
    there, here = HistoryRecorder(b.network, b.router), HistoryRecorder(a.network, a.router)
    there.start()
    here.start()
    a.offer(10, 15)
    world.run(12)
    assert 9 <= only(here).samples[-1].in_flight[1] <= 11
    assert all(sample.in_flight == (0.0,) for sample in only(there).samples)
    world.run(30)
    assert dict(b.router.readings.under_way()) == dict(a.router.readings.under_way()) == {}


def test_moments_are_told_by_the_clock_of_now_and_a_late_step_is_one_longer_one() -> None:
    world = World(3, "a")
    (a,) = world.sites.values()
    a.declare()
    a.serve(1, capacity=1)
    a.set_clock(datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp() - world.unix())
    recorder = HistoryRecorder(a.network, a.router)
    recorder.start()
    world.run(3 * limits.HISTORY_STEP_S + 1)
    before = [sample.at for sample in only(recorder).samples]
    a.set_clock(0.3)  # It is slewed.
    assert [sample.at for sample in only(recorder).samples] == before
    a.set_clock(-86_400)  # An operator sets it.
    assert [sample.at for sample in only(recorder).samples] == [
        at.replace("2026-01-01", "2025-12-31") for at in before
    ]
    assert len(before) == 3 and before[0].startswith("2026-01-01T12:00")


@pytest.mark.parametrize("later_s", [0.3, 1.1, 2.5, 3.8])
def test_workers_that_started_apart_look_back_over_the_same_time(later_s: float) -> None:
    """A client that comes back at another worker is counted twice, or not at all, otherwise."""
    world = World(3, "a")
    (a,) = world.sites.values()
    a.declare()
    a.serve(1, capacity=100, service_s=0.05)
    world.run(5.7)
    recorders = []
    for pause_s in (later_s, 9.0):
        recorders.append(HistoryRecorder(a.network, a.router))
        recorders[-1].start()
        world.run(pause_s)
    for _ in range(20):
        world.run(0.3)
        first, second = (recorder.lately(SERVICE) for recorder in recorders)
        assert first is not None and second is not None
        assert first.lasted_s == pytest.approx(second.lasted_s)
    ends = [{sample.at for sample in only(recorder).samples} for recorder in recorders]
    assert ends[0] >= ends[1] != set()


def test_the_first_seconds_of_a_router_are_taken_for_as_long_as_they_are() -> None:
    world = World(3, "a")
    (a,) = world.sites.values()
    a.declare()
    a.serve(1, capacity=100, service_s=0.05)
    world.run(7.2)
    recorder = HistoryRecorder(a.network, a.router)
    recorder.start()
    a.offer(60, 20)
    for _ in range(12):
        world.run(0.7)
        lately = recorder.lately(SERVICE)
        assert lately is not None
        assert lately.per_s(lately.seen) == pytest.approx(60, rel=0.1)


@pytest.mark.parametrize("begin_s", [5.0, 5.06, 5.13, 5.2, 5.249])
def test_a_steady_load_is_as_many_requests_in_each_step_whenever_the_router_started(
    begin_s: float,
) -> None:
    world = World(3, "a")
    (a,) = world.sites.values()
    a.declare()
    a.serve(1, capacity=100, service_s=0.05)
    world.run(begin_s)
    recorder = HistoryRecorder(a.network, a.router)
    recorder.start()
    a.offer(60, 62)
    world.run(60)
    counts = [sum(sample.served) for sample in only(recorder).samples][2:]
    assert len(counts) >= 9
    assert all(abs(count - 300) <= 1 for count in counts), counts


@pytest.mark.parametrize("frozen_s", [1.5, 4.0, 12.0, 31.0])
@pytest.mark.parametrize("begin_s", [0.1, 2.0, 4.9])
def test_no_figure_is_above_what_was_asked_for_after_the_router_stood_still(
    frozen_s: float, begin_s: float
) -> None:
    world = World(3, "a")
    (a,) = world.sites.values()
    a.declare()
    a.serve(1, capacity=100, service_s=0.01)
    world.run(5)
    recorder = HistoryRecorder(a.network, a.router)
    recorder.start()
    per_s = 20.0
    a.offer(per_s, 90)
    world.run(3 * limits.HISTORY_STEP_S + begin_s)
    world.internet.freeze(a.ip)
    world.run(frozen_s)
    world.internet.thaw(a.ip)
    world.run(0.5)
    rates = []
    for _ in range(40):
        world.run(0.5)
        lately = recorder.lately(SERVICE)
        assert lately is not None
        rates.append(lately.per_s(lately.requests))
    assert max(rates) < 1.25 * per_s
    steps = [sum(one.served) / limits.HISTORY_STEP_S for one in only(recorder).samples]
    assert max(steps) < 1.25 * per_s and len(steps) >= (frozen_s + 30) // limits.HISTORY_STEP_S


def test_the_sentence_says_what_is_full_and_where_requests_go_and_nothing_in_calm() -> None:
    world, recorder, a = burst_of(rate=30, seconds=20)
    living = living_of(a, recorder)
    a.offer(30, 20)
    world.run(12)
    ((view, now),) = living.services()
    assert view.name == now.service == "shop"
    assert 9 < now.in_flight_mean <= 10
    assert view.under_way > view.under_way_elsewhere > 0
    busy = f"{now.in_flight_mean:.1f} of 10 slots of a are busy on average, and none was "
    assert now.why.startswith(busy)
    assert now.why.endswith("/s go to b (cost 5)")
    assert 25 < now.requests_per_s < 35
    assert now.overflow_to.keys() == {"b"} and 15 < now.overflow_per_s < 25
    assert now.failed_per_s == 0
    world.run_while(lambda: recorder.busy(SERVICE) > 9, 30)
    ((view, now),) = living.services()
    assert view.sites[0].in_flight == 0  # The burst is over, and so it is not said that …
    assert re.match(r"[89](\.\d)? of 10 slots of a are busy on average", now.why)
    world.run(40)
    ((_, now),) = living.services()
    assert now.why == "" and now.requests_per_s == 0 and now.p50_s is None


def test_of_a_site_of_two_routers_not_all_slots_are_said_to_be_used() -> None:
    """Each router has a share of the slots, and the other one may have free ones."""
    world = World(3, "a", "b", "a2")
    a, b, a2 = world.sites.values()
    a2.join(a)
    a.link(b, cost=5)
    a.declare()
    a.serve(1, capacity=10, service_s=1.0)
    b.serve(1, capacity=100)
    world.run(5)
    recorder = HistoryRecorder(a.network, a.router)
    recorder.start()
    a.offer(30, 10)
    world.run(10)
    ((_, now),) = living_of(a, recorder).services()
    assert "on average, and the router they came to had none free when they left: " in now.why


def stopped_while_requests_leave(world: World) -> HistoryRecorder:
    """Router a stops while its requests go to b for want of slots."""
    a, b = world["a"], world["b"]
    a.link(b, cost=1)
    a.declare()
    a.serve(1, capacity=2, service_s=3.0)
    b.serve(1, capacity=50)
    world.run(3)
    recorder = HistoryRecorder(a.network, a.router)
    recorder.start()
    a.offer(10, 6)
    world.run(5)
    a.router.drain(lambda: None)
    return recorder


def test_what_overflows_to_slow_targets_is_shown_before_their_answers_begin() -> None:
    world = World(3, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=5)
    a.declare()
    a.serve(1, capacity=10, service_s=60.0)
    b.serve(1, capacity=1_000, service_s=60.0)
    world.run(5)
    recorder = HistoryRecorder(a.network, a.router)
    recorder.start()
    a.offer(10, 20)
    world.run(15)
    ((_, now),) = living_of(a, recorder).services()
    assert now.overflow_to == now.spilled_to
    assert now.overflow_per_s == now.spilled_per_s == now.begun_per_s > 9


def test_the_sentence_of_a_site_that_stops_is_about_that_and_not_about_what_it_withdraws() -> None:
    """Not "8 in flight at near, more than its capacity of 4", nor that near has no target."""
    world = World(3, "a", "b")
    a = world["a"]
    recorder = stopped_while_requests_leave(world)
    for _ in range(5):
        ((_, now),) = living_of(a, recorder).services()
        assert now.why.startswith("a is stopping: "), now.why
        world.run(0.7)


def test_a_router_that_stops_is_not_its_whole_site() -> None:
    world = World(3, "a", "b", "a2")
    world["a2"].join(world["a"])
    recorder = stopped_while_requests_leave(world)
    ((_, now),) = living_of(world["a"], recorder).services()
    assert now.why.startswith("this router of a is stopping: ")


def test_short_requests_are_seen_as_a_mean_though_hardly_a_moment_has_one() -> None:
    world = World(3, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=5)
    a.declare()
    a.serve(1, capacity=5, service_s=0.004)
    b.serve(1, capacity=5, service_s=0.004)
    world.run(5)
    recorder = HistoryRecorder(a.network, a.router)
    recorder.start()
    a.offer(139, 30)
    means = []
    for _ in range(20):
        world.run(1)
        ((view, now),) = living_of(a, recorder).services()
        means.append(now.in_flight_mean)
    assert view.sites[0].in_flight in (0, 1)
    settled = means[6:]
    assert 0.2 < sum(settled) / len(settled) < 1.2  # 139/s of 4 ms and the path: 0.6.
    assert all(0 < one < 2 for one in settled)
    world.run(20)
    assert recorder.busy(SERVICE) == 0


@pytest.mark.parametrize("phase_s", [0.0, 0.05, 0.13, 0.2])
def test_requests_in_step_with_the_looks_are_seen_as_often_as_others(phase_s: float) -> None:
    world = World(3, "a")
    a = world.sites["a"]
    a.declare()
    a.serve(1, capacity=5, service_s=0.15)
    world.run(5)
    recorder = HistoryRecorder(a.network, a.router)
    recorder.start()
    world.run(phase_s)
    a.offer(2, 30)  # At every other tick.
    means = []
    for _ in range(4):
        world.run(6)
        means.append(recorder.busy(SERVICE))
    assert all(0.15 <= one <= 0.45 for one in means), means  # 2/s of 150 ms: 0.3.


def test_slots_that_are_busy_all_the_time_are_all_busy_on_average_at_every_moment() -> None:
    world = World(3, "a")
    a = world.sites["a"]
    a.declare()
    a.serve(1, capacity=4, service_s=60.0)
    world.run(5)
    recorder = HistoryRecorder(a.network, a.router)
    recorder.start()
    a.offer(20, 5)
    world.run(10)
    means = []
    for _ in range(40):
        world.run(limits.HISTORY_LOOK_S / 8)
        means.append(recorder.busy(SERVICE))
    assert means == [4.0] * 40


def test_what_targets_do_for_clients_of_other_sites_is_busy_too() -> None:
    world = World(3, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=5)
    a.declare()
    b.serve(1, capacity=50, service_s=1.0)
    world.run(5)
    recorder = HistoryRecorder(b.network, b.router)
    recorder.start()
    a.offer(10, 20)
    world.run(12)
    assert 9 <= recorder.busy(SERVICE) <= 11


def test_what_other_routers_of_this_site_have_in_flight_is_busy_here_too() -> None:
    world = World(3, "a", "b", "a2")
    a, b, a2 = world.sites.values()
    a2.join(a)
    for router in (a, a2):
        router.link(b, cost=5)
        router.declared_at_s = {"shop": 0.0}
        router.declare()
        router.serve(1, capacity=4, service_s=1.0)
    b.serve(1, capacity=50, service_s=1.0)
    world.run(5)
    recorder = HistoryRecorder(a.network, a.router)
    recorder.start()
    a2.offer(3, 12)
    world.run(8)
    ((_, idle),) = living_of(a, recorder).services()
    assert 2 <= idle.in_flight_mean <= 4, "no client has come to this router"
    a.offer(20, 12)
    world.run(8)
    ((view, now),) = living_of(a, recorder).services()
    (here,) = (one for one in view.sites if one.local)
    assert here.capacity == 8
    assert 7.5 <= now.in_flight_mean <= 8
    assert re.match(r"(7\.\d|8) of 8 slots of a are busy", now.why)
    a2.kill()
    world.run_while(lambda: bool(a.router.links.adjacencies.siblings), 10)
    world.run(0.1)
    ((view, now),) = living_of(a, recorder).services()
    (here,) = (one for one in view.sites if one.local)
    assert here.capacity == 4
    assert now.in_flight_mean <= 4, "of the router that is left"


def test_a_service_that_nobody_serves_says_so() -> None:
    world = World(3, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare(queue=0)
    a.serve(1, capacity=1, service_s=30.0)
    world.run(2)
    recorder = HistoryRecorder(a.network, a.router)
    recorder.start()
    a.offer(10, 8)
    world.run(7)
    ((_, now),) = living_of(a, recorder).services()
    assert now.why.startswith("every site that may serve it is full: ")
    assert now.why.endswith("/s served nowhere")
    assert now.requests_per_s > 5


def test_a_target_that_works_on_fewer_at_once_than_it_states_shows_its_knee() -> None:
    world = World(3, "a")
    (a,) = world.sites.values()
    a.declare(queue=0)
    a.serve(1, capacity=20, service_s=0.1)
    (target,) = a.targets.values()
    target.knee = 6
    world.run(2)
    recorder = HistoryRecorder(a.network, a.router)
    recorder.start()
    assert [(one.stated, one.knee, one.baseline_s) for one in knees(a.router)] == [(20, None, None)]
    for _ in range(10):  # Load comes and goes: only latencies of the same moments are compared.
        for rate in (5, 15, 25, 35, 45, 55, 60):
            a.offer(rate, 2)
            world.run(3)
    (found,) = knees(a.router, "shop", SERVICE.port)
    assert found.knee is not None and 6 <= found.knee <= 8
    assert found.baseline_s == pytest.approx(0.1, rel=0.05)
    assert sum(count for _, _, count in found.levels) > 1000
    assert list(knees(a.router, "other")) == []


def sparse(monkeypatch: pytest.MonkeyPatch, *, rests: bool) -> tuple[list[HistorySample], int]:
    """The samples of a minute with a request now and then, and how often it was looked."""
    looks = 0
    with monkeypatch.context() as patch:
        under_way = Readings.under_way

        def counted(self: Readings) -> Iterator[tuple[ServiceKey, dict[SiteId, int]]]:
            nonlocal looks
            looks += 1
            return under_way(self)

        patch.setattr(Readings, "under_way", counted)
        if not rests:
            patch.setattr(Forwarder, "is_idle", False)
        world = World(3, "a", "b")
        a, b = world.sites.values()
        a.link(b, cost=5)
        a.declare()
        a.serve(1, capacity=1, service_s=0.7)
        b.serve(1, capacity=100, service_s=0.7)
        world.run(5.1)
        a.set_clock(1e9 - world.unix())
        recorder = HistoryRecorder(a.network, a.router)
        recorder.start()
        for number in range(12):
            a.offer(3, 1 + number % 3)
            world.run(4.9)
        looks_then = looks
        recorder.close()
    return list(only(recorder).samples), looks_then


def test_who_rests_between_requests_records_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    always, looks = sparse(monkeypatch, rests=False)
    resting, fewer = sparse(monkeypatch, rests=True)
    assert len(always) >= 10
    assert any(sum(sample.in_flight) for sample in always)
    assert resting == always
    assert fewer < looks


def test_a_site_at_rest_is_looked_at_once_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(3, "a")
    a = world.sites["a"]
    a.declare()
    a.serve(1, capacity=10)
    world.run(5)
    recorder = HistoryRecorder(a.network, a.router)
    recorder.start()
    looks: list[float] = []
    monkeypatch.setattr(Sampling, "sample_latency", lambda _: looks.append(a.network.now()))
    world.run(10 * limits.HISTORY_STEP_S)
    assert len(looks) <= 12
    assert len(only(recorder).samples) >= 9


def test_a_site_that_another_takes_the_name_of_stays_one_site_in_the_history() -> None:
    world = World(3, "a", "b", "c")
    a, b, c = world.sites.values()
    a.link(b, cost=5)
    a.declare()
    b.serve(1, capacity=50, service_s=0.1)
    world.run(5)
    recorder = HistoryRecorder(a.network, a.router)
    recorder.start()
    a.offer(10, 40)
    world.run(20)
    c.kill()
    c.identity.name = "b"
    c.start()
    a.link(c, cost=9)
    world.run(25)
    history = only(recorder)
    (_, there) = history.sites
    assert (there.name, there.path_cost) == (f"b@{b.identity.site[:8]}", 5)
    assert sum(sample.served[1] for sample in history.samples) == 400
    assert max(sample.served[1] for sample in history.samples) <= 51, "no total began at nothing"
