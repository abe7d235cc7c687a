"""Answers of a worker to the first one, in messages of a few items each."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import TypeVar

from router.admin.events import EventLog
from router.admin.ports import BadQuestion, Figures
from router.admin.slices import sliced
from router.admin.views.flow import FlowView
from router.admin.views.history import ServiceHistory
from router.admin.views.services import ServiceView
from router.callers.reports import pieces
from router.model import limits
from router.operate.figures.recent_figures import RecentFigures
from router.operate.flows.flows import Flows
from router.operate.graph import CallGraph
from router.operate.live_snapshot import LiveRows
from router.operate.rebalances import Rebalancer
from router.operate.views import OperatorView
from router.workers.recent_port_figures import RecentPortFigures
from router.workers.worker_messages import (
    Detail,
    EventsQuestion,
    FiguresQuestion,
    FlowList,
    FlowNews,
    FlowNewsQuestion,
    FlowQuestion,
    FlowsQuestion,
    GraphQuestion,
    GraphReports,
    Histories,
    HistoryQuestion,
    LinkUses,
    Metrics,
    NumberedEvents,
    Past,
    PastQuestion,
    PhaseCounts,
    Question,
    RebalanceQuestion,
    Rebalances,
    RecentFiguresByPort,
    Scales,
    Told,
    Why,
    WhyQuestion,
    WorkerServices,
)

_ItemT = TypeVar("_ItemT")
_HistoriesOf = Callable[[str | None, int | None], Iterator[ServiceHistory]]


class WorkerAnswers:
    """Gathers answers from the rooms of this worker."""

    def __init__(
        self,
        view: OperatorView,
        flows: Flows,
        live_rows: LiveRows,
        recent: RecentFigures,
        histories: _HistoriesOf,
        events: EventLog,
        rebalancer: Rebalancer,
        graph: CallGraph,
    ) -> None:
        self._view = view
        self._flows = flows
        self._live_rows, self._recent = live_rows, recent
        self._histories = histories
        self._events = events
        self._rebalancer = rebalancer
        self._graph = graph

    async def told(self, question: Question) -> AsyncIterator[Told]:
        """The whole answer, in parts."""
        match question:
            case FiguresQuestion(figures=figures):
                async for told in self._figures(figures):
                    yield told
            case PastQuestion() | WhyQuestion() | RebalanceQuestion():
                for told in self._decisions(question):
                    yield told
            case HistoryQuestion(service=service, port=port):
                histories = await sliced(self._histories(service, port))
                for kept in _some(histories.items):
                    yield Histories(kept)
            case GraphQuestion() | EventsQuestion():
                for told in self._records(question):
                    yield told
            case FlowsQuestion() | FlowNewsQuestion() | FlowQuestion():
                async for told in self._of_flows(question):
                    yield told

    def _records(self, question: GraphQuestion | EventsQuestion) -> Iterator[Told]:
        match question:
            case GraphQuestion(with_past=with_past):
                for report in pieces(self._graph.own(with_past=with_past)):
                    yield GraphReports(report)
            case EventsQuestion(after=after):
                for events in _some(self._events.after(after or self._events.before)):
                    yield NumberedEvents(events)

    def _decisions(
        self, question: PastQuestion | WhyQuestion | RebalanceQuestion
    ) -> Iterator[Told]:
        match question:
            case PastQuestion(service=service, port=port, count=count, which=which):
                past = self._view.own_past(service, port, count, which)
                for some in _some(past or ()):
                    yield Past(some)
            case RebalanceQuestion(service=service, port=port):
                for plans in _some(self._rebalancer.own(service, port)):
                    yield Rebalances(plans)
            case WhyQuestion(service=service, port=port, by=by, value=value):
                try:
                    why = self._view.own_why(service, port, (by, value))
                except BadQuestion:
                    return  # The documents have just changed; the first worker says so.
                if why is not None:
                    yield Why(why)

    async def _of_flows(
        self, question: FlowsQuestion | FlowNewsQuestion | FlowQuestion
    ) -> AsyncIterator[Told]:
        match question:
            case FlowsQuestion(wanted=wanted):
                self._flows.look()
                flows: list[FlowView] = (await sliced(wanted.first(self._flows.newest()))).items
                for shown in _some(flows):
                    yield FlowList(shown, self._flows.skipped)
            case FlowNewsQuestion(turn=turn, lasting=lasting):
                yield self._flow_news(turn, lasting)
            case FlowQuestion(number=number):
                self._flows.look()
                if (detail := self._flows.detail(number)) is not None:
                    yield Detail(detail)

    async def _figures(self, figures: Figures) -> AsyncIterator[Told]:
        view = self._view
        match figures:
            case "metrics":
                async for told in self._metrics():
                    yield told
            case "services":
                for services in _some(view.services()):
                    yield WorkerServices(services)
                for phases in _some(view.own_phases()):
                    yield PhaseCounts(phases)
            case "scales":
                for scales in _some((await sliced(view.scales())).items):
                    yield Scales(scales)
            case "lately":
                async for told in self._lately():
                    yield told
            case "live":
                async for told in self._live():
                    yield told

    async def _metrics(self) -> AsyncIterator[Told]:
        """The metrics, and the recent figures from which this site's own values are shown."""
        made = await sliced(self._view.own_metrics())
        for values in _some(made.items):  # There may be very many.
            yield Metrics(values)
        async for told in self._lately():
            yield told

    async def _lately(self) -> AsyncIterator[Told]:
        for latelies in _some((await sliced(self._recent.latelies())).items):
            yield RecentFiguresByPort(latelies)
        yield self._links()

    async def _live(self) -> AsyncIterator[Told]:
        pairs: list[tuple[ServiceView, RecentPortFigures]]
        pairs = (await sliced(self._live_rows.parts())).items
        for some in _some(pairs):
            yield WorkerServices(tuple(service for service, _ in some))
            yield RecentFiguresByPort(tuple(lately for _, lately in some))
        for removed in _some(self._recent.removed_latelies()):
            yield RecentFiguresByPort(removed)
        yield self._links()

    def _links(self) -> LinkUses:
        return LinkUses(tuple(self._view.link_uses()), tuple(self._view.link_states()))

    def _flow_news(self, turn: int | None, lasting: bool) -> FlowNews:
        flows = self._flows
        flows.look()
        return FlowNews(
            flows.turn,
            flows.skipped,
            () if turn is None else tuple(flows.since(turn)),
            tuple(flows.lasting()) if lasting else None,
        )


def _some(items: Iterable[_ItemT]) -> Iterator[tuple[_ItemT, ...]]:
    """``items`` in pieces; a single empty piece if there are none, which is an answer too."""
    all_items = tuple(items)
    for first in range(0, max(1, len(all_items)), limits.WORKER_ITEMS_AT_ONCE):
        yield all_items[first : first + limits.WORKER_ITEMS_AT_ONCE]
