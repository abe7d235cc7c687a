"""An asyncio loop whose clock jumps to the next timer whenever nothing is ready: no test sleeps."""

import asyncio
import contextlib
import selectors
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class _Selector(selectors.BaseSelector):
    """Never waits: where a real one would, the clock goes on."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.now = 0.0

    def register(self, fileobj: Any, events: int, data: object = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = self._real.select(0)
        if found:
            return found
        assert timeout is not None, "everybody waits for nothing"
        self.now += max(0.0, timeout)
        return []

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()


class VirtualLoop(asyncio.SelectorEventLoop):
    """For stories without sockets and threads."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now

    def jump(self, seconds: float) -> None:
        """Time passes while nothing of the loop runs."""
        self._virtual.now += seconds


def run(story: Coroutine[Any, Any, T]) -> T:
    """What ``story`` returns; its time is virtual and begins at 0."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(story)


class Runs(Protocol):
    """What belongs to one task."""

    async def run(self) -> None: ...


@contextlib.asynccontextmanager
async def running(one: Runs) -> AsyncIterator[None]:
    """While ``one`` runs; it is cancelled then."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(one.run())
        yield
        task.cancel()
