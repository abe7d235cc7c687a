"""Rates, caps and shares that several routers and several sites' clients have part in."""

from collections import Counter

import pytest

from router.documents.division import Division
from router.model.specs import ListenerSpec
from simulator.runs.virtual import SimIdentity
from tests.examples import seeds
from tests.simulation.test_fill_and_spill import all_answered, count
from tests.simulation.test_rates import begun, is_over, most_in_a_window, served_between
from tests.simulation.world import SERVICE, Answer, SimSite, World

SEEDS = seeds(2)


def replicas(world: World, *routers: SimSite) -> None:
    """Make them routers of one site, that of the first, which share the configured rate."""
    name = routers[0].name
    for index, router in enumerate(routers):
        router.kill()
        router.identity = SimIdentity(name, f"{index + 1:016x}")
        router.name = name
        router.division = Division(count=len(routers), index=index)
        router.siblings = list(routers[:index])
        router.listeners["shop"] = ListenerSpec(service="shop")
        router.start()


def shares(answers: list[Answer]) -> dict[str, float]:
    """Percent by site."""
    served = Counter(answer.site for answer in answers)
    return {site: 100 * count / len(answers) for site, count in sorted(served.items())}


def away_from(answers: list[Answer], site: SimSite, since: float, until: float) -> bool:
    """Whether none that began then was served there."""
    return served_between(answers, site, since, until) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_clients_of_other_sites_are_sent_away_too_and_come_back(seed: int) -> None:
    """a has a cap and at first no local clients; b and c have no targets."""
    world = World(seed, "a", "b", "c", "far")
    a, b, c, far = world.sites.values()
    for site in (a, b, c):
        site.link(far, 20)
    b.link(a, 1)
    c.link(a, 5)
    a.declare()
    a.serve(2, capacity=20)
    a.cap("10/s", resume="8/s", window_s=10.0, stay_s=10.0, spill="all")
    far.serve(3, capacity=20)
    world.run(5)
    begin = world.internet.now
    own = a.offer(rate=9, seconds=40)  # Above the low mark: it stays over.
    others = [site.offer(rate=6, seconds=40) for site in (b, c)]
    world.run(20)
    assert is_over(a)
    explanation = b.router.readings.explain(SERVICE, b.network.now())
    assert explanation is not None
    told = {one.site_name: one.verdict for one in explanation.candidates}
    assert (told["a"], told["far"]) == ("sends-away", "chosen")
    world.run(20)
    calm_at = world.internet.now
    low = [site.offer(rate=2, seconds=40) for site in (a, b, c)]
    world.run(42)
    for answers in (own, *others, *low):
        all_answered(answers)
    assert most_in_a_window(begun(a), 10.0) <= 100
    for answers in (own, *others):
        assert away_from(answers, a, begin + 10, calm_at)
        assert count(answers, far)
    assert not is_over(a)
    for answers in low:
        assert served_between(answers, a, calm_at + 22, calm_at + 40) == pytest.approx(2, abs=0.2)


def test_clients_of_another_site_are_served_within_the_cap_where_nobody_else_has_room() -> None:
    world = World(3, "a", "b")
    a, b = world.sites.values()
    b.link(a, 1)
    a.declare(queue=100, queue_wait_s=2.0)
    a.serve(1, capacity=20)
    a.cap("10/s", window_s=5.0, spill="all")
    world.run(5)
    answers = b.offer(rate=20, seconds=20)
    world.run(25)
    served = [one for one in answers if one.status == 200]
    assert {one.status for one in answers} == {200, 503}
    assert most_in_a_window(begun(a), 5.0) <= 50
    assert len(served) >= 195, "the cap is used to the full, rather than 503 for all"


