"""Links deleted and sites restarted by order, under load, seed by seed: nothing may be lost."""

import random
from collections import Counter
from itertools import combinations
from math import inf

import pytest

from tests.examples import seeds
from tests.simulation.world import SERVICE, Answer, SimSite, World

CAPACITY = 3
STEPS = 8
CONNECTED_S = 0.06  # Who began to connect is in.
METHODS = ("GET", "PUT", "POST")


class Drains:
    """A network in which links come and go and sites are restarted, one thing after another.

    It stays connected, and some site with room remains: whatever is lost was lost by draining.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        names = "abcde"[: self.random.randint(3, 5)]
        self.world = World(seed, *names, delay_s=self.random.choice([0.0005, 0.005, 0.02]))
        self.sites = list(self.world.sites.values())
        self.wanted: dict[tuple[str, str], int] = {}
        self.deleted: dict[tuple[str, str], int] = {}
        self.down: set[str] = set()
        self.answers: list[Answer] = []
        ring = list(zip(self.sites, [*self.sites[1:], self.sites[0]], strict=True))
        for a, b in ring:
            self._link(a, b)
        for a, b in combinations(self.sites, 2):
            if (a.name, b.name) not in self.wanted and self.random.random() < 0.3:
                self._link(*self.random.sample([a, b], 2))
        self.sites[0].declare(queue=100, queue_wait_s=20.0)
        for site in self.random.sample(self.sites, self.random.randint(2, len(self.sites))):
            site.serve(1, CAPACITY, service_s=self.random.choice([0.02, 0.1, 0.4]))
        self.world.run(5)

    def _link(self, dialer: SimSite, other: SimSite) -> None:
        cost = self.random.randint(1, 20)
        self.wanted[dialer.name, other.name] = cost
        dialer.link(other, cost)

    def step(self) -> None:
        """One order to a site, with requests before, during and after."""
        chance = self.random.random()
        before = self.random.randint(0, 8)
        self.load(before, 0.02)
        if chance < 0.4:
            self._delete_a_link()
        elif chance < 0.6 and self.deleted:
            self._link_again()
        else:
            self._restart_a_site()
        self.load(self.random.randint(5, 30), 0.05)

    def load(self, count: int, gap_s: float) -> None:
        """Requests from sites that serve, some at once, some after a while."""
        for _ in range(count):
            method = self.random.choice(METHODS)
            line = f"{method} /{len(self.answers)}"
            serving = [site for site in self.sites if self._accepts(site)]
            self.answers.append(self.random.choice(serving).request(line=line))
            if self.random.random() < 0.7:
                self.world.run(self.random.uniform(0, gap_s))

    def _accepts(self, site: SimSite) -> bool:
        listener = site.router.forwarder.listeners.states().get(SERVICE)
        return site.name not in self.down and listener is not None and listener.listening

    def _delete_a_link(self) -> None:
        pairs = [pair for pair in sorted(self.wanted) if not self.down & set(pair)]
        pairs = [pair for pair in pairs if self._is_connected(without=pair)]
        if pairs:
            pair = self.random.choice(pairs)
            self.deleted[pair] = self.wanted.pop(pair)
            self.world[pair[0]].unlink(self.world[pair[1]])

    def _link_again(self) -> None:
        pair = self.random.choice(sorted(self.deleted))
        if not self.down & set(pair):
            self.wanted[pair] = self.deleted.pop(pair)
            self.world[pair[0]].link(self.world[pair[1]], self.wanted[pair])

    def _restart_a_site(self) -> None:
        """Only one at a time, and the others must still reach each other and a target."""
        if self.down:
            return
        chosen = []
        for site in self.sites:
            others = [other for other in self.sites if other is not site]
            if any(other.targets for other in others) and self._is_connected(
                without_site=site.name
            ):
                chosen.append(site)
        if not chosen:
            return
        site = self.random.choice(chosen)
        self.world.run(CONNECTED_S)
        self.down.add(site.name)
        site.stop(lambda: self._start_again(site))

    def _start_again(self, site: SimSite) -> None:
        site.start()
        self.down.discard(site.name)

    def _is_connected(self, without: tuple[str, str] | None = None, without_site: str = "") -> bool:
        """Whether the links that are wanted join all sites that do not stop."""
        alive = {site.name for site in self.sites} - self.down - {without_site}
        reached, frontier = set[str](), {min(alive)}
        while frontier:
            reached |= frontier
            frontier = {
                there
                for pair in self.wanted
                if pair != without
                for here, there in (pair, pair[::-1])
                if here in reached and there in alive
            } - reached
        return reached == alive

    def settle(self) -> None:
        """Everything finishes and everybody is linked again."""
        self.world.run_while(lambda: bool(self.down), 60)
        self.world.run(45)

    def executions(self) -> Counter[str]:
        """How often each request reached a target, of any life of any site."""
        return Counter(
            seen.split(b" HTTP/1.1")[0].decode() for seen in self.world.seen if b" / " not in seen
        )


def judge(seed: int) -> None:
    """Run one history. AssertionError when something was lost, ran twice or is left."""
    drains = Drains(seed)
    for _ in range(STEPS):
        drains.step()
        # A site that came back is a client's place again once it knows its way around.
        drains.world.run_while(lambda: bool(drains.down), 60)
        drains.world.run(drains.random.choice([3, 10]))
    drains.settle()
    lost = [(a.line, a.status, a.error, a.began) for a in drains.answers if a.status != 200]
    assert lost == []
    assert drains.executions() == Counter(answer.line for answer in drains.answers)
    for site in drains.sites:
        load = site.router.readings.load_of(SERVICE)
        assert load.in_flight == 0, site.name
        explanation = site.router.readings.explain(SERVICE, site.network.now())
        assert explanation is not None
        assert all(candidate.in_flight == 0 for candidate in explanation.candidates)
        assert site.router.links.streams == site.router.links.buffered_bytes == 0
        assert len(site.router.links.adjacent) == len(
            {name for pair in drains.wanted if site.name in pair for name in pair} - {site.name}
        )


@pytest.mark.parametrize("seed", seeds(12))
def test_deleted_links_and_restarted_sites_lose_nothing_and_run_nothing_twice(seed: int) -> None:
    judge(seed)


def test_requests_are_not_said_to_spread_over_a_site_that_stops() -> None:
    world = World(1, "a", "b")
    world["a"].link(world["b"], 5)
    world["a"].declare()
    for site in world.sites.values():
        site.serve(1, capacity=None, service_s=5.0)
    world.run(3)

    def said() -> bool:
        return any(note.code == "SW0331" for note in world["a"].router.notes)

    assert said()
    world["a"].request()
    world.run(1)
    world["a"].router.drain(lambda: None)
    world.run(1)
    assert world["a"].targets[9001].in_hand == 1, "it stops once this request has ended"
    assert not said()


def test_a_router_that_finishes_lists_no_site_again_without_its_load() -> None:
    world = World(1, "a", "b", "c")
    a, b, c = world.sites.values()
    b.link(a, 1)
    a.link(c, 1)
    c.declare()
    a.serve(1, capacity=1, service_s=1.0)
    c.serve(1, capacity=1, service_s=4.0)
    world.run(5)
    answers = [b.request(), b.request()]
    world.run(0.5)
    assert a.targets[9001].in_hand == c.targets[9001].in_hand == 1
    gone: list[bool] = []
    a.router.drain(lambda: gone.append(True))

    def others() -> list[float]:
        explanation = a.router.readings.explain(SERVICE, a.network.now())
        assert explanation is not None
        return [one.age_s for one in explanation.candidates if one.site != a.identity.site]

    while not gone:
        assert inf not in others()
        world.run(0.001)
    assert others() == []
    world.run(1)
    assert [answer.status for answer in answers] == [200, 200], "one of them in transit"
