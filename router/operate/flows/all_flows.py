"""Flows of all workers of a router, joined at the first worker."""

import asyncio
from collections import deque
from collections.abc import Iterator
from operator import attrgetter

from router.admin.views.flow import FlowDetail, FlowsWanted, FlowView
from router.model import limits
from router.operate.flows.flows import Flows
from router.workers.one_worker import WorkerState, of
from router.workers.worker_messages import (
    Detail,
    FlowList,
    FlowNews,
    FlowNewsQuestion,
    FlowQuestion,
    FlowsQuestion,
)
from router.workers.workers import Workers

_Cursor = tuple[int, int]
"""The life of a worker, and the last turn that it reported."""


class AllFlows:
    """Asks the other workers while a client follows, and numbers all finished flows in one
    sequence.

    Implements `FlowsView` and `OtherFlows`.
    """

    def __init__(self, own: Flows, workers: Workers) -> None:
        self._own = own
        self._workers = workers
        self._turn = 0
        self._own_turn = own.turn
        self._ended: deque[tuple[int, FlowView]] = deque(maxlen=limits.FLOWS_KEPT)
        self._lasting: dict[int, dict[int, FlowView]] = {}  # By worker, then by number.
        self._cursors: dict[int, _Cursor] = {}
        self._skipped: dict[int, int] = {}
        self._followers = 0
        self._following: asyncio.Task[None] | None = None

    @property
    def turn(self) -> int:
        """Number of recorded flows that ended at any worker."""
        self._take_own()
        return self._turn

    @property
    def skipped(self) -> int:
        """Requests that no worker recorded while a client followed."""
        return self._own.skipped + sum(self._skipped.values())

    def look(self) -> None:
        self._own.look()

    def follow(self) -> bool:
        """A client follows until `unfollow`. False: too many follow."""
        if not self._own.follow():
            return False
        self._followers += 1
        if self._following is None:
            self._following = asyncio.get_running_loop().create_task(self._follow())
        return True

    def unfollow(self) -> None:
        self._own.unfollow()
        self._followers -= 1
        if not self._followers:
            self.close()

    def close(self) -> None:
        """Stop asking the workers. Finished flows stay for a follower that comes back."""
        if self._following is not None:
            loop = self._following.get_loop()
            self._following.cancel()
            self._following = None
            self._lasting.clear()
            loop.call_later(limits.FLOWS_WATCH_S, self._forget)

    def newest(self) -> Iterator[FlowView | None]:
        return self._own.newest()

    async def newest_of_others(self, wanted: FlowsWanted) -> list[FlowView]:
        """The newest flows of the other workers: of each as many as are wanted in all."""
        found: list[FlowView] = []
        for one, told in await self._workers.ask(FlowsQuestion(wanted)):
            for part in of(told, FlowList):
                found += part.items
                self._skipped[one.index] = part.skipped
        return found

    def since(self, turn: int) -> list[FlowView]:
        """Stored flows that ended after ``turn``, oldest first."""
        self._take_own()
        found: list[FlowView] = []
        for number, view in reversed(self._ended):
            if number <= turn:
                break
            found.append(view)
        return found[::-1]

    def lasting(self) -> list[FlowView]:
        """The newest long-lasting flows in progress of all workers, newest first."""
        each = self._own.lasting()
        for views in self._lasting.values():
            each += views.values()
        each.sort(key=attrgetter("id"), reverse=True)
        return each[: limits.FLOWS_AGAIN_MAX]

    def detail(self, number: int) -> FlowDetail | None:
        return self._own.detail(number)

    async def detail_of_others(self, number: int) -> FlowDetail | None:
        """The detail of a flow at another worker."""
        for _, told in await self._workers.ask(FlowQuestion(number)):
            for part in of(told, Detail):
                return part.item
        return None

    # Inside

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        again_at = loop.time()
        while True:
            is_again = loop.time() >= again_at
            if is_again:
                again_at = loop.time() + limits.FLOWS_AGAIN_S

            def question(one: WorkerState, is_again: bool = is_again) -> FlowNewsQuestion:
                life, turn = self._cursors.get(one.index, (0, None))
                # In a life not asked before, everything is new, unless following has just begun.
                after = turn if life == one.starts else None if turn is None else 0
                return FlowNewsQuestion(after, is_again)

            for one, told in await self._workers.ask(question):
                for part in of(told, FlowNews):
                    self._hear(one, part)
            living = {one.index for one in self._workers.all if one.ready}
            for index in self._lasting.keys() - living:
                del self._lasting[index]  # They ended with it.
            await asyncio.sleep(limits.FLOWS_TICK_S)

    def _hear(self, one: WorkerState, news: FlowNews) -> None:
        self._cursors[one.index] = (one.starts, news.turn)
        self._skipped[one.index] = news.skipped
        if news.lasting is not None:
            self._lasting[one.index] = {view.id: view for view in news.lasting}
        lasting = self._lasting.get(one.index, {})
        for view in news.ended:
            lasting.pop(view.id, None)  # No follower may see a flow as lasting after its end.
            self._keep(view)

    def _forget(self) -> None:
        if self._following is None:
            self._ended.clear()

    def _take_own(self) -> None:
        turn = self._own.turn
        if turn != self._own_turn:
            for view in self._own.since(self._own_turn):
                self._keep(view)
            self._own_turn = turn

    def _keep(self, view: FlowView) -> None:
        self._turn += 1
        self._ended.append((self._turn, view))
