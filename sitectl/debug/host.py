"""The parts of a site on this host: its documents, logs and process. Needs no router."""

import os
import platform
import resource
import signal
import ssl
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from certs.files import lacking
from router.documents.differences import shown_fields
from router.model import limits
from sitectl.debug.archive import ArchivePart, Content
from sitectl.debug.router_parts import router_parts
from sitectl.site.directory import DirectorySite
from sitectl.site.event_files import tail
from sitectl.site.site import Site

LOG_BYTES_MAX: Final = 1024 * 1024
STACKS_WAIT_S: Final = 1.0
_LOGS: Final = ("router.log", "events.log")
_OF_PROCESS: Final = ("status", "limits", "wchan", "schedstat", "cgroup")
_PACKAGES: Final = (
    *("spillway-router", "aiohttp", "uvloop", "msgspec", "cryptography", "PyYAML", "click"),
    *("httptools", "h2", "hpack", "httpx2", "opentelemetry-sdk"),
)


def machine_parts() -> list[ArchivePart]:
    """This host and this program."""
    return [ArchivePart("versions.json", _versions), ArchivePart("machine.json", _machine)]


def site_parts(site: DirectorySite) -> list[ArchivePart]:
    """The site in its directory."""
    run = site.directory / "run"
    return [
        ArchivePart("documents.json", lambda: documents_of(site)),
        ArchivePart("files.json", lambda: _files(site.directory)),
        *(ArchivePart(f"logs/{name}", _log(run / name)) for name in _logs_in(run)),
        ArchivePart("process.json", lambda: _process(site)),
        ArchivePart("stacks.txt", lambda: _stacks(site)),
        *router_parts(site.admin),
    ]


def _versions() -> Content:
    found: dict[str, str] = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "python": sys.version,
        "openssl": ssl.OPENSSL_VERSION,
        "system": platform.platform(),
        "packages": found,
    }


def _machine() -> Content:
    names = {"open_files": resource.RLIMIT_NOFILE, "processes": resource.RLIMIT_NPROC}
    return {
        "kernel": platform.release(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "load": os.getloadavg(),
        "memory": _memory(),
        "limits": {name: list(resource.getrlimit(what)) for name, what in names.items()},
        "time": time.time(),
    }


def _memory() -> dict[str, str]:
    lines = Path("/proc/meminfo").read_text().splitlines()[:5]
    return {name: text.strip() for name, _, text in (line.partition(":") for line in lines)}


def documents_of(site: Site) -> Content:
    """The content of the documents, without any text that may be secret; and their errors."""
    documents, errors = site.scan()
    return {
        "documents": [
            {
                "kind": one.kind,
                "name": one.name,
                "source": one.source,
                "fields": [[field, text] for field, text in shown_fields(one)],
            }
            for one in documents
        ],
        "errors": [
            {"code": one.code, "source": one.source, "line": one.line, "field": one.path}
            for one in errors  # Their texts quote the file.
        ],
    }


def _files(directory: Path) -> Content:
    """Names, sizes, modes and owners, also of secrets; never their content."""
    found: list[dict[str, Any]] = []
    for folder, names, files in os.walk(directory, followlinks=False):
        names.sort()
        for name in sorted(files)[:1_000]:
            known = os.lstat(os.path.join(folder, name))
            found.append(
                {
                    "file": os.path.relpath(os.path.join(folder, name), directory),
                    "size": known.st_size,
                    "mode": f"{known.st_mode & 0o7777:o}",
                    "uid": known.st_uid,
                    "changed": known.st_mtime,
                }
            )
    return found[:5_000]


def _logs_in(run: Path) -> list[str]:
    """The log files below ``run``, with their rotated predecessors; those of workers, too. Bounded,
    whatever the site's owner made there: root may read it."""
    rotated = [f"{name}.1" for name in _LOGS]
    of_workers = (
        f"workers/{number}/{name}"
        for number in range(1, limits.WORKERS_MAX)
        for name in sorted((*_LOGS, *rotated))
    )
    return [*_LOGS, *(one for one in (*rotated, *of_workers) if os.path.exists(run / one))]


def _log(path: Path) -> Any:
    def read() -> str:
        if not path.exists():
            raise FileNotFoundError(f"no {path.name}")
        return tail(path, LOG_BYTES_MAX).decode("utf-8", "replace")

    return read


def _process(site: DirectorySite) -> Content:
    """The kernel's facts about the router's process, also of a stopped one."""
    process_id = _process_id(site)
    root = Path("/proc", str(process_id))
    found: dict[str, Any] = {"process": process_id}
    for name in _OF_PROCESS:
        try:
            found[name] = (root / name).read_text()[:16_384]
        except OSError as error:
            found[name] = f"cannot be read: {error.strerror}"
    try:
        found["descriptors"] = len(os.listdir(root / "fd"))
        entries = (root / "environ").read_bytes().split(b"\0")
        names = (entry.partition(b"=")[0].decode("utf-8", "replace") for entry in entries)
        found["environment"] = sorted(filter(None, names))  # Their names alone.
    except OSError as error:
        found["descriptors"] = f"cannot be read: {error.strerror}"
    return found


def _process_id(site: DirectorySite) -> int:
    process_id = getattr(site.admin, "process_id", lambda: None)()
    if process_id is None:
        raise ProcessLookupError("the router does not run, or is not this user's")
    return int(process_id)


def _stacks(site: DirectorySite) -> str:
    """Where each thread of the router is, also of one that hangs: it writes so at SIGUSR2."""
    process_id = _process_id(site)
    if not _catches(process_id, signal.SIGUSR2):
        raise ProcessLookupError("this router writes no stacks: it is of an earlier version")
    path = site.directory / "run" / "stacks.txt"
    before = path.stat().st_size
    os.kill(process_id, signal.SIGUSR2)
    deadline = time.monotonic() + STACKS_WAIT_S
    while path.stat().st_size == before and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.05)  # The last lines of many threads.
    written = path.stat().st_size - before
    if not written:
        raise TimeoutError(f"the process wrote no stacks: {why_nothing(path.parent)}")
    return tail(path, written).decode("utf-8", "replace")


def why_nothing(place: Path) -> str:
    """Why a router that was asked to has written nothing to ``place``."""
    if lacks := lacking(place):
        return f"{place} is on a disk without free {lacks}"
    return "it is stopped, or hangs in the kernel"


def _catches(process_id: int, number: signal.Signals) -> bool:
    """Whether it has a handler: without one the signal would end it."""
    for line in Path("/proc", str(process_id), "status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.partition(":")[2], 16) >> (number - 1) & 1)
    return False
