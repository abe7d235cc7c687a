"""Starts workers, and ends those that an earlier router left."""

import contextlib
import faulthandler
import fcntl
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from router.model import limits
from router.model.lock_text import LOCK_TEXT_BYTES_MAX, process_in
from router.process.memory import memory_limit

_COUNT_FILE = "count"
"""In the directory of workers: their number at the last start."""
_AUTO = "auto"


def worker_count(text: str) -> int:
    """A number, or ``auto``: one for each core that this process may use and has memory for."""
    if text == _AUTO:
        cores = len(os.sched_getaffinity(0))
        return max(1, min(cores, limits.WORKERS_MAX, room_for()))
    count = int(text)
    if not 1 <= count <= limits.WORKERS_MAX:
        raise ValueError(text)
    return count


def room_for(stated_bytes: int = 0) -> int:
    """The number of workers with enough memory here, within ``stated_bytes``; 0: none is
    configured.
    """
    limit_bytes = min(memory_limit(), stated_bytes or memory_limit())
    return limit_bytes // limits.WORKER_MEMORY_MIN_BYTES


def end_previous_workers(run: Path, count: int) -> None:
    """Call before this router serves: no worker with a share of another division may remain.

    If the first worker died, others may still be finishing. A worker with the same number waits at
    the lock of its predecessor; if the count changed, the old ones are killed now. ``run``: the
    router's.
    """
    workers = run / "workers"
    if not workers.exists():
        if count > 1:
            workers.mkdir(mode=0o700)
            (workers / _COUNT_FILE).write_text(f"{count}\n")
        return
    kept = workers / _COUNT_FILE
    before = kept.read_text().strip() if kept.exists() else ""
    if before != str(count):
        for lock in sorted(workers.glob("*/lock")):
            _end_holder(lock)
        kept.write_text(f"{count}\n")


def _end_holder(lock: Path) -> None:
    """Kill the holder of ``lock``, which wrote its process id into it."""
    with lock.open("r+") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                if (process_id := process_in(file.read(LOCK_TEXT_BYTES_MAX))) is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process_id, signal.SIGKILL)
                time.sleep(limits.WORKER_LOOK_S)
            else:
                return


def command(
    site_dir: Path, count: int, log: str, level: str, interpreter: str = sys.executable
) -> tuple[str, ...]:
    """The command that starts a worker, without its number: the same Python as here."""
    options: Mapping[str, str] = {
        "--site-dir": str(site_dir),
        "--count": str(count),
        "--log": log,
        "--log-level": level,
    }
    words = [word for option in options.items() for word in option]
    flags = ["-P"] if sys.flags.safe_path else []  # Else it may import from its directory.
    if faulthandler.is_enabled():
        flags += ["-X", "faulthandler"]
    return (interpreter, *flags, "-m", "router.process.worker", *words)
