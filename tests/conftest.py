"""A test that takes too long fails with what every thread was doing, and the run goes on.

The thread of pytest-timeout ends the process instead, and pytest-xdist then waits for ever. What
its signal raises is lost where it falls into a callback of an event loop. Ours leaves the loop, and
comes again until the test ends. Where nothing of Python runs any more, the process ends after all.
"""

import faulthandler
import gc
import os
import signal
import sys
from collections import defaultdict
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from router.model.limits import GC_AFTER_OBJECTS
from tests import needs
from tests.order import interleaved, part
from tests.programs import use_tools

use_tools()

PROFILES: Final = {"short": 40, "few": 25, "long": 300}
"""Of Hypothesis, with their examples: for `make test`, `make test-pythons`, `make test-long`."""
for profile, tried in PROFILES.items():
    hypothesis_settings.register_profile(
        profile,
        deadline=None,  # A busy machine is no finding.
        suppress_health_check=[HealthCheck.too_slow],
        max_examples=tried,
    )
hypothesis_settings.load_profile("short")

# A shell without job control starts its background processes deaf to the interruption that many
# tests send to their child processes.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_STDERR_FD: Final = 2
AGAIN_S: Final = 15.0
"""Time for a test to clean up behind itself, until what may have been swallowed is raised again."""
HARD_FACTOR: Final = 2.0
"""The process ends after so many times the test's own limit."""


class Late(SystemExit):
    """A test is over its time. An event loop lets this kind through, and `except Exception` too."""


class LateLaw(BaseException):
    """A test of Hypothesis takes too long. Hypothesis would simplify the example of a `Late`."""


def _raise_in_test(late: BaseException) -> None:
    """Raise ``late``. While a test waits for playwright, that runs its event loop in a greenlet of
    this thread, which the exception would end in the middle of a callback: every other test with
    the same browser would then fail. It goes into the greenlet of the test instead; the callback
    goes on at the next call of playwright.
    """
    greenlet = sys.modules.get("greenlet")  # Of playwright, if that is loaded.
    if greenlet is None:
        raise late
    current = outermost = greenlet.getcurrent()
    while outermost.parent is not None:
        outermost = outermost.parent
    if current is outermost:
        raise late
    outermost.throw(late)


class Timeouts:
    """Instead of the ways of pytest-timeout to end a test."""

    def __init__(self, stderr_fd: int) -> None:
        self._stderr_fd = stderr_fd  # Not the captured one: its text is lost with the process.

    @pytest.hookimpl(tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> bool:
        """Begin to count; ``settings`` are of pytest-timeout."""

        is_law = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)

        def late(number: int, frame: FrameType | None) -> None:
            faulthandler.dump_traceback(_STDERR_FD)
            text = f"the test took more than {settings.timeout:g} s"
            _raise_in_test(LateLaw(text) if is_law else Late(text))

        signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, settings.timeout, AGAIN_S)
        hard_s = HARD_FACTOR * settings.timeout
        faulthandler.dump_traceback_later(hard_s, exit=True, file=self._stderr_fd)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_timeout_cancel_timer(self, item: pytest.Item) -> bool:
        """It has ended."""
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        faulthandler.cancel_dump_traceback_later()
        return True


def pytest_configure(config: pytest.Config) -> None:
    """Nothing is captured at this moment."""
    gc.disable()  # Collected tests stay: scanning them again and again takes a third of the time.
    config.pluginmanager.register(Timeouts(os.dup(_STDERR_FD)), "timeouts")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With or without ``--dist loadfile``, a test process takes the next part of a file.

    Tests of one file share fixtures, and some of them judge what the others did.
    """
    # pytest must see xdist before any module imports it. It has no types.
    from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

    class Parts(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return part(nodeid)

    return Parts(config, log) if config.getvalue("dist") in ("load", "loadfile") else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that wait among files that compute."""
    items[:] = interleaved(items, lambda item: item.nodeid.partition("::")[0])


def pytest_collection_finish() -> None:
    """The garbage collector leaves alone the objects that stay for good: many tests call it.

    It runs as often as in a router: Hypothesis, too, has a call in each of its runs.
    """
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_AFTER_OBJECTS)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out a test that is marked with a program or right missing here, before its fixtures are
    made.
    """
    for mark in item.iter_markers("programs"):
        needs.programs(*mark.args)
    for mark in item.iter_markers("root"):
        needs.root(*mark.args)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Iterator[None]:
    """In CI a test is left out for an excused reason only."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = _reason(report)
        if not needs.is_excused(reason):
            report.outcome, report.longrepr = "failed", f"not left out where CI is set: {reason}"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What did not run, and why."""
    left_out: dict[str, list[str]] = defaultdict(list)
    for report in terminalreporter.stats.get("skipped", []):
        left_out[_reason(report)].append(report.nodeid.partition("::")[0])
    if left_out:
        terminalreporter.section("not run", sep="!")
        for line in needs.banner(left_out):
            terminalreporter.line(line)


def _reason(report: Any) -> str:
    """Of a report on a test that was left out: file, line and reason."""
    reason: str = report.longrepr[2]
    return reason.removeprefix("Skipped: ")
