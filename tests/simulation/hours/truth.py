"""What is so at each site, and when it was last otherwise: read from the sites, not from what they
say."""

from collections import deque
from collections.abc import Callable, Mapping
from math import inf
from typing import Final

from tests.simulation.world import SERVICE, Answer, SimSite, World

OWN_S: Final = 0.6
"""So much older than this moment may be what a site says of itself: two samples."""
TOLD_S: Final = 3.0
"""And of another one, which has to tell it first."""
LATELY_S: Final = 11.0
"""Figures of the last seconds are of two steps of the history at most."""
LEAST_S: Final = 2.4
"""And of half a step at least."""

Fact = tuple[str, ...]
"""What, of which site: ``("drained", "a")``; or of which router, by its key in the world:
``("stops", "a2")``, ``("away", "a2", "b")``: it does not reach b."""


class Truth:
    """Samples of all sites of a world, and what became of each request."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._last_so: dict[Fact, float] = {}
        self._last_not: dict[Fact, float] = {}
        self.answers: dict[str, deque[Answer]] = {name: deque(maxlen=4000) for name in world.sites}
        self._spilled: dict[str, deque[tuple[float, Mapping[str, int]]]] = {
            name: deque(maxlen=64) for name in world.sites
        }
        self._ready: dict[str, deque[tuple[float, int]]] = {
            name: deque(maxlen=64) for name in self.names
        }
        self._lives: dict[str, int] = {}
        self.gone: set[str] = set()
        """Routers that do not run."""

    @property
    def now(self) -> float:
        return self._world.internet.now

    @property
    def names(self) -> list[str]:
        """Of all sites."""
        return list(dict.fromkeys(site.name for site in self._world.sites.values()))

    def routers(self, name: str) -> dict[str, SimSite]:
        """Those of a site that run, by the key of each in the world."""
        return {
            key: site
            for key, site in self._world.sites.items()
            if site.name == name and key not in self.gone
        }

    def has_one_router(self, name: str) -> bool:
        """No other router of that site is there, running or not."""
        return sum(site.name == name for site in self._world.sites.values()) == 1

    def sample(self) -> None:
        """Note how all sites and their routers are."""
        for name in self.names:
            self._sample_site(name)
        for key, site in self._world.sites.items():
            self._sample_router(key, site)

    def _sample_site(self, name: str) -> None:
        running = list(self.routers(name).values())
        routers = [one.router for one in running]
        rules = [policy for one in running for policy in one.policies.values()]
        ready = sum(one.readings.targets.local(SERVICE).ready for one in routers)
        total = sum(one.readings.targets.local(SERVICE).total for one in routers)
        drained = any(rule.takes == 0 for rule in rules)
        stops = bool(routers) and all(one.draining for one in routers)
        self._note(("drained", name), drained)
        self._note(("stopping", name), stops)
        self._note(("draining", name), stops or drained)
        self._note(("refusing", name), any(one.forwarder.memory.is_refusing for one in routers))
        self._note(("down", name), total > 0 and not ready)
        self._note(("ready", name), ready > 0)
        self._note(("unready", name), not ready)
        self._note(("exporting", name), all(rule.export_to != () for rule in rules))
        self._note(("importing", name), all(rule.import_from != () for rule in rules))
        self._note(("bare", name), not any(one.connectors for one in running))
        staying = [one for one in routers if not one.draining]
        left = sum(one.readings.targets.local(SERVICE).ready for one in staying)
        self._ready[name] += ((self.now, ready), (self.now, left))

    def _sample_router(self, key: str, site: SimSite) -> None:
        router = site.router
        runs = key not in self.gone
        local = router.readings.targets.local(SERVICE)
        self._note(("refuses", key), runs and router.forwarder.memory.is_refusing)
        self._note(("stops", key), runs and router.draining)
        self._note(("serves", key), runs and local.ready > 0 and not router.draining)
        if self._lives.get(key) == site.lives:
            self._note(("known", key), SERVICE in router.services)
        self._sample_spills(key, site)
        reached = {one.name for one in router.routing.table.sites.values() if one.reachable}
        for other in self.names:
            self._note(("away", key, other), other not in reached)

    def _sample_spills(self, key: str, site: SimSite) -> None:
        reading = site.router.readings.reading_of(SERVICE)
        spilled = dict(reading.spilled) if reading is not None else {}
        samples = self._spilled[key]
        is_less = samples and any(spilled.get(why, 0) < n for why, n in samples[-1][1].items())
        is_new = self._lives.get(key) != site.lives
        if is_new:
            self._note(("known", key), False)  # By this router: its figures begin here.
        if is_new or is_less:
            samples.clear()
        self._lives[key] = site.lives
        samples.append((self.now, spilled))

    def _note(self, fact: Fact, is_so: bool) -> None:
        (self._last_so if is_so else self._last_not)[fact] = self.now

    def is_over(self, *fact: str) -> float:
        """For how many seconds it has not been so; 0: it is so."""
        return self.now - self._last_so.get(fact, -inf)

    def lasts(self, *fact: str) -> float:
        """For how many seconds it has been so; 0: it is not."""
        return self.now - self._last_not.get(fact, -inf)

    def slack(self, teller: str, subject: str) -> float:
        """How old what router ``teller`` says of site ``subject`` may be."""
        return OWN_S if teller == subject and self.has_one_router(subject) else TOLD_S

    def may_take(self, teller: str, subject: str) -> bool:
        """By the rules of both: ``teller`` knows of targets at ``subject`` that it may use."""
        table = self._world[teller].router.routing.table
        known = table.candidates.get(SERVICE, ())
        return self._world[teller].name == subject or any(
            one.site_name == subject and not one.unused for one in known
        )

    def name_of(self, key: str) -> str:
        """The site of that router."""
        return self._world[key].name

    def ready(self, key: str) -> tuple[int, int]:
        """Ready targets of a router, and all."""
        local = self._world[key].router.readings.targets.local(SERVICE)
        return local.ready, local.total

    def was_ready(self, name: str, within: float) -> set[int]:
        """How many targets of a site were ready in the last seconds."""
        return {count for at, count in self._ready[name] if at >= self.now - within}

    def queued(self, name: str) -> int:
        reading = self._world[name].router.readings.reading_of(SERVICE)
        return 0 if reading is None else reading.queued

    def lately(
        self, name: str, pick: Callable[[Answer], bool], within: float = LATELY_S
    ) -> list[Answer]:
        """Requests of the clients of a site that ended ``within`` seconds, or are under way; not
        those that no listener took."""
        since = self.now - within
        return [
            one
            for one in self.answers[name]
            if (not one.ended or one.ended >= since) and one.error != "refused" and pick(one)
        ]

    def share_of_spills(self, name: str, reasons: frozenset[str]) -> float:
        """Of what left a site lately, or is open elsewhere, for ``reasons``: the largest share in
        any of the times that figures may be of."""
        reading = self._world[name].router.readings.spills_of(SERVICE)
        shares = [_share(reading.open_for, reasons)]
        samples = self._spilled[name]
        newest = samples[-1][1]
        for moment, before in samples:
            if LEAST_S <= self.now - moment <= LATELY_S:
                grown = {why: count - before.get(why, 0) for why, count in newest.items()}
                shares.append(_share(grown, reasons))
        if not samples or self.now - samples[0][0] < LATELY_S:  # Since its start, or its removal.
            shares.append(_share(newest, reasons))
        return max(shares)


def _share(counts: Mapping[str, int], of: frozenset[str]) -> float:
    total = sum(counts.values())
    return sum(counts.get(one, 0) for one in of) / total if total else 0.0
