"""The truth of the network, whatever services are: which routers run, and which ways there are."""

from collections.abc import Callable
from itertools import permutations
from math import inf

from tests.simulation.hours.ways import Ways
from tests.simulation.world import SimSite, World

Fact = tuple[str, ...]
"""What, of which site: ``("drained", "a")``; or of which router, by its key in the world:
``("stops", "a2")``, ``("away", "a2", "b")``: it does not reach b."""


class Facts:
    """When each was so last, and when it was not. ``now``: the time."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._last_so: dict[Fact, float] = {}
        self._last_not: dict[Fact, float] = {}

    def note(self, fact: Fact, is_so: bool) -> None:
        """How it is now."""
        (self._last_so if is_so else self._last_not)[fact] = self._now()

    def has(self, fact: Fact) -> bool:
        """It was noted."""
        return fact in self._last_so or fact in self._last_not

    def is_over(self, fact: Fact, age_s: float = 0.0) -> float:
        """For how many seconds it has not been so; 0: it is so, or has been since then.
        ``age_s``: as it was so many seconds ago."""
        return max(0.0, self._now() - age_s - self._last_so.get(fact, -inf))

    def lasts(self, fact: Fact, age_s: float = 0.0) -> float:
        """For how many seconds it has been so; 0: it is not, or has not been since then."""
        return max(0.0, self._now() - age_s - self._last_not.get(fact, -inf))

    def reset_ways(self, of: str = "") -> None:
        """All ways may be lost for a moment, or those of one router or site."""
        for fact in {*self._last_so, *self._last_not}:
            if of and of not in fact[1:]:
                continue
            if fact[0] == "joined":
                self._last_not[fact] = self._now()
            elif fact[0] == "severed":
                self._last_so[fact] = self._now()


class NetworkTruth:
    """Samples of all routers of a world and of the ways between them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.facts = Facts(lambda: world.internet.now)
        self._costs: dict[tuple[str, str], tuple[int | None, float]] = {}
        """To a site from a router, and since when."""
        self._around: dict[str, set[str]] = {}
        """The neighbors of each edge."""
        self.gone: set[str] = set()
        """Routers that do not run."""
        self.deleted: set[str] = set()
        """Sites that are, or are about to be."""
        self.frozen: set[str] = set()
        """Routers that stand still."""
        self.cuts: set[frozenset[str]] = set()
        """Pairs of them that no packet passes between."""

    @property
    def now(self) -> float:
        return self.world.internet.now

    @property
    def names(self) -> list[str]:
        """Of all sites."""
        return list(dict.fromkeys(site.name for site in self.world.sites.values()))

    def routers(self, name: str) -> dict[str, SimSite]:
        """Those of a site that run, by the key of each in the world."""
        return {
            key: site
            for key, site in self.world.sites.items()
            if site.name == name and key not in self.gone
        }

    def has_one_router(self, name: str) -> bool:
        """No other router of that site is there, running or not."""
        return sum(site.name == name for site in self.world.sites.values()) == 1

    def sample(self) -> None:
        """Note how all routers and ways are."""
        for name in self.names:
            self._sample_site(name)
        for key, site in self.world.sites.items():
            self._sample_router(key, site)
        self._sample_ways()

    def _sample_site(self, name: str) -> None:
        routers = [one.router for one in self.routers(name).values()]
        stops = bool(routers) and all(one.draining for one in routers)
        refuses = any(one.forwarder.memory.is_refusing for one in routers)
        self.facts.note(("stopping", name), stops)
        self.facts.note(("refusing", name), refuses)
        self.facts.note(("deleted", name), name in self.deleted)

    def _sample_router(self, key: str, site: SimSite) -> None:
        router, note = site.router, self.facts.note
        names = {one.identity.router: one.name for one in self.world.sites.values()}
        runs = key not in self.gone
        note(("still", key), key in self.frozen)
        note(("refuses", key), runs and router.forwarder.memory.is_refusing)
        note(("stops", key), runs and router.draining)
        reached = {one.name for one in router.routing.table.sites.values() if one.reachable}
        held = {names[one] for one in router.routing.held if one in names}
        for other in self.names:
            note(("away", key, other), other not in reached)
            note(("holding", key, other), runs and other in held)

    def _sample_ways(self) -> None:
        """Which sites each router has a way to. While one stops both are open."""
        world, note = self.world, self.facts.note
        running = world.sites.keys() - self.gone - self.frozen
        passing = {key for key in running if not world[key].router.draining}
        ways = Ways(world, self.cuts)
        for key in world.edges:
            around = ways.around(key, running) if key in running else set()
            if self._around.get(key, set()) - around:
                self.facts.reset_ways(key)  # It takes some seconds to go by another neighbor.
            self._around[key] = around
        for key in world.sites:
            sure = ways.sites_from(key, passing, surely=True)
            maybe = ways.sites_from(key, running, surely=False)
            costs = ways.costs_from(key, passing)
            for other in self.names:
                self._note_cost((key, other), costs.get(other))
                note(("joined", key, other), other in sure)
                note(("apart", key, other), key in running and other not in maybe)
        note(("whole",), not (self.cuts or self.frozen or self.gone))
        for key, other in permutations(world.sites, 2):
            is_open = {key, other} <= running and ways.are_linked(key, other)
            note(("severed", key, world[other].name), not is_open)

    def _note_cost(self, ends: tuple[str, str], cost: int | None) -> None:
        if cost != self._costs.get(ends, (None,))[0]:
            self._costs[ends] = cost, self.now

    def cost(self, key: str, site: str, settled_s: float) -> int | None:
        """Of the cheapest way, if it has been the same for so long; None: it has not, or an edge is
        at one of the ends."""
        cost, since = self._costs.get((key, site), (None, inf))
        return cost if self.now - since > settled_s else None

    def note_reset(self) -> None:
        """All ways may be lost for a moment."""
        self.facts.reset_ways()
        self._costs.clear()
