"""News that only another router of this site has: findings, for the status of the site, and events,
for the router that writes Events."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Final, TypeVar

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
from router.operate.figures.figure_scope import AT_THIS_ROUTER
from router.operate.record.journal import Journal
from router.workers.merged_events import MergedEvents

_Said = TypeVar("_Said", Problem, Note)
_NUMBER = re.compile(r"(?<![\w.:-])(\d\d:\d\d:\d\d|\d+(\.\d+)?)(?![\w:-]|\.\d)")
"""A figure or a time of day, but not part of a name or an address."""
_COMPARED_CHARS: Final = limits.STATUS_TEXT_CHARS_MAX // 2
"""Of a sentence. Another router cuts its own at a place that depends on its figures."""


class ReplicaReport(msgspec.Struct, frozen=True):
    """Problems and notes of another router of this site. ``name``: of its pod."""

    name: str
    problems: tuple[Problem, ...]
    notes: tuple[Note, ...]


class ReplicaNews:
    """Asks the others for their findings, and while ``writes`` for their events, too. ``hear``:
    receives events that only another router has. ``stay``: those of ``siblings`` that are not
    stopping. The links and clients of one that stops go, so its findings pass with it.
    """

    __slots__ = (
        "_events",
        "_hear",
        "_last",
        "_missed",
        "_network",
        "_reports",
        "_sender",
        "_siblings",
        "_stay",
        "_writes",
    )

    def __init__(
        self,
        network: Network,
        sender: QuestionSender,
        siblings: Callable[[], Collection[RouterId]],
        stay: Callable[[], Collection[RouterId]],
        writes: Callable[[], bool],
        journal: Journal,
        hear: Callable[[Event], None],
    ) -> None:
        self._network, self._sender = network, sender
        self._siblings, self._stay = siblings, stay
        self._writes, self._hear = writes, hear
        self._events = MergedEvents()
        self._last: dict[RouterId, int] = {}
        self._missed: dict[RouterId, int] = {}  # Answers in a row that did not come.
        self._reports: dict[RouterId, ReplicaReport] = {}
        journal.told.append(self._reported)
        network.call_at(network.now() + limits.SIBLING_NEWS_EVERY_S, self._look)

    @property
    def reports(self) -> list[ReplicaReport]:
        """Last reports of the routers that answer and stay."""
        return [self._reports[router] for router in sorted(self._reports.keys() & self._stay())]

    def _look(self) -> None:
        now = self._network.now()
        self._network.call_at(next_tick(now, limits.SIBLING_NEWS_EVERY_S), self._look)
        asked, first, known = self._siblings(), sibling_news.NO_EVENTS, dict[RouterId, int]()
        if self._writes():
            first = sibling_news.RECENT
            known = {r: last for r, last in self._last.items() if last != sibling_news.NO_EVENTS}
        self._last = {router: known.get(router, first) for router in asked}
        self._reports = {one: told for one, told in self._reports.items() if one in asked}
        self._missed = {one: count for one, count in self._missed.items() if one in asked}
        for router, last in list(self._last.items()):
            sibling_news.ask(self._sender, router, last, partial(self._heard, router))
        for event in self._events.due(now):
            self._reported(event)
            self._hear(event)

    def _heard(self, router: RouterId, news: SiblingNews | None) -> None:
        if router not in self._last:
            return
        if news is None:
            self._missed[router] = self._missed.get(router, 0) + 1
            if self._missed[router] > limits.SIBLING_NEWS_MISSED:
                self._reports.pop(router, None)
            return
        self._missed.pop(router, None)
        self._last[router] = news.last
        self._reports[router] = ReplicaReport(news.name, news.problems, news.notes)
        for event in news.events:
            self._events.heard(f"Router {news.name}", event, self._network.now())

    def _reported(self, event: Event) -> None:
        self._events.reported(event, self._network.now())


class SiblingAnswers:
    """Answers to the other routers of this site, with events of ``events`` and the findings of
    ``status``. A status is expensive: all that ask within half of `SIBLING_NEWS_EVERY_S` share one.
    """

    __slots__ = ("_events", "_made_at", "_name", "_now", "_shared", "_status")

    def __init__(
        self, name: str, events: EventLog, status: Callable[[], Status], now: Callable[[], float]
    ) -> None:
        self._name, self._events, self._status, self._now = name, events, status, now
        self._shared: Status | None = None
        self._made_at = 0.0

    def answer(self, after: int) -> bytes:
        """The encoded answer to one router. ``after``: the last event that it knows."""
        events = self._events
        if after == sibling_news.RECENT:
            after, found = events.newest, events.of_last(limits.LEASE_S)
        else:
            found = events.after(max(after, events.before))
        told = self._recent_status()
        return sibling_news.encoded(self._name, after, found, told.problems, told.notes)

    def _recent_status(self) -> Status:
        now = self._now()
        if self._shared is None or now - self._made_at >= limits.SIBLING_NEWS_EVERY_S / 2:
            self._shared, self._made_at = self._status(), now
        return self._shared


def with_others(status: Status, others: Sequence[ReplicaReport]) -> Status:
    """``status`` with the findings that only ``others`` have, each naming its router.

    A sentence that differs only in numbers is the same: each router has its own rates and times.
    So is one on the same service port whose figures are said to be those of one router.
    """
    known = {*map(_sentence, status.problems), *map(_sentence, status.notes)}

    def only_theirs(of: Callable[[ReplicaReport], Sequence[_Said]]) -> Iterator[_Said]:
        for other in others:
            for one in of(other):
                if (sentence := _sentence(one)) not in known:
                    known.add(sentence)
                    text = f"Router {other.name}: {one.message}"
                    yield msgspec.structs.replace(one, message=text)

    return msgspec.structs.replace(
        status,
        problems=(*status.problems, *only_theirs(lambda one: one.problems)),
        notes=(*status.notes, *only_theirs(lambda one: one.notes)),
    )


def _sentence(said: _Said) -> tuple[str, str]:
    text = said.message.partition(AT_THIS_ROUTER)[0]
    return said.code, _NUMBER.sub("0", text)[:_COMPARED_CHARS]
