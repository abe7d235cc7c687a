"""The router as a plain process that `start` leaves behind; nothing restarts it."""

import contextlib
import os
import re
import select
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from certs.files import is_foreign_directory, named, open_directory
from sitectl.base.failure import not_allowed
from sitectl.runtimes import presence
from sitectl.runtimes.base import Runtime
from sitectl.runtimes.outcomes import not_ready, start_failed
from sitectl.runtimes.presence import is_running, last_error, running_pid, wait_until
from sitectl.site.directory import DirectorySite
from sitectl.site.holders import holder_of

_TAKEN: Final = re.compile(r"([^ ]+):([0-9]{1,5}): Address already in use$")
CONTAINER_VARIABLE = "container"  # Set in lower case by podman and systemd-nspawn.


def router_command(site: DirectorySite) -> list[str]:
    """The words that run the router of ``site``, to be run with `router_environment`."""
    words = ["-m", "router.process.main", "--site-dir", str(site.directory)]
    return [sys.executable, "-P", *words]


def is_supervised() -> bool:
    """Whether our parent collects our output: podman, Kubernetes or the journal.

    podman sets ``container``; systemd names its stream (systemd.exec(5), JOURNAL_STREAM), which
    a shell of a service inherits, so the stream must be our own.
    """
    if os.environ.get(CONTAINER_VARIABLE) or "KUBERNETES_SERVICE_HOST" in os.environ:
        return True
    output = os.fstat(1)
    return os.environ.get("JOURNAL_STREAM") == f"{output.st_dev}:{output.st_ino}"


def code_directory() -> str:
    """The directory that holds our packages."""
    return str(Path(__file__).resolve().parents[2])


def router_environment() -> dict[str, str]:
    """The environment of a router: it finds the code that we are, whatever lies where we stand."""
    ours = code_directory()
    others = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{ours}{os.pathsep}{others}" if others else ours}


def require_own(site: DirectorySite) -> None:
    """Raise Failure when we are root and the site is not: its router would run as root."""
    if is_foreign_directory(site.directory):
        owner = site.directory.stat().st_uid
        raise not_allowed(
            f"{site.directory} is of user {owner}, as root no router of it is run",
            f"sudo -u '#{owner}' sitectl --state {shlex.quote(str(site.directory.parent))} "
            f"--site {site.name} start",
        )


def _open_log(path: str, flags: int) -> int:
    """Root follows no symbolic link: before the site was root's, its router may have laid one."""
    if os.geteuid() != 0:
        return os.open(path, flags, 0o600)
    directory = open_directory(Path(path).parent)
    try:
        with named(Path(path)):
            return os.open(Path(path).name, flags | os.O_NOFOLLOW, 0o600, dir_fd=directory)
    finally:
        os.close(directory)


def _with_holder(cause: str) -> tuple[str, str]:
    """The router's last output, with the process that holds its port; and the next step."""
    taken = _TAKEN.search(cause)
    port = int(taken[2]) if taken else 0
    found = holder_of(taken[1], port) if taken else None
    return (f"{cause}: {found.reason(port)}", found.hint(port)) if found else (cause, "")


class ProcessRuntime(Runtime):
    """A child of the first `start`, then an orphan."""

    def start(self, timeout_s: float) -> bool:
        """Start it and wait until it is ready. False: it ran already. Failure: it did not."""
        site, ends_at = self.site, time.monotonic() + timeout_s
        if site.admin.is_ready(timeout_s):
            return False
        require_own(site)
        started: subprocess.Popen[bytes] | None = None
        site.run.mkdir(mode=0o700, exist_ok=True)
        log_start = site.log.stat().st_size if site.log.exists() else 0

        def settled() -> bool:
            nonlocal started
            if started is None and not is_running(site):  # Or who ran a moment ago has ended.
                started = self._launched()
            ended = started is not None and started.poll() is not None
            # Another command's router may hold the lock, started just now: then wait for that one.
            left_s = ends_at - time.monotonic()
            return site.admin.is_ready(left_s) or (ended and not site.is_locked())

        in_time = wait_until(settled, ends_at - time.monotonic())
        ended = started.returncode if started is not None else None
        if started is not None and ended is None:
            started.returncode = (
                0  # It outlives us on purpose: avoids the warning of an unjoined child.
            )
        if not in_time:
            raise not_ready(site.name, timeout_s, self.log_hint())
        if ended is not None and not site.admin.is_ready():
            cause, hint = _with_holder(last_error(site.log, log_start))
            hint = hint or f"sitectl check, or read the whole log: {site.log}"
            raise start_failed(site.name, f" (exit {ended}): {cause}", hint)
        return True

    def _launched(self) -> "subprocess.Popen[bytes]":
        with open(self.site.log, "ab", opener=_open_log) as log:
            return subprocess.Popen(
                router_command(self.site),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.site.directory,
                env=router_environment(),
                start_new_session=True,
            )

    def stop(self, timeout_s: float) -> bool:
        """Have the router drain and end; returns when it is gone. False: none ran."""
        site = self.site
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
                raise presence.not_ended(site, timeout_s, f"process {process_id}")
        finally:
            os.close(handle)
        return True
