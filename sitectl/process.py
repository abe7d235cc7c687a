"""The router of a process site as a process: starting, finding, stopping."""

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sitectl.directory import DirectorySite
from sitectl.failure import Exit, Failure

POLL_S = 0.05
_LOG_TAIL_BYTES = 64 * 1024
CONTAINER_VARIABLE = "container"  # Set in lower case by podman and systemd-nspawn.


def router_command(site: DirectorySite) -> list[str]:
    """The words that run the router of ``site``, to be run with `router_environment`."""
    words = ["-m", "router.main.process", "--site-dir", str(site.directory)]
    return [sys.executable, "-P", *words]


def is_supervised() -> bool:
    """Whether who started us collects what is printed: podman, Kubernetes or the journal.

    podman sets ``container``; systemd names its stream (systemd.exec(5), JOURNAL_STREAM), which
    a shell of a service inherits, so the stream must be our own.
    """
    if os.environ.get(CONTAINER_VARIABLE) or "KUBERNETES_SERVICE_HOST" in os.environ:
        return True
    output = os.fstat(1)
    return os.environ.get("JOURNAL_STREAM") == f"{output.st_dev}:{output.st_ino}"


def router_environment() -> dict[str, str]:
    """The environment of a router: it finds the code that we are, whatever lies where we stand."""
    ours = str(Path(__file__).resolve().parents[1])
    others = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{ours}{os.pathsep}{others}" if others else ours}


def wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Whether ``condition`` came true within ``timeout_s``; asks twenty times a second."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_S)
    return True


def is_locked(site: DirectorySite) -> bool:
    """Whether a process holds ``run/lock``, as a router does from its first step to its last."""
    try:
        descriptor = os.open(site.run / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def running_pid(site: DirectorySite) -> int | None:
    """The router's process id, only when it is surely ours; None: it does not run.

    The kernel names the process behind the admin socket. Without an answer there, the number in
    the lock file counts, but only while the lock is held.
    """
    process_id = site.admin.process_id()
    if process_id is not None:
        return process_id
    if not is_locked(site):
        return None
    try:
        return int((site.run / "lock").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def is_running(site: DirectorySite) -> bool:
    """Whether a router of this site runs, ready or not."""
    return site.admin.is_running() or is_locked(site)


def start(site: DirectorySite, timeout_s: float) -> bool:
    """Start the router and wait until it is ready. False: it ran already. Failure: it did not."""
    if site.admin.is_ready():
        return False
    started: subprocess.Popen[bytes] | None = None
    site.run.mkdir(mode=0o700, exist_ok=True)
    log_start = site.log.stat().st_size if site.log.exists() else 0
    if not is_running(site):
        with site.log.open("ab") as log:
            started = subprocess.Popen(
                router_command(site),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=site.directory,
                env=router_environment(),
                start_new_session=True,
            )

    def settled() -> bool:
        ended = started is not None and started.poll() is not None
        # Somebody else's may hold the lock, started in the same moment: then wait for that one.
        return site.admin.is_ready() or (ended and not is_locked(site))

    in_time = wait_until(settled, timeout_s)
    ended = started.returncode if started is not None else None
    if started is not None and ended is None:
        started.returncode = 0  # It outlives us on purpose: no warning that nobody waited for it.
    if not in_time:
        raise Failure(
            Exit.TIMED_OUT,
            "not-ready",
            f"the router of {site.name!r} is not ready after {timeout_s:g} s",
            f"Look at {site.log}",
            retryable=True,
        )
    if ended is not None and not site.admin.is_ready():
        cause = last_error(site.log, log_start)
        raise Failure(
            Exit.FAILED,
            "start-failed",
            f"the router of {site.name!r} ended at once (exit {ended}): {cause}",
            f"sitectl check, or read the whole log: {site.log}",
        )
    return True


def last_error(log: Path, start_at: int) -> str:
    """The last error, else the last line, of what ``log`` gained since ``start_at``."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(start_at if start_at <= size else 0, size - _LOG_TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return "it wrote no log"
    lines = [line for line in lines if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return _message((errors or lines or ["it wrote no log"])[-1])


def _message(line: str) -> str:
    """The text of a log line, whether it is JSON or plain."""
    try:
        fields = json.loads(line)
    except ValueError:
        return line.strip()
    if not isinstance(fields, dict):
        return line.strip()
    text = str(fields.get("message") or fields.get("msg") or line.strip())
    cause = fields.get("cause") or fields.get("error")
    return f"{text}: {cause}" if cause else text


def stop(site: DirectorySite, timeout_s: float) -> bool:
    """Have the router drain and end; returns when it is gone. False: none ran."""
    process_id = running_pid(site)
    if process_id is None:
        return False
    try:
        handle = os.pidfd_open(process_id)
    except ProcessLookupError:
        return False
    try:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGTERM)
        poller = select.poll()
        poller.register(handle, select.POLLIN)
        if not poller.poll(timeout_s * 1000):
            raise Failure(
                Exit.TIMED_OUT,
                "still-draining",
                f"the router of {site.name!r} (process {process_id}) still drains after "
                f"{timeout_s:g} s",
                "Wait longer with --timeout, or type stop again to end it now",
                retryable=True,
            )
    finally:
        os.close(handle)
    return True
