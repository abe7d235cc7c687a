"""Run all tests; run the few that failed again, alone: `make test` and the like.

Several tests run at a time on two processors, with browsers and databases among them, so a correct
test is sometimes too late. A test that fails there and then passes `ALONE_TIMES` times in a row,
alone, does not fail the run. The end of the run names it, because a rare failure may be real. If
more than `FEW` tests fail, the run fails at once: that is no bad luck.

Plugins that repeat tests repeat them at once, beside the others, and one pass is enough for them.
Arguments and exit codes are those of pytest; ``--in-memory`` puts the files of tests there.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from tests.compiled import compile_tests
from tests.order import processes

FEW: Final = 8
"""One in two thousand. A machine of CI with other work had five at once, of five unlike files."""
ALONE_TIMES: Final = 3
ALONE_S: Final = 900
"""A test may take so long alone: what `tests/podman` has in any case."""
_PROFILE: Final = "--hypothesis-profile"
MEMORY: Final = Path("/dev/shm")
MEMORY_FREE_BYTES: Final = 2 << 30
"""Ten times as much as all files of a whole run."""
IN_MEMORY: Final = "--in-memory"


class Failures:
    """A plugin that hears which tests failed, and names each at once."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._reporter: pytest.TerminalReporter | None = None

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """The terminal is there."""
        self._reporter = session.config.pluginmanager.get_plugin("terminalreporter")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A part of a test has ended: of any worker, where there are several."""
        if report.failed and report.nodeid not in self.names:
            self.names.append(report.nodeid)
            if self._reporter is not None:
                self._reporter.write_line(f" {report.nodeid} failed")


class Spread:
    """A plugin for runs of several test processes."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_xdist_auto_num_workers(self) -> int:
        """For ``-n auto``: instead of as many as there are processors."""
        memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return processes(len(os.sched_getaffinity(0)), memory_bytes)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, config: pytest.Config) -> None:
        """Before test processes start: each would compile all tests of a fresh checkout."""
        compile_tests(config.args, config.rootpath, len(os.sched_getaffinity(0)))


def verdict(code: int, failed: Sequence[str], alone: Callable[[Sequence[str]], int]) -> int:
    """``code`` of the run, or 0 if it is of a few tests that passed when ``alone`` ran them."""
    if code != pytest.ExitCode.TESTS_FAILED or not 0 < len(failed) <= FEW:
        return code
    for time in range(1, ALONE_TIMES + 1):
        print(f"\nAlone, {time} of {ALONE_TIMES}: {' '.join(failed)}", flush=True)
        if again := alone(failed):
            return again
    return 0


def alone(names: Sequence[str], options: Sequence[str] = ()) -> int:
    """Run these tests in a separate process, one after the other."""
    command = [sys.executable, "-m", "pytest", "-o", f"timeout={ALONE_S}", *options, *names]
    return subprocess.run(command).returncode


def profile_of(arguments: Sequence[str]) -> list[str]:
    """Those that say how many examples and seeds there are: some tests are only in a long run."""
    if _PROFILE not in arguments:
        return []
    at = arguments.index(_PROFILE)
    return [*arguments[at : at + 2]]


@contextmanager
def place(memory: Path = MEMORY) -> Iterator[list[str]]:
    """Where files of tests are: in memory, if it has room for them and programs run there.

    Sites, clusters and databases write each file through to its disk: a twelfth of their time.
    """
    if not _is_roomy(memory):
        yield []
        return
    with tempfile.TemporaryDirectory(
        prefix="spillway-", dir=memory, ignore_cleanup_errors=True
    ) as found:
        yield ["--basetemp", f"{found}/t"]


def _is_roomy(memory: Path) -> bool:
    if not (os.path.ismount(memory) and os.access(memory, os.W_OK)):
        return False
    found = os.statvfs(memory)
    runs_programs = not found.f_flag & os.ST_NOEXEC
    return runs_programs and found.f_bavail * found.f_frsize >= MEMORY_FREE_BYTES


def main(arguments: Sequence[str]) -> int:
    """Run tests as ``arguments`` of pytest say."""
    failures = Failures()
    words = [word for word in arguments if word != IN_MEMORY]
    with place() if IN_MEMORY in arguments else nullcontext(list[str]()) as where:
        code = pytest.main([*where, *words], plugins=[failures, Spread()])
    result = verdict(code, failures.names, partial(alone, options=profile_of(arguments)))
    if code and not result:
        bar = "!" * 96
        print(f"{bar}\n!! FAILED BESIDE OTHERS, PASSED {ALONE_TIMES} TIMES ALONE, find out why:")
        print("\n".join(f"!!   {name}" for name in failures.names) + f"\n{bar}")
    return int(result)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
