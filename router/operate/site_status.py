"""`status`: the site in a few figures, and its problems."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from router.admin.views.links import LinkView
from router.admin.views.status import Status
from router.model import limits
from router.model.events import Note, Problem
from router.model.ids import ServiceKey
from router.model.wording.network_words import NO_REMOVALS
from router.model.wording.routing_key_names import with_keys_in
from router.node.site_router import SiteRouter
from router.operate.bursts.burst_runs import BurstRunner
from router.operate.figures.figure_scope import FigureScope
from router.operate.figures.link_views import notes_of_links, of_expiries, of_links
from router.operate.figures.recent_figures import RecentFigures
from router.operate.flows.observability_settings import ObservabilitySettings
from router.operate.problems import (
    failing_requests,
    impatient_clients,
    local_targets,
    removed_services,
    shed_requests,
)
from router.operate.problems.failing_requests import NoRoom, PortFailures
from router.operate.problems.local_targets import PortTargets
from router.operate.process_facts import ProcessFacts
from router.service.figures import QueueNow
from router.workers.combined_figures import RouterFigures


class SiteStatus:
    """Reads the rooms when asked."""

    def __init__(
        self,
        router: SiteRouter,
        recent: RecentFigures,
        whole: RouterFigures,
        scope: FigureScope,
        facts: ProcessFacts,
        now: Callable[[], float],
        utc: Callable[[float], str],
        burst_runner: BurstRunner | None,
        observability: ObservabilitySettings | None,
    ) -> None:
        """``now``: monotonic seconds; ``utc`` converts them."""
        self._router, self._recent, self._whole, self._scope = router, recent, whole, scope
        self._facts, self._now, self._utc = facts, now, utc
        self._burst_runner, self._observability = burst_runner, observability

    def view(self, links: Sequence[LinkView], *, ready: bool, steady: bool) -> Status:
        """``links``: those of this site. ``steady``: without rates, which change all the time."""
        router, workers = self._router, self._whole.workers
        links = [link for link in links if not link.succeeded]
        targets = list(self._not_ready(steady=steady))
        failing = () if steady else tuple(self._failing())
        notes = [
            *local_targets.notes_of(targets, self._utc),
            *notes_of_links(links, self._utc(self._now()), self._link_removals),
        ]
        notes += () if steady else self._notes_of_requests(failing)
        notes += router.notes
        key_of = router.readings.routing_key_of
        return Status(
            name=router.identity.name,
            id=router.identity.site,
            mode=router.mode,
            version=router.version,
            ready=ready,
            uptime_s=round(self._now() - router.started_at, 3),
            links=len(links),
            links_up=sum(link.state == "up" for link in links),
            links_silent=sum(link.silent_since is not None for link in links),
            links_partly=sum(bool(link.workers_down) for link in links),
            replicas=self._scope.routers,
            workers=workers.reports.views(ready),
            workers_next=self._facts.workers_next(),
            services=len({key.name for key in router.services}),
            sites=sum(1 for route in router.routing.table.sites.values() if route.reachable),
            sites_known=len(router.routing.table.sites),
            problems=with_keys_in(self._problems(links, targets, failing), key_of),
            notes=with_keys_in(notes, key_of)[: limits.STATUS_NOTES_MAX],
            sharing="strict" if router.site_services.rules.strict else "open",
            console=self._facts.console(),
            draining=router.draining,
        )

    def _problems(
        self,
        links: Sequence[LinkView],
        targets: Sequence[PortTargets],
        failing: Sequence[PortFailures],
    ) -> Iterator[Problem]:
        yield from self._router.problems(self._utc)
        yield from local_targets.problems_of(targets, self._utc, self._scope.named)
        yield from of_links(links, self._router.refused_sites, self._link_removals)
        yield from failing_requests.problems_of(failing, self._no_room, self._scope.named)
        yield from self._facts.memory.problems()
        yield from self._facts.problems()
        if self._burst_runner is not None:
            yield from self._burst_runner.problems()
        yield from of_expiries(self._facts.expiries(), time.time(), self._facts.tls_place)
        if self._observability is not None:
            yield from self._observability.problems
        yield from self._whole.workers.reports.problems()

    @property
    def _link_removals(self) -> Mapping[str, str]:
        wanted = self._router.wanted
        return NO_REMOVALS if wanted is None else wanted.link_removals

    def _notes_of_requests(self, failing: Sequence[PortFailures]) -> Iterator[Note]:
        router, recent = self._router, self._recent
        told = {one.key for one in failing}
        yield from failing_requests.waiting(
            router, self._now(), recent.queued(), told, self._no_room, self._scope.named
        )
        latelies = [(key, recent.lately(key)) for key in recent.not_answered()]
        yield from impatient_clients.notes_of(latelies, self._scope.named)
        yield from shed_requests.notes_of(latelies, self._scope.named)
        yield from removed_services.notes(
            recent.removed(),
            recent.former(),
            router.readings,
            router.identity.site,
            router.site_name,
            recent.removed_at_silent(),
            partial(removed_services.not_reached, router.routing.table),
        )
        declared = sorted(router.routing.table.declarations)
        told_of = (
            removed_services.still_removed(router, name, self._whole.others.silent)
            for name in declared
        )
        yield from removed_services.notes_of_declared(filter(None, told_of))

    def _not_ready(self, *, steady: bool) -> Iterator[PortTargets]:
        if steady:
            return local_targets.not_ready(
                self._router, _not_known, None, used_by_others=self._whole.others.used
            )
        return local_targets.not_ready(
            self._router,
            self._recent.spilled_to,
            self._now(),
            self._queue_of_all,
            self._whole.others.used,
        )

    def _failing(self) -> Iterator[PortFailures]:
        """Service ports whose requests fail."""
        recent = self._recent
        return failing_requests.failing(self._router, recent.not_answered(), recent.lately)

    def _queue_of_all(self, key: ServiceKey, own: QueueNow) -> QueueNow:
        """The queue of the whole router, given this worker's ``own``."""
        config = self._router.readings.config_of(key)
        return self._whole.queue_of_all(key, own, config.queue if config is not None else None)

    def _no_room(self, key: ServiceKey) -> NoRoom:
        return failing_requests.no_room(self._router, key, self._now())


def _not_known(key: ServiceKey) -> Mapping[str, float]:
    return {}
