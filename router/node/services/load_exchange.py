"""Sends load reports of this site's targets to neighbors, and receives theirs."""

from collections.abc import Collection, Iterable

from router.balance.sites.reports import LoadReports
from router.exchange.readings import Readings
from router.exchange.service_ports import ServicePorts
from router.link.links import Links
from router.link.routing_messages import LoadMessage
from router.model import limits
from router.model.ids import RouterId, ServiceKey
from router.model.messages.adverts import LoadReport
from router.model.ticks import next_tick
from router.model.token_bucket import TokenBucket, TokenBuckets
from router.net.ports import Network, Timer
from router.routing.edges.attached import AttachedEdges
from router.routing.load import LoadTable, first_number
from router.routing.load_pace import LoadPace, Urgency, refresh_s, urgency
from router.routing.table import RouteTable


class LoadExchange:
    """The load reports last sent and received. Requests call `changed`, never routing."""

    def __init__(
        self,
        network: Network,
        router: RouterId,
        links: Links,
        readings: Readings,
        ports: ServicePorts,
        edges: AttachedEdges,
        epoch: int,
    ) -> None:
        """``epoch``: of this process of the router."""
        self._network = network
        self._router = router
        self._links = links
        self._readings, self._ports = readings, ports
        self._edges = edges
        self._heard = LoadTable()
        self._budgets: dict[RouterId, TokenBucket] = {}  # By neighbor: the budget of its holder.
        self._by_holder = TokenBuckets(
            limits.LOADS_RECEIVED_BURST, limits.LOADS_RECEIVED_PER_S, limits.ADJACENCIES_MAX
        )
        self._told = LoadReports()
        self._pace = LoadPace()
        self._pace_timer: Timer | None = None
        self._pace_at = float("inf")  # When that timer fires.
        self._last: dict[ServiceKey, LoadReport] = {}  # Ours, last sent to all neighbors.
        self._welcomes: dict[RouterId, Timer] = {}  # New neighbors, until they get all reports.
        self._sequence = first_number(epoch)
        self._timer: Timer | None = None
        # When each last changed, if not reported since it settled.
        self._restless: dict[ServiceKey, float] = {}
        self._rest_timer: Timer | None = None
        self._keys: frozenset[ServiceKey] = frozenset()
        self.over_budget = 0
        """Reports dropped unread: their neighbor sent more than any honest one does."""
        self._arm_refresh()

    def set_services(self, keys: Iterable[ServiceKey]) -> None:
        """Set the service ports with a connector here: the ones to report."""
        before, self._keys = self._keys, frozenset(keys)
        for key in before - self._keys:
            self._told.forget(key)
            self._restless.pop(key, None)
            self._last.pop(key, None)

    def changed(self, key: ServiceKey) -> None:
        """In-flight, the queue or ready targets of ``key`` changed; called for every request."""
        if key not in self._keys:
            return
        load = self._readings.load_of(key)
        now = self._network.now()
        is_told = self._told.note(
            key,
            load.used,
            load.targets_ready,
            load.for_others if load.reserved else load.capacity,
            now,
            load.rate,
            beyond=load.beyond,
            waiting=load.waiting,
            reserved=load.reserved,
            refuses=load.refuses,
            most_for_one=load.most_for_one,
        )
        if key in self._restless:
            self._restless[key] = now
        elif is_told or load.in_flight > 1 or load.waiting:
            self._note_restless(key, now)
        if is_told:
            self._tell_everybody((key,))
        elif self._timer is None:
            self._arm()

    def epoch_raised(self, epoch: int) -> None:
        """Others know this router by a later ``epoch`` from now on."""
        self._sequence = max(self._sequence, first_number(epoch))

    def neighbour_up(self, neighbour: RouterId, holder: str) -> None:
        """Send a new neighbor the loads of our service ports at once, and all others in
        `LOAD_SETTLE_INTERVAL_S`.

        By then it has a table, without which it believes nothing. ``holder``: the holder whose
        budget its own reports use, see `Neighbour.holder`.
        """
        now = self._network.now()
        self.neighbour_down(neighbour)
        self._budgets[neighbour] = self._by_holder.of(holder, now)
        for key in sorted(self._keys):
            self._put((neighbour,), self._report(key), Urgency.FLIP)
        self._flush()
        self._welcomes[neighbour] = self._network.call_at(
            now + limits.LOAD_SETTLE_INTERVAL_S, lambda: self._tell_all(neighbour)
        )

    def neighbour_down(self, neighbour: RouterId) -> None:
        """Drop the reports that wait for a neighbor whose link is down."""
        self._pace.forget(neighbour)
        self._budgets.pop(neighbour, None)
        welcome = self._welcomes.pop(neighbour, None)
        if welcome is not None:
            welcome.cancel()

    def _tell_all(self, neighbour: RouterId) -> None:
        del self._welcomes[neighbour]
        for report in self._heard.originals(neighbour):
            self._put((neighbour,), report, Urgency.REFRESH)
        for key in sorted(self._keys):
            self._put((neighbour,), self._report(key), Urgency.REFRESH)
        self._flush()

    def tell_edge(self, edge: RouterId, services: Collection[str], table: RouteTable) -> None:
        """Send an edge the loads of ``services`` at once: it has just learned their candidates."""
        reports = [self._report(key) for key in sorted(self._keys) if key.name in services]
        for key in {**table.candidates, **table.withheld}:
            if key.name in services:
                there = table.everywhere(key)
                heard = (self._heard.last(candidate.router, key) for candidate in there)
                reports += [last[0] for last in heard if last is not None]
        for report in reports:
            self._put((edge,), report, Urgency.FLIP)
        self._flush()

    def _tell_everybody(self, keys: Iterable[ServiceKey]) -> None:
        """Queue the present load of ``keys`` for all neighbors."""
        adjacent = self._links.adjacent
        for key in keys:
            before = self._last.get(key)
            report = self._last[key] = self._report(key)
            self._put(adjacent, report, urgency(before, report, 0))
        self._flush()

    def _put(
        self,
        routers: Collection[RouterId],
        report: LoadReport,
        how: Urgency,
        gathers_s: float = 0.0,
    ) -> None:
        """Queue ``report`` for those of ``routers`` that need it."""
        if len(self._edges):
            routers = [router for router in routers if self._edges.wanted(router, (report,))]
        if routers:
            self._pace.put(routers, report, how, self._network.now(), gathers_s)

    def _flush(self) -> None:
        """Send the reports that budgets allow now, and set a timer for the others."""
        for router, reports in self._pace.due(self._network.now()):
            self._links.send(router, LoadMessage(tuple(reports)))
        deadline = self._pace.next_deadline()
        if deadline is not None and deadline < self._pace_at:
            if self._pace_timer is not None:
                self._pace_timer.cancel()
            self._pace_at = deadline
            self._pace_timer = self._network.call_at(deadline, self._pace_due)

    def _pace_due(self) -> None:
        self._pace_timer, self._pace_at = None, float("inf")
        self._flush()

    def _refresh(self) -> None:
        """Queue all reports again, so that a neighbor that missed one is corrected."""
        self._arm_refresh()
        self._tell_everybody(sorted(self._keys))

    def _arm_refresh(self) -> None:
        pause_s = refresh_s(self._heard.candidates + len(self._keys))
        again = next_tick(
            self._network.now() + pause_s - limits.LOAD_GATHER_S, limits.LOAD_GATHER_S
        )
        self._refresh_timer = self._network.call_at(again, self._refresh)

    def received(
        self, neighbour: RouterId, reports: tuple[LoadReport, ...], table: RouteTable
    ) -> None:
        """Take reports from ``neighbour``: new ones are used here and passed on.

        Reports beyond its budget are dropped unread, and count as a glitch of that neighbor.
        """
        now = self._network.now()
        budget = self._budgets.get(neighbour)
        if budget is None:
            return  # Its link is just gone.
        # A report without news goes on with those of other neighbors, in one message, when links
        # send their PINGs: in one TLS record with these.
        gathers_s = next_tick(now, limits.LOAD_GATHER_S) - now
        for number, report in enumerate(reports):
            if not budget.take(now):
                self.over_budget += len(reports) - number
                self._links.misbehaved(neighbour)
                break
            accepted = self._heard.accept(report, neighbour, table, now)
            if accepted is None:
                continue
            self._ports.report_load(accepted.report, accepted.site)
            how = accepted.urgency
            waits_s = gathers_s if how == Urgency.REFRESH else 0.0
            # A neighbor that is gone is in the table for a moment yet.
            onward = [router for router in accepted.forward_to if router in self._budgets]
            self._put(onward, report, how, waits_s)
        self._flush()

    def last(self, router: RouterId, key: ServiceKey) -> LoadReport | None:
        """The last report of ``router``, bounded by its advert; None: no report."""
        heard = self._heard.last(router, key)
        return heard[0] if heard is not None else None

    def table_changed(self, table: RouteTable) -> None:
        """Forget routers that are no longer candidates."""
        self._heard.table_changed(table)
        self._pace.keep(
            lambda router, key: router == self._router or self._heard.is_candidate(router, key)
        )

    def close(self) -> None:
        """Stop sending, and cancel all timers."""
        timers = (self._timer, self._rest_timer, self._refresh_timer, self._pace_timer)
        for timer in (*timers, *self._welcomes.values()):
            if timer is not None:
                timer.cancel()

    def _report(self, key: ServiceKey) -> LoadReport:
        load = self._readings.load_of(key)
        self._sequence += 1
        return LoadReport(
            self._router,
            self._sequence,
            key.name,
            key.port,
            load.used,
            load.targets_ready,
            load.for_others,
            load.rate,
            load.beyond,
            load.waiting,
            load.reserved,
            load.most_for_one,
            load.refuses,
            load.asked_per_s,
        )

    def _arm(self) -> None:
        deadline = self._told.next_deadline()
        self._timer = None if deadline is None else self._network.call_at(deadline, self._due)

    def _due(self) -> None:
        self._timer = None
        now = self._network.now()
        due = [key for key in self._told.due(now) if key in self._keys]
        for key in due:
            self._note_restless(key, now)
        if due:
            self._tell_everybody(due)
        self._arm()

    def _note_restless(self, key: ServiceKey, now: float) -> None:
        """Report ``key`` again once it settles: others learned of its change, by a report or by the
        counts of several streams. One request at a time needs no such report: its stream's last
        count is right."""
        self._restless[key] = now
        if self._rest_timer is None:
            self._arm_rest(now)

    def _arm_rest(self, now: float) -> None:
        self._rest_timer = self._network.call_at(
            now + limits.LOAD_SETTLE_INTERVAL_S, self._look_for_rest
        )

    def _look_for_rest(self) -> None:
        """Report again the loads that have settled.

        Streams carry counts too, and counts that waited behind a body arrive after newer reports
        that overtook them. Otherwise the last of these would never be corrected.
        """
        self._rest_timer = None
        now = self._network.now()
        rested = [
            key
            for key, changed_at in self._restless.items()
            if changed_at + limits.LOAD_SETTLE_INTERVAL_S <= now  # As when the timer was set.
        ]
        for key in rested:
            del self._restless[key]
        if rested:
            self._tell_everybody(rested)
        if self._restless:
            self._arm_rest(min(self._restless.values()))
