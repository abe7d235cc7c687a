"""As many requests are shown in flight as run, in virtual time: at the site and at the others."""

import pytest

from router.balance.deciding.decisions import CandidateReport
from router.history.readings import change
from tests.simulation.world import SERVICE, SimSite, World

RUNNING, LOWERED, WAITING = 12, 3, 3
LONG_S = 30.0


def shown(at: SimSite, of: SimSite) -> CandidateReport:
    """What ``at`` shows of ``of``."""
    explanation = at.router.readings.explain(SERVICE, at.network.now(), None)
    assert explanation is not None
    return next(one for one in explanation.candidates if one.site == of.identity.site)


def pair(capacity: int, queue: int) -> tuple[World, SimSite, SimSite]:
    """``a`` has no targets, ``b`` has one."""
    world = World(1, "a", "b")
    near, far = world["a"], world["b"]
    near.link(far, cost=1)
    for site in (near, far):
        site.declare(queue=queue, queue_wait_s=2 * LONG_S)
    far.serve(1, capacity, service_s=LONG_S)
    world.run(3.0)
    return world, near, far


def test_above_a_capacity_that_was_lowered_every_site_shows_all_that_runs() -> None:
    world, near, far = pair(RUNNING, queue=10)
    asked = [near.request() for _ in range(RUNNING)]
    world.run(1.0)
    far.connectors["here"] = type(far.connectors["here"])(
        service="shop", targets=far.connectors["here"].targets, capacity=LOWERED
    )
    far.apply()
    world.run(2.0)
    waiting = [far.request() for _ in range(WAITING)]
    world.run(2.0)
    for site in (near, far):
        told = shown(site, far)
        assert (told.in_flight, told.capacity, told.free) == (RUNNING, LOWERED, 0), site.name
        assert told.waiting == WAITING, site.name
    assert near.router.readings.load_of(SERVICE).in_flight == 0
    world.run(2 * LONG_S)
    assert all(one.status == 200 for one in asked + waiting)
    for site in (near, far):
        assert (shown(site, far).in_flight, shown(site, far).waiting) == (0, 0), site.name


def test_requests_that_stand_at_a_full_site_are_not_in_flight_there() -> None:
    world, near, far = pair(RUNNING, queue=10)
    for _ in range(RUNNING + WAITING):
        near.request()
    most = 0
    for _ in range(40):
        world.run(0.25)
        told = shown(near, far)
        assert told.in_flight <= RUNNING
        most = max(most, told.waiting or 0)
        (under_way,) = (held for key, held in near.router.readings.under_way() if key == SERVICE)
        assert under_way == {far.identity.site: RUNNING}, "the history has what waits apart, too"
    assert 1 <= most <= WAITING


@pytest.mark.parametrize("queue", [0, 20])
@pytest.mark.parametrize("field", [(), ("X-Priority: batch",)])
def test_a_site_that_was_full_when_asked_is_not_counted_as_one_without_a_target(
    field: tuple[str, ...], queue: int
) -> None:
    """a and c ask for the same slots of b, so some of their requests find none there."""
    world = World(3, "a", "b", "c")
    a, b, c = world.sites.values()
    a.link(b, 1)
    c.link(b, 1)
    a.declare(queue=queue, sheddable="x-priority: batch", sheddable_share=0.5)
    b.serve(1, capacity=4, service_s=0.5)
    world.run(5)
    answers = []
    for _ in range(40):
        for _ in range(2):
            c.request(*field)
            answers += [a.request(*field), a.request(*field)]
        world.run(0.21)
    world.run(8)
    refused = [one.fields["Spillway-Error"] for one in answers if one.status != 200]
    verdict = "shed" if field else "all-full"
    assert set(refused) == {verdict}
    (shop,) = a.router.readings.services_snapshot()
    counted = {by: count for (_, by), count in shop.counters.decisions.items()}
    assert set(counted) == {"chosen", verdict}
    assert counted[verdict] >= len(refused)


def test_with_slow_answers_as_many_spill_as_come_from_the_first_seconds_on() -> None:
    """`top` shows both rates side by side."""
    world, near, _ = pair(capacity=1_000, queue=0)
    before = near.router.readings.reading_of(SERVICE)
    for _ in range(int(LONG_S / 5) + 2):
        near.offer(rate=7, seconds=5)
        world.run(5.5)  # Those that came last are there.
        after = near.router.readings.reading_of(SERVICE)
        assert before is not None and after is not None
        found = change(before, after, 5.5)
        assert found.begun > 0
        assert sum(found.spilled_to.values()) == found.begun
        assert sum(found.spilled.values()) == found.begun
        before = after
