"""Targets that take connections and fail requests, at one site and at several, in virtual time."""

import re

import pytest

from router.model import limits
from router.operate.figures.history_recorder import HistoryRecorder
from router.workers.recent_port_figures import PortTotals, RecentPortFigures, TargetPart
from tests.examples import seeds
from tests.simulation.other_worker import OtherWorker
from tests.simulation.world import SERVICE, Answer, SimSite, World
from tests.unit.operate.views import recent_of

SEEDS = seeds(2)
STEP_S = 0.05
FAILING_S = 20


def failed(answers: list[Answer]) -> int:
    return sum(answer.status != 200 for answer in answers)


def ready(world: World) -> list[int]:
    """Targets that each site itself uses."""
    return [site.router.readings.load_of(SERVICE).targets_ready for site in world.sites.values()]


@pytest.mark.parametrize("seed", SEEDS)
def test_one_target_that_fails_among_good_ones_costs_few_requests(seed: int) -> None:
    world = World(seed, "a", "b")
    world["a"].link(world["b"], 5)
    world["a"].declare()
    world["a"].serve(3, capacity=10)
    world["b"].serve(1, capacity=10)
    world.run(3)
    bad = world["a"].targets[9001]
    bad.status = 503
    answers = world["a"].offer(rate=50, seconds=60)
    world.run(62)
    # Requests in flight there with the fifth, and one or two at each return: 2, 6, 14, 30 s later.
    assert limits.EJECT_AFTER <= failed(answers) <= limits.EJECT_AFTER + 10 + 4 * 3
    bad.status = 200
    world.run(limits.EJECT_MAX_S + limits.HEALTH_INTERVAL_S)
    assert ready(world) == [3, 1]
    served = bad.served
    again = world["a"].offer(rate=50, seconds=2)
    world.run(4)
    assert failed(again) == 0
    assert bad.served > served


@pytest.mark.parametrize("status", [503, 0])
@pytest.mark.parametrize("seed", SEEDS)
def test_sites_that_all_fail_never_put_out_their_last_target(seed: int, status: int) -> None:
    world = World(seed, "a", "b", delay_s=0.02)
    world["a"].link(world["b"], 1)
    world["a"].declare()
    for site in world.sites.values():
        site.serve(1, capacity=10)
    world.run(3)
    for site in world.sites.values():
        site.targets[9001].status = status
    answers = [site.offer(rate=20, seconds=FAILING_S) for site in world.sites.values()]
    without = longest = 0
    for _ in range(round(FAILING_S / STEP_S)):
        world.run(STEP_S)
        without = 0 if any(ready(world)) else without + 1
        longest = max(longest, without)
    assert longest * STEP_S <= 0.5, "both at once only until they have heard of each other"
    assert sum(answer.status == 503 for each in answers for answer in each) or not status
    for site in world.sites.values():
        site.targets[9001].status = 200
    world.run(limits.EJECT_MAX_S + limits.HEALTH_INTERVAL_S)
    assert ready(world) == [1, 1]
    after = [site.offer(rate=20, seconds=2) for site in world.sites.values()]
    world.run(4)
    assert [failed(each) for each in after] == [0, 0]


def test_a_target_that_hangs_is_named_by_how_long_requests_take_now_not_at_the_start() -> None:
    world = World(1, "a")
    (site,) = world.sites.values()
    site.declare()
    site.serve(1, capacity=4, service_s=5.0)
    world.run(3)
    site.offer(rate=0.5, seconds=600)
    world.run(610)
    target = site.targets[9001]
    target.service_s = 0.05
    site.offer(rate=5, seconds=180)
    world.run(180)

    def stuck() -> bool:
        return any(note.code == "SW0349" for note in site.router.notes)

    target.service_s = 60.0
    began = world.internet.now
    site.offer(rate=5, seconds=30)
    world.run_while(lambda: not stuck(), 30)
    assert world.internet.now - began <= 4 + limits.TARGET_STUCK_S


def test_a_target_whose_slots_filled_slowly_hung_for_longer_than_they_are_taken() -> None:
    """Its last completed requests came before: the sentence claims no more than is known."""
    world = World(1, "a")
    (site,) = world.sites.values()
    site.declare()
    site.serve(1, capacity=4, service_s=0.05)
    world.run(3)
    site.offer(rate=5, seconds=5)
    world.run(5)
    site.targets[9001].service_s = 300.0
    hangs_from = world.internet.now
    site.offer(rate=0.5, seconds=60)

    def stuck() -> list[str]:
        return [note.message for note in site.router.notes if note.code == "SW0349"]

    world.run_while(lambda: not stuck(), 60)
    (message,) = stuck()
    found = re.search(r"has completed no request for at least (\d+) s, and all", message)
    assert found is not None, message
    assert 0 < int(found[1]) <= world.internet.now - hangs_from - 4


@pytest.mark.parametrize("capacity", [4, None])
def test_a_target_that_hangs_from_the_first_request_on_is_named_before_the_time_out(
    capacity: int | None,
) -> None:
    world = World(1, "a")
    (site,) = world.sites.values()
    site.declare()
    site.serve(1, capacity=capacity, service_s=300.0)
    world.run(3)
    began = world.internet.now
    site.offer(rate=5, seconds=60)

    def stuck() -> bool:
        return any(note.code == "SW0349" for note in site.router.notes)

    world.run_while(lambda: not stuck(), limits.RESPONSE_HEAD_TIMEOUT_S)
    half_s = limits.TARGET_STUCK_RESPONSE_SHARE * limits.RESPONSE_HEAD_TIMEOUT_S
    assert half_s <= world.internet.now - began <= half_s + 3


