"""Service ports that come and go leave nothing of other workers at the first one."""

import asyncio
from collections.abc import Callable

from router.model import limits
from router.model.ids import ServiceKey
from router.workers.gone_ports import GonePorts
from router.workers.one_worker import WorkerState
from router.workers.recent_port_figures import PortTotals, RecentPortFigures
from router.workers.worker_messages import FiguresQuestion, RecentFiguresByPort, WorkerAnswer

SHOP, GONE = ServiceKey("shop", 80), ServiceKey("gone", 80)


def played(step: Callable[[WorkerState, GonePorts, set[ServiceKey]], None]) -> None:
    """``step`` with a worker that counted requests of both ports, in two lives."""

    async def play() -> None:
        one, known = WorkerState(1), {SHOP, GONE}
        for _ in range(2):
            one.ask(1, FiguresQuestion("lately"))
            items = tuple(
                RecentPortFigures(key=key, change=None, capacity=3, totals=PortTotals(requests=2))
                for key in (SHOP, GONE)
            )
            one.hear(WorkerAnswer(1, True, 0, RecentFiguresByPort(items)))
            if one.totals(SHOP).requests != 4:
                one.ended({})
        step(one, GonePorts((one,), lambda: known), known)

    asyncio.run(play())


def test_a_port_that_is_gone_is_forgotten_after_a_while() -> None:
    def step(one: WorkerState, ports: GonePorts, known: set[ServiceKey]) -> None:
        ports.look(0.0)
        known.discard(GONE)
        ports.look(1.0)
        ports.look(limits.WORKER_PORTS_KEPT_S)
        assert one.ports == {SHOP, GONE}, "another worker may know it first"
        ports.look(1.0 + limits.WORKER_PORTS_KEPT_S)
        assert one.ports == {SHOP}
        assert (one.totals(SHOP).requests, one.totals(GONE).requests) == (4, 0)
        assert (one.share(SHOP), one.share(GONE)) == (3, None)

    played(step)


def test_a_port_that_comes_again_in_time_stays() -> None:
    def step(one: WorkerState, ports: GonePorts, known: set[ServiceKey]) -> None:
        known.discard(GONE)
        ports.look(0.0)
        known.add(GONE)
        ports.look(1.0)
        known.discard(GONE)
        ports.look(limits.WORKER_PORTS_KEPT_S)
        assert one.totals(GONE).requests == 4

    played(step)
