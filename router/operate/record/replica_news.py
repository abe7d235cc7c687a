"""News that only another router of this site has, for the router that writes Events and status."""

from collections.abc import Callable, Collection
from functools import partial

import msgspec

from router.admin.events import EventLog
from router.admin.views.status import Status
from router.asking import sibling_news
from router.asking.exchange import QuestionSender
from router.asking.sibling_news import SiblingNews
from router.model import limits
from router.model.events import Event, Note, Problem
from router.model.ids import RouterId
from router.model.ticks import next_tick
from router.net.ports import Network
from router.node.time_text import ago
from router.operate.record.journal import Journal
from router.workers.merged_events import MergedEvents


class ReplicaReport(msgspec.Struct, frozen=True):
    """Problems and notes of another router of this site. ``name``: of its pod."""

    name: str
    problems: tuple[Problem, ...]
    notes: tuple[Note, ...]


class ReplicaNews:
    """Asks the others while ``writes``. ``hear``: receives events that only another router has."""

    __slots__ = (
        "_asker",
        "_events",
        "_hear",
        "_last",
        "_network",
        "_reports",
        "_siblings",
        "_writes",
    )

    def __init__(
        self,
        network: Network,
        asker: QuestionSender,
        siblings: Callable[[], Collection[RouterId]],
        writes: Callable[[], bool],
        journal: Journal,
        hear: Callable[[Event], None],
    ) -> None:
        self._network, self._asker = network, asker
        self._siblings, self._writes, self._hear = siblings, writes, hear
        self._events = MergedEvents()
        self._last: dict[RouterId, int] = {}
        self._reports: dict[RouterId, ReplicaReport] = {}
        journal.told.append(self._reported)
        network.call_at(network.now() + limits.SIBLING_NEWS_EVERY_S, self._look)

    @property
    def reports(self) -> list[ReplicaReport]:
        """Reports of the routers that answered last time."""
        return [self._reports[router] for router in sorted(self._reports)]

    def _look(self) -> None:
        now = self._network.now()
        self._network.call_at(next_tick(now, limits.SIBLING_NEWS_EVERY_S), self._look)
        asked = self._siblings() if self._writes() else ()
        self._last = {router: self._last.get(router, sibling_news.RECENT) for router in asked}
        self._reports = {one: told for one, told in self._reports.items() if one in asked}
        for router, last in list(self._last.items()):
            sibling_news.ask(self._asker, router, last, partial(self._heard, router))
        for event in self._events.due(now):
            self._reported(event)
            self._hear(event)

    def _heard(self, router: RouterId, news: SiblingNews | None) -> None:
        if router not in self._last:
            return
        if news is None:
            self._reports.pop(router, None)
            return
        self._last[router] = news.last
        self._reports[router] = ReplicaReport(news.name, news.problems, news.notes)
        for event in news.events:
            self._events.heard(f"Router {news.name}", event, self._network.now())

    def _reported(self, event: Event) -> None:
        self._events.reported(event, self._network.now())


def own_news(name: str, events: EventLog, status: Callable[[], Status], after: int) -> bytes:
    """The answer to a router of this site. ``after``: the last event that it knows."""
    found = events.after(max(after, events.before))
    if after == sibling_news.RECENT:
        after = found[-1][0] if found else events.before
        found = [entry for entry in found if entry[1].at >= ago(limits.LEASE_S)]
    told = status()
    return sibling_news.encoded(name, after, found, told.problems, told.notes)
