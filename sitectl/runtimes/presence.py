"""Whether a router of a site runs here, under any runtime, and its last output."""

import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from certs.errors import CertError
from certs.files import is_foreign_directory, read_whole
from router.model.events import ENDED_WITHOUT_STOPPING
from router.model.lock_text import LOCK_TEXT_BYTES_MAX, process_in, process_that_died
from sitectl.base.failure import Failure
from sitectl.base.findings import Finding
from sitectl.runtimes import outcomes
from sitectl.site import run_lock
from sitectl.site.directory import DirectorySite

POLL_S = 0.05
_LOG_TAIL_BYTES = 64 * 1024
_LAST_WORD = "spillway-router: "
"""Begins the line that a router writes as it ends by a fault."""


def wait_until(condition: Callable[[], bool], timeout_s: float, poll_s: float = POLL_S) -> bool:
    """Whether ``condition`` came true within ``timeout_s``; asks every ``poll_s``, and then."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return False
        time.sleep(min(poll_s, left_s))
    return True


def running_pid(site: DirectorySite) -> int | None:
    """The router's process id, only when it is surely ours; None: it does not run.

    The kernel names the process behind the admin socket. Without an answer there, the number in
    the lock file counts, but only while the lock is held. Without a lock file that can be read,
    command lines do.
    """
    process_id = site.admin.process_id()
    if process_id is None and site.is_locked():
        try:
            process_id = process_in(_lock_of(site))
        except (OSError, CertError):
            process_id = run_lock.process_of(site.directory)
    return process_id if process_id and _is_of_owner(process_id, site) else None


def _is_of_owner(process_id: int, site: DirectorySite) -> bool:
    """Whether root may end this process: it belongs to the site's user.

    A file in the site's directory may name any process.
    """
    return not is_foreign_directory(site.directory) or run_lock.is_of_owner(
        process_id, site.directory
    )


def is_paused(process_id: int) -> bool:
    """Whether a signal or a debugger has stopped the process (proc(5), its state)."""
    try:
        stat = Path(f"/proc/{process_id}/stat").read_text("utf-8", "replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[:1] in (["T"], ["t"])


def not_ended(site: DirectorySite, timeout_s: float, which: str) -> Failure:
    """The router still runs ``timeout_s`` after the stop signal. ``which``: its process or unit."""
    process_id = running_pid(site)
    if process_id is not None and is_paused(process_id):
        return outcomes.paused(site.name, timeout_s, process_id)
    return outcomes.still_draining(site.name, timeout_s, which)


def death_of(site: DirectorySite, log_hint: Callable[[], str]) -> Finding | None:
    """No router runs since the last one was killed: it left its process id in ``run/lock``.

    ``log_hint``: that of `HostSite`.
    """
    if is_running(site):
        return None
    try:
        died = process_that_died(_lock_of(site), (site.run / "lock").stat().st_ino)
    except (OSError, CertError):
        return None
    if died is None:
        return None
    text = f"the router (process {died}) {ENDED_WITHOUT_STOPPING}"
    hint = f"sitectl --site {site.name} start"
    if log := log_hint():
        hint += f"; what it wrote last: {log}"
    return Finding("error", "SW0513", text, hint)


def _lock_of(site: DirectorySite) -> str:
    return read_whole(site.run / "lock", LOCK_TEXT_BYTES_MAX).decode("utf-8", "replace")


def is_running(site: DirectorySite) -> bool:
    """Whether a router of this site runs, ready or not."""
    return site.still_answers()


def last_error(log: Path, start_at: int) -> str:
    """The last error, else the last line, of what ``log`` gained since ``start_at``."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(start_at if start_at <= size else 0, size - _LOG_TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return "it wrote no log"
    return last_error_of(lines)


def last_error_of(lines: Iterable[str]) -> str:
    """The cause of a router's end from its log: the last error or last word, else the last line."""
    lines = [line for line in lines if line.strip()]
    errors = [line for line in lines if "error" in line.lower() or line.startswith(_LAST_WORD)]
    return _message((errors or lines or ["it wrote no log"])[-1].removeprefix(_LAST_WORD))


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
