"""Rates and site caps across whole routers, in virtual time."""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import pairwise

import pytest

from tests.examples import seeds
from tests.simulation.test_fill_and_spill import all_answered, count, joined
from tests.simulation.world import SERVICE, Answer, SimSite, World

SEEDS = seeds(2)
CROSSING_S = 0.02  # Admission to target: more than it takes.


def most_in_a_window(times: Iterable[float], window_s: float = 15.0) -> int:
    """Most that began within any ``window_s``, those that a connection's making moved apart."""
    times = sorted(times)
    window_s -= CROSSING_S
    return max(bisect_left(times, one + window_s) - i for i, one in enumerate(times))


def begun(site: SimSite) -> list[float]:
    return [at for target in site.targets.values() for at in target.begun_at]


def served_between(answers: list[Answer], site: SimSite, since: float, until: float) -> float:
    """Requests a second that began then and that ``site`` served."""
    them = [a for a in answers if since <= a.began < until and a.site == site.name]
    return len(them) / (until - since)


def is_over(site: SimSite) -> bool:
    rate = site.router.readings.load_of(SERVICE).rate
    assert rate is not None
    return rate.is_over


@pytest.mark.parametrize(("where", "seed"), [("target", 0), ("site", 1)])
def test_above_a_rate_the_excess_spills_and_nothing_else(seed: int, where: str) -> None:
    world = World(seed, "a", "b")
    joined(world, 5)
    a, b = world.sites.values()
    a.declare()
    a.serve(1, capacity="15/s" if where == "target" else None)
    if where == "site":
        a.cap("15/s")
    b.serve(2, capacity=20)
    world.run(5)
    begin = a.network.now()
    calm = a.offer(rate=12, seconds=30)
    world.run(30)
    assert not is_over(a)
    burst = a.offer(rate=20, seconds=90)
    world.run(90)
    assert is_over(a)
    after = a.offer(rate=8, seconds=60)
    world.run(62)
    assert not is_over(a)

    for answers in (calm, burst, after):
        all_answered(answers)
    assert count(calm, b) == 0
    assert most_in_a_window(begun(a)) <= 225
    assert served_between(burst, a, begin + 60, begin + 120) == pytest.approx(15, abs=0.2)
    assert count(after, a) >= len(after) - 5
    assert max(a.ended - a.began for a in (*calm, *burst, *after)) < 0.2, "nobody waited"


def test_with_spill_all_everything_leaves_and_returns_below_the_low_mark() -> None:
    world = World(1, "a", "b")
    joined(world, 5)
    a, b = world.sites.values()
    a.declare()
    a.serve(1, capacity=None)
    a.cap("15/s", resume="10/s", window_s=15.0, spill="all")
    b.serve(2, capacity=20)
    world.run(5)
    begin = a.network.now()
    high = a.offer(rate=20, seconds=60)
    world.run(60)
    middle = a.offer(rate=12, seconds=60)
    world.run(60)
    low = a.offer(rate=8, seconds=60)
    world.run(62)
    for answers in (high, middle, low):
        all_answered(answers)
    assert count(high, a) == 225, "a window's worth before it is over, and nothing then"
    assert count(middle, a) == 0, "above 10 a second nothing returns"
    back = min(answer.began for answer in low if answer.site == "a")
    # From 12 to 8 a second: the window's mean is below 10 after half of it.
    assert 7.5 <= back - (begin + 120) <= 15.5
    assert served_between(low, a, back + 1, begin + 180) == pytest.approx(8, abs=0.2)


def test_who_is_over_and_alone_serves_at_its_rate_and_others_wait_for_permits() -> None:
    world = World(2, "a")
    a = world["a"]
    a.declare(queue=50, queue_wait_s=2.0)
    a.serve(1, capacity=None)
    a.cap("10/s", window_s=2.0, stay_s=60.0, spill="all")
    world.run(5)
    first = a.offer(rate=100, seconds=0.2)
    world.run(4)
    all_answered(first)
    waiting = [a.request() for _ in range(30)]
    world.run(6)
    served = [answer for answer in waiting if answer.status == 200]
    refused = [answer for answer in waiting if answer.status == 503]
    assert len(served) + len(refused) == 30
    assert len(served) == 20, "five were saved up, the rest of the window comes at its pace"
    ends = sorted(answer.ended for answer in served)
    gaps = [later - earlier for earlier, later in pairwise(ends[5:])]
    assert max(gaps) <= 0.11, "each permit is used when it comes"
    took = [answer.ended - answer.began for answer in refused]
    assert max(took) <= 2.1
    at_once = sum(each < 0.1 for each in took)
    assert at_once == 5, "behind as many as two seconds let in nobody waits in vain"
    assert most_in_a_window(begun(a), 2.0) <= 20


