"""The truth of one service at each site, and when it was last otherwise: read from the sites
themselves, not from their reports.
"""

from bisect import bisect
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import permutations, product
from math import inf
from typing import Final

from router.model.ids import ServiceKey
from router.model.specs import ConnectorSpec, ServiceProtocol, ServiceSpec
from router.node.site_router import SiteRouter
from tests.simulation.hours.network import Fact, Facts, NetworkTruth
from tests.simulation.world import Answer, SimSite, Target

OWN_S: Final = 0.6
"""So much older than this moment may be what a site says of itself: two samples."""
LOOKED_S: Final = 1.2
"""A router looks each second at what its targets complete."""
TOLD_S: Final = 3.0
"""And of another one, which has to tell it first."""
LATELY_S: Final = 11.0
"""Figures of the last seconds are of two steps of the history at most."""
AWAKE_S: Final = 16.0
"""After it stood still the step goes on that began before, for one more."""
LEAST_S: Final = 2.4
"""And of half a step at least."""
EDGE_S: Final = 0.3
"""So far from its end at the client a request may be counted."""
APART_S: Final = 6.0
"""After so long without a packet a site is known to be away, however the way was."""
JOINED_S: Final = 45.0
"""After so long a way that goes is used: a dial waits, and a link that flapped is held."""
LONGEST_S: Final[Mapping[ServiceProtocol, float]] = {"http": 50.0, "tcp": inf}
"""No request takes longer: targets answer within 30 s, and stand still for 10. Connections wait at
a router that is short of memory."""
SERVICE_S: Final[Mapping[ServiceProtocol, float]] = {"http": 0.1, "tcp": 2.0}


