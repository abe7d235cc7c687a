"""The callers of a running router: on and off, and a fault in them ends nothing else."""

import asyncio
import logging
from collections.abc import Callable

import pytest

from router.process.callers.callers_run import CallersRun
from router.service.observers import Observing
from tests.unit.callers.names import Names
from tests.unit.virtual_loop import run


class FaultyNames(Names):
    """Whose first looks and runs fail."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = self.runs = 0
        self.is_closed = False

    def settled_until(self) -> float:
        self.looks += 1
        if self.looks < 3:
            raise ValueError("a fault of ours")
        return self.settled

    async def run(self, wanted: Callable[[], bool]) -> None:
        self.runs += 1
        if self.runs < 3:
            raise ValueError("a fault of ours")
        assert not wanted()

    def close(self) -> None:
        self.is_closed = True


def test_a_fault_while_callers_are_named_is_logged_and_naming_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    names = FaultyNames()

    async def story() -> None:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(CallersRun(names, Observing()).run())
            await asyncio.sleep(60.0)
            assert not running.done()
            running.cancel()

    with caplog.at_level(logging.ERROR):
        run(story())
    assert names.looks > 10 and names.runs == 3
    assert len(caplog.records) == 4


def test_callers_are_asked_for_while_the_site_says_so() -> None:
    names, observing = FaultyNames(), Observing()
    naming = CallersRun(names, observing)
    found: list[object] = []
    for is_on in (True, False, True):
        naming.apply(names_callers=is_on)
        found.append(observing.callers)
    assert found == [naming.callers, None, naming.callers]
    naming.close()
    assert observing.callers is None and names.is_closed
