"""One of the other workers, from the first one's view: its connection, and its last reports."""

import asyncio
import socket
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple, TypeVar

from router.admin.ports import MetricValues
from router.admin.views.bursts import ScaleView
from router.history.readings import IntervalCounts
from router.model import limits
from router.model.ids import ServiceKey, SiteId
from router.workers.interval_sums import EndedCounts
from router.workers.lasting_counters import LastingCounters, Series
from router.workers.link_uses import LinkKey, LinkUse, WorkerLink, bytes_alone, uses_together
from router.workers.recent_port_figures import (
    NONE_COUNTED,
    Phases,
    PortPart,
    PortTotals,
    RecentPortFigures,
    totals_together,
)
from router.workers.sums import part_of, totals_of
from router.workers.worker_messages import (
    Ask,
    Follow,
    Holding,
    LinkUses,
    Metrics,
    PhaseCounts,
    Question,
    RecentFiguresByPort,
    Scales,
    Told,
    ToWorker,
    WorkerAnswer,
    WorkerServices,
    words,
)

_ToldT = TypeVar("_ToldT", bound=Told)
_NO_PART = PortPart()


class Silence:
    """The silence of one life: the number of unanswered questions, `limits.WORKER_ASK_S` apart.

    Questions count, not seconds: if the first worker cannot ask, because the whole router is paused
    or slow, no other worker is to blame.
    """

    def __init__(self) -> None:
        self._answered_at: float | None = None
        self._unanswered = 0

    def asked(self) -> None:
        """Count another question."""
        self._unanswered += 1

    def answered(self, at: float) -> None:
        """The worker answered, at that Unix time."""
        self._answered_at, self._unanswered = at, 0

    @property
    def since(self) -> float | None:
        """Unix time of the last answer, once the silence is long; else None."""
        return self._answered_at if self.is_long else None

    @property
    def has_answered(self) -> bool:
        """Whether the worker has answered in this life."""
        return self._answered_at is not None

    @property
    def is_answered(self) -> bool:
        """Whether the worker has answered in this life, and is not reported as hung."""
        return self.has_answered and not self.is_long

    @property
    def is_long(self) -> bool:
        """Whether the worker has answered in this life, and is reported as hung now."""
        return self._answered_at is not None and self._unanswered > limits.WORKER_SILENT_ASKS

    @property
    def is_begun(self) -> bool:
        """Whether the worker has answered in this life, and has missed more than one question:
        other workers may have dropped their links to it."""
        return self._answered_at is not None and self._unanswered > limits.WORKER_MISSED_ASKS

    @property
    def is_over_long(self) -> bool:
        """Whether the worker must be ended."""
        starts = self._answered_at is None
        most = limits.WORKER_START_ASKS if starts else limits.WORKER_HUNG_ASKS
        return self._unanswered > most


