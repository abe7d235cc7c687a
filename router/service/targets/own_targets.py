"""This site's targets of one service port: which there are, which are ready, and their learned
slots.
"""

from collections.abc import Mapping
from typing import Protocol

from router.balance.site.ledger import LocalLedger
from router.http.http1.responses import KnownResponses
from router.model.capacity import TargetTerms
from router.model.specs import ServiceSpec
from router.service.learning import Learning
from router.service.ports import TargetConfig
from router.service.router_context import RouterContext
from router.service.slow_starts import SlowStarts
from router.service.targets.health import HealthChecks
from router.service.targets.outcomes import Outcomes
from router.service.targets.target_timing import Timings
from router.service.targets.target_ways import TargetWays


class TargetOwner(Protocol):
    """The service as its targets see it: their questions and reports."""

    def is_loaded(self) -> bool:
        """Requests of the service are under way or wait: a new target would get many at once."""

    def is_served_elsewhere(self) -> bool:
        """Another site, or another router of this one, has ready targets."""

    def is_served_at_other_sites(self) -> bool:
        """Another site has ready targets."""

    def targets_changed(self) -> None:
        """Targets, their readiness or capacity changed."""

    def capacity_learnt(self) -> None:
        """A target takes more or fewer at once than before."""


class OwnTargets:
    """Owns the health checks, ways, slow starts and learned capacity of the targets.

    The ledger stores which targets are ready. `timings` and `outcomes` get each request. A target
    of last resort (`TargetConfig`) stands by while another one serves, here or at another site.
    Once it is in use it stays in use until another one here is ready: two sites that each have only
    such a target do not take turns. Other routers of this site do not count: they have the same
    targets, and each would leave them to the others.
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
        context: RouterContext,
        service: TargetOwner,
    ) -> None:
        network, rng = context.network, context.rng
        self._ledger, self._service = ledger, service
        self.health = HealthChecks(network, rng, self._is)
        self.outcomes = Outcomes(self.health, network, rng.random, self._can_spare_one)
        self.learning = Learning(ledger, network, rng.random, service.capacity_learnt)
        self.timings = Timings(self.learning, network, ledger.answered)
        self.ways = TargetWays(
            network, context.site_name, config.timeouts, known, context.heads.blocks
        )
        self._slow_starts = SlowStarts(ledger, network, service.targets_changed)
        self._last_resorts: frozenset[str] = frozenset()
        """Targets of last resort in use."""
        self._aside: dict[str, TargetConfig] = {}
        """Targets of last resort not in use, by address; no figure and no page shows them."""
        self.are_there = False
        """Whether the service has targets at this site, ready or not."""
        self._set_checks(config)

    @property
    def health_path(self) -> str:
        """The path that checks request; empty: there are no such checks here."""
        paths = (config.health.path for config in self.ways.configs.values())
        return next(filter(None, paths), "")

    def set_config(self, config: ServiceSpec, known: KnownResponses) -> None:
        """Use the changed definition of the service; exchanges in flight go on as they began."""
        self._set_checks(config)
        self.ways.set_timeouts_and_known(config.timeouts, known)

    def set(self, targets: Mapping[str, TargetConfig]) -> None:
        """Targets by ``host:port``; their requests in flight go on."""
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
            if config.unusable:  # At once, all of them: the code below may look for a target.
                self._ledger.set_ready(target, False)
        self.ways.set_targets(targets)
        self.outcomes.set_targets(self.ways.configs)
        self.health.set_targets(self.ways.configs)
        self._service.targets_changed()

    def recall_if_deserted(self) -> None:
        """If no target serves, check the ejected ones at once, and use those of last resort."""
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
        self._starts_slowly = config.queue != 0  # Else requests without a slot are refused.

    def _is(self, target: str, ready: bool) -> None:
        if ready:
            self.outcomes.returned(target)
            self.learning.returned(target)
            self.timings.returned(target)
        self._ledger.set_ready(target, ready, ejected=self.health.is_ejected(target))
        if ready and self._starts_slowly and self._service.is_loaded():
            self._slow_starts.begin(target)
        if ready and self._last_resorts and target not in self._last_resorts:
            self.set({**self.ways.configs, **self._aside})  # They stand by from now on.
        else:
            self._service.targets_changed()
            self.recall_if_deserted()

    def _can_spare_one(self) -> bool:
        """Never the last one of all, however it fails: an error is better than no answer.

        Nor more than half while no other site serves: a client with a request that makes targets
        fail must not leave the clients of all ten with one.
        """
        if self._service.is_served_elsewhere():
            return True
        ready = self._ledger.targets_ready
        ejected = sum(self.health.is_ejected(target) for target in self.ways.configs)
        return ready > max(1, ejected)