def test_requests_that_time_out_are_no_answers_of_a_target_that_hangs() -> None:
    world = World(1, "a")
    (site,) = world.sites.values()
    site.declare()
    site.serve(1, capacity=4, service_s=0.05)
    world.run(3)
    site.offer(rate=5, seconds=5)
    world.run(6)
    site.targets[9001].service_s = 1e6
    for _ in range(4):
        site.request()
    world.run(limits.RESPONSE_HEAD_TIMEOUT_S + limits.TARGET_STUCK_GAP_S + 2)
    told = [line for line in world.journal if " target-stuck " in line or " target-moves " in line]
    assert len(told) == 2, told
    assert "answers requests again" not in told[1]


def at_two_workers() -> tuple[World, SimSite, OtherWorker]:
    """A target of two slots that served for a while, and hangs from now on."""
    world = World(1, "a")
    (site,) = world.sites.values()
    site.declare()
    site.serve(1, capacity=2, service_s=0.05)
    other = OtherWorker()
    site.router.site_services.judge_with(other)
    world.run(3)
    site.offer(rate=5, seconds=5)
    world.run(6)
    site.targets[9001].service_s = 300.0
    return world, site, other


def test_a_target_is_judged_by_all_workers() -> None:
    """Each has a part of its slots, and some of its requests."""
    world, site, other = at_two_workers()
    site.request()
    site.request()
    address = "127.0.0.1:9001"
    free, full = (TargetPart(count, 2, None) for count in (1, 2))

    def beside(part: TargetPart, awaited: int, answered: int) -> list[str]:
        other.has_counted(SERVICE, PortTotals(answered={address: answered}))
        targets, owed = {address: part}, {address: awaited}
        other.reports(RecentPortFigures(key=SERVICE, change=None, targets=targets, awaited=owed))
        world.run(1.5 * limits.TARGET_STUCK_S)
        return [note.message for note in site.router.notes if note.code == "SW0349"]

    assert not beside(free, 0, 5), "two await an answer, and it has a free slot"
    (message,) = beside(free, 1, 5)
    assert "and 3 await an answer" in message
    (message,) = beside(full, 2, 5)
    assert "all of its slots are taken" in message
    world.run(1)
    other.has_counted(SERVICE, PortTotals(answered={address: 6}))
    world.run(2)
    assert not [note for note in site.router.notes if note.code == "SW0349"]


def test_requests_that_another_worker_has_under_way_are_not_among_those_answered() -> None:
    world, site, other = at_two_workers()
    beside = World(2, "a")
    (second,) = beside.sites.values()
    second.declare()
    second.serve(1, capacity=8, service_s=0.05)
    figures = recent_of(second, HistoryRecorder(second.network, second.router))
    beside.run(3)
    target = second.targets[9001]
    target.status = 500

    def shown(count: int) -> list[str]:
        for _ in range(count):
            second.request()
        beside.run(1)
        other.reports(figures.part(SERVICE, {}))
        world.run(1.5)
        return [note.message for note in site.router.notes if note.code == "SW0358"]

    assert not shown(1)
    (message,) = shown(4)
    assert "answered 5xx to 4 of 4 requests" in message
    target.service_s = 300.0
    (message,) = shown(3)
    assert "answered 5xx to 4 of 4 requests" in message


def test_the_only_slot_of_a_target_may_be_at_another_worker() -> None:
    """Then the others have none, and nothing under way. Here each has it once."""
    for slots_here in (1, 0):
        world, site, other = at_two_workers()
        site.serve(0, capacity=slots_here)
        address, slots_there = "127.0.0.1:9001", 1 - slots_here
        awaited = {} if slots_here else {address: 1}
        has = {address: TargetPart(len(awaited), slots_there, None)}
        beside = RecentPortFigures(
            key=SERVICE, change=None, capacity=slots_there, targets=has, awaited=awaited
        )
        other.reports(beside)
        if slots_here:
            site.request()
        world.run(2 * limits.TARGET_STUCK_S)
        (note,) = [note for note in site.router.notes if note.code == "SW0349"]
        assert "all of its slots are taken" in note.message
        freed = {address: TargetPart(0, 1, None)}
        other.reports(RecentPortFigures(key=SERVICE, change=None, capacity=1, targets=freed))
        world.run(limits.TARGET_STUCK_GAP_S + 2)
        assert not [note for note in site.router.notes if note.code == "SW0349"]


def test_a_target_whose_slots_are_all_taken_by_idle_streams_does_not_hang() -> None:
    world = World(1, "a")
    (site,) = world.sites.values()
    site.declare()
    site.serve(1, capacity=4, service_s=0.05)
    world.run(3)
    site.offer(rate=5, seconds=10)
    world.run(11)
    target = site.targets[9001]
    target.streams, target.service_s = True, 300.0

    def stuck() -> bool:
        return any(note.code == "SW0349" for note in site.router.notes)

    for _ in range(4):
        site.request()
    world.run(3 * limits.TARGET_STUCK_S)
    assert site.router.readings.load_of(SERVICE).in_flight == 4
    assert not stuck()
    target.streams = False
    world.run_while(lambda: target.in_hand > 0, 300)
    for _ in range(4):
        site.request()
    world.run_while(lambda: not stuck(), 2 * limits.TARGET_STUCK_S)
    assert stuck()
