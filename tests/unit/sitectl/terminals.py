"""`sitectl` at a separate terminal, as a person would see it."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

WAIT_S = 30.0
_CODES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[=>]|\][^\x07]*\x07)")


class Terminal:
    """A command in a pseudo-terminal of a size; it is killed when this ends."""

    def __init__(
        self,
        state: Path,
        *words: str,
        columns: int = 80,
        lines: int = 24,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._main, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sitectl", *words],
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
            preexec_fn=_take_terminal,
            env={
                **kept,
                "SITECTL_STATE": str(state),
                "PYTHONPATH": os.pathsep.join(sys.path),
                "TERM": "xterm",
                "LC_ALL": "C.UTF-8",
                "PYTHONIOENCODING": "utf-8",
                **(environment or {}),
            },
        )
        os.close(other)
        self.raw = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._main)

    @property
    def text(self) -> str:
        """All that was shown so far, without what moves the cursor and colors."""
        return _CODES.sub("", self.raw).replace("\r", "")

    def until(self, look: Callable[[str], object], what: str) -> str:
        """Read until ``look`` accepts the text; returns the text."""
        deadline = time.monotonic() + WAIT_S
        while not look(self.text):
            assert self._read(deadline), f"not shown: {what}; shown: {self.text!r}"
        return self.text

    def end(self) -> int:
        """Read until the command ends; its exit code."""
        deadline = time.monotonic() + WAIT_S
        while self._read(deadline):
            pass
        return self.process.wait(max(0.1, deadline - time.monotonic()))

    def press(self, keys: str) -> None:
        """Type ``keys``."""
        os.write(self._main, keys.encode())

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        os.killpg(self.process.pid, signal.SIGINT)

    def resize(self, columns: int, lines: int) -> None:
        """Change the size of the terminal."""
        fcntl.ioctl(self._main, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def _read(self, deadline: float) -> bool:
        """Whether something came before ``deadline``."""
        ready, _, _ = select.select([self._main], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            part = os.read(self._main, 65_536)
        except OSError:  # EIO: the other side is closed.
            return False
        self.raw += part.decode("utf-8", "replace")
        return bool(part)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
