"""What the console's snapshot has of services, one service port at a time."""

from collections.abc import Iterator, Mapping

from router.admin.live_views import ServiceNow
from router.admin.views import ServiceView
from router.forward.figures import ServiceSnapshot
from router.history.readings import Change
from router.main.history_sums import added_rates
from router.main.leaving import why_leaving
from router.main.recording import Recorder
from router.main.site_router import SiteRouter
from router.main.views import OperatorView
from router.main.whole import Whole
from router.model.ids import ServiceKey


class Living:
    """Implements `LiveView`."""

    def __init__(
        self,
        view: OperatorView,
        router: SiteRouter,
        recorder: Recorder,
        whole: Whole | None = None,
    ) -> None:
        self._whole = whole
        self._view = view
        self._router = router
        self._recorder = recorder
        self.status = view.status
        self.links = view.links
        self.network = view.network
        self.bursts = view.bursts
        self.ca = view.ca

    def services(self) -> Iterator[tuple[ServiceView, ServiceNow]]:
        """All service ports. Between two of them the router may go on."""
        return self._own() if self._whole is None else self._whole.with_lives(self._own())

    async def gather(self) -> None:
        """Ask the other workers."""
        if self._whole is not None:
            await self._whole.look("live")

    def nows(self) -> Iterator[ServiceNow]:
        """What each service port did lately, at this worker."""
        for snapshot in self._router.forwarder.snapshots():
            if snapshot.declared:
                yield self._now(snapshot)

    def spilled_to(self, key: ServiceKey) -> Mapping[str, float]:
        """Requests a second that each other site served lately, of all workers as they said
        last."""
        lately, others = self._recorder.lately(key), self._whole
        parts = [] if lately is None else [_spilled_to(lately, self._router.identity.name)]
        parts += [] if others is None else [one.spilled_to for one in others.nows_of(key)]
        return added_rates(parts)

    def _own(self) -> Iterator[tuple[ServiceView, ServiceNow]]:
        for snapshot in self._router.forwarder.snapshots():
            if snapshot.declared:
                yield self._view.service(snapshot), self._now(snapshot)

    def _now(self, snapshot: ServiceSnapshot) -> ServiceNow:
        key = snapshot.key
        lately = self._recorder.lately(key)
        in_flight_mean = round(self._recorder.busy(key), 3)
        if lately is None:
            return ServiceNow(
                service=key.name,
                port=key.port,
                requests_per_s=0.0,
                overflow_per_s=0.0,
                failed_per_s=0.0,
                p50_s=None,
                p99_s=None,
                overflow_to={},
                why="",
                in_flight_mean=in_flight_mean,
            )
        own_name = self._router.identity.name
        spilled = _spilled_to(lately, own_name)
        return ServiceNow(
            service=key.name,
            port=key.port,
            requests_per_s=round(lately.per_s(lately.requests), 3),
            overflow_per_s=round(lately.per_s(sum(lately.overflow.values())), 3),
            failed_per_s=round(lately.per_s(lately.failed), 3),
            p50_s=lately.p50_s,
            p99_s=lately.p99_s,
            overflow_to={
                site: round(lately.per_s(count), 3) for site, count in lately.overflow.items()
            },
            why=why_leaving(
                snapshot.explanation,
                lately,
                own_name=own_name,
                has_targets=snapshot.has_targets,
                queued=snapshot.queued,
                in_flight_mean=in_flight_mean,
            ),
            spilled_per_s=round(sum(spilled.values()), 3),
            spilled_to=spilled,
            spilled_for={
                reason: round(lately.per_s(one), 3) for reason, one in lately.spilled.items()
            },
            in_flight_mean=in_flight_mean,
        )


def _spilled_to(lately: Change, own_name: str) -> dict[str, float]:
    return {
        site: round(lately.per_s(count), 3)
        for site, count in lately.served.items()
        if site != own_name
    }
