"""How loaded the targets of each site are: telling neighbours, and hearing from them."""

from collections.abc import Collection, Iterable, Sequence

from router.balance.reports import LoadReports
from router.forward.forwarder import Forwarder
from router.link.links import Links
from router.link.ports import LoadMessage
from router.model import limits
from router.model.adverts import LoadReport
from router.model.ids import RouterId, ServiceKey
from router.net.ports import Network, Timer
from router.routing.attached import AttachedEdges
from router.routing.load import LoadTable
from router.routing.table import RouteTable


class LoadExchange:
    """Owns what was last told and heard. Traffic comes here and never reaches routing."""

    def __init__(
        self,
        network: Network,
        router: RouterId,
        links: Links,
        forwarder: Forwarder,
        edges: AttachedEdges,
    ) -> None:
        self._network = network
        self._router = router
        self._links = links
        self._forwarder = forwarder
        self._edges = edges
        self._heard = LoadTable()
        self._told = LoadReports()
        self._sequence = 0
        self._timer: Timer | None = None
        self._restless: dict[ServiceKey, float] = {}  # Changed then, not told at rest since.
        self._rest_timer: Timer | None = None
        self._keys: frozenset[ServiceKey] = frozenset()
        self._arm_refresh()

    def set_services(self, keys: Iterable[ServiceKey]) -> None:
        """Service ports with a connector here: what is told about."""
        before, self._keys = self._keys, frozenset(keys)
        for key in before - self._keys:
            self._told.forget(key)
            self._restless.pop(key, None)

    def changed(self, key: ServiceKey) -> None:
        """In-flight or ready targets of ``key`` changed; called for every request."""
        if key not in self._keys:
            return
        load = self._forwarder.load_of(key)
        now = self._network.now()
        self._restless[key] = now
        if self._rest_timer is None:
            self._arm_rest(now)
        if self._told.note(key, load.in_flight, load.targets_ready, load.capacity, now, load.rate):
            self._broadcast((self._report(key),))
        elif self._timer is None:
            self._arm()

    def tell_all(self, neighbour: RouterId) -> None:
        """A new neighbour hears of every service port at once."""
        self._send(neighbour, self._everything())

    def tell_edge(self, edge: RouterId, services: Collection[str], table: RouteTable) -> None:
        """An edge has just heard of candidates of ``services``: it hears of their loads at once."""
        reports = [self._report(key) for key in sorted(self._keys) if key.name in services]
        for key, candidates in table.candidates.items():
            if key.name in services:
                heard = (self._heard.last(candidate.router, key) for candidate in candidates)
                reports += [last[0] for last in heard if last is not None]
        self._send(edge, reports)

    def _broadcast(self, reports: Sequence[LoadReport]) -> None:
        if not len(self._edges):
            self._links.broadcast(LoadMessage(tuple(reports)))
            return
        for router in self._links.adjacent:
            self._send(router, reports)

    def _send(self, router: RouterId, reports: Sequence[LoadReport]) -> None:
        """Those that ``router`` has a use for."""
        wanted = self._edges.wanted(router, reports)
        if wanted:
            self._links.send(router, LoadMessage(wanted))

    def _refresh(self) -> None:
        """Say it again now and then: whoever missed a report, or counts wrongly, is set right."""
        if self._keys:
            self._broadcast(self._everything())
        self._arm_refresh()

    def _arm_refresh(self) -> None:
        again = self._network.now() + limits.LOAD_REFRESH_S
        self._refresh_timer = self._network.call_at(again, self._refresh)

    def _everything(self) -> list[LoadReport]:
        """All service ports; the link splits what does not fit into a frame."""
        return [self._report(key) for key in sorted(self._keys)]

    def received(
        self, neighbour: RouterId, reports: tuple[LoadReport, ...], table: RouteTable
    ) -> None:
        """Reports from ``neighbour``: what is news is used here and passed on."""
        now = self._network.now()
        onward: dict[RouterId, list[LoadReport]] = {}
        for report in reports:
            accepted = self._heard.accept(report, neighbour, table, now)
            candidate = table.candidate(report.router, report.key)
            if accepted is None or candidate is None:
                continue
            self._forwarder.report_load(accepted.report, candidate.site)
            for further in accepted.forward_to:
                onward.setdefault(further, []).append(report)
        for further, passed in onward.items():
            self._send(further, passed)

    def table_changed(self, table: RouteTable) -> None:
        """Forget routers that are no candidates any more."""
        self._heard.table_changed(table)

    def close(self) -> None:
        """Tell nothing more."""
        for timer in (self._timer, self._rest_timer, self._refresh_timer):
            if timer is not None:
                timer.cancel()

    def _report(self, key: ServiceKey) -> LoadReport:
        load = self._forwarder.load_of(key)
        self._sequence += 1
        return LoadReport(
            self._router,
            self._sequence,
            key.name,
            key.port,
            load.in_flight,
            load.targets_ready,
            load.capacity,
            load.rate,
        )

    def _arm(self) -> None:
        deadline = self._told.next_deadline()
        self._timer = None if deadline is None else self._network.call_at(deadline, self._due)

    def _due(self) -> None:
        self._timer = None
        due = [key for key in self._told.due(self._network.now()) if key in self._keys]
        if due:
            self._broadcast([self._report(key) for key in due])
        self._arm()

    def _arm_rest(self, now: float) -> None:
        self._rest_timer = self._network.call_at(
            now + limits.LOAD_SETTLE_INTERVAL_S, self._look_for_rest
        )

    def _look_for_rest(self) -> None:
        """Tell once more what has come to rest.

        Streams carry counts too, and those that had to wait behind a body arrive after newer
        reports, which overtake them. Nobody would ever correct the last of them.
        """
        self._rest_timer = None
        now = self._network.now()
        rested = [
            key
            for key, changed_at in self._restless.items()
            if changed_at + limits.LOAD_SETTLE_INTERVAL_S <= now  # As the timer was armed.
        ]
        for key in rested:
            del self._restless[key]
        if rested:
            self._broadcast([self._report(key) for key in rested])
        if self._restless:
            self._arm_rest(min(self._restless.values()))
