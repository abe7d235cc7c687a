"""Commands that go on beside a test, without the second that Python takes to start."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.scenario import forking


class Started:
    """`sitectl WORDS`, forked: as `subprocess.Popen` as far as tests need it.

    ``stdout`` has its output and its errors.
    """

    def __init__(
        self, words: Sequence[str], directory: Path, environment: Mapping[str, str]
    ) -> None:
        ours, theirs = os.pipe()
        self.stdout: IO[str] = os.fdopen(ours)
        try:
            with open(os.devnull, "rb") as nothing:
                self._forked = forking.PYTHON.run(
                    [*forking.SITECTL, *words],
                    (nothing.fileno(), theirs, theirs),
                    directory,
                    environment,
                    forks=True,
                )
        finally:
            os.close(theirs)
        self._words = list(words)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        self.communicate()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._forked.pid

    @property
    def returncode(self) -> int | None:
        """The exit code; None: it runs, or `wait` has not been called."""
        return self._forked.returncode

    def poll(self) -> int | None:
        """The exit code; None: it runs."""
        return self._forked.poll()

    def wait(self, timeout_s: float) -> int:
        """The exit code. Raises `subprocess.TimeoutExpired`."""
        code = self._forked.wait(timeout_s)
        if code is None:
            raise subprocess.TimeoutExpired(self._words, timeout_s)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """To the process alone, unless it has ended."""
        self._forked.send_signal(number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout_s: float = 30.0) -> str:
        """All that it still prints; it has ended then."""
        with self.stdout as stdout:
            printed = stdout.read()
        self.wait(timeout_s)
        return printed
