"""What may happen in an hour: mistakes of operators, faults, and their ends."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from router.model.settings import Affinity
from router.model.specs import PolicySpec, SitePolicySpec
from tests.simulation.hours.truth import Truth
from tests.simulation.world import SimSite, Target, World

POLICIES: Final = (
    *(PolicySpec(name) for name in ("fill", "balanced", "spread", "failover")),
    PolicySpec("fill", spill_at=0.5),
    PolicySpec("split", {"b": 1, "c": 2}),
    *(PolicySpec("fill", isolation=how) for how in ("nearest", "strict")),
)
CAPACITIES: Final[tuple[int | str | None, ...]] = (1, 3, 5, "5/s", "5,20/s", "auto", None)
STILL_S: Final = (1.0, 2.0, 5.0, 10.0)
CLOCKS_S: Final = (-86_400.0, -3_600.0, -61.0, -1.5, 0.3, 5.0, 3_600.0)
REPLACED_S: Final = 3.0
"""After so long a router in the place of another one is ready, and the next one is replaced."""


class Actor:
    """Does one thing after the other to ``world``. ``truths``: of each service."""

    def __init__(self, world: World, truths: Sequence[Truth], chance: random.Random) -> None:
        self._world, self._truths, self._chance = world, truths, chance
        self._network = truths[0].network
        self._owners = {
            one.service.name: site
            for site in world.sites.values()
            for one in truths
            if one.service.name in site.services
        }
        self._coming: list[tuple[float, Callable[[], None]]] = []
        """What happens later."""
        self._stopping: set[str] = set()
        self._deleted: set[str] = set()
        self._truth = truths[0]
        """Of the service that the act is about, if it is about one."""

    def act(self) -> str:
        """One act, in words."""
        running = [site for site in self._world.sites.values() if self._runs(site)]
        if not running:
            return f"{self._network.now:.1f} nothing: no router runs"
        name = self._chance.choice(list(ACTS))
        site = self._chance.choice(running)
        self._truth = self._chance.choice(self._truths)
        changed = {id(one): (one, _documents(one)) for one in (site, self._owner)}
        done = ACTS[name](self, site) or self._key(site)
        for one, before in changed.values():
            if _documents(one) != before:
                self.share_documents(one)
        return f"{self._network.now:.1f} {name} {done}{self._of_which}"

    @property
    def _service(self) -> str:
        return self._truth.service.name

    @property
    def _of_which(self) -> str:
        return f" ({self._service})" if len(self._truths) > 1 else ""

    def _key(self, site: SimSite) -> str:
        return next(key for key, one in self._world.sites.items() if one is site)

    def share_documents(self, site: SimSite) -> None:
        """All routers of a site read the same ones, and have targets on the same ports."""
        for other in self._world.sites.values():
            if other is site or other.name != site.name:
                continue
            other.policies, other.services = dict(site.policies), dict(site.services)
            other.connectors = dict(site.connectors)
            for port in site.targets.keys() - other.targets.keys():
                other.targets[port] = site.targets[port].again(other.network)
            if self._runs(other):
                other.apply()

    def _runs(self, site: SimSite) -> bool:
        return self._key(site) not in self._network.gone | self._network.frozen | self._stopping

    def _some(self, site: SimSite) -> list[Target]:
        return [one for one in self._truth.targets_of(site) if self._chance.random() < 0.7]

    def _rule(self, site: SimSite, **fields: Any) -> None:
        """Of a site for the service, in place of what it had."""
        site.policies[self._service] = SitePolicySpec(service=self._service, **fields)
        site.apply()

    def drain(self, site: SimSite) -> None:
        takes = self._chance.choice((0.0, 0.0, 0.5))
        self._rule(site, takes=takes)

    def no_policy(self, site: SimSite) -> None:
        site.policies.pop(self._service, None)
        site.apply()

    def cap(self, site: SimSite) -> None:
        self._rule(site, site_capacity=self._chance.choice((2, "5/s")))

    def lend_less(self, site: SimSite) -> None:
        reserved, most = self._chance.choice(((0.5, 1.0), (0.0, 0.3)))
        self._rule(site, reserve_for_own=reserved, max_share=most)

    def keep_for_itself(self, site: SimSite) -> None:
        self._rule(site, export_to=())

    def use_none_of_others(self, site: SimSite) -> None:
        self._rule(site, import_from=())

    def capacity(self, site: SimSite) -> None:
        for name, one in self._truth.connectors_of(site).items():
            site.connectors[name] = replace(one, capacity=self._chance.choice(CAPACITIES))
        site.apply()

    def unbind(self, site: SimSite) -> None:
        for name in self._truth.connectors_of(site):
            del site.connectors[name]
        site.apply()

    def bind(self, site: SimSite) -> None:
        if not self._truth.connectors_of(site):
            truth = self._truth
            site.serve(1, capacity=5, service_s=truth.service_s, service=truth.service)

    def policy(self, site: SimSite) -> str:
        return self._set(policy=self._chance.choice(POLICIES))

    def queue(self, site: SimSite) -> str:
        return self._set(queue=self._chance.choice((0, 5, 50)))

    def affinity(self, site: SimSite) -> str:
        return self._set(affinity=self._chance.choice((None, Affinity(by="client"))))

    def _set(self, **fields: object) -> str:
        """Of the service, at the site that declares it."""
        owner = self._owner
        if self._service in owner.services:
            owner.services[self._service] = replace(owner.services[self._service], **fields)
            if self._runs(owner):
                owner.apply()
        return owner.name

    @property
    def _owner(self) -> SimSite:
        return self._owners[self._service]

    def _declare(self, site: SimSite, policy: str, queue: int, queue_wait_s: float) -> None:
        site.declare(
            policy,
            protocol=self._truth.protocol,
            queue=queue,
            queue_wait_s=queue_wait_s,
            service=self._truth.service,
        )

    def remove_the_service(self, site: SimSite) -> str:
        if self._runs(self._owner):
            self._owner.services.pop(self._service, None)
            self._owner.apply()
        return self._owner.name

    def declare_the_service(self, site: SimSite) -> str:
        if self._runs(self._owner) and self._service not in self._owner.services:
            self._declare(self._owner, "fill", 5, 1.0)
        return self._owner.name

    def declare_it_too(self, site: SimSite) -> None:
        """Another site does, later and otherwise: by mistake."""
        if site.name != self._owner.name and self._service not in site.services:
            site.declared_at_s[self._service] = self._truth.now
            self._declare(site, "balanced", 50, 2.0)

    def give_up_that(self, site: SimSite) -> None:
        if site.name != self._owner.name and self._service in site.services:
            del site.services[self._service]
            site.apply()

    def cost(self, site: SimSite) -> None:
        for name, link in site.links.items():
            site.links[name] = replace(link, cost=self._chance.choice((1, 2, 5)))
        site.apply()

    def unlink(self, site: SimSite) -> str:
        if not site.links:
            return "none"
        name = self._chance.choice(sorted(site.links))
        del site.links[name]
        site.apply()
        return f"{site.name} {name}"

    def link(self, site: SimSite) -> str:
        other = self._other(site)
        is_linked = f"to-{site.name}" in other.links
        if site.name == other.name or is_linked or other.name in self._world.edges:
            return "none"
        site.link(other, self._chance.choice((1, 3)))
        self._network.note_reset()  # It may lead to another router of that site than before.
        return f"{site.name} {other.name}"

    def replace_a_neighbor(self, site: SimSite) -> str:
        """Of an edge: it dials another site instead of one that it dialed."""
        edges = [self._world[key] for key in sorted(self._world.edges)]
        for edge in filter(self._runs, edges):
            others = [
                one
                for one in self._world.sites.values()
                if one is not edge and self._runs(one) and f"to-{one.name}" not in edge.links
            ]
            if edge.links and others:
                old, new = self._chance.choice(sorted(edge.links)), self._chance.choice(others)
                del edge.links[old]
                edge.link(new, self._chance.choice((1, 3)))
                self._network.note_reset()
                return f"{edge.name} {old} by {new.name}"
        return "none"

    def refuse_connections(self, site: SimSite) -> None:
        for target in self._some(site):
            target.refuse()

    def answer_500(self, site: SimSite) -> None:
        for target in self._some(site):
            target.status = self._chance.choice((500, 0))

    def answer_slowly(self, site: SimSite) -> None:
        for target in self._some(site):
            target.service_s = self._chance.choice((1.0, 5.0, 30.0))

    def mend_targets(self, site: SimSite) -> None:
        for target in self._truth.targets_of(site):
            target.listener.close()
            target.listen()
            target.status, target.service_s = 200, self._truth.service_s

    def refuse_for_memory(self, site: SimSite) -> None:
        site.router.relief.refuse_new(True)

    def have_memory(self, site: SimSite) -> str:
        for one in self._world.sites.values():
            if self._runs(one):
                one.router.relief.refuse_new(False)
        return "all"

    def cut(self, site: SimSite) -> str:
        other = self._other(site)
        self._world.internet.cut(site.ip, other.ip)
        self._network.cuts.add(frozenset((self._key(site), self._key(other))))
        return f"{site.name} {other.name}"

    def heal(self, site: SimSite) -> str:
        for one in self._world.sites.values():
            for other in self._world.sites.values():
                if one is not other:
                    self._world.internet.heal(one.ip, other.ip)
        self._network.cuts.clear()
        return "all"

    def reset(self, site: SimSite) -> str:
        other = self._other(site)
        self._world.internet.reset_all(site.ip, other.ip)
        self._network.note_reset()
        return f"{site.name} {other.name}"

    def flap(self, site: SimSite) -> str:
        """The link, again and again: its connections are reset."""
        other = self._other(site)

        def reset() -> None:
            self._world.internet.reset_all(site.ip, other.ip)
            self._network.note_reset()

        times = self._chance.choice((3, 5, 8))
        pause_s = self._chance.choice((0.7, 1.7))
        self._coming += [(self._network.now + n * pause_s, reset) for n in range(times)]
        return f"{site.name} {other.name} {times} times"

    def take_port(self, site: SimSite) -> str:
        """The router crashes, and another program has a service's port when it starts again."""
        if self._is_one_away():
            return "none"
        site.kill()
        site.taken[self._truth.service.port] = None
        site.start()
        self._network.note_reset()
        return self._key(site)

    def free_ports(self, site: SimSite) -> str:
        for one in self._world.sites.values():
            one.free_ports()
        return "all"

    def misspell(self, site: SimSite) -> None:
        """The name of the service, in a connector."""
        for name, one in self._truth.connectors_of(site).items():
            site.connectors[name] = replace(one, service=self._truth.misspelled)
        site.apply()

    def spell_right(self, site: SimSite) -> None:
        for name, one in site.connectors.items():
            if one.service == self._truth.misspelled:
                site.connectors[name] = replace(one, service=self._service)
        site.apply()

    def delete(self, site: SimSite) -> str:
        """The site, for good."""
        if self._deleted or site.name == self._first_name or self._is_one_away():
            return "none"
        site.router.leave()
        self._deleted.add(self._key(site))
        self._network.deleted.add(site.name)
        return self.stop(site)

    def make_again(self, site: SimSite) -> str:
        """A site of the name of one that was deleted. It is linked as that one was, by new tokens,
        and has none of its documents.
        """
        if self._is_one_away() or self._network.frozen or not self._deleted:
            return "none"
        (key,) = self._deleted
        again = self._world[key]
        dialed, dialing = dict(again.links), self._unlink_all(again)
        again.become_another_site()
        for other, cost in dialing:
            other.link(again, cost)
        again.links.update(dialed)
        again.apply()
        self._deleted.clear()
        self._network.deleted.clear()
        self._network.gone.discard(key)
        self._network.note_reset()
        return key

    def _unlink_all(self, site: SimSite) -> list[tuple[SimSite, int]]:
        """Delete all links to a site: the routers that dialed it, and the costs."""
        found = []
        for other in self._world.sites.values():
            link = other.links.get(f"to-{site.name}")
            if link is not None and other is not site:
                other.unlink(site)
                found.append((other, link.cost or 1))
        return found

    @property
    def _first_name(self) -> str:
        """Of the site that stays."""
        return next(iter(self._world.sites.values())).name

    def _is_one_away(self) -> bool:
        return bool(self._network.gone - self._deleted or self._stopping)

    def kill(self, site: SimSite) -> str:
        if self._is_one_away():
            return "none"
        site.kill()
        self._network.gone.add(self._key(site))
        return self._key(site)

    def stop(self, site: SimSite) -> str:
        return "none" if self._is_one_away() else self._stop(site, lambda: None)

    def _stop(self, site: SimSite, ended: Callable[[], None]) -> str:
        """``ended`` is called once it has."""
        name = self._key(site)
        self._stopping.add(name)

        def closed() -> None:
            self._stopping.discard(name)
            ended()

        close = site.router.close

        def close_and_say_nothing() -> None:
            self._network.gone.add(name)
            close()

        site.router.close = close_and_say_nothing  # type: ignore[method-assign]
        site.stop(closed, grace_s=self._chance.choice((1.0, 10.0)))
        return name

    def replace_routers(self, site: SimSite) -> str:
        """Of a site, one after the other, as a Deployment does: each drains and ends, and another
        one takes its place.
        """
        if self._is_one_away():
            return "none"
        own = [key for key, one in self._world.sites.items() if one.name == site.name]
        self._replace(own)
        return " ".join(own)

    def _replace(self, keys: Sequence[str]) -> None:
        """The first one of them, and then the others."""
        if not keys or keys[0] in self._deleted:
            return
        key, *others = keys
        site = self._world[key]

        def ended() -> None:
            site.become_another_router()
            self._network.gone.discard(key)
            self._network.note_reset()
            self._later(REPLACED_S, lambda: self._replace(others))

        if self._is_one_away() or not self._runs(site):
            self._later(REPLACED_S, lambda: self._replace(keys))
        else:
            self._stop(site, ended)

    def _later(self, after_s: float, what: Callable[[], None]) -> None:
        self._coming.append((self._network.now + after_s, what))

    def set_clock(self, site: SimSite) -> str:
        """The wall clock of a router's machine is wrong from now on, or right again."""
        by_s = self._chance.choice(CLOCKS_S)
        site.set_clock(by_s)
        return f"{self._key(site)} {by_s:+.0f} s"

    def stand_still(self, site: SimSite) -> str:
        """As a process that is stopped, or a machine that sleeps."""
        if self._network.frozen:
            return "none"
        key, still_s = self._key(site), self._chance.choice(STILL_S)
        self._world.internet.freeze(site.ip)
        self._network.frozen.add(key)

        def thaw() -> None:
            self._world.internet.thaw(self._world[key].ip)
            self._network.frozen.discard(key)
            if self._runs(self._world[key]):
                self._world[key].apply()  # Documents may have changed meanwhile.

        self._later(still_s, thaw)
        return f"{key} {still_s} s"

    def go_on(self) -> None:
        """Let happen what was to happen by now."""
        due = [what for when, what in self._coming if when <= self._network.now]
        self._coming = [one for one in self._coming if one[0] > self._network.now]
        for what in due:
            what()

    def start(self, site: SimSite) -> str:
        for name in sorted(self._network.gone - self._stopping - self._deleted):
            self._world[name].start()
            self._network.gone.discard(name)
            return name
        return "none"

    def _other(self, site: SimSite) -> SimSite:
        return self._chance.choice([one for one in self._world.sites.values() if one is not site])


def _documents(site: SimSite) -> tuple[Mapping[str, Any], ...]:
    """Those that all routers of a site read."""
    return dict(site.policies), dict(site.services), dict(site.connectors)


_NO_ACTS: Final = ("act", "share_documents", "go_on")
ACTS: Final[Mapping[str, Callable[[Actor, SimSite], str | None]]] = {
    name: act
    for name, act in vars(Actor).items()
    if not name.startswith("_") and callable(act) and name not in _NO_ACTS
}
"""By name; each returns the object it acted on, if that is not the site."""
