"""Whole routers in virtual time: the three promises, under one seed after the other."""

from itertools import pairwise

import pytest

from router.routing.table import SiteRoute
from tests.examples import seeds
from tests.simulation.world import SERVICE, Answer, SimSite, World

SEEDS = seeds(2)


def joined(world: World, *costs: int) -> None:
    """Link the sites in a line, dialed by the nearer one."""
    for cost, (near, far) in zip(costs, pairwise(world.sites.values()), strict=True):
        near.link(far, cost)


def all_answered(answers: list[Answer]) -> None:
    lost = [(a.began, a.status, a.error) for a in answers if a.status != 200]
    assert not lost, lost[:5]


def within_capacity(world: World, capacity: int) -> None:
    for site in world.sites.values():
        for target in site.targets.values():
            assert target.most_in_hand <= capacity, site.name


def at_rest(world: World) -> None:
    """No request holds a slot, and every site knows it."""
    for site in world.sites.values():
        load = site.router.readings.load_of(SERVICE)
        assert load.in_flight == 0, site.name
        explanation = site.router.readings.explain(SERVICE, site.network.now())
        assert explanation is not None
        for candidate in explanation.candidates:
            assert candidate.in_flight == 0, (site.name, candidate)


def count(answers: list[Answer], site: SimSite) -> int:
    return sum(1 for answer in answers if answer.site == site.name)


@pytest.mark.parametrize("seed", SEEDS)
def test_local_is_filled_then_the_next_then_the_farthest_and_it_comes_back(seed: int) -> None:
    world = World(seed, "a", "b", "c")
    joined(world, 5, 15)
    a, b, c = world.sites.values()
    a.declare()
    for site in (a, b, c):
        site.serve(2, capacity=5)
    world.run(5)

    calm = a.offer(rate=50, seconds=4)
    world.run(5)
    burst = a.offer(rate=250, seconds=4)
    world.run(5)
    after = a.offer(rate=50, seconds=4)
    world.run(6)

    for answers in (calm, burst, after):
        all_answered(answers)
    within_capacity(world, 5)
    assert (count(calm, a), count(after, a)) == (200, 200)
    assert count(burst, a) >= 0.95 * 400
    assert count(burst, b) >= 0.90 * 400
    assert count(burst, c) == 1000 - count(burst, a) - count(burst, b)
    at_rest(world)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_request_crosses_three_links_both_ways(seed: int) -> None:
    world = World(seed, "a", "b", "c", "d")
    joined(world, 1, 2, 3)
    a, b, c, d = world.sites.values()
    a.declare()
    d.serve(1, capacity=10)
    world.run(5)
    answers = [site.request() for site in (a, b, c, d)]
    world.run(1)
    all_answered(answers)
    assert {answer.site for answer in answers} == {"d"}
    paths = {site.name: route.path_cost for site, route in _routes(a)}
    assert paths == {"a": 0, "b": 1, "c": 3, "d": 6}
    at_rest(world)


def _routes(site: SimSite) -> list[tuple[SimSite, SiteRoute]]:
    table = site.router.routing.table
    by_id = {other.identity.site: other for other in site.world.sites.values()}
    return [(by_id[site_id], route) for site_id, route in table.sites.items()]


@pytest.mark.parametrize("seed", SEEDS)
def test_sites_of_equal_cost_share_by_their_ready_targets(seed: int) -> None:
    world = World(seed, "a", "b", "c")
    a, b, c = world.sites.values()
    a.link(b, 5)
    a.link(c, 5)
    a.declare()
    b.serve(2, capacity=20)
    c.serve(1, capacity=20)
    world.run(5)
    answers = a.offer(rate=150, seconds=6)
    world.run(8)
    all_answered(answers)
    assert 0.6 <= count(answers, b) / len(answers) <= 0.73
    at_rest(world)


@pytest.mark.parametrize("seed", SEEDS)
def test_when_all_is_full_requests_wait_and_nothing_is_refused_within_the_wait(seed: int) -> None:
    world = World(seed, "a", "b")
    joined(world, 5)
    a, b = world.sites.values()
    a.declare(queue=100, queue_wait_s=2.0)
    a.serve(1, capacity=5)
    b.serve(1, capacity=5)
    world.run(5)
    answers = [a.request() for _ in range(60)]
    world.run(5)
    all_answered(answers)
    within_capacity(world, 5)
    # Six rounds of ten would be 0.6 s; slots must not lie idle between them.
    assert max(answer.ended - answer.began for answer in answers) < 0.75
    at_rest(world)


@pytest.mark.parametrize("apart_s", [0.001, 0.003, 0.02])
def test_who_waits_gets_a_slot_of_another_site_that_the_answer_to_the_last_one_tells_of(
    apart_s: float,
) -> None:
    """Slots that become free soon after each other are reported as one. The request that is sent to
    that one finds the others free, and no report follows: with it, as many are in flight as were
    reported.
    """
    service_s = 2.0
    world = World(1, "a", "b")
    joined(world, 1)
    a, b = world.sites.values()
    a.declare()
    for site in (a, b):
        site.serve(1, capacity=2, service_s=service_s)
    world.run(5)
    for first, then in ((a, b), (b, a)):
        early = []
        for _ in range(4):
            early.append(first.request())
            world.run(apart_s)
        world.run_while(lambda early=early: not all(one.ended for one in early), 10)  # type: ignore[misc]
        world.run(apart_s)
        late = [then.request() for _ in range(4)]
        world.run(2 * service_s)
        all_answered(early + late)
        assert max(one.ended - one.began for one in late) < service_s + 0.1
    within_capacity(world, 2)


