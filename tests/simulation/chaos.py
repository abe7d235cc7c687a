"""Whole routers on random networks under random faults, by a seed.

``python -m tests.simulation.fleet --whole --seeds 100`` runs many, ``--seed 7`` one of them.
"""

import random
from itertools import combinations

from tests.simulation.world import SERVICE, Answer, SimSite, Target, World

CAPACITY = 4
STEPS = 12


class Chaos:
    """A connected network of sites with targets, edges at some, and faults that come and go."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        names = "abcdef"[: self.random.randint(3, 6)]
        delay_s = self.random.choice([0.0005, 0.005, 0.02])
        self.edges = frozenset(("edge", "rim")[: seed % 3])
        """Each is linked to one of the others, and knows only who serves."""
        self.world = World(seed, *names, *self.edges, delay_s=delay_s, edges=self.edges)
        everybody = list(self.world.sites.values())
        self.sites = everybody[: len(names)]
        self.costs: dict[tuple[str, str], int] = {}
        self.dialers: dict[tuple[str, str], tuple[SimSite, SimSite]] = {}
        for number, site in enumerate(self.sites[1:], start=1):
            self._link(self.random.choice(self.sites[:number]), site)
        for a, b in combinations(self.sites, 2):
            if (a.name, b.name) not in self.costs and self.random.random() < 0.3:
                self._link(a, b)
        for edge in everybody[len(names) :]:
            self._link(edge, self.random.choice(self.sites))
        self.sites = everybody
        self.sites[0].declare(queue_wait_s=1.0)
        for site in self.random.sample(self.sites, self.random.randint(1, len(self.sites))):
            site.serve(self.random.randint(1, 2), CAPACITY, service_s=0.05)
        self.cuts: set[tuple[str, str]] = set()
        self.deleted: list[tuple[SimSite, SimSite, int]] = []
        self.dead: set[str] = set()
        self.down: list[Target] = []
        self.stopping: set[str] = set()
        self.answers: list[tuple[SimSite, int, Answer]] = []

    def _link(self, a: SimSite, b: SimSite) -> None:
        cost = self.random.randint(1, 20)
        self.costs[a.name, b.name] = cost
        dialer, other = (a, b) if a.name in self.edges else self.random.choice([(a, b), (b, a)])
        self.dialers[a.name, b.name] = dialer, other
        dialer.link(other, cost)

    def step(self) -> None:
        """One fault or repair, and load from a site that is alive."""
        world, chance = self.world, self.random.random()
        a, b = self.random.choice(sorted(self.costs))
        if chance < 0.15 and not {a, b} & self.dead:
            world.internet.cut(world[a].ip, world[b].ip)
            self.cuts.add((a, b))
        elif chance < 0.25 and not {a, b} & self.dead:
            sender, receiver = self.random.sample((a, b), 2)
            world.internet.cut_one_way(world[sender].ip, world[receiver].ip)
            self.cuts.add((a, b))
        elif chance < 0.45 and self.cuts:
            self._heal(self.random.choice(sorted(self.cuts)))
        elif chance < 0.55 and len(self.dead) < len(self.sites) - 1:
            victim = self.random.choice([s for s in self.sites if s.name not in self.dead])
            victim.kill()
            self.stopping.discard(victim.name)
            self.dead.add(victim.name)
        elif chance < 0.7 and self.dead:
            self._revive(self.random.choice(sorted(self.dead)))
        elif chance < 0.75 and a not in self.dead:
            world.internet.freeze(world[a].ip)
            world.run(self.random.choice([0.3, 1.5, 5.0]))
            world.internet.thaw(world[a].ip)
        elif chance < 0.8 and not {a, b} & self.dead:
            world.internet.reset_all(world[a].ip, world[b].ip)
        else:
            self._order(chance, a, b)
        alive = self._alive()
        if alive:
            site = self.random.choice(alive)
            self.answers += [
                (site, site.lives, site.request()) for _ in range(self.random.randint(1, 12))
            ]
        world.run(self.random.uniform(0.01, 2.0))

    def _order(self, chance: float, a: str, b: str) -> None:
        """What an operator does, the later the greater ``chance`` is."""
        if chance < 0.87:
            self._delete(*self.dialers[a, b], self.costs[a, b])
        elif chance < 0.89 and self.deleted:
            self._undelete()
        elif chance < 0.96:
            self._change(self.random.choice(self.sites))
        elif not {a, b} & (self.dead | self.stopping) and len(self._alive()) > 1:
            self._stop(self.world[a])

    def _change(self, site: SimSite) -> None:
        """A target dies or returns, or what the site takes becomes another; dead sites too."""
        target = self.random.choice([None, *site.targets.values()])
        if target is None:
            if site.connectors:
                site.cap(self.random.choice([None, 1, 3]))
        elif target in self.down:
            self.down.remove(target)
            target.listen()
        else:
            self.down.append(target)
            target.listener.close()

    def _alive(self) -> list[SimSite]:
        return [site for site in self.sites if site.name not in self.dead | self.stopping]

    def _delete(self, dialer: SimSite, other: SimSite, cost: int) -> None:
        """Drain a link; when its router lives, else it is deleted while it is down."""
        if f"to-{other.name}" in dialer.links:
            self.deleted.append((dialer, other, cost))
            dialer.unlink(other)

    def _undelete(self) -> None:
        dialer, other, cost = self.deleted.pop()
        dialer.link(other, cost)

    def _stop(self, site: SimSite) -> None:
        """Drain a site and start it again, unless it is killed meanwhile."""
        life = site.lives
        self.stopping.add(site.name)

        def stopped() -> None:
            if site.lives == life and site.name not in self.dead:
                site.start()
            self.stopping.discard(site.name)

        site.stop(stopped, grace_s=3.0)

    def _heal(self, pair: tuple[str, str]) -> None:
        self.cuts.discard(pair)
        self.world.internet.heal(self.world[pair[0]].ip, self.world[pair[1]].ip)

    def _revive(self, name: str) -> None:
        for pair in [pair for pair in self.cuts if name in pair]:
            self._heal(pair)
        self.dead.discard(name)
        self.world[name].start()

    def repair(self) -> None:
        """Everything works again, and there was time to notice."""
        for pair in sorted(self.cuts):
            self._heal(pair)
        while self.deleted:
            self._undelete()
        for name in sorted(self.dead):
            self._revive(name)
        for target in self.down:
            if any(target in site.targets.values() for site in self.sites):
                target.listen()
        self.world.run_while(lambda: bool(self.stopping), 10)
        self.world.run(45)  # The longest pause before a link is dialed again, and SPF.

    def path_costs(self, root: str) -> dict[str, int]:
        """What shortest paths must be, by relaxing every link until nothing changes."""
        best = {root: 0}
        for _ in self.sites:
            for (a, b), cost in self.costs.items():
                for here, there in ((a, b), (b, a)):
                    if here in best:
                        best[there] = min(best.get(there, 1 << 30), best[here] + cost)
        return best

    def _serving(self) -> dict[str, tuple[int, int | None]]:
        return {site.identity.site: self._served(site) for site in self.sites if site.targets}

    def _served(self, site: SimSite) -> tuple[int, int | None]:
        """Targets and slots there."""
        if not site.targets:
            return 0, None
        cap = site.policies["shop"].site_capacity if site.policies else None
        slots = len(site.targets) * CAPACITY
        return len(site.targets), min(slots, cap) if isinstance(cap, int) else slots

    def check(self) -> None:
        """Conditions that must hold when all is idle."""
        for site in self.sites:
            table = site.router.routing.table
            by_id = {other.identity.site: other.name for other in self.sites}
            costs = {by_id[site_id]: route.path_cost for site_id, route in table.sites.items()}
            best = self.path_costs(site.name)
            assert costs.items() <= best.items(), site.name
            assert costs == best or site.name in self.edges, site.name
            load = site.router.readings.load_of(SERVICE)
            assert load.in_flight == 0, site.name
            explanation = site.router.readings.explain(SERVICE, site.network.now())
            assert explanation is not None
            assert all(candidate.in_flight == 0 for candidate in explanation.candidates)
            known = {one.site: (one.targets_ready, one.capacity) for one in explanation.candidates}
            assert known == self._serving() | {site.identity.site: self._served(site)}, site.name
            assert site.router.problems() == (), site.name
            assert site.router.links.streams == 0
            assert site.router.links.buffered_bytes == 0
        for site, life, answer in self.answers:
            died_with_its_site = site.lives != life
            assert answer.ended or answer.error or died_with_its_site, (site.name, answer.began)

        last = [site.request() for site in self.sites]
        self.world.run(2)
        assert [answer.status for answer in last] == [200] * len(last)


def play(seed: int) -> None:
    """Routes are right, slots are free and requests are served after any faults, or it raises."""
    chaos = Chaos(seed)
    chaos.world.run(5)
    for _ in range(STEPS):
        chaos.step()
        for site in chaos.sites:
            for target in site.targets.values():
                assert target.most_in_hand <= CAPACITY
    chaos.repair()
    chaos.check()
