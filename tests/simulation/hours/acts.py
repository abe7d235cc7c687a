"""What may happen in an hour: mistakes of operators, faults, and their ends."""

import random
from collections.abc import Callable, Mapping
from typing import Final

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


class Actor:
    """Does one thing after the other to ``world``. ``truth``: which routers run, and how long a
    request takes at targets that are well."""

    def __init__(self, world: World, truth: Truth, chance: random.Random) -> None:
        self._world, self._truth, self._chance = world, truth, chance
        self._thaws: dict[str, float] = {}
        """When routers that stand still go on."""
        self._stopping: set[str] = set()
        self._deleted: set[str] = set()

    def act(self) -> str:
        """One act, in words."""
        running = [site for site in self._world.sites.values() if self._runs(site)]
        if not running:
            return f"{self._truth.now:.1f} nothing: no router runs"
        name = self._chance.choice(list(ACTS))
        site = self._chance.choice(running)
        done = ACTS[name](self, site) or self._key(site)
        for one in {id(one): one for one in (site, self._owner)}.values():
            self.share_documents(one)
        return f"{self._truth.now:.1f} {name} {done}"

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
                seen = self._world.seen
                other.targets[port] = Target(
                    other.network, port, other.name, self._truth.service_s, seen
                )
            if self._runs(other):
                other.apply()

    def _runs(self, site: SimSite) -> bool:
        return self._key(site) not in self._truth.gone | self._truth.frozen | self._stopping

    def _some(self, site: SimSite) -> list[Target]:
        return [one for one in site.targets.values() if self._chance.random() < 0.7]

    def drain(self, site: SimSite) -> None:
        takes = self._chance.choice((0.0, 0.0, 0.5))
        site.policies["shop"] = SitePolicySpec(service="shop", takes=takes)
        site.apply()

    def no_policy(self, site: SimSite) -> None:
        site.policies.clear()
        site.apply()

    def cap(self, site: SimSite) -> None:
        site.cap(self._chance.choice((2, "5/s")))

    def lend_less(self, site: SimSite) -> None:
        reserved, most = self._chance.choice(((0.5, 1.0), (0.0, 0.3)))
        site.policies["shop"] = SitePolicySpec(
            service="shop", reserve_for_own=reserved, max_share=most
        )
        site.apply()

    def keep_for_itself(self, site: SimSite) -> None:
        site.policies["shop"] = SitePolicySpec(service="shop", export_to=())
        site.apply()

    def use_none_of_others(self, site: SimSite) -> None:
        site.policies["shop"] = SitePolicySpec(service="shop", import_from=())
        site.apply()

    def capacity(self, site: SimSite) -> None:
        for name, one in site.connectors.items():
            site.connectors[name] = replace(one, capacity=self._chance.choice(CAPACITIES))
        site.apply()

    def unbind(self, site: SimSite) -> None:
        site.connectors.clear()
        site.apply()

    def bind(self, site: SimSite) -> None:
        if not site.connectors:
            site.serve(1, capacity=5, service_s=self._truth.service_s)

    def policy(self, site: SimSite) -> str:
        return self._set(policy=self._chance.choice(POLICIES))

    def queue(self, site: SimSite) -> str:
        return self._set(queue=self._chance.choice((0, 5, 50)))

    def affinity(self, site: SimSite) -> str:
        return self._set(affinity=self._chance.choice((None, Affinity(by="client"))))

    def _set(self, **fields: object) -> str:
        """Of the service, at the site that declares it."""
        owner = self._owner
        if "shop" in owner.services:
            owner.services["shop"] = replace(owner.services["shop"], **fields)
            if self._runs(owner):
                owner.apply()
        return owner.name

    @property
    def _owner(self) -> SimSite:
        return next(iter(self._world.sites.values()))

    def remove_the_service(self, site: SimSite) -> str:
        if self._runs(self._owner):
            self._owner.services.clear()
            self._owner.apply()
        return self._owner.name

    def declare_the_service(self, site: SimSite) -> str:
        if self._runs(self._owner) and not self._owner.services:
            self._owner.declare(protocol=self._truth.protocol, queue=5, queue_wait_s=1.0)
        return self._owner.name

    def declare_it_too(self, site: SimSite) -> None:
        """Another site does, later and otherwise: by mistake."""
        if site.name != self._owner.name and not site.services:
            site.declared_at_s = {"shop": self._truth.now}
            site.declare("balanced", protocol=self._truth.protocol, queue=50, queue_wait_s=2.0)

    def give_up_that(self, site: SimSite) -> None:
        if site.name != self._owner.name and site.services:
            site.services.clear()
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
        self._truth.note_reset()  # It may lead to another router of that site than before.
        return f"{site.name} {other.name}"

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
        for target in site.targets.values():
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
        self._truth.cuts.add(frozenset((self._key(site), self._key(other))))
        return f"{site.name} {other.name}"

    def heal(self, site: SimSite) -> str:
        for one in self._world.sites.values():
            for other in self._world.sites.values():
                if one is not other:
                    self._world.internet.heal(one.ip, other.ip)
        self._truth.cuts.clear()
        return "all"

    def reset(self, site: SimSite) -> str:
        other = self._other(site)
        self._world.internet.reset_all(site.ip, other.ip)
        self._truth.note_reset()
        return f"{site.name} {other.name}"

    def delete(self, site: SimSite) -> str:
        """The site, for good."""
        if self._deleted or site.name == self._owner.name or self._is_one_away():
            return "none"
        site.router.leave()
        self._deleted.add(self._key(site))
        self._truth.deleted.add(site.name)
        return self.stop(site)

    def _is_one_away(self) -> bool:
        return bool(self._truth.gone - self._deleted or self._stopping)

    def kill(self, site: SimSite) -> str:
        if self._is_one_away():
            return "none"
        site.kill()
        self._truth.gone.add(self._key(site))
        return self._key(site)

    def stop(self, site: SimSite) -> str:
        if self._is_one_away():
            return "none"
        name = self._key(site)
        self._stopping.add(name)

        def closed() -> None:
            self._stopping.discard(name)

        close = site.router.close

        def close_and_say_nothing() -> None:
            self._truth.gone.add(name)
            close()

        site.router.close = close_and_say_nothing  # type: ignore[method-assign]
        site.stop(closed, grace_s=self._chance.choice((1.0, 10.0)))
        return name

    def stand_still(self, site: SimSite) -> str:
        """As a process that is stopped, or a machine that sleeps."""
        if self._truth.frozen:
            return "none"
        key, still_s = self._key(site), self._chance.choice(STILL_S)
        self._world.internet.freeze(site.ip)
        self._truth.frozen.add(key)
        self._thaws[key] = self._truth.now + still_s
        return f"{key} {still_s} s"

    def thaw(self) -> None:
        """Let routers that stood still for long enough go on."""
        for key, when in list(self._thaws.items()):
            if when <= self._truth.now:
                del self._thaws[key]
                self._world.internet.thaw(self._world[key].ip)
                self._truth.frozen.discard(key)

    def start(self, site: SimSite) -> str:
        for name in sorted(self._truth.gone - self._stopping - self._deleted):
            self._world[name].start()
            self._truth.gone.discard(name)
            return name
        return "none"

    def _other(self, site: SimSite) -> SimSite:
        return self._chance.choice([one for one in self._world.sites.values() if one is not site])


ACTS: Final[Mapping[str, Callable[[Actor, SimSite], str | None]]] = {
    name: act
    for name, act in vars(Actor).items()
    if not name.startswith("_") and name not in ("act", "share_documents", "thaw") and callable(act)
}
"""By name; each returns the object it acted on, if that is not the site."""
