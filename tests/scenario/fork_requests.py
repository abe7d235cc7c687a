"""How to ask the server of `tests.scenario.forking` for a process, and what one has then."""

import json
import os
import resource
import select
import signal
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

CODE_BYTES: Final = 16


class Forked:
    """A process: as `subprocess.Popen`, as far as its callers need it."""

    def __init__(self, pid: int, ending: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ending = os.fdopen(ending, "rb", buffering=0)  # Its exit code comes there.

    def fileno(self) -> int:
        """Readable once the process has ended."""
        return self._ending.fileno()

    def poll(self) -> int | None:
        """The exit code; None: it runs."""
        return self.wait(0.0)

    def wait(self, timeout_s: float | None) -> int | None:
        """The exit code; None: it runs still, after so long. ``timeout_s`` None: until it ends."""
        if self.returncode is None and select.select([self._ending], [], [], timeout_s)[0]:
            with self._ending as ending:
                self.returncode = int(ending.read(CODE_BYTES))
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """To the process alone, unless it has ended: also if we have not heard of its end yet."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def forget(self) -> None:
        """No caller waits for its end any more."""
        self._ending.close()


def ask(
    server: socket.socket,
    words: Sequence[str],
    files: tuple[int, int, int],
    directory: Path,
    environment: Mapping[str, str],
    *,
    bounds: Mapping[str, float] | None = None,
    inherited: Sequence[int] = (),
    forks: bool = False,
) -> Forked:
    """A new process: `python WORDS`. ``files``: standard input, output and error output.

    ``bounds`` replace those of `router.model.limits`: waits of hours take seconds. It has the files
    ``inherited``, by the same numbers. ``forks``: the Python processes that it starts are forked
    from the same server, in separate sessions.
    """
    ending, told = os.pipe()
    wanted = {
        "words": list(words),
        "directory": str(directory),
        "environment": dict(environment),
        "umask": _umask(),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE),
        "bounds": dict(bounds or {}),
        "inherited": list(inherited),
        "forks": forks,
    }
    try:
        socket.send_fds(server, [json.dumps(wanted).encode()], [*files, told, *inherited])
        pid = int(server.recv(CODE_BYTES) or b"0")
    finally:
        os.close(told)
    if not pid:
        os.close(ending)
        raise OSError("the server that forks has ended")
    return Forked(pid, ending)


def _umask() -> int:
    """Ours, without changing it for a moment."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1], 8) for line in lines if line.startswith("Umask:"))
