"""Per-service rows of `/api/v1/live`."""

from collections.abc import Iterator

import msgspec

from router.admin.views.live import ServiceNow
from router.admin.views.services import ServiceView
from router.balance.deciding.decisions import NoChoice
from router.model.wording.traffic import noun_of
from router.node.site_router import SiteRouter
from router.operate.figures.recent_figures import RecentFigures
from router.operate.problems.failing_requests import PortFailures
from router.operate.problems.spill_reason import spill_sentence
from router.operate.views import OperatorView
from router.service.figures import ServiceSnapshot
from router.workers.combined_figures import RouterFigures
from router.workers.recent_port_figures import RecentPortFigures


class LiveRows:
    """Reads the rooms row by row."""

    def __init__(
        self, view: OperatorView, router: SiteRouter, recent: RecentFigures, whole: RouterFigures
    ) -> None:
        self._router, self._recent, self._whole = router, recent, whole
        self._row = view.rows.row

    def services(self) -> Iterator[tuple[ServiceView, ServiceNow]]:
        """A row for each service port, with the last answers of the other workers. The caller may
        let traffic go on between two rows."""
        own = ((self._row(snapshot), snapshot) for snapshot in self._declared())
        for view, snapshot in self._whole.with_each(own):
            yield view, self._now(snapshot, self._recent.lately(snapshot.key))

    def parts(self) -> Iterator[tuple[ServiceView, RecentPortFigures]]:
        """This worker's row of each service port, for the first worker to add up."""
        former = self._router.forwarder.entry.of_former_protocol()
        for snapshot in self._declared():
            key = snapshot.key
            yield self._row(snapshot), self._recent.part(key, former.get(key, {}))

    def _declared(self) -> Iterator[ServiceSnapshot]:
        for snapshot in self._router.readings.snapshots():
            if snapshot.declared:
                yield snapshot

    def _now(self, snapshot: ServiceSnapshot, lately: RecentPortFigures) -> ServiceNow:
        key, change = snapshot.key, lately.change
        now = ServiceNow(
            service=key.name,
            port=key.port,
            requests_per_s=0.0,
            overflow_per_s=0.0,
            failed_per_s=0.0,
            p50_s=None,
            p99_s=None,
            overflow_to={},
            why="",
            in_flight_mean=round(lately.in_flight_mean, 3),
            open_to=self._recent.by_name(lately.open_to),
            open_for=lately.open_for,
            left_out=self._left_out(snapshot),
            routing_key=snapshot.config.routing_key,
        )
        if change is None:
            return now
        spilled = self._recent.a_second(change, change.spilled_to)
        return msgspec.structs.replace(
            now,
            requests_per_s=round(change.per_s(change.seen), 3),
            begun_per_s=round(change.per_s(change.begun), 3),
            overflow_per_s=round(change.per_s(sum(change.overflow_begun.values())), 3),
            failed_per_s=round(change.per_s(change.failures), 3),
            failed_of_per_s=round(change.per_s(PortFailures(key=key, lately=change).whole), 3),
            shed_per_s=round(change.per_s(change.shed), 3),
            gave_up_per_s=round(change.per_s(change.gave_up), 3),
            rejected_per_s=round(change.per_s(change.rejected), 3),
            more_slots=change.more_slots,
            p50_s=change.p50_s,
            p99_s=change.p99_s,
            overflow_to=self._recent.a_second(change, change.overflow_begun),
            why=spill_sentence(
                snapshot.explanation,
                change,
                own=self._router.identity.site,
                name_of=self._router.site_name,
                has_targets=snapshot.has_targets,
                is_drained=self._router.readings.is_drained(key),
                queued=lately.queued,
                in_flight_mean=now.in_flight_mean,
                open_to=lately.open_to,
                open_for=lately.open_for,
                is_one_away=bool(self._router.news.absent.unreached(key)),
                stops=self._what_stops(),
                noun=noun_of(snapshot.config),
                one_of=self._one_of(),
            ),
            spilled_per_s=round(sum(spilled.values()), 3),
            spilled_to=spilled,
            spilled_for={
                reason: round(change.per_s(one), 3) for reason, one in change.spilled.items()
            },
        )

    def _one_of(self) -> str:
        """As in `spill_sentence`."""
        if self._whole.workers.all:
            return "worker"
        return "router" if self._router.links.adjacencies.siblings else ""

    def _what_stops(self) -> str:
        """As in `spill_sentence`. Other routers of this site stay, as far as this one knows."""
        if not self._router.draining:
            return ""
        name = self._router.identity.name
        stays = self._router.links.adjacencies.staying_siblings
        return f"this router of {name}" if stays else name

    def _left_out(self, snapshot: ServiceSnapshot) -> str:
        """Sites with room that may not serve the service, while no site takes the next request."""
        if not isinstance(snapshot.explanation.decision, NoChoice):
            return ""
        return self._router.left_out(snapshot.key, snapshot.explanation).why
