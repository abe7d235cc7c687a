"""The last reports of the other workers of a router, by service port."""

from collections.abc import Callable, Collection, Mapping, Sequence

from router.model.ids import ServiceKey
from router.workers.interval_sums import EndedCounts, counts
from router.workers.recent_port_figures import PortPart, PortTotals, RecentPortFigures
from router.workers.workers import Workers


class OtherReports:
    """Implements `node.services.other_workers.OtherWorkers`; a router of one process has no other
    worker."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers

    def removed_at_silent(
        self, is_known: Callable[[ServiceKey], bool]
    ) -> Mapping[ServiceKey, Mapping[int, int]]:
        """Requests in flight at workers that do not answer, of service ports that are no longer
        known, by the worker's index."""
        found: dict[ServiceKey, dict[int, int]] = {}
        for one in self._workers.all:
            if not one.silence.is_begun:
                continue
            for key, open_now in one.removed.items():
                if not is_known(key):
                    found.setdefault(key, {})[one.index] = sum(open_now.values())
        return found

    @property
    def silent(self) -> Sequence[int]:
        """Indexes of workers that do not answer."""
        return [one.index for one in self._workers.all if one.silence.is_begun]

    def used(self, key: ServiceKey) -> Collection[str]:
        """Ready targets of this site by what further workers report, by address."""
        return {
            address
            for part in self.parts(key)
            for address, target in part.targets.items()
            if not target.why_not
        }

    def parts(self, key: ServiceKey) -> list[PortPart]:
        """The parts of workers that answer: a silent one takes no request."""
        return [one.part(key) for one in self._workers.all if not one.silence.is_begun]

    @property
    def unanswered(self) -> set[ServiceKey]:
        """Service ports whose requests recently failed at the other workers, or lost their
        clients."""
        return {key for one in self._workers.all for key in one.unanswered}

    def totals(self, key: ServiceKey) -> list[PortTotals]:
        """Counters of one service port at the other workers, over all their lives."""
        return [one.totals(key) for one in self._workers.all]

    def unanswered_target_requests(self, key: ServiceKey) -> Mapping[str, int]:
        """Requests at each target here, by address, at workers that died or are silent: another
        site asks each worker, and these do not answer."""
        return counts(one.unanswered_target_requests(key) for one in self._workers.all)

    def refused_clients(self) -> list[Mapping[ServiceKey, int]]:
        """How many clients each other worker has reset since it started, by service port."""
        return [one.refused_clients for one in self._workers.all]

    def failing(self) -> set[ServiceKey]:
        """Service ports for which other workers counted answers of 5xx."""
        return {key for one in self._workers.all for key in one.failing}

    def awaiting(self) -> set[ServiceKey]:
        """Service ports whose requests await an answer at other workers."""
        return {key for one in self._workers.all for key in one.awaiting}

    def lately(self, key: ServiceKey) -> list[RecentPortFigures]:
        """The last reports of the other workers on one service port, if any."""
        return [one for one in self.each(key) if one is not None]

    def ended_counts(self, key: ServiceKey) -> list[EndedCounts]:
        """Counts of the last seconds of one service port at workers that died or are silent."""
        return [ended for one in self._workers.all for ended in one.ended_counts(key)]

    def each(self, key: ServiceKey) -> list[RecentPortFigures | None]:
        """The last report of each other worker on one service port since it started; None: none."""
        return [one.lately(key) for one in self._workers.all]

    def full(self, key: ServiceKey) -> list[set[str]]:
        """For each other worker, the addresses of targets here where it has no free slot."""
        return [one.part(key).full for one in self._workers.all]

    def shares(self, key: ServiceKey) -> list[int | None]:
        """The slots of one service port at each other worker that answers; None: it has no ready
        target with a capacity there, or has not reported one yet."""
        answering = (one for one in self._workers.all if one.pid and not one.silence.is_begun)
        return [one.share(key) for one in answering]
