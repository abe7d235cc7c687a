"""One of the other workers, as the first one knows it: its line, what it was told and said last."""

import asyncio
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TypeVar

from router.admin.ports import MetricValues
from router.admin.views.bursts import ScaleView
from router.model import limits
from router.model.ids import ServiceKey, SiteId
from router.workers.lasting_counters import LastingCounters, Series
from router.workers.link_uses import LinkKey, LinkUse, WorkerLink, bytes_alone, uses_together
from router.workers.recent_port_figures import (
    NONE_COUNTED,
    Phases,
    PortLately,
    PortPart,
    PortTotals,
    totals_together,
)
from router.workers.sums import part_of, totals_of
from router.workers.worker_messages import (
    Ask,
    Follow,
    Holding,
    Latelies,
    LinkUses,
    Metrics,
    PhaseCounts,
    Question,
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
    """Of one life: for how many questions how it is, `limits.WORKER_ASK_S` apart, it is silent.

    Questions count, not seconds: where the first worker cannot ask, because the whole router
    is paused or slow, no other worker is to blame.
    """

    def __init__(self) -> None:
        self._answered_at: float | None = None
        self._unanswered = 0

    def asked(self) -> None:
        """One more question."""
        self._unanswered += 1

    def answered(self, at: float) -> None:
        """By Unix time."""
        self._answered_at, self._unanswered = at, 0

    @property
    def since(self) -> float | None:
        """Unix time of the last answer, once the silence is long; else None."""
        return self._answered_at if self.is_long else None

    @property
    def has_answered(self) -> bool:
        """The worker did in this life."""
        return self._answered_at is not None

    @property
    def is_answered(self) -> bool:
        """The worker did answer in this life, and is not reported as hung."""
        return self.has_answered and not self.is_long

    @property
    def is_long(self) -> bool:
        """The worker did answer in this life, and is reported as hung now."""
        return self._answered_at is not None and self._unanswered > limits.WORKER_SILENT_ASKS

    @property
    def is_begun(self) -> bool:
        """The worker did answer in this life, and has missed more than one question: other
        workers may have dropped their links to it."""
        return self._answered_at is not None and self._unanswered > limits.WORKER_MISSED_ASKS

    @property
    def is_over_long(self) -> bool:
        """The worker must be ended."""
        starts = self._answered_at is None
        most = limits.WORKER_START_ASKS if starts else limits.WORKER_HUNG_ASKS
        return self._unanswered > most


class _Asked:
    """A question that it has, and what it has told so far."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.answered: asyncio.Future[tuple[Told, ...]]
        self.answered = asyncio.get_running_loop().create_future()


class OneWorker:
    """One of them, over all its lives."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.starts = 0
        self.pid = 0
        self.silence = Silence()
        self.is_killed = False  # For its silence.
        self.door = ""
        self.ready = False  # By its last answer, however long ago.
        self.clients_wait = ""  # By that answer: why, or empty.
        self.why_no_dial = ""  # Likewise.
        self.full_ports: dict[ServiceKey, int] = {}  # By that answer, with their limits.
        self.refused_clients: dict[ServiceKey, int] = {}  # By that answer, in this life.
        self.holdings: dict[str, Holding] = {}
        """What it was told of wakes in this life, by service."""
        self.writer: asyncio.StreamWriter | None = None
        self.awaited_until = time.monotonic() + limits.WORKER_AWAITED_S
        self.links = 0  # That it has, as far as is known.
        self.given: socket.socket | None = None
        self.told: Follow | None = None
        self.counters = LastingCounters()
        self.counted: set[Series] = set()  # Of these, what it has now.
        self.metrics: tuple[MetricValues, ...] = ()  # As each was told last in this life.
        self.phases: dict[ServiceKey, Phases] = {}
        self.scales: tuple[ScaleView, ...] = ()
        self.events_asked: asyncio.Future[tuple[Told, ...]] | None = None
        self.events_told = 0  # The number of the last one in this life.
        self.lately_asked: asyncio.Future[tuple[Told, ...]] | None = None
        self._latelies: dict[ServiceKey, PortLately] = {}
        self._parts: dict[ServiceKey, PortPart] = {}
        self._link_uses: dict[LinkKey, LinkUse] = {}
        self._link_bytes_before: dict[LinkKey, LinkUse] = {}
        self._link_states: tuple[WorkerLink, ...] = ()
        self._shares: dict[ServiceKey, int | None] = {}
        self._totals: dict[ServiceKey, PortTotals] = {}  # Of this life.
        self._totals_before: dict[ServiceKey, PortTotals] = {}
        self._asked: dict[int, _Asked] = {}
        self.failed = ""  # The error by which this life of it ends, once it has said so.
        self.lost = 0  # What the last one had under way by its last report, if it was killed.
        self.why = ""  # Why the last one ended, until the next is ready.

    def begun(self, pid: int, writer: asyncio.StreamWriter, given: socket.socket) -> None:
        """Another life. By ``given`` it gets links."""
        self.starts += 1
        self.given = given
        self.pid, self.writer, self.silence = pid, writer, Silence()
        self.door, self.ready, self.told, self.is_killed = "", False, None, False
        self.failed = ""
        self.events_told = 0
        self.holdings = {}

    @property
    def serves(self) -> bool:
        """It is ready, and answers."""
        return self.ready and not self.silence.is_long

    @property
    def answers(self) -> bool:
        """It tells what it has: also while it drains, and so is not ready."""
        return self.silence.is_answered

    def ended(self, lost: Mapping[ServiceKey, int]) -> None:
        """Its process is gone, and so is what it had under way, ``lost``."""
        if self.writer is not None:
            self.writer.close()
        if self.given is not None:
            self.given.close()
            self.given = None
        if self.ready:
            self.awaited_until = time.monotonic() + limits.WORKER_AWAITED_S
        self.pid, self.writer, self.door, self.ready = 0, None, "", False
        self.clients_wait = self.why_no_dial = ""
        self.full_ports, self.refused_clients = {}, {}
        self.silence = Silence()
        self.metrics, self.scales, self.phases = (), (), {}
        self._shares, self._parts = {}, {}
        self.counters.restart()
        self.counted = set()
        self._latelies = {}
        self._remember_totals(lost)
        self._remember_link_bytes()
        for one in self._asked.values():
            one.answered.cancel()
        self._asked.clear()

    def lately(self, key: ServiceKey) -> PortLately | None:
        """What it said last of a service port in this life. Of a silent worker without what
        happened in the last seconds, which are over, and without its requests at other sites,
        which drop their links to it."""
        now = self._latelies.get(key)
        if now is not None and self.silence.is_begun:
            now = now.at_silent_worker
        return now

    def totals(self, key: ServiceKey) -> PortTotals:
        """What it counted of a service port in all its lives, as it reported last."""
        before, now = self._totals_before.get(key), self._totals.get(key)
        if before is None:
            return now or NONE_COUNTED
        return totals_together([before] if now is None else [before, now])

    @property
    def failing(self) -> list[ServiceKey]:
        """Service ports of which targets answered 5xx, or broke off, in this life of it."""
        return [key for key, totals in self._totals.items() if totals.errors or totals.breaks]

    def unanswered_target_requests(self, key: ServiceKey) -> Mapping[str, int]:
        """Requests at each target, by address, that another site does not hear of from the worker
        itself: those of its lives before, and of this life while it is silent."""
        if self.silence.is_begun:
            return self.totals(key).by_target
        return self._totals_before.get(key, NONE_COUNTED).by_target

    def share(self, key: ServiceKey) -> int | None:
        """Its share of the slots of a service port here; None: none is configured."""
        return self._shares.get(key)

    def part(self, key: ServiceKey) -> PortPart:
        """What it has of a service port, by its last report."""
        return self._parts.get(key, _NO_PART)

    @property
    def former(self) -> dict[ServiceKey, dict[str, int]]:
        """Clients there that came before their service port changed its protocol, by that of
        then."""
        return {key: one.former for key, one in self._latelies.items() if one.former}

    @property
    def open_now(self) -> dict[ServiceKey, int]:
        """What clients have under way there, by its last report."""
        return {key: one.open_now for key, one in self._latelies.items() if one.open_now}

    @property
    def unanswered(self) -> list[ServiceKey]:
        """Service ports of which requests failed lately there, or lost their clients."""
        each = () if self.silence.is_begun else self._latelies.values()
        changes = ((one.key, one.change) for one in each if one.change is not None)
        return [key for key, change in changes if change.failed or change.gave_up]

    @property
    def awaiting(self) -> list[ServiceKey]:
        """Service ports of which requests await an answer there, of a target or another site."""
        each = () if self.silence.is_begun else self._latelies.values()
        return [one.key for one in each if one.awaited or one.awaited_elsewhere]

    @property
    def queued(self) -> dict[ServiceKey, int]:
        """How many requests wait there, of service ports of which some do."""
        return {key: one.queued for key, one in self._latelies.items() if one.queued}

    @property
    def removed(self) -> dict[ServiceKey, dict[SiteId, int]]:
        """What is under way there of service ports that are not known any more, by site."""
        return {key: one.removed for key, one in self._latelies.items() if one.removed}

    @property
    def link_uses(self) -> Iterable[LinkUse]:
        """What its links carry, by its last report; bytes also of the lives before.

        Neighbors drop their links to a silent worker: of these only the bytes count.
        """
        uses = self._link_uses.values()
        if self.silence.is_begun:
            return chain(map(bytes_alone, uses), self._link_bytes_before.values())
        return chain(uses, self._link_bytes_before.values())

    @property
    def link_states(self) -> Sequence[WorkerLink]:
        """How its links are; none of a silent worker, of which nothing is known."""
        return () if self.silence.is_begun else self._link_states

    def _remember_link_bytes(self) -> None:
        """This life is over: what its links carried counts on."""
        self._link_bytes_before = uses_together(map(bytes_alone, self.link_uses))
        self._link_uses, self._link_states = {}, ()

    def _remember_totals(self, lost: Mapping[ServiceKey, int]) -> None:
        """This life is over: what was counted in it counts on. What is ``lost`` ended by that: some
        of it has been counted as spilled."""
        self._totals_before |= {
            key: totals_together([self.totals(key), PortTotals(requests=lost.get(key, 0))])
            for key in self._totals
        }
        self._totals = {}

    def say(self, message: ToWorker) -> None:
        """Unless it is gone."""
        if self.writer is not None and not self.writer.is_closing():
            self.writer.write(words(message))

    def ask(self, number: int, question: Question) -> asyncio.Future[tuple[Told, ...]]:
        """What it tells, when all of it is there. Cancelled when it ends before."""
        asked = _Asked()
        self._asked[number] = asked
        self.say(Ask(number, question))
        return asked.answered

    def hear(self, answer: WorkerAnswer) -> None:
        """One message of what it tells; figures that come late are the last ones all the same."""
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
        if of(told, Latelies):
            items = chain.from_iterable(one.items for one in of(told, Latelies))
            self._latelies = {item.key: item for item in items}
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
        """Fewer than before in this life: the service was deleted and made again. What lives
        before counted is of the one that was deleted."""
        if totals.requests < self._totals.get(key, NONE_COUNTED).requests:
            self._totals_before.pop(key, None)
        self._totals[key] = totals


def of(told: Iterable[Told], kind: type[_ToldT]) -> list[_ToldT]:
    """Those of ``kind``."""
    return [one for one in told if isinstance(one, kind)]