@pytest.mark.parametrize("seed", SEEDS)
def test_several_sites_share_a_remote_rate_and_never_exceed_it(seed: int) -> None:
    world = World(seed, "a", "b", "c", "far", "rest")
    a, b, c, far, rest = world.sites.values()
    for site in (a, b, c):
        site.link(far, 5)
        site.link(rest, 20)
    a.declare()
    far.serve(3, capacity="5/s")
    rest.serve(1, capacity=100)
    world.run(5)
    begin = world.internet.now
    answers = [site.offer(rate=10, seconds=60) for site in (a, b, c)]
    world.run(62)
    for each in answers:
        all_answered(each)
    assert most_in_a_window(begun(far)) <= 225
    for target in far.targets.values():
        assert most_in_a_window(target.begun_at) <= 75
    shares = [served_between(each, far, begin + 30, begin + 60) for each in answers]
    assert sum(shares) == pytest.approx(15, abs=0.5)
    assert min(shares) >= 2, "nobody is starved"


def test_a_cap_in_slots_holds_for_requests_of_all_sites() -> None:
    world = World(4, "a", "b")
    joined(world, 5)
    a, b = world.sites.values()
    a.declare(queue=200, queue_wait_s=5.0)
    a.serve(2, capacity=10)
    a.cap(6)
    world.run(5)
    answers = [site.request() for site in (a, b) for _ in range(30)]
    world.run(6)
    all_answered(answers)
    assert sum(target.most_in_hand for target in a.targets.values()) <= 6
    a.cap(None)
    world.run(1)
    answers = [a.request() for _ in range(20)]
    world.run(1)
    all_answered(answers)
    assert sum(target.most_in_hand for target in a.targets.values()) == 20


@pytest.mark.parametrize("at", ["a", "b"])
def test_who_waits_for_a_rate_is_not_judged_by_the_slots_of_others(at: str) -> None:
    world = World(6, "a", "b")
    joined(world, 5)
    a, b = world.sites.values()
    a.declare(queue=100, queue_wait_s=1.0)
    fast, slow = (a, b) if at == "a" else (b, a)
    fast.serve(1, capacity=None)
    fast.cap("100/s", window_s=1.0, stay_s=60.0)
    slow.serve(1, capacity=1)
    world.run(5)
    first = a.offer(rate=200, seconds=2.0)
    world.run(6)
    assert {answer.status for answer in first} == {200, 503}
    waiting = [a.request() for _ in range(80)]
    world.run(6)
    all_answered(waiting)


@pytest.mark.parametrize("phase_s", [0.0, 0.05, 0.1, 0.2])
def test_other_sites_hear_at_once_that_a_quiet_one_is_calm_again(phase_s: float) -> None:
    world = World(5, "a", "b")
    joined(world, 5)
    a, b = world.sites.values()
    b.declare()
    b.serve(1, capacity=100)
    a.serve(1, capacity=None)
    a.cap("5/s", window_s=2.0, stay_s=2.0, spill="all")
    world.run(6.5 + phase_s)
    burst = a.offer(rate=20, seconds=3)
    world.run(3.1)
    all_answered(burst)
    assert sees_over(b, "a")
    while is_over(a):  # Every reader, status and metrics included, sees calm first.
        world.run(0.01)
    world.run(0.5)
    assert not sees_over(b, "a")


def sees_over(site: SimSite, other: str) -> bool:
    explanation = site.router.readings.explain(SERVICE, site.network.now())
    assert explanation is not None
    (rate,) = [one.rate for one in explanation.candidates if one.site_name == other]
    assert rate is not None
    return rate.is_over


def test_who_waits_for_a_permit_has_it_when_it_comes_though_nothing_ends_meanwhile() -> None:
    world = World(6, "a")
    a = world["a"]
    a.declare(queue=50, queue_wait_s=2.0)
    a.serve(1, capacity=None, service_s=0.01)
    a.cap("5/s", window_s=4.0, stay_s=60.0)
    world.run(5)
    begin = world.internet.now
    first = a.offer(rate=1_000, seconds=0.02)
    world.run(3)
    all_answered(first)
    late = [a.request() for _ in range(3)]
    world.run(3)
    all_answered(late)
    assert [round(one.ended - begin, 1) for one in late] == [4.0, 4.0, 4.0]
    more = [a.request() for _ in range(6)]  # Four of them use saved permits.
    world.run(3)
    all_answered(more)
    assert max(one.ended - one.began for one in more) < 0.9
