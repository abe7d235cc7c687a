"""Equal-cost paths and sites that are crossed: whole routers, streams counted where they pass."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.examples import seeds
from tests.simulation.world import Answer, SimSite, World

REQUESTS = 200


def wired(world: World, *pairs: str) -> None:
    for pair in pairs:
        one, other = pair[0], pair[1]
        world[one].link(world[other], 1)
    world.run(5)


def ring_of_four(seed: int = 1) -> World:
    """West and east, joined over north and south alike."""
    world = World(seed, *"wnse")
    wired(world, "wn", "ne", "ws", "se")
    return world


def two_spines(seed: int = 2) -> World:
    """Four leaves, each with a link to both spines."""
    world = World(seed, *"wxyepq")
    wired(world, *(leaf + spine for leaf in "wxye" for spine in "pq"))
    return world


def serve(world: World) -> None:
    world["e"].serve(1, 50, service_s=0.02)
    world["w"].declare(queue=100, queue_wait_s=10.0)
    world.run(2)


def opened_over(site: SimSite, neighbours: str) -> dict[str, int]:
    """Bytes that went out over each link, by neighbor."""
    sent: Counter[str] = Counter()
    for line in site.router.links.status():
        if line.neighbour_name in neighbours:
            sent[line.neighbour_name] += line.bytes_out
    return dict(sent)


def paths_taken(site: SimSite, count: int, world: World) -> Counter[str]:
    """The first hop of each of so many requests, by the bytes of its long line."""
    before = opened_over(site, "nspq")
    answers = []
    for _ in range(count):
        answers.append(site.request(line="GET /" + "x" * 4_000))
        world.run(0.005)
    world.run(3)
    assert all(answer.status == 200 and answer.site == "e" for answer in answers)
    after = opened_over(site, "nspq")
    return Counter({name: after[name] - before[name] for name in after})


@pytest.mark.parametrize(("make", "hops"), [(ring_of_four, "ns"), (two_spines, "pq")])
def test_equal_next_hops_share_within_a_tenth(make: Callable[[], World], hops: str) -> None:
    world = make()
    serve(world)
    taken = paths_taken(world["w"], REQUESTS, world)
    mean = sum(taken[hop] for hop in hops) / 2
    assert mean > REQUESTS * 4_000 / 2
    for hop in hops:
        assert 0.9 * mean <= taken[hop] <= 1.1 * mean


@pytest.mark.parametrize("make", [ring_of_four, two_spines])
def test_the_same_seed_takes_the_same_paths(make: Callable[[], World]) -> None:
    histories = []
    for _ in range(2):
        world = make()
        serve(world)
        paths_taken(world["w"], 20, world)
        histories.append((opened_over(world["w"], "nspq"), world.journal))
    assert histories[0] == histories[1]


def test_a_path_whose_first_link_died_is_not_used() -> None:
    world = ring_of_four()
    serve(world)
    world["n"].kill()
    world.run(0.01)
    answers = []
    for _ in range(100):
        answers.append(world["w"].request(line="POST /"))
        world.run(0.01)
    world.run(3)
    assert {answer.status for answer in answers} == {200}


def test_two_next_hops_that_die_together_cost_no_request_while_a_third_way_is_left() -> None:
    world = World(3, *"wnsme")
    wired(world, "wn", "ne", "ws", "se", "wm", "me")
    serve(world)
    for dead in "ns":
        world[dead].kill()
    answers = []
    for _ in range(100):
        answers.append(world["w"].request(line="POST /"))
        world.run(0.01)
    world.run(3)
    assert {answer.status for answer in answers[1:]} == {200}
    assert [answer.status for answer in answers].count(200) >= 99


class Load:
    """Requests of two sites, each with an id, every few milliseconds until told otherwise."""

    def __init__(self, world: World, *sites: SimSite) -> None:
        self.world, self.sites = world, sites
        self.answers: list[Answer] = []

    def run(self, seconds: float, gap_s: float = 0.008) -> None:
        for number in range(round(seconds / gap_s)):
            site = self.sites[number % len(self.sites)]
            self.answers.append(site.request(line=f"POST /{len(self.answers)}"))
            self.world.run(gap_s)

    def check(self) -> None:
        """All were served, once."""
        self.world.run(10)
        lost = [(one.line, one.status, one.error) for one in self.answers if one.status != 200]
        assert lost == []
        lines = Counter(head.split(b"\r\n")[0] for head in self.world.seen)
        assert [line for line, count in lines.items() if count > 1] == []
        assert len(lines) == len(self.answers)


@pytest.mark.parametrize("seed", seeds(3))
@pytest.mark.parametrize("service_s", [0.02, 0.6])
def test_no_request_in_transit_is_lost_when_a_transit_site_of_a_ring_drains_and_stops(
    seed: int, service_s: float
) -> None:
    names = "abcdef"
    world = World(seed, *names, delay_s=0.003)
    wired(world, *("".join(pair) for pair in pairwise(names + "a")))
    world["d"].serve(1, 400, service_s=service_s)
    world["a"].declare(queue=200, queue_wait_s=20.0)
    world.run(2)
    load = Load(world, world["a"], world["c"])
    load.run(1.0)
    gone: list[str] = []
    begun = world["b"].router.links.streams
    assert begun > 0  # Some are in transit.
    world["b"].stop(lambda: gone.append("b"))
    load.run(4.0)
    assert gone == ["b"]
    route = world["a"].router.routing.table.sites[world["d"].identity.site]
    assert route.next_hops == (world["f"].identity.router,)
    world["b"].start()
    load.run(2.0)
    load.check()


def test_a_draining_site_is_reached_while_it_is_crossed_no_more() -> None:
    world = ring_of_four()
    world["n"].serve(1, 10, service_s=2.0)
    world["w"].declare(queue=100, queue_wait_s=10.0)
    world.run(2)
    under_way = [world["w"].request() for _ in range(3)]
    world.run(0.1)
    gone: list[str] = []
    world["n"].stop(lambda: gone.append("n"))
    world.run(0.5)
    assert not gone
    table = world["w"].router.routing.table
    east = table.sites[world["e"].identity.site]
    assert east.next_hops == (world["s"].identity.router,)
    world.run(5)
    assert [answer.status for answer in under_way] == [200] * 3
    assert gone == ["n"]