@pytest.mark.parametrize("seed", SEEDS)
def test_beyond_the_queue_the_answer_is_all_full_at_once(seed: int) -> None:
    world = World(seed, "a")
    a = world["a"]
    a.declare(queue=10, queue_wait_s=0.05)
    a.serve(1, capacity=5)
    world.run(5)
    answers = [a.request() for _ in range(40)]
    world.run(3)
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [200] * 5 + [503] * 35
    at_rest(world)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_killed_transit_costs_only_what_was_on_it(seed: int) -> None:
    """A ring of four: the cheap way round dies under load, the other one takes over."""
    world = World(seed, "a", "b", "c", "d")
    a, b, c, d = world.sites.values()
    a.link(b, 1)
    b.link(c, 1)
    a.link(d, 5)
    d.link(c, 5)
    a.declare()
    c.serve(2, capacity=50)
    world.run(5)
    before = a.offer(rate=100, seconds=2)
    world.run(1)
    b.kill()
    world.run(3)
    after = a.offer(rate=100, seconds=2)
    world.run(4)
    # GET is safe to repeat and nothing was answered yet: even those on the dead link go on.
    all_answered(before)
    all_answered(after)
    assert all(answer.ended - answer.began < 3 for answer in before)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_silent_link_is_left_within_three_seconds_and_used_again_when_it_heals(
    seed: int,
) -> None:
    world = World(seed, "a", "b")
    joined(world, 5)
    a, b = world.sites.values()
    a.declare()
    a.serve(1, capacity=2)
    b.serve(1, capacity=100)
    world.run(5)
    world.internet.cut(a.ip, b.ip)
    world.run(4.5)
    assert not a.router.links.adjacent
    alone = [a.request() for _ in range(2)]
    world.run(1)
    all_answered(alone)
    assert {answer.site for answer in alone} == {"a"}
    world.internet.heal(a.ip, b.ip)
    world.run_while(lambda: not a.router.links.adjacent, 60)
    world.run(3)
    answers = [a.request() for _ in range(10)]
    world.run(2)
    all_answered(answers)
    assert count(answers, b) == 8


@pytest.mark.parametrize("seed", SEEDS)
def test_a_restarted_site_overtakes_its_former_life(seed: int) -> None:
    world = World(seed, "a", "b")
    joined(world, 5)
    a, b = world.sites.values()
    a.declare()
    b.serve(1, capacity=10)
    world.run(5)
    b.kill()
    world.run(1)
    b.start()
    world.run_while(lambda: not a.router.links.adjacent, 60)
    world.run(4)
    answer = a.request()
    world.run(1)
    all_answered([answer])
    assert answer.site == "b"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_site_that_is_back_before_anybody_missed_it_is_told_everything_anew(seed: int) -> None:
    """The wire is silent while it dies, so its neighbor still holds the links of its last life."""
    world = World(seed, "a", "b", "c")
    joined(world, 5, 5)
    a, b, c = world.sites.values()
    c.declare()
    c.serve(1, capacity=10)
    world.run(5)
    world.internet.cut(a.ip, b.ip)
    a.kill()
    world.internet.heal(a.ip, b.ip)
    a.start()
    world.run(5)
    answer = a.request()
    world.run(1)
    all_answered([answer])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_site_restarted_alone_serves_what_it_had_learnt_until_the_ttl(seed: int) -> None:
    world = World(seed, "a", "b")
    joined(world, 5)
    a, b = world.sites.values()
    a.declare()
    b.serve(1, capacity=10)
    world.run(5)
    a.kill()
    b.kill()
    world.run(20)
    b.start()
    world.run(5)
    alone = b.request()
    world.run(1)
    all_answered([alone])
    world.run(180)
    late = b.request()
    world.run(1)
    assert late.error == "refused"


@pytest.mark.parametrize("seed", SEEDS)
def test_draining_finishes_what_is_under_way_and_takes_nothing_new(seed: int) -> None:
    world = World(seed, "a", "b")
    joined(world, 5)
    a, b = world.sites.values()
    a.declare()
    b.serve(1, capacity=10, service_s=0.5)
    a.serve(1, capacity=1, service_s=0.5)
    world.run(5)
    first = [a.request() for _ in range(4)]
    world.run(0.1)
    drained: list[float] = []
    b.router.drain(lambda: drained.append(world.internet.now))
    world.run(0.05)
    later = [a.request() for _ in range(2)]
    world.run(3)
    all_answered(first)
    assert count(first, b) == 3
    assert drained
    assert count(later, b) == 0


def test_one_seed_is_one_history() -> None:
    def history() -> list[tuple[float, float, str]]:
        world = World(7, "a", "b", "c")
        joined(world, 5, 15)
        a, b, _ = world.sites.values()
        a.declare()
        a.serve(1, capacity=3)
        b.serve(2, capacity=4)
        world.run(5)
        answers = a.offer(rate=120, seconds=1)
        world.run(3)
        return [(answer.began, answer.ended, answer.site) for answer in answers]

    assert history() == history()
