"""Per-service rows of `/api/v1/live`."""

from collections.abc import Iterator, Mapping

import msgspec

from router.admin.views.live import ServiceNow
from router.admin.views.services import ServiceView
from router.balance.deciding.decisions import NoChoice
from router.exchange.services.figures import ServiceSnapshot
from router.history.readings import IntervalCounts
from router.model.addresses import join
from router.model.events import Note
from router.model.ids import ServiceKey, SiteId, by_name
from router.node.rate_text import rate_of
from router.node.site_router import SiteRouter
from router.operate.figures.history_recorder import HistoryRecorder
from router.operate.problems import impatient_clients, shed_requests
from router.operate.problems.failing_requests import PortFailures, failing, not_reached
from router.operate.problems.spill_reason import why_leaving
from router.operate.views import OperatorView
from router.workers.combined_figures import Whole
from router.workers.recent_port_figures import PortLately, PortTotals, TargetPart


class Living:
    """Implements `LiveView`."""

    def __init__(
        self,
        view: OperatorView,
        router: SiteRouter,
        recorder: HistoryRecorder,
        whole: Whole | None = None,
    ) -> None:
        self._whole = whole
        self._view = view
        self._router = router
        self._recorder = recorder
        self._told_shares: dict[ServiceKey, int | None] = {}
        self.status = view.status
        self.links = view.links
        self.network = view.network
        self.bursts = view.bursts
        self.ca = view.ca

    def services(self) -> Iterator[tuple[ServiceView, ServiceNow]]:
        """A row for each service port. Between two rows the caller may let traffic go on."""
        own = ((self._view.service(snapshot), snapshot) for snapshot in self._declared())
        each = own if self._whole is None else self._whole.with_each(own)
        for view, snapshot in each:
            yield view, self._now(snapshot, self.lately(snapshot.key))

    async def gather(self) -> None:
        """Ask the other workers."""
        if self._whole is not None:
            await self._whole.look("live")

    def parts(self) -> Iterator[tuple[ServiceView, PortLately]]:
        """This worker's row of each service port, to be joined by the first worker."""
        former = self._router.forwarder.of_former_protocol()
        for snapshot in self._declared():
            own = _with_former(self._own(snapshot.key), former)
            yield self._view.service(snapshot), self._whole_of(own)

    def latelies(self) -> Iterator[PortLately]:
        """What each service port did lately at this worker, without those that did nothing and
        have as many slots as before; and what removed ones have under way."""
        former = self._router.forwarder.of_former_protocol()
        for key in self._router.readings.keys:
            own = _with_former(self._own(key), former)
            if not own.is_idle or self._told_shares.get(key) != own.capacity:
                self._told_shares[key] = own.capacity
                yield self._whole_of(own)
        yield from self.removed_latelies()

    def removed_latelies(self) -> Iterator[PortLately]:
        """Requests under way at this worker, of service ports that were removed."""
        for key, open_now in self._router.forwarder.removed().items():
            yield PortLately(key=key, change=None, removed=open_now)

    def lately(self, key: ServiceKey) -> PortLately:
        """Figures of a service port over the last seconds, from the last answers of all workers."""
        own = self._own(key)
        return own if self._whole is None else self._whole.lately(own)

    def failing(self) -> Iterator[PortFailures]:
        """Service ports of which requests fail."""
        return failing(self._router, self._not_answered(), self.lately)

    def gave_up(self) -> Iterator[Note]:
        """Service ports whose clients leave before they are answered."""
        return impatient_clients.notes_of((key, self.lately(key)) for key in self._not_answered())

    def shed(self) -> Iterator[Note]:
        """Service ports of which sheddable requests make way for others."""
        return shed_requests.notes_of((key, self.lately(key)) for key in self._not_answered())

    def _not_answered(self) -> list[ServiceKey]:
        """Service ports of which requests failed, or lost their clients, lately."""
        keys = set(self._recorder.unanswered)
        if self._whole is not None:
            keys |= self._whole.unanswered & set(self._router.readings.keys)
        return sorted(keys)

    def queued(self) -> Mapping[ServiceKey, int]:
        """How many requests wait for a slot, of service ports of which some do."""
        own = self._router.readings.queued()
        return own if self._whole is None else self._whole.with_queued(own)

    def removed(self) -> Mapping[ServiceKey, Mapping[SiteId, int]]:
        """Requests under way of service ports that were removed, by the site that serves them."""
        own = self._router.forwarder.removed()
        if self._whole is None:
            return own
        return self._whole.with_removed(own, self._is_known)

    def removed_at_silent(self) -> Mapping[ServiceKey, Mapping[int, int]]:
        """Requests under way of removed service ports at workers that do not answer, by worker."""
        if self._whole is None:
            return {}
        return self._whole.removed_at_silent(self._is_known)

    def _is_known(self, key: ServiceKey) -> bool:
        return self._router.readings.config_of(key) is not None

    def former(self) -> Mapping[ServiceKey, Mapping[str, int]]:
        """Clients that came before their service port changed its protocol, by that of then."""
        own = self._router.forwarder.of_former_protocol()
        return own if self._whole is None else self._whole.with_former(own)

    def spilled_to(self, key: ServiceKey) -> Mapping[str, float]:
        """Requests a second that each other site served lately, by its name."""
        change = self.lately(key).change
        return {} if change is None else self._a_second(change, change.spilled_to)

    def _declared(self) -> Iterator[ServiceSnapshot]:
        for snapshot in self._router.readings.snapshots():
            if snapshot.declared:
                yield snapshot

    def _own(self, key: ServiceKey) -> PortLately:
        readings = self._router.readings
        reading = readings.reading_of(key)
        spills = readings.spills_of(key)
        return PortLately(
            key=key,
            change=self._recorder.lately(key),
            in_flight_mean=self._recorder.busy(key),
            queued=reading.queued if reading is not None else 0,
            queue_limit=reading.queue_limit if reading is not None else 0,
            queue_is_full=reading is not None and reading.queue_is_full,
            spilled=spills.full.by_key,
            without_target=spills.without_target.by_key,
            refused=spills.refused,
            still_spilled=spills.full.still_open,
            still_without_target=spills.without_target.still_open,
            open_to=spills.open_to,
            open_for=spills.open_for,
            rate=readings.rate_state(key),
            open_now=readings.open_of_clients(key),
            capacity=reading.capacity if reading is not None else None,
            in_flight=readings.load_of(key).in_flight,
        )

    def _whole_of(self, own: PortLately) -> PortLately:
        """Add the figures that are too costly to read for idle service ports."""
        readings = self._router.readings
        reading, totals = (
            readings.reading_of(own.key),
            readings.totals_at(own.key),
        )
        if reading is None or totals is None:
            return own
        targets, answers = (
            readings.targets_of(own.key),
            readings.answers_of(own.key),
        )
        counted = PortTotals(
            requests=totals.requests,
            overflowed=totals.overflowed,
            spilled=sum(reading.tally.spilled_to.values()),
            gave_up=reading.tally.gave_up,
            refused=totals.refused,
            waited_s=totals.waited_s,
            by_target={join(one.host, one.port): one.requests_total for one in targets},
            answered={at: one.answered for at, one in answers.items() if one.answered},
            silent={at: one.silent for at, one in answers.items() if one.silent},
        )
        parts = {
            join(one.host, one.port): TargetPart(one.in_flight, one.capacity, rate_of(one.rate))
            for one in targets
        }
        return msgspec.structs.replace(own, totals=counted, demand=totals.demand, targets=parts)

    def _now(self, snapshot: ServiceSnapshot, lately: PortLately) -> ServiceNow:
        key, change = snapshot.key, lately.change
        in_flight_mean = round(lately.in_flight_mean, 3)
        if change is None:
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
                open_to=self._by_name(lately.open_to),
                open_for=lately.open_for,
                left_out=self._left_out(snapshot),
                routing_key=snapshot.config.routing_key,
            )
        spilled = self._a_second(change, change.spilled_to)
        return ServiceNow(
            service=key.name,
            port=key.port,
            requests_per_s=round(change.per_s(change.requests), 3),
            overflow_per_s=round(change.per_s(sum(change.overflow.values())), 3),
            failed_per_s=round(change.per_s(change.failures), 3),
            shed_per_s=round(change.per_s(change.shed), 3),
            gave_up_per_s=round(change.per_s(change.gave_up), 3),
            p50_s=change.p50_s,
            p99_s=change.p99_s,
            overflow_to=self._a_second(change, change.overflow),
            why=why_leaving(
                snapshot.explanation,
                change,
                own=self._router.identity.site,
                name_of=self._router.site_name,
                has_targets=snapshot.has_targets,
                queued=lately.queued,
                in_flight_mean=in_flight_mean,
                open_to=lately.open_to,
                open_for=lately.open_for,
                is_one_away=bool(not_reached(self._router, key)),
            ),
            left_out=self._left_out(snapshot),
            spilled_per_s=round(sum(spilled.values()), 3),
            spilled_to=spilled,
            spilled_for={
                reason: round(change.per_s(one), 3) for reason, one in change.spilled.items()
            },
            in_flight_mean=in_flight_mean,
            open_to=self._by_name(lately.open_to),
            open_for=lately.open_for,
            routing_key=snapshot.config.routing_key,
        )

    def _by_name(self, counts: Mapping[SiteId, int]) -> dict[str, int]:
        return by_name(counts, self._router.site_name)

    def _a_second(self, change: IntervalCounts, counts: Mapping[SiteId, int]) -> dict[str, float]:
        return {
            name: round(change.per_s(count), 3) for name, count in self._by_name(counts).items()
        }

    def _left_out(self, snapshot: ServiceSnapshot) -> str:
        """Sites with room that may not serve it, while no site takes the next request."""
        if not isinstance(snapshot.explanation.decision, NoChoice):
            return ""
        return self._router.left_out(snapshot.key, snapshot.explanation).why


def _with_former(own: PortLately, former: Mapping[ServiceKey, Mapping[str, int]]) -> PortLately:
    found = former.get(own.key)
    return msgspec.structs.replace(own, former=dict(found)) if found else own
