"""Reports news that only another worker of this router has."""

from router.model.events import Event
from router.model.ticks import next_tick
from router.net.ports import Network
from router.operate.record.journal import Journal
from router.workers.merged_events import MergedEvents
from router.workers.workers import Workers

SECOND_S = 1.0


class WorkerNews:
    """Checks each second."""

    __slots__ = ("_events", "_journal", "_network")

    def __init__(self, network: Network, journal: Journal, workers: Workers) -> None:
        self._network, self._journal = network, journal
        self._events = MergedEvents()
        journal.told.append(self._told)
        workers.follow_events(self._heard)
        network.call_at(network.now() + SECOND_S, self._each_second)

    def _told(self, event: Event) -> None:
        self._events.reported(event, self._network.now())

    def _heard(self, worker: int, event: Event) -> None:
        self._events.heard(f"Worker {worker}", event, self._network.now())

    def _each_second(self) -> None:
        now = self._network.now()
        self._network.call_at(next_tick(now, SECOND_S), self._each_second)
        for event in self._events.due(now):
            self._journal.add(event)