class Truth:
    """Samples of one service at all sites, and what became of each request. ``network``: the
    truth of all that services share."""

    def __init__(
        self, network: NetworkTruth, service: ServiceKey, protocol: ServiceProtocol = "http"
    ) -> None:
        self.network, self.service, self.protocol = network, service, protocol
        self._world = world = network.world
        self.misspelled = f"{service.name}s"
        """Its name by mistake."""
        self.service_s = SERVICE_S[protocol]
        """A request takes so long at a target that is well."""
        self._facts = Facts(lambda: self.now)
        self.answers: dict[str, deque[Answer]] = {
            name: deque(maxlen=120_000) for name in world.sites
        }
        self._spilled: dict[str, deque[tuple[float, Mapping[str, int]]]] = {
            name: deque(maxlen=64) for name in world.sites
        }
        """What other sites have served, or have now, by reason."""
        self._answered: dict[str, Mapping[str, int]] = {name: {} for name in world.sites}
        """Of those, what was answered by the last look: it grows while the router lives."""
        self._ready: dict[str, deque[tuple[float, int]]] = {
            name: deque(maxlen=64) for name in self.names
        }
        self._lives: dict[str, int] = {}
        self._in_hand: dict[str, deque[tuple[float, int, int, int]]] = {
            name: deque(maxlen=64) for name in self.names
        }
        self._offered: set[tuple[str, int, str]] = set()
        """Edges in their lives, and the ids of sites that offered something to each."""
        self._slots: dict[str, tuple[int | None, float]] = {}
        """Of a site by its documents, and since when."""
        self._age_s = 0.0

    @property
    def now(self) -> float:
        return self.network.now

    @property
    def keys(self) -> list[str]:
        """Of all routers, in the world."""
        return list(self._world.sites)

    @property
    def names(self) -> list[str]:
        """Of all sites."""
        return self.network.names

    def answered(self, key: str, port: int, since_s: float) -> int:
        """How many requests a target of that router answered until the router looked at it last."""
        times = self._world[key].targets[port].answered_at
        return bisect(times, self.now - LOOKED_S) - bisect(times, self.now - since_s)

    def has_one_router(self, name: str) -> bool:
        """No other router of that site is there, running or not."""
        return self.network.has_one_router(name)

    def is_known_whole(self, teller: str, name: str) -> bool:
        """Router ``teller`` does not go by one of several routers of a site without the others."""
        is_whole = self.lasts("whole") > 2 * TOLD_S
        is_reached = self.lasts("joined", teller, name) > TOLD_S
        return self.has_one_router(name) or (is_whole and is_reached)

    def sample(self) -> None:
        """Note how the service is at all sites and their routers; after the network."""
        for name in self.names:
            self._sample_site(name)
        for key, site in self._world.sites.items():
            self._sample_router(key, site)
        for key, name in product(self._world.edges, self.names):
            if self._is_offered(key, name):
                self._offered.add(self._seen_by(key, name))
        for one, other in permutations(self.names, 2):
            pairs = product(self._declared_at(one), self._declared_at(other))
            self._note(("differing", one, other), any(spec != told for spec, told in pairs))
        tables = [one.router.routing.table.declarations for one in self._world.sites.values()]
        declared = [table[self.service.name] for table in tables if self.service.name in table]
        policies = [one.declaration.spec.policy for one in declared]
        self._note(("isolated",), any(one.isolation != "none" for one in policies))

    def hears_of(self, key: str, name: str) -> bool:
        """Router ``key`` surely knows of that site: an edge hears of those alone that offered it
        something.
        """
        is_own = name == self.name_of(key)
        is_edge = key in self._world.edges
        return not is_edge or is_own or self._seen_by(key, name) in self._offered

    def _seen_by(self, key: str, name: str) -> tuple[str, int, str]:
        (site, *_) = self._routers_of(name)
        return key, self._world[key].lives, site.identity.site

    def _is_offered(self, key: str, name: str) -> bool:
        """For long, so that an edge has heard of it whichever neighbor it goes by."""
        sharing = [one for one in self.names if self._shares(one)]
        declaring = [one for one in sharing if self.lasts("declaring", one) > JOINED_S]
        has_some = name in declaring or (declaring and self.lasts("ready", name) > JOINED_S)
        return bool(has_some) and name in sharing and self.lasts("joined", key, name) > JOINED_S

    def _shares(self, name: str) -> bool:
        """By its rule on the service, if it has one: what it has, and with what others have."""
        return min(self.lasts("exporting", name), self.lasts("importing", name)) > JOINED_S

    def _routers_of(self, name: str) -> list[SimSite]:
        """Running or not."""
        return [site for site in self._world.sites.values() if site.name == name]

    def _declared_at(self, name: str) -> list[ServiceSpec]:
        """By its routers, running or not."""
        found = [one.services.get(self.service.name) for one in self._routers_of(name)]
        return [spec for spec in found if spec is not None]

    def _targets_of(self, name: str) -> list[Target]:
        return [target for one in self._routers_of(name) for target in self.targets_of(one)]

    def targets_of(self, site: SimSite) -> list[Target]:
        """Of the service, at one router's host."""
        return [one for one in site.targets.values() if one.service == self.service]

    def connectors_of(self, site: SimSite) -> dict[str, ConnectorSpec]:
        """Of the service, by name."""
        found = site.connectors.items()
        return {name: one for name, one in found if one.service == self.service.name}

    def ports_at(self, key: str) -> set[int]:
        """Of the targets that a router has by its documents."""
        connectors = self.connectors_of(self._world[key]).values()
        return {int(target.port or 0) for one in connectors for target in one.targets}

    def _ready_at(self, router: SiteRouter) -> int:
        return router.readings.targets.local(self.service).ready

    def _is_ill(self, target: Target) -> bool:
        """Whatever its router knows of it by now."""
        return target.refuses or target.status != 200 or target.service_s > self.service_s

    def _sample_site(self, name: str) -> None:
        running, service = list(self.network.routers(name).values()), self.service.name
        routers = [one.router for one in running]
        rules = [one.policies[service] for one in running if service in one.policies]
        ready = sum(map(self._ready_at, routers))
        total = sum(one.readings.targets.local(self.service).total for one in routers)
        drained = any(rule.takes == 0 for rule in rules)
        stops = bool(routers) and all(one.draining for one in routers)
        self._note(("drained", name), drained)
        self._note(("partly drained", name), any(rule.takes < 1 for rule in rules))
        self._note(("draining", name), stops or drained)
        self._note(("down", name), total > 0 and not ready)
        self._note(("lacking", name), ready < total)
        self._note(("ill", name), any(map(self._is_ill, self._targets_of(name))))
        self._note(("ready", name), ready > 0)
        self._note(("unready", name), not ready)
        shares = all(rule.export_to is None and rule.import_from is None for rule in rules)
        self._note(("unshared", name), not shares)
        terms = [(rule.reserve_for_own, rule.max_share) for rule in rules]
        self._note(("lending", name), any(one != (0.0, 1.0) for one in terms))
        self._note(("exporting", name), all(rule.export_to != () for rule in rules))
        self._note(("importing", name), all(rule.import_from != () for rule in rules))
        declaring = [one for one in self._routers_of(name) if service in one.services]
        self._note(("declaring", name), any(one in running for one in declaring))
        self._note(("undeclaring", name), not declaring)
        self._note(("bare", name), not any(map(self.connectors_of, running)))
        slots = self._slots_at(running[0]) if len(running) == 1 else None
        if slots != self._slots.get(name, (None,))[0]:
            self._slots[name] = slots, self.now
        left = sum(self._ready_at(one) for one in routers if not one.draining)
        self._ready[name] += ((self.now, ready), (self.now, left))
        targets = [target for one in running for target in self.targets_of(one)]
        least, most = sum(one.in_hand for one in targets), sum(one.most_in_hand for one in targets)
        dip = sum(one.least_in_hand for one in targets)
        self._in_hand[name].append((self.now, least, most, dip))
        for one in targets:
            one.most_in_hand = one.least_in_hand = one.in_hand  # Since this sample.

    def _sample_router(self, key: str, site: SimSite) -> None:
        router = site.router
        runs = key not in self.network.gone
        local = router.readings.targets.local(self.service)
        self._note(("taken", key), self.service.port in site.taken)
        named = {one.service for one in site.connectors.values()}
        self._note(("misspelled", key), runs and self.misspelled in named)
        self._note(("lacks", key), local.ready < max(local.total, 1))
        self._note(("serves", key), runs and local.ready > 0 and not router.draining)
        if self._lives.get(key) == site.lives:
            self._note(("known", key), self.service in router.services)
        self._sample_spills(key, site)
        for other in self.names:
            self._note(("usable", key, other), self._may_take(key, other))

    def _sample_spills(self, key: str, site: SimSite) -> None:
        reading = site.router.readings.reading_of(self.service)
        spilled = Counter(reading.spilled if reading is not None else {})
        samples = self._spilled[key]
        is_less = any(spilled[why] < n for why, n in self._answered[key].items())
        if self._lives.get(key) != site.lives or is_less:
            self._note(("known", key), False)  # By this router: its figures begin here.
            samples.clear()
        self._lives[key] = site.lives
        self._answered[key] = spilled
        pending = reading.pending.spilled if reading is not None else {}
        samples.append((self.now, spilled + Counter(pending)))

    def _note(self, fact: Fact, is_so: bool) -> None:
        self._facts.note(fact, is_so)

    @contextmanager
    def then(self, age_s: float) -> Iterator[None]:
        """Within, `is_over` and `lasts` are those of so many seconds ago."""
        self._age_s = age_s
        try:
            yield
        finally:
            self._age_s = 0.0

    def _facts_with(self, fact: Fact) -> Facts:
        """Those of the service, or those of the network."""
        return self._facts if self._facts.has(fact) else self.network.facts

    def is_over(self, *fact: str) -> float:
        """For how many seconds it has not been so; 0: it is so, or has been since then."""
        return self._facts_with(fact).is_over(fact, self._age_s)

    def lasts(self, *fact: str) -> float:
        """For how many seconds it has been so; 0: it is not, or has not been since then."""
        return self._facts_with(fact).lasts(fact, self._age_s)

    def slack(self, teller: str, subject: str) -> float:
        """How old what router ``teller`` says of site ``subject`` may be."""
        return OWN_S if teller == subject and self.has_one_router(subject) else TOLD_S

    def _slots_at(self, site: SimSite) -> int | None:
        """Of the ready targets of a router, by the number in its documents; None: it is learned,
        or there is none."""
        ready = {one.port for one in site.router.readings.targets.of(self.service) if one.ready}
        found = 0
        for one in self.connectors_of(site).values():
            number = str(one.capacity).partition(",")[0]
            if not number.isdecimal():
                return None
            found += int(number) * sum(target.port in ready for target in one.targets)
        rule = site.policies.get(self.service.name)
        cap = str(rule.site_capacity) if rule is not None else ""
        return min(found, int(cap)) if cap.isdecimal() else found

    def slots(self, name: str, settled_s: float) -> int | None:
        """Of a site, if the number has been the same for so long; None: it has not, or there is
        none."""
        slots, since = self._slots.get(name, (None, inf))
        return slots if self.now - since > settled_s else None

    def _may_take(self, teller: str, subject: str) -> bool:
        """By the rules of both: ``teller`` knows of targets at ``subject`` that it may use."""
        table = self._world[teller].router.routing.table
        known = table.candidates.get(self.service, ())
        return self._world[teller].name == subject or any(
            one.site_name == subject and not one.unused for one in known
        )

    def name_of(self, key: str) -> str:
        """The site of that router."""
        return self._world[key].name

    def ready(self, key: str) -> tuple[int, int]:
        """Ready targets of a router, and all."""
        local = self._world[key].router.readings.targets.local(self.service)
        return local.ready, local.total

    def was_ready(self, name: str, within: float) -> set[int]:
        """How many targets of a site were ready in the last seconds."""
        return {count for at, count in self._ready[name] if at >= self.now - within}

    def in_hand(self, name: str, within: float) -> tuple[int, int]:
        """The least and the most that targets of a site had in hand in the last seconds."""
        since = self.now - within
        seen = [(least, most) for at, least, most, _ in self._in_hand[name] if at >= since]
        if not seen:
            return 0, 10**9
        return min(least for least, _ in seen), max(most for _, most in seen)

    def dipped(self, name: str, within: float) -> int:
        """The least in the last seconds, for however short a moment: several requests may end
        before the next ones begin."""
        seen = [dip for at, _, _, dip in self._in_hand[name] if at >= self.now - within]
        return min(seen, default=0)

    def asked(self, key: str, since: float) -> list[Answer]:
        """Requests of a router's clients that began, ended or were under way since then."""
        found = []
        for one in reversed(self.answers[key]):
            if one.began < since - LONGEST_S[self.protocol]:
                break
            if not one.ended or one.ended >= since:
                found.append(one)
        return found

    def queued(self, name: str) -> int:
        reading = self._world[name].router.readings.reading_of(self.service)
        return 0 if reading is None else reading.queued

    def lately(
        self, name: str, pick: Callable[[Answer], bool], within: float = LATELY_S
    ) -> list[Answer]:
        """Requests of the clients of a site that ended ``within`` seconds, or are under way; not
        those that no listener took."""
        asked = self.asked(name, self.now - within)
        return [one for one in asked if one.error != "refused" and pick(one)]

    def comes_late(self, key: str, since: float) -> bool:
        """Connections that waited for memory came since then, long after their clients began."""
        ended = self.now - self.is_over("refuses", key)
        return self.protocol == "tcp" and ended > since - 1.0

    def stood_still(self, key: str) -> bool:
        """Whether it stood still lately: figures of the last seconds count only those when it was
        awake.
        """
        return self.is_over("still", key) < AWAKE_S

    def share_of_spills(self, name: str, reasons: frozenset[str]) -> float:
        """Of what left a site lately, or is open elsewhere, for ``reasons``: the largest share in
        any of the times that figures may be of."""
        reading = self._world[name].router.readings.spills_of(self.service)
        shares = [_share(reading.open_for, reasons)]
        samples = self._spilled[name]
        newest = samples[-1][1]
        for moment, before in samples:
            if LEAST_S <= self.now - moment <= LATELY_S:
                # A pending one may come to nothing.
                grown = {why: max(0, n - before.get(why, 0)) for why, n in newest.items()}
                shares.append(_share(grown, reasons))
        if not samples or self.now - samples[0][0] < LATELY_S:  # Since its start, or its removal.
            shares.append(_share(newest, reasons))
        return max(shares)


def _share(counts: Mapping[str, int], of: frozenset[str]) -> float:
    total = sum(counts.values())
    return sum(counts.get(one, 0) for one in of) / total if total else 0.0
