"""This site's targets of one service port: who they are, which are ready, and what is learnt."""

from collections.abc import Mapping
from typing import Protocol

from router.balance.site.ledger import LocalLedger
from router.http.http1.responses import KnownResponses
from router.model.capacity import TargetTerms
from router.model.specs import ServiceSpec
from router.service.learning import Learning
from router.service.ports import TargetConfig
from router.service.slow_starts import SlowStarts
from router.service.surroundings import Surroundings
from router.service.targets.health import HealthChecks
from router.service.targets.outcomes import Outcomes
from router.service.targets.target_timing import Timings
from router.service.targets.target_ways import TargetWays


class OfService(Protocol):
    """What the targets ask of their service, and what they report to it."""

    def is_loaded(self) -> bool:
        """Requests of the service are under way or wait: a new target would get many at once."""

    def is_served_elsewhere(self) -> bool:
        """Another site, or another router of this one, has ready targets."""

    def is_served_at_other_sites(self) -> bool:
        """Another site has ready targets."""

    def targets_changed(self) -> None:
        """They are others, or other ones are ready, or take more."""

    def capacity_learnt(self) -> None:
        """One takes more or fewer at once than before."""


class OwnTargets:
    """The owner of their health checks, ways, slow starts and of what is learnt of them.

    Which are ready is kept in the ledger. `timings` and `outcomes` hear of each request. One of
    last resort (`TargetConfig`) stands aside while another one serves, here or at another site.
    Once it is in use it goes on until another one here is ready: two sites that each have only such
    a one do not take turns. Other routers of this site do not count: they have the same targets,
    and each would leave it to the others.
    """

    __slots__ = (
        "_aside",
        "_last_resorts",
        "_ledger",
        "_service",
        "_slow_starts",
        "_starts_slowly",
        "are_there",
        "health",
        "learning",
        "outcomes",
        "timings",
        "ways",
    )

    def __init__(
        self,
        ledger: LocalLedger,
        config: ServiceSpec,
        known: KnownResponses,
        shared: Surroundings,
        service: OfService,
    ) -> None:
        network, rng = shared.network, shared.rng
        self._ledger, self._service = ledger, service
        self.health = HealthChecks(network, rng, self._is)
        self.outcomes = Outcomes(self.health, network, rng.random, self._can_spare_one)
        self.learning = Learning(ledger, network, rng.random, service.capacity_learnt)
        self.timings = Timings(self.learning, network.now, ledger.answered)
        self.ways = TargetWays(
            network, shared.site_name, config.timeouts, known, shared.heads.blocks
        )
        self._slow_starts = SlowStarts(ledger, network, service.targets_changed)
        self._last_resorts: frozenset[str] = frozenset()
        """In use."""
        self._aside: dict[str, TargetConfig] = {}
        """Those not in use, by address; no figure and no page shows them."""
        self.are_there = False
        """Whether the service has targets at this site, ready or not."""
        self._set_checks(config)

    @property
    def health_path(self) -> str:
        """What checks ask for; empty: there are no such checks here."""
        paths = (config.health.path for config in self.ways.configs.values())
        return next(filter(None, paths), "")

    def set_config(self, config: ServiceSpec, known: KnownResponses) -> None:
        """By the changed definition of the service; what is in flight goes on as it began."""
        self._set_checks(config)
        self.ways.set_timeouts_and_known(config.timeouts, known)

    def set(self, targets: Mapping[str, TargetConfig]) -> None:
        """Targets by ``host:port``; what they have in flight goes on."""
        self.are_there = bool(targets)
        targets = self._without_those_aside(targets)
        self._ledger.set_targets(
            {
                target: TargetTerms(
                    name=config.name or config.connector,
                    capacity=config.capacity,
                    rate=config.rate,
                    auto=config.auto,
                    before=config.before,
                )
                for target, config in targets.items()
            }
        )
        self.learning.set_targets(targets)
        self.timings.set_targets(targets)
        for target, config in targets.items():
            if config.unusable:  # At once, all of them: what follows may look for a target.
                self._ledger.set_ready(target, False)
        self.ways.set_targets(targets)
        self.outcomes.set_targets(self.ways.configs)
        self.health.set_targets(self.ways.configs)
        self._service.targets_changed()

    def recall_if_deserted(self) -> None:
        """If nobody serves, check at once those that are ejected, and use those of last resort."""
        if self._ledger.targets_ready:
            return
        if self._aside and not self._service.is_served_at_other_sites():
            self.set({**self.ways.configs, **self._aside})
        if not self._service.is_served_elsewhere():
            self.health.recall()

    def _without_those_aside(
        self, targets: Mapping[str, TargetConfig]
    ) -> Mapping[str, TargetConfig]:
        """``targets`` without those of last resort that are not in use from now on."""
        last = {target: one for target, one in targets.items() if one.last_resort}
        if not last and not self._last_resorts:  # Nearly always.
            self._aside.clear()
            return targets
        is_served_here = any(
            self.health.is_ready(target) and not one.unusable
            for target, one in targets.items()
            if target not in last
        )
        if is_served_here:
            used: frozenset[str] = frozenset()
        elif self._service.is_served_at_other_sites():
            used = self._last_resorts & last.keys()
        else:
            used = frozenset(last)
        self._last_resorts = used
        self._aside = {target: one for target, one in last.items() if target not in used}
        return {target: one for target, one in targets.items() if target not in self._aside}

    def _set_checks(self, config: ServiceSpec) -> None:
        self.health.configure(config.timeouts.connect_s, speaks_http2=config.protocol == "http2")
        self._starts_slowly = config.queue != 0  # Else what finds no room at once is refused.

    def _is(self, target: str, ready: bool) -> None:
        if ready:
            self.outcomes.returned(target)
            self.learning.returned(target)
            self.timings.returned(target)
        self._ledger.set_ready(target, ready, ejected=self.health.is_ejected(target))
        if ready and self._starts_slowly and self._service.is_loaded():
            self._slow_starts.begin(target)
        if ready and self._last_resorts and target not in self._last_resorts:
            self.set({**self.ways.configs, **self._aside})  # They stand aside from now on.
        else:
            self._service.targets_changed()
            self.recall_if_deserted()

    def _can_spare_one(self) -> bool:
        """Never the last one of all, however it fails: an error is better than no answer.

        Nor more than half while no other site serves: who knows a request that makes targets fail
        shall not leave the clients of all ten with one.
        """
        if self._service.is_served_elsewhere():
            return True
        ready = self._ledger.targets_ready
        ejected = sum(self.health.is_ejected(target) for target in self.ways.configs)
        return ready > max(1, ejected)
