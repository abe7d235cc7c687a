"""A site whose router has two workers: each on a host of its own, and their messages come late."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, cast

import msgspec

from router.admin.events import EventLog
from router.admin.views.live import ServiceNow
from router.admin.views.services import ServiceView
from router.documents.division import Division
from router.model import limits
from router.model.specs import ConnectorSpec, TargetSpec
from router.node.parts import Part
from router.operate.figures.figure_scope import FigureScope
from router.operate.figures.history_recorder import HistoryRecorder
from router.operate.live_snapshot import LiveRows
from router.operate.record.episode_news import EpisodeNews
from router.operate.record.journal import Journal
from router.operate.views import OperatorView
from router.operate.worker_answers import WorkerAnswers
from router.workers.combined_figures import RouterFigures
from router.workers.worker_messages import FiguresQuestion, Question, WorkerAnswer
from router.workers.workers import Lead, Workers
from tests.simulation.other_worker import sent
from tests.simulation.world import SERVICE, SimMemory, SimSite, Target, World
from tests.unit.operate.views import no_workers, recent_of, view_of

TARGETS_IP: Final = "10.0.0.200"
"""The host of the targets that both workers use."""
LATE_S: Final = (0.001, 0.2)
"""So late a message may come."""
STARTS_S: Final = 1.0
"""A worker that died is back after that."""
_ResultT = TypeVar("_ResultT")


def _run(work: Coroutine[Any, Any, _ResultT]) -> _ResultT:
    """At one moment of virtual time."""
    return asyncio.run(work)


class _Line:
    """To the other worker. What is said over it comes by other means here."""

    def write(self, data: bytes) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        pass


class _Operators:
    """What operators see of one worker: its views, with the figures of ``whole``."""

    def __init__(self, site: SimSite, whole: RouterFigures) -> None:
        self.recorder = HistoryRecorder(site.network, site.router)
        self.recorder.start()
        memory = SimMemory(site, 10**9).guard
        self.view = view_of(site, self.recorder, whole, memory=memory, is_serving=lambda: True)
        self.recent = recent_of(site, self.recorder, whole)
        self.rows = LiveRows(self.view, site.router, self.recent, whole)
        self.events = EventLog()
        utc = datetime.now(UTC).isoformat
        self.journal = Journal(self.events, lambda number, event: None, utc, site.network.now)


class TwoWorkers:
    """Site ``first``, whose other worker is ``second``; both use the same targets."""

    def __init__(self, world: World, first: str, second: str, chance: random.Random) -> None:
        self.world, self.first, self.second = world, world[first], world[second]
        self._chance = chance
        self.targets: list[Target] = []
        self._host = world.internet.host(TARGETS_IP)
        self.deaths: list[float] = []
        """When the second one died."""
        self.answered_at = 0.0
        """When the first one heard of it last."""
        for index, site in enumerate((self.first, self.second)):
            site.part, site.division = Part(index=index, count=2), Division(count=2, index=index)
        self.first.kill()
        self.first.start()
        self.second.join(self.first)
        self._number = 0
        lead = Lead("", frozenset())
        now = self.first.network.now
        self.workers = Workers(2, (), lambda: lead, world.tell, logs_to_file=False, monotonic=now)
        (self.state,) = self.workers.all
        self.whole = RouterFigures(self.workers)
        self._leading = _Operators(self.first, self.whole)
        self._lead()
        self._second_begins()
        self._ask_how()
        self._ask_lately()

    @property
    def view(self) -> OperatorView:
        """Of the first worker."""
        return self._leading.view

    @property
    def rows(self) -> list[tuple[ServiceView, ServiceNow]]:
        """As the API has them, whose questions to the other worker come at once."""
        return list(self._leading.rows.services())

    def _lead(self) -> None:
        router, whole, view = self.first.router, self.whole, self.view
        episodes = EpisodeNews(
            self.first.network,
            router.readings,
            self._leading.journal,
            view.utc,
            view.left_out,
            router.site_name,
            whole.others.each,
            whole.others.shares,
            FigureScope(router, whole).named,
        )
        services = router.site_services
        services.judge_with(whole.others)
        services.clients.count_with(whole.others.refused_clients)
        services.follow_refusals(lambda: episodes.asked_in_vain)
        services.follow_rates(whole.rates(router.readings.rate_states))
        router.questions.count_targets_with(whole.others.unanswered_target_requests)

    # The life of the second one ---------------------------------------------------------------

    def _second_begins(self) -> None:
        alone = RouterFigures(no_workers())
        operators = _Operators(self.second, alone)
        self.second.router.site_services.leave_judging()
        unused = cast(Any, None)
        self._answers = WorkerAnswers(
            operators.view,
            unused,
            operators.rows,
            operators.recent,
            operators.recorder.histories,
            operators.events,
            unused,
            unused,
        )
        self._is_ready = operators.view.ready
        line = cast(Any, _Line())
        self.state.begun(2, line, line)

    def kill_second(self) -> None:
        """It dies, with its connections, and is started again."""
        if not self.state.pid:
            return
        self.second.kill()
        lost = self.state.open_now
        self.state.lost = sum(lost.values())
        self.state.ended(lost)
        now = self.world.internet.now
        self.deaths.append(now)
        self.first.network.call_at(now + STARTS_S, self._start_second)

    def _start_second(self) -> None:
        self.second.start()
        self._second_begins()

    # Messages ---------------------------------------------------------------------------------

    def _late(self, site: SimSite, then: Callable[[], None]) -> None:
        network = site.network
        network.call_at(network.now() + self._chance.uniform(*LATE_S), then)

    def _ask_how(self) -> None:
        network = self.first.network
        network.call_at(network.now() + limits.WORKER_ASK_S, self._ask_how)
        if self.state.pid:
            self.state.silence.asked()
            if self.state.silence.is_over_long:
                self.kill_second()
            else:
                self._ask(None)

    def _ask_lately(self) -> None:
        network = self.first.network
        network.call_at(network.now() + limits.WORKER_FIGURES_S, self._ask_lately)
        if self.state.answers:
            self._ask(FiguresQuestion("lately"))

    def _ask(self, question: Question | None) -> None:
        self._number += 1
        number, life = self._number, self.state.starts

        async def ask() -> None:
            if question is not None:
                self.state.ask(number, question)

        _run(ask())
        self._late(self.second, lambda: self._answer(number, question, life))

    def _answer(self, number: int, question: Question | None, life: int) -> None:
        async def told() -> list[WorkerAnswer]:
            how = WorkerAnswer(number, self._is_ready(), 1)
            parts = [] if question is None else [one async for one in self._answers.told(question)]
            said = [msgspec.structs.replace(how, told=one, more=True) for one in parts]
            return [await sent(one) for one in (*said, how)]

        answers = _run(told())
        self._late(self.first, lambda: self._hear(answers, life))

    def _hear(self, answers: list[WorkerAnswer], life: int) -> None:
        if life != self.state.starts or not self.state.pid:
            return
        self.answered_at = self.world.internet.now

        async def hear() -> None:
            for answer in answers:
                self.state.silence.answered(time.time())
                self.state.ready = answer.ready
                self.state.hear(answer)

        _run(hear())

    # Documents --------------------------------------------------------------------------------

    def each(self, change: Callable[[SimSite], None]) -> None:
        """Change the documents, which both read."""
        for site in (self.first, self.second):
            change(site)
            site.apply()

    def serve(self, count: int, capacity: int | str | None) -> None:
        """Targets that both use."""
        for number in range(count):
            self.targets.append(
                Target(
                    self._host,
                    9001 + number,
                    self.first.name,
                    0.1,
                    self.world.seen,
                    TARGETS_IP,
                )
            )
        spec = ConnectorSpec(
            service=SERVICE.name,
            targets=tuple(TargetSpec(TARGETS_IP, one.port) for one in self.targets),
            capacity=capacity,
        )
        self.each(lambda site: site.connectors.update(here=spec))

    def declare(self, queue: int) -> None:
        """The service, by this site."""
        for site in (self.first, self.second):
            site.declared_at_s = {SERVICE.name: 0.0}
            site.declare(queue=queue)