@pytest.mark.parametrize(("stated", "seed"), [("target", 0), ("site", 1)])
def test_routers_of_one_site_share_its_rate(seed: int, stated: str) -> None:
    """a and a2 are one site of 15/s; clients at both and at three other sites."""
    world = World(seed, "a", "a2", "b", "c", "d", "far")
    a, a2, *outside, far = world.sites.values()
    replicas(world, a, a2)
    for site in outside:
        site.link(a, 1)
        site.link(a2, 1)
        site.link(far, 20)
    a.link(far, 20)
    a2.link(far, 20)
    for router in (a, a2):
        router.declared_at_s = {"shop": 0.0}
        router.declare()
        router.serve(1, capacity="15/s" if stated == "target" else 20)
        if stated == "site":
            router.cap("15/s")
    far.serve(3, capacity=20)
    world.run(5)
    begin = world.internet.now
    answers = [site.offer(rate=8, seconds=60) for site in (a, a2, *outside)]
    world.run(62)
    for each in answers:
        all_answered(each)
    both = [*begun(a), *begun(a2)]
    assert most_in_a_window(both) <= 225
    assert min(len(begun(a)), len(begun(a2))) >= 0.45 * len(both)
    together = sum(served_between(each, a, begin + 30, begin + 60) for each in answers)
    assert together == pytest.approx(15, abs=0.5), "and all of it is used"
    assert all(count(each, far) for each in answers), "the rest goes on"


def two_that_send_all_away(seed: int) -> World:
    """a and a2 are one site of 10/s; far is another one."""
    world = World(seed, "a", "a2", "far")
    a, a2, far = world.sites.values()
    replicas(world, a, a2)
    for router in (a, a2):
        router.link(far, 20)
        router.declared_at_s = {"shop": 0.0}
        router.declare()
        router.serve(1, capacity=20)
        router.cap("10/s", window_s=5.0, stay_s=5.0, spill="all")
    far.serve(3, capacity=20)
    world.run(5)
    return world


@pytest.mark.parametrize("seed", SEEDS)
def test_routers_with_unequal_clients_send_all_away_until_the_demand_of_both_falls(
    seed: int,
) -> None:
    """As workers have them: the kernel gives each connection to one of them."""
    world = two_that_send_all_away(seed)
    a, a2, _ = world.sites.values()
    begin = world.internet.now
    high = [a.offer(rate=12, seconds=60), a2.offer(rate=2, seconds=60)]
    world.run(60)
    assert is_over(a)
    assert is_over(a2), "what is asked of a counts"
    low_at = world.internet.now
    low = a.offer(rate=4, seconds=40)
    world.run(42)
    for answers in (*high, low):
        all_answered(answers)
    for answers in high:
        assert away_from(answers, a, begin + 15, low_at)
    assert not is_over(a)
    assert not is_over(a2)
    assert served_between(low, a, low_at + 20, low_at + 40) == pytest.approx(4, abs=0.3)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_router_with_many_clients_sends_them_to_another_one_while_their_site_is_not_over(
    seed: int,
) -> None:
    world = two_that_send_all_away(seed)
    a, a2, far = world.sites.values()
    answers = [a.offer(rate=7, seconds=60), a2.offer(rate=1, seconds=60)]
    world.run(62)
    for each in answers:
        all_answered(each)
        assert not count(each, far), "of 10 a second 8 are asked for"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("spread", {"a": 33.3, "b": 66.7}), ("split", {"a": 75, "b": 25})],
)
@pytest.mark.parametrize("load", [20, 60])
def test_shares_hold_at_an_edge_and_where_a_site_has_two_routers(
    policy: str, expected: dict[str, float], load: int
) -> None:
    """a has 1 target, b has 2 and two routers that both know them; clients at all, and an edge."""
    world = World(5, "edge", "b", "b2", "a", edges=frozenset({"edge"}))
    edge, b, b2, a = world.sites.values()
    replicas(world, b, b2)
    edge.link(a, 1)
    for router in (b, b2):
        router.link(a, 3)
        router.serve(2, capacity=40)
    a.declare(policy, weights={"a": 3, "b": 1} if policy == "split" else None)
    a.serve(1, capacity=40)
    world.run(5)
    answers = {site.ip: site.offer(rate=load, seconds=6) for site in (edge, a, b, b2)}
    world.run(10)
    for each in answers.values():
        all_answered(each)
        assert shares(each) == pytest.approx(expected, abs=2)