class _Asked:
    """A pending question, and the parts of its answer so far."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.answered: asyncio.Future[tuple[Told, ...]]
        self.answered = asyncio.get_running_loop().create_future()


class _PastCounts(NamedTuple):
    """Counts of the last seconds before ``at``, by service port."""

    at: float
    changes: Mapping[ServiceKey, IntervalCounts]


class WorkerState:
    """One other worker, over all its lives."""

    def __init__(self, index: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.index = index
        self._monotonic = monotonic
        self.starts = 0
        self.pid = 0
        self.silence = Silence()
        self.is_killed = False  # Because of its silence.
        self.door = ""
        self.ready = False  # By its last answer, however long ago.
        self.clients_wait = ""  # By that answer: why, or empty.
        self.why_no_dial = ""  # Likewise.
        self.full_ports: dict[ServiceKey, int] = {}  # By that answer, with their limits.
        self.refused_clients: dict[ServiceKey, int] = {}  # By that answer, in this life.
        self.holdings: dict[str, Holding] = {}
        """Wakes sent to it in this life, by service."""
        self.writer: asyncio.StreamWriter | None = None
        self.awaited_until = monotonic() + limits.WORKER_AWAITED_S
        self.links = 0  # By its last report.
        self.astray = 0.0
        """Connections that were given to it since and are in none of these links: data lanes of
        links at other workers, which try until they come to theirs. Forgotten slowly."""
        self.given: socket.socket | None = None
        self.told: Follow | None = None
        self.counters = LastingCounters()
        self.counted: set[Series] = set()  # Their present series.
        self.metrics: tuple[MetricValues, ...] = ()  # Its last ones in this life.
        self.phases: dict[ServiceKey, Phases] = {}
        self.scales: tuple[ScaleView, ...] = ()
        self.events_asked: asyncio.Future[tuple[Told, ...]] | None = None
        self.events_told = 0  # The number of the last one in this life.
        self.lately_asked: asyncio.Future[tuple[Told, ...]] | None = None
        self._latelies: dict[ServiceKey, RecentPortFigures] = {}
        self._latelies_at = 0.0
        self._past: list[_PastCounts] = []  # Of previous lives.
        self._parts: dict[ServiceKey, PortPart] = {}
        self._link_uses: dict[LinkKey, LinkUse] = {}
        self._link_bytes_before: dict[LinkKey, LinkUse] = {}
        self._link_states: tuple[WorkerLink, ...] = ()
        self._shares: dict[ServiceKey, int | None] = {}
        self._totals: dict[ServiceKey, PortTotals] = {}  # Of this life.
        self._totals_before: dict[ServiceKey, PortTotals] = {}
        self._asked: dict[int, _Asked] = {}
        self.failed = ""  # The error that ends this life, once reported.
        self.lost = 0  # Requests in flight in its last report, if the last one was killed.
        self.why = ""  # Why the last one ended, until the next one is ready.

    def begun(self, pid: int, writer: asyncio.StreamWriter, given: socket.socket) -> None:
        """Begin another life. It gets links through ``given``."""
        self.starts += 1
        self.given = given
        self.pid, self.writer, self.silence = pid, writer, Silence()
        self.door, self.ready, self.told, self.is_killed = "", False, None, False
        self.failed = ""
        self.events_told = 0
        self.holdings = {}
        self.astray = 0.0

    def has_links(self, count: int) -> None:
        """It reports its links."""
        came = max(0, count - self.links)
        forgotten = limits.WORKER_ASK_S / limits.WORKER_ASTRAY_S
        self.links, self.astray = count, max(0.0, self.astray - came - forgotten)

    @property
    def serves(self) -> bool:
        """Whether it is ready, and answers."""
        return self.ready and not self.silence.is_long

    @property
    def answers(self) -> bool:
        """Whether it answers: also while it drains, and so is not ready."""
        return self.silence.is_answered

    def ended(self, lost: Mapping[ServiceKey, int]) -> None:
        """Its process is gone, with its requests in flight, ``lost``."""
        if self.writer is not None:
            self.writer.close()
        if self.given is not None:
            self.given.close()
            self.given = None
        if self.ready:
            self.awaited_until = self._monotonic() + limits.WORKER_AWAITED_S
        self.pid, self.writer, self.door, self.ready = 0, None, "", False
        self.clients_wait = self.why_no_dial = ""
        self.full_ports, self.refused_clients = {}, {}
        self.silence = Silence()
        self.metrics, self.scales, self.phases = (), (), {}
        self._shares, self._parts = {}, {}
        self.counters.restart()
        self.counted = set()
        self._remember_changes()
        self._latelies = {}
        self._remember_totals(lost)
        self._remember_link_bytes()
        for one in self._asked.values():
            one.answered.cancel()
        self._asked.clear()

    def lately(self, key: ServiceKey) -> RecentPortFigures | None:
        """Its last report on a service port in this life. For a silent worker without the figures
        of the last seconds, which are over, and without its requests at other sites, which drop
        their links to it."""
        now = self._latelies.get(key)
        if now is not None and self.silence.is_begun:
            now = now.at_silent_worker
        return now

    def ended_counts(self, key: ServiceKey) -> Iterator[EndedCounts]:
        """Its counts of the last seconds that ended with its previous lives, and those that it
        reported last if it is silent."""
        now = self._monotonic()
        past = [*self._past, self._changes_now] if self.silence.is_begun else self._past
        for one in past:
            if key in one.changes:
                yield EndedCounts(one.changes[key], now - one.at)

    def totals(self, key: ServiceKey) -> PortTotals:
        """Its counters of a service port over all its lives, by its last report."""
        before, now = self._totals_before.get(key), self._totals.get(key)
        if before is None:
            return now or NONE_COUNTED
        return totals_together([before] if now is None else [before, now])

    @property
    def failing(self) -> list[ServiceKey]:
        """Service ports whose targets answered 5xx, or broke off, in this life."""
        return [key for key, totals in self._totals.items() if totals.errors or totals.breaks]

    def unanswered_target_requests(self, key: ServiceKey) -> Mapping[str, int]:
        """Requests at each target, by address, that the worker itself does not report to another
        site: those of its previous lives, and of this one while it is silent."""
        if self.silence.is_begun:
            return self.totals(key).by_target
        return self._totals_before.get(key, NONE_COUNTED).by_target

    @property
    def ports(self) -> Collection[ServiceKey]:
        """Service ports of which it said something, in any of its lives."""
        return {*self._totals, *self._totals_before, *self._shares, *self._parts}

    def forget(self, key: ServiceKey) -> None:
        """The service port is gone."""
        for table in (self._totals, self._totals_before, self._shares, self._parts):
            table.pop(key, None)

    def share(self, key: ServiceKey) -> int | None:
        """Its share of the slots of a service port here; None: none is configured."""
        return self._shares.get(key)

    def part(self, key: ServiceKey) -> PortPart:
        """Its part of a service port, by its last report."""
        return self._parts.get(key, _NO_PART)

    @property
    def former(self) -> dict[ServiceKey, dict[str, int]]:
        """Its clients that connected before their service port changed its protocol, by former
        protocol."""
        return {key: one.former for key, one in self._latelies.items() if one.former}

    @property
    def open_now(self) -> dict[ServiceKey, int]:
        """Its clients' unfinished requests, by its last report."""
        return {key: one.open_now for key, one in self._latelies.items() if one.open_now}

    @property
    def unanswered(self) -> list[ServiceKey]:
        """Service ports whose requests recently failed there, or lost their clients."""
        each = () if self.silence.is_begun else self._latelies.values()
        changes = ((one.key, one.change) for one in each if one.change is not None)
        return [key for key, change in changes if change.failed or change.gave_up]

    @property
    def awaiting(self) -> list[ServiceKey]:
        """Service ports whose requests await an answer there, of a target or another site."""
        each = () if self.silence.is_begun else self._latelies.values()
        return [one.key for one in each if one.awaited or one.awaited_elsewhere]

    @property
    def queued(self) -> dict[ServiceKey, int]:
        """How many requests wait there, by service port, if any do."""
        return {key: one.queued for key, one in self._latelies.items() if one.queued}

    @property
    def removed(self) -> dict[ServiceKey, dict[SiteId, int]]:
        """Requests in flight there of service ports that are no longer known, by site."""
        return {key: one.removed for key, one in self._latelies.items() if one.removed}

    @property
    def link_uses(self) -> Iterable[LinkUse]:
        """The use of its links, by its last report; bytes include previous lives.

        Neighbors drop their links to a silent worker: for these only the bytes count.
        """
        uses = self._link_uses.values()
        if self.silence.is_begun:
            return chain(map(bytes_alone, uses), self._link_bytes_before.values())
        return chain(uses, self._link_bytes_before.values())

    @property
    def link_states(self) -> Sequence[WorkerLink]:
        """The states of its links; none for a silent worker, where they are unknown."""
        return () if self.silence.is_begun else self._link_states

    @property
    def _changes_now(self) -> "_PastCounts":
        """Its counts of the last seconds, by its last report in this life."""
        each = self._latelies.values()
        changes = {one.key: one.change for one in each if one.change is not None}
        return _PastCounts(self._latelies_at, changes)

    def _remember_changes(self) -> None:
        """This life is over: its counts of the last seconds are true until these are over."""
        self._past.append(self._changes_now)
        self._forget_changes()

    def _forget_changes(self) -> None:
        since = self._monotonic() - limits.WORKER_PAST_S
        self._past = [one for one in self._past if one.changes and one.at > since]

    def _remember_link_bytes(self) -> None:
        """This life is over: keep the bytes of its links."""
        self._link_bytes_before = uses_together(map(bytes_alone, self.link_uses))
        self._link_uses, self._link_states = {}, ()

    def _remember_totals(self, lost: Mapping[ServiceKey, int]) -> None:
        """This life is over: keep its counters. The ``lost`` requests ended with it: some of them
        were already counted as spilled."""
        self._totals_before |= {
            key: totals_together([self.totals(key), PortTotals(requests=lost.get(key, 0))])
            for key in self._totals
        }
        self._totals = {}

    def say(self, message: ToWorker) -> None:
        """Send ``message``, unless the worker is gone."""
        if self.writer is not None and not self.writer.is_closing():
            self.writer.write(words(message))

    def ask(self, number: int, question: Question) -> asyncio.Future[tuple[Told, ...]]:
        """Its complete answer. Canceled if the worker ends before."""
        asked = _Asked()
        self._asked[number] = asked
        self.say(Ask(number, question))
        return asked.answered

    def hear(self, answer: WorkerAnswer) -> None:
        """Take one message of an answer; late figures still are the latest ones."""
        asked = self._asked.get(answer.number)
        if asked is None:
            return
        if answer.told is not None:
            asked.told.append(answer.told)
        if answer.more:
            return
        del self._asked[answer.number]
        self._keep(asked.told)
        if not asked.answered.done():
            asked.answered.set_result(tuple(asked.told))

    def _keep(self, told: list[Told]) -> None:
        if of(told, Metrics):
            self.metrics = tuple(chain.from_iterable(one.items for one in of(told, Metrics)))
            self.counted = set().union(*map(self.counters.tell, self.metrics))
        if of(told, WorkerServices):
            views = {
                ServiceKey(view.name, view.port): view
                for view in chain.from_iterable(one.items for one in of(told, WorkerServices))
            }
            self._parts = {key: part_of(view) for key, view in views.items()}
            for key, view in views.items():
                self._count(key, totals_of(view, self._totals.get(key, NONE_COUNTED)))
        if of(told, PhaseCounts):
            ports = chain.from_iterable(one.items for one in of(told, PhaseCounts))
            self.phases = {port.key: port.phases for port in ports}
        if of(told, Scales):
            self.scales = tuple(chain.from_iterable(one.items for one in of(told, Scales)))
        if of(told, RecentFiguresByPort):
            items = chain.from_iterable(one.items for one in of(told, RecentFiguresByPort))
            self._latelies = {item.key: item for item in items}
            self._latelies_at = self._monotonic()
            self._forget_changes()
            self._parts = {key: part.idle for key, part in self._parts.items()}
            for key, item in self._latelies.items():
                self._shares[key], self._parts[key] = item.capacity, item.part
                if item.totals is not None:
                    self._count(key, item.totals)
        if of(told, LinkUses):
            uses = chain.from_iterable(one.items for one in of(told, LinkUses))
            self._link_uses = uses_together(uses)
            states = (one.states for one in of(told, LinkUses))
            self._link_states = tuple(chain.from_iterable(states))

    def _count(self, key: ServiceKey, totals: PortTotals) -> None:
        """Fewer than before in this life: the service was deleted and created again. The counts of
        previous lives belong to the deleted one."""
        if totals.requests < self._totals.get(key, NONE_COUNTED).requests:
            self._totals_before.pop(key, None)
        self._totals[key] = totals


def of(told: Iterable[Told], kind: type[_ToldT]) -> list[_ToldT]:
    """The answers of ``kind``."""
    return [one for one in told if isinstance(one, kind)]
