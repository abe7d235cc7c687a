"""All tests at once, then the few that failed once more, alone: `make test` and its kin.

Three tests at a time on two processors, with browsers and databases among them, make a test late
now and then that nothing is wrong with. Who fails there and passes `ALONE_TIMES` times running,
with nothing beside it, does not fail the run; the end of the run names it, since what is rare may
be real. More than `FEW` failures are no accident, and count as they are.

Arguments are pytest's; what it returns is returned.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Final

import pytest

FEW: Final = 3
ALONE_TIMES: Final = 3
ALONE_S: Final = 900
"""A test may take so long alone: what `tests/podman` has in any case."""


class Failures:
    """A plugin that hears which tests failed."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A part of a test has ended: of any worker, where there are several."""
        if report.failed and report.nodeid not in self.names:
            self.names.append(report.nodeid)


def verdict(code: int, failed: Sequence[str], alone: Callable[[Sequence[str]], int]) -> int:
    """``code`` of the run, or 0 if it is of a few tests that passed when ``alone`` ran them."""
    if code != pytest.ExitCode.TESTS_FAILED or not 0 < len(failed) <= FEW:
        return code
    for time in range(1, ALONE_TIMES + 1):
        print(f"\nAlone, {time} of {ALONE_TIMES}: {' '.join(failed)}", flush=True)
        if again := alone(failed):
            return again
    return 0


def alone(names: Sequence[str]) -> int:
    """Run these tests in a process of their own, one after the other."""
    command = [sys.executable, "-m", "pytest", "-o", f"timeout={ALONE_S}", *names]
    return subprocess.run(command).returncode


def main(arguments: Sequence[str]) -> int:
    """Run tests as ``arguments`` of pytest say."""
    failures = Failures()
    code = pytest.main([*arguments], plugins=[failures])
    result = verdict(code, failures.names, alone)
    if code and not result:
        bar = "!" * 96
        print(f"{bar}\n!! FAILED BESIDE OTHERS, PASSED {ALONE_TIMES} TIMES ALONE, find out why:")
        print("\n".join(f"!!   {name}" for name in failures.names) + f"\n{bar}")
    return int(result)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
