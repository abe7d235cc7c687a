"""Another worker of a router, as the first one knows it: by reports that were really sent."""

import asyncio

import msgspec

from router.model.ids import ServiceKey
from router.workers.other_reports import OtherReports
from router.workers.recent_port_figures import PortTotals, RecentPortFigures
from router.workers.worker_messages import (
    FiguresQuestion,
    FromWorker,
    RecentFiguresByPort,
    WorkerAnswer,
    heard,
    words,
)
from router.workers.workers import Lead, Workers
from tests.unit.journal import Journal

_FROM_WORKER: msgspec.msgpack.Decoder[FromWorker] = msgspec.msgpack.Decoder(FromWorker)


async def sent(answer: WorkerAnswer) -> WorkerAnswer:
    """``answer`` as the first worker reads it."""
    reader = asyncio.StreamReader()
    reader.feed_data(words(answer))
    found = await heard(reader, _FROM_WORKER)
    assert isinstance(found, WorkerAnswer)
    return found


class OtherWorker(OtherReports):
    """A router of two workers; a test says what the second one reports."""

    def __init__(self) -> None:
        lead = Lead("", frozenset())
        self.workers = Workers(2, (), lambda: lead, Journal().tell, logs_to_file=False)
        super().__init__(self.workers)
        self._counted: dict[ServiceKey, PortTotals] = {}

    def has_counted(self, key: ServiceKey, totals: PortTotals) -> None:
        """It reports that, and nothing under way."""
        self._counted[key] = totals
        self.reports(RecentPortFigures(key=key, change=None))

    def reports(self, *latelies: RecentPortFigures) -> None:
        """Its figures; of a service port that is not among them it says nothing, as when idle."""
        (one,) = self.workers.all
        items = [
            msgspec.structs.replace(lately, totals=lately.totals or self._counted.get(lately.key))
            for lately in latelies
        ]

        async def hear() -> None:
            one.ask(1, FiguresQuestion("lately"))
            one.hear(await sent(WorkerAnswer(1, True, 0, RecentFiguresByPort(tuple(items)))))

        asyncio.run(hear())
